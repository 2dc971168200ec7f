"""From the answers of all processes to rows, ratios and peers.md."""

import statistics

import arms

# Of the CPUs' time, by others, from which on times of a CPU are not worth comparing.
busy_share = 1 / 3


def summarize(arm, runs, threads):
    """One row: `runs` are the answers of all processes of one arm in one setting, each with its call, group and thread count."""
    parsed = arms.parse(arm)
    timed = [r for r in runs if r.get("step_s") and r["threads"] == threads and r["timed"]]
    row = {"arm": arm, "precision": parsed.precision, "execution": parsed.execution, "setting": parsed.setting, "processes": len(timed)}
    reasons = sorted({r.get("unsupported") or r.get("failed") for r in runs if not r.get("step_s")} - {None})
    if reasons:
        row["reason"] = "; ".join(reasons)
    same = [r["digest"] for r in runs if r.get("digest") and r["threads"] == threads]
    counts = {r["threads"]: r["digest"] for r in runs if r.get("digest")}
    row["digests"], row["digest_processes"] = len(set(same)), len(same)
    row["thread_digests"], row["thread_counts"] = len(set(counts.values())), sorted(counts)
    if timed:
        row["median_s"] = statistics.median(statistics.median(r["step_s"]) for r in timed)
        row["min_s"] = min(min(r["step_s"]) for r in timed)
        # What comes before the first step is dearest in the first process: later ones may find a compiler's cache.
        row["prepare_s"] = [r["prepare_s"] for r in timed if r.get("prepare_s") is not None]
        row["compile_s"] = [r["compile_s"] for r in timed if r.get("compile_s") is not None]
        row["memory_bytes"] = max((r["memory_bytes"] for r in timed if r.get("memory_bytes")), default=None)
        row["by_group"] = {f"{r['call']}/{r['group']}": {"median_s": statistics.median(r["step_s"]), "min_s": min(r["step_s"])} for r in timed}
    return row


def reference_of(rows, precision, wanted):
    """The arm that others of this precision are divided by: the one asked for, else the first of ours that ran, else the first that ran."""
    ran = [row["arm"] for row in rows if row["precision"] == precision and "median_s" in row]
    if wanted in ran:
        return wanted
    return next((arm for arm in ran if arms.parse(arm).peer == "detbench"), ran[0] if ran else None)


def pair(rows, wanted=None):
    """Adds to every row the times divided by those of its precision's reference, paired by group: medians over the groups, and each group's."""
    for precision in arms.precisions:
        name = reference_of(rows, precision, wanted)
        base = next((row for row in rows if row["arm"] == name), None)
        for row in rows if base else []:
            if row["precision"] != precision or "by_group" not in row:
                continue
            row["reference"] = name
            shared = [key for key in base["by_group"] if key in row["by_group"]]
            for what in ("median", "min"):
                ratios = {key: row["by_group"][key][f"{what}_s"] / base["by_group"][key][f"{what}_s"] for key in shared}
                if ratios:
                    row[f"ratios_of_{what}"] = ratios
                    row[f"ratio_of_{what}"] = statistics.median(ratios.values())


def best_against_best(rows):
    """Per precision our fastest arm beside each peer's: of all arms, and of those under a deterministic setting. The first group
    of an arm chooses, the later ones are reported, because the luckiest of several looks faster than it is."""
    found = []
    for precision in arms.precisions:
        able = [row for row in rows if row["precision"] == precision and len(row.get("ratios_of_median", {})) > 1]
        for which, wanted in (("any setting", lambda row: True), ("deterministic settings", lambda row: arms.parse(row["arm"]).plain is not None)):
            best = {}
            for row in filter(wanted, able):
                first, *later = row["ratios_of_median"].values()
                peer = arms.parse(row["arm"]).peer
                if peer not in best or first < best[peer][0]:
                    best[peer] = (first, row["arm"], statistics.median(later))
            for peer in best:
                if peer != "detbench" and "detbench" in best:
                    found.append({"precision": precision, "which": which, "ours": best["detbench"][1], "peer": best[peer][1], "ratio": best["detbench"][2] / best[peer][2]})
    return found


def prices(rows):
    """What each arm under a deterministic setting costs over the same arm without it; both divided by the reference of their group."""
    by_name = {row["arm"]: row for row in rows if "ratio_of_median" in row}
    found = []
    for name, row in by_name.items():
        plain = by_name.get(arms.parse(name).plain)
        if plain:
            found.append({"arm": name, "plain": plain["arm"], "ratio": row["ratio_of_median"] / plain["ratio_of_median"]})
    return found


def where_time_goes(runs, most=12):
    """Our step by kind of op and by single op, from the process with the least time; seconds."""
    profiled = [r for r in runs if r.get("ops")]
    if not profiled:
        return None
    best = min(profiled, key=lambda r: sum(op["elapsed_s"] for op in r["ops"]))
    kinds = {}
    for op in best["ops"]:
        kinds[op["op"]] = kinds.get(op["op"], 0) + op["elapsed_s"]
    heaviest = sorted(best["ops"], key=lambda op: -op["elapsed_s"])[:most]
    return {"by_op": dict(sorted(kinds.items(), key=lambda item: -item[1])), "heaviest": heaviest}


