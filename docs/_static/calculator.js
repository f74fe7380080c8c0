// The calculator of output sizes: the arithmetic of core/window.cpp and layers/conv2d.cpp, with the
// same words where a size is impossible (docs/check_calculator.py compares the two), a form, and a
// drawing. Plain JavaScript, no network. The form's values are kept in the address (#kernel=11 ...).
"use strict";

const Limulus = (() => {
  const LARGEST = 2147483647;

  class Impossible extends Error {}

  // ---- arithmetic ------------------------------------------------------------------------------

  const span = (w) => w.dilation * (w.kernel - 1) + 1;

  function count(w) {
    const slack = w.input - span(w) + 2 * w.padding;
    return (w.ceil ? Math.ceil(slack / w.stride) : Math.floor(slack / w.stride)) + 1;
  }

  function formula(w) {
    const taps = w.dilation === 1 ? `${w.kernel}` : `(${w.dilation}*(${w.kernel} - 1) + 1)`;
    const correction =
        w.ceil && w.out < count(w) ? " - 1 (the last window would begin in the padding)" : "";
    return `${w.ceil ? "ceil" : "floor"}((${w.input} - ${taps} + 2*${w.padding})/${w.stride}) + 1` +
        `${correction} = ${w.out}`;
  }

  // One axis; Impossible, with the arithmetic, where the window does not fit.
  function window1d(op, axis, input, o) {
    const check = (name, value, least) => {
      if (!(value >= least && value <= LARGEST))
        throw new Impossible(
            `${op}: ${name} ${value} (${axis}) must be from ${least} to ${LARGEST}`);
    };
    check("input", input, 0);
    check("kernel", o.kernel, 1);
    check("stride", o.stride, 1);
    check("padding", o.padding, 0);
    check("dilation", o.dilation, 1);
    const w = {input, kernel: o.kernel, stride: o.stride, padding: o.padding,
               dilation: o.dilation, ceil: o.ceil};
    w.out = count(w);
    if (w.ceil && w.out > 0 && (w.out - 1) * w.stride >= w.input + w.padding) --w.out;
    if (w.out < 1)
      throw new Impossible(`${op}: window ${span(w)} is larger than the padded input ` +
                           `${w.input + 2 * w.padding} (${axis}): ${formula(w)}`);
    return w;
  }

  function checkGroups(o) {
    if (!(o.channels >= 1 && o.kernels >= 1))
      throw new Impossible(`conv2d: ${o.channels} input and ${o.kernels} output channels: ` +
                           "there must be 1 or more of each");
    if (o.groups < 1) throw new Impossible(`conv2d: groups ${o.groups} must be 1 or more`);
    for (const [name, channels] of [["input", o.channels], ["output", o.kernels]])
      if (channels % o.groups !== 0)
        throw new Impossible(
            `conv2d: ${channels} ${name} channels cannot be cut into ${o.groups} groups: ` +
            `${channels} = ${o.groups} * ${Math.floor(channels / o.groups)} + ${channels % o.groups}`);
  }

  // o: op, channels, height, width, kernels, kernel, stride, padding, dilation, groups, ceil.
  function compute(o) {
    if (o.op === "conv2d") {
      checkGroups(o);
      o = {...o, ceil: false};
    } else {
      o = {...o, dilation: 1, groups: 1, kernels: o.channels};
      if (!(o.channels >= 0)) throw new Impossible(`${o.op}: there are no ${o.channels} channels`);
      if (o.padding >= o.kernel && o.padding > 0)
        throw new Impossible(`${o.op}: padding ${o.padding} must be smaller than the window ` +
                             `${o.kernel}: a window would hold nothing else`);
    }
    const h = window1d(o.op, "height", o.height, o), w = window1d(o.op, "width", o.width, o);
    const texts = [formula(h), formula(w)];
    const conv = o.op === "conv2d", places = h.out * w.out;
    const weights = conv ? o.kernels * (o.channels / o.groups) * o.kernel * o.kernel : 0;
    const parameters = conv ? weights + o.kernels : 0;
    return {
      h, w,
      formula: texts[0] === texts[1] ? texts[0] : `h: ${texts[0]}, w: ${texts[1]}`,
      out: [o.kernels, h.out, w.out],
      parameters,
      connections: parameters * places,
      multiply_adds: weights * places,
      memory_bytes: o.kernels * places * 4,
      unused: w.input + w.padding - ((w.out - 1) * w.stride - w.padding + span(w)),
    };
  }

  // ---- drawing ---------------------------------------------------------------------------------

  // One row of the input, to scale, with the first windows and the last below it; `room` pixels wide.
  function drawing(w, room) {
    const cells = w.input + 2 * w.padding, hang = Math.max(0, (w.out - 1) * w.stride + span(w) - cells);
    const unit = (room - 12) / (cells + hang), rows = Math.min(w.out, 4), parts = [];
    const rect = (x, y, width, kind) => parts.push(
        `<rect class="${kind}" x="${(6 + x * unit).toFixed(2)}" y="${y}" ` +
        `width="${(width * unit).toFixed(2)}" height="14"/>`);
    const text = (x, y, words, anchor) => parts.push(
        `<text class="d-text" x="${x.toFixed(1)}" y="${y}" text-anchor="${anchor}">${words}</text>`);
    if (unit >= 4)
      for (let i = 0; i < cells; ++i)
        rect(i, 6, 1, i < w.padding || i >= w.padding + w.input ? "d-cell-pad" : "d-cell");
    else {
      rect(0, 6, cells, "d-pad");
      rect(w.padding, 6, w.input, "d-image");
    }
    const draw = (index, row, kind) => {
      const y = 28 + 18 * row;
      for (let tap = 0; tap < w.kernel; ++tap)
        if (w.dilation > 1 || tap === 0)
          rect(index * w.stride + tap * w.dilation, y, w.dilation > 1 ? 1 : w.kernel, kind);
    };
    const kinds = ["d-first", "d-second", "d-first", "d-last"];
    for (let row = 0; row < rows; ++row)
      draw(row + 1 === rows ? w.out - 1 : row, row, row + 1 === rows && rows > 1 ? "d-last" : kinds[row]);
    const y = 28 + 18 * rows + 12;
    text(6, y, `input ${w.input}, padding ${w.padding}; windows 0 ... ${w.out - 1}`, "start");
    return `<svg class="drawing" role="img" viewBox="0 0 ${room} ${y + 8}" style="width:${room}px">` +
        `<title>A row of the input and its windows</title>${parts.join("")}</svg>`;
  }

  // ---- the form --------------------------------------------------------------------------------

  const FIELDS = [
    ["channels", "input channels", 3], ["height", "input height", 227], ["width", "input width", 227],
    ["kernel", "kernel", 11], ["stride", "stride", 4], ["padding", "padding", 0],
    ["dilation", "dilation", 1], ["groups", "groups", 1], ["kernels", "output channels", 96],
  ];

  function markup() {
    const number = ([name, label, value]) =>
        `<label>${label}<input type="number" name="${name}" value="${value}" min="0" max="65536"></label>`;
    return '<form class="calculator"><label>layer<select name="op"><option>conv2d</option>' +
        "<option>max_pool2d</option><option>avg_pool2d</option></select></label>" +
        FIELDS.map(number).join("") +
        '<label>rounding<select name="ceil"><option value="0">floor</option>' +
        '<option value="1">ceil (pools)</option></select></label></form><div id="answer"></div>';
  }

  function values(form) {
    const o = {op: form.elements.op.value, ceil: form.elements.ceil.value === "1"};
    for (const [name] of FIELDS) o[name] = Math.trunc(Number(form.elements[name].value));
    return o;
  }

  const thousands = (n) => n.toLocaleString("en-US");

  function answer(o, room) {
    try {
      const r = compute(o);
      const row = (what, number) => `<tr><td>${what}</td><td>${number}</td></tr>`;
      const shape = (sizes) => sizes.map(thousands).join(" × ");
      const learned = o.op !== "conv2d" ? "" : row("parameters", thousands(r.parameters)) +
          row("connections", thousands(r.connections)) +
          row("multiply-adds", thousands(r.multiply_adds));
      const rest = r.unused > 0 ? `${r.unused} at the end of a row, never seen`
          : r.unused < 0 ? `none; the last window hangs over by ${-r.unused}` : "none";
      return `<p class="formula"><code>${r.formula}</code></p>${drawing(r.w, room)}` +
          '<div class="table-wrapper"><table class="docutils align-default"><tbody>' +
          row("shape before", shape([o.channels, o.height, o.width])) +
          row("shape after", shape(r.out)) + learned +
          row("memory of the output, f32", thousands(r.memory_bytes) + " bytes") +
          row("left over", rest) + "</tbody></table></div>";
    } catch (e) {
      if (!(e instanceof Impossible)) throw e;
      return `<p class="impossible">${e.message}</p>`;
    }
  }

  function readAddress(form) {
    for (const [name, value] of new URLSearchParams(location.hash.slice(1)))
      if (form.elements[name]) form.elements[name].value = value;
  }

  function start(place) {
    place.innerHTML = markup();
    const form = place.querySelector("form"), output = place.querySelector("#answer");
    const show = () => {
      const o = values(form), conv = o.op === "conv2d";
      for (const name of ["dilation", "groups", "kernels"]) form.elements[name].disabled = !conv;
      form.elements.ceil.disabled = conv;
      output.innerHTML = answer(o, Math.max(240, Math.min(640, place.clientWidth)));
    };
    form.addEventListener("input", () => {
      show();
      history.replaceState(null, "", "#" + new URLSearchParams(new FormData(form)));
    });
    window.addEventListener("hashchange", () => { readAddress(form); show(); });
    readAddress(form);
    show();
  }

  return {compute, start};
})();

if (typeof document !== "undefined") {
  const begin = () => {
    const place = document.getElementById("calculator-form");
    if (place) Limulus.start(place);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
}
