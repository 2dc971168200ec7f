#!/usr/bin/env python3
"""Checks result files against results/schema-v1.json and against what a schema cannot say.

Usage: .venv/bin/python scripts/validate_results.py [PATH ...]

PATH is a result file, plain or gzip-compressed, or a folder that is searched for result*.json and result*.json.gz;
without one, results/published is checked, its dates and its total size included. Needs jsonschema: scripts/setup.sh.

Exit codes: 0 valid; 1 at least one error (one line each); 2 usage; 3 jsonschema is missing. Warnings change nothing.
"""

import collections
import gzip
import json
import math
import pathlib
import shlex
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PUBLISHED_LIMIT_BYTES = 30_000_000
SAMPLING = {"repeat", "process", "load"}
EMULATED_GPU = "Emulated GPU"
PRIVATE_KEYS = {"hostname", "host_name", "user", "username", "login", "serial", "serial_number", "uuid", "mac", "ip"}


class Findings:
    """Errors and warnings of one file, each one line that starts with where it is."""

    def __init__(self):
        self.errors = []
        self.warnings = []

    def error(self, where, what):
        self.errors.append(f"{where}: {what}")

    def warn(self, where, what):
        self.warnings.append(f"{where}: {what}")


def load(path):
    """The file as JSON that has no NaN, no infinity and no key twice; ValueError says what is wrong."""

    def refuse_constant(name):
        raise ValueError(f"has {name}; unknown values are null")

    def refuse_twice(pairs):
        keys = [key for key, _ in pairs]
        if len(set(keys)) != len(keys):
            raise ValueError(f"has the key {max(keys, key=keys.count)!r} twice in one object")
        return dict(pairs)

    data = path.read_bytes()
    try:
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        return json.loads(data, parse_constant=refuse_constant, object_pairs_hook=refuse_twice)
    except (EOFError, OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"is not valid JSON or was cut off: {error}") from error


def sampling_bound(runs):
    """Of n runs without a difference, METHOD's bound at 95 %."""
    return 1.0 if runs == 0 else 3.0 / runs if runs >= 30 else 1 - 0.05 ** (1 / runs)


def problem_of(record):
    return record["id"].rsplit("/", 1)[0] if record["id"].count("/") == 4 else ""


def check_scope(scope, where, found):
    verdict = scope["verdict"]
    if verdict == "differs" and scope["distinct"] < 2:
        found.error(f"{where}.distinct", f"is {scope['distinct']} although the verdict is 'differs'")
    if verdict == "no_difference":
        if scope["distinct"] > 1:
            found.error(f"{where}.distinct", f"is {scope['distinct']} although the verdict is 'no_difference'")
        if scope["runs"] == 0:
            found.error(f"{where}.runs", "is 0: no difference in 0 runs is not a finding; 'not_measured' would be right")
    if verdict in ("untested", "not_applicable", "not_measured") and not scope["reason"]:
        found.error(f"{where}.reason", f"is empty although the verdict is '{verdict}'")
    if scope["bound"] is not None:
        if scope["scope"] not in SAMPLING:
            found.error(f"{where}.bound", f"is given for '{scope['scope']}'; only sampling scopes have one")
        elif verdict != "no_difference":
            found.error(f"{where}.bound", f"is given although the verdict is '{verdict}'")
        else:
            # Stressors are samples of their own: the one with the fewest runs bounds the scope.
            runs = min((s["runs"] for s in scope["stages"] if s["runs"] > 0), default=scope["runs"])
            if not math.isclose(scope["bound"], sampling_bound(runs), rel_tol=1e-6):
                found.error(f"{where}.bound", f"is {scope['bound']}; for {runs} runs it is {sampling_bound(runs)}")
    for number, stage in enumerate(scope["stages"]):
        if stage["runs"] == 0 and not stage["unavailable"]:
            found.error(f"{where}.stages[{number}]", "has no runs and no reason in 'unavailable'")


