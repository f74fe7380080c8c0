"use strict";
// The page of `limulus look`: unpacks the numbers, draws, and follows what is pointed at.

// Output and gradient of ReLU, dropout and flatten are not in the page, as they follow from what is
// beside them: y = max(0, x) or x, and the gradient by x is dy where y > 0, or dy.
function withDerived(page, stored) {
  const layers = page.layers;
  let room = 0;
  for (const l of layers) room += l.kind === "ReLU" ? 2 * l.in.reduce((a, b) => a * b) : 0;
  const numbers = new Float32Array(stored.length + room);
  numbers.set(stored);
  let used = stored.length;
  const made = (count, value) => {
    const tensor = { at: used, count };
    for (let i = 0; i < count; ++i) numbers[used + i] = value(i);
    used += count;
    return tensor;
  };
  layers.forEach((l, i) => {
    l.x = i > 0 ? layers[i - 1].y : page.input;
    if (l.kind === "ReLU") l.y = made(l.x.count, (j) => Math.max(0, numbers[l.x.at + j]));
    else if (!l.y) l.y = l.x;
  });
  for (let i = layers.length - 1; i > 0; --i) {
    const l = layers[i], before = layers[i - 1];
    if (l.kind === "ReLU")
      before.dy = made(l.x.count, (j) => (numbers[l.y.at + j] > 0 ? numbers[l.dy.at + j] : 0));
    else if (!before.dy) before.dy = l.dy;
  }
  return numbers;
}

