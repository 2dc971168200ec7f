"""scripts/peers with stand-ins for every program: the order of processes, ratios, counts of digests, reasons, the files."""

import importlib.util
import json
import os
import pathlib
import stat
import subprocess
import sys
import tempfile
import time
import unittest

peers = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "peers"
sys.path.insert(0, str(peers))

import arms  # noqa: E402
import compare  # noqa: E402
import environment  # noqa: E402
import plan  # noqa: E402
import report  # noqa: E402
import run_arm  # noqa: E402
import worker  # noqa: E402

# Answers like `detbench step`: a slower second policy, whose bits depend on the thread count and on the process.
stand_in = """#!{python}
import json, os, sys, time
words = dict(zip(sys.argv[3::2], sys.argv[4::2]))
with open(os.path.join({folder!r}, "calls"), "a") as calls:
    calls.write(json.dumps({{"argv": sys.argv[1:], "omp": os.environ["OMP_NUM_THREADS"], "spin": os.environ["GOMP_SPINCOUNT"], "cpus": len(os.sched_getaffinity(0))}}) + "\\n")
if "fixed_order" in sys.argv[2]:
    sys.exit("detbench: fixed_order has no such network")
if "crash" in sys.argv[2]:
    os.abort()
if "hang" in sys.argv[2]:
    time.sleep(600)
slow = "library_heuristic" in sys.argv[2]
digest = "aa" if not slow else "b" + words["--threads"] + str(os.getpid())
print(json.dumps({{"digest": digest, "program": "stand-in", "prepare_s": 1.5, "memory_bytes": 2**26, "step_s": [0.020, 0.030, 0.020] if slow else [0.010, 0.015, 0.010],
                  "ops": [{{"phase": "forward", "layer": "Conv1", "op": "conv_fwd", "problem": "", "algorithm": "x", "elapsed_s": 0.004}},
                          {{"phase": "forward", "layer": "bn", "op": "batch_norm_fwd", "problem": "", "algorithm": "y", "elapsed_s": 0.006}}]}}))
"""


