"""Publishes results; scripts/publish.sh says how, and is what is called."""

import argparse
import collections
import csv
import gzip
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from refusals import Impossible, Refused, check_all, check_commit, check_paths, check_private, has_gpu_tables, instrument_commit, warnings_of

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LIMIT_BYTES = 30_000_000
CHART_LIMIT_BYTES = 1_000_000
# The first of them that has data stands in the README.
README_CHARTS = ["network_tradeoff", "tradeoff_frontier", "three_prices"]
MOST_SENTENCES = 16
TABLES = ["network_prices", "price_of_agreement", "price_of_forbidding", "engines", "claim_audit", "speed_targets", "measured_ceilings"]


class Result:
    """One result: its text as it lies there, unpacked, and where it goes."""

    def __init__(self, given):
        path = pathlib.Path(given)
        if path.is_dir():
            inside = [path / name for name in ("result.json", "result.json.gz") if (path / name).exists()]
            if not inside:
                raise Refused(f"{path}: holds no result.json")
            path = inside[0]
        self.path = path
        try:
            data = path.read_bytes()
            self.data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
            self.text = self.data.decode("utf-8")
            self.json = json.loads(self.text)
        except (OSError, EOFError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise Refused(f"{path}: cannot be read: {error}") from error
        if not isinstance(self.json, dict) or self.json.get("schema") != "detbench-result":
            raise Refused(f"{path}: is no result file")

    @property
    def date(self):
        return self.json["created_utc"][:10]

    @property
    def kind(self):
        return "gpu" if self.json["backend"] == "cuda" else "cpu"

    def machine(self):
        manifest = self.json["manifest"]
        if self.kind == "gpu":
            return slug(manifest["gpu"]["name"])
        cpu = manifest.get("cpu") or {}
        cores = cpu.get("cores_usable")
        return slug(cpu.get("model") or "unknown cpu") + (f"-{cores}-core{'' if cores == 1 else 's'}" if cores else "")

    def part(self):
        """What it holds: a phase of scripts/gpu_check.sh, or its suites; empty: a whole profile."""
        folders = self.path.resolve().parent.parts
        if len(folders) > 2 and folders[-1] == "run" and folders[-3] == "sweep":
            return slug(folders[-2])
        if not self.json["filter"]:
            return ""
        suites = list(dict.fromkeys(r["suite"] for r in self.json["records"]))
        return slug("-".join(suites)) if 0 < len(suites) <= 3 else "some"

    def policies(self):
        return sorted(self.path.parent.glob("policies/*.json"))


def found_in(given):
    """The results below a path: itself, or those of the phases of scripts/gpu_check.sh that no other phase has taken over."""
    path = pathlib.Path(given)
    if not (path / "sweep").is_dir():
        return [Result(path)]
    results = []
    for run in sorted(path.glob("sweep/*/run")):
        if not any((run / name).exists() for name in ("result.json", "result.json.gz")):
            continue
        status = run.parent / "status"
        lines = status.read_text(encoding="utf-8").splitlines() if status.exists() else []
        taken_over_by = next((line.partition("=")[2] for line in lines if line.startswith("taken_over_by=")), "")
        if taken_over_by:
            say(f"left out: {run}, which {taken_over_by} has taken over")
        else:
            results.append(Result(run))
    if not results:
        raise Refused(f"{path}: no phase of its sweep has a result")
    return results


def slug(text):
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def say(text):
    print(f"publish: {text}")


def packed(data):
    """Compressed so that equal contents are equal files."""
    return gzip.compress(data, compresslevel=9, mtime=0)


def with_policies_at(result, place_of_policies):
    """The result's bytes, its replay commands naming the policies where they are published: where they lay is one machine's matter."""
    text = result.text
    if result.policies():
        text = re.sub(r"(--selections )('[^'\"]*'|[^\s\"]+)", lambda found: found[1] + place_of_policies, text)
    check_paths(result.path, text)
    return text.encode("utf-8")


def place(result, folder, published_as):
    """Puts a result into the draft of the folder `published_as` under a name that is free; the same result twice is one file."""
    part = result.part()
    for number in range(1, 1000):
        stem = "result" + (f"-{part}" if part else "") + (f"-{number}" if number > 1 else "")
        target = folder / f"{stem}.json.gz"
        policies = stem.replace("result", "policies", 1)
        data = with_policies_at(result, f"{published_as}/{policies}")
        if not target.exists():
            target.write_bytes(packed(data))
            for policy in result.policies():
                content = policy.read_text(encoding="utf-8")
                check_private(policy, content)
                kept = folder / policies / policy.name
                kept.parent.mkdir(exist_ok=True)
                kept.write_text(content, encoding="utf-8")
            return
        if gzip.decompress(target.read_bytes()) == data:
            return
    raise Refused(f"{folder}: holds too many results of the same kind")


def run(command):
    command = [str(word) for word in command]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        raise Impossible(f"{command[0]}: cannot be run: {error}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Impossible(f"{' '.join(command[:3])} ended with code {done.returncode}{': ' + said[-1] if said else ''}")


def draw(program, folder, results, work):
    """Charts and headlines of everything in the folder and of what else is published with it."""
    report = work / "report"
    # Pictures for pages alone: PNG and PDF are made by `detbench report` where somebody wants them.
    run([program, "report", *results, "--out", report, "--no-images", "--venv", ROOT / ".venv"])
    run([sys.executable, ROOT / "scripts" / "render_charts.py", report / "charts", "--formats", "svg"])
    shutil.rmtree(folder / "charts", ignore_errors=True)
    (folder / "charts").mkdir()
    drawn = {}
    for spec in sorted(report.glob("charts/*.vl.json")):
        content = json.loads(spec.read_text(encoding="utf-8"))
        if "datasets" not in content:
            continue  # the chart that says why there is none
        name = spec.name.removesuffix(".vl.json")
        image = spec.with_name(name + ".svg")
        if image.stat().st_size > CHART_LIMIT_BYTES:
            say(f"left out: the chart {name}, whose {image.stat().st_size} bytes are too many for a page; detbench report draws it")
            continue
        shutil.copy(image, folder / "charts" / image.name)
        title = content.get("title") or {}
        drawn[name] = title.get("text", name) if isinstance(title, dict) else str(title)
    headlines = (report / "tables" / "headlines.md").read_text(encoding="utf-8")
    (folder / "headlines.md").write_text(headlines, encoding="utf-8")
    names = {tag_of(i, len(results)): path.name for i, path in enumerate(results)}
    for table in TABLES:
        name_files(report / "tables" / f"{table}.csv", folder / f"{table}.csv", names)
    return drawn, headlines


def tag_of(number, results):
    """The letter that a report gives a file: none to a single one."""
    if results < 2:
        return ""
    return chr(ord("A") + number) if number < 26 else f"F{number + 1}"


def name_files(source, target, names):
    """The table with names in place of the report's letters, which mean nothing outside of it."""
    with source.open(encoding="utf-8", newline="") as table:
        rows = list(csv.reader(table))
    with target.open("w", encoding="utf-8", newline="") as table:
        writer = csv.writer(table, lineterminator="\n")
        for number, row in enumerate(rows):
            writer.writerow([names.get(row[0], row[0]), *row[1:]] if number and rows[0][0] == "file" else row)


def main_sentences(headlines):
    """Of each phase, network and precision the first one: the others stand in headlines.md."""
    chosen = collections.OrderedDict()
    every = 0
    for line in headlines.splitlines():
        title = re.match(r"- \*\*(.*?) \((.*?)\)\*\*: ", line)
        if title:
            every += 1
            chosen.setdefault((title[1], title[2].split("; ")[1:2][0] if "; " in title[2] else ""), line)
    # Training first: that is where bits are asked for.
    return sorted(chosen.values(), key=lambda line: not line.startswith("- **train step"))[:MOST_SENTENCES], every


def target_lines(table):
    """How many speed targets were met, and for each that was missed beyond the noise its worst case: by how much, and what bounds it."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    count = collections.Counter(row["verdict"].split(":")[0] for row in rows)
    met, border = count["met"] + count["met, within the noise"], count["missed, within the noise"]
    if not met + border + count["missed"]:
        return []
    worst = {}
    for row in rows:
        if row["verdict"] == "missed":
            by = float(row["reached"]) / float(row["asked"].split()[-1])
            by = 1 / by if row["asked"].startswith("at most") else by
            if row["target"] not in worst or by < worst[row["target"]][0]:
                worst[row["target"]] = (by, row)
    said = f"Speed targets of reductions: {met} met, {border} missed within the noise, {count['ambiguous']} ambiguous, {count['missed']} missed"
    lines = [said + (", each with its worst case:" if worst else ".")]
    for target, (_, row) in worst.items():
        lines.append(f"- {target}: {float(row['reached']):.2f} ({row['asked']}) by `{row['arm']}` in {' '.join(row['problem'].split())}; {row['what bounds it']}")
    return lines


def block_of(folder, draft, drawn, headlines, wanted):
    """The README's lines between the markers of this kind of machine; `folder` is where the draft will lie."""
    here = folder.relative_to(ROOT).as_posix()
    lines = []
    for name in wanted:
        if name in drawn:
            lines += [f"![{drawn[name]}]({here}/charts/{name}.svg)", ""]
    sentences, every = main_sentences(headlines)
    lines += sentences + ([""] if sentences else [])
    targets = target_lines(draft / "speed_targets.csv")
    lines += targets + ([""] if targets else [])
    left = every - len(sentences)
    more = f"{left} more {'sentences' if left > 1 else 'sentence'}, and every policy" if left else "Every policy"
    lines.append(f"{more}: [headlines]({here}/headlines.md). The result files and all charts: [{here}]({here}).")
    return "\n".join(lines)


def rewrite(readme, kind, block):
    begin, end = f"<!-- published {kind}: begin -->", f"<!-- published {kind}: end -->"
    text = readme.read_text(encoding="utf-8")
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise Impossible(f"README.md needs one line {begin} and below it one line {end}")
    return text[: text.index(begin) + len(begin)] + "\n" + block + "\n" + text[text.index(end) :]


def size_of(folder):
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def take_place(drafts, readme, text):
    """All folders and the README, or nothing: what was there steps aside until everything is in its place."""
    moved = []
    new_readme = readme.with_name(f"README.md.{os.getpid()}")
    try:
        new_readme.write_text(text, encoding="utf-8")
        for draft, target in drafts:
            target.parent.mkdir(parents=True, exist_ok=True)
            aside = target.with_name(f".{target.name}.replaced.{os.getpid()}")
            had = target.exists()
            if had:
                os.rename(target, aside)
            moved.append((target, aside, had))
            os.rename(draft, target)
        os.replace(new_readme, readme)
    except OSError as error:
        for target, aside, had in reversed(moved):
            shutil.rmtree(target, ignore_errors=True)
            if had:
                os.rename(aside, target)
        new_readme.unlink(missing_ok=True)
        raise Impossible(f"cannot write: {error}") from error
    for _, aside, had in moved:
        if had:
            shutil.rmtree(aside, ignore_errors=True)


def program_path(given):
    for path in [pathlib.Path(given)] if given else [ROOT / "build" / b / "detbench" for b in ("cpu", "cuda")]:
        if path.exists():
            return path.resolve()
    raise Impossible("there is no detbench to draw with; build the preset cpu, or name one with --program")


def publish(options):
    program = program_path(options.program)
    results = [result for given in options.results for result in found_in(given)]
    page = ROOT / "docs" / "method.md"
    proved = instrument_commit(page)
    for result in results:
        check_all(ROOT, result.path, result.text, result.json, proved)
        # A GPU has a timing path of its own. Without its tables the arithmetic is proved and that path is not, which has to be said.
        if result.kind == "gpu" and has_gpu_tables(page):
            check_commit(ROOT, result.path, result.json["commit"], instrument_commit(page, "gpu "))
    kinds = {result.kind for result in results}
    if "gpu" in kinds and not has_gpu_tables(page):
        say("warning: docs/method.md has no tables made on a GPU; scripts/prove_instrument.sh --backend cuda makes them")
    machines = {slug(options.machine) if options.machine else result.machine() for result in results}
    if len(kinds) > 1 or len(machines) > 1:
        raise Refused(f"the results are of several machines ({', '.join(sorted(machines))}); publish each for itself")
    kind, machine = kinds.pop(), machines.pop()
    if not machine:
        raise Refused("--machine has no letters")
    for result in results:
        for warning in warnings_of(result.path, result.json):
            say(f"warning: {warning}")

    published = ROOT / "results" / "published"
    published.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".draft.", dir=published) as work:
        work = pathlib.Path(work)
        drafts = {}
        for result in sorted(results, key=lambda r: r.date):
            if result.date not in drafts:
                drafts[result.date] = work / result.date
                if (published / machine / result.date).exists():
                    shutil.copytree(published / machine / result.date, drafts[result.date])
                else:
                    drafts[result.date].mkdir()
            place(result, drafts[result.date], f"results/published/{machine}/{result.date}")
        newest = max(drafts)
        everything = sorted(p for folder in drafts.values() for p in folder.glob("result*.json.gz"))
        drawn, headlines = draw(program, drafts[newest], everything, work)
        for draft in drafts.values():
            for path in draft.rglob("*"):
                if path.suffix in (".svg", ".md", ".csv"):
                    check_private(path, path.read_text(encoding="utf-8"))
                    check_paths(path, path.read_text(encoding="utf-8"))
        shutil.rmtree(work / "report")
        others = size_of(published) - size_of(work) - sum(size_of(published / machine / date) for date in drafts if (published / machine / date).exists())
        total = others + size_of(work)
        if total > LIMIT_BYTES:
            raise Refused(f"results/published would hold {total} bytes; at most {LIMIT_BYTES} belong there")
        wanted = options.charts.split(",") if options.charts else [name for name in README_CHARTS if name in drawn][:1]
        if options.charts and not set(wanted) <= set(drawn):
            raise Refused(f"--charts names a chart without data; these have some: {', '.join(drawn)}")
        target = published / machine / newest
        text = rewrite(ROOT / "README.md", kind, block_of(target, drafts[newest], drawn, headlines, wanted))
        for date, draft in drafts.items():
            for path in sorted(p for p in draft.rglob("*") if p.is_file()):
                say(f"{'would write' if options.dry_run else 'writes'} results/published/{machine}/{date}/{path.relative_to(draft)} ({path.stat().st_size} bytes)")
        if options.dry_run:
            say(f"dry run: nothing was written; results/published would hold {total} bytes")
            return
        take_place([(draft, published / machine / date) for date, draft in drafts.items()], ROOT / "README.md", text)
    say(f"published {len(results)} result{'s' if len(results) != 1 else ''} of {machine}; results/published holds {total} bytes; look at README.md, then commit both")


def main(arguments):
    parser = argparse.ArgumentParser(prog="publish.sh", description="Publishes results; see scripts/publish.sh --help.")
    parser.add_argument("results", nargs="+", metavar="RESULT")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--machine")
    parser.add_argument("--charts")
    parser.add_argument("--program")
    options = parser.parse_args(arguments)
    try:
        publish(options)
    except Refused as error:
        print(f"publish: refused: {error}", file=sys.stderr)
        return 2
    except Impossible as error:
        print(f"publish: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
