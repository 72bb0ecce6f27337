// Which terms each loss keeps if, every k1 steps, a pass goes back over the last k2: what the chapter's reach(num_steps, k1, k2)
// says, d2lutil.reach(d2lutil.regular(…)) for k1 = k2, and a band for k1 = 1.
"use strict";
(() => {
  const {svg, text, line, short} = live;
  const STEPS = 24, MOST = 12, TOP = 26, GAP = 26;

  // The passes: each starts from the losses of its block, [start, stop), and goes back from its last step to step `first`.
  const passes = (k1, k2, phase) => {
    const found = [];
    for (let start = phase && phase - k1; start < STEPS; start += k1) {
      const end = start + k1 - 1;
      found.push({start: Math.max(start, 0), stop: Math.min(end + 1, STEPS), end, first: Math.max(end - k2 + 1, 0)});
    }
    return found;
  };
  const first = all => all.flatMap(pass => Array(pass.stop - pass.start).fill(pass.first));
  // Share of the losses that keep their term of each lag.
  const shares = starts => Array.from({length: MOST + 1}, (_, lag) =>
    starts.filter((start, t) => t - start >= lag).length / (STEPS - lag));

  const grid = ({k1, k2, passes: all, first: starts}, left, side) => {
    const cell = side / STEPS, square = (t, i, name) =>
      svg("rect", {class: name, x: left + i * cell + 0.75, y: TOP + t * cell + 0.75, width: cell - 1.5, height: cell - 1.5, rx: 1.5});
    const ticks = [1, 6, 12, 18, 24];
    return [text(`${k1 === k2 ? "chunks" : k1 === 1 ? "sliding window" : "in between"}, (k₁, k₂) = (${k1}, ${k2})`, left, 15, "name"),
      starts.map((start, t) => Array.from({length: t + 1}, (_, i) => square(t, i, i < start ? "empty" : "kept"))),
      all.map(({start, stop, end, first: from}) => svg("rect", {class: "box", x: left + from * cell, y: TOP + start * cell,
        width: (Math.min(end + 1, STEPS) - from) * cell, height: (stop - start) * cell, rx: 3})),
      ticks.map(tick => [text(tick, left + (tick - 0.5) * cell, TOP + side + 15, "small", "middle"),
        text(tick, left - 5, TOP + (tick - 0.5) * cell + 4, "small", "end")]),
      text("step i of the term", left + side, TOP + side + 31, "small", "end"),
      text("step t of the loss", left + side, TOP + 10, "small", "end")];
  };

  const chart = ({lag, mean}, left, right, top, height) => {
    const x = live.linear([-0.5, MOST + 0.5], [left, right]), y = live.linear([0, 1], [top + height, top + 44]);
    const wide = 0.7 * (x(1) - x(0));
    return [text("Losses that keep a lag", left - 38, top + 10, "name"),
      text("bars: these borders; line: any border", left - 38, top + 27),
      live.yAxis(y, left, right, {ticks: [0, 0.5, 1], format: tick => `${100 * tick} %`}),
      live.xAxis(x, top + height, "lag k = t − i", {ticks: [0, 2, 4, 6, 8, 10, 12]}),
      lag.map((share, k) => svg("rect", {class: "bar", x: x(k) - wide / 2, y: y(share), width: wide, height: y(0) - y(share)})),
      line(mean.map((share, k) => [x(k), y(share)]), "")];
  };

  const price = ({forward, backward}, left, right, top) => {
    const x = live.linear([0, 222], [left, right - 30]);  // steps that a window of 12 goes back
    return [text("Steps computed", left, top + 10, "name"),
      [["forward", forward], ["backward", backward]].map(([name, steps], k) => {
        const y = top + 20 + 36 * k;
        return [text(name, left, y + 10), svg("rect", {class: "kept", x: left, y: y + 14, width: x(steps) - left, height: 10}),
          text(steps, x(steps) + 5, y + 23)];
      })];
  };

  live.figure(["fig-tr-reach"], set => {
    const values = {k1: 4, k2: 4, phase: 0};
    let before = 4;
    // A pass goes back over all its losses at least: the number that a hand has changed takes the other along.
    const settle = () => {
      if (values.k1 > values.k2) Object.assign(values, values.k1 === before ? {k1: values.k2} : {k2: values.k1});
      values.phase = Math.min(values.phase, values.k1 - 1);
      before = values.k1;
    };
    const state = () => {
      settle();
      const {k1, k2, phase} = values;
      const all = passes(k1, k2, phase), starts = first(all);
      const everywhere = Array.from({length: k1}, (_, other) => shares(first(passes(k1, k2, other))));
      return {k1, k2, phase, passes: all, first: starts, terms: starts.map((start, t) => t - start + 1), lag: shares(starts),
        mean: everywhere[0].map((_, lag) => everywhere.reduce((sum, found) => sum + found[lag], 0) / k1),
        forward: STEPS, backward: all.reduce((sum, {end, first: from}) => sum + Math.min(end + 1, STEPS) - from, 0)};
    };
    return {
      title: "Which terms each loss keeps", values, state,
      hint: "Every k₁ steps a pass goes back over the last k₂ (a frame). Take k₁ down to 1: chunks become a window. Drag a border to move them all.",
      controls: [
        {name: "k1", label: "k₁", min: 1, max: MOST, text: ({k1}) => `a pass every ${k1 > 1 ? `${k1} steps` : "step"}`},
        {name: "k2", label: "k₂", min: 1, max: MOST, text: ({k2}) => `${k2} step${k2 > 1 ? "s" : ""} back`},
        {label: "Chunks", press: () => set({k1: values.k2})},
        {label: "Window", press: () => set({k1: 1})}],
      draw: (shown, width) => {
        const {k1, k2, phase, passes: all} = shown, wide = width >= 560;
        const left = 22, side = wide ? Math.min(400, 0.56 * width) : width - left, cell = side / STEPS;
        const [from, top] = wide ? [left + side + GAP, 0] : [0, TOP + side + 48], height = wide ? side - 130 : 170;
        const at = step => left + step * cell, base = k1 * Math.max(1, Math.floor(8 / k1)), border = base + phase;
        const last = all.findLast(({end}) => end < STEPS), row = TOP + (last.start + last.stop) / 2 * cell;
        const name = k1 === k2 ? "scheme-regular" : k1 === 1 ? "scheme-sliding-window" : "between";
        return {height: wide ? TOP + side + 36 : top + height + 136,
          drawing: svg("g", {class: name}, grid(shown, left, side), chart(shown, from + 38, width - 6, top, height),
            price(shown, from, width, top + height + 48)),
          handles: [
            {key: "border", label: "Place of a border", value: phase, min: 0, max: k1 - 1, text: `before step ${border + 1}`,
              box: [at(border) - 12, TOP + border * cell - 12, 24, 24], at: x => (x - left) / cell - base, set: moved => set({phase: moved}),
              drawing: svg("g", {class: name}, svg("circle", {class: "knob", cx: at(border), cy: TOP + border * cell, r: 7}))},
            {key: "back", label: "k₂, how far a pass goes back", value: k2, min: 1, max: MOST, text: `${k2} steps`,
              box: [at(last.first) - 12, row - 12, 24, 24], at: x => last.end + 1 - (x - left) / cell, set: moved => set({k2: moved}),
              drawing: svg("g", {class: name}, svg("circle", {class: "knob", cx: at(last.first), cy: row, r: 7}))}]};
      },
      say: ({k1, k2, forward, backward}) => `${k1 === k2 ? "Chunks" : k1 === 1 ? "A sliding window" : "In between"}: after the beginning a loss keeps ` +
        `${k1 > 1 ? `${k2 - k1 + 1} to ${k2} terms, ${short(k2 - (k1 - 1) / 2)} in the mean over all places of the border` : `${k2} term${k2 > 1 ? "s" : ""}`}. ` +
        `The price: ${backward} steps backward for ${forward} forward.`,
    };
  });
})();
