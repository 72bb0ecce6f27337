// Influence balancing: what a window and a chunk of τ steps keep of the sensitivity of the first of 23 units, which way
// the update goes, and training. The system, its numbers and its thresholds are those of the chapter.
"use strict";
(() => {
  const {svg, text, line, legend, clamp} = live;
  const PLUS = 10, MINUS = 13, UNITS = PLUS + MINUS, LONGEST = 200, ALL = 400;  // at lag 400 nothing is left
  const LR = 0.01, REST = 110, UPDATES = 200, START = 0.5, OPTIMUM = 0.5 / (PLUS - MINUS);
  const NAMES = ["full", "sliding window", "regular"], STYLES = ["full", "sliding-window", "regular"];

  // One step in place: h ← A h + w v. A unit keeps half of its value and adds half of its right neighbour's.
  const step = (h, w) => h.forEach((value, k) => { h[k] = (value + (h[k + 1] ?? 0)) / 2 + (k < PLUS ? w : -w); });
  // D[τ]: the terms of the τ youngest lags, each the first entry of a power of A times v.
  const D = [0], powers = Array.from({length: UNITS}, (_, k) => k < PLUS ? 1 : -1);
  while (D.length <= ALL) {
    D.push(D.at(-1) + powers[0]);
    step(powers, 0);
  }
  const window = tau => Array.from({length: tau}, (_, j) => j < tau - 1 ? 0 : 1);
  const chunk = tau => Array(tau).fill(1 / tau);
  // The weight of each loss, from the first step of a segment to its last.
  const counts = tau => [window(ALL), window(tau), chunk(tau)];
  const kept = weights => weights.reduce((sum, weight, j) => sum + weight * D[j + 1], 0);
  const curve = of => Array.from({length: LONGEST}, (_, k) => kept(of(k + 1)));
  const CURVES = [window, chunk].map(curve), TURNS = CURVES.map(values => values.findIndex(value => value < 0) + 1);
  // The parameter after each update: the state runs on, rests before each segment, and keeps what it has.
  const train = weights => {
    const h = Array(UNITS).fill(1), path = [START];
    for (let w = START; path.length <= UPDATES; path.push(w)) {
      for (let k = 0; k < REST; k++) step(h, w);
      let gradient = 0;
      weights.forEach((weight, j) => { step(h, w); gradient += weight * D[j + 1] * (h[0] - 1); });
      w -= LR * gradient;
    }
    return path;
  };

  const signed = value => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
  const where = w => Math.abs(w) > 100 ? "beyond 100" : `w = ${signed(w).replace("+", "")}`;
  const titles = tau => ["full gradient", `window of ${tau} steps`, `chunks of ${tau} steps`];

  const chart = (shown, x, y, width) => {
    const points = values => values.map((value, k) => [x(k + 1), y(value)]);
    return [text("Sensitivity that the gradient keeps", 0, 12, "name"),
      live.yAxis(y, 30, width - 8, {ticks: [-6, 0, 5, 10, 15], format: tick => String(tick).replace("-", "−")}),
      live.xAxis(x, y.range[0], "length τ (steps)", {ticks: [1, 50, 100, 150, 200]}),
      line([[x(1), y(0)], [x(LONGEST), y(0)]], "thin"), line([[x(1), y(-6)], [x(LONGEST), y(-6)]], "scheme-full"),
      CURVES.map((values, k) => line(points(values), `scheme-${STYLES[k + 1]}`)),
      TURNS.map(turn => [text(turn, x(turn) + 5, y(0) - 6, "small"), svg("circle", {cx: x(turn), cy: y(0), r: 3.5})]),
      ["full", "window", "chunks"].map((name, k) => legend(width - 92, 40 + 18 * k, `scheme-${STYLES[k]}`, name)),
      text("↑ away from w*", width - 10, y(3) + 4, "small", "end"), text("↓ towards w*", width - 10, y(-4.2) + 4, "small", "end")];
  };
  const rail = (shown, k, x, top, width) => {
    const path = shown.paths[k], w = path.at(-1), [left, right] = x.range, at = value => clamp(x(value), left, right);
    const ahead = x(START - LR * shown.gradients[k]) - x(START), tip = at(START) + Math.sign(ahead) * Math.max(26, Math.abs(ahead));
    const end = clamp(tip, left, right), head = end - Math.sign(ahead) * 9, y = top + 34;
    return svg("g", {class: `scheme-${STYLES[k]}`}, text(titles(shown.tau)[k], 0, top + 12, "name"),
      text(path.length > 1 ? where(w) : shown.gradients[k] > 0 ? "towards w*" : "away from w*", width, top + 12, "small", "end"),
      svg("line", {class: "rule", x1: left, x2: right, y1: y, y2: y}),
      svg("line", {class: "goal", x1: x(OPTIMUM), x2: x(OPTIMUM), y1: y - 13, y2: y + 13}), path.slice(0, -1).map(before => svg("circle", {class: "dot", cx: at(before), cy: y, r: 2})),
      path.length === 1 && [line([[at(w), y], [head, y]], "solid"), svg("polygon", {points: `${end},${y} ${head},${y - 6} ${head},${y + 6}`})],
      svg("circle", {class: "dot", cx: at(w), cy: y, r: 8}));
  };

  live.figure(["fig-ib-lags"], (set, animate) => {
    const values = {tau: 60, run: {updates: 0}};
    const start = () => {
      const run = values.run = {tau: values.tau, updates: 0, paths: counts(values.tau).map(train)};
      animate(() => {
        if (values.run !== run) return false;
        run.updates += 1;
        set({});
        return run.updates < UPDATES;
      });
    };
    const state = ({tau}) => {
      if (values.run.tau !== tau) values.run = {tau, updates: 0, paths: NAMES.map(() => [START])};
      const {updates, paths} = values.run, sensitivities = counts(tau).map(kept);
      return {tau, updates, sensitivities, turns: TURNS, curves: CURVES,
        // Where the state has settled at w = ½.
        gradients: sensitivities.map(value => (START / OPTIMUM - 1) * value), paths: paths.map(path => path.slice(0, updates + 1))};
    };
    return {
      title: "Which way the update goes", values, state,
      hint: "Drag τ: from which length on does each gradient point to the optimum w*? Then let the balls train.",
      controls: [{name: "tau", label: "τ", min: 1, max: LONGEST, text: ({tau}) => `${tau} steps`}, {label: "Train", press: start}],
      draw: (shown, width) => {
        const x = live.linear([1, LONGEST], [34, width - 8]), y = live.linear([-7.5, 17.5], [200, 26]), w = live.linear([-0.7, 1.7], [8, width - 8]);
        const rails = 268, at = x(shown.tau);
        return {height: rails + 3 * 54 + 4, drawing: [chart(shown, x, y, width),
          text("w* = −1/6", w(OPTIMUM), rails - 14, "small", "middle"), text("start: w = 1/2", w(START), rails - 14, "small", "middle"),
          NAMES.map((_, k) => rail(shown, k, w, rails + 54 * k, width))],
        handles: [{key: "tau", label: "τ", value: shown.tau, min: 1, max: LONGEST, text: `${shown.tau} steps`,
          box: [at - 12, 24, 24, 188], at: px => x.invert(px), set: tau => set({tau}),
          drawing: svg("g", {}, line([[at, 26], [at, 200]], "thin"), [1, 2].map(k => svg("circle", {class: `knob scheme-${STYLES[k]}`,
            cx: at, cy: y(shown.sensitivities[k]), r: 6})))}]};
      },
      say: ({tau, updates, sensitivities, paths}) => {
        const found = [1, 2].map(k => `${titles(tau)[k]} keep${k === 1 ? "s" : ""} ${signed(sensitivities[k])} and point${k === 1 ? "s" : ""} ` +
          `${sensitivities[k] < 0 ? "to" : "away from"} w*`).join("; ");
        const ends = NAMES.map((_, k) => `${["full gradient", "window", "chunks"][k]} ${where(paths[k].at(-1))}`).join(", ");
        return `Of the sensitivity −6 a ${found}.${updates ? ` After ${updates} updates: ${ends}.` : ""}`;
      },
    };
  });
})();
