// The convolution laboratory. All numbers are the library's; this script asks, draws, and follows what is
// pointed at.
"use strict";

Lab.start("convolution-lab", async (library, place) => {
  const { el, digits } = Lab;
  library.give("conv1.safetensors", await Lab.unpack("conv1.safetensors"));

  // ---- the form ----------------------------------------------------------------------------------------
  const form = el("form", { class: "calculator" },
      el("label", {}, "photograph", el("input", { type: "file", name: "file", accept: "image/*" })),
      Lab.choice("pixels", "side", [[64, "64 x 64"], [127, "127 x 127"], [227, "227 x 227 (AlexNet)"]], 127),
      Lab.choice("filters", "filters", [["edges", "6 for edges, 3 x 3"], ["blur", "3 that blur, 5 x 5"],
                                        ["trained", "96 that AlexNet learned, 11 x 11"]], "edges"),
      Lab.amount("stride", "stride", 1), Lab.amount("padding", "padding", 1), Lab.amount("groups", "groups", 1),
      Lab.choice("ReLU", "relu", [[0, "no"], [1, "yes"]], 1),
      Lab.choice("LRN", "lrn_alpha", [[0, "no"], [0.0001, "alpha 0.0001 (paper)"], [0.5, "alpha 0.5, to be seen"]], 0),
      Lab.choice("max pooling", "pooling", [["0/1", "no"], ["2/2", "2 x 2, stride 2"],
                                            ["3/2", "3 x 3, stride 2: overlapping"], ["3/3", "3 x 3, stride 3"]], "3/2"));
  const problem = el("div", { hidden: true });
  const sizes = el("div", { class: "sizes" }), tabs = el("div", { class: "tabs", role: "group", "aria-label": "Layer to look at" });
  const maps = el("div", { class: "maps", role: "group", "aria-label": "Map to look at" });
  const input = Lab.picture("What goes in. Arrow keys move the chosen input.", { tabindex: 0 });
  const output = Lab.picture("What comes out. Arrow keys move the chosen output.", { tabindex: 0 });
  const inputBoxes = el("div", { class: "boxes" }), outputBoxes = el("div", { class: "boxes" });
  const inputWords = el("figcaption"), outputWords = el("figcaption");
  const colour = Lab.choice("of the colour", "channel", [[0, "red"], [1, "green"], [2, "blue"]], 0);
  const story = el("div", { class: "story" });
  const body = el("div", {}, sizes, tabs, maps,
      el("div", { class: "pair" },
         el("figure", {}, el("div", { class: "frame" }, input, inputBoxes), inputWords, colour),
         el("figure", {}, el("div", { class: "frame" }, output, outputBoxes), outputWords)),
      story);
  place.append(form, problem, body);

  // ---- what is chosen ----------------------------------------------------------------------------------
  const state = { stage: 0, map: 0, at: [Infinity, 0], from: [0, 0], backward: false, terms: null };
  let run = null;      // the library's answer, and the arrays that belong to it
  let photo = null;    // an image that can be drawn

  const shapeIn = () => run.steps[state.stage].in, shapeOut = () => run.steps[state.stage].out;
  // The channel that the left picture stands for: a colour of the photograph, or the same map.
  const channel = () => (state.stage === 0 ? Number(colour.querySelector("select").value) : state.map);

  function request() {
    const f = form.elements, [pool, stride] = f.pooling.value.split("/").map(Number);
    return { ask: "convolution", width: Number(f.side.value), height: Number(f.side.value), filters: f.filters.value,
             stride: Number(f.stride.value), padding: Number(f.padding.value), groups: Number(f.groups.value),
             relu: Number(f.relu.value), lrn_alpha: Number(f.lrn_alpha.value), lrn_size: 5, pool,
             pool_stride: stride };
  }

  // The photograph's middle square, so many pixels wide, as RGBA.
  function pixels(side) {
    const canvas = el("canvas", { width: side, height: side }), context = canvas.getContext("2d");
    const part = Math.min(photo.width, photo.height);
    context.drawImage(photo, (photo.width - part) / 2, (photo.height - part) / 2, part, part, 0, 0, side, side);
    return context.getImageData(0, 0, side, side).data;
  }

  function compute() {
    const asked = request();
    body.hidden = !Lab.say(problem, () => {
      run = null;
      library.give("photo", pixels(asked.width));
      const said = library.ask(asked);
      run = { ...said, pixels: pixels(asked.width), input: library.values("input"), weight: library.values("weight"),
              bias: library.values("bias"), out: said.steps.map((_, i) => library.values(`stage/${i}`)) };
    });
    if (!run) return;
    state.stage = Math.min(state.stage, run.steps.length - 1);
    state.map = Math.min(state.map, shapeOut()[0] - 1);
    showSizes();
    choose(state.stage);
  }

  // ---- sizes, layers, maps -----------------------------------------------------------------------------
  function showSizes() {
    sizes.replaceChildren(Lab.table(["layer", "output size", "in", "out"], run.steps.map((s) =>
        Lab.row(s.name, el("code", {}, s.kind === "ReLU" || s.kind === "LocalResponseNorm" ? "as the input" : s.formula),
                s.in.join(" x "), s.out.join(" x ")))));
  }

  const colours = (values) => {  // of a layer's output: signed where it has negative values
    const [low, high] = Lab.range(values);
    return low < 0 ? Lab.signed(Math.max(-low, high)) : Lab.grey(0, high);
  };

  function choose(stage) {
    state.stage = stage;
    const [, h, w] = shapeOut();
    if (state.at[0] >= h || state.at[1] >= w) state.at = [Math.floor(h / 2), Math.floor(w / 2)];
    state.backward = false;
    tabs.replaceChildren(...run.steps.map((s, i) =>
        el("button", { type: "button", "aria-pressed": String(i === stage), onclick: () => choose(i) }, s.name)));
    const [count] = shapeOut(), paintOne = colours(run.out[stage]);
    maps.replaceChildren(...Array.from({ length: count }, (_, k) => {
      const thumb = Lab.picture(`map ${k}`);
      Lab.paintMap(thumb, run.out[stage], k, h, w, paintOne);
      return el("button", { type: "button", "aria-pressed": String(k === state.map), title: run.filters.names[k],
                            onclick: () => { state.map = k; choose(state.stage); } }, thumb);
    }));
    colour.hidden = stage > 0;
    Lab.paintMap(output, run.out[stage], state.map, h, w, paintOne);
    const [, ih, iw] = shapeIn();
    if (stage === 0) Lab.paint(input, ih, iw, (r, c) => run.pixels.slice(4 * (r * iw + c), 4 * (r * iw + c) + 3));
    else Lab.paintMap(input, run.out[stage - 1], state.map, ih, iw, colours(run.out[stage - 1]));
    outputWords.textContent = `What comes out: map ${state.map}, ${run.filters.names[state.map]}. Point at it.`;
    inputWords.textContent = (stage === 0 ? "What goes in: the photograph." : `What goes in: map ${state.map} of ` +
        `${run.steps[stage - 1].name}.`) + " Point at it for the way back.";
    look();
  }

  // ---- boxes -------------------------------------------------------------------------------------------
  // [top, left, bottom, right], both ends included, on a picture of h x w.
  function box(layer, [top, left, bottom, right], [h, w], kind) {
    layer.append(el("span", { class: kind, style: `top:${100 * top / h}%;left:${100 * left / w}%;` +
        `height:${100 * (bottom - top + 1) / h}%;width:${100 * (right - left + 1) / w}%` }));
  }

  // ---- forward and backward ----------------------------------------------------------------------------
  function look() {
    Lab.say(problem, () => (state.backward ? lookBack() : lookForward()));
  }

  function lookForward() {
    const index = [state.map, ...state.at];
    const said = library.ask({ ask: "element", stage: state.stage, index });
    inputBoxes.replaceChildren();
    outputBoxes.replaceChildren();
    box(inputBoxes, said.window, shapeIn().slice(1), "window");
    box(outputBoxes, [...state.at, ...state.at], shapeOut().slice(1), "place");
    tell(said, state.stage === 0 ? patches(said) : null);
    story.append(el("h3", {}, "Backward: which pixels get gradient from this output"), ...gradientOf(index, said.field));
  }

  // The gradient of one output by the photograph, around the part that the output sees.
  function gradientOf(index, [top, left, bottom, right]) {
    const said = library.ask({ ask: "gradient", stage: state.stage, index });
    const g = library.values("gradient"), [, h, w] = run.steps[0].in;
    const r0 = Math.max(0, top - 2), r1 = Math.min(h - 1, bottom + 2);
    const c0 = Math.max(0, left - 2), c1 = Math.min(w - 1, right + 2);
    const panels = ["red", "green", "blue"].map((name, c) => {
      const canvas = Lab.picture(`gradient by ${name}`), tint = Lab.signed(Math.abs(said.largest));
      Lab.paint(canvas, r1 - r0 + 1, c1 - c0 + 1, (r, k) => tint(g[(c * h + r0 + r) * w + c0 + k]));
      return el("figure", {}, canvas, el("figcaption", {}, `by ${name}`));
    });
    return [el("p", {}, `The output sees rows ${top} ... ${bottom} and columns ${left} ... ${right} of the photograph. ` +
                `Of its ${said.values.toLocaleString("en-US")} numbers ${said.not_zero} have a gradient that is not 0; ` +
                `the largest is ${digits(said.largest)}. Orange: more here makes the output larger; blue: smaller.`),
            el("div", { class: "patches" }, ...panels)];
  }

  function lookBack() {
    const index = [channel(), ...state.from];
    const said = library.ask({ ask: "reach", stage: state.stage, index });
    inputBoxes.replaceChildren();
    outputBoxes.replaceChildren();
    box(inputBoxes, [...state.from, ...state.from], shapeIn().slice(1), "place");
    const shown = said.terms.map((t) => t.place).filter((p) => p.length === 3 && p[0] === state.map);
    for (const [, r, c] of shown) box(outputBoxes, [r, c, r, c], shapeOut().slice(1), "reached");
    tell(said, el("p", {}, `${said.terms.length} outputs of all maps get something from this input, ` +
                       `${shown.length} of them in the map that is shown. With dy = 1 for every output, the gradient of ` +
                       "this input is the sum of what each of them hands back:"));
  }

  // ---- the arithmetic ----------------------------------------------------------------------------------
  // "x[2, 10, 10] w[0, 2, 1, 0]": may be broken between the two, but not within.
  const whole = (words) => el("code", {}, words.replaceAll(", ", ",\u00a0"));

  function tell(said, before) {
    const count = said.terms.length;
    const slider = el("input", { type: "range", min: 0, max: count, value: count, "aria-label": "Terms added so far" });
    const play = el("button", { type: "button" }, "add them one by one");
    const words = el("p", { "aria-live": "polite" }), chart = el("div"), list = el("div", { class: "terms" });
    const sums = [0, ...said.terms.map((t) => t.sum)];
    const show = () => {
      const n = Number(slider.value), last = said.terms[n - 1];
      words.textContent = said.maximum
          ? `${n} of ${count} looked at; the largest so far: ${n > 0 ? digits(last.sum) : "none"}`
          : `${n} of ${count} terms; the sum so far: ${n > 0 ? digits(last.sum, 7) : "0"}`;
      chart.replaceChildren(Lab.curve(said.maximum ? "The largest so far" : "The sum, term by term",
                                      said.maximum ? sums.slice(1) : sums, { at: said.maximum ? n - 1 : n }));
      const first = Math.max(0, Math.min(n - 4, count - 6));
      list.replaceChildren(Lab.table(["term", "of", "numbers", "value", said.maximum ? "largest" : "sum"],
          said.terms.slice(first, first + 6).map((t, i) => {
            const line = Lab.row(String(first + i + 1), whole(t.what), whole(t.numbers), digits(t.value),
                                 first + i < n ? digits(t.sum) : "");
            if (first + i === n - 1) line.className = "chosen";
            return line;
          })));
    };
    let timer = 0;
    slider.addEventListener("input", () => { clearInterval(timer); show(); });
    play.addEventListener("click", () => {
      clearInterval(timer);
      slider.value = 0;
      timer = setInterval(() => {
        if (!slider.isConnected || Number(slider.value) >= count) return clearInterval(timer);
        slider.value = Number(slider.value) + Math.max(1, Math.round(count / 120));
        show();
      }, 60);
    });
    story.replaceChildren(
        el("h3", {}, `${said.element} = ${digits(said.value, 7)}`),
        el("p", { class: "formula" }, el("code", {}, `${said.element} = ${said.formula}`)),
        ...said.notes.map((n) => el("p", {}, n)), ...(before ? [before] : []),
        ...(count > 0 ? [el("div", { class: "stepper" }, play, slider), words, chart, list] : []),
        ...said.then.map((t) => el("p", {}, el("code", {}, t))),
        el("p", { class: "note" }, `From its terms: ${said.value}. The layer itself computed ${said.tensor}.`));
    if (count > 0) show();
  }

  // Window, filter and products of a convolution's output, colour by colour.
  function patches(said) {
    const [top, left] = said.window, [, seen, rows, columns] = run.filters.shape, [channels, h, w] = shapeIn();
    const group = Math.floor(state.map / (shapeOut()[0] / (channels / seen)));
    const x = (c, r, k) => {
      const ih = top + r, iw = left + k;
      return ih < 0 || iw < 0 || ih >= h || iw >= w ? 0 : run.input[((group * seen + c) * h + ih) * w + iw];
    };
    const f = (c, r, k) => run.weight[((state.map * seen + c) * rows + r) * columns + k];
    const all = (value) => {
      let most = 0;
      for (let c = 0; c < seen; ++c)
        for (let r = 0; r < rows; ++r) for (let k = 0; k < columns; ++k) most = Math.max(most, Math.abs(value(c, r, k)));
      return most;
    };
    const product = (c, r, k) => x(c, r, k) * f(c, r, k);
    const lines = [];
    for (let c = 0; c < seen; ++c) {
      const panel = (words, value, tint) => {
        const canvas = Lab.picture(words);
        Lab.paint(canvas, rows, columns, (r, k) => tint(value(c, r, k)));
        return el("figure", {}, canvas, el("figcaption", {}, words));
      };
      const name = ["red", "green", "blue"][group * seen + c], most = all(x);
      lines.push(el("div", { class: "patches" },
          panel(`window, ${name}`, x, run.filters.names[0] === "filter 0" ? Lab.signed(most) : Lab.grey(0, 1)),
          el("span", { "aria-hidden": "true" }, "x"), panel("filter", f, Lab.signed(all(f))),
          el("span", { "aria-hidden": "true" }, "="), panel("products", product, Lab.signed(all(product)))));
    }
    return el("div", {}, ...lines);
  }

  // ---- pointing ----------------------------------------------------------------------------------------
  function follow(canvas, backward) {
    const set = (place) => {
      const [, h, w] = backward ? shapeIn() : shapeOut();
      const inside = [Math.max(0, Math.min(h - 1, place[0])), Math.max(0, Math.min(w - 1, place[1]))];
      state.backward = backward;
      if (backward) state.from = inside;
      else state.at = inside;
      look();
    };
    canvas.addEventListener("pointerdown", (e) => {
      const frame = canvas.getBoundingClientRect();
      set([Math.floor((e.clientY - frame.top) / frame.height * canvas.height),
           Math.floor((e.clientX - frame.left) / frame.width * canvas.width)]);
    });
    canvas.addEventListener("pointermove", (e) => {
      if (e.pointerType !== "mouse" || run.steps[0].multiply_adds >= 3e7) return;
      const frame = canvas.getBoundingClientRect();
      set([Math.floor((e.clientY - frame.top) / frame.height * canvas.height),
           Math.floor((e.clientX - frame.left) / frame.width * canvas.width)]);
    });
    canvas.addEventListener("keydown", (e) => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[e.key];
      if (!step) return;
      e.preventDefault();
      const [r, c] = backward ? state.from : state.at;
      set([r + step[0], c + step[1]]);
    });
  }
  follow(output, false);
  follow(input, true);
  colour.addEventListener("input", look);

  // ---- the form, and a photograph of one's own ------------------------------------------------------------
  form.addEventListener("submit", (e) => e.preventDefault());
  form.addEventListener("input", (e) => {
    if (e.target.name === "file") return;
    if (e.target.name === "filters") {  // the sizes that belong to them
      const [stride, padding] = { edges: [1, 1], blur: [1, 2], trained: [4, 0] }[e.target.value];
      form.elements.stride.value = stride;
      form.elements.padding.value = padding;
      state.stage = state.map = 0;
    }
    compute();
  });
  const open = async (file) => {
    try {
      photo = await createImageBitmap(file);
      compute();
    } catch {
      problem.hidden = false;
      problem.replaceChildren(el("p", { class: "impossible", role: "alert" },
                                 `${file.name || "this"} is no picture that the browser can open`));
    }
  };
  form.elements.file.addEventListener("change", () => form.elements.file.files[0] && open(form.elements.file.files[0]));
  place.addEventListener("dragover", (e) => e.preventDefault());
  place.addEventListener("drop", (e) => {
    e.preventDefault();
    if (e.dataTransfer.files[0]) open(e.dataTransfer.files[0]);
  });

  photo = await createImageBitmap(new Blob([await Lab.unpack("photo.jpg")], { type: "image/jpeg" }));
  compute();
});
