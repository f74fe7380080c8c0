"""The results for people. A ratio above 1 means that Limulus is faster.

    python table.py build/versus.json               the tables again
    python table.py build/versus.json --markdown    for a page such as docs/measurements.md
"""
import json
import statistics
import sys

NETWORK_PARTS = ("training", "inference")


def measured(row):
    """Those who have a number, without those who failed."""
    return {n: s for n, s in row["contenders"].items() if "failure" not in s}


def best_other(row, key="ms"):
    """The name of the fastest that is not Limulus, or None."""
    others = {n: s[key] for n, s in measured(row).items()
              if not n.startswith("limulus") and key in s}
    return min(others, key=others.get) if others else None


def ratio(row, name, who="limulus", key="ms"):
    """How many times as fast as `name` Limulus does this work, or None."""
    done = measured(row)
    if who not in done or name not in done:
        return None
    return done[name][key] / done[who][key]


def times(quotient):
    return f"{quotient:.2f}" if quotient else "-"


def mark(summary):
    """~ before a median that includes disturbed repetitions."""
    return "~" if summary["disturbed"] else ""


def number(row, name):
    """The figure of a contender as text."""
    s = row["contenders"].get(name)
    if s is None:
        return "-"
    if "failure" in s:
        return "failed"
    if row["kind"] == "gemm":
        return f"{mark(s)}{s['gflops']:.1f}"
    if row["kind"] in ("start", "first start"):
        return f"{mark(s)}{s['ms'] / 1e3:.2f}"
    return f"{mark(s)}{s['images_per_second']:.1f}"


def mean(row, name):
    """What a step of a contender takes on average, as text."""
    s = row["contenders"].get(name)
    if s is None or "failure" in s:
        return "-" if s is None else "failed"
    return f"{mark(s)}{s['mean_ms']:.2f}"


def in_words(threads):
    return f"{threads} thread{'s' * (threads > 1)}"


# ---- sections: (title, rows of text with the head first, lines of text below) -------------------

def side_by_side(results, part, threads, names, title):
    """One row for each work: who is how fast, and Limulus against the best of the others."""
    rows = [r for r in results if r["part"] == part and r["threads"] == threads
            and r["kind"] != "peak"]
    if not rows:
        return
    names = [n for n in names if any(n in r["contenders"] for r in rows)]
    table = [["", *names, "best other", "limulus / best"]]
    for r in rows:
        best = best_other(r)
        label = f"{r['work']}, {r['shape']}" if part == "gemm" else r["work"]
        table.append([label, *(number(r, n) for n in names), best or "-", times(ratio(r, best))])
    yield (f"{title}, {in_words(threads)}", table,
           shares_of_peak(results, threads) if part == "gemm" else [])


def shares_of_peak(results, threads):
    """What part of the processor's peak the products reach."""
    peak = next((measured(r)["limulus"]["gflops"] for r in results if r["kind"] == "peak"
                 and r["threads"] == threads and "limulus" in measured(r)), 0)
    rows = [r for r in results if r["kind"] == "gemm" and r["threads"] == threads]
    lines = []
    for name in ("limulus", "limulus-opencl"):
        reached = [f"{100 * measured(r)[name]['gflops'] / peak:.0f} % ({r['shape']})"
                   for r in rows if peak and name in measured(r)]
        if reached:
            lines.append(f"Of the peak of multiply-adds, {peak:.1f} GFLOP/s, {name} reaches "
                         + ", ".join(reached))
    return lines


def against_each(results, names, who):
    """Limulus against every framework: one row for each work and number of threads."""
    rows = [r for r in results if r["part"] in (*NETWORK_PARTS, "start") and who in measured(r)
            and r["kind"] != "first start"]
    others = [n for n in names if n != who and any(ratio(r, n, who) for r in rows)]
    if others:
        yield ("How many times as fast as each",
               [[f"{who} / ...", "threads", *others],
                *([r["work"], str(r["threads"]), *(times(ratio(r, n, who)) for n in others)]
                  for r in rows)], [])


