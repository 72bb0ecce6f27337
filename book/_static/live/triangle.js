// The triangle of the example with six steps: what d2lutil.example, d2lutil.reach and d2lutil.triangle say.
"use strict";
(() => {
  const {svg, text, line, clamp} = live;
  const STEPS = 6, W = 1.25, V = 2, ROUND = [0.5, 0.6, 0.6, 0.8, 0.2, -0.6, 0.6], TARGETS = [0.7, 1.7, 0.6, -0.1, -0.7, 0.7];
  const INPUTS = TARGETS.map((_, t) => Math.atanh(ROUND[t + 1]) - W * ROUND[t]);
  const FIRST = [0.0856, 0.2368, 0.8013, 0.5822, 0.0941, 0.4331];  // numpy.random.default_rng(3).random(6)
  const NAMES = ["full", "regular", "sliding window", "randomized"];
  const LEFT = 34, RIGHT = 44, TOP = 86, FAINTEST = 0.1, STRONGEST = 0.52, LANE = 66;

  const sum = all => all.reduce((total, value) => total + value, 0);
  // The product of the factors after column i up to row t, as in a term or in a scheme.
  const chains = factors => factors.map((_, t) => factors.map((_, i) =>
    i > t ? 0 : factors.slice(i + 1, t + 1).reduce((product, factor) => product * factor, 1)));
  const terms = (w, x) => {
    const h = [ROUND[0]];
    x.forEach((input, t) => h.push(Math.tanh(w * h[t] + input)));
    const slope = h.slice(1).map(state => 1 - state * state);
    const F = slope.map((value, t) => value * h[t]), J = slope.map(value => value * w);
    const e = TARGETS.map((target, t) => (V * h[t + 1] - target) * V);
    return {h, F, J, e, terms: chains(J).map((row, t) => row.map((product, i) => e[t] * product * F[i]))};
  };
  const pi = ({tau}) => 1 - 1 / Math.max(2, tau);
  const scheme = ({scheme: name, tau, uniform}) => name === "regular" ? uniform.map((_, t) => t % tau ? 1 : 0) :
    name === "randomized" ? uniform.map(drawn => drawn < pi({tau}) ? 1 / pi({tau}) : 0) : uniform.map(() => 1);
  // The sums that all draws of the cuts would give, each with its probability.
  const all = (values, whole) => values.scheme !== "randomized" ? [] : Array.from({length: 2 ** (STEPS - 1)}, (_, k) => {
    const cut = INPUTS.map((_, t) => t > 0 && Boolean(k >> t - 1 & 1)), p = pi(values);
    const weights = chains(cut.map(one => one ? 0 : 1 / p));
    return {share: cut.slice(1).reduce((share, one) => share * (one ? 1 - p : p), 1),
      sum: sum(whole.flatMap((row, t) => row.map((term, i) => term * weights[t][i])))};
  });
  const state = values => {
    const found = terms(values.w, values.x), xi = scheme(values), window = values.scheme === "sliding window" ? values.tau : STEPS;
    const weights = chains(xi).map((row, t) => row.map((weight, i) => t - i < window ? weight : 0));
    const cells = found.terms.map((row, t) => row.map((term, i) => term * weights[t][i]));
    const [whole, kept] = [found.terms, cells].map(all => sum(all.flat()));
    return {...values, x: [...values.x], pi: pi(values), xi, ...found, weights, cells, draws: all(values, found.terms),
      rows: cells.map(sum), columns: cells.map((_, i) => sum(cells.map(row => row[i]))), whole, sum: kept, error: kept - whole};
  };

  const number = value => value.toFixed(Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0).replace("-", "−");
  const style = name => `scheme-${name.replace(" ", "-")}`;

  // The lines between cells that are kept and others, as long as they go.
  const outline = (weights, x, y) => {
    const kept = (t, i) => Boolean(weights[t]?.[i]), all = [...Array(STEPS + 1).keys()];
    const runs = (edge, point) => all.flatMap(k => {
      const starts = all.filter(n => edge(k, n) && !edge(k, n - 1));
      return starts.map(start => `M${point(k, start)}L${point(k, all.find(n => n > start && !edge(k, n)))}`);
    });
    return [...runs((t, i) => kept(t - 1, i) !== kept(t, i), (t, i) => [x(i), y(t)]),
      ...runs((i, t) => kept(t, i - 1) !== kept(t, i), (i, t) => [x(i), y(t)])].join("");
  };
  const hatch = (x, y, side) => [0.25, 0.5, 0.75, 1].map(part => part * side).flatMap(d => [
    `M${x},${y + d}L${x + d},${y}`, d < side ? `M${x + d},${y + side}L${x + side},${y + d}` : ""]).join("");
  const cell = (shown, t, i, x, y, side, size, largest) => {
    const weight = shown.weights[t][i], value = shown.cells[t][i], middle = [x + side / 2, y + side / 2 + 4];
    const box = {x, y, width: side, height: side};
    if (!weight) return [svg("rect", {class: "cell cut", ...box}), text(number(shown.terms[t][i]), ...middle, "small term cut", "middle", size)];
    return [svg("rect", {class: "cell", ...box, "fill-opacity": FAINTEST + (STRONGEST - FAINTEST) * Math.abs(value) / largest}),
      value < 0 && svg("path", {class: "hatch", d: hatch(x, y, side)}), text(number(value), ...middle, "small term", "middle", size),
      weight !== 1 && text(`×${live.short(weight)}`, x + side - 2, y + side - 3, "tiny", "end")];
  };

  // The sum on a line of numbers, and how far it lies from the whole one.
  const result = (shown, left, right) => {
    const sums = [shown.whole, shown.sum, ...shown.draws.map(drawn => drawn.sum)];
    const limit = 1.1 * Math.max(2, ...sums.map(Math.abs)), x = live.linear([-limit, limit], [left, right]);
    const cut = shown.scheme !== "full", label = cut ? `kept ${number(shown.sum)} of ${number(shown.whole)}, error ${number(shown.error)}` :
      `sum of all cells, dL/dw = ${number(shown.whole)}`;
    return [text(label, left, 14, "name"), line([[left, 38], [right, 38]], "thin"),
      x.ticks(4).map(tick => [line([[x(tick), 35], [x(tick), 41]], "thin"),
        text(String(tick).replace("-", "−"), x(tick), 56, "small", "middle")]),
      shown.draws.map(drawn => svg("line", {class: "draw", x1: x(drawn.sum), x2: x(drawn.sum), y1: 25, y2: 34,
        "stroke-opacity": Math.min(1, 0.2 + 5 * drawn.share)})),
      cut && svg("line", {class: "gap", x1: x(shown.whole), x2: x(shown.sum), y1: 38, y2: 38}),
      svg("line", {class: "whole scheme-full", x1: x(shown.whole), x2: x(shown.whole), y1: 27, y2: 49}),
      cut && svg("circle", {class: "dot", cx: x(shown.sum), cy: 38, r: 6})];
  };

  live.figure(document.currentScript.dataset.figures.split(" "), set => {
    const values = {w: W, x: INPUTS, scheme: "full", tau: 3, uniform: FIRST};
    let drawn = 0;
    const toggle = t => set({uniform: values.uniform.with(t, values.uniform[t] < pi(values) ? 1 : 0)});
    return {
      title: "The triangle of the gradient's terms", values, state,
      hint: "Drag w or an input: which cells grow, which fade, which stay? Then keep only a part of them, and see what the sum loses.",
      controls: [
        {name: "w", label: "w", min: 0, max: 2, step: 0.05},
        {name: "scheme", label: "Keep", choices: NAMES},
        {name: "tau", label: "Length", min: 1, max: STEPS, when: ({scheme}) => scheme !== "full",
          text: chosen => chosen.scheme === "randomized" ? `${Math.max(2, chosen.tau)} steps in the mean, π = ${live.short(pi(chosen))}` :
            `τ = ${chosen.tau} step${chosen.tau > 1 ? "s" : ""}`},
        {label: "Draw again", when: ({scheme}) => scheme === "randomized",
          press: () => { drawn += 1; const random = live.random(-drawn); set({uniform: INPUTS.map(() => random())}); }},
        {label: "Reset w and inputs", press: () => set({w: W, x: INPUTS})}],
      draw: (shown, width) => {
        const side = Math.min(58, Math.floor((width - LEFT - RIGHT) / STEPS)), start = (width - LEFT - RIGHT - STEPS * side) / 2 + LEFT;
        const x = i => start + i * side, y = t => TOP + t * side, bottom = y(STEPS), end = x(STEPS), steps = [...INPUTS.keys()];
        const largest = Math.max(1e-9, ...shown.terms.flat().map(Math.abs), ...shown.cells.flat().map(Math.abs));
        const lane = live.linear([-2, 2], [bottom + 74 + LANE, bottom + 74]), centre = i => x(i) + side / 2;
        const size = {style: `font-size: ${Math.min(12, 0.29 * side)}px`};  // of a number as wide as a cell
        const across = {transform: `rotate(-90 ${start - 26} ${y(3)})`};
        const drawing = [svg("g", {class: style(shown.scheme)}, result(shown, start - LEFT + 8, end + RIGHT - 8),
          steps.map(t => steps.slice(0, t + 1).map(i => cell(shown, t, i, x(i), y(t), side, size, largest))),
          svg("path", {class: "line outline", d: outline(shown.weights, x, y)})),
        text("loss of step t", start - 26, y(3) + 4, "small", "middle", across), text("sum", end + RIGHT / 2, TOP - 6, "small", "middle"),
        shown.scheme === "randomized" && text("tap a ring to cut or join", end, TOP + 12, "small", "end"),
        steps.map(t => [text(t + 1, start - 10, y(t) + side / 2 + 4, "small", "middle"),
          text(t + 1, centre(t), bottom + 36, "small", "middle"),
          text(number(shown.rows[t]), end + RIGHT / 2, y(t) + side / 2 + 4, "small sum", "middle", size),
          text(number(shown.columns[t]), centre(t), bottom + 17, "small sum", "middle", size),
          svg("line", {class: "rule", x1: centre(t), x2: centre(t), y1: lane(2), y2: lane(-2)}),
          text(number(shown.h[t + 1]), centre(t), lane(-2) + 22, "small", "middle", size)]),
        text("sum", start - 6, bottom + 17, "small", "end"), text("use of the weight at step i", x(3), bottom + 53, "small", "middle"),
        text("input", start - 6, lane(0) + 4, "small", "end"), text("state", start - 6, lane(-2) + 22, "small", "end"),
        svg("line", {class: "rule", x1: start, x2: end, y1: lane(0), y2: lane(0)})];
        const inputs = steps.map(i => ({key: `x${i + 1}`, label: `Input of step ${i + 1}`, value: shown.x[i], min: -2, max: 2, step: 0.05,
          free: true, box: [centre(i) - 12, lane(shown.x[i]) - 12, 24, 24], text: `${number(shown.x[i])}, state ${number(shown.h[i + 1])}`,
          at: (_, pixel) => lane.invert(pixel), set: value => set({x: values.x.with(i, value)})}));
        const cuts = shown.scheme !== "randomized" ? [] : steps.slice(1).map(t => ({key: `cut${t + 1}`, label: `Cut before step ${t + 1}`,
          pressed: shown.xi[t] === 0, box: [x(t) - 12, y(t) - 12, 24, 24], press: () => toggle(t),
          drawing: svg("circle", {class: `knob ${style("randomized")}`, cx: x(t), cy: y(t), r: 6})}));
        return {height: bottom + 74 + LANE + 28, drawing, handles: [...inputs, ...cuts]};
      },
      say: shown => {
        const kept = shown.weights.flat().filter(Boolean).length, largest = clamp(shown.rows.indexOf(Math.max(...shown.rows)), 0, STEPS);
        const raised = shown.weights.flat().some(weight => weight > 1) ? ", some of them with a larger weight" : "";
        return shown.scheme === "full" ? `The 21 cells add up to dL/dw = ${number(shown.whole)}, by rows or by columns. ` +
          `The loss of step ${largest + 1} raises it most, by ${number(shown.rows[largest])}.` :
          `${kept} of 21 cells are kept${raised}. They add up to ${number(shown.sum)} instead of ${number(shown.whole)}: ` +
          `the error is ${number(shown.error)}.` + (shown.draws.length ? ` The mean of all possible draws, which are the marks above the line, is ` +
            `${number(sum(shown.draws.map(drawn => drawn.share * drawn.sum)))}.` : "");
      },
    };
  });
})();
