// What all figures that answer share: how they stand on the page, are drawn, and are moved. CONTRIBUTING.md, "A figure
// that answers", says how to add one.
"use strict";
const live = (() => {
  const SVG = "http://www.w3.org/2000/svg", NEAREST = 24, STILL = 4;  // pixels: a target's side, a hand that rests
  const calm = matchMedia("(prefers-reduced-motion: reduce)");

  // A part of a drawing, as data: svg("rect", {x: 1}, children…). Numbers and strings are text.
  const svg = (name, attributes = {}, ...children) =>
    ({name, attributes, children: children.flat(Infinity).filter(child => child ?? false)});

  // Make the children of an element what is wanted. Elements stay, and with them focus and a pressed pointer.
  const patch = (parent, wanted) => {
    wanted.forEach((part, k) => {
      let found = parent.childNodes[k];
      const text = typeof part !== "object";
      if (text ? found?.nodeType !== Node.TEXT_NODE : found?.localName !== part.name) {
        const made = text ? document.createTextNode("") : document.createElementNS(SVG, part.name);
        if (found) found.replaceWith(made);
        else parent.append(made);
        found = made;
      }
      if (text) return void (found.data = part);
      [...found.attributes].filter(({name}) => !(name in part.attributes)).forEach(({name}) => found.removeAttribute(name));
      Object.entries(part.attributes).forEach(([name, value]) => {
        if (found.getAttribute(name) !== String(value)) found.setAttribute(name, value);
      });
      patch(found, part.children);
    });
    while (parent.childNodes.length > wanted.length) parent.lastChild.remove();
  };

  const short = value => Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
  const superscript = exponent => [...String(exponent)].map(sign => "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign] ?? "⁻").join("");
  // As 0.12, 350 or 3 · 10⁸.
  const power = value => {
    const [digits, exponent] = value.toExponential(0).split("e").map(Number);
    return value === 0 || Math.abs(exponent) < 4 ? String(Number(value.toPrecision(2))) : `${digits}\u00a0·\u00a010${superscript(exponent)}`;
  };
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

  // Scales: from quantities to pixels, and back by `invert`.
  const scale = (to, from, ticks) => ([low, high], [start, stop]) => {
    const [a, b] = [to(low), to(high)];
    const at = value => start + (to(value) - a) / (b - a) * (stop - start);
    return Object.assign(at, {range: [start, stop], ticks: count => ticks(low, high, count),
      invert: pixel => from(a + (pixel - start) / (stop - start) * (b - a))});
  };
  const linear = scale(value => value, value => value, (low, high, count = 5) => {
    const rough = (high - low) / count, ten = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].find(times => times * ten >= rough * 0.999) * ten;
    const first = Math.ceil(low / step - 1e-9);
    return Array.from({length: Math.floor(high / step + 1e-9) - first + 1}, (_, k) => Number(((first + k) * step).toPrecision(12)));
  });
  const log = scale(Math.log10, value => 10 ** value, (low, high, count = 5) => {
    const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
    const every = Math.max(1, Math.ceil((last - first + 1) / count));
    return Array.from({length: last - first + 1}, (_, k) => first + k).filter(k => k % every === 0).map(k => 10 ** k);
  });

  const text = (content, x, y, name = "small", anchor = "start", more = {}) =>
    svg("text", {x, y, class: name, "text-anchor": anchor, ...more}, content);
  const line = (points, name) => svg("polyline", {class: `line ${name}`, points: points.map(point => point.join()).join(" ")});
  // A line of a class and what it stands for.
  const legend = (x, y, name, content) => [line([[x, y - 4], [x + 28, y - 4]], name), text(content, x + 34, y)];
  // Axes: the marks of a scale along the bottom, or as rules across from the left.
  const xAxis = (x, y, label, {ticks = x.ticks(), format = short} = {}) => [
    ...ticks.map(tick => text(format(tick), x(tick), y + 15, "small", "middle")),
    text(label, x.range[1], y + 31, "small", "end")];
  const yAxis = (y, left, right, {ticks = y.ticks(), format = short} = {}) => ticks.flatMap(tick => [
    svg("line", {class: "rule", x1: left, x2: right, y1: y(tick), y2: y(tick)}), text(format(tick), left - 5, y(tick) + 4, "small", "end")]);

  // Children of which only what lies inside a box is seen.
  const clip = ([x, y, width, height], ...children) =>
    svg("svg", {x, y, width, height, viewBox: `${x} ${y} ${width} ${height}`, overflow: "hidden"}, children);

  // Uniform numbers in [0, 1), the same for the same seed: mulberry32.
  const random = seed => () => {
    seed = seed + 0x6D2B79F5 | 0;
    let mixed = Math.imul(seed ^ seed >>> 15, 1 | seed);
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed;
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };

  const html = (name, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };

  // A control: a slider {name, label, min, max, step, text}, a choice {name, label, choices}, or a button {label, press}, there
  // always or only `when` the values want it. Returns its element and what shows it anew.
  const control = (id, given, values, set) => {
    if (given.press) {
      const button = html("button", {type: "button", onclick: () => given.press()});
      return [button, () => { button.textContent = typeof given.label === "string" ? given.label : given.label(values); }];
    }
    const at = {id: `${id}-${given.name}`, name: given.name}, label = html("label", {htmlFor: at.id}, given.label);
    if (given.choices) {
      const choice = html("select", at, ...given.choices.map(name => html("option", {value: name}, name)));
      choice.addEventListener("change", () => set({[given.name]: choice.value}));
      return [html("div", {className: "control"}, label, choice), () => { choice.value = values[given.name]; }];
    }
    const {min, max, step = 1} = given, shown = html("output", {htmlFor: at.id});
    shown.setAttribute("aria-live", "off");
    const slider = html("input", {...at, type: "range", min, max, step});
    slider.addEventListener("input", () => set({[given.name]: slider.valueAsNumber}));
    return [html("div", {className: "control"}, label, slider, shown), () => {
      slider.value = values[given.name];
      shown.textContent = given.text?.(values) ?? short(values[given.name]);
      slider.setAttribute("aria-valuetext", shown.textContent);
    }];
  };

  // A handle: {key, label, value, min, max, step, text, box: [x, y, width, height], at: (x, y) => value,
  // set: (value, how) => …, press: (value, how) => …, start: value => …, free, drawing}. Without a value it is a button. It is
  // set by "drag", "key" or "carry", an arrow key with shift, and pressed by "tap" or "key". In a plane value, min, max
  // and step are pairs, across and up.
  const along = (moved, axis) => Array.isArray(moved.value) ?
    Object.fromEntries(["value", "min", "max", "step"].map(name => [name, moved[name][axis]])) : moved;
  const handle = moved => {
    const {key, label, text: said, pressed, box: [x, y, width, height], drawing} = moved, {value, min, max} = along(moved, 0);
    const [w, h] = [Math.max(width, NEAREST), Math.max(height, NEAREST)];
    const role = value === undefined ? {role: "button", ...pressed !== undefined && {"aria-pressed": pressed}} :
      {role: "slider", "aria-valuenow": value, "aria-valuemin": min, "aria-valuemax": max, "aria-valuetext": said ?? short(value)};
    return svg("g", {class: "handle", "data-handle": key, tabindex: 0, "aria-label": label, ...role},
      svg("rect", {class: "target", x: x - (w - width) / 2, y: y - (h - height) / 2, width: w, height: h, rx: 5}),
      drawing ?? svg("circle", {class: "knob", cx: x + width / 2, cy: y + height / 2, r: 7}));
  };
  const snap = ({min, max, step = 1}, value) => Number(clamp(min + Math.round((value - min) / step) * step, min, max).toPrecision(12));
  const nearest = (moved, value) => Array.isArray(value) ? value.map((one, axis) => snap(along(moved, axis), one)) : snap(moved, value);
  const UP = ["ArrowDown", "ArrowUp", "PageDown", "PageUp"];
  const KEYS = {ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity};

  // Let pointer and keys move the handles that the drawing has at the moment.
  const listen = (picture, handles) => {
    const of = event => handles().find(({key}) => key === event.target.closest("[data-handle]")?.dataset.handle);
    let held;
    const value = (moved, event) => {
      const corner = picture.getBoundingClientRect(), scale = picture.getAttribute("width") / corner.width;  // not 1 on a slide
      return moved.at && nearest(moved, moved.at(scale * (event.clientX - corner.left), scale * (event.clientY - corner.top)));
    };
    picture.addEventListener("pointerdown", event => {
      const taken = of(event);
      if (!taken || event.button !== 0 || !event.isPrimary) return;
      held = {key: taken.key, x: event.clientX, y: event.clientY, moved: false};
      picture.setPointerCapture(event.pointerId);
      event.target.closest("[data-handle]").focus({preventScroll: true});
      taken.start?.(value(taken, event));
    });
    picture.addEventListener("pointermove", event => {
      if (!held) return;
      held.moved ||= Math.hypot(event.clientX - held.x, event.clientY - held.y) >= STILL;
      const moved = handles().find(({key}) => key === held.key);
      if (held.moved && moved?.at) moved.set(value(moved, event), "drag");
    });
    picture.addEventListener("pointerup", event => {
      const left = held && !held.moved && handles().find(({key}) => key === held.key);
      held = undefined;
      if (left) left.press?.(value(left, event), "tap");
    });
    // A finger on a free handle, which moves in both directions, does not scroll the page.
    picture.addEventListener("touchstart", event => { if (of(event)?.free) event.preventDefault(); }, {passive: false});
    picture.addEventListener("pointercancel", () => { held = undefined; });
    picture.addEventListener("keydown", event => {
      const moved = of(event), steps = KEYS[event.key];
      if (!moved || event.ctrlKey || event.metaKey || event.altKey) return;
      if (moved.press && [" ", "Enter"].includes(event.key)) moved.press(moved.value, "key");
      else if (moved.set && steps) {
        const axis = Number(UP.includes(event.key)), {value, min, max, step = 1} = along(moved, axis);
        const far = clamp(value + steps * step, min, max);
        moved.set(nearest(moved, moved.value.with?.(axis, far) ?? far), event.shiftKey ? "carry" : "key");
      } else return;
      event.preventDefault();
    });
  };

  // Put a figure into the place of each static one of these ids. `make` gets set(changes) and animate(step), and returns
  // {title, hint, values, controls, state(values), draw(state, width) => {height, drawing, handles}, say(state)}.
  const figure = (ids, make) => ids.map(id => document.getElementById(id)).filter(place => place).forEach(place => {
    let state, handles = [], timer, frame;
    const animate = step => {
      cancelAnimationFrame(frame);
      const next = () => { if (step()) frame = requestAnimationFrame(next); };
      if (calm.matches) while (step());
      else next();
    };
    const set = changes => {
      Object.assign(spec.values, changes);
      state = spec.state(spec.values);
      root.dataset.state = JSON.stringify(state);
      shown.forEach(show => show());
      draw();
      clearTimeout(timer);
      timer = setTimeout(() => { said.textContent = spec.say(state); }, 150);
    };
    const spec = make(set, animate), picture = document.createElementNS(SVG, "svg");
    picture.setAttribute("role", "group");
    picture.setAttribute("aria-label", spec.title);
    const parts = spec.controls.map(given => control(place.id, given, spec.values, set));
    const shown = parts.map(([element, show], k) => () => {
      element.hidden = !(spec.controls[k].when?.(spec.values) ?? true);
      show();
    });
    const said = html("output", {className: "says"}), stage = html("div", {className: "stage"}, picture);
    const root = html("div", {className: "live"}, html("p", {className: "hint"}, spec.hint), stage,
      html("form", {onsubmit: event => event.preventDefault()}, ...parts.map(part => part[0])), said);
    const draw = () => {
      const width = stage.clientWidth;
      if (!width) return;
      const drawn = spec.draw(state, width);
      handles = drawn.handles ?? [];
      picture.setAttribute("width", width);
      picture.setAttribute("height", drawn.height);
      patch(picture, [svg("g", {"aria-hidden": true}, drawn.drawing), svg("g", {}, handles.map(handle))]);
    };
    place.querySelectorAll("img").forEach(image => { image.loading = "eager"; });  // print shows it, whatever was seen
    place.prepend(root);
    place.classList.add("answers");
    listen(picture, () => handles);
    set({});
    said.textContent = spec.say(state);
    let last = stage.clientWidth;
    new ResizeObserver(() => {
      if (stage.clientWidth !== last) draw();
      last = stage.clientWidth;
    }).observe(stage);
  });

  return {svg, text, line, legend, xAxis, yAxis, clip, linear, log, short, power, superscript, clamp, random, figure};
})();