def check_samples(samples, blocks, where, found):
    seen = set()
    for number, sample in enumerate(samples):
        if sample["block"] >= blocks:
            found.error(f"{where}[{number}].block", f"is {sample['block']}; the schedule has {blocks} blocks")
        if sample["block"] in seen:
            found.error(f"{where}[{number}].block", f"is {sample['block']}, which this arm has already")
        seen.add(sample["block"])
        if sample["elapsed_s"] == 0:
            found.error(f"{where}[{number}].elapsed_s", "is 0; nothing takes no time")


def check_record(record, where, comparisons, found):
    if record["status"] != "ok" and not record["reason"]:
        found.error(f"{where}.reason", f"is empty although the status is '{record['status']}'")
    if record["status"] == "incorrect" and record["timing"]:
        found.error(f"{where}.timing", "is there although the row is incorrect; such rows are not timed")
    try:
        if record["id"] not in shlex.split(record["replay"]):
            found.error(f"{where}.replay", "does not name the id of its row")
    except ValueError as error:
        found.error(f"{where}.replay", f"is not a shell command: {error}")
    accuracy = record.get("accuracy")
    if accuracy:
        low, high = accuracy["error_ulp_min"], accuracy["error_ulp_max"]
        if (low is None) != (high is None) or (low is not None and low > high):
            found.error(f"{where}.accuracy.error_ulp_min", f"is {low} beside error_ulp_max {high}")
        if accuracy["condition"] is not None and accuracy["condition"] < 1 - 1e-9:
            found.error(f"{where}.accuracy.condition", f"is {accuracy['condition']}; sum |x| is never below |sum x|")
    scopes = collections.Counter(scope["scope"] for scope in record["agreement"])
    for scope, count in scopes.items():
        if count > 1:
            found.error(f"{where}.agreement", f"has the scope '{scope}' {count} times")
    for number, scope in enumerate(record["agreement"]):
        check_scope(scope, f"{where}.agreement[{number}]", found)
    differing = {s["scope"] for s in record["agreement"] if s["verdict"] == "differs"}
    covered = differing & set(record["claim"]["coverage"])
    if record["claim_verdict"] == "broken" and not covered:
        found.error(f"{where}.claim_verdict", "is 'broken' although no covered scope differs")
    if record["claim_verdict"] == "held_in_n" and covered:
        found.error(f"{where}.claim_verdict", f"is 'held_in_n' although '{sorted(covered)[0]}' differs and is covered")
    comparison = comparisons.get(problem_of(record))
    if record["timing"]:
        if comparison is None:
            found.error(f"{where}.id", "has samples but its problem is not among the comparisons")
            return
        check_samples(record["timing"]["samples"], comparison["blocks"], f"{where}.timing.samples", found)
        repeat = next((s for s in record["agreement"] if s["scope"] == "repeat"), None)
        if repeat and repeat["verdict"] == "no_difference" and record["timing"]["digest"] not in ("", record["output_digest"]):
            found.warn(f"{where}.timing.digest", "is not the digest that was probed")
    if comparison and record["input_digest"] and comparison["input_digest"] not in ("", record["input_digest"]):
        found.error(f"{where}.input_digest", "is not that of its comparison: the arms had other inputs")


def check_positions(result, comparisons, found):
    """Within one block every arm, the twin included, has a place of its own."""
    taken = collections.defaultdict(dict)
    arms = [(r["id"], problem_of(r), r["timing"]["samples"]) for r in result["records"] if r["timing"]]
    arms += [(f"twin of {c['twin_of']}", p, c["twin_samples"]) for p, c in comparisons.items()]
    for name, problem, samples in arms:
        for sample in samples:
            place = (sample["block"], sample["position"])
            other = taken[problem].setdefault(place, name)
            if other != name:
                found.error(name, f"has block {place[0]}, position {place[1]}, which belongs to {other}")
                break


def check_manifest(value, where, found):
    if isinstance(value, dict):
        for key, inner in value.items():
            if key.lower() in PRIVATE_KEYS:
                found.error(f"{where}.{key}", "names a person or a machine; it does not belong in a result file")
            check_manifest(inner, f"{where}.{key}", found)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            check_manifest(inner, f"{where}[{number}]", found)


