// What the pages of laboratories share: opening the library, asking it, drawing numbers. The library is
// Limulus itself, compiled to WebAssembly (browser/); nothing is computed here that the library computes.
// Plain JavaScript, no network: what is loaded are the scripts beside this one, made by browser/pack.py.
"use strict";

const Lab = (function make() {
  // ---- what was packed into scripts ----------------------------------------------------------------

  // Bytes from base64, unpacked where the name says .gz.
  async function unpack(name, packed = LimulusPacked) {
    if (!(name in packed)) throw new Error(`${name} is missing: it is made by browser/pack.py`);
    const text = atob(packed[name]), bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; ++i) bytes[i] = text.charCodeAt(i);
    if (!name.endsWith(".gz")) return bytes;
    if (typeof DecompressionStream === "undefined")
      throw new Error("this browser cannot unpack the library; any browser from 2023 on can");
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  // ---- the library -----------------------------------------------------------------------------------

  // What the library said is wrong: its text is for the reader.
  class Refusal extends Error {}

  // `glue` is what emscripten made, as a function that returns its factory; `binary` the module's bytes.
  async function open(glue = LimulusPacked.glue, binary = null) {
    const module = await glue()({ wasmBinary: binary || await unpack("limulus.wasm.gz") });
    const call = (name, type, types, values) => module.ccall(name, type, types, values);
    return {
      ask(request) {
        const said = JSON.parse(call("lab_ask", "string", ["string"], [JSON.stringify(request)]));
        if ("error" in said) throw new Refusal(said.error);
        return said;
      },
      give(name, bytes) {
        const at = call("lab_bytes", "number", ["string", "number"], [name, bytes.length]);
        if (at === 0) throw new Refusal(`${name}: ${bytes.length} bytes are too many`);
        module.HEAPU8.set(bytes, at);
      },
      values(name) {  // a copy, in double
        const at = call("lab_values", "number", ["string"], [name]);
        const count = call("lab_count", "number", ["string"], [name]);
        return new Float64Array(module.HEAPF64.buffer, at, count).slice();
      },
    };
  }

  // ---- pieces of a page ------------------------------------------------------------------------------

  function el(tag, options = {}, ...children) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(options))
      if (key === "class") node.className = value;
      else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else if (value !== false) node.setAttribute(key, value === true ? "" : value);
    node.append(...children.filter((c) => c !== null));
    return node;
  }
  const row = (...cells) => el("tr", {}, ...cells.map((c) => el("td", {}, c)));
  function table(headings, rows) {
    const head = el("thead", {}, el("tr", {}, ...headings.map((h) => el("th", {}, h))));
    return el("div", { class: "table-wrapper" },
              el("table", { class: "docutils align-default" }, head, el("tbody", {}, ...rows)));
  }
  function choice(label, name, options, chosen) {
    const select = el("select", { name }, ...options.map(([value, words]) =>
        el("option", { value, selected: String(value) === String(chosen) }, words)));
    return el("label", {}, label, select);
  }
  function amount(label, name, value, min = 0, max = 1000, step = 1) {
    return el("label", {}, label, el("input", { type: "number", name, value, min, max, step }));
  }
  const digits = (v, n = 5) => (v === 0 ? "0" : String(Number(v.toPrecision(n))));
  const percent = (v) => `${(100 * v).toFixed(1)} %`;

  // Runs f, and shows what the library refuses in `place`; whether it went well.
  function say(place, f) {
    try {
      place.replaceChildren();
      place.hidden = true;
      f();
      return true;
    } catch (e) {
      place.hidden = false;
      place.replaceChildren(el("p", { class: "impossible", role: "alert" }, e.message));
      if (!(e instanceof Refusal)) throw e;
      return false;
    }
  }

  // ---- colours ---------------------------------------------------------------------------------------

  // A number as grey: low is black, high is white.
  const grey = (low, high) => (v) => {
    const t = high > low ? Math.round(255 * Math.min(1, Math.max(0, (v - low) / (high - low)))) : 0;
    return [t, t, t];
  };
  // Positive orange, negative blue, 0 white: `size` is full colour.
  const signed = (size) => (v) => {
    const t = size > 0 ? Math.min(1, Math.abs(v) / size) : 0;
    const full = v > 0 ? [194, 65, 12] : [29, 111, 184];
    return full.map((c) => Math.round(255 + (c - 255) * t));
  };
  const largest = (values) => values.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  function range(values) {
    let low = Infinity, high = -Infinity;
    for (const v of values) if (!Number.isNaN(v)) { low = Math.min(low, v); high = Math.max(high, v); }
    return [low, high];
  }

  // Rows x columns of pixels, one for each number; colourAt(row, column) gives [red, green, blue].
  function paint(canvas, rows, columns, colourAt) {
    canvas.width = columns;
    canvas.height = rows;
    const context = canvas.getContext("2d"), image = context.createImageData(columns, rows);
    for (let r = 0, i = 0; r < rows; ++r)
      for (let c = 0; c < columns; ++c, i += 4) {
        image.data.set(colourAt(r, c), i);
        image.data[i + 3] = 255;
      }
    context.putImageData(image, 0, 0);
  }
  // A map of an array [maps, rows, columns].
  function paintMap(canvas, values, map, rows, columns, colour) {
    const first = map * rows * columns;
    paint(canvas, rows, columns, (r, c) => colour(values[first + r * columns + c]));
  }
  // For whoever sees no picture, and to be pointed at: a canvas that takes the keyboard.
  const picture = (label, options = {}) =>
      el("canvas", { class: "pixels", role: "img", "aria-label": label, ...options });

  // ---- curves ----------------------------------------------------------------------------------------

  // A line through (0, values[0]), (1, values[1]) ...; `at`: a mark on one of them.
  function curve(title, values, { at = null, width = 560, height = 150, low = null, high = null } = {}) {
    const [least, most] = range([...values, ...(low === null ? [] : [low]), ...(high === null ? [] : [high])]);
    const x = (i) => 8 + (width - 16) * (values.length > 1 ? i / (values.length - 1) : 0);
    const y = (v) => 8 + (height - 16) * (most > least ? (most - v) / (most - least) : 0.5);
    const ns = "http://www.w3.org/2000/svg", svg = document.createElementNS(ns, "svg");
    const add = (tag, attributes) => {
      const node = document.createElementNS(ns, tag);
      for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
      svg.append(node);
      return node;
    };
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("class", "drawing curve");
    svg.setAttribute("role", "img");
    add("title", {}).textContent = title;
    if (least <= 0 && most >= 0) add("line", { class: "d-line", x1: 8, x2: width - 8, y1: y(0), y2: y(0) });
    let path = "", pen = "M";
    values.forEach((v, i) => {
      if (!Number.isFinite(v)) { pen = "M"; return; }
      path += `${pen}${x(i).toFixed(1)},${y(v).toFixed(1)}`;
      pen = "L";
    });
    add("path", { class: "d-curve", d: path });
    if (at !== null && at < values.length)
      add("circle", { class: "d-mark", cx: x(at).toFixed(1), cy: y(values[at]).toFixed(1), r: 4 });
    return svg;
  }

  // ---- starting a page -------------------------------------------------------------------------------

  // begin(library, place): what a page does once the library is open; the time that took is kept for
  // docs/check_labs.py.
  function start(id, begin) {
    const go = async () => {
      const place = document.getElementById(id);
      if (!place) return;
      const from = performance.now();
      place.replaceChildren(el("p", {}, "Opening the library ..."));
      try {
        const library = await open();
        place.replaceChildren();
        await begin(library, place);
        place.dataset.ready = Math.round(performance.now() - from);
      } catch (e) {
        place.replaceChildren(el("p", { class: "impossible", role: "alert" },
                                 `This page could not start: ${e.message}`));
        place.dataset.failed = e.message;
        throw e;
      }
    };
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", go);
    else go();
  }

  const source = `const Lab = (${make})();`;  // for a Worker
  return { source, unpack, open, Refusal, el, row, table, choice, amount, digits, percent, say, grey, signed, largest,
           range, paint, paintMap, picture, curve, start };
})();
