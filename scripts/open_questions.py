#!/usr/bin/env python3
"""Answers the open questions about cuDNN, cuBLASLt and CUB on a GPU out of result files, a paragraph each, as Markdown.

Usage: scripts/open_questions.py RESULT... [--report DIR] [--catalog-device FILE --catalog-deviceless FILE]

RESULT is a result file, plain or gzip-compressed, or a folder that holds result.json or result.json.gz. DIR is a report
made of the same files by `detbench report`: prices are taken from its tables, because ratios need the paired blocks.
FILEs are written by `detbench catalog --format json`, with `--arch device` and with the name of the architecture.

Every number is counted in the rows or read from them. What no row says is "not measured". Results of an emulated GPU
are refused.

Exit codes: 0 printed; 2 usage, or a file that is not what it should be (one line).
"""

import argparse
import collections
import csv
import gzip
import json
import math
import pathlib
import sys

TESTED = ("no_difference", "differs", "already_differs")
LEGACY = {
    "conv_fwd": ["implicit_gemm", "implicit_precomp_gemm", "gemm", "direct", "fft", "fft_tiling", "winograd", "winograd_nonfused"],
    "conv_dgrad": ["algo_0", "algo_1", "fft", "fft_tiling", "winograd", "winograd_nonfused"],
    "conv_wgrad": ["algo_0", "algo_1", "fft", "algo_3", "winograd", "winograd_nonfused", "fft_tiling"],
}
DIRECTIONS = {"conv_fwd": "forward", "conv_dgrad": "data gradient", "conv_wgrad": "filter gradient"}


class Unusable(Exception):
    """A file that cannot be used, in one line."""