def check_meaning(result, found):
    """What the schema cannot say; `result` already satisfies it."""
    comparisons = {}
    for number, comparison in enumerate(result["comparisons"]):
        where = f"comparisons[{number}]"
        if comparison["problem"] in comparisons:
            found.error(f"{where}.problem", "is there twice")
        comparisons[comparison["problem"]] = comparison
        check_samples(comparison["twin_samples"], comparison["blocks"], f"{where}.twin_samples", found)
    seen = set()
    for number, record in enumerate(result["records"]):
        if record["id"] in seen:
            found.error(f"records[{number}].id", "is there twice")
        seen.add(record["id"])
        check_record(record, f"records[{number}]", comparisons, found)
    check_positions(result, comparisons, found)
    check_manifest(result["manifest"], "manifest", found)
    for number, control in enumerate(result["controls"]):
        right = control["distinct"] > 1 if control["positive"] else control["distinct"] <= 1
        if control["as_expected"] != right and control["runs"] > 0:
            found.error(f"controls[{number}].as_expected", f"does not follow from distinct = {control['distinct']}")
    if not result["records"]:
        found.warn("records", "there are none")
    if not result["complete"]:
        found.warn("complete", "is false: the run was interrupted")
    if result["dirty"] or not result["commit"]:
        found.warn("commit", "is unknown or the checkout had changes: nobody can rebuild this program exactly")


def emulated(result):
    """True for what tests/emulated_gpu computed: its times say nothing, and no GPU was there."""
    return EMULATED_GPU in json.dumps(result["manifest"].get("gpu"))


def published_date(path):
    """The <date> of results/published/<machine>/<date>/, or None elsewhere."""
    parts = path.resolve().parts
    for number, part in enumerate(parts):
        if part == "published" and number > 0 and parts[number - 1] == "results" and len(parts) > number + 3:
            return parts[number + 2]
    return None


def check_file(path, validator):
    found = Findings()
    try:
        result = load(path)
    except ValueError as error:
        found.error(path.name, str(error))
        return found
    problems = sorted(validator.iter_errors(result), key=lambda e: e.json_path)
    for problem in problems[:20]:
        found.error(problem.json_path, problem.message[:200])
    if problems:
        return found
    check_meaning(result, found)
    date = published_date(path)
    if emulated(result):
        what = f"names '{EMULATED_GPU}': no GPU computed or measured this"
        if date is not None:
            found.error("manifest.gpu", what + ", so it cannot be published")
        else:
            found.warn("manifest.gpu", what)
    if date is not None and not date.startswith(result["created_utc"][:10]):
        found.error("created_utc", f"is {result['created_utc']} but the file lies in the folder '{date}'")
    return found


def result_files(path):
    if path.is_dir():
        return sorted(p for pattern in ("result*.json", "result*.json.gz") for p in path.rglob(pattern))
    return [path]


def main(arguments):
    if any(a in ("-h", "--help") for a in arguments):
        print(__doc__.strip())
        return 0
    try:
        import jsonschema
    except ImportError:
        print("validate_results: jsonschema is missing; run scripts/setup.sh and use .venv/bin/python", file=sys.stderr)
        return 3
    published = ROOT / "results" / "published"
    paths = [pathlib.Path(a) for a in arguments] or ([published] if published.is_dir() else [])
    for path in paths:
        if not path.exists():
            print(f"validate_results: {path}: there is no such file", file=sys.stderr)
            return 2
    schema = json.loads((ROOT / "results" / "schema-v1.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    files = [file for path in paths for file in result_files(path)]
    failed = False
    for file in files:
        found = check_file(file, validator)
        for line in found.errors:
            print(f"{file}: error: {line}")
        for line in found.warnings:
            print(f"{file}: warning: {line}")
        failed = failed or bool(found.errors)
    if published.is_dir():
        size = sum(p.stat().st_size for p in published.rglob("*") if p.is_file())
        if size > PUBLISHED_LIMIT_BYTES:
            print(f"{published}: error: holds {size} bytes; at most {PUBLISHED_LIMIT_BYTES} belong there")
            failed = True
    print(f"validate_results: {len(files)} files, {'errors found' if failed else 'valid'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
