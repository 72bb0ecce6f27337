// A deck: light or dark as the reader prefers (and by the key D), reveal.js where there is room, one long page on a phone.
"use strict";
(() => {
  const root = document.documentElement, printing = location.search.includes("print-pdf");
  const dark = matchMedia("(prefers-color-scheme: dark)"), paper = matchMedia("print");
  const paint = () => { root.dataset.theme = dark.matches && !printing && !paper.matches ? "dark" : "light"; };
  [dark, paper].forEach(query => query.addEventListener("change", paint));
  paint();

  const narrow = innerWidth < 600 && !printing;
  if (narrow) root.classList.add("flow");

  // A figure that has the focus keeps its keys. Those of a presenter's remote turn the slide all the same, and Escape leaves the
  // figure, so that the next arrow turns the slide again.
  const TURNS = {PageDown: "next", PageUp: "prev"};
  const keep = event => {
    const inside = event.target.closest?.(".live");
    if (!inside || !(event.key in TURNS || event.key === "Escape")) return;
    event.stopPropagation();
    event.preventDefault();
    document.activeElement.blur();
    window.Reveal[TURNS[event.key]]?.();
  };
  // A figure that answers is drawn as large as its place on the slide allows. Its height depends on its width, so look again.
  const WIDTH = 1024, HEIGHT = 576, BELOW = 24, LARGEST = 1.5;
  const frames = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  const fit = async figure => {
    figure.dataset.fitted = "";
    const stage = figure.querySelector(".stage"), picture = stage.firstElementChild, zoom = window.Reveal.getScale();
    const corner = stage.getBoundingClientRect(), slide = figure.closest("section").getBoundingClientRect();
    const wide = corner.width / zoom, room = HEIGHT - BELOW - (corner.top - slide.top) / zoom;
    for (let n = 0, scale = 0; n < 5; n += 1) {
      const high = Number(picture.getAttribute("height")), best = Math.min(LARGEST, room / high);
      if (Math.abs(best - scale) < 0.01) break;
      scale = n < 3 ? best : Math.min(best, scale);
      stage.style = `width: ${wide / scale}px; height: ${high}px; transform: scale(${scale}); transform-origin: 0 0;
        margin: 0 ${wide - wide / scale}px ${(scale - 1) * high}px 0`;
      await frames();
    }
    figure.dataset.fitted = "yes";
  };
  const fitAll = () => window.Reveal.getCurrentSlide().querySelectorAll(".live:not([data-fitted])").forEach(fit);

  const free = () => !document.activeElement?.closest(".live");

  // On the long page what scrolls sideways is reached by the tabulator.
  const scrollable = () => document.querySelectorAll("table, pre, .math, figure.plot").forEach(box => {
    if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
  });

  document.addEventListener("DOMContentLoaded", () => {
    if (!window.Reveal) return;
    if (narrow) return void addEventListener("load", scrollable);
    if (printing) document.querySelectorAll(".live").forEach(figure => {
      figure.parentElement.classList.remove("answers");
      figure.remove();
    });
    document.querySelectorAll(".live").forEach(figure => { figure.dataset.preventSwipe = ""; });
    document.addEventListener("keydown", keep, true);
    window.Reveal.initialize({width: WIDTH, height: HEIGHT, margin: 0.02, center: false, hash: true, slideNumber: "c/t",
      navigationMode: "linear", transition: "none", backgroundTransition: "none", controlsTutorial: false,
      scrollActivationWidth: null, pdfMaxPagesPerSlide: 1, pdfSeparateFragments: false,
      keyboardCondition: free, plugins: [window.RevealNotes]}).then(fitAll);
    window.Reveal.on("slidechanged", fitAll);
    window.Reveal.addKeyBinding({keyCode: 68, key: "D", description: "Dark or light"}, () => {
      root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    });
  });
})();
