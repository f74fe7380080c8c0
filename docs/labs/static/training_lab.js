// "Train it here": LeNet-5 learns in a Worker, so that the page stays alive, a few batches at a time, so that
// it can be stopped. The Worker is made of this page's own scripts, as a page from a folder cannot load one.
"use strict";

// What the Worker runs: {begin: settings} ... {stop: true}; it tells {step, losses}, {test}, {error}, {done}.
function trainingWorker() {
  let stopped = false;
  const pause = () => new Promise((go) => setTimeout(go, 0));  // a message may come in meanwhile
  self.onmessage = async ({ data }) => {
    if (data.stop) { stopped = true; return; }
    try {
      const library = await Lab.open(glue, data.binary);
      for (const [name, bytes] of Object.entries(data.files)) library.give(name, bytes);
      const begun = library.ask({ ask: "train/begin", ...data.settings });
      self.postMessage({ begun });
      for (let epoch = 0; epoch < data.epochs && !stopped; ++epoch) {
        for (let left = begun.batches; left > 0 && !stopped;) {
          const count = Math.min(2, left);
          self.postMessage({ ...library.ask({ ask: "train/steps", count }), filters: library.values("conv1") });
          left -= count;
          await pause();
        }
        self.postMessage({ epoch: epoch + 1, test: library.ask({ ask: "train/test" }) });
      }
      self.postMessage({ done: true, stopped });
    } catch (e) {
      self.postMessage({ error: e.message });
    }
  };
}

Lab.start("training-lab", async (library, place) => {
  const { el } = Lab;
  const names = { "train-images": "train-images.gz", "train-labels": "train-labels.gz", "test-images": "test-images.gz",
                  "test-labels": "test-labels.gz" };
  const files = {};
  for (const [name, packed] of Object.entries(names)) files[name] = await Lab.unpack(packed);
  const binary = await Lab.unpack("limulus.wasm.gz");

  const form = el("form", { class: "calculator" }, Lab.amount("learning rate", "rate", 0.01, 0, 10, "any"),
                  Lab.amount("digits in a batch", "batch", 20, 1, 2000), Lab.amount("epochs", "epochs", 5, 1, 100),
                  Lab.amount("seed", "seed", 1, 0, 1000000));
  const begin = el("button", { type: "button" }, "train"), stop = el("button", { type: "button", disabled: true }, "stop");
  const words = el("p", { "aria-live": "polite" }, "2,000 digits to learn from, 500 others to test on."), chart = el("div");
  const tests = el("div", { class: "trained" }), filters = el("div", { class: "maps large" }), problem = el("div", { hidden: true });
  place.append(form, el("p", { class: "buttons" }, begin, stop), problem, words,
               el("figure", {}, chart, el("figcaption", {}, "The loss of each batch (thin), and the mean of the last 20 (thick)")),
               tests, el("figure", {}, filters, el("figcaption", {}, "conv1's six filters, as they form")));

  let worker = null, losses = [], total = 0, rows = [], from = 0;

  function draw() {
    const means = losses.map((_, i) => {
      const last = losses.slice(Math.max(0, i - 19), i + 1);
      return last.reduce((a, b) => a + b, 0) / last.length;
    });
    const length = Math.max(total, losses.length), padded = (v) => [...v, ...Array(length - v.length).fill(NaN)];
    const high = Math.max(2.5, ...means), one = Lab.curve("Loss of each batch", padded(losses.map((v) => Math.min(v, high))),
                                                          { low: 0, high });
    const two = Lab.curve("Mean loss", padded(means), { low: 0, high });
    two.querySelector("path").setAttribute("class", "d-curve thick");
    one.append(two.querySelector("path"));
    chart.replaceChildren(one);
  }

  function end() {
    worker?.terminate();
    worker = null;
    begin.disabled = false;
    stop.disabled = true;
  }

  function told(data, batches) {
    if (data.error) {
      problem.hidden = false;
      problem.replaceChildren(el("p", { class: "impossible", role: "alert" }, data.error));
      words.textContent = "";
      end();
    } else if (data.done) {
      words.textContent += data.stopped ? " Stopped." : " Done.";
      end();
    } else if (data.test) {
      rows.push(Lab.row(String(data.epoch), Lab.percent(data.test.right / data.test.of), Lab.digits(data.test.loss, 4),
                        `${((performance.now() - from) / 1000).toFixed(1)} s`));
      tests.replaceChildren(Lab.table(["epoch", "of 500 others recognized", "their loss", "after"], rows));
    } else if (data.losses) {
      losses.push(...data.losses);
      const rate = losses.length / ((performance.now() - from) / 1000);
      words.textContent = `Batch ${data.step} of ${total}, ${(rate * Number(form.elements.batch.value)).toFixed(0)} ` +
                          "digits a second.";
      draw();
      const tint = Lab.signed(Lab.largest(data.filters));
      filters.replaceChildren(...Array.from({ length: 6 }, (_, k) => {
        const one = Lab.picture(`filter ${k}`);
        Lab.paintMap(one, data.filters, k, 5, 5, tint);
        return one;
      }));
    }
  }

  begin.addEventListener("click", () => {
    end();
    problem.hidden = true;
    [losses, rows, from] = [[], [], performance.now()];
    tests.replaceChildren();
    begin.disabled = true;
    stop.disabled = false;
    words.textContent = "Beginning ...";
    const f = form.elements, epochs = Math.max(1, Math.min(100, Math.trunc(Number(f.epochs.value)) || 1));
    const source = `"use strict"; const LimulusPacked = {}; const glue = ${LimulusPacked.glue};\n` +
        `${Lab.source}\n(${trainingWorker})();`;
    worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
    worker.onerror = (e) => told({ error: `the Worker could not start: ${e.message}` });
    worker.onmessage = ({ data }) => {
      if (data.begun) total = data.begun.batches * epochs;
      else told(data);
    };
    worker.postMessage({ binary, files, epochs, settings: { rate: Number(f.rate.value), batch: Number(f.batch.value),
                                                            seed: Number(f.seed.value) } });
  });
  stop.addEventListener("click", () => worker?.postMessage({ stop: true }));
  form.addEventListener("submit", (e) => e.preventDefault());
  draw();
});
