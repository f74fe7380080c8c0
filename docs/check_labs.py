#!/usr/bin/env python3
"""Compares the laboratories of the site, run in a headless Chromium, with the library as it is
compiled for this machine.

    docs/check_labs.py PROGRAM SCRIPTS     browser_answers, and what browser/pack.py made

The same requests go through both: sizes, arithmetic term by term, gradients, verdicts and the words
of errors must be the same, numbers up to the last digits of the system's exp and pow. Then each
page is opened from a folder: it must show a result without an error. Prints the size of what is
loaded (at most 2 MB) and how long each page took. Ends with 77, "skipped", where there is no
Chromium or where the scripts were not made, as there is no emscripten.
"""

import gzip
import json
import math
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import chromium
from check_layout import Browser

ROOT = Path(__file__).resolve().parents[1]
LABS = ROOT / "docs" / "labs"
LARGEST = 2_000_000  # bytes of scripts
PAGES = {  # the scripts that each page loads, as its Markdown says, and what it must show
    "convolution": "floor((127 - 3 + 2*1)/1) + 1 = 127",
    "gradient": "Verdict: WRONG",
    "digit": "It looks like a 5",
    "training": "2,000 digits to learn from",
}


def requests() -> list[dict]:
    """What is asked of both. Names of files are bytes that are handed over first."""
    draw = random.Random(2012)
    asked = []
    settings = [
        {"filters": "edges", "stride": 1, "padding": 1, "groups": 1},
        {"filters": "edges", "stride": 2, "padding": 0, "groups": 3},
        {"filters": "blur", "stride": 1, "padding": 2, "groups": 3},
        {"filters": "trained", "stride": 4, "padding": 0, "groups": 1},
        {"filters": "trained", "stride": 4, "padding": 0, "groups": 3},
    ]
    for i, setting in enumerate(settings):
        pool = (3, 2) if i % 2 == 0 else (2, 2)
        asked.append({"ask": "convolution", "width": 40, "height": 40, **setting, "relu": 1,
                      "lrn_alpha": 0.5 if i < 3 else 0.0001, "lrn_size": 5, "pool": pool[0],
                      "pool_stride": pool[1]})
        for stage in range(4):
            for _ in range(4):
                index = [draw.randrange(3), draw.randrange(3), draw.randrange(3)]
                asked += [{"ask": what, "stage": stage, "index": index}
                          for what in ("element", "reach", "gradient")]
                asked.append({"ask": "values", "name": "gradient", "at": 0, "count": 4800})
            asked.append({"ask": "values", "name": f"stage/{stage}", "at": 0, "count": 12})
    good = {"ask": "convolution", "width": 40, "height": 40, "filters": "edges", "stride": 1,
            "padding": 0, "groups": 1, "relu": 0, "lrn_alpha": 0, "lrn_size": 5, "pool": 0,
            "pool_stride": 1}
    asked += [{**good, **wrong} for wrong in (
        {"groups": 2}, {"groups": 0}, {"stride": 0}, {"padding": -3}, {"pool": 99}, {"width": 41},
        {"filters": "none"}, {"stride": 1.5}, {"padding": 999999}, {"relu": "yes"})]
    asked += [{"ask": "element", "stage": 0, "index": [0, 0, 0]}, {"ask": "nothing"}, {}]
    asked += [{"ask": "mistakes"}] + [{"ask": "check", "mistake": name} for name in (
        "conv2d-x-flipped", "conv2d-w-group", "linear-w-transposed")]
    asked += [{"ask": "check", "op": "lrn"}, {"ask": "check", "op": "conv2d"},
              {"ask": "check", "mistake": "none"}]
    asked += [{"ask": "digit", "side": 40, "as_it_is": 0},
              {"ask": "values", "name": "digit/fc5", "at": 0, "count": 10},
              {"ask": "digit", "side": 28, "as_it_is": 1}]
    asked += [{"ask": "train/steps", "count": 1},
              {"ask": "train/begin", "seed": 3, "rate": 0.01, "batch": 10},
              {"ask": "train/steps", "count": 3}, {"ask": "train/test"},
              {"ask": "train/begin", "seed": 3, "rate": -1, "batch": 10}]
    return asked


