"""scripts/publish.sh in a small repository of its own, with a stand-in for detbench: what is refused, what is written, that nothing is written half.

Usage: publish_test.py; ends with 77 where scripts/setup.sh has not made the .venv."""

import gzip
import json
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

from hand_made import control, record, result, scope, write

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
STEP = "train_step_small_cnn/px28_mb8_classes10/f32_f32_strict/nhwc/network:fastest"
README = """# x

<!-- published gpu: begin -->
<!-- published gpu: end -->

<!-- published cpu: begin -->
by hand
<!-- published cpu: end -->

The rest.
"""
TABLES = """# Method

<!-- detection table: begin -->
Made by `scripts/prove_instrument.sh` from commit {commit} on 2026-11-22: x.

| scope | holds |
| --- | --- |
| repeat | yes |
<!-- detection table: end -->
<!-- timing table: begin -->
Made by `scripts/prove_instrument.sh` from commit {commit} on 2026-11-22: x.

| noise | holds |
| --- | --- |
| real | yes |
<!-- timing table: end -->
<!-- gpu detection table: begin -->
<!-- gpu detection table: end -->
<!-- gpu timing table: begin -->
<!-- gpu timing table: end -->
"""
# Writes a report as detbench does: one chart with data, one without, the headlines, the tables.
DETBENCH = """#!/usr/bin/env python3
import json, pathlib, sys
out = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
(out / "charts").mkdir(parents=True)
(out / "tables").mkdir()
results = [a for a in sys.argv[2:sys.argv.index("--out")]]
spec = {"$schema": "https://vega.github.io/schema/vega-lite/v6.json", "title": {"text": "Steps"}, "datasets": {"rows": [{"a": 1}]},
        "data": {"name": "rows"}, "mark": "point", "encoding": {"x": {"field": "a", "type": "quantitative"}}}
(out / "charts" / "tradeoff_frontier.vl.json").write_text(json.dumps(spec))
del spec["datasets"]
spec["data"] = {"values": [{"a": 1}]}
(out / "charts" / "network_tradeoff.vl.json").write_text(json.dumps(spec))
(out / "tables" / "headlines.md").write_text("# What\\n\\n"
    "- **train step of small_cnn (28 px; strict f32; by launches)**: first of %d.\\n  - fastest: below\\n"
    "- **train step of small_cnn (28 px; strict f32; as a CUDA graph)**: second.\\n- **inference of small_cnn (28 px; TF32)**: third.\\n" % len(results))
targets = "file,target,problem,arm,reached,asked,verdict,what bounds it\\n,sums fast,sum  n1,cuda:a,0.6,at least 0.9,missed,bandwidth\\n,sums fast,sum  n2,cuda:b,0.5,at least 0.9,missed,latency\\n,scatter,x,c,1.5,at most 2,met,\\n,scatter,y,d,3,at most 2,\\"missed, within the noise\\",\\n"
(out / "tables" / "speed_targets.csv").write_text(targets)
for name in ("engines", "network_prices", "price_of_forbidding", "price_of_agreement", "claim_audit", "measured_ceilings"):
    rows = ["file,what"] + [(chr(65 + i) if len(results) > 1 else "") + ",\\"x, y\\"" for i in range(len(results))]
    (out / "tables" / (name + ".csv")).write_text("\\n".join(rows) + "\\n")
(pathlib.Path(__file__).parent / "called_with").write_text("\\n".join(results))
"""


def git(folder, *words):
    return subprocess.run(["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@t", *words], check=True, capture_output=True, text=True).stdout.strip()


