// The full gradient with checkpoints: what the chapter's recompute(net, X, Y, h) holds and runs, counted step by step.
"use strict";
(() => {
  const {svg, text, line, short, clamp} = live;
  const LONGEST = 256, CHART = 200;

  // A run over `steps` in segments of s: forward with a checkpoint before each segment; then, from the last segment to the
  // first, forward again with all its states, and backward. Time counts 1 for a step forward and 2 for one backward.
  const run = (steps, s) => {
    const starts = Array.from({length: Math.ceil(steps / s)}, (_, k) => k * s), last = starts.at(-1), found = [];
    let kept = 1, time = 0;
    const note = (what, step, start) => {
      time += what === "backward" ? 2 : 1;
      found.push({what, time, kept, start, step, held: kept + step - start});
    };
    for (let step = 1; step <= last; step++) {
      if (step % s === 0) kept += 1;
      note("forward", step, step);
    }
    for (const start of starts.reverse()) {
      const stop = Math.min(start + s, steps);
      for (let step = start + 1; step <= stop; step++) note(start === last ? "forward, all kept" : "forward again", step, start);
      for (let step = stop - 1; step >= start; step--) note("backward", step, start);
      kept -= 1;
    }
    return found;
  };
  const peak = moments => Math.max(...moments.map(({held}) => held));
  const powers = steps => [1, 2, 4, 8, 16, 32, 64, 128, 256].filter(power => power <= steps);

  // The sequence at one moment: checkpoints, the states of the open segment, and the rest, which is not in memory.
  const strip = ({steps, s, moment: {what, kept, start, step, held}}, width) => {
    const cell = width / steps, inset = Math.min(0.75, cell / 6);
    const square = (from, to, name, top, height) => to > from && svg("rect", {class: name, x: from * cell + inset, y: top,
      width: (to - from) * cell - 2 * inset, height});
    return [text(what, 0, 14, "name"), text(`${held} arrays in memory`, width, 14, "small", "end"),
      square(0, steps, "empty", 24, 22), square(start, step, "bar", 24, 22),
      Array.from({length: kept}, (_, k) => svg("rect", {class: "kept", x: Math.min(k * s * cell, width - 3), y: 20, width: Math.max(2.5, Math.min(5, cell)), height: 30})),
      text("bars: checkpoints; grey: the open segment", 0, 74),
      svg("polygon", {points: `${step * cell - 6},60 ${step * cell + 6},60 ${step * cell},51`})];
  };

  const overTime = ({steps, held, times, work}, x, y, right) => {
    const sawtooth = [[x(0), y(1)], ...held.map((arrays, k) => [x(times[k]), y(arrays)])];
    return [live.yAxis(y, x.range[0], right, {ticks: [0, Math.round(steps / 2), steps]}),
      live.xAxis(x, y.range[0], "work: forward 1, backward 2", {ticks: [0, steps, 2 * steps, 3 * steps, work].filter((tick, k, all) =>
        k === 4 || work - tick > 0.35 * steps || tick === 0).filter((tick, k, all) => all.indexOf(tick) === k)}),
      svg("polygon", {class: "fill", points: [...sawtooth, [x(work), y(0)], [x(0), y(0)]].map(point => point.join()).join(" ")}),
      svg("g", {class: "scheme-full"}, line([[x(0), y(1)], [x(steps), y(steps + 1)], [x(3 * steps), y(1)]], ""),
        text("all kept", x(steps) + 8, y(steps) + 4, "name"))];
  };

  const byLength = ({steps, s, curve, peak: most}, x, y, right) => {
    const formula = Array.from({length: 61}, (_, k) => steps ** (k / 60)), root = Math.sqrt(steps);
    const count = Math.ceil(steps / s);
    return [live.yAxis(y, x.range[0], right, {ticks: [0, Math.round(steps / 2), steps]}),
      live.xAxis(x, y.range[0], "length s of a segment", {ticks: powers(steps)}),
      line([[x(root), y(0)], [x(root), y(2 * root)]], "faint"), text("√T", x(root) + 4, y(0) - 5),
      line(formula.map(length => [x(length), y(steps / length + length)]), "faint"),
      curve.map((arrays, k) => svg("circle", {cx: x(k + 1), cy: y(arrays), r: 1.6})),
      svg("rect", {class: "kept", x: x(s) - 5, y: y(Math.min(count, most)), width: 10, height: y(0) - y(Math.min(count, most))}),
      svg("rect", {class: "bar", x: x(s) - 5, y: y(most), width: 10, height: Math.max(0, y(count) - y(most))})];
  };

  live.figure(["fig-full-recompute"], (set, animate) => {
    const values = {s: 20, steps: 64, now: 0};
    let known = {}, curve = [], moments = [];
    const state = () => {
      const {steps} = values, s = values.s = Math.min(values.s, steps);
      if (known.steps !== steps) curve = Array.from({length: steps}, (_, k) => peak(run(steps, k + 1)));
      if (known.steps !== steps || known.s !== s) {
        moments = run(steps, s);
        values.now = moments.findIndex(({held}) => held === peak(moments));  // the fullest moment
      }
      known = {steps, s};
      const forward = moments.filter(({what}) => what !== "backward").length, least = Math.min(...curve);
      return {steps, s, now: values.now, moment: moments[values.now], held: moments.map(({held}) => held), times: moments.map(({time}) => time),
        forward, again: forward - steps, work: moments.at(-1).time, peak: peak(moments), curve, least, best: curve.indexOf(least) + 1};
    };
    const play = () => {
      const mine = moments, pace = Math.max(1, Math.round(mine.length / 240));
      set({now: 0});
      let at = 0;
      animate(() => {
        if (moments !== mine || values.now !== at) return false;  // a hand has taken over
        set({now: at = Math.min(at + pace, mine.length - 1)});
        return at < mine.length - 1;
      });
    };
    return {
      title: "Memory of the full gradient with checkpoints", values, state,
      hint: "Which s needs the least memory? Drag the bar to the bottom of the curve. Then make the text four times as long.",
      controls: [
        {name: "s", label: "s", min: 1, max: LONGEST, text: ({s}) => `segments of ${s} step${s > 1 ? "s" : ""}`},
        {name: "steps", label: "T", min: 16, max: LONGEST, text: ({steps}) => `${steps} steps`},
        {label: "Run", press: play}],
      draw: (shown, width) => {
        const {steps, s, work, peak: most, moment} = shown, wide = width >= 560, half = wide ? (width - 30) / 2 : width;
        const tops = wide ? [100, 100] : [100, 100 + CHART + 20], lefts = wide ? [0, half + 30] : [0, 0];
        const y = top => live.linear([0, steps + 1], [top + CHART - 40, top + 26]);
        const time = live.linear([0, Math.max(work, 3 * steps)], [lefts[0] + 30, lefts[0] + half - 10]);
        const length = live.log([1, steps], [lefts[1] + 40, lefts[1] + half - 12]), [over, by] = tops.map(y);
        return {height: tops[1] + CHART,
          drawing: [strip(shown, width), text("Arrays in memory while it runs", lefts[0], tops[0] + 10, "name"),
            text("Most arrays, by s", lefts[1], tops[1] + 10, "name"),
            overTime(shown, time, over, lefts[0] + half), byLength(shown, length, by, lefts[1] + half)],
          handles: [
            {key: "now", label: "Moment of the run", value: shown.now, min: 0, max: shown.held.length - 1, text: `${moment.what}, ${moment.held} arrays`,
              box: [time(moment.time) - 12, over(moment.held) - 12, 24, 24], set: now => set({now}),
              at: x => { const at = shown.times.findIndex(found => found >= time.invert(x)); return at < 0 ? shown.held.length - 1 : at; }},
            {key: "s", label: "s, length of a segment", value: s, min: 1, max: steps, text: `${s} steps, ${most} arrays`,
              box: [length(s) - 12, by(most) - 12, 24, 24], at: x => clamp(length.invert(x), 1, steps), set: moved => set({s: moved})}]};
      },
      say: ({steps, s, again, work, peak: most, curve, least}) => `At most ${most} arrays are in memory, instead of ${steps + 1} if all states are kept; ` +
        `T/s + s is ${short(steps / s + s)}. At s = ${Math.round(Math.sqrt(steps))}, next to √T, it is ${curve[Math.round(Math.sqrt(steps)) - 1]}; no s needs less than ${least}. ` +
        `${again} of ${steps} steps run forward twice: ×${short(work / (3 * steps))} the work.`,
    };
  });
})();
