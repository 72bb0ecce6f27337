// Previews of what a link leads to, and boxes that scroll by keyboard. Nothing is fetched: what lies on another
// page waits in a <template> of this one.
(() => {
  "use strict";

  // An anchor that has moved to another page leads there.
  const follow = () => {
    const sign = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (sign?.matches(".moved")) location.replace(sign.querySelector("a").href);
  };
  addEventListener("hashchange", follow);
  follow();

  const KINDS = "figure, .math, .citation, dt";

  // A box that scrolls sideways can be reached with the tabulator and says on which side there is more.
  const BOXES = ".katex-display, .pst-scrollable-table-container, pre, .scrolls";
  const more = box => {
    const hidden = box.scrollWidth - box.clientWidth, sides = [];
    if (box.scrollLeft > 1) sides.push("left");
    if (box.scrollLeft < hidden - 1) sides.push("right");
    box.dataset.more = sides.join(" ");
  };
  const scrollable = () => {
    document.querySelectorAll(".bd-article").forEach(part => part.querySelectorAll(BOXES).forEach(box => {
      if (box.scrollWidth > box.clientWidth + 1) {
        box.tabIndex = 0;
        more(box);
      } else {
        box.removeAttribute("tabindex");
        delete box.dataset.more;
      }
    }));
  };

  // Paper is light, whatever the theme.
  const paper = matchMedia("print"), root = document.documentElement;
  let theme;
  const lighten = printing => {
    if (printing && theme === undefined) [theme, root.dataset.theme] = [root.dataset.theme, "light"];
    else if (!printing && theme !== undefined) [root.dataset.theme, theme] = [theme, undefined];
  };
  paper.addEventListener("change", event => lighten(event.matches));
  addEventListener("beforeprint", () => lighten(true));
  addEventListener("afterprint", () => lighten(false));

  const target = link => {
    const href = link.getAttribute("href");
    const stored = document.querySelector(`template[data-preview="${CSS.escape(href)}"]`);
    if (stored) return stored.content.cloneNode(true);
    if (!href.startsWith("#")) return null;
    let found = document.getElementById(decodeURIComponent(href.slice(1)));
    if (found?.matches("span") && found.parentElement.matches(KINDS)) found = found.parentElement;
    if (!found?.matches(KINDS)) return null;
    const part = new DocumentFragment();
    part.append(found.cloneNode(true));
    let definition = found.matches("dt") ? found.nextElementSibling : null;
    while (definition?.matches("dt")) definition = definition.nextElementSibling;  // terms may share one
    if (definition) part.append(definition.cloneNode(true));
    return part;
  };

  let shown, timer;
  const hide = () => {
    clearTimeout(timer);
    shown?.link.removeAttribute("aria-describedby");
    shown?.box.remove();
    shown = undefined;
  };
  const show = link => {
    if (shown?.link === link) return clearTimeout(timer);
    hide();
    const content = target(link);
    if (!content) return;
    content.querySelectorAll("[id]").forEach(part => part.removeAttribute("id"));
    content.querySelectorAll(".headerlink").forEach(part => part.remove());
    const box = document.createElement("div");
    Object.assign(box, {id: "preview", className: "preview bd-article", role: "tooltip"});
    box.setAttribute("role", "tooltip");
    box.append(content);
    document.body.append(box);
    const at = link.getBoundingClientRect(), size = box.getBoundingClientRect();
    const left = Math.min(at.left, document.documentElement.clientWidth - size.width - 8);
    const below = at.bottom + size.height + 8 < innerHeight || at.top < size.height + 8;
    box.style.left = `${Math.max(8, left) + scrollX}px`;
    box.style.top = `${(below ? at.bottom + 4 : at.top - size.height - 4) + scrollY}px`;
    link.setAttribute("aria-describedby", "preview");
    box.addEventListener("pointerenter", () => clearTimeout(timer));
    box.addEventListener("pointerleave", later);
    shown = {link, box};
  };
  const later = () => { clearTimeout(timer); timer = setTimeout(hide, 200); };

  const start = () => {
    document.querySelectorAll('main a.reference.internal[href*="#"]').forEach(link => {
      link.addEventListener("pointerenter", event => {
        if (event.pointerType === "touch") return;
        clearTimeout(timer);
        timer = setTimeout(() => show(link), 150);
      });
      link.addEventListener("pointerleave", later);
      link.addEventListener("focus", () => { if (link.matches(":focus-visible")) show(link); });
      link.addEventListener("blur", hide);
    });
    addEventListener("keydown", event => { if (event.key === "Escape") hide(); });
    scrollable();
    addEventListener("resize", scrollable);
    document.addEventListener("scroll", event => { if (event.target.dataset?.more !== undefined) more(event.target); }, true);
    document.addEventListener("toggle", scrollable, true);
    document.fonts.ready.then(scrollable);
  };
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", start);
  else start();
})();