class Publish(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="publish test.")
        self.addCleanup(holder.cleanup)
        self.root = pathlib.Path(holder.name) / "checkout"
        (self.root / "docs").mkdir(parents=True)
        (self.root / "results").mkdir()
        shutil.copytree(ROOT / "scripts" / "publish", self.root / "scripts" / "publish", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("publish.sh", "lib.sh", "validate_results.py", "render_charts.py"):
            shutil.copy(ROOT / "scripts" / name, self.root / "scripts" / name)
        shutil.copy(ROOT / "results" / "schema-v1.json", self.root / "results" / "schema-v1.json")
        os.symlink(ROOT / ".venv", self.root / ".venv")
        for name, text in (("README.md", README), ("kernels/a.cpp", "1"), ("notes.txt", "1")):
            (self.root / name).parent.mkdir(exist_ok=True)
            (self.root / name).write_text(text)
        git(self.root, "init", "-q", "-b", "main")
        git(self.root, "add", "README.md", "kernels", "notes.txt")
        git(self.root, "commit", "-q", "-m", "one")
        self.commit = git(self.root, "rev-parse", "HEAD")
        self.prove(self.commit[:12])
        self.program = pathlib.Path(holder.name) / "detbench"
        self.program.write_text(DETBENCH)
        self.program.chmod(self.program.stat().st_mode | stat.S_IXUSR)
        self.results = pathlib.Path(holder.name) / "results"

    def prove(self, commit, damage=lambda text: text):
        (self.root / "docs" / "method.md").write_text(damage(TABLES.format(commit=commit)))

    def make(self, name="run", **more):
        records = more.pop("records", [record(STEP, suite="train_step", agreement=[scope("repeat")])])
        more.setdefault("commit", self.commit)
        return write(self.results / name / "result.json", result(records, **more)).parent

    def run_on(self, *arguments):
        done = subprocess.run([self.root / "scripts" / "publish.sh", "--program", self.program, *map(str, arguments)], capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    def files(self):
        return sorted(p.relative_to(self.root).as_posix() for p in (self.root / "results").rglob("*") if p.is_file())

    def refused(self, words, *arguments):
        before = (self.files(), (self.root / "README.md").read_text())
        code, _, err = self.run_on(*arguments)
        self.assertEqual((code, len(err.splitlines())), (2, 1), err)
        self.assertIn(words, err)
        self.assertEqual((self.files(), (self.root / "README.md").read_text()), before, "nothing is written")

    def test_publishes_results_charts_and_the_block(self):
        folder = self.make()
        (folder / "policies").mkdir()
        (folder / "policies" / "fastest.json").write_text("{}")
        code, out, err = self.run_on(folder)
        self.assertEqual((code, err), (0, ""), out)
        here = "results/published/hand-made-gpu/2026-11-22"
        tables = ["claim_audit", "engines", "measured_ceilings", "network_prices", "price_of_agreement", "price_of_forbidding", "speed_targets"]
        names = ["charts/tradeoff_frontier.svg", "headlines.md", "policies/fastest.json", "result.json.gz"] + [f"{t}.csv" for t in tables]
        self.assertEqual(self.files(), sorted([f"{here}/{n}" for n in names] + ["results/schema-v1.json"]))
        self.assertEqual(json.loads(gzip.decompress((self.root / here / "result.json.gz").read_bytes()))["commit"], self.commit)
        self.assertIn("<svg", (self.root / here / "charts/tradeoff_frontier.svg").read_text())
        readme = (self.root / "README.md").read_text()
        self.assertIn(f"<!-- published gpu: begin -->\n![Steps]({here}/charts/tradeoff_frontier.svg)\n\n- **train step of small_cnn (28 px; strict f32; by launches)**: first of 1.\n", readme)
        self.assertNotIn("second.", readme, "one sentence per phase, network and precision")
        self.assertIn("- **inference of small_cnn (28 px; TF32)**: third.\n\nSpeed targets of reductions: 1 met, 1 missed within the noise, 0 ambiguous, 2 missed, each with its worst case:\n"
                      "- sums fast: 0.50 (at least 0.9) by `cuda:b` in sum n2; latency\n\n1 more sentence, and every policy", readme)
        self.assertIn("<!-- published cpu: begin -->\nby hand\n<!-- published cpu: end -->", readme, "the other block stays")
        self.assertTrue(readme.endswith("The rest.\n"))
        # Again: the same result is the same file; a further phase joins it and is drawn with it.
        phase = write(self.results / "state/sweep/first-look/run/result.json", result([], commit=self.commit, filter="suite:convolution")).parent
        self.assertEqual(self.run_on(folder, phase)[0], 0)
        self.assertEqual([f for f in self.files() if "result-" in f or f.endswith("result.json.gz")], [f"{here}/result-first-look.json.gz", f"{here}/result.json.gz"])
        self.assertEqual(len((self.program.parent / "called_with").read_text().splitlines()), 2)
        self.assertEqual((self.root / here / "engines.csv").read_text(), 'file,what\nresult-first-look.json.gz,"x, y"\nresult.json.gz,"x, y"\n')
        self.assertEqual((self.root / "README.md").read_text().count("published gpu: begin"), 1)
        self.assertEqual(list((self.root / "results/published").glob(".*")), [], "no drafts are left")

    def test_replays_name_the_published_policies(self):
        replay = f"detbench run '{STEP}' --selections {{}} --threads 2"
        for name, path in (("plain", "/measured/here/run/policies"), ("quoted", "'/measured here/run/policies'")):
            row = {**record(STEP, suite="train_step", agreement=[scope("repeat")]), "replay": replay.format(path)}
            folder = self.make(name, records=[row])
            self.refused("holds a path of one machine: --selections ", folder)
            (folder / "policies").mkdir()
            (folder / "policies" / "fastest.json").write_text("{}")
            self.assertEqual(self.run_on(folder)[0], 0)
            here = "results/published/hand-made-gpu/2026-11-22"
            text = gzip.decompress((self.root / here / "result.json.gz").read_bytes()).decode()
            self.assertEqual(json.loads(text)["records"][0]["replay"], replay.format(f"{here}/policies"))
            self.assertNotIn("/measured", text)
            shutil.rmtree(self.root / "results/published")

    def test_takes_the_phases_of_a_sweep(self):
        state = self.results / "state"
        self.refused("no phase of its sweep has a result", self.empty(state / "sweep"))
        for phase in ("first", "second"):
            write(state / "sweep" / phase / "run" / "result.json", result([record(STEP, suite="train_step", notes={"phase": phase})], commit=self.commit, filter="suite:train_step"))
        (state / "sweep" / "first" / "status").write_text("status=done\ntaken_over_by=sweep/second\n")
        code, out, _ = self.run_on("--dry-run", state)
        self.assertEqual(code, 0)
        self.assertIn("which sweep/second has taken over", out)
        self.assertIn("result-second.json.gz", out)
        self.assertNotIn("result-first.json.gz", out)

    @staticmethod
    def empty(folder):
        folder.mkdir(parents=True)
        return folder.parent

    def test_a_cpu_has_its_own_block_and_folder(self):
        code, _, err = self.run_on(self.make(backend="cpu"))
        self.assertEqual((code, err), (0, ""))
        self.assertTrue((self.root / "results/published/hand-made-cpu-2-cores/2026-11-22/result.json.gz").exists())
        readme = (self.root / "README.md").read_text()
        self.assertIn("<!-- published gpu: begin -->\n<!-- published gpu: end -->", readme)
        self.assertNotIn("by hand", readme)

    def test_a_dry_run_writes_nothing(self):
        before = (self.files(), (self.root / "README.md").read_text())
        code, out, _ = self.run_on("--dry-run", self.make())
        self.assertEqual(code, 0)
        self.assertIn("would write results/published/hand-made-gpu/2026-11-22/result.json.gz", out)
        self.assertEqual((self.files(), (self.root / "README.md").read_text()), before)

    def test_refuses_what_was_not_measured_cleanly(self):
        self.refused("local changes", self.make(dirty=True))
        self.refused("local changes", self.make(commit=""))
        self.refused("'Emulated GPU', which measures nothing", self.make(gpu="Emulated GPU"))
        self.refused("has no controls", self.make(controls=[]))
        self.refused("the negative control integer_accumulation differed", self.make(controls=[control("integer_accumulation", positive=False, as_expected=False)]))
        self.refused("is not valid", self.make(records=[record(STEP, status="crashed", reason=" ", replay="no")]))
        self.refused("somebody's home folder", self.make(records=[record(STEP, notes={"path": "/home/ann/x"})]))
        self.refused("a UUID", self.make(records=[record(STEP, notes={"gpu": "GPU-12345678-1234-1234-1234-123456789abc"})]))
        self.refused("is no result file", write(self.results / "other.json", {}))
        self.refused("several machines", self.make(), self.make("other", gpu="Another GPU"))

    def test_an_uncaught_positive_control_is_a_warning(self):
        code, out, _ = self.run_on(self.make(controls=[control(as_expected=False)], complete=False))
        self.assertEqual(code, 0)
        self.assertIn("warning: ", out)
        self.assertIn("contended_atomics was not caught", out)
        self.assertIn("has no tables made on a GPU", out)
        self.assertIn("was interrupted", out)

    def test_holds_the_commit_against_the_tables(self):
        folder = self.make()
        self.prove("a" * 12)
        self.refused("is not in this repository", folder)
        self.prove(self.commit[:12] + " with local changes")
        self.refused("is no commit's", folder)
        self.prove(self.commit[:12], lambda text: text.replace("| repeat | yes |", "| repeat | NO |"))
        self.refused("does not hold", folder)
        self.prove(self.commit[:12], lambda text: text.replace("timing table: begin", "timing: begin"))
        self.refused("has no timing table", folder)
        # Where a GPU has proved the instrument too, that counts for its results.
        made = "Made from commit {} on x.\n\n| a | holds |\n| --- | --- |\n| b | {} |\n"
        for commit, cell, words in (("b" * 12, "yes", "is not in this repository"), (self.commit[:12], "NO", "does not hold")):
            block = made.format(commit, cell)
            self.prove(self.commit[:12], lambda text: text.replace("gpu detection table: begin -->\n", "gpu detection table: begin -->\n" + block).replace("gpu timing table: begin -->\n", "gpu timing table: begin -->\n" + block))
            self.refused(words, folder)
        # Another commit that measures the same is as good; one that does not is refused.
        self.prove(self.commit[:12])
        (self.root / "notes.txt").write_text("2")
        git(self.root, "commit", "-q", "-am", "two")
        self.assertEqual(self.run_on("--dry-run", self.make(commit=git(self.root, "rev-parse", "HEAD")))[0], 0)
        (self.root / "kernels" / "a.cpp").write_text("2")
        git(self.root, "commit", "-q", "-am", "three")
        self.refused("differ between them", self.make(commit=git(self.root, "rev-parse", "HEAD")))

    def test_keeps_to_the_limit(self):
        big = self.root / "results" / "published" / "other" / "2026-01-01" / "result.json.gz"
        big.parent.mkdir(parents=True)
        with big.open("wb") as file:
            file.truncate(30_000_000)
        self.refused("at most 30000000 belong there", self.make())

    def test_without_its_place_nothing_is_written(self):
        (self.root / "README.md").write_text("# x\n")
        before = self.files()
        code, _, err = self.run_on(self.make())
        self.assertEqual((code, len(err.splitlines())), (3, 1), err)
        self.assertIn("README.md needs one line <!-- published gpu: begin -->", err)
        self.assertEqual(self.files(), before)
        (self.root / "README.md").write_text(README)
        self.program.write_text("#!/bin/sh\necho it broke >&2\nexit 3\n")
        code, _, err = self.run_on(self.make())
        self.assertEqual(code, 3)
        self.assertIn("it broke", err)
        self.assertEqual(self.files(), before)


if __name__ == "__main__":
    if not (ROOT / ".venv" / "bin" / "python").exists():
        print("SKIPPED: there is no .venv; run scripts/setup.sh")
        sys.exit(77)
    unittest.main()