class Compare(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.program = pathlib.Path(self.folder.name) / "detbench"
        self.program.write_text(stand_in.format(python=sys.executable, folder=self.folder.name))
        self.program.chmod(self.program.stat().st_mode | stat.S_IXUSR)

    def run_compare(self, *arguments, folder="out"):
        out = pathlib.Path(self.folder.name) / folder
        command = [sys.executable, str(peers / "compare.py"), "--no-install", "--venv", str(out / "none"), "--out", str(out), "--detbench", str(self.program)]
        done = subprocess.run([*command, "--px", "96", "--batch", "8", *arguments], capture_output=True, text=True)
        result = json.loads((out / "peers.json").read_text()) if (out / "peers.json").exists() else None
        return done, result, (out / "peers.md").read_text() if result else ""

    def calls(self):
        return [json.loads(line) for line in (pathlib.Path(self.folder.name) / "calls").read_text().splitlines()]

    def test_alternates_pairs_and_counts(self):
        done, result, table = self.run_compare("--arms", "detbench:fastest,detbench:library_heuristic,detbench:fixed_order", "--rounds", "3", "--threads", "1", "--thread-counts", "1")
        self.assertEqual(done.returncode, 0, done.stderr)
        calls = self.calls()
        policies = [c["argv"][1].split("network:")[1].split("@")[0] for c in calls]
        # What cannot run is asked once.
        self.assertEqual(policies, ["fastest", "library_heuristic", "fixed_order", "fastest", "library_heuristic", "fastest", "library_heuristic"])
        self.assertEqual({(c["omp"], c["spin"], c["cpus"]) for c in calls}, {("1", "10000", 1)})
        self.assertEqual(calls[0]["argv"][:2], ["step", "train_step_mobilenet_v2/alpha1.0_px96_mb8_classes1000/f32_f32_strict/nhwc/network:fastest@steps=3"])
        fastest, heuristic, fixed = result["settings"][0]["rows"]
        self.assertEqual({row["reference"] for row in (fastest, heuristic)}, {"detbench:fastest"})
        self.assertEqual((fastest["digests"], fastest["digest_processes"], heuristic["digests"]), (1, 3, 3))
        self.assertAlmostEqual(fastest["ratio_of_median"], 1)
        self.assertAlmostEqual(heuristic["ratio_of_median"], 2)
        self.assertAlmostEqual(heuristic["ratio_of_min"], 2)
        self.assertEqual(fixed["reason"], "fixed_order has no such network")
        self.assertNotIn("median_s", fixed)
        self.assertIn("| detbench:library_heuristic | 20.00 | 20.00 | 400 | 2.00 (2.00 to 2.00) | 2.00 | 1.5 | 64 | 3 of 3; - |", table)
        self.assertIn("fixed_order has no such network", table)
        self.assertIn("batch_norm_fwd 6.00 ms (60 %), conv_fwd 4.00 ms (40 %)", table)

    @unittest.skipIf(len(os.sched_getaffinity(0)) < 2, "one CPU has one thread count")
    def test_compares_bits_between_thread_counts(self):
        done, result, _ = self.run_compare("--arms", "detbench:fastest,detbench:library_heuristic", "--rounds", "1", "--threads", "2")
        self.assertEqual(done.returncode, 0, done.stderr)
        fastest, heuristic = result["settings"][0]["rows"]
        self.assertEqual((fastest["thread_counts"], fastest["thread_digests"]), ([1, 2], 1))
        self.assertEqual((heuristic["thread_counts"], heuristic["thread_digests"]), ([1, 2], 2))
        self.assertEqual(fastest["processes"], 1)  # the process with one thread was not timed

    def test_missing_peers_and_crashes_are_rows_with_a_reason(self):
        done, result, _ = self.run_compare("--arms", "detbench:crash,detbench:fastest,tensorflow_graph,pytorch_eager_contiguous", "--rounds", "1", "--threads", "1")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = {row["arm"]: row for row in result["settings"][0]["rows"]}
        self.assertIn("said nothing", rows["detbench:crash"]["reason"])
        self.assertEqual(rows["detbench:fastest"]["processes"], 1)
        for arm, module in (("tensorflow_graph", "tensorflow"), ("pytorch_eager_contiguous", "torch")):
            if importlib.util.find_spec(module) is None:
                self.assertIn("No module named", rows[arm]["reason"])

    def test_nothing_ran_is_no_success(self):
        done, _, _ = self.run_compare("--arms", "detbench:fixed_order", "--rounds", "1", "--threads", "1")
        self.assertEqual(done.returncode, 77)

    def test_refuses_what_makes_no_sense(self):
        for arguments, said in (
            (["--arms", "mxnet_*"], "no arm is called 'mxnet_*'"),
            (["--arms", "pytorch_eager_sideways"], "pytorch_(eager|compiled|compiled_graph|graph)_(channels_last|contiguous)[_(tf32|bf16|f16)][_(deterministic)]"),
            (["--arms", "detbench:"], "names no policy"),
            (["--arms", ","], "names none"),
            (["--batch", "0"], "--batch 0: at least one"),
            (["--px", "-1"], "--px -1: at least one, each above 0"),
            (["--batch", "8,many"], "'8,many' is no list of whole numbers"),
            (["--models", ""], "--models : at least one"),
            (["--group", "0"], "--group 0: 1 or more"),
            (["--seconds", "nan"], "--seconds nan: 0 or more"),
            (["--budget-s", "nan"], "--budget-s nan: 10 or more"),
            (["--thread-counts", "0"], "--thread-counts 0"),
            (["--resume", "nowhere"], "No such file"),
            (["--threads", "100000"], "more threads than CPUs"),
            (["--rounds", "0"], "--rounds 0: 1 or more"),
            (["--arms", "detbench:fastest", "--reference", "tensorflow_graph"], "is not among the arms"),
        ):
            done, result, _ = self.run_compare(*arguments)
            self.assertEqual(done.returncode, 2)
            self.assertIn(said, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIsNone(result)


    def test_resumes_what_is_missing(self):
        first = ["--arms", "detbench:fastest,detbench:crash", "--rounds", "1", "--threads", "1", "--thread-counts", "1"]
        self.assertEqual(self.run_compare(*first)[0].returncode, 0)
        done, _, _ = self.run_compare(*first)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--force writes over it", done.stderr)
        out = str(pathlib.Path(self.folder.name) / "out")
        done, result, _ = self.run_compare("--arms", "detbench:fastest,detbench:library_heuristic", "--rounds", "2", "--threads", "1", "--thread-counts", "1", "--resume", out, folder="second")
        self.assertEqual(done.returncode, 0, done.stderr)
        # The reference runs again beside what was missing in the first round; processes of two calls are not paired.
        policies = [c["argv"][1].split("network:")[1].split("@")[0] for c in self.calls()]
        self.assertEqual(policies, ["fastest", "crash", "fastest", "library_heuristic", "fastest", "library_heuristic"])
        rows = {row["arm"]: row for row in result["settings"][0]["rows"]}
        self.assertEqual((rows["detbench:fastest"]["processes"], list(rows["detbench:library_heuristic"]["ratios_of_median"])), (3, ["2/1", "2/2"]))
        self.assertNotIn("detbench:crash", rows)  # a failure is tried again where it is asked for, and forgotten where not
        # The same plan under a budget has nothing left to run.
        same = ["--arms", "detbench:fastest,detbench:library_heuristic", "--rounds", "2", "--threads", "1", "--thread-counts", "1"]
        done, _, _ = self.run_compare(*same, "--resume", str(pathlib.Path(self.folder.name) / "second"), "--budget-s", "60", folder="fourth")
        self.assertEqual((done.returncode, len(self.calls())), (0, 6), done.stderr)
        done, _, _ = self.run_compare("--steps", "7", "--threads", "1", "--resume", out, folder="third")
        self.assertEqual(done.returncode, 2)
        self.assertIn("measured with steps 30, this call has 7", done.stderr)

    def test_refuses_foreign_results(self):
        kept = pathlib.Path(self.folder.name) / "kept"
        kept.mkdir()
        for text, said in (("", "Expecting value"), ("[]", "no result of compare.py"), ('{"schema": "detbench peers 9"}', "its schema is"), ('{"schema": "detbench peers 2"}', "no result of compare.py")):
            (kept / "peers.json").write_text(text)
            done, _, _ = self.run_compare("--resume", str(kept))
            self.assertEqual(done.returncode, 2)
            self.assertEqual(len(done.stderr.strip().splitlines()[-1].split("--resume")), 2, done.stderr)
            self.assertIn(said, done.stderr)

    def test_refuses_lies_in_results(self):
        self.assertEqual(self.run_compare("--arms", "detbench:fastest", "--rounds", "1", "--threads", "1", "--thread-counts", "1")[0].returncode, 0)
        path = pathlib.Path(self.folder.name) / "out" / "peers.json"
        good = json.loads(path.read_text())
        for name, lie in (("step_s", ["a"]), ("step_s", [-1.0]), ("step_s", {}), ("arm", "jax_f64"), ("call", "1"), ("digest", 5), ("timed", None), ("prepare_s", "x"), ("ops", [{}])):
            bad = json.loads(json.dumps(good))
            bad["settings"][0]["processes"][0][name] = lie
            path.write_text(json.dumps(bad))
            done, _, _ = self.run_compare("--arms", "detbench:fastest", "--threads", "1", "--resume", str(path.parent))
            self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1), (name, lie, done.stderr))

    def test_a_hang_costs_itself(self):
        done, result, _ = self.run_compare("--arms", "detbench:hang,detbench:fastest", "--rounds", "1", "--threads", "1", "--timeout", "1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(result["settings"][0]["rows"][0]["reason"], "took longer than 1 s")

    def test_precisions_are_compared_with_their_own(self):
        names = "detbench:library_heuristic:bf16:graph,detbench:fastest:bf16,detbench:fastest,detbench:library_heuristic"
        done, result, table = self.run_compare("--arms", names, "--rounds", "1", "--threads", "1", "--thread-counts", "1")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = {row["arm"]: row for row in result["settings"][0]["rows"]}
        self.assertAlmostEqual(rows["detbench:fastest:bf16"]["ratio_of_median"], 0.5)
        self.assertAlmostEqual(rows["detbench:library_heuristic"]["ratio_of_median"], 2)
        self.assertIn("## mobilenet_v2_alpha1.0, 96 px, batch 8, bf16", table)
        self.assertIn("bf16_f32_strict/nhwc/network:library_heuristic@exec=graph,steps=3", self.calls()[0]["argv"][1])


class Arms(unittest.TestCase):
    def test_names(self):
        parse = lambda name: (lambda a: (a.peer, a.precision, a.execution, a.setting, a.plain))(arms.parse(name))
        for name, said in (
            ("detbench:fixed_order", ("detbench", "f32", "launches", "fixed_order", "detbench:library_heuristic")),
            ("detbench:fastest:tf32", ("detbench", "tf32", "launches", "fastest", None)),
            ("detbench:budget:10%:run_to_run:f16:streams_graph", ("detbench", "f16", "streams_graph", "budget:10%:run_to_run", None)),
            ("detbench:fastest_observed:batch:bf16:graph", ("detbench", "bf16", "graph", "fastest_observed:batch", "detbench:library_heuristic:bf16:graph")),
            ("tensorflow_deterministic_xla", ("tensorflow", "f32", "xla", "deterministic", "tensorflow_xla")),
            ("pytorch_eager_channels_last_bf16_deterministic", ("pytorch", "bf16", "launches", "deterministic", "pytorch_eager_channels_last_bf16")),
            ("pytorch_compiled_graph_contiguous_tf32", ("pytorch", "tf32", "compiled_graph", "", None)),
            ("pytorch_graph_channels_last", ("pytorch", "f32", "graph", "", None)),
            ("jax_bf16_excluded", ("jax", "bf16", "xla", "excluded", "jax_bf16")),
        ):
            self.assertEqual(parse(name), said, name)
        for name in ("", "detbench", "detbench::", "detbench:a b", "jax", "jax_f64", "jax_bf16_bf16", "pytorch_eager", "tensorflow_graph_f16", "pytorch_eager_channels_last_deterministic_bf16", "torch_eager", "detbench:x\ny"):
            with self.assertRaises(ValueError, msg=name):
                arms.parse(name)

    def test_lists_hold_arms_and_their_plain_ones(self):
        self.assertEqual(len(set(arms.gpu)), len(arms.gpu))
        for name in arms.cpu + arms.gpu:
            arm = arms.parse(name)
            if arm.plain:
                arms.parse(arm.plain)
                self.assertIn(arm.plain, arms.gpu if name in arms.gpu else arms.cpu)

    def test_settings_of_processes(self):
        of = lambda name, backend="cuda": run_arm.settings_of(arms.parse(name), backend, 4, "cache")
        self.assertEqual(of("pytorch_eager_channels_last_deterministic")["CUBLAS_WORKSPACE_CONFIG"], ":4096:8")
        self.assertNotIn("CUBLAS_WORKSPACE_CONFIG", of("pytorch_eager_channels_last"))
        self.assertEqual(of("jax_f32_deterministic")["XLA_FLAGS"], "--xla_gpu_deterministic_ops=true")
        self.assertEqual((of("jax_f32")["JAX_PLATFORMS"], of("jax_f32", "cpu")["JAX_PLATFORMS"]), ("cuda", "cpu"))
        self.assertNotIn("XLA_FLAGS", of("jax_f32"))
        for name in ("XLA_FLAGS", "JAX_ENABLE_X64", "NVIDIA_TF32_OVERRIDE", "TF_DETERMINISTIC_OPS", "OMP_WAIT_POLICY"):
            self.assertTrue(run_arm.foreign.fullmatch(name), name)
        self.assertFalse(run_arm.foreign.fullmatch("LD_LIBRARY_PATH"))

    def test_reasons(self):
        abort = "E0000 something\nF0000 00:00 parse_flags_from_env.cc:1] Unknown flags in XLA_FLAGS: --xla_no_such\n*** Check failure stack trace: ***\n    @ 0x7f main\n"
        self.assertIn("Unknown flags in XLA_FLAGS: --xla_no_such", run_arm.read_answer("", abort, -6)["failed"])
        self.assertEqual(run_arm.read_answer("", "detbench: no such policy\n", 2), {"unsupported": "no such policy"})
        self.assertEqual(run_arm.read_answer("chatter\n{\"step_s\": [1]}\n", "", 0), {"step_s": [1]})
        self.assertIn("said nothing", run_arm.read_answer("{broken", "", -9)["failed"])


class Plan(unittest.TestCase):
    settings = [("m", 224, 32), ("m", 224, 128)]
    names = ["detbench:library_heuristic:bf16:graph", "jax_bf16", "detbench:library_heuristic:f32:graph", "jax_f32", "pytorch_compiled_channels_last_bf16"]

    def test_important_first_everything_once(self):
        order = [(g[0].group, g[0].setting[2], [s.arm for s in g]) for g in plan.groups(self.settings, self.names, 2, 4, [], True)]
        self.assertEqual(order[:3], [("1.0", 32, self.names[:2]), ("1.0", 128, self.names[:2]), ("1.1", 32, self.names[2:4])])
        self.assertEqual([o[0] for o in order], ["1.0", "1.0", "1.1", "1.1", "1.2", "1.2", "2.0", "2.0", "2.1", "2.1", "2.2", "2.2"])

    def test_a_reference_in_every_group(self):
        group = list(plan.groups(self.settings, self.names, 1, 4, [], True))[4]
        slots = plan.with_references(group, self.names, set())
        self.assertEqual([(s.arm, s.again) for s in slots], [(self.names[0], True), (self.names[4], False)])
        self.assertEqual(plan.with_references(group, self.names, {(self.settings[0], self.names[0])}), group)
        self.assertEqual([s.arm for s in plan.with_references(group, self.names, set(), "jax_bf16")], ["jax_bf16", self.names[4]])

    def test_only_what_fits(self):
        clock = plan.Clock()
        group = plan.with_references(list(plan.groups(self.settings, self.names, 1, 4, [], True))[4], self.names, set())
        self.assertFalse(plan.worth_beginning(group, clock, 60))  # the reference alone would fit
        self.assertTrue(plan.worth_beginning(group, clock, 1000))
        clock.add(self.settings[0], self.names[0], 4)
        clock.add(self.settings[1], self.names[4], 30)
        self.assertEqual((clock.estimate_s(self.settings[0], self.names[0]), clock.estimate_s(self.settings[0], self.names[4])), (4, 45))
        self.assertTrue(plan.worth_beginning(group, clock, 50))


class FakeRunner:
    """Processes that take a given time on a clock of their own."""

    def __init__(self, takes_s):
        self.takes_s = takes_s
        self.now_s = 0.0
        self.ran = []

    def run(self, slot, timeout_s):
        self.ran.append((slot.group, slot.setting[2], slot.arm))
        takes_s = self.takes_s(slot.arm)
        self.now_s += min(takes_s, timeout_s)
        if takes_s > timeout_s:
            return {"failed": "took longer", "timed_out": True, "elapsed_s": timeout_s}
        return {"step_s": [0.01], "digest": "a", "elapsed_s": takes_s}


class Budget(unittest.TestCase):
    names = Plan.names

    def comparison(self, *more):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        argv = ["--backend", "cuda", "--px", "224", "--batch", "32,128", "--threads", "1", "--rounds", "2", "--arms", ",".join(self.names), "--out", folder.name, *more]
        return compare.Comparison(compare.parse(argv)[0], {"cpu": "fake", "gpu": None})

    def test_quick_is_bf16_and_f32_of_each_framework(self):
        quick = compare.parse(["--gpu-quick", "--threads", "1", "--px", "96", "--out", "none"])[0]
        self.assertEqual((quick.backend, quick.px, quick.batch, quick.budget_s, quick.group), ("cuda", [96], [32, 128], 470, 5))
        self.assertEqual({(a.peer, a.precision) for a in map(arms.parse, quick.arms)}, {(peer, p) for peer in ("detbench", "pytorch", "jax") for p in ("bf16", "f32")})
        self.assertEqual(compare.parse(["--gpu-quick", "--threads", "1", "--arms", "*", "--out", "none"])[0].arms, arms.gpu)
        # Processes of 8, 15 and 30 s: what docs/peers.md says of the first call.
        one, runner = compare.Comparison(quick, {}), FakeRunner(lambda arm: {"detbench": 8, "pytorch": 15, "jax": 30}[arms.parse(arm).peer])
        one.write = lambda: None
        one.run(runner, lambda text: None, quick.budget_s, lambda: runner.now_s)
        self.assertEqual([group for group, _, _ in runner.ran[:24]], ["1.0"] * 12 + ["1.1"] * 12)

    def test_ends_in_time(self):
        takes_s = lambda arm: {"detbench": 5, "jax": 30, "pytorch": 50}[arms.parse(arm).peer]
        for budget_s in (20, 80, 150, 163, 300, 500):
            one, runner = self.comparison(), FakeRunner(takes_s)
            one.run(runner, lambda text: None, budget_s, lambda: runner.now_s)
            self.assertLessEqual(runner.now_s, budget_s)
            wanted = {(g[0].group, s.setting[2], s.arm) for g in plan.groups(list(one.answers), self.names, 2, 1, [], True) for s in g}
            self.assertEqual(one.left, len(wanted - set(runner.ran)), budget_s)
            # What runs is the most important: a tier begins when the one before it has ended on every setting, or did not fit.
            self.assertEqual(runner.ran[:1], [("1.0", 32, self.names[0])])
        self.assertEqual(one.left, 0)

    def test_what_the_budget_interrupts_is_left_and_no_failure(self):
        one = self.comparison("--batch", "32", "--rounds", "1")
        runner = FakeRunner(lambda arm: 1000 if arm == "jax_bf16" else 5)
        one.run(runner, lambda text: None, 100, lambda: runner.now_s)
        self.assertEqual((runner.now_s, one.left), (100, 4))
        self.assertEqual([r["arm"] for answers in one.answers.values() for r in answers], ["detbench:library_heuristic:bf16:graph"])

    def test_without_a_budget_nothing_is_left(self):
        one, runner = self.comparison("--timeout", "40"), FakeRunner(lambda arm: 50 if "pytorch" in arm else 1)
        one.run(runner, lambda text: None, None, lambda: runner.now_s)
        self.assertEqual(one.left, 0)
        # What took too long is asked once per setting.
        self.assertEqual(sum(arm.startswith("pytorch") for _, _, arm in runner.ran), 2)


class Report(unittest.TestCase):
    def rows(self, **times):
        """Rows of arms, each given its median per group."""
        runs = lambda values: [{"step_s": [v], "threads": 1, "timed": True, "call": 1, "group": str(k), "digest": "a"} for k, v in enumerate(values, 1)]
        rows = [report.summarize(name.replace("__", ":"), runs(values), 1) for name, values in times.items()]
        report.pair(rows)
        return rows

    def test_chooses_and_reports_from_different_groups(self):
        rows = self.rows(detbench__library_heuristic=[1, 1, 1], detbench__fixed_order=[2, 2, 2], jax_f32=[0.5, 3, 3], pytorch_eager_channels_last=[4, 4, 4], pytorch_graph_channels_last=[5, 2, 2])
        best = {(b["peer"], b["which"]): b["ratio"] for b in report.best_against_best(rows)}
        # PyTorch's first group chose the arm that was slower later.
        self.assertEqual(best, {("jax_f32", "any setting"): 1 / 3, ("pytorch_eager_channels_last", "any setting"): 1 / 4})
        self.assertEqual(report.best_against_best(self.rows(detbench__library_heuristic=[1], jax_f32=[2])), [])

    def test_prices(self):
        rows = self.rows(detbench__library_heuristic=[1, 1], detbench__fixed_order=[1.5, 1.7], jax_f32=[2, 2], jax_f32_deterministic=[6, 6], jax_bf16=[1, 1])
        prices = {p["arm"]: p["ratio"] for p in report.prices(rows)}
        self.assertEqual(set(prices), {"detbench:fixed_order", "jax_f32_deterministic"})
        self.assertAlmostEqual(prices["detbench:fixed_order"], 1.6)
        self.assertAlmostEqual(prices["jax_f32_deterministic"], 3)

    def test_says_that_a_machine_was_busy(self):
        result = {"machine": {"cpu": "c"}, "group": 1, "threads": 1, "rounds": 1, "warm_up": 1, "date": "d", "digest_steps": 3, "left": 0, "settings": [], "foreign_share": 0.3}
        self.assertNotIn("busy", report.markdown(result))
        self.assertIn("85 % of the CPUs meanwhile: a busy machine", report.markdown({**result, "foreign_share": 0.85}))
        self.assertIn("an unknown part of the CPUs meanwhile.", report.markdown({**result, "foreign_share": None}))

    def test_tables_hold_any_reason(self):
        self.assertEqual(report.table(["a"], [["x | y\nz"]])[2], "| x \\| y z |")


class Parts(unittest.TestCase):
    def test_foreign_share(self):
        self.assertAlmostEqual(run_arm.foreign_share(100, 116, 6, 10, 2), 0.5)
        self.assertEqual(run_arm.foreign_share(100, 101, 6, 10, 2), 0)
        self.assertIsNone(run_arm.foreign_share(None, 116, 6, 10, 2))

    def test_case_ids(self):
        case = lambda model, px, batch, name: run_arm.train_step_case(model, px, batch, 1000, arms.parse(name), 3)
        self.assertEqual(
            case("efficientnet_b0", 224, 32, "detbench:fixed_order"),
            "train_step_efficientnet_b0/px224_mb32_classes1000/f32_f32_strict/nhwc/network:fixed_order@steps=3",
        )
        self.assertEqual(
            case("mobilenet_v2_alpha1.0", 224, 128, "detbench:fastest_observed:partition:bf16:graph"),
            "train_step_mobilenet_v2/alpha1.0_px224_mb128_classes1000/bf16_f32_strict/nhwc/network:fastest_observed:partition@exec=graph,steps=3",
        )

    def test_finds_the_package_of_a_missing_library(self):
        asked = "ImportError: {}: cannot open shared object file: No such file or directory"
        self.assertEqual(environment.package_for(asked.format("libcufile.so.0")), "cuda-toolkit[cufile]==13.2.2")
        self.assertEqual(environment.package_for(asked.format("libcusparse.so.12")), "cuda-toolkit[cusparse]==13.2.2")
        self.assertTrue(environment.package_for(asked.format("libcusparseLt.so.0")).startswith("nvidia-cusparselt"))
        self.assertTrue(environment.package_for(asked.format("libnvshmem_host.so.3")).startswith("nvidia-nvshmem"))
        self.assertTrue(environment.package_for("ImportError: libtorch_cuda.so: undefined symbol: ncclCommResume").startswith("nvidia-nccl"))
        self.assertIsNone(environment.package_for(asked.format("libfoo.so.1")))
        self.assertIsNone(environment.package_for(""))

    def test_worker_counts_steps(self):
        order = {"digest_steps": 3, "warm_up": 20, "steps": 7, "group": 2, "seconds": 0}
        done = []
        answer = worker.run(order, lambda: done.append(1), lambda: [FakeArray(len(done))])
        self.assertEqual(len(done), 34)
        self.assertEqual(len(answer["step_s"]), 7)
        # The digest is of the weights after the third step.
        self.assertEqual(answer["digest"], worker.digest([FakeArray(3)]))
        self.assertNotEqual(answer["digest"], worker.digest([FakeArray(4)]))

    def test_worker_refuses_what_was_not_asked_for(self):
        order = {"digest_steps": 1, "warm_up": 0, "steps": 1, "group": 1, "seconds": 0}
        with self.assertRaisesRegex(RuntimeError, "the loss is nan"):
            worker.run(order, lambda: None, lambda: [], loss=lambda: float("nan"))
        exact = 512 * (1 + 2**-12)
        worker.require_f32("jax_f32", product=exact, convolution=exact + 1e-5)
        for rounded in (512.0, float("inf")):
            with self.assertRaisesRegex(RuntimeError, "rounds factors"):
                worker.require_f32("jax_f32", product=exact, convolution=rounded)

    def test_worker_stops_at_its_time(self):
        order = {"digest_steps": 1, "warm_up": 0, "steps": 1000000, "group": 1, "seconds": 1e-9}
        self.assertEqual(len(worker.run(order, lambda: None, lambda: [])["step_s"]), 5)


class FakeArray:
    def __init__(self, value):
        self.value = value

    def tobytes(self, order):
        return bytes([self.value])


if __name__ == "__main__":
    unittest.main()