def peak_memory(results, names):
    rows = [r for r in results if r["part"] in (*NETWORK_PARTS, "start")
            and r["kind"] != "first start"]
    names = [n for n in names if any(n in measured(r) for r in rows)]
    if names:
        yield ("Peak memory of the process",
               [["MB", "threads", *names],
                *([r["work"], str(r["threads"]),
                   *(f"{measured(r)[n]['memory_mb']:.0f}" if n in measured(r) else "-"
                     for n in names)] for r in rows)], [])


def memory_passes(results, limit):
    """Passes over memory: the share of what a loop reaches that moves the same bytes and computes
    nothing, the median of the undisturbed repetitions."""
    rows = [r for r in results if r["part"] == "memory" and "limulus" in measured(r)]
    if not rows:
        return
    found = {}  # {pass: {threads: (ms, GB/s, share)}}
    for r in rows:
        samples = measured(r)["limulus"]["samples"]
        samples = [s for s in samples if s["foreign_share"] <= limit] or samples
        for passes in zip(*(s["passes"] for s in samples)):
            found.setdefault(passes[0]["name"], {})[r["threads"]] = [
                statistics.median(p[k] for p in passes) for k in ("ms", "gbps", "share")]
    threads = [r["threads"] for r in rows]
    table = [["", *(f"{what}, {in_words(n)}" for n in threads for what in ("ms", "GB/s", "share"))]]
    for name, at in found.items():
        if all(ms > 0 for ms, _, _ in at.values()):  # not the bare streams
            table.append([name, *(text for n in threads for text in (
                (f"{at[n][0]:.3f}", f"{at[n][1]:.1f}", f"{100 * at[n][2]:.0f} %") if n in at
                else ("-", "-", "-")))])
    below = sum(at[max(at)][2] < 0.8 for at in found.values() if at[max(at)][0] > 0)
    yield (f"Passes over memory, batch {rows[0]['batch']}, beside a loop that moves the same bytes",
           table,
           [f"{below} of {len(table) - 1} passes are below 80 % on {in_words(max(threads))}"])


def small_weights(results):
    rows = [r for r in results if r["part"] == "bf16" and "limulus" in measured(r)]
    if rows:
        yield ("Limulus: fully connected layers' weights stored as f32 and as bf16",
               [["inference", "threads", "ms", "images/s", "MB"],
                *([r["work"], str(r["threads"]), f"{mark(s)}{s['ms']:.2f}",
                   f"{s['images_per_second']:.1f}", f"{s['memory_mb']:.0f}"]
                  for r in rows for s in [measured(r)["limulus"]])],
               ["The peak of bf16 holds both: random f32 weights are made, then stored anew"])


def scaling(results):
    """Limulus alone: how much faster it is on more threads."""
    rows = [r for r in results if r["part"] == "scaling" and "limulus" in measured(r)]
    threads = sorted({r["threads"] for r in rows})
    if not rows:
        return
    table = [["images/s", *map(in_words, threads), *(f"{t} / {threads[0]}" for t in threads[1:])]]
    for work in dict.fromkeys(r["work"] for r in rows):
        s = {r["threads"]: measured(r)["limulus"] for r in rows if r["work"] == work}
        table.append([work, *(f"{mark(s[t])}{s[t]['images_per_second']:.1f}" if t in s else "-"
                              for t in threads),
                      *(f"{s[threads[0]]['ms'] / s[t]['ms']:.2f}" if t in s and threads[0] in s
                        else "-" for t in threads[1:])])
    yield "Limulus: threads and batches", table, []


