"""The results for people. A ratio above 1 means that Limulus is faster."""


def ratio(ours, theirs, rate):
    return ours[rate] / theirs[rate] if theirs and theirs.get(rate) else None


def cell(summary, rate):
    """A rate; ~ marks a median that includes disturbed repetitions."""
    return "-" if summary is None else f"{'~' if summary['disturbed'] else ''}{summary[rate]:.1f}"


def print_rows(rows):
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  " + "  ".join(text.ljust(w) if i == 0 else text.rjust(w)
                               for i, (text, w) in enumerate(zip(row, widths))))
    print()


def print_products(results, names, threads):
    """GFLOP/s of each product, with its share of the peak."""
    peak = next((r["contenders"]["limulus"]["gflops"] for r in results if r["kind"] == "peak"), 0)
    rows = [["GFLOP/s", "M x N x K", *(c for n in names for c in (n, "of peak")),
             *(f"limulus / {n}" for n in names[1:])]]
    for r in results:
        if r["kind"] != "gemm":
            continue
        row, ours = [r["work"], r["shape"]], r["contenders"]["limulus"]
        for n in names:
            s = r["contenders"].get(n)
            row += [cell(s, "gflops"), f"{100 * s['gflops'] / peak:.0f} %" if s and peak else "-"]
        for n in names[1:]:
            q = ratio(ours, r["contenders"].get(n), "gflops")
            row.append(f"{q:.2f}" if q else "-")
        rows.append(row)
    if len(rows) > 1:
        print(f"Products of matrices, {threads} thread{'s' * (threads > 1)}; "
              f"peak of multiply-adds: {peak:.1f} GFLOP/s")
        print_rows(rows)


def print_networks(results, names, threads):
    rows = [["AlexNet, images/s (peak memory)", *names, *(f"limulus / {n}" for n in names[1:])]]
    for r in results:
        if r["kind"] not in ("training", "inference"):
            continue
        row, ours = [r["work"]], r["contenders"]["limulus"]
        for n in names:
            s = r["contenders"].get(n)
            row.append(cell(s, "images_per_second") + (f" ({s['memory_mb']:.0f} MB)" if s else ""))
        for n in names[1:]:
            q = ratio(ours, r["contenders"].get(n), "images_per_second")
            row.append(f"{q:.2f}" if q else "-")
        rows.append(row)
    if len(rows) > 1:
        print(f"AlexNet, {threads} thread{'s' * (threads > 1)}")
        print_rows(rows)


def print_results(document):
    """`document` is what versus.json holds."""
    print()
    for key, value in document["provenance"].items():
        print(f"  {key:<14} {value}")
    for name, versions in document["contenders"].items():
        print(f"  {name:<14} {', '.join(f'{k} {v}' for k, v in versions.items())}")
    print()
    for threads in document["settings"]["threads"]:
        results = [r for r in document["results"] if r["threads"] == threads]
        used = {n for r in results if r["kind"] == "gemm" for n in r["contenders"]}
        names = list(document["contenders"])
        print_products(results, [n for n in names if n in used], threads)
        print_networks(results, names, threads)
    check = document.get("torchvision")
    if check:
        print(f"State dict of torchvision's AlexNet: the logits differ by at most "
              f"{check['largest_difference']:.1e} of {check['largest_logit']:.2f}\n")
    disturbed = sum(s["foreign_share"] > document["settings"]["disturbed_share"]
                    for r in document["results"] for c in r["contenders"].values()
                    for s in c["samples"])
    samples = sum(len(c["samples"]) for r in document["results"] for c in r["contenders"].values())
    print(f"{disturbed} of {samples} repetitions were disturbed by others. A median marked ~ had "
          "too few undisturbed\nones and is of all: measure again on a quieter machine before you rely on it.")