const lookReady = (async () => {
  const page = JSON.parse(document.getElementById("page").textContent);
  const main = document.getElementById("look");

  // ---- numbers: base64, zlib, then four planes of bytes (look_page.cpp) -------------------------
  const packed = atob(document.getElementById("numbers").textContent);
  const bytes = new Uint8Array(packed.length);
  for (let i = 0; i < packed.length; ++i) bytes[i] = packed.charCodeAt(i);
  if (typeof DecompressionStream === "undefined") {
    main.textContent = "This browser cannot unpack the page's numbers; any browser from 2023 on can.";
    return null;
  }
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  const count = page.numbers, words = new Uint32Array(count);
  for (let i = 0; i < count; ++i)
    words[i] = planes[i] | planes[count + i] << 8 | planes[2 * count + i] << 16 | planes[3 * count + i] << 24;
  const numbers = withDerived(page, new Float32Array(words.buffer));
  const units = LookUnits(page, numbers);
  const layers = page.layers;
  const slice = (t) => numbers.subarray(t.at, t.at + t.count);

  // ---- small tools --------------------------------------------------------------------------------
  const el = (tag, options = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(options))
      if (key === "class") node.className = value;
      else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else node.setAttribute(key, value);
    node.append(...children);
    return node;
  };
  const section = (id, title) => {
    const node = el("section", { id }, el("h2", {}, title));
    main.append(node);
    return node;
  };
  const short = (v) => (v === 0 ? "0" : Math.abs(v) >= 1e-3 && Math.abs(v) < 1e5
    ? Number(v.toPrecision(4)).toString() : v.toExponential(2));
  const percent = (p) => `${(100 * p).toFixed(1)} %`;
  const extent = (values) => {
    let low = Infinity, high = -Infinity;
    for (const v of values) { if (v < low) low = v; if (v > high) high = v; }
    return [low, high];
  };
  // Values as grey pixels, the least black and the largest white; or, of both signs, blue and orange.
  const canvasOf = (values, height, width, colour) => {
    const canvas = el("canvas", { width, height, class: "pixels" });
    const context = canvas.getContext("2d"), image = context.createImageData(width, height);
    for (let i = 0; i < height * width; ++i) image.data.set(colour(values, i), 4 * i);
    context.putImageData(image, 0, 0);
    return canvas;
  };
  const grey = (values) => {
    const [low, high] = extent(values), range = high > low ? high - low : 1;
    return (v, i) => { const g = 255 * (v[i] - low) / range; return [g, g, g, 255]; };
  };
  const signed = (values) => {
    const largest = Math.max(...extent(values).map(Math.abs)) || 1;
    return (v, i) => {
      const t = v[i] / largest, far = Math.abs(t);
      const end = t < 0 ? [29, 95, 166] : [205, 98, 20];
      return [...end.map((e) => 250 + (e - 250) * far), 255];
    };
  };
  // Three maps as red, green and blue around a middle grey: for filters and gradients of pixels.
  const coloured = (values, plane, channels, largest = Math.max(...extent(values).map(Math.abs))) =>
    (v, i) => [0, 1, 2].map((c) =>
      127.5 + 127.5 * v[i + (channels === 3 ? c : 0) * plane] / (largest || 1)).concat(255);
  // The size that all but 1 in 200 values stay below: a few that are huge would hide the rest.
  const usual = (values) =>
    Float32Array.from(values, Math.abs).sort()[Math.floor(0.995 * (values.length - 1))];
  const hot = (t) => [255 * Math.min(1, 0.35 + t), 255 * Math.max(0, 0.75 - 0.6 * t) * t, 30, 200 * t];

  // ---- the answer ---------------------------------------------------------------------------------
  {
    const answer = section("answer", "The answer");
    const q = page.square;
    const photo = el("figure", { class: "photo" },
      el("div", { class: "frame" },
        el("img", { src: page.thumbnail, alt: `The photograph ${page.photograph}` }),
        el("span", { class: "square", style: `left:${100 * q.left}%;top:${100 * q.top}%;` +
          `width:${100 * q.width}%;height:${100 * q.height}%` })),
      el("figcaption", {}, `The photograph. The network is shown the square, as ${page.side} x ${page.side} pixels` +
        (page.channels === 1 ? ", in grey." : ".")));
    const bars = el("ol", { class: "guesses" });
    for (const g of page.guesses)
      bars.append(el("li", {}, el("span", { class: "name" }, g.class),
        el("span", { class: "track" }, el("span", { style: `width:${100 * g.probability}%` })),
        el("span", { class: "value" }, percent(g.probability))));
    answer.append(el("div", { class: "two" }, photo, el("div", {}, bars,
      el("p", { class: "note" }, `The ${page.guesses.length} likeliest of ${page.classes.length} classes. ` +
        "The bars are probabilities: softmax of the last layer." +
        (page.rounded_weights ? " So that the page stays below 25 MB, it holds the weights with 16 bits of mantissa; sums may differ from the network's in the fifth digit." : "")))));
  }

  // ---- the network, to scale ----------------------------------------------------------------------
  const state = { layer: 0, place: null };
  const strip = el("div", { class: "strip", role: "group", "aria-label": "The network's layers" });
  {
    const network = section("network", "The network");
    const towers = layers.some((l) => l.groups === 2) ? 2 : 1;
    network.append(el("p", { class: "note" },
      "Every layer, drawn to scale: the height of a block is the height of its maps, its width grows with the square " +
      "root of their number, and its darkness is the share of values that are not 0." +
      (towers === 2 ? " The two rows are the paper's two towers: where a convolution has two groups, a map sees only " +
        "the maps of its own row." : "") + " Choose a layer to open it."));
    const tallest = Math.max(page.side, ...layers.map((l) => (l.out.length === 3 ? l.out[1] : 0)));
    layers.forEach((l, index) => {
      const maps = l.out.length === 3, values = slice(l.y);
      let active = 0;
      for (const v of values) active += v !== 0;
      const height = maps ? Math.max(6, 110 * Math.sqrt(l.out[1] / tallest)) : Math.max(10, 2.2 * Math.sqrt(l.out[0]));
      const width = maps ? 6 + 1.6 * Math.sqrt(l.out[0]) : 8;
      const block = () => el("span", { class: "block", style: `height:${height / towers}px;width:${width}px;` +
        `--share:${active / values.length}` });
      const button = el("button", { type: "button", "aria-pressed": "false", title: l.detail || l.kind,
        "aria-label": `${l.name}, ${l.kind}, ${l.out.join(" x ")}`, onclick: () => choose(index) },
        el("span", { class: "blocks" }, ...Array.from({ length: maps ? towers : 1 }, block)),
        el("span", { class: "label" }, l.name), el("span", { class: "size" }, l.out.join("x")));
      strip.append(button);
    });
    strip.addEventListener("keydown", (e) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
      if (!step) return;
      e.preventDefault();
      choose(Math.min(layers.length - 1, Math.max(0, state.layer + step)));
      strip.children[state.layer].focus();
    });
    network.append(strip);
  }

  // ---- one layer ------------------------------------------------------------------------------------
  const layerBox = section("layer", "A layer"), unitBox = section("unit", "One number of it");
  const layerBody = el("div"), unitBody = el("div", { "aria-live": "polite" });
  layerBox.append(layerBody);
  unitBox.append(unitBody);

  const strongest = (l) => {
    const maps = l.out.length === 3 ? l.out[0] : l.out[0], plane = l.y.count / maps, values = slice(l.y);
    const largest = Array.from({ length: maps }, (_, c) => extent(values.subarray(c * plane, (c + 1) * plane))[1]);
    return largest.map((v, c) => [v, c]).sort((a, b) => b[0] - a[0] || a[1] - b[1]).map(([v, c]) => ({ c, largest: v }));
  };
  const mapOf = (l, c) => {
    const plane = l.out[1] * l.out[2];
    return slice(l.y).subarray(c * plane, (c + 1) * plane);
  };

  const histogram = (values) => {
    const [low, high] = extent(values), bins = 40, counts = new Array(bins).fill(0);
    let zeros = 0, filled = 0;
    for (const v of values)
      if (v === 0) ++zeros;
      else { ++filled; ++counts[Math.min(bins - 1, Math.floor(bins * (v - low) / (high - low || 1)))]; }
    const most = Math.max(...counts, 1), ns = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(ns, "svg");
    svg.setAttribute("viewBox", "0 0 400 90");
    svg.setAttribute("class", "histogram");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", `${filled} values from ${short(low)} to ${short(high)}, and ${zeros} zeros`);
    counts.forEach((n, i) => {
      const bar = document.createElementNS(ns, "rect");
      for (const [k, v] of Object.entries({ x: 10 * i + 0.5, y: 88 - 86 * n / most, width: 9, height: 86 * n / most }))
        bar.setAttribute(k, v);
      svg.append(bar);
    });
    return el("figure", {}, svg, el("figcaption", {},
      `The ${filled.toLocaleString("en")} values that are not 0, from ${short(low)} to ${short(high)}; ` +
      `${zeros.toLocaleString("en")} of ${values.length.toLocaleString("en")} (${percent(zeros / values.length)}) are 0.`));
  };

  const filterOf = (l, k) => {  // of a first convolution: as a picture
    const [C, FH, FW] = [l.in[0] / l.groups, l.window.h.kernel, l.window.w.kernel];
    const values = numbers.subarray(l.weight.at + k * C * FH * FW, l.weight.at + (k + 1) * C * FH * FW);
    return canvasOf(values, FH, FW, coloured(values, FH * FW, C));
  };

  const mapButton = (l, index, { c, largest }, filters) => {
    const [, H, W] = l.out, values = mapOf(l, c), pictures = el("span", { class: "pictures" });
    if (filters) pictures.append(filterOf(l, c));
    pictures.append(canvasOf(values, H, W, grey(values)));
    return el("button", { type: "button", class: "map", "data-map": c,
      "aria-label": `Map ${c}, largest value ${short(largest)}`,
      onclick: () => {
        const at = values.indexOf(largest);
        point(index, [c, Math.floor(at / W), at % W]);
        document.getElementById("unit").scrollIntoView({ block: "nearest", behavior: "smooth" });
      } }, pictures, el("span", { class: "label" }, `map ${c}`), el("span", { class: "size" }, short(largest)));
  };

  function choose(index, place) {
    state.layer = index;
    const l = layers[index];
    [...strip.children].forEach((b, i) => b.setAttribute("aria-pressed", String(i === index)));
    const chosen = strip.children[index];  // in sight, without moving the page
    strip.scrollLeft = chosen.offsetLeft - strip.offsetLeft - (strip.clientWidth - chosen.offsetWidth) / 2;
    layerBody.replaceChildren();
    layerBody.append(el("h3", {}, `${l.name}: ${l.kind}, ${l.in.join("x")} to ${l.out.join("x")}`));
    const words = [l.detail, l.formula].filter(Boolean).join("; ");
    if (words) layerBody.append(el("p", { class: "formula" }, words));
    const order = strongest(l);
    if (l.out.length === 3) {
      const filters = index === 0 && l.kind === "Conv2d" && l.in[0] <= 3;
      const best = el("div", { class: "maps" }, ...order.slice(0, 9).map((m) => mapButton(l, index, m, filters)));
      layerBody.append(el("p", { class: "note" }, filters
        ? "The nine maps with the largest values, each beside its filter (grey is 0)."
        : "The nine maps with the largest values. Black is a map's least value, white its largest."), best);
      if (order.length > 9) {
        const all = el("div", { class: "maps small" });
        layerBody.append(el("details", { ontoggle: (e) => {
          if (e.target.open && !all.children.length) all.append(...order.map((m) => mapButton(l, index, m, filters)));
        } }, el("summary", {}, `All ${order.length} maps`), all));
      }
    } else {
      layerBody.append(el("p", { class: "note" }, "A row of values has no maps. The strongest nine:"));
      layerBody.append(el("div", { class: "rows" }, ...order.slice(0, 9).map(({ c, largest }) =>
        el("button", { type: "button", onclick: () => point(index, [c]) }, index === layers.length - 1
          ? `${page.classes[c]}: ${short(largest)}` : `unit ${c}: ${short(largest)}`))));
    }
    layerBody.append(histogram(slice(l.y)));
    if (!place) {
      const { c, largest } = order[0];
      if (l.out.length === 3) {
        const at = mapOf(l, c).indexOf(largest);
        place = [c, Math.floor(at / l.out[2]), at % l.out[2]];
      } else {
        place = [c];
      }
    }
    point(index, place);
  }

  // ---- one unit ---------------------------------------------------------------------------------------
  const boxOn = (picture, box, height, width) => el("div", { class: "frame" }, picture,
    box ? el("span", { class: "square", style: `left:${100 * box.left / width}%;top:${100 * box.top / height}%;` +
      `width:${100 * (box.right - box.left) / width}%;height:${100 * (box.bottom - box.top) / height}%` }) : "");

  // A map that is pointed at: with the mouse, a finger, or the arrow keys.
  const pointable = (l, index, place) => {
    const [, H, W] = l.out, values = mapOf(l, place[0]), canvas = canvasOf(values, H, W, grey(values));
    canvas.classList.add("target");
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `Map ${place[0]} of ${l.name}. Row ${place[1]}, column ${place[2]}. Arrow keys move.`);
    canvas.addEventListener("pointerdown", (e) => {
      const r = canvas.getBoundingClientRect();
      const clamp = (v, n) => Math.max(0, Math.min(n - 1, Math.floor(v)));
      point(index, [place[0], clamp((e.clientY - r.top) / r.height * H, H), clamp((e.clientX - r.left) / r.width * W, W)]);
      unitBody.querySelector("canvas.target").focus({ preventScroll: true });
    });
    canvas.addEventListener("keydown", (e) => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[e.key];
      if (!step) return;
      e.preventDefault();
      point(index, [place[0], Math.max(0, Math.min(H - 1, place[1] + step[0])), Math.max(0, Math.min(W - 1, place[2] + step[1]))]);
      unitBody.querySelector("canvas.target").focus({ preventScroll: true });
    });
    return boxOn(canvas, { top: place[1], bottom: place[1] + 1, left: place[2], right: place[2] + 1 }, H, W);
  };

  const termTable = (told, most) => {
    const order = [...told.terms].sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
    const shown = order.slice(0, most), rest = order.slice(most);
    const body = el("tbody", {}, ...shown.map((t) => el("tr", t.chosen ? { class: "chosen" } : {},
      el("td", { class: "text" }, t.what),
      el("td", {}, t.b !== undefined ? `${short(t.a)} x ${short(t.b)}` : t.a !== undefined ? `${short(t.a)}\u00B2` : ""),
      el("td", {}, short(t.value)))));
    if (rest.length)
      body.append(el("tr", {}, el("td", { class: "text" }, `${rest.length} more terms`), el("td", {}, ""),
        el("td", {}, told.maximum ? "" : short(units.sum(rest)))));
    if (!told.maximum && told.terms.length > 1)
      body.append(el("tr", { class: "total" }, el("td", { class: "text" }, "sum"), el("td", {}, ""), el("td", {}, short(units.sum(told.terms)))));
    return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Terms" }, el("table", {}, el("thead", {}, el("tr", {},
      el("th", { class: "text" }, told.terms.length > shown.length ? "the largest terms" : "term"), el("th", {}, "numbers"), el("th", {}, "value"))), body));
  };

  // Window x filter = products, for the map of the layer before that contributes most.
  const patches = (l, told, k) => {
    if (l.kind !== "Conv2d") return "";
    const FH = l.window.h.kernel, FW = l.window.w.kernel, by = new Map();
    for (const t of told.terms) {
      const [c] = t.tap;
      if (!by.has(c)) by.set(c, { c, x: new Float32Array(FH * FW), w: new Float32Array(FH * FW), sum: 0 });
      const p = by.get(c), at = t.tap[1] * FW + t.tap[2];
      p.x[at] = t.a; p.w[at] = t.b; p.sum += t.value;
    }
    const best = [...by.values()].sort((a, b) => Math.abs(b.sum) - Math.abs(a.sum)).slice(0, 3);
    return el("figure", { class: "patches" }, ...best.map((p) => {
      const products = p.x.map((v, i) => v * p.w[i]);
      return el("div", { class: "patch" }, canvasOf(p.x, FH, FW, signed(p.x)), el("span", {}, "\u00D7"),
        canvasOf(p.w, FH, FW, signed(p.w)), el("span", {}, "="), canvasOf(products, FH, FW, signed(products)),
        el("span", { class: "size" }, `map ${told.group * told.channels + p.c}: ${short(p.sum)}`));
    }), el("figcaption", {}, "The window, the filter and their products, tap by tap, for the three maps of the layer before " +
      "that contribute most. Orange is above 0, blue below."));
  };

  function point(index, place) {
    state.place = place;
    const l = layers[index], told = units.forward(index, place), value = units.y(l, place);
    for (const b of layerBody.querySelectorAll(".map"))
      b.setAttribute("aria-pressed", String(Number(b.dataset.map) === place[0]));
    const field = units.receptive(index, place);
    const size = field ? `${field.bottom - field.top} x ${field.right - field.left} pixels` : "the whole picture";
    unitBody.replaceChildren();
    unitBody.append(el("h3", {}, `${l.name}: y[${place.join(", ")}] = ${short(value)}`));
    const looked = el("div", { class: "looked" });
    looked.append(el("figure", {}, boxOn(el("img", { src: page.picture, alt: "What the network is shown" }), field, page.side, page.side),
      el("figcaption", {}, `Its receptive field: ${size} of the picture` + (field
        ? `, rows ${field.top} to ${field.bottom - 1}, columns ${field.left} to ${field.right - 1}.` : "."))));
    if (index > 0 && layers[index].in.length === 3) {
      const near = units.receptive(index, place, index), [, H, W] = l.in;
      const from = told && told.terms.length ? told.terms.reduce((a, b) => (Math.abs(b.value) > Math.abs(a.value) ? b : a)).place : null;
      const before = layers[index - 1], c = from ? from[0] : 0;
      if (before.out.length === 3)
        looked.append(el("figure", {}, boxOn(canvasOf(mapOf(before, c), H, W, grey(mapOf(before, c))), near, H, W),
          el("figcaption", {}, `What it reads of the layer before: map ${c} of ${before.name}, the one with the largest term.`)));
    }
    if (l.out.length === 3)
      looked.append(el("figure", {}, pointable(l, index, place),
        el("figcaption", {}, `Map ${place[0]} of ${l.name}. Point at a number, or move with the arrow keys.`)));
    unitBody.append(looked);
    if (!told) {
      unitBody.append(el("p", {}, `There is no arithmetic of a ${l.kind} on this page.`));
      return;
    }
    unitBody.append(el("p", { class: "formula" }, `${told.element} = ${told.formula}`));
    for (const note of told.notes) unitBody.append(el("p", { class: "note" }, note));
    if (told.elsewhere) {
      unitBody.append(el("p", {}, `The page holds the weights of the nine strongest units of ${l.name}; this one's are printed by`),
        el("p", { class: "formula" }, `limulus explain ${page.model} --checkpoint ${page.checkpoint} --image ${page.photograph} --layer ${l.name} --element ${place.join(",")}`));
    } else {
      unitBody.append(patches(l, told, place[0]), termTable(told, 12));
      for (const line of told.then) unitBody.append(el("p", { class: "formula" }, line));
    }
    const grad = units.dy(l, place);
    unitBody.append(el("h3", {}, "Backward"), el("p", {}, `dy[${place.join(", ")}] = ${short(grad)}: if this number grew by 0.01, ` +
      `the loss -ln p(${page.classes[page.target]}) would change by about ${short(0.01 * grad)}.`));
    const next = layers[index + 1], back = next ? units.backward(index + 1, place) : null;
    if (back) {
      if (back.note) unitBody.append(el("p", { class: "note" }, `${next.name}: ${back.note}.`));
      unitBody.append(el("p", { class: "formula" }, `it comes from ${next.name}: ${back.formula}`),
        back.terms.length ? termTable(back, 8) : el("p", { class: "note" }, "No term: nothing behind depends on this number."));
    } else if (next) {
      unitBody.append(el("p", { class: "note" }, `The sum over the weights of ${next.name} that makes it is not on the page: it holds too few of them.`));
    }
  }

  // ---- why this class ---------------------------------------------------------------------------------
  {
    const why = section("why", `Why ${page.classes[page.target]}?`), w = page.why, side = page.side;
    why.append(el("p", {}, "Five questions that sound alike and are not. None of them shows what the network \u201Cthinks\u201D; " +
      "below each stands what it does show, and what it does not prove."));
    const cards = el("div", { class: "cards" });
    const card = (title, canvas, formula, source, caution) => cards.append(el("article", {}, el("h3", {}, title),
      canvas, el("p", { class: "formula" }, formula), el("p", { class: "note" }, source), el("p", {}, caution)));
    // A coarse map over the picture: place (r, c) is centred on first + step * (r, c).
    const over = (map, first, step) => {
      const canvas = el("canvas", { width: side, height: side }), context = canvas.getContext("2d");
      const image = new Image(), values = slice(map.values), [, high] = extent(values);
      const at = (r, c) => Math.max(0, values[Math.max(0, Math.min(map.height - 1, r)) * map.width + Math.max(0, Math.min(map.width - 1, c))]) / (high > 0 ? high : 1);
      image.addEventListener("load", () => {
        context.filter = "grayscale(0.6)";
        context.drawImage(image, 0, 0, side, side);
        context.filter = "none";
        const layer = context.createImageData(side, side);
        for (let y = 0; y < side; ++y)
          for (let x = 0; x < side; ++x) {
            const r = (y + 0.5 - first) / step, c = (x + 0.5 - first) / step, r0 = Math.floor(r), c0 = Math.floor(c);
            const v = (at(r0, c0) * (1 - c + c0) + at(r0, c0 + 1) * (c - c0)) * (1 - r + r0) +
              (at(r0 + 1, c0) * (1 - c + c0) + at(r0 + 1, c0 + 1) * (c - c0)) * (r - r0);
            layer.data.set(hot(v), 4 * (y * side + x));
          }
        const top = el("canvas", { width: side, height: side });
        top.getContext("2d").putImageData(layer, 0, 0);
        context.drawImage(top, 0, 0);
      });
      image.src = page.picture;
      return canvas;
    };
    const plain = (map, root) => {
      const values = slice(map.values), plane = map.height * map.width;
      if (map.channels === 1) {
        const v = root ? Float32Array.from(values, Math.sqrt) : values;
        return canvasOf(v, map.height, map.width, grey(v));
      }
      return canvasOf(values, map.height, map.width, coloured(values, plane, map.channels, usual(values)));
    };
    card("Saliency", plain(w.saliency, true), "max over colours of |dS/dx|",
      "Simonyan, Vedaldi and Zisserman 2013. The brightness is the square root, so that small values can be seen.",
      "Shows which pixels would change the score S if they changed by a little. Not: which pixels the score is made of. It is noisy, since a ReLU network's slope jumps from place to place.");
    card("Guided backpropagation", plain(w.guided), "at each ReLU: dy where y > 0 and dy > 0, else 0",
      "Springenberg, Dosovitskiy, Brox and Riedmiller 2015.",
      "Shows edges that excite the active units. Not: the class. With random weights behind the first layers it looks much the same (Adebayo et al. 2018): with this rule what comes back is no longer the gradient of any score.");
    const cell = side / w.cam.width;
    card("Grad-CAM", over(w.cam, cell / 2, cell), "max(0, sum over k of alpha_k A_k),  alpha_k = mean of dS/dA_k",
      `Selvaraju et al. 2017, of the maps A of ${w.cam.layer}, ${w.cam.height} x ${w.cam.width}, spread over the picture.`,
      "Shows where maps that speak for the class are active. Not: fine detail, as the grid is coarse, and not what speaks against it, as max(0, ...) hides that.");
    card("Occlusion", over(w.occlusion, w.occlusion.window / 2, w.occlusion.stride), "p(class) - p(class with the window covered)",
      `Zeiler and Fergus 2014: a window of ${w.occlusion.window} x ${w.occlusion.window} of the mean colour in steps of ${w.occlusion.stride}; ` +
      `${w.occlusion.height * w.occlusion.width} runs of the network. The largest fall is ${percent(extent(slice(w.occlusion.values))[1])}.`,
      "Shows what the answer depends on: it asks the network itself. Not: what happens with two places covered at once; and a square of one colour is a thing that the network never saw.");
    const p = w.projection;
    card("Deconvolution", plain(p), "at each ReLU on the way back: dy where dy > 0, else 0",
      `Zeiler and Fergus 2014: the strongest unit of ${p.layer}, map ${p.channel} at ${p.row}, ${p.column} with the value ${short(p.value)}, carried back to the pixels. ` +
      "Normalization is passed by its gradient, which the paper leaves open.",
      "Shows what in this picture excites that one unit. Not: why the class was chosen, and much of its sharpness comes from where max pooling found its maxima.");
    why.append(cards);
  }

  // ---- the nearest training photographs ---------------------------------------------------------------
  {
    const near = page.neighbours, box = section("neighbours", "Which training photographs are like it?");
    if (near.missing) {
      box.append(el("p", {}, near.missing));
    } else {
      box.append(el("p", { class: "note" }, `The ${near.nearest.length} whose ${near.values.toLocaleString("en")} values behind ` +
        `${near.layer} are nearest to those of this photograph (section 6.1 of the paper), of ` +
        (near.searched < near.of ? `${near.searched.toLocaleString("en")} of the ` : "the ") +
        `${near.of.toLocaleString("en")} photographs of the training. Two pictures can be near to each other here whose pixels are not.` +
        (near.note ? ` ${near.note}` : "")),
      el("p", { class: "formula" }, "d(a, b) = sqrt( sum over i of (a_i - b_i)\u00B2 )"));
      const list = el("ol", { class: "mistakes" });
      for (const n of near.nearest)
        list.append(el("li", {}, n.picture ? el("img", { src: n.picture, class: page.side <= 64 ? "pixels" : "", alt: `A training photograph: ${n.class}` })
          : el("div", { class: "missing" }, "no longer readable"),
        el("p", {}, el("span", { class: "truth" }, n.class), el("span", {}, n.distance === 0 ? "distance 0: the same picture"
          : `distance ${short(n.distance)}`), el("span", { class: "file", title: n.name }, n.name))));
      box.append(list);
    }
  }

  const first = layers.findIndex((l) => l.kind === "Conv2d");
  choose(Math.max(0, first));
  return { page, units, choose, point };
})();