def from_files(results):
    """Training from files beside the same step, of 5 classes, on a batch in memory."""
    rows = [r for r in results if r["part"] == "data" and "limulus" in measured(r)]
    step = next((measured(r)["limulus"] for r in rows if r["kind"] == "training"), None)
    files = [(r["work"], measured(r)["limulus"]) for r in rows if r["kind"] == "data"]
    if not files:
        return
    table = [["photographs", "read before the first step, s", "first epoch, images/s", "waiting",
              "second epoch, images/s", "waiting", "of the step alone"]]
    for name, s in files:
        share = s["images_per_second"] / step["images_per_second"] if step else 0
        table.append([name, f"{s['prepare_seconds']:.2f}",
                      f"{s['first_epoch_images_per_second']:.1f}",
                      f"{100 * s['first_epoch_waiting']:.1f} %",
                      f"{mark(s)}{s['images_per_second']:.1f}", f"{100 * s['waiting']:.1f} %",
                      f"{100 * share:.0f} %" if step else "-"])
    yield (f"Limulus, training from files, {in_words(rows[0]['threads'])}, batch 32", table,
           [f"The step alone: {mark(step)}{step['images_per_second']:.1f} images/s"]
           if step else [])


def busy_machine(results, names):
    """The same work on a quiet machine and beside a spinning process for each core: milliseconds a
    step, on average."""
    rows = [r for r in results if r["part"] == "busy"]
    names = [n for n in names if any(n in r["contenders"] for r in rows)]
    found = {(r["work"], r["threads"], r["busy"]): r for r in rows if r["runs"] == 1}
    if not found:
        return
    table = [["", "threads", *(f"{n}, {when}" for n in names for when in ("quiet", "busy")),
              "best other, busy", "limulus / best"]]
    below = []
    for work, threads, busy in found:
        if busy or (work, threads, True) not in found:
            continue
        both = [found[work, threads, b] for b in (False, True)]
        best = best_other(both[1], "mean_ms")
        table.append([work, str(threads), *(mean(r, n) for n in names for r in both), best or "-",
                      times(ratio(both[1], best, key="mean_ms"))])
    for work in dict.fromkeys(work for work, _, _ in found):
        for busy in (False, True):
            ms = {t: measured(r)["limulus"]["mean_ms"] for (w, t, b), r in found.items()
                  if (w, b) == (work, busy) and "limulus" in measured(r)}
            if len(ms) > 1:
                below.append(f"{work}, {'busy' if busy else 'quiet'}: {in_words(max(ms))} of "
                             f"limulus are {ms[min(ms)] / ms[max(ms)]:.2f} times as fast as "
                             f"{in_words(min(ms))}")
    for r in rows:
        if r["runs"] == 1:
            continue
        alone = next((f for (w, t, b), f in found.items()
                      if r["work"].startswith(w) and t == r["threads"] and not b), None)
        for n in names if alone else ():
            if n in measured(r) and n in measured(alone):
                share = measured(r)[n]["mean_ms"] / measured(alone)[n]["mean_ms"]
                below.append(f"{r['work']}, {in_words(r['threads'])}: {n} takes {share:.2f} times "
                             "as long as one alone")
    yield "The busy machine: a spinning process beside each core, ms a step", table, below


def host_work(results):
    """What the host does while an OpenCL device computes."""
    rows = [(r, measured(r).get("limulus-opencl", {})) for r in results
            if r["part"] in NETWORK_PARTS]
    rows = [(r, s) for r, s in rows if "host_share" in s]
    if rows:
        yield ("limulus-opencl: the host's own work",
               [["", "threads", "host, ms", "whole, ms", "share"],
                *([r["work"], str(r["threads"]), f"{s['host_ms']:.2f}", f"{s['ms']:.1f}",
                   f"{100 * s['host_share']:.1f} %"] for r, s in rows)], [])