def files(folder: Path) -> dict[str, Path]:
    """What is handed over before anything is asked."""
    draw = random.Random(1998)
    made = {"photo": bytes(draw.randrange(256) for _ in range(40 * 40 * 4)),
            "drawing": bytes(255 * (8 < i // 40 < 30 and 15 < i % 40 < 22) for i in range(1600))}
    digits = ROOT / "data" / "digits" / "mnist"
    for part, source in (("train", "train"), ("test", "t10k")):
        for what, header, each in (("images-idx3", 16, 784), ("labels-idx1", 8, 1)):
            data = gzip.decompress((digits / f"{source}-{what}-ubyte.gz").read_bytes())
            few = data[:4] + (60).to_bytes(4, "big") + data[8:header + 60 * each]
            made[f"{part}-{what.partition('-')[0]}"] = few
    for name, data in made.items():
        (folder / name).write_bytes(data)
    return {name: folder / name for name in made}


def by_program(program: str, folder: Path, given: dict[str, Path],
               asked: list[dict]) -> list[dict]:
    lines = [f"bytes {name} {path}" for name, path in given.items()]
    lines += [json.dumps(request) for request in asked]
    done = subprocess.run([program], input="\n".join(lines) + "\n", capture_output=True, text=True,
                          check=True, timeout=600, cwd=folder)
    return [json.loads(line) for line in done.stdout.splitlines()]


def open_page(browser: Browser, page: Path) -> None:
    browser.ask("Page.navigate", until="Page.loadEventFired", url=page.resolve().as_uri())


def evaluate(browser: Browser, expression: str):
    got = browser.ask("Runtime.evaluate", expression=expression, awaitPromise=True,
                      returnByValue=True)
    if "exceptionDetails" in got:
        raise RuntimeError(got["exceptionDetails"]["exception"]["description"])
    return got["result"].get("value")


def by_browser(browser: Browser, folder: Path, given: dict[str, Path],
               asked: list[dict]) -> list[dict]:
    page = folder / "asked.html"
    scripts = "".join(f'<script src="{name}"></script>' for name in (
        "lab_library.js", "lab_convolution_data.js", "lab_digit_data.js", "lab.js"))
    page.write_text(f'<!doctype html><meta charset="utf-8">{scripts}', encoding="utf-8")
    open_page(browser, page)
    handed = {name: list(path.read_bytes()) for name, path in given.items()}
    return evaluate(browser, """(async () => {
      const library = await Lab.open(), handed = %s, asked = %s;
      for (const name of ["conv1.safetensors", "digits.safetensors"])
        library.give(name, await Lab.unpack(name));
      for (const [name, bytes] of Object.entries(handed))
        library.give(name, Uint8Array.from(bytes));
      return asked.map((request) => {
        try { return library.ask(request); } catch (e) { return {error: e.message}; }
      });
    })()""" % (json.dumps(handed), json.dumps(asked)))


def difference(a, b, scale: float, where: str = "") -> str:
    """Where two answers differ, or "". Numbers may by 1e-9 of their size, as exp and pow do in
    their last digits, and training in single precision by 1e-4: `scale`."""
    if isinstance(a, dict) and isinstance(b, dict):
        if list(a) != list(b):
            return f"{where}: {list(a)} and {list(b)}"
        return next(filter(None, (difference(a[k], b[k], scale, f"{where}.{k}") for k in a)), "")
    if isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            return f"{where}: {len(a)} and {len(b)}"
        return next(filter(None, (difference(x, y, scale, f"{where}[{i}]")
                                  for i, (x, y) in enumerate(zip(a, b)))), "")
    numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in (a, b))
    if numbers and math.isclose(a, b, rel_tol=scale, abs_tol=scale * 1e-3):
        return ""
    return "" if a == b else f"{where}: {a!r} and {b!r}"


def without_pictures(answer: dict) -> dict:
    """Of a gradient check what is said. Errors of a right gradient are rounding, and so differ from
    one machine to the next: its pictures do, and the table of them."""
    if "tensors" not in answer:
        return answer
    kept = ("name", "shape", "verdict", "compared", "skipped", "wrong", "mistake", "diagnosis")
    return {"verdict": answer["verdict"], "mistake": answer["mistake"],
            "tensors": [{name: t[name] for name in kept} for t in answer["tensors"]]}


def page_findings(browser: Browser, folder: Path) -> list[str]:
    findings = []
    for name, wanted in PAGES.items():
        text = (LABS / f"{name}.md").read_text(encoding="utf-8")
        lines = [line.replace("../../_static/", "") for line in text.splitlines()
                 if line.startswith(("<div ", "<script "))]
        page = folder / f"{name}.html"
        page.write_text('<!doctype html><meta charset="utf-8"><body>' + "\n".join(lines),
                        encoding="utf-8")
        open_page(browser, page)
        state = evaluate(browser, """new Promise((done) => {
          const place = document.querySelector(".lab");
          const { dataset } = place;
          const say = () => done([dataset.ready, dataset.failed, place.textContent]);
          const look = () => setTimeout(...(dataset.ready || dataset.failed ? [say, 1500]
                                                                            : [look, 20]));
          look();
        })""")
        ready, failed, shown = state
        if failed or wanted not in shown:
            findings.append(f"{name}: does not show '{wanted}': {failed or shown[:200]}")
        else:
            print(f"{name}: {ready} ms from the page's scripts to its first result")
    return findings + trained_findings(browser)


def trained_findings(browser: Browser) -> list[str]:
    """The last page, in which a Worker trains: the page stays alive, draws a curve while not all
    of it is known, and can stop it."""
    said = evaluate(browser, """new Promise((done) => {
      const place = document.querySelector(".lab");
      const [train, stop] = place.querySelectorAll(".buttons button");
      const words = () => place.textContent;
      let ticks = 0, stopped = false;
      train.click();
      const look = setInterval(() => {
        ++ticks;
        const batch = Number((/Batch (\\d+)/.exec(words()) || [0, 0])[1]);
        if (batch >= 10 && !stopped) { stopped = true; stop.click(); }
        if (/Stopped|could not|error/.test(words()) || ticks > 2000) {
          clearInterval(look);
          const curve = place.querySelector(".thick")?.getAttribute("d") ?? "";
          done([batch, ticks, words(), new Set(curve.match(/,[\\d.]+/g)).size]);
        }
      }, 50);
    })""")
    batch, ticks, words, heights = said
    if "Stopped" not in words or batch < 10:
        return [f"training: did not stop after ten batches, but: {words[:300]}"]
    if heights < 5:
        return [f"training: the curve of {batch} batches has {heights} heights"]
    print(f"training: {batch} batches in {ticks * 50} ms or more, the page alive, then stopped")
    return []


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__)
        return 2
    program, scripts = str(Path(sys.argv[1]).resolve()), Path(sys.argv[2])
    path = chromium.find()
    if path is None:
        print("skipped: there is no Chromium here")
        return chromium.SKIPPED
    if not (scripts / "lab_library.js").exists():
        print("skipped: the laboratories were not built, as there is no emscripten here")
        return chromium.SKIPPED
    findings = []
    with tempfile.TemporaryDirectory(prefix="limulus-labs-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for source in (*scripts.glob("*.js"), *(LABS / "static").iterdir()):
            shutil.copy(source, folder)
        total = sum(p.stat().st_size for p in folder.iterdir())
        print(f"{total:,} bytes of scripts and data in all")
        if total > LARGEST:
            findings.append(f"{total:,} bytes are more than {LARGEST:,}")
        sys.path.insert(0, str(ROOT / "browser"))
        import pack  # what the browser is handed, for the program as files
        (folder / "conv1.safetensors").write_bytes(pack.tensors_of(
            pack.TRAINED / "convolutions.safetensors", ["conv1.weight", "conv1.bias"]))
        shutil.copy(pack.TRAINED / "digits.safetensors", folder)
        given, asked = files(folder), requests()
        browser = Browser(path, name)
        try:
            answers = zip(asked, by_program(program, folder, given, asked),
                          by_browser(browser, folder, given, asked), strict=True)
            for request, a, b in answers:
                scale = 1e-4 if str(request.get("ask")).startswith(("train", "digit")) else 1e-9
                if why := difference(without_pictures(a), without_pictures(b), scale):
                    findings.append(f"{request}\n  program and browser differ at {why}")
            findings += page_findings(browser, folder)
        except RuntimeError as error:
            findings.append(str(error))
        finally:
            browser.close()
    print("\n".join(findings)
          or f"{len(asked)} answers and {len(PAGES)} pages agree with the program")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
