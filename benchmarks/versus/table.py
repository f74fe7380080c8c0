"""The results for people. A ratio above 1 means that Limulus is faster."""

NETWORK_PARTS = ("training", "inference")
UNITS = {"gemm": "GFLOP/s", "start": "seconds"}


def measured(row):
    """Those who have a number, without those who failed."""
    return {n: s for n, s in row["contenders"].items() if "failure" not in s}


def best_other(row):
    """The name of the fastest that is not Limulus, or None."""
    others = {n: s["ms"] for n, s in measured(row).items() if n != "limulus" and "ms" in s}
    return min(others, key=others.get) if others else None


def ratio(row, name):
    """How many times as fast as `name` Limulus does this work, or None."""
    done = measured(row)
    if "limulus" not in done or name not in done:
        return None
    return done[name]["ms"] / done["limulus"]["ms"]


def number(row, name):
    """The figure of a contender as text; ~ marks a median that includes disturbed repetitions."""
    s = row["contenders"].get(name)
    if s is None:
        return "-"
    if "failure" in s:
        return "failed"
    value = {"gemm": lambda: f"{s['gflops']:.1f}", "start": lambda: f"{s['ms'] / 1e3:.2f}"}.get(
        row["kind"], lambda: f"{s['images_per_second']:.1f}")()
    return f"{'~' if s['disturbed'] else ''}{value}"


def print_rows(rows):
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  " + "  ".join(text.ljust(w) if i == 0 else text.rjust(w)
                               for i, (text, w) in enumerate(zip(row, widths))).rstrip())
    print()


def in_words(threads):
    return f"{threads} thread{'s' * (threads > 1)}"


def print_part(results, part, threads, names, title):
    """One row for each work: who is how fast, and Limulus against the best of the others."""
    rows = [r for r in results if r["part"] == part and r["threads"] == threads
            and r["kind"] != "peak"]
    if not rows:
        return
    names = [n for n in names if any(n in r["contenders"] for r in rows)]
    table = [["", *names, "best other", "limulus / best"]]
    for r in rows:
        best = best_other(r)
        q = ratio(r, best)
        label = f"{r['work']}, {r['shape']}" if part == "gemm" else r["work"]
        table.append([label, *(number(r, n) for n in names), best or "-", f"{q:.2f}" if q else "-"])
    print(f"{title}, {in_words(threads)}")
    print_rows(table)


def print_against_each(results, names):
    """Limulus against every framework: one row for each work and number of threads."""
    rows = [r for r in results if r["part"] in (*NETWORK_PARTS, "start")]
    others = [n for n in names if n != "limulus" and any(ratio(r, n) for r in rows)]
    if not others:
        return
    table = [["limulus / ...", "threads", *others]]
    for r in rows:
        table.append([r["work"], str(r["threads"]),
                      *(f"{ratio(r, n):.2f}" if ratio(r, n) else "-" for n in others)])
    print("How many times as fast as each")
    print_rows(table)


def print_shares(results, threads):
    """What part of the processor's peak the products reach."""
    peak = next((r["contenders"]["limulus"].get("gflops", 0) for r in results
                 if r["kind"] == "peak" and r["threads"] == threads), 0)
    rows = [r for r in results if r["kind"] == "gemm" and r["threads"] == threads]
    if not peak or not rows:
        return
    print(f"  peak of multiply-adds: {peak:.1f} GFLOP/s; of it, Limulus reaches " + ", ".join(
        f"{100 * r['contenders']['limulus']['gflops'] / peak:.0f} % ({r['shape']})"
        for r in rows if "limulus" in measured(r)) + "\n")


def print_memory(results, names):
    rows = [r for r in results if r["part"] in (*NETWORK_PARTS, "start")]
    if not rows:
        return
    names = [n for n in names if any(n in measured(r) for r in rows)]
    table = [["MB", "threads", *names]]
    for r in rows:
        table.append([r["work"], str(r["threads"]),
                      *(f"{measured(r)[n]['memory_mb']:.0f}" if n in measured(r) else "-"
                        for n in names)])
    print("Peak memory of the process")
    print_rows(table)


def print_scaling(results):
    """Limulus alone: how much faster it is on more threads."""
    rows = [r for r in results if r["part"] == "scaling" and "limulus" in measured(r)]
    threads = sorted({r["threads"] for r in rows})
    if not rows:
        return
    table = [["images/s", *map(in_words, threads), *(f"{t} / {threads[0]}" for t in threads[1:])]]
    for work in dict.fromkeys(r["work"] for r in rows):
        s = {r["threads"]: r["contenders"]["limulus"] for r in rows if r["work"] == work}
        table.append([work, *(f"{'~' if t in s and s[t]['disturbed'] else ''}"
                              f"{s[t]['images_per_second']:.1f}" if t in s else "-" for t in threads),
                      *(f"{s[threads[0]]['ms'] / s[t]['ms']:.2f}" if t in s and threads[0] in s
                        else "-" for t in threads[1:])])
    print("Limulus: threads and batches")
    print_rows(table)


def print_data(results):
    """Training from files beside the same step on a batch in memory."""
    rows = {r["kind"]: measured(r).get("limulus") for r in results if r["part"] == "data"}
    files, step = rows.get("data"), rows.get("training")
    if files and step:
        threads = next(r["threads"] for r in results if r["part"] == "data")
        print(f"Limulus, training from files, {in_words(threads)}, batch 32: "
              f"{files['images_per_second']:.1f} images/s beside {step['images_per_second']:.1f} of the "
              f"step alone;\n{100 * files['waiting']:.1f} % of the time is waiting for data\n")


def print_failures(document):
    failures = [(n, v["failure"]) for n, v in document["contenders"].items() if "failure" in v]
    failures += [(f"{n}, {r['work']}, {in_words(r['threads'])}", s["failure"])
                 for r in document["results"] for n, s in r["contenders"].items() if "failure" in s]
    for who, why in failures:
        print(f"  {who}: not available: {why}")
    if failures:
        print()


def print_results(document):
    """`document` is what versus.json holds."""
    print()
    for key, value in document["provenance"].items():
        print(f"  {key:<20} {value}")
    for name, versions in document["contenders"].items():
        if "failure" not in versions:
            print(f"  {name:<20} {', '.join(f'{k} {v}' for k, v in versions.items())}")
    print()
    results, names = document["results"], list(document["contenders"])
    print_failures(document)
    for threads in document["settings"]["threads"]:
        print_part(results, "gemm", threads, names, "Products of matrices M x N x K, GFLOP/s")
        print_shares(results, threads)
        print_part(results, "training", threads, names, "AlexNet, training, images/s")
        print_part(results, "inference", threads, names, "AlexNet, inference, images/s")
        print_part(results, "start", threads, names,
                   "From the start of the process to the class of one image, seconds")
    print_against_each(results, names)
    print_memory(results, names)
    print_scaling(results)
    print_data(results)
    check = document.get("torchvision")
    if check and "failure" in check:
        print(f"State dict of torchvision's AlexNet: not available: {check['failure']}\n")
    elif check:
        print(f"State dict of torchvision's AlexNet: the logits differ by at most "
              f"{check['largest_difference']:.1e} of {check['largest_logit']:.2f}\n")
    samples = [s for r in results for c in r["contenders"].values() for s in c.get("samples", ())]
    disturbed = sum(s["foreign_share"] > document["settings"]["disturbed_share"] for s in samples)
    print(f"{disturbed} of {len(samples)} repetitions were disturbed by others. A median marked ~ had "
          "too few undisturbed\nones and is of all: measure again on a quieter machine before you rely on it.")