def remarks(document):
    """Lines without a table."""
    beside = document.get("clblast")
    if beside and "failure" in beside:
        yield f"CLBlast: not available: {beside['failure']}"
    elif beside:
        of_peak = (f", {100 * beside['gflops'] / beside['peak_gflops']:.0f} % of the peak"
                   if "peak_gflops" in beside else "")
        yield (f"OpenCL, {beside['size']} x {beside['size']} x {beside['size']}: "
               f"{beside['gflops']:.1f} GFLOP/s{of_peak}; CLBlast in turns: "
               f"{beside['clblast_gflops']:.1f}; ratio {beside['ratio']:.1f}")
    check = document.get("torchvision")
    if check and "failure" in check:
        yield f"State dict of torchvision's AlexNet: not available: {check['failure']}"
    elif check:
        yield (f"State dict of torchvision's AlexNet: the logits differ by at most "
               f"{check['largest_difference']:.1e} of {check['largest_logit']:.2f}; with bf16 "
               f"weights they are wrong by at most {check['largest_error_of_bf16']:.1e}, and the "
               f"class of {check['same_class_with_bf16']} of {check['images']} images is the same")
    samples = [s for r in document["results"] for c in r["contenders"].values()
               for s in c.get("samples", ())]
    disturbed = sum(s["foreign_share"] > document["settings"]["disturbed_share"] for s in samples)
    yield (f"{disturbed} of {len(samples)} repetitions were disturbed by others. A median marked ~ "
           "had too few undisturbed ones and is of all: measure again on a quieter machine before "
           "you rely on it.")


def sections(document):
    results, names = document["results"], list(document["contenders"])
    for threads in document["settings"]["threads"]:
        for part, title in (("gemm", "Products of matrices M x N x K, GFLOP/s"),
                            ("training", "AlexNet, training, images/s"),
                            ("inference", "AlexNet, inference, images/s"),
                            ("start", "From the start of the process to the class of one image, "
                                      "seconds")):
            yield from side_by_side(results, part, threads, names, title)
    yield from against_each(results, names, "limulus")
    yield from against_each(results, names, "limulus-opencl")
    yield from peak_memory(results, names)
    yield from memory_passes(results, document["settings"]["disturbed_share"])
    yield from small_weights(results)
    yield from scaling(results)
    yield from from_files(results)
    yield from busy_machine(results, names)
    yield from host_work(results)


def machine(document):
    """(name, value) of where the results were made, and of who took part."""
    yield from document["provenance"].items()
    for name, versions in document["contenders"].items():
        if "failure" not in versions:
            yield name, ", ".join(f"{k} {v}" for k, v in versions.items())


def failures(document):
    for name, versions in document["contenders"].items():
        if "failure" in versions:
            yield f"{name}: not available: {versions['failure']}"
    for r in document["results"]:
        for name, s in r["contenders"].items():
            if "failure" in s:
                yield (f"{name}, {r['work']}, {in_words(r['threads'])}: not available: "
                       f"{s['failure']}")


# ---- two ways to write them ---------------------------------------------------------------------

def print_rows(rows):
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  " + "  ".join(text.ljust(w) if i == 0 else text.rjust(w)
                               for i, (text, w) in enumerate(zip(row, widths))).rstrip())


def print_results(document):
    """`document` is what versus.json holds."""
    print()
    for name, value in machine(document):
        print(f"  {name:<20} {value}")
    print("".join(f"\n  {line}" for line in failures(document)) + "\n")
    for title, rows, below in sections(document):
        print(title)
        print_rows(rows)
        print("".join(f"  {line}\n" for line in below))
    print("\n".join(remarks(document)))


def print_markdown(document):
    print("; ".join(f"{name}: {value}" for name, value in machine(document)))
    for line in failures(document):
        print(f"\n* {line}")
    for title, rows, below in sections(document):
        print(f"\n### {title}\n")
        head, *body = rows
        for cells in (head, ["---"] * len(head), *body):
            print(f"| {' | '.join(cells)} |")
        print("".join(f"\n{line}\n" for line in below), end="")
    print("".join(f"\n{line}\n" for line in remarks(document)), end="")


if __name__ == "__main__":
    with open(sys.argv[1]) as source:
        {True: print_markdown, False: print_results}["--markdown" in sys.argv](json.load(source))
