"""scripts/peers with stand-ins for every program: the order of processes, ratios, counts of digests, reasons, the files."""

import importlib.util
import json
import os
import pathlib
import stat
import subprocess
import sys
import tempfile
import unittest

peers = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "peers"
sys.path.insert(0, str(peers))

import compare  # noqa: E402
import environment  # noqa: E402
import worker  # noqa: E402

# Answers like `detbench step`: a slower second policy, whose bits depend on the thread count and on the process.
stand_in = """#!{python}
import json, os, sys
words = dict(zip(sys.argv[3::2], sys.argv[4::2]))
with open(os.path.join({folder!r}, "calls"), "a") as calls:
    calls.write(json.dumps({{"argv": sys.argv[1:], "omp": os.environ["OMP_NUM_THREADS"], "spin": os.environ["GOMP_SPINCOUNT"], "cpus": len(os.sched_getaffinity(0))}}) + "\\n")
if "fixed_order" in sys.argv[2]:
    sys.exit("detbench: fixed_order has no such network")
if "crash" in sys.argv[2]:
    os.abort()
slow = "library_heuristic" in sys.argv[2]
digest = "aa" if not slow else "b" + words["--threads"] + str(os.getpid())
print(json.dumps({{"digest": digest, "program": "stand-in", "step_s": [0.020, 0.030, 0.020] if slow else [0.010, 0.015, 0.010],
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

    def run_compare(self, *arguments):
        out = pathlib.Path(self.folder.name) / "out"
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
        self.assertEqual(result["settings"][0]["reference"], "detbench:fastest")
        self.assertEqual((fastest["digests"], fastest["digest_processes"], heuristic["digests"]), (1, 3, 3))
        self.assertAlmostEqual(fastest["ratio_of_median"], 1)
        self.assertAlmostEqual(heuristic["ratio_of_median"], 2)
        self.assertAlmostEqual(heuristic["ratio_of_min"], 2)
        self.assertEqual(fixed["reason"], "fixed_order has no such network")
        self.assertNotIn("median_s", fixed)
        self.assertIn("| detbench:library_heuristic | 20.0 | 20.0 | 400 | 2.00 | 2.00 | 3 of 3 |", table)
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
            (["--arms", "jax_*"], "no arm is called 'jax_*'"),
            (["--threads", "100000"], "more threads than CPUs"),
            (["--rounds", "0"], "--rounds 0: 1 or more"),
            (["--arms", "detbench:fastest", "--reference", "tensorflow_graph"], "is not among the arms"),
        ):
            done, result, _ = self.run_compare(*arguments)
            self.assertEqual(done.returncode, 2)
            self.assertIn(said, done.stderr)
            self.assertIsNone(result)


class Parts(unittest.TestCase):
    def test_foreign_share(self):
        self.assertAlmostEqual(compare.foreign_share(100, 116, 6, 10, 2), 0.5)
        self.assertEqual(compare.foreign_share(100, 101, 6, 10, 2), 0)
        self.assertIsNone(compare.foreign_share(None, 116, 6, 10, 2))

    def test_case_ids(self):
        self.assertEqual(
            compare.train_step_case("efficientnet_b0", 224, 32, 1000, "fixed_order", 3),
            "train_step_efficientnet_b0/px224_mb32_classes1000/f32_f32_strict/nhwc/network:fixed_order@steps=3",
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
        order = {"digest_steps": 3, "warm_up": 20, "steps": 7, "seconds": 0}
        done = []
        answer = worker.run(order, lambda: done.append(1), lambda: [FakeArray(len(done))])
        self.assertEqual(len(done), 27)
        self.assertEqual(len(answer["step_s"]), 7)
        # The digest is of the weights after the third step.
        self.assertEqual(answer["digest"], worker.digest([FakeArray(3)]))
        self.assertNotEqual(answer["digest"], worker.digest([FakeArray(4)]))

    def test_worker_stops_at_its_time(self):
        order = {"digest_steps": 1, "warm_up": 0, "steps": 1000000, "seconds": 1e-9}
        self.assertEqual(len(worker.run(order, lambda: None, lambda: [])["step_s"]), 5)


class FakeArray:
    def __init__(self, value):
        self.value = value

    def tobytes(self, order):
        return bytes([self.value])


@unittest.skipIf(importlib.util.find_spec("torch") is None, "no PyTorch here")
class Networks(unittest.TestCase):
    """Trainable parameters as Keras counts them."""

    def test_parameter_counts(self):
        import networks_pytorch

        # keras.applications, weights that train, 1000 classes.
        for model, count in (("mobilenet_v2_alpha1.0", 3504872), ("mobilenet_v2_alpha0.35", 1677128), ("efficientnet_b0", 5288548)):
            parameters = sum(p.numel() for p in networks_pytorch.make_network(model, 96, 1000).parameters())
            self.assertEqual(parameters, count, model)


if __name__ == "__main__":
    unittest.main()
