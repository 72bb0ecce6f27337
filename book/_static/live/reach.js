// How strongly the state at one letter depends on that at each earlier one: d2lutil.influence, computed before by tools/reach.py.
"use strict";
(() => {
  const {svg, text, line, clamp, reach} = live;
  const STAGES = ["untrained", "trained"], NETS = ["tanh", "LSTM"], STEPS = reach.text.length, FAINTEST = -6, CHART = 190;
  const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

  // Row t of a triangle: powers of ten from -9 to 1 in 4095 steps, two digits each.
  const row = (digits, t) => Array.from({length: t + 1}, (_, i) => {
    const at = t * (t + 1) + 2 * i;
    return 10 ** ((64 * DIGITS.indexOf(digits[at]) + DIGITS.indexOf(digits[at + 1])) / 4095 * 10 - 9);
  });
  const raised = power => `10${[...String(power)].map(digit => digit === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("")}`;
  const times = value => {
    if (value >= 0.001) return `${Number(value.toPrecision(2))}`;
    const power = Math.floor(Math.log10(value * 1.05));
    return value < 2e-9 ? "less than 10⁻⁸" : `${Math.round(value / 10 ** power)}·${raised(power)}`;
  };
  const spoken = t => reach.text[t] === " " ? "the space" : `“${reach.text[t]}”`;
  const name = net => `net-${net.toLowerCase()}`;

  // The line of text is broken into equal lines, once for each network.
  const lay = width => {
    const lines = Math.ceil(STEPS / Math.floor(width / 10)), columns = Math.ceil(STEPS / lines);
    const cell = Math.min(14, width / columns), deep = 32, block = 22 + lines * deep;
    const top = (k, t) => k * block + (k > 1 ? 14 : 0) + 20 + Math.floor(t / columns) * deep;
    const at = (x, y) => {
      const inside = (y < 2 * block ? y : y - 14) % block - 20;
      const found = clamp(Math.floor(inside / deep), 0, lines - 1) * columns + clamp(Math.floor(x / cell), 0, columns - 1);
      return Math.min(found, STEPS - 1);
    };
    return {cell, deep, block, top, at, left: t => t % columns * cell, height: 4 * block + 14};
  };

  const chart = (shown, stage, left, right, top) => {
    const x = live.linear([0, STEPS - 1], [left + 36, right - 8]), y = live.log([1e-8, 10], [top + CHART - 40, top + 24]);
    const [end, height] = [y.range[1], y.range[0] - y.range[1]];
    return [text(stage, left + 36, top + 12, "name"),
      live.yAxis(y, left + 36, right - 8, {ticks: [1, 1e-2, 1e-4, 1e-6, 1e-8], format: tick => tick === 1 ? "×1" : raised(Math.round(Math.log10(tick)))}),
      live.xAxis(x, y.range[0], "steps back", {ticks: [0, 20, 40, 60]}),
      live.clip([left + 36, end, right - left - 36, height], NETS.map(net => svg("g", {class: name(net)},
        line([...shown[net][stage]].reverse().map((value, lag) => [x(lag), y(Math.max(value, 1e-12))]), ""))))];
  };

  live.figure(["fig-ga-influence"], set => {
    const values = {t: STEPS - 1};
    const state = ({t}) => ({t, text: reach.text, ...Object.fromEntries(NETS.map(net =>
      [net, Object.fromEntries(STAGES.map(stage => [stage, row(reach[net][stage], t)]))]))});
    return {
      title: "How far back a state reaches over a line of text", values, state,
      hint: "Tap a letter. The stronger the shade under an earlier one, the more a change of the state there still changes the state here. " +
        "One network of a kind (seed 0, 32 units), trained on 60,000 characters of the story that the package embeds; this line was held out.",
      controls: [{name: "t", label: "letter", min: 0, max: STEPS - 1, text: ({t}) => `${t + 1}, ${spoken(t)}`}],
      draw: (shown, width) => {
        const {cell, deep, block, top, at, left, height} = lay(width), {t} = shown;
        const size = {style: `font-size: ${Math.min(17, 1.6 * cell)}px`};
        const rows = STAGES.flatMap(stage => NETS.map(net => [stage, net]));
        const shade = value => Math.max(0, Math.min(1, 1 - Math.log10(value) / FAINTEST)).toFixed(3);
        const over = rows.map(([stage, net], k) => svg("g", {class: name(net)},
          text(`${net}, ${stage}`, 0, top(k, 0) - 7, "name"),
          [...reach.text].map((letter, i) => [text(letter, left(i) + cell / 2, top(k, i) + 13, "letter", "middle", size),
            i <= t && svg("rect", {class: "kept", x: left(i) + 0.5, y: top(k, i) + 18, width: cell - 1, height: 9, "fill-opacity": shade(shown[net][stage][i])})])));
        const half = (width - 12) / 2, below = height + 26;
        return {height: below + CHART,
          drawing: [over, text("Factor by which a change arrives", 0, height + 14, "name"),
            STAGES.map((stage, k) => chart(shown, stage, k * (half + 12), k * (half + 12) + half, below))],
          handles: [{key: "letter", label: "Letter whose state is looked at", value: t, min: 0, max: STEPS - 1, text: `${t + 1}, ${spoken(t)}`,
            box: [0, 0, width, height], at, set: moved => set({t: moved}), press: moved => set({t: moved}),
            drawing: svg("g", {}, rows.map(([, net], k) => svg("g", {class: name(net)},
              svg("rect", {class: "box", x: left(t) - 1, y: top(k, t) - 2, width: cell + 2, height: deep - 2, rx: 4}))))}]};
      },
      say: shown => {
        const {t} = shown, lag = Math.min(20, t), from = t - lag;
        const found = STAGES.map(stage => `${stage}: ${NETS.map(net => `${net} ${times(shown[net][stage][from])}`).join(", ")}`);
        return t === 0 ? "Nothing is earlier than the first letter." :
          `A change of the state ${lag} step${lag > 1 ? "s" : ""} earlier, at ${spoken(from)}, arrives at ${spoken(t)} multiplied by at most, ${found.join("; ")}.`;
      },
    };
  });
})();
