// Three schemes over one line: what d2lutil.regular, d2lutil.randomized, d2lutil.segments and d2lutil.reach say.
"use strict";
(() => {
  const {svg, text, line, short, clamp} = live;
  const TEXT = "The Time Machine, by H. G. Wells", STEPS = TEXT.length, DRAWS = 1000;
  // numpy.random.default_rng(11).random(32): the draw of the static figure, at every π.
  const FIRST = [
    0.1286, 0.4993, 0.6015, 0.0287, 0.1479, 0.9282, 0.0704, 0.1298, 0.9483, 0.6219, 0.3690, 0.5114,
    0.6628, 0.2753, 0.1380, 0.7880, 0.6704, 0.5124, 0.8167, 0.5491, 0.9809, 0.2045, 0.5537, 0.4836,
    0.3533, 0.5916, 0.2353, 0.8022, 0.8673, 0.1288, 0.4671, 0.2771,
  ];
  const NAMES = ["randomized", "regular", "full"], BOX = 28, TOP = 24, ROW = 94, CHART = 142;

  const regular = tau => Array.from({length: STEPS}, (_, t) => t % tau ? 1 : 0);
  const randomized = (uniform, pi) => uniform.map(drawn => drawn < pi ? 1 / pi : 0);
  const draw = random => Array.from({length: STEPS}, random);

  const segments = xi => {
    const starts = xi.map((_, t) => t).filter(t => t === 0 || xi[t] === 0);
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

  // The mean of so many draws by lag, and its standard error.
  const averaged = ({draws, sums, squares}) => ({mean: sums.map(sum => sum / draws),
    error: sums.map((sum, lag) => draws < 2 ? 0 : Math.sqrt(Math.max(0, squares[lag] - sum * sum / draws) / (draws - 1) / draws))});

  const segment = (weight, start, cell, top, unit) => {
    const x = k => (start + k + 0.5) * cell, right = (start + weight.length) * cell;
    const box = [svg("rect", {class: "box", x: start * cell + 1.5, y: top, width: right - start * cell - 3, height: BOX, rx: 5})];
    if (weight.length === 1) return box;
    const middle = top + BOX + 14, half = weight.map(value => Math.max(1, unit * value / 2));
    const head = Math.max(6, half[0] + 3), neck = x(0) + 5;
    const side = sign => [[neck, middle + sign * head], [neck, middle + sign * half[0]],
      ...half.slice(1).map((value, k) => [x(k + 1), middle + sign * value])];
    const label = `×${short(weight[0])}`;
    return [box, svg("polygon", {points: [[x(0) - 5, middle], ...side(-1), ...side(1).reverse()].map(point => point.join()).join(" ")}),
      weight.length * cell > label.length * 7.5 && text(label, start * cell + 2, middle + 22)];
  };

  const chart = (state, width, top) => {
    const {draws, mean, error} = state.average;
    const curves = NAMES.map(name => state[name].lag), limit = draws ? mean.map((value, lag) => value + error[lag]) : [];
    const highest = clamp(Math.max(...curves.flat(), ...limit), 1.25, 4);
    const x = live.linear([0, STEPS - 1], [34, width - 8]), y = live.linear([0, highest], [top + CHART - 40, top + 24]);
    const points = curve => curve.map((value, lag) => [x(lag), y(value)]);
    const band = draws && [...points(limit), ...points(mean.map((value, lag) => value - error[lag])).reverse()];
    const title = draws ? `What arrives: mean of ${draws.toLocaleString("en")} draws` : "What arrives of the gradient";
    return [text(title, 0, top + 10, "name"),
      live.yAxis(y, 32, width - 8, {ticks: [0, 1, 2, 3, 4].filter(tick => tick <= highest), format: tick => `×${tick}`}),
      live.xAxis(x, top + CHART - 40, "steps back", {ticks: [0, 5, 10, 15, 20, 25, 30]}),
      live.clip([32, top + 20, width - 32, CHART - 58],
        draws && svg("polygon", {class: "band scheme-randomized", points: band.map(point => point.join()).join(" ")}),
        NAMES.map((name, k) => line(points(curves[k]), `scheme-${name}${draws && k === 0 ? " faint" : ""}`)).reverse(),
        draws && line(points(mean), "scheme-randomized mean"))];
  };

  live.figure(["fig-partition", "fig-cover"], (set, animate) => {
    let grabbed = null, drawn = 0, seed = 0;
    const nothing = () => ({seed, draws: 0, sums: Array(STEPS).fill(0), squares: Array(STEPS).fill(0)});
    const values = {tau: 6, length: 6, uniform: FIRST, cursor: 5, average: nothing()};
    const pi = () => 1 - 1 / values.length, cut = t => values.uniform[t] >= pi();
    // Kept is what lies below every π, cut what lies above.
    const toggle = t => set({cursor: t, uniform: values.uniform.with(t, cut(t) ? 0 : 1)});
    const move = (from, to, {uniform} = values) =>
      set({cursor: to, uniform: uniform.with(from, uniform[to]).with(to, uniform[from])});
    const average = () => {
      seed += 1;
      const random = live.random(seed), sum = values.average = {...nothing(), length: values.length};
      animate(() => {
        if (values.average !== sum) return false;
        for (const stop = sum.draws + 10; sum.draws < stop; sum.draws++) {
          byLag(randomized(draw(random), pi())).forEach((value, lag) => { sum.sums[lag] += value; sum.squares[lag] += value * value; });
        }
        set({});
        return sum.draws < DRAWS;
      });
    };
    const state = ({tau, cursor, uniform}) => {
      if (values.average.length !== values.length) values.average = nothing();  // of another π
      const all = {randomized: randomized(uniform, pi()), regular: regular(tau), full: Array(STEPS).fill(1)};
      const parts = Object.entries(all).map(([name, xi]) => [name, {xi, segments: segments(xi), lag: byLag(xi),
        weights: segments(xi).map(([start, stop]) => weights(xi, start, stop))}]);
      const {draws} = values.average;
      return {tau, pi: pi(), uniform, drawn, cursor, average: {seed, draws, ...draws && averaged(values.average)}, ...Object.fromEntries(parts)};
    };
    return {
      title: "Three schemes over one line of text", values, state,
      hint: "Drag a cut. In the first row, a tap between two letters makes a cut or removes it.",
      controls: [
        {name: "tau", label: "τ", min: 1, max: STEPS, text: ({tau}) => `${tau} steps`},
        {name: "length", label: "π", min: 2, max: STEPS, text: ({length}) => `${short(pi())} (mean ${length} steps)`},
        {label: "Draw again", press: () => { drawn += 1; set({uniform: draw(live.random(-drawn))}); }},
        {label: "Average 1,000 draws", press: average}],
      draw: (shown, width) => {
        const cell = width / STEPS, at = x => x / cell, size = {style: `font-size: ${Math.min(17, 1.55 * cell)}px`};
        const notes = [`cut by chance, π = ${short(shown.pi)}`, `cut every ${shown.tau} steps`, "never cut"];
        const unit = Math.min(4, 24 / Math.max(...NAMES.flatMap(name => shown[name].weights.map(weight => weight[0]))));
        const rows = NAMES.map((name, k) => svg("g", {class: `scheme-${name}`},
          text(name, 0, k * ROW + 16, "name"), text(notes[k], width, k * ROW + 16, "small", "end"),
          shown[name].segments.map(([start], n) => segment(shown[name].weights[n], start, cell, k * ROW + TOP, unit)),
          [...TEXT].map((letter, t) => text(letter, (t + 0.5) * cell, k * ROW + TOP + 20, "letter", "middle", size))));
        const knob = (t, row, name) => svg("circle", {class: `knob ${name}`, cx: t * cell, cy: row * ROW + TOP + BOX, r: 6});
        return {height: 3 * ROW + 8 + CHART, drawing: [rows, chart(shown, width, 3 * ROW + 8)], handles: [
          {key: "cuts", label: "Cuts of the randomized scheme", value: shown.cursor, min: 1, max: STEPS - 1, at,
            text: `before step ${shown.cursor}: ${cut(shown.cursor) ? "a cut" : "no cut"}`, box: [0, TOP - 4, width, BOX + 16],
            drawing: svg("g", {class: "scheme-randomized"}, shown.randomized.segments.slice(1).map(([t]) => knob(t, 0, "")),
              svg("line", {class: "cursor", x1: shown.cursor * cell, x2: shown.cursor * cell, y1: TOP - 4, y2: TOP + BOX + 4})),
            start: t => {
              const near = shown.randomized.segments.slice(1).map(([start]) => start).filter(start => Math.abs(start - t) * cell <= 12);
              grabbed = near.sort((a, b) => Math.abs(a - t) - Math.abs(b - t))[0] ?? null;
            },
            set: (t, how) => {
              const from = {drag: grabbed, carry: cut(shown.cursor) ? shown.cursor : null}[how] ?? null;
              if (from === null) set({cursor: t});
              else if (!cut(t)) { move(from, t); grabbed = t; }
            },
            press: (t, how) => toggle(how === "tap" ? grabbed ?? t : t)},
          {key: "tau", label: "τ, the first cut of the regular scheme", value: shown.tau, min: 1, max: STEPS, at,
            text: `${shown.tau} steps`, box: [shown.tau * cell - 12, ROW + TOP, 24, BOX + 12],
            drawing: svg("g", {class: "scheme-regular"}, knob(shown.tau, 1, "")), set: tau => set({tau})}]};
      },
      say: shown => {
        const {average: {draws, mean, error}, randomized: {segments: parts, weights: weight}} = shown;
        const heaviest = Math.max(...weight.map(([first]) => first));
        const far = draws && mean.findLastIndex(value => value > 0);
        const found = [5, 10, 20].filter(lag => lag <= far).map(lag => `×${short(mean[lag])} ± ${Number(error[lag].toPrecision(2))} from ${lag} steps back`);
        return `Regular: nothing from more than ${shown.tau - 1} steps back. Randomized: ${parts.length} ` +
          `${parts.length === 1 ? "segment" : "segments"}, largest weight ×${short(heaviest)}.` +
          (draws ? ` Mean of ${draws.toLocaleString("en")} draws ± its standard error: ${found.join(", ")}; without bias it is ×1.` +
            (far < STEPS - 1 ? ` No draw reached more than ${far} steps back.` : "") : "");
      },
    };
  });
})();
