// Two paths of a tanh network from nearly equal states, and a gradient on its way back through the same Jacobians. The
// matrix, the inputs and the states are drawn by live.random; what they do is what numpy and d2lutil.jacobians say.
"use strict";
(() => {
  const {svg, text, line, legend, clamp, power} = live;
  const UNITS = 16, STEPS = 100, DISTANCE = 1e-6, LEAST = 1e-15, UNIT = 3;
  const random = live.random(11), draw = count => Float64Array.from({length: count}, () => 2 * random() - 1);
  const norm = row => Math.sqrt(row.reduce((sum, entry) => sum + entry * entry, 0));
  // Of spectral radius 1: numpy.linalg.eigvals says 2.0849… of the matrix drawn.
  const W = draw(UNITS * UNITS).map(entry => entry / 2.084938095241862), START = draw(UNITS);
  const DIRECTION = draw(UNITS).map((entry, _, all) => entry / norm(all));
  const INPUTS = draw(STEPS * UNITS).map(entry => entry * Math.sqrt(3));  // of variance 1

  const times = row => {  // row W
    const product = new Float64Array(UNITS);
    for (let a = 0; a < UNITS; a++) for (let b = 0; b < UNITS; b++) product[b] += row[a] * W[a * UNITS + b];
    return product;
  };
  const timesTransposed = row => {
    const product = new Float64Array(UNITS);
    for (let b = 0; b < UNITS; b++) for (let a = 0; a < UNITS; a++) product[b] += row[a] * W[b * UNITS + a];
    return product;
  };
  const step = (h, t, radius, strength) =>
    times(h).map((sum, k) => Math.tanh(radius * sum + strength * INPUTS[t * UNITS + k]));
  const path = (h, radius, strength) => {
    const states = [h];
    for (let t = 0; t < STEPS; t++) states.push(step(states[t], t, radius, strength));
    return states;
  };
  // The mean rate at which a small change of the first state grows: the largest Lyapunov exponent, over these steps.
  const exponent = (states, radius) => {
    let change = DIRECTION, total = 0;
    for (const h of states.slice(1)) {
      change = times(change).map((sum, k) => (1 - h[k] * h[k]) * radius * sum);  // v Jᵀ
      const grown = norm(change);
      total += Math.log(grown);
      change = change.map(entry => entry / grown);
    }
    return total / STEPS;
  };
  // Norms of dh_T/dh_t for one combination of the units of h_T, t = 0, …, T.
  const gradients = (states, radius) => {
    let delta = DIRECTION;
    const norms = [1];
    for (let t = STEPS; t > 0; t--) {
      delta = timesTransposed(delta.map((entry, k) => entry * (1 - states[t][k] ** 2) * radius));  // δ J
      norms.unshift(norm(delta));
    }
    return norms;
  };

  const RADIUS = {min: 0.5, max: 3, step: 0.1}, STRENGTH = {min: 0, max: 1, step: 0.1};
  const grid = ({min, max, step}) => Array.from({length: Math.round((max - min) / step) + 1}, (_, k) => Number((min + k * step).toFixed(1)));
  const RADII = grid(RADIUS), STRENGTHS = grid(STRENGTH);
  const signed = value => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;

  live.figure(["fig-st-butterfly"], set => {
    const values = {radius: 2.4, strength: 0.2};
    const exponents = STRENGTHS.map(strength => RADII.map(radius => exponent(path(START, radius, strength), radius)));
    const state = ({radius, strength}) => {
      const [one, other] = [START, START.map((entry, k) => entry + DISTANCE * DIRECTION[k])].map(h => path(h, radius, strength));
      return {radius, strength, exponents, exponent: exponent(one, radius), gradient: gradients(one, radius),
        paths: [one, other].map(states => states.map(h => [...h])),
        // Below lies round-off.
        distance: one.map((h, t) => Math.max(LEAST, norm(h.map((entry, k) => entry - other[t][k]))))};
    };
    const map = (shown, width, height) => {
      const x = live.linear([0.45, 3.05], [30, width - 6]), y = live.linear([-0.05, 1.05], [height - 42, 26]);
      const [across, up] = [x(1.1) - x(1), y(1) - y(1.1)];
      const cells = STRENGTHS.map((strength, s) => RADII.map((radius, r) => shown.exponents[s][r] > 0 && svg("rect", {
        class: "shade scheme-regular", x: x(radius) - across / 2, y: y(strength) - up / 2, width: across, height: up,
        style: `fill-opacity: ${clamp(0.15 + 1.5 * shown.exponents[s][r], 0, 0.6).toFixed(3)}`})));
      return [x, y, [cells, text("input strength", 0, 12, "small"), text(`λ = ${signed(shown.exponent)}`, width - 6, 13, "name", "end"), text("λ < 0", x(0.6), y(0.93), "name"), text("λ > 0", x(2.95), y(0.93), "name", "end"),
        svg("rect", {class: "frame", x: x(0.45), y: y(1.05), width: x(3.05) - x(0.45), height: y(-0.05) - y(1.05)}),
        STRENGTHS.filter((_, k) => k % 5 === 0).map(strength => text(live.short(strength), 25, y(strength) + 4, "small", "end")),
        live.xAxis(x, height - 42, "spectral radius", {ticks: [0.5, 1, 1.5, 2, 2.5, 3]})]];
    };
    const charts = (shown, left, width, top) => {
      const x = live.linear([0, STEPS], [left + 40, left + width - 8]), u = live.linear([-1, 1], [top + 110, top + 26]);
      const low = top + 300, y = live.log([1e-9, 1e13], [low, top + 176]);
      const unit = shown.paths.map(states => states.map(h => h[UNIT])), curve = (values, scale) => values.map((value, t) => [x(t), scale(value)]);
      return [text("One unit, started twice", left, top + 12, "name"),
        live.yAxis(u, left + 38, left + width - 8, {ticks: [-1, 0, 1], format: value => `${value}`.replace("-", "−")}),
        line(curve(unit[0], u), "scheme-full"), line(curve(unit[1], u), "scheme-regular"),
        legend(left, top + 142, "", "distance of the two, forward"),
        legend(left, top + 160, "scheme-randomized", "gradient, back from step 100"),
        live.yAxis(y, left + 38, left + width - 8, {ticks: [1e-6, 1, 1e6, 1e12], format: times => times === 1 ? "×1" : `×10${live.superscript(Math.log10(times))}`}),
        live.clip([left + 38, top + 170, width - 44, 134],
          line(curve(shown.distance.map(value => value / DISTANCE), y), ""), line(curve(shown.gradient, y), "scheme-randomized")),
        live.xAxis(x, low, "step")];
    };
    return {
      title: "Two paths and a gradient", values, state,
      hint: "Two copies of a network start a millionth apart. Drag the point: where do they part, and what does the gradient do there?",
      controls: [
        {name: "radius", label: "Spectral radius", ...RADIUS, text: ({radius}) => radius.toFixed(1)},
        {name: "strength", label: "Input strength", ...STRENGTH, text: ({strength}) => strength.toFixed(1)}],
      draw: (shown, width) => {
        const wide = width > 600, side = wide ? 0.4 * width : width, tall = wide ? 335 : 190;
        const [x, y, drawing] = map(shown, side, tall), at = [x(shown.radius), y(shown.strength)];
        return {height: wide ? 335 : tall + 350, drawing: [drawing, wide ? charts(shown, side + 28, width - side - 28, 0) : charts(shown, 0, width, tall + 12)],
          handles: [{key: "network", label: "Spectral radius and input strength", value: [shown.radius, shown.strength],
            min: [RADIUS.min, STRENGTH.min], max: [RADIUS.max, STRENGTH.max], step: [RADIUS.step, STRENGTH.step], free: true,
            text: `radius ${shown.radius}, inputs ${shown.strength}: λ = ${signed(shown.exponent)}`,
            box: [at[0] - 14, at[1] - 14, 28, 28], at: (px, py) => [x.invert(px), y.invert(py)],
            set: ([radius, strength]) => set({radius, strength})}]};
      },
      say: ({radius, strength, exponent: rate, distance, gradient}) =>
        `Radius ${radius.toFixed(1)}, input strength ${strength.toFixed(1)}: λ = ${signed(rate)} a step. In ${STEPS} steps the distance ` +
        `of the copies goes from 10⁻⁶ to ${distance.at(-1) > LEAST ? power(distance.at(-1)) : "less than 10⁻¹⁵"}. A gradient of norm 1 ` +
        `goes back through the same steps and arrives with norm ${power(gradient[0])}.`,
    };
  });
})();
