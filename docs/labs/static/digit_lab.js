// "Draw a digit": LeNet-5 looks at the drawing after each stroke, and its maps are shown.
"use strict";

Lab.start("digit-lab", async (library, place) => {
  const { el } = Lab;
  library.give("digits.safetensors", await Lab.unpack("digits.safetensors"));
  const side = 280;  // pixels of the drawing; the library makes 28 of them, as MNIST's were made
  const canvas = el("canvas", { class: "drawing", width: side, height: side, role: "img", tabindex: 0,
                                "aria-label": "Draw a digit here. Keys 0 to 9 put an example, Backspace clears." });
  const clear = el("button", { type: "button" }, "clear");
  const examples = Array.from({ length: 10 }, (_, d) =>
      el("button", { type: "button", "aria-label": `example ${d}`, onclick: () => example(d) }, String(d)));
  const seen = Lab.picture("What the network sees, 28 x 28"), bars = el("ol", { class: "bars", start: 0 });
  const problem = el("div", { hidden: true }), layers = el("div"), said = el("p", { class: "answer", "aria-live": "polite" });
  place.append(
      el("div", { class: "pair" },
         el("figure", {}, canvas, el("figcaption", {}, "Draw a digit, with a mouse or a finger. ", clear),
            el("p", { class: "examples" }, "Or take one: ", ...examples)),
         el("div", {}, said, bars, el("figure", { class: "small" }, seen,
            el("figcaption", {}, "What the network sees: 28 x 28")))),
      problem, layers);

  const context = canvas.getContext("2d", { willReadFrequently: true });
  function wipe() {
    context.fillStyle = "black";
    context.fillRect(0, 0, side, side);
  }

  function look() {
    Lab.say(problem, () => {
      const rgba = context.getImageData(0, 0, side, side).data, ink = new Uint8Array(side * side);
      for (let i = 0; i < ink.length; ++i) ink[i] = rgba[4 * i];
      library.give("drawing", ink);
      show(library.ask({ ask: "digit", side, as_it_is: 0 }));
    });
  }

  function show(answer) {
    Lab.paintMap(seen, library.values("digit"), 0, 28, 28, Lab.grey(0, 255));
    const best = answer.probabilities.indexOf(Math.max(...answer.probabilities));
    said.textContent = `It looks like a ${best}: ${Lab.percent(answer.probabilities[best])}`;
    bars.replaceChildren(...answer.probabilities.map((p, d) =>
        el("li", { class: d === best ? "best" : "" }, el("span", { class: "name" }, String(d)),
           el("span", { class: "track" }, el("span", { style: `width:${(100 * p).toFixed(2)}%` })),
           el("span", { class: "value" }, Lab.percent(p)))));
    layers.replaceChildren(...answer.layers.filter((l) => l.name !== "flatten").map((l) => {
      const values = library.values(`digit/${l.name}`), [low, high] = Lab.range(values);
      const tint = low < 0 ? Lab.signed(Math.max(-low, high)) : Lab.grey(0, high);
      const heading = el("h3", {}, `${l.name}: ${l.shape.join(" x ")}`);
      if (l.shape.length === 1) {
        const strip = Lab.picture(`${l.name}, ${l.shape[0]} values`), columns = Math.min(40, l.shape[0]);
        const rows = Math.ceil(l.shape[0] / columns);
        Lab.paint(strip, rows, columns, (r, c) => tint(values[r * columns + c] ?? 0));
        strip.classList.add("strip");
        strip.style.maxWidth = `${14 * columns}px`;
        return el("section", {}, heading, strip);
      }
      const [count, h, w] = l.shape;
      return el("section", {}, heading, el("div", { class: "maps large" }, ...Array.from({ length: count }, (_, k) => {
        const map = Lab.picture(`${l.name}, map ${k}`);
        Lab.paintMap(map, values, k, h, w, tint);
        return map;
      })));
    }));
  }

  // ---- an example of each digit, out of those that no training saw -----------------------------------------
  const images = await Lab.unpack("test-images.gz"), labels = (await Lab.unpack("test-labels.gz")).subarray(8);
  let next = 0;
  function example(d) {
    const found = [...labels.keys()].filter((i) => labels[i] === d), i = found[next++ % found.length];
    const small = el("canvas");
    Lab.paint(small, 28, 28, (r, c) => { const v = images[16 + 784 * i + 28 * r + c]; return [v, v, v]; });
    wipe();
    context.imageSmoothingEnabled = true;
    context.drawImage(small, 0, 0, side, side);
    look();
  }

  // ---- drawing -----------------------------------------------------------------------------------------
  let last = null, waiting = false;
  const where = (e) => {
    const frame = canvas.getBoundingClientRect();
    return [(e.clientX - frame.left) / frame.width * side, (e.clientY - frame.top) / frame.height * side];
  };
  const stroke = (from, to) => {
    context.strokeStyle = "white";
    context.lineWidth = 20;
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(to[0] + 0.01, to[1]);
    context.stroke();
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; look(); });
  };
  canvas.addEventListener("pointerdown", (e) => {
    canvas.setPointerCapture(e.pointerId);
    last = where(e);
    stroke(last, last);
  });
  canvas.addEventListener("pointermove", (e) => {
    if (last === null) return;
    const to = where(e);
    stroke(last, to);
    last = to;
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { last = null; });
  clear.addEventListener("click", () => { wipe(); look(); });
  canvas.addEventListener("keydown", (e) => {
    if (/^[0-9]$/.test(e.key)) example(Number(e.key));
    else if (e.key === "Backspace" || e.key === "Delete") { e.preventDefault(); wipe(); look(); }
  });
  wipe();
  example(5);
});
