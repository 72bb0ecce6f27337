// The backward pass over the first steps of the example: what d2lutil.example says, arrow by arrow.
"use strict";
(() => {
  const {svg, text, line} = live;
  const STEPS = 6, W = 1.25, V = 2, H = [0.5, 0.6, 0.6, 0.8, 0.2, -0.6, 0.6], TARGETS = [0.7, 1.7, 0.6, -0.1, -0.7, 0.7];
  const SLOPE = H.slice(1).map(h => 1 - h * h);
  const F = SLOPE.map((slope, t) => slope * H[t]), J = SLOPE.map(slope => slope * W);
  const E = TARGETS.map((target, t) => (V * H[t + 1] - target) * V);
  const LOSS = 46, STATE = 134, WEIGHT = 222, TRACK = 256, BARS = 318, HEIGHT = 388;

  const walked = (steps, i) => Array.from({length: steps - i}, (_, k) => k + 2);  // arrows of the paths from the weight of step i
  // One term of the triangle: the product along one path, from the weight of step i to the loss of step t.
  const term = (t, i) => E[t] * J.slice(i + 1, t + 1).reduce((product, factor) => product * factor, 1) * F[i];
  // What the first `at` arrows of the way back have brought; null is not yet known. Steps count from 0.
  const state = ({steps, at, lit}) => {
    const used = Math.min(at, 3 * steps), delta = Array(steps);
    for (let t = steps - 1; t >= 0; t--) delta[t] = E[t] + (t < steps - 1 ? delta[t + 1] * J[t + 1] : 0);
    const known = (all, k) => all.map((value, t) => used >= 3 * (steps - 1 - t) + k ? value : null);
    const received = known(delta.map((value, t) => value * F[t]), 2), first = lit < steps ? lit : null;
    const paths = received.map((_, i) => walked(steps, i)), done = paths.filter((_, i) => received[i] !== null).flat();
    return {steps, at: used, lit: first, F: F.slice(0, steps), J: J.slice(0, steps), e: E.slice(0, steps), delta: known(delta, 1),
      received, returned: known(delta.map((value, t) => value * J[t]), 3), arrows: 3 * steps, paths: paths.flat().length, done: done.length,
      walk: paths.flat().reduce((all, one) => all + one), terms: first === null ? [] : walked(steps, first).map((_, k) => term(first + k, first))};
  };

  const minus = value => String(value).replace("-", "−");
  const number = value => minus(Number(value.toPrecision(3))), rounded = value => minus(Number(value.toFixed(2)));
  const at = (name, t) => name + String(t + 1).replace(/\d/, digit => "₀₁₂₃₄₅₆"[digit]);
  // What the last arrow has brought.
  const event = ({steps, at: used, e, J, F, delta, returned, received}) => {
    const t = steps - Math.ceil(used / 3), name = at("δ", t), value = number(delta[t] ?? 0);
    if (!used) return "Nothing has gone back yet.";
    if (used % 3 === 2) return `${at("w", t)} receives ${name} ${at("F", t)} = ${value} · ${number(F[t])} = ${number(received[t])}`;
    if (used % 3 === 0) return `${at("h", t - 1)} receives ${name} ${at("J", t)} = ${value} · ${number(J[t])} = ${number(returned[t])}`;
    if (t === steps - 1) return `${name} = ${at("e", t)} = ${value}`;
    const sum = `${number(e[t])} ${returned[t + 1] < 0 ? "−" : "+"} ${number(Math.abs(returned[t + 1]))}`;
    return `${name} = ${at("e", t)} + ${at("δ", t + 1)} ${at("J", t + 1)} = ${sum} = ${value}`;
  };

  const arrow = ([ax, ay], [bx, by], from, to, name) => {
    const length = Math.hypot(bx - ax, by - ay), [x, y] = [(bx - ax) / length, (by - ay) / length];
    const point = (along, side) => [ax + along * x - side * y, ay + along * y + side * x], tip = length - to;
    return [line([point(from, 0), point(tip - 6, 0)], name),
      svg("polygon", {class: name, points: [point(tip, 0), point(tip - 8, 4), point(tip - 8, -4)].map(one => one.join()).join(" ")})];
  };
  // All paths from the weight of a step side by side: each leaves the bundle at the state of its loss.
  const bundle = ({steps, lit}, x) => walked(steps, lit).map((_, k) => {
    const aside = 3 * (k - (steps - lit - 1) / 2), t = lit + k + 1;
    const end = k === 0 ? aside : 0, bend = STATE + aside;
    return line([[x(lit + 1) + aside, WEIGHT - 12], [x(lit + 1) + aside, bend], [x(t) + end, bend], [x(t) + end, LOSS + 6]], "path");
  });
  const bars = (shown, width) => {
    const unit = width / 77, {steps, lit, received} = shown;  // 77 arrows: the paths of six steps
    let start = 0;
    const blocks = received.map((_, i) => steps - 1 - i).flatMap(i => walked(steps, i).map(arrows => {
      const box = {x: start * unit, y: BARS + 46, width: arrows * unit - 1.5, height: 12};
      start += arrows;
      return svg("rect", {class: `block${received[i] === null ? "" : " done"}${lit === i ? " lit" : ""}`, ...box});
    }));
    return [text(`backward: ${shown.at} of ${shown.arrows} arrows, each used once`, 0, BARS), text(
      `path by path: ${shown.done} of ${shown.paths} paths, ${shown.walk} arrows`, 0, BARS + 40), svg("g", {class: "scheme-full"},
      Array.from({length: shown.arrows}, (_, k) => svg("rect", {class: `block${k < shown.at ? " done" : ""}`,
        x: k * unit, y: BARS + 6, width: unit - 1, height: 12})), blocks)];
  };

  live.figure(document.currentScript.dataset.figures.split(" "), (set, animate) => {
    const values = {steps: 3, at: 4, lit: null};
    let run = 0;
    const play = () => {
      const mine = run += 1;
      let frame = 0;
      set({at: 0});
      animate(() => {
        if (mine !== run) return false;
        frame += 1;
        if (frame % 24 === 0) set({at: values.at + 1});
        return values.at < 3 * values.steps;
      });
    };
    return {
      title: "The backward pass, arrow by arrow", values, state,
      hint: "Drag the ring to the left: what arrives at a state is added up before it goes on. Choose a w: how many paths share an arrow?",
      controls: [{name: "steps", label: "Steps", min: 2, max: STEPS}, {label: "Run back", press: play}],
      draw: (shown, width) => {
        const {steps, lit} = shown, pitch = Math.min(104, (width - 20) / (steps + 0.75));
        const x = t => (width - (steps + 0.75) * pitch) / 2 + 10 + t * pitch, r = Math.min(17, 0.35 * pitch), wide = pitch > 78, all = [...Array(steps).keys()];
        const size = {style: `font-size: ${Math.min(12, 0.27 * pitch)}px`}, say = wide ? number : rounded;
        const ring = x(steps) - (shown.at - 1) * pitch / 3;
        const label = (name, t, factor, found) => found === null ? (wide ? `${at(name, t)} = ` : "") + say(factor) : say(found);
        const edge = (tail, head, from, to, found) => found === null ? arrow(tail, head, from, to, "forth") :
          svg("g", {class: "scheme-full"}, arrow(head, tail, to, from, "back"));
        const step = t => {
          const here = x(t + 1), {delta, received, returned, e} = shown, middle = (x(t) + here) / 2;
          return [edge([here, STATE], [here, LOSS], r + 2, 6, delta[t] === null ? null : e[t]),
            edge([x(t), STATE], [here, STATE], r + 2, r + 2, returned[t]),
            edge([here, WEIGHT], [here, STATE], 14, r + 2, received[t]), text(at("l", t), here, LOSS - 4, "small", "middle"),
            text(label("e", t, e[t], delta[t] === null ? null : e[t]), here + 5, (LOSS + STATE) / 2 - 8, "small", "start", size),
            text(label("J", t, J[t], returned[t]), middle, STATE + 18, "small", "middle", size),
            text(label("F", t, F[t], received[t]), here + 5, (STATE + WEIGHT) / 2 + 12, "small", "start", size),
            delta[t] !== null && text(`${wide ? `${at("δ", t)} = ` : ""}${say(delta[t])}`, here + 6, STATE - r - 5, "small delta", "start", size)];
        };
        const node = (t, known) => [svg("circle", {class: "node", cx: x(t + 1), cy: STATE, r}),
          svg("g", {class: "scheme-full"}, svg("circle", {class: `state${known ? " known" : ""}`, cx: x(t + 1), cy: STATE, r})),
          text(at("h", t), x(t + 1), STATE + 4, "small", "middle")];
        const sum = shown.terms.map((value, k) => `${value < 0 ? "− " : k ? "+ " : ""}${number(Math.abs(Number(value.toFixed(2))))}`).join(" ");
        const note = lit === null ? [] : [
          `${shown.terms.length} path${shown.terms.length > 1 ? "s" : ""} from ${at("w", lit)}: ${sum}`,
          `together ${at("δ", lit)} ${at("F", lit)} = ${number(shown.terms.reduce((total, value) => total + value))}`];
        const drawing = [text(event(shown), 0, 14, "small event", "start", {style: `font-size: ${width < 400 ? 11 : 14}px`}),
          svg("line", {class: "rule", x1: ring, x2: ring, y1: LOSS - 16, y2: TRACK}), all.map(step),
          lit !== null && bundle(shown, x), node(-1, false), all.map(t => node(t, shown.delta[t] !== null)),
          line([[x(0) + pitch / 3, TRACK], [x(steps) + pitch / 3, TRACK]], "thin"),
          note.map((part, k) => text(part, 0, TRACK + 26 + 15 * k, "small", "start", {style: `font-size: ${width < 400 ? 10.5 : 12}px`})),
          bars(shown, width)];
        return {height: HEIGHT, drawing, handles: [
          {key: "ring", label: "Way back, from right to left", value: shown.arrows - shown.at, min: 0, max: shown.arrows, text: event(shown),
            box: [ring - 14, TRACK - 14, 28, 28], at: pixel => shown.arrows - 1 - (x(steps) - pixel) / (pitch / 3),
            set: value => { run += 1; set({at: shown.arrows - value}); }},
          ...all.map(t => ({key: `w${t + 1}`, label: `Paths from the use of the weight at step ${t + 1}`, pressed: lit === t,
            box: [x(t + 1) - 12, WEIGHT - 12, 24, 24], press: () => set({lit: lit === t ? null : t}),
            drawing: [svg("rect", {class: "key", x: x(t + 1) - 11, y: WEIGHT - 11, width: 22, height: 22, rx: 5}),
              text("w", x(t + 1), WEIGHT + 4, "small", "middle")]}))]};
      },
      say: shown => `${event(shown).replace(/\.$/, "")}. Backward, ${shown.at} of ${shown.arrows} arrows have been used, each once, ` +
        `and ${shown.done} of ${shown.paths} paths are added up. Walked one by one, the paths would use ${shown.walk} arrows.`,
    };
  });
})();
