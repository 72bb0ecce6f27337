// The variance of randomized truncation for a constant Jacobian j and a probability c of a cut: the chapter's exact one, and
// that of a thousand estimates drawn by live.random.
"use strict";
(() => {
  const {svg, text, line, legend, power} = live;
  const STEPS = 100, DRAWS = 1000, CUT = {min: 0.01, max: 0.5, step: 0.01}, JACOBIAN = {min: 0.5, max: 1, step: 0.01};

  // Exact mean and variance of z_t = 1 + ξ_t j z_{t-1}, t = 1, …, T.
  const moments = (j, pi) => {
    const mean = [], variance = [];
    let m = 0, v = 0;
    for (let t = 0; t < STEPS; t++) {
      v = j * j * (v / pi + (1 - pi) / pi * m * m);
      m = 1 + j * m;
      mean.push(m);
      variance.push(v);
    }
    return {mean, variance};
  };
  // The same of a sample: uniform numbers, a step after the other, for all draws.
  const drawn = seed => {
    const random = live.random(seed);
    return Float64Array.from({length: STEPS * DRAWS}, random);
  };
  const sampled = (uniform, j, pi) => {
    const z = new Float64Array(DRAWS), mean = [], variance = [];
    for (let t = 0; t < STEPS; t++) {
      let sum = 0, squares = 0;
      for (let k = 0; k < DRAWS; k++) {
        z[k] = 1 + (uniform[t * DRAWS + k] < pi ? j * z[k] / pi : 0);
        sum += z[k];
      }
      for (const value of z) squares += (value - sum / DRAWS) ** 2;
      mean.push(sum / DRAWS);
      variance.push(squares / DRAWS);
    }
    return {mean, variance};
  };
  const bounded = (j, c) => Math.round(100 * j) ** 2 < 1e4 - 100 * Math.round(100 * c);  // j² < 1 - c, without round-off

  const map = (shown, width, height) => {
    const x = live.linear([0, CUT.max], [34, width - 6]), y = live.linear([JACOBIAN.min, 1], [height - 42, 26]);
    const border = Array.from({length: 51}, (_, k) => 1 - k / 50 * (1 - Math.sqrt(1 - CUT.max))).map(j => [x(1 - j * j), y(j)]);
    const [left, right, bottom, top] = [...x.range, ...y.range];
    return [x, y, [svg("polygon", {class: "shade scheme-regular", style: "fill-opacity: 0.3", points: [...border, [right, top]].map(point => point.join()).join(" ")}),
      svg("rect", {class: "frame", x: left, y: top, width: right - left, height: bottom - top}), line(border, ""),
      text("Jacobian j", 0, 12, "small"), text(shown.bounded ? "j² < 1 − c" : "j² ≥ 1 − c", right, 13, "name", "end"),
      text("finite limit", left + 10, bottom - 12, "name"), text("without bound", right - 10, top + 22, "name", "end"),
      [0.5, 0.6, 0.7, 0.8, 0.9, 1].map(j => text(live.short(j), left - 5, y(j) + 4, "small", "end")),
      live.xAxis(x, bottom, "probability c of a cut", {ticks: [0, 0.1, 0.2, 0.3, 0.4, 0.5]})]];
  };
  const chart = (shown, left, width, top, height) => {
    const low = top + height - 42, x = live.linear([0, STEPS], [left + 42, left + width - 8]), y = live.log([1e-2, 1e12], [low, top + 62]);
    const points = values => values.map((value, t) => [x(t + 1), value]).filter(([, value]) => value > 0).map(([at, value]) => [at, y(value)]);
    return [text("Variance of the estimate", left, top + 12, "name"),
      legend(left, top + 32, "", "exact"), legend(left, top + 50, "scheme-randomized", `seen in ${DRAWS.toLocaleString("en")} draws`),
      live.yAxis(y, left + 40, left + width - 8, {ticks: [1, 1e3, 1e6, 1e9, 1e12], format: value => value === 1 ? "1" : `10${live.superscript(Math.log10(value))}`}),
      live.clip([left + 40, top + 56, width - 46, low - top - 56],
        line(points(shown.exact.variance), ""), line(points(shown.seen.variance), "scheme-randomized")),
      live.xAxis(x, low, "step t")];
  };

  live.figure(["fig-ra-threshold"], set => {
    const values = {c: 0.3, j: 0.9, seed: 1};
    let uniform = drawn(values.seed);
    const state = ({c, j, seed}) => ({c, j, seed, bounded: bounded(j, c), exact: moments(j, 1 - c), seen: sampled(uniform, j, 1 - c)});
    return {
      title: "The variance, exact and in a sample", values, state,
      hint: "Drag the point over the border: what does the exact variance do, and does a sample of 1,000 draws show it?",
      controls: [
        {name: "c", label: "c", ...CUT, text: ({c}) => c.toFixed(2)}, {name: "j", label: "j", ...JACOBIAN, text: ({j}) => j.toFixed(2)},
        {label: "Draw again", press: () => { uniform = drawn(values.seed + 1); set({seed: values.seed + 1}); }}],
      draw: (shown, width) => {
        const wide = width > 600, side = wide ? 0.44 * width : width, tall = wide ? 300 : 210;
        const [x, y, drawing] = map(shown, side, tall), at = [x(shown.c), y(shown.j)];
        return {height: wide ? tall : tall + 262,
          drawing: [drawing, wide ? chart(shown, side + 28, width - side - 28, 0, tall) : chart(shown, 0, width, tall + 12, 250)],
          handles: [{key: "weights", label: "Probability of a cut and Jacobian", value: [shown.c, shown.j], min: [CUT.min, JACOBIAN.min],
            max: [CUT.max, JACOBIAN.max], step: [CUT.step, JACOBIAN.step], free: true,
            text: `c = ${shown.c}, j = ${shown.j}: the variance ${shown.bounded ? "settles" : "grows without bound"}`,
            box: [at[0] - 14, at[1] - 14, 28, 28], at: (px, py) => [x.invert(px), y.invert(py)], set: ([c, j]) => set({c, j})}]};
      },
      say: ({c, j, bounded: settles, exact, seen}) => {
        const error = Math.sqrt(seen.variance.at(-1) / DRAWS);
        return `j² = ${(j * j).toFixed(2)} is ${settles ? "below" : "not below"} 1 − c = ${(1 - c).toFixed(2)}: the variance ${settles ? "settles" : "grows without bound"}. ` +
          `At step ${STEPS} it is ${power(exact.variance.at(-1))}, and the sample shows ${power(seen.variance.at(-1))}. The mean of the sample is ` +
          `${live.short(seen.mean.at(-1))} ± ${Number(error.toPrecision(2))}, the exact one ${live.short(exact.mean.at(-1))}.`;
      },
    };
  });
})();