def percent(share):
    return "an unknown part" if share is None else f"{share * 100:.0f} %"


def table(head, rows):
    # A reason may hold anything.
    plain = lambda text: " ".join(text.split()).replace("|", "\\|")
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *("| " + " | ".join(map(plain, row)) + " |" for row in rows)]


def with_spread(values):
    """Median, and the least and the most where there are several."""
    if not values:
        return "-"
    middle = f"{statistics.median(values):.2f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.2f} to {max(values):.2f})"


def cells(row, batch):
    if "median_s" not in row:
        return [row["arm"], row.get("reason", "not run")] + [""] * 7
    counts = ", ".join(str(n) for n in row["thread_counts"])
    threads = f"{row['thread_digests']} of {len(row['thread_counts'])} ({counts})" if len(row["thread_counts"]) > 1 else "-"
    return [
        row["arm"] + (" (reference)" if row["arm"] == row.get("reference") else ""),
        f"{row['median_s'] * 1e3:.2f}", f"{row['min_s'] * 1e3:.2f}", f"{batch / row['median_s']:.0f}",
        with_spread(list(row.get("ratios_of_median", {}).values())), f"{row['ratio_of_min']:.2f}" if "ratio_of_min" in row else "-",
        f"{row['prepare_s'][0]:.1f}" if row["prepare_s"] else "-", f"{row['memory_bytes'] / 2**20:.0f}" if row["memory_bytes"] else "-",
        f"{row['digests']} of {row['digest_processes']}; {threads}",
    ]  # fmt: skip


def markdown(result):
    """Per setting and precision a table; then the best beside the best, the prices, and where our time goes."""
    m = result["machine"]
    grouped = f"{result['group']} steps and one wait per sample" if result["group"] > 1 else "each step waited for"
    lines = [
        f"{m['gpu'] + ', ' if m.get('gpu') else ''}{m['cpu']}, {result['threads']} threads, {result['rounds']} rounds of alternating processes, {result['warm_up']} warm-up steps, {grouped}, {result['date']}. "
        f"Others used {percent(result['foreign_share'])} of the CPUs meanwhile{': a busy machine, whose times say little' if (result['foreign_share'] or 0) > busy_share else ''}."
        + (f" Stopped by its budget: {result['left']} processes were not run." if result["left"] else ""),
        "",
        "Ratio: time divided by that of the reference of the same precision in the same group of processes, of medians (least and most over the groups) and of minima; above 1 is slower. "
        "Ready: seconds to the end of the first step in the arm's first process, with plans, autotuning and compilers. "
        f"Bits: different digests of all weights after {result['digest_steps']} steps, of processes; of thread counts.",
    ]
    for one in result["settings"]:
        for precision in arms.precisions:
            rows = [row for row in one["rows"] if row["precision"] == precision]
            if rows:
                lines += ["", f"## {one['model']}, {one['px']} px, batch {one['batch']}, {precision}", "", f"{'; '.join(one['programs']) or 'Nothing ran'}.", ""]
                head = ["arm", "median ms", "min ms", "images/s", "ratio (median)", "ratio (min)", "ready s", "MiB", "bits"]
                lines += table(head, [cells(row, one["batch"]) for row in rows])
    best = [[f"{one['model']}, {one['px']} px, batch {one['batch']}, {b['precision']}", b["which"], b["ours"], b["peer"], f"{b['ratio']:.2f}"] for one in result["settings"] for b in one["best"]]
    if best:
        lines += ["", "## Our fastest beside each peer's fastest", "", "Chosen in each arm's first group, reported from the later ones; above 1 means that ours is slower.", ""]
        lines += table(["network", "among", "ours", "peer", "ratio"], best)
    price = [[f"{one['model']}, {one['px']} px, batch {one['batch']}", p["arm"], p["plain"], f"{p['ratio']:.2f}"] for one in result["settings"] for p in one["prices"]]
    if price:
        lines += ["", "## What deterministic settings cost", "", "Of our policies against `library_heuristic`, of a peer's arm against the same arm without its setting.", ""]
        lines += table(["network", "arm", "divided by", "ratio"], price)
    for one in result["settings"]:
        for row in one["rows"]:
            if row.get("time"):
                lines += time_of(one, row)
    return "\n".join(lines) + "\n"


def time_of(one, row):
    total = sum(row["time"]["by_op"].values())
    lines = ["", f"{row['arm']}, {one['model']}, {one['px']} px, batch {one['batch']}: {total * 1e3:.1f} ms in ops under the observer.", ""]
    lines.append(", ".join(f"{op} {s * 1e3:.2f} ms ({percent(s / total)})" for op, s in row["time"]["by_op"].items()))
    lines.append("")
    return lines + table(
        ["phase", "layer", "op", "algorithm", "ms"],
        [[op["phase"], op["layer"], op["op"], op["algorithm"], f"{op['elapsed_s'] * 1e3:.2f}"] for op in row["time"]["heaviest"]],
    )
