// "Break a backward": chooses a mistake out of the bank, runs the gradient check on it, shows the verdict.
"use strict";

Lab.start("gradient-lab", async (library, place) => {
  const { el } = Lab;
  const { mistakes: bank, style } = library.ask({ ask: "mistakes" });
  document.head.append(el("style", {}, style));  // of the library's drawings
  const layers = [...new Set(bank.map((m) => m.op))];
  const named = (list, chosen) => list.map((name) => el("option", { value: name, selected: name === chosen }, name));
  const layer = el("select", { name: "layer" }, ...named(layers, "conv2d"));
  const mistake = el("select", { name: "mistake" });
  const form = el("form", { class: "calculator wide" }, el("label", {}, "layer", layer),
                  el("label", {}, "mistake in its backward", mistake));
  const guess = el("button", { type: "button" }, "a mistake at random, name hidden");
  const problem = el("div", { hidden: true }), result = el("div", { "aria-live": "polite" });
  place.append(form, el("p", {}, guess), problem, result);

  function fill() {
    const right = bank.find((m) => m.op === layer.value && m.right);
    mistake.replaceChildren(
        ...(right ? [el("option", { value: "" }, "none: the layer as it is")] : []),
        ...bank.filter((m) => m.op === layer.value).map((m, i) =>
            el("option", { value: m.name, selected: i === 0 }, m.what)));
  }

  const drawing = (svg) => {
    const box = el("div", { class: "laboratory" });
    box.innerHTML = svg;  // made by the library, of numbers
    return box;
  };

  // The name that the check gives to a mistake: where the reader is to find it, one click away.
  function named_so(name, words, hidden) {
    const box = el("p", { class: "impossible" }, el("strong", {}, name ? `${name}: ` : ""), words);
    return hidden ? el("details", {}, el("summary", {}, "What the check says"), box) : box;
  }

  function tensor(t, hidden) {
    const wrong = t.verdict === "WRONG";
    const parts = [
      el("p", {}, `${t.compared} compared, ${t.wrong} wrong` +
                  (t.skipped > 0 ? `, ${t.skipped} skipped, where there is no derivative.` : ".")),
      ...(t.histogram ? [el("figure", {}, drawing(t.histogram),
                            el("figcaption", {}, "How many entries have an error of which size"))] : []),
      ...(wrong && t.maps.length ? [el("figure", {}, el("div", { class: "two" }, ...t.maps.map(drawing)),
                               el("figcaption", {}, "Where the errors are: the largest for each pair of indices"))] : []),
      ...(t.curve ? [el("figure", {}, drawing(t.curve), el("figcaption", {},
          "What differences make of one entry, over their step: where the gradient is wrong, the V has a flat bottom"))] : []),
    ];
    const title = `d${t.name} ${t.shape}: ${t.verdict}`;
    if (!wrong) return el("details", {}, el("summary", {}, title), ...parts);
    const why = t.diagnosis ? [named_so(t.mistake, t.diagnosis, hidden)] : [];
    return el("section", {}, el("h3", {}, title), ...(hidden ? [...parts, ...why] : [...why, ...parts]));
  }

  function run(request, hidden) {
    guess.disabled = true;
    result.replaceChildren(el("p", {}, "Checking ..."));
    setTimeout(() => {  // so that this is seen
      guess.disabled = false;
      Lab.say(problem, () => {
        const said = library.ask(request);
        const made = bank.find((m) => m.name === request.mistake);
        const answer = made && el("p", {}, `The mistake was: ${made.what}, in the gradient by ${made.tensor} ` +
                                           `(${made.op}).`);
        result.replaceChildren(
            el("h3", {}, `Verdict: ${said.verdict}`),
            ...(hidden ? [el("p", {}, `In the backward of ${made.op}. Look at the pictures: which mistake is it?`)] : []),
            ...(said.mistake ? [named_so(said.mistake, said.diagnosis, hidden)] : []),
            ...[...said.tensors].sort((a, b) => (b.verdict === "WRONG") - (a.verdict === "WRONG"))
                .map((t) => tensor(t, hidden)),
            ...(hidden ? [el("details", {}, el("summary", {}, "Which mistake was it?"), answer)] : []),
            el("details", {}, el("summary", {}, "The same as limulus gradcheck prints it"),
               el("div", { class: "highlight" }, el("pre", {}, said.text))));
      });
      if (!problem.hidden) result.replaceChildren();
    }, 20);
  }
  const chosen = () => run(mistake.value ? { ask: "check", mistake: mistake.value } : { ask: "check", op: layer.value }, false);
  layer.addEventListener("input", () => { fill(); chosen(); });
  mistake.addEventListener("input", chosen);
  form.addEventListener("submit", (e) => e.preventDefault());
  guess.addEventListener("click", () =>
      run({ ask: "check", mistake: bank[Math.floor(Math.random() * bank.length)].name }, true));
  fill();
  chosen();
});