def read_json(path, schema):
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        content = json.loads(data)
    except (OSError, EOFError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise Unusable(f"{path}: cannot be read: {error}") from error
    if not isinstance(content, dict) or content.get("schema") != schema:
        raise Unusable(f"{path}: is no {schema} file")
    return content


def read_result(path):
    if path.is_dir():
        found = [path / name for name in ("result.json", "result.json.gz") if (path / name).exists()]
        if not found:
            raise Unusable(f"{path}: holds no result.json")
        path = found[0]
    result = read_json(path, "detbench-result")
    if not isinstance(result.get("records"), list) or not isinstance(result.get("manifest"), dict):
        raise Unusable(f"{path}: is no whole result file; scripts/validate_results.py says what is missing")
    if "emulated" in str((result["manifest"].get("gpu") or {}).get("name", "")).lower():
        raise Unusable(f"{path}: comes from an emulated GPU, which answers no question about a real one")
    return result


class Row:
    """A record with its name taken apart."""

    def __init__(self, record):
        self.record = record
        parts = record["id"].split("/")
        self.op, self.shape, self.types, self.layout = parts[:4]
        self.algorithm = parts[4]
        self.provider, _, rest = self.algorithm.partition(":")
        # Knobs end before options begin; an option's value may hold anything.
        head, _, options = rest.partition("@")
        self.options = dict(o.partition("=")[::2] for o in options.split(",")) if options else {}
        name, _, knobs = head.partition("[")
        self.knobs = dict(k.partition("=")[::2] for k in knobs.split("]")[0].split(";")) if knobs else {}
        # What stands before an engine (pads, masks) or behind it (an activation) runs in the same op.
        parts = name.split("+")
        while len(parts) > 1 and (parts[0] in ("pad", "sym") or parts[0].endswith(("_mask", "_slope"))):
            parts.pop(0)
        self.name = parts[0]
        self.ok = record["status"] == "ok"
        claim = record["claim"]
        self.marked = claim["guarantee"] == "not_guaranteed" and bool(claim["source"])

    def scope(self, name):
        """The scope's entry if it was tested; where no order can show, only a difference is evidence."""
        for entry in self.record["agreement"]:
            if entry["scope"] == name and entry["verdict"] in TESTED:
                if entry["verdict"] == "no_difference" and "cannot_show" in self.record["notes"]:
                    return None
                return entry
        return None

    def splits(self):
        return any(splits_a_sum(k, v) for k, v in self.knobs.items())


def splits_a_sum(knob, value):
    if knob in ("REDUCTION_MODE", "SCHEME"):
        return True
    if knob == "STREAM_K":
        return value != "0"
    return (knob.startswith("SPLIT_K") or knob in ("SPLITK", "SPLIT_P_SLC")) and value.isdigit() and int(value) > 1


def differing_runs(entry):
    return sum(stage["differing_runs"] for stage in entry["stages"])


def counted(n, one, many=None):
    return f"{n} {one if n == 1 else many or one + 's'}"


def observed(rows, scope):
    """What a sampling scope showed over arms: "2 of 14 arms differ in repeat (worst: ... in 7 of 100 runs, 3 distinct)"."""
    tested = [(row, row.scope(scope)) for row in rows if row.ok and row.scope(scope)]
    where = {"load": "under load", "repeat": "in repeat", "process": "between processes"}.get(scope, f"in {scope}")
    if not tested:
        return f"{where}: not measured"
    runs = sum(entry["runs"] for _, entry in tested)
    differ = [(row, entry) for row, entry in tested if entry["verdict"] != "no_difference"]
    if not differ:
        return f"{where}: no difference in {counted(runs, 'run')} of {counted(len(tested), 'arm')}"
    row, entry = max(differ, key=lambda pair: differing_runs(pair[1]) / max(1, pair[1]["runs"]))
    return (
        f"{where}: {len(differ)} of {counted(len(tested), 'arm')} differ, most of all `{row.record['id']}`, "
        f"in {differing_runs(entry)} of {counted(entry['runs'], 'run')} with {entry['distinct']} distinct results"
    )


def statuses(rows):
    count = collections.Counter(row.record["status"] for row in rows)
    return ", ".join(f"{n} {status.replace('_', ' ')}" for status, n in sorted(count.items()))


def first_reason(rows):
    reasons = collections.Counter(row.record["reason"] for row in rows if row.record["reason"])
    return f", mostly \"{reasons.most_common(1)[0][0]}\"" if reasons else ""


def not_measured(what):
    return f"Not measured: {what}."


def legacy_enums(rows):
    legacy = [r for r in rows if r.provider == "cudnn_legacy" and r.op in LEGACY and not r.name.startswith("pick:")]
    # A math type that does not belong to the types is refused by detbench, not by the library.
    asked = [r for r in legacy if "belongs to f32_f32" not in r.record["reason"]]
    if not asked:
        return not_measured("no row of the legacy convolution API")
    sentences = []
    for op, names in LEGACY.items():
        of_op = [r for r in asked if r.op == op]
        if not of_op:
            sentences.append(f"{DIRECTIONS[op].capitalize()}: not measured.")
            continue
        alive, dead, untried = [], [], []
        for name in names:
            arms = [r for r in of_op if r.name == name]
            ran = [r for r in arms if r.ok]
            if not arms:
                untried.append(f"`{name}`")
            elif ran:
                alive.append(f"`{name}` ({len(ran)} of {counted(len(arms), 'arm')} ran{', ' + statuses([r for r in arms if not r.ok]) if len(ran) < len(arms) else ''})")
            else:
                dead.append(f"`{name}` ({statuses(arms)}{first_reason(arms)})")
        text = f"{DIRECTIONS[op].capitalize()}, of {len(names)} values: "
        text += f"{len(alive)} ran: {', '.join(alive)}" if alive else "none ran"
        if dead:
            text += f"; {len(dead)} never did: {', '.join(dead)}"
        if untried:
            text += f"; not tried: {', '.join(untried)}"
        sentences.append(text + ".")
    return " ".join(sentences)


def unflagged_reductions(rows):
    sentences = []
    for flag in ("0", "1"):
        arms = [r for r in rows if r.provider == "cudnn_graph" and r.options.get("deterministic") == flag]
        words = "false" if flag == "0" else "true"
        if not arms:
            sentences.append(not_measured(f"no row of a graph reduction with IS_DETERMINISTIC = {words}"))
            continue
        text = f"REDUCTION with IS_DETERMINISTIC = {words} ({', '.join(sorted({f'`{r.op}`' for r in arms}))}; {statuses(arms)}): {observed(arms, 'repeat')}; {observed(arms, 'load')}"
        spaces = sorted({r.record["workspace_bytes"] for r in arms if r.ok and r.record["workspace_bytes"] is not None})
        if spaces:
            text += f"; workspace {spaces[0]} bytes" if len(spaces) == 1 else f"; workspace {spaces[0]} to {spaces[-1]} bytes"
        sentences.append(text + ".")
    stats = [r for r in rows if r.op == "conv_stats_fwd" and r.provider.startswith("cudnn")]
    if stats:
        sentences.append(f"Convolution with genstats (`conv_stats_fwd`; {statuses(stats)}): {observed(stats, 'repeat')}; {observed(stats, 'load')}.")
    else:
        sentences.append(not_measured("no row of conv_stats_fwd by cuDNN"))
    return " ".join(sentences)


def unlabelled_engines(rows):
    sentences = []
    arms = [r for r in rows if r.provider == "cudnn_graph" and not r.marked and r.splits()]
    if arms:
        text = f"Engines without the note whose knobs split a sum ({statuses(arms)}): {observed(arms, 'repeat')}; {observed(arms, 'load')}"
        by_engine = collections.defaultdict(set)
        for row in arms:
            entries = [row.scope(s) for s in ("repeat", "load")]
            if row.ok and any(e and e["verdict"] != "no_difference" for e in entries):
                by_engine[f"`{row.op}` {row.name}"].update(f"{k}={v}" for k, v in row.knobs.items() if splits_a_sum(k, v))
        if by_engine:
            text += "; knob values among those that differ: " + "; ".join(f"{e}: {', '.join(sorted(k))}" for e, k in sorted(by_engine.items()))
        sentences.append(text + ".")
    else:
        sentences.append(not_measured("no row of an engine without the note whose knobs split a sum"))
    five = [r for r in rows if r.provider == "cudnn_graph" and r.op == "conv_fwd" and r.name == "eng5"]
    if five:
        sentences.append(f"Forward engine 5 ({statuses(five)}): {observed(five, 'repeat')}; {observed(five, 'load')}.")
    else:
        sentences.append(not_measured("no row of forward engine 5"))
    return " ".join(sentences)


def marked_engines(rows):
    sentences = []
    for op, name in (("conv_wgrad", "eng20"), ("conv_dgrad", "eng25")):
        arms = [r for r in rows if r.provider == "cudnn_graph" and r.op == op and r.name == name]
        tested = [(r, r.scope("repeat")) for r in arms if r.ok and r.scope("repeat")]
        label = f"{DIRECTIONS[op].capitalize()} engine {name.removeprefix('eng')}"
        if not tested:
            sentences.append(f"{label}: not measured without stress" + (f" ({statuses(arms)})." if arms else "."))
            continue
        shares = sorted((differing_runs(e), e["runs"]) for _, e in tested)
        quiet = sum(1 for k, _ in shares if k == 0)
        text = f"{label}, without stress ({statuses(arms)}): {len(shares) - quiet} of {counted(len(shares), 'arm')} differ"
        if quiet < len(shares):
            low, high = min(s for s in shares if s[0]), max(shares, key=lambda s: s[0] / s[1])
            text += f", in {low[0]} of {low[1]} runs at least and {high[0]} of {high[1]} at most"
        if quiet:
            runs = sorted({n for k, n in shares if k == 0})
            text += f"; {quiet} showed no difference in {' or '.join(str(n) for n in runs)} runs"
        sentences.append(f"{text}; {observed(arms, 'load')}.")
    return " ".join(sentences)


def batch_norms(rows):
    groups = collections.OrderedDict()
    groups["Legacy persistent modes"] = lambda r: r.provider == "cudnn_legacy" and "persist" in r.name
    groups["Other legacy modes"] = lambda r: r.provider == "cudnn_legacy" and "persist" not in r.name
    groups["Graph engines"] = lambda r: r.provider == "cudnn_graph"
    sentences = []
    for label, belongs in groups.items():
        arms = [r for r in rows if r.op.startswith("batch_norm") and belongs(r)]
        if not arms:
            sentences.append(f"{label}: not measured.")
            continue
        parts = [observed(arms, s) for s in ("repeat", "load")]
        for scope in ("placement", "partition", "capture", "batch"):
            tested = [e for e in (r.scope(scope) for r in arms if r.ok) if e]
            if tested:
                differ = sum(1 for e in tested if e["verdict"] != "no_difference")
                parts.append(f"{scope}: {differ} of {counted(len(tested), 'arm')} differ over {counted(sum(e['runs'] for e in tested), 'configuration')}")
        hung = [r for r in arms if r.record["status"] == "timed_out"]
        parts.append(f"{counted(len(hung), 'arm')} timed out" + (first_reason(hung) if hung else ""))
        sentences.append(f"{label} ({statuses(arms)}): {'; '.join(parts)}.")
    return " ".join(sentences) if any(r.op.startswith("batch_norm") and r.provider.startswith("cudnn") for r in rows) else not_measured("no row of a batch norm by cuDNN")


def lt_schemes(rows):
    lt = [r for r in rows if r.provider == "cublaslt"]
    inplace = [r for r in lt if "INPLACE" in r.knobs.get("SCHEME", "")]
    if not inplace:
        return not_measured("no row of cuBLASLt with SCHEME=INPLACE")
    text = f"`SCHEME=INPLACE` ({statuses(inplace)}): {observed(inplace, 'repeat')}; {observed(inplace, 'load')}."
    others = [r for r in lt if "SCHEME" in r.knobs and r not in inplace]
    if others:
        text += f" The other schemes ({statuses(others)}): {observed(others, 'repeat')}; {observed(others, 'load')}."
    return text


def partitions(rows):
    sentences = []
    for kind, label in (("green_context=", "Green contexts"), ("sm_target=", "SM-count targets")):
        by_provider = collections.OrderedDict()
        for row in rows:
            entry = row.scope("partition") if row.ok else None
            if not entry or row.provider in ("network", "control"):
                continue
            stages = [s for s in entry["stages"] if s["name"].startswith(kind) and s["runs"] > 0]
            if stages:
                seen = by_provider.setdefault(row.provider, [0, 0, set()])
                seen[0] += 1
                seen[1] += any(s["differing_runs"] > 0 for s in stages)
                seen[2].update(s["name"].removeprefix(kind) for s in stages)
        if not by_provider:
            sentences.append(f"{label}: not measured.")
            continue
        parts = [
            f"`{p}` {differ} of {counted(arms, 'arm')} differ (over {', '.join(sorted(sizes, key=lambda s: (len(s), s)))} SMs)"
            for p, (arms, differ, sizes) in sorted(by_provider.items())
        ]
        sentences.append(f"{label}: {'; '.join(parts)}" + ("." if "cub" in by_provider else "; CUB: not measured."))
    if all(s.endswith(": not measured.") for s in sentences):
        return not_measured("no row with the scope partition on a GPU")
    return " ".join(sentences)


def catalogs(device, deviceless):
    if device is None or deviceless is None:
        return not_measured("two catalogs are needed, --catalog-device and --catalog-deviceless")
    a = {p["problem"]: p for p in device["problems"]}
    b = {p["problem"]: p for p in deviceless["problems"]}
    common = [name for name in a if name in b]
    if not common:
        return not_measured("the catalogs have no problem in common")
    kinds = collections.OrderedDict((k, []) for k in ("an engine that is valid in one alone", "notes", "knobs", "default workspace", "heuristics' first pick"))
    equal = undecided = 0
    for name in common:
        of_a, of_b = ({e["id"]: e for e in side[name]["engines"]} for side in (a, b))
        unknown = {i for side in (of_a, of_b) for i, e in side.items() if e["status"] == "unknown"}
        undecided += len(unknown)
        different = set()
        for i in sorted((set(of_a) | set(of_b)) - unknown):
            x, y = of_a.get(i), of_b.get(i)
            if ((x or {}).get("status") == "valid") != ((y or {}).get("status") == "valid"):
                different.add("an engine that is valid in one alone")
                continue
            if not x or not y or x["status"] != "valid":
                continue
            for key, kind in (("notes", "notes"), ("knobs", "knobs"), ("workspace_bytes", "default workspace")):
                if x[key] != y[key]:
                    different.add(kind)
        first_a, first_b = ({h["mode"]: (h["picks"] or [None])[0] for h in side[name]["heuristics"]} for side in (a, b))
        if any(first_a[mode] != first_b.get(mode) for mode in first_a):
            different.add("heuristics' first pick")
        equal += not different
        for kind in different:
            kinds[kind].append(name)
    text = (
        f"cuDNN {device['cudnn_version']}, on-device {device['target']['device']} (driver library {device['driver_library']}) against "
        f"device-less {deviceless['target']['arch']} (cuDNN {deviceless['cudnn_version']}, driver library {deviceless['driver_library']}): "
        f"{equal} of {counted(len(common), 'problem')} equal in valid engines, notes, knobs, default workspace and first picks"
    )
    for kind, names in kinds.items():
        if names:
            text += f"; {len(names)} differ{'s' if len(names) == 1 else ''} in {kind}, like `{names[0]}`"
    if undecided:
        text += f"; {counted(undecided, 'engine')} unknown in one of them, not compared"
    only = len(set(a) ^ set(b))
    if only:
        text += f"; {counted(only, 'problem')} stand in one catalog alone"
    return text + "."


def read_table(report, name):
    path = report / "tables" / f"{name}.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise Unusable(f"{path}: cannot be read: {error}") from error


def column(row, name):
    if name not in row:
        raise Unusable(f"the report has no column '{name}': make it with this version of detbench")
    return row[name]


def forbidding(report):
    if report is None:
        return not_measured("prices need --report, a folder made by `detbench report` of the same files")
    sentences = []
    layers = [
        r
        for r in read_table(report, "price_of_forbidding")
        if column(r, "types") == "f32_f32_strict" and column(r, "library").startswith("cudnn") and column(r, "op").startswith("conv_")
    ]
    for op in sorted({r["op"] for r in layers}):
        of_op = [r for r in layers if r["op"] == op]
        priced = [r for r in of_op if column(r, "price")]
        if not priced:
            sentences.append(f"`{op}`: no price in {counted(len(of_op), 'problem')}.")
            continue
        prices = [float(r["price"]) for r in priced]
        mean = math.exp(sum(math.log(p) for p in prices) / len(prices))
        verdicts = collections.Counter(column(r, "verdict").split(":")[0] for r in priced)
        top = max(priced, key=lambda r: float(r["price"]))
        sentences.append(
            f"`{op}`, {counted(len(priced), 'problem')}: {mean:.3f}x in the geometric mean, at most {float(top['price']):.2f}x "
            f"(95 %: {float(column(top, '95 % from')):.2f} to {float(column(top, '95 % to')):.2f}; {top['label']}); "
            + ", ".join(f"{n} {v}" for v, n in sorted(verdicts.items()))
            + (f"; no price in {len(of_op) - len(priced)} more" if len(of_op) > len(priced) else "")
            + "."
        )
    if not layers:
        sentences.append(not_measured("no timed convolution of strict f32 in which cuDNN marks an engine"))
    steps = [r for r in read_table(report, "network_prices") if column(r, "precision") == "strict f32" and column(r, "phase") == "train step"]
    wanted = ("fastest_claimed:", "fastest_observed:", "framework_default_deterministic", "first_workable_deterministic")
    told = [r for r in steps if column(r, "policy").startswith(wanted) and column(r, "to the fastest")]
    for r in told:
        sentences.append(
            f"Train step of {r['network']} ({r['size']}; {r['setting'] or 'one execution'}), policy `{r['policy']}`: {float(r['to the fastest']):.3f}x the fastest "
            f"(95 %: {float(column(r, 'to the fastest, 95 % from')):.3f} to {float(column(r, 'to the fastest, 95 % to')):.3f}; {column(r, 'to the fastest, verdict')})."
        )
    if not told:
        sentences.append("Train step of strict f32: not measured.")
    return " ".join(sentences)


QUESTIONS = [
    ("a", "Which legacy enum values are alive?"),
    ("b", "Is REDUCTION with IS_DETERMINISTIC = false visibly nondeterministic? And convolution with genstats?"),
    ("c", "Does any unlabelled engine with split-K above 1 or REDUCTION_MODE differ under stress? Forward engine 5?"),
    ("d", "Do engines 20 and 25 vary without stress, and in how many runs?"),
    ("e", "Batch norm, persistent and by graph: bits per configuration, hangs?"),
    ("f", "cuBLASLt INPLACE under perturbation?"),
    ("g", "Are bits the same with another number of SMs, CUB included?"),
    ("h", "Is the device-less engine table equal to the on-device one?"),
    ("i", "What does forbidding marked engines cost, per layer and per train step, in strict f32?"),
]


def source_line(result):
    manifest = result["manifest"]
    gpu = manifest.get("gpu") or {}
    libraries = manifest.get("libraries") or {}
    versions = ", ".join(f"{n} {libraries[n]}" for n in ("cudnn", "cublas", "cccl") if libraries.get(n, "absent") != "absent")
    profile = result["profile"]
    what = gpu.get("name") or (manifest.get("cpu") or {}).get("model") or "unknown machine"
    return (
        f"- {what}" + (f", {versions}" if versions else "") + f"; {result['created_utc'][:10]}, commit {result['commit'][:12] or 'unknown'}, "
        f"profile {profile['name']}: n = {profile['repeat']} repeat, {profile['load']} load per stressor; {len(result['records'])} rows"
        + ("" if result["complete"] else "; interrupted")
    )


def answer(results, report, device, deviceless):
    rows = [Row(record) for result in results if result["backend"] == "cuda" for record in result["records"] if record["id"].count("/") == 4]
    texts = {
        "a": legacy_enums(rows), "b": unflagged_reductions(rows), "c": unlabelled_engines(rows), "d": marked_engines(rows), "e": batch_norms(rows),
        "f": lt_schemes(rows), "g": partitions(rows), "h": catalogs(device, deviceless), "i": forbidding(report),
    }  # fmt: skip
    lines = ["Counted in:", ""] + [source_line(r) for r in results]
    for letter, question in QUESTIONS:
        lines += ["", f"### {letter}. {question}", "", texts[letter]]
    return "\n".join(lines) + "\n"


def main(arguments):
    parser = argparse.ArgumentParser(description="Answers the open questions out of result files, as Markdown.")
    parser.add_argument("results", nargs="+", type=pathlib.Path, metavar="RESULT")
    parser.add_argument("--report", type=pathlib.Path)
    parser.add_argument("--catalog-device", type=pathlib.Path)
    parser.add_argument("--catalog-deviceless", type=pathlib.Path)
    options = parser.parse_args(arguments)
    if (options.catalog_device is None) != (options.catalog_deviceless is None):
        parser.error("--catalog-device and --catalog-deviceless go together")
    try:
        results = [read_result(path) for path in options.results]
        device, deviceless = (read_json(p, "detbench-catalog") if p else None for p in (options.catalog_device, options.catalog_deviceless))
        for path, catalog, asked in ((options.catalog_device, device, True), (options.catalog_deviceless, deviceless, False)):
            if catalog and catalog["target"]["asked_device"] != asked:
                raise Unusable(f"{path}: was made {'without' if asked else 'on'} a device; `detbench catalog --arch {'device' if asked else 'sm_NN'}` makes the other kind")
        sys.stdout.write(answer(results, options.report, device, deviceless))
    except Unusable as error:
        print(f"open_questions: {error}", file=sys.stderr)
        return 2
    except (KeyError, TypeError, ValueError) as error:
        print(f"open_questions: a file is not what it should be ({type(error).__name__}: {error}); scripts/validate_results.py says more", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
