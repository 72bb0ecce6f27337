// The partition figure, to play with. Draws what d2lutil.regular, d2lutil.randomized and d2lutil.segments say;
// tests/test_browser.py compares them in a browser.
(() => {
  "use strict";
  const TEXT = "The Time Machine, by H. G. Wells", STEPS = TEXT.length;
  // numpy.random.default_rng(11).random(32): the draw of the static figure, at every π.
  let uniform = [
    0.1286, 0.4993, 0.6015, 0.0287, 0.1479, 0.9282, 0.0704, 0.1298, 0.9483, 0.6219, 0.3690, 0.5114,
    0.6628, 0.2753, 0.1380, 0.7880, 0.6704, 0.5124, 0.8167, 0.5491, 0.9809, 0.2045, 0.5537, 0.4836,
    0.3533, 0.5916, 0.2353, 0.8022, 0.8673, 0.1288, 0.4671, 0.2771,
  ];
  const CELL = 20, TOP = 30, BOX = 30, ROW = 116, CHART = 190;

  const regular = tau => Array.from({length: STEPS}, (_, t) => t % tau ? 1 : 0);
  const randomized = pi => uniform.map(drawn => drawn < pi ? 1 / pi : 0);
  const full = () => Array(STEPS).fill(1);

  const segments = xi => {
    const starts = xi.map((weight, t) => t).filter(t => t === 0 || xi[t] === 0);
    return starts.map((start, k) => [start, starts[k + 1] ?? xi.length]);
  };
  // Weight with which the last loss term of a segment reaches each of its steps.
  const weights = (xi, start, stop) => {
    const found = Array(stop - start).fill(1);
    for (let t = stop - 2; t >= start; t--) found[t - start] = found[t - start + 1] * xi[t + 1];
    return found;
  };
  // Mean weight of the terms that lie a lag back, over all loss terms that have one.
  const byLag = xi => {
    const sums = Array(STEPS).fill(0);
    for (let t = 0; t < STEPS; t++) {
      let weight = 1;
      for (let i = t; i >= 0 && weight > 0; i--) { sums[t - i] += weight; weight *= xi[i]; }
    }
    return sums.map((sum, lag) => sum / (STEPS - lag));
  };

  const tag = (name, attributes, content = "") =>
    `<${name} ${Object.entries(attributes).map(([key, value]) => `${key}="${value}"`).join(" ")}>${content}</${name}>`;
  const short = value => value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));

  const segment = (name, xi, [start, stop], top, unit) => {
    const letters = [...TEXT.slice(start, stop)].map((letter, k) => tag("text",
      {x: (start + k + 0.5) * CELL, y: top + 21, "text-anchor": "middle", class: "letter"}, letter)).join("");
    const box = tag("rect", {x: start * CELL + 1.5, y: top, width: (stop - start) * CELL - 3, height: BOX, rx: 6});
    const weight = weights(xi, start, stop);
    if (weight.length === 1) return box + letters;
    const middle = top + BOX + 16, half = weight.map(value => Math.max(1, unit * value / 2));
    const x = k => (start + k + 0.5) * CELL, head = Math.max(6, half[0] + 3), neck = x(0) + 6;
    const upper = half.slice(1).map((value, k) => `${x(k + 1)},${middle - value}`);
    const lower = half.slice(1).map((value, k) => `${x(k + 1)},${middle + value}`).reverse();
    const points = [`${x(0) - 7},${middle}`, `${neck},${middle - head}`, `${neck},${middle - half[0]}`, ...upper,
      ...lower, `${neck},${middle + half[0]}`, `${neck},${middle + head}`].join(" ");
    const label = weight.length < 3 ? "" :
      tag("text", {x: start * CELL + 3, y: middle + 27, class: "small"}, `×${short(weight[0])}`);
    return box + letters + tag("polygon", {points}) + label;
  };

  const chart = (rows, top) => {
    const shares = rows.map(([, xi]) => byLag(xi));
    const highest = Math.max(1.25, ...shares.flat()), height = CHART - 66;
    const x = lag => 34 + lag * (STEPS * CELL - 44) / (STEPS - 1);
    const y = share => top + 34 + height * (1 - share / highest);
    const lines = shares.map((share, k) => tag("polyline", {class: `line ${rows[k][0]}`,
      points: share.map((value, lag) => `${x(lag)},${y(value)}`).join(" ")})).join("");
    const ticks = [0, 5, 10, 15, 20, 25, 30].map(lag =>
      tag("text", {x: x(lag), y: top + CHART - 14, "text-anchor": "middle", class: "small"}, lag)).join("");
    const marks = [0, 1].map(share => tag("text", {x: 26, y: y(share) + 4, "text-anchor": "end", class: "small"},
      `×${share}`) + tag("line", {x1: 32, x2: STEPS * CELL - 10, y1: y(share), y2: y(share)})).join("");
    return tag("text", {x: 0, y: top + 12, class: "name"}, "What arrives of the gradient, by lag") + marks + ticks +
      tag("text", {x: STEPS * CELL, y: top + CHART, "text-anchor": "end", class: "small"}, "steps back") + lines;
  };

  const draw = root => {
    const tau = Number(root.querySelector("[name=tau]").value);
    const cuts = Number(root.querySelector("[name=pi]").value), pi = 1 - 1 / cuts;
    const rows = [["randomized", randomized(pi)], ["regular", regular(tau)], ["full", full()]];
    const notes = {randomized: `cut by chance, π = ${short(pi)}`, regular: `cut every ${tau} steps`, full: "never cut"};
    const all = rows.map(([, xi]) => segments(xi));
    const heaviest = Math.max(...rows.map(([, xi], k) =>
      Math.max(...all[k].map(([start, stop]) => weights(xi, start, stop)[0]))));
    const unit = Math.min(4, 26 / heaviest);
    const body = rows.map(([name, xi], k) => {
      const top = k * ROW;
      return tag("g", {class: name}, tag("text", {x: 0, y: top + 20, class: "name"}, name) +
        tag("text", {x: STEPS * CELL, y: top + 20, "text-anchor": "end", class: "small"}, notes[name]) +
        all[k].map(part => segment(name, xi, part, top + TOP, unit)).join(""));
    }).join("");
    const text = rows.map(([name, xi], k) => `${name}: ${all[k].length} ` +
      `${all[k].length === 1 ? "segment" : "segments"} of ${all[k].map(([a, b]) => b - a).join(", ")} steps, heaviest ×` +
      short(Math.max(...all[k].map(([start, stop]) => weights(xi, start, stop)[0])))).join("; ");
    root.querySelector(".scrolls").innerHTML = tag("svg", {role: "img", "aria-label": `Three schemes. ${text}.`,
      viewBox: `-8 0 ${STEPS * CELL + 16} ${3 * ROW + CHART + 8}`}, body + chart(rows, 3 * ROW));
    root.querySelector("output").textContent = `${text}.`;
    root.querySelector("[for=explorable-tau] b").textContent = tau;
    root.querySelector("[for=explorable-pi] b").textContent = `${short(pi)} (mean length ${cuts})`;
    const kept = Object.fromEntries(rows.map(([name, xi], k) => [name, {xi, segments: all[k], lag: byLag(xi),
      weights: all[k].map(([start, stop]) => weights(xi, start, stop))}]));
    root.dataset.state = JSON.stringify({tau, pi, ...kept});
  };

  const start = () => {
    const figure = document.getElementById("fig-partition");
    if (!figure) return;
    const root = document.createElement("div");
    root.className = "explorable";
    root.innerHTML = `<div class="scrolls"></div><form>
      <label for="explorable-tau">τ = <b></b></label><input id="explorable-tau" name="tau" type="range" min="1"
        max="${STEPS}" value="6">
      <label for="explorable-pi">π = <b></b></label><input id="explorable-pi" name="pi" type="range" min="2"
        max="${STEPS}" value="6"><button type="button">Draw again</button></form><output></output>`;
    root.addEventListener("input", () => draw(root));
    root.querySelector("form").addEventListener("submit", event => event.preventDefault());
    root.querySelector("button").addEventListener("click", () => {
      uniform = uniform.map(() => Math.random());
      draw(root);
    });
    draw(root);
    figure.querySelector("img").hidden = true;
    figure.prepend(root);
  };
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", start);
  else start();
})();
