"""scripts/open_questions.py on hand-made rows: every answer is counted in them, what they do not say is not measured."""

import csv
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from hand_made import MARKED, PROMISED, record, result, scope, write

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SHAPE = "mb8_g1_ic3_ih28_iw28_oc16_kh3_kw3_sh1_sw1_pt1_pb1_pl1_pr1_dh1_dw1/f32_f32_strict/nhwc"
STEP = "train_step_small_cnn/px28_mb8_classes10/f32_f32_strict/nhwc"


class OpenQuestions(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name)
        self.addCleanup(self.folder.cleanup)

    def ask(self, *arguments):
        done = subprocess.run([sys.executable, ROOT / "scripts" / "open_questions.py", *map(str, arguments)], capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    def answers(self, records, *arguments):
        code, out, err = self.ask(write(self.path / "result.json", result(records)), *arguments)
        self.assertEqual((code, err), (0, ""))
        parts = re.split(r"### ([a-i])\. .*\n\n", out)
        self.assertEqual(parts[1::2], list("abcdefghi"))
        return {letter: text.strip() for letter, text in zip(parts[1::2], parts[2::2])}

    def test_without_rows_nothing_is_measured_and_no_number_is_said(self):
        for letter, text in self.answers([]).items():
            self.assertRegex(text, "(?i)not measured", letter)
            self.assertNotRegex(text.replace("engine 5", "").replace("engine 20", "").replace("engine 25", ""), r"\d", letter)

    def test_rows_of_a_cpu_answer_nothing_about_a_gpu(self):
        rows = [record(f"conv_fwd/{SHAPE}/cudnn_graph:eng5", agreement=[scope("repeat")])]
        code, out, _ = self.ask(write(self.path / "result.json", result(rows, backend="cpu")))
        self.assertEqual(code, 0)
        self.assertIn("Not measured: no row of forward engine 5.", out)

    def test_a_legacy_enums(self):
        rows = [
            record(f"conv_fwd/{SHAPE}/cudnn_legacy:implicit_gemm@math=fma"),
            record(f"conv_fwd/{SHAPE}/cudnn_legacy:pad+implicit_gemm@math=default", "unsupported", "permits TF32: it belongs to f32_f32_tf32"),
            record(f"conv_fwd/{SHAPE}/cudnn_legacy:fft@math=fma", "unsupported", "CUDNN_STATUS_NOT_SUPPORTED"),
            record(f"conv_fwd/{SHAPE}/cudnn_legacy:fft_tiling@math=fma", "crashed", "signal 11"),
            record(f"conv_fwd/{SHAPE}/cudnn_legacy:pick:get_v7@math=fma,ws=0"),
            record(f"conv_wgrad/{SHAPE}/cudnn_legacy:algo_3@math=fma", agreement=[scope("repeat")]),
        ]
        text = self.answers(rows)["a"]
        self.assertIn("Forward, of 8 values: 1 ran: `implicit_gemm` (1 of 1 arm ran)", text)
        self.assertIn('2 never did: `fft` (1 unsupported, mostly "CUDNN_STATUS_NOT_SUPPORTED"), `fft_tiling` (1 crashed, mostly "signal 11")', text)
        self.assertIn("not tried: `implicit_precomp_gemm`, `gemm`, `direct`, `winograd`, `winograd_nonfused`", text)
        self.assertIn("Data gradient: not measured.", text)
        self.assertIn("1 ran: `algo_3`", text)

    def test_b_reductions_and_genstats(self):
        rows = [
            record("sum/n1024/f32_f32_strict/vector/cudnn_graph:eng1@deterministic=0", suite="reduction", workspace_bytes=0,
                   agreement=[scope("repeat", "differs", 100, 3, 4), scope("load", "differs", 100, stages={"spinners": 9, "memory_traffic": 1})]),
            record("sum/n1024/f32_f32_strict/vector/cudnn_graph:eng1@deterministic=1", suite="reduction", workspace_bytes=4096, agreement=[scope("repeat", runs=100)]),
        ]  # fmt: skip
        text = self.answers(rows)["b"]
        self.assertIn("IS_DETERMINISTIC = false (`sum`; 1 ok): in repeat: 1 of 1 arm differ", text)
        self.assertIn("in 3 of 100 runs with 4 distinct results; under load: 1 of 1 arm differ", text)
        self.assertIn("in 10 of 200 runs with 2 distinct results; workspace 0 bytes", text)
        self.assertIn("IS_DETERMINISTIC = true (`sum`; 1 ok): in repeat: no difference in 100 runs of 1 arm; under load: not measured; workspace 4096 bytes", text)
        self.assertIn("Not measured: no row of conv_stats_fwd by cuDNN.", text)

    def test_c_unlabelled_engines(self):
        rows = [
            record(f"conv_fwd/{SHAPE}/cudnn_graph:eng5[SPLIT_K=4]", claim=PROMISED, agreement=[scope("repeat"), scope("load", "differs", 100, 7)]),
            record(f"conv_fwd/{SHAPE}/cudnn_graph:eng5", claim=PROMISED, agreement=[scope("repeat"), scope("load", runs=100)]),
            record(f"conv_wgrad/{SHAPE}/cudnn_graph:eng20[SPLIT_K=4]", claim=MARKED, agreement=[scope("load", "differs", 100, 99)]),
            record(f"conv_wgrad/{SHAPE}/cudnn_graph:eng1[SPLIT_K=1]", claim=PROMISED, agreement=[scope("load", "differs", 100, 98)]),
            record(f"conv_wgrad/{SHAPE}/cudnn_graph:eng1[REDUCTION_MODE=2]", claim=PROMISED, agreement=[scope("load", runs=100)]),
            record(f"conv_wgrad/{SHAPE}/cudnn_graph:eng2[SPLIT_K=2]", claim=PROMISED, agreement=[scope("load", runs=100)], notes={"cannot_show": "two partials"}),
        ]
        text = self.answers(rows)["c"]
        self.assertIn("whose knobs split a sum (3 ok): in repeat: no difference in 10 runs of 1 arm; under load: 1 of 2 arms differ", text)
        self.assertIn("in 7 of 100 runs", text)
        self.assertIn("knob values among those that differ: `conv_fwd` eng5: SPLIT_K=4.", text)
        self.assertIn("Forward engine 5 (2 ok): in repeat: no difference in 20 runs of 2 arms; under load: 1 of 2 arms differ", text)

    def test_d_marked_engines(self):
        rows = [
            record(f"conv_wgrad/{SHAPE}/cudnn_graph:eng20", claim=MARKED, agreement=[scope("repeat", "differs", 100, 3)]),
            record(f"conv_wgrad/{SHAPE}/cudnn_graph:eng20[TILE_SIZE=1]", claim=MARKED, agreement=[scope("repeat", "differs", 100, 97)]),
            record(f"conv_wgrad/{SHAPE}/cudnn_graph:pad+eng20+clip", claim=MARKED, agreement=[scope("repeat", runs=100)]),
            record(f"conv_dgrad/{SHAPE}/cudnn_graph:eng25", "unsupported", claim=MARKED),
        ]
        text = self.answers(rows)["d"]
        self.assertIn("Filter gradient engine 20, without stress (3 ok): 2 of 3 arms differ, in 3 of 100 runs at least and 97 of 100 at most; 1 showed no difference in 100 runs", text)
        self.assertIn("Data gradient engine 25: not measured without stress (1 unsupported).", text)

    def test_e_batch_norms_and_f_schemes(self):
        rows = [
            record("batch_norm_fwd/mb8_c16_h4_w4/f32_f32_strict/nhwc/cudnn_legacy:spatial_persistent", agreement=[scope("repeat"), scope("capture", runs=2)], suite="batch_norm"),
            record("batch_norm_bwd/mb8_c16_h4_w4/f32_f32_strict/nhwc/cudnn_graph:eng0", "timed_out", "no answer within 30 s", suite="batch_norm"),
            record("matmul/m64_n64_k64/f32_f32_strict/nn/cublaslt:algo21[SPLITK=4;SCHEME=INPLACE]", agreement=[scope("load", "differs", 10, 2)], suite="matmul"),
            record("matmul/m64_n64_k64/f32_f32_strict/nn/cublaslt:algo21[SPLITK=4;SCHEME=COMPUTE_TYPE]", agreement=[scope("load")], suite="matmul"),
        ]
        found = self.answers(rows)
        self.assertIn("Legacy persistent modes (1 ok): in repeat: no difference in 10 runs of 1 arm; under load: not measured; capture: 0 of 1 arm differ over 1 configuration; 0 arms timed out", found["e"])
        self.assertIn("Other legacy modes: not measured.", found["e"])
        self.assertIn('1 arm timed out, mostly "no answer within 30 s"', found["e"])
        self.assertIn("`SCHEME=INPLACE` (1 ok): in repeat: not measured; under load: 1 of 1 arm differ", found["f"])
        self.assertIn("The other schemes (1 ok): in repeat: not measured; under load: no difference in 10 runs of 1 arm.", found["f"])

    def test_g_partitions(self):
        rows = [
            record("sum/n1024/f32_f32_strict/vector/cub:gpu_to_gpu", suite="reduction", agreement=[scope("partition", runs=2, stages={"green_context=64": 0})]),
            record("sum/n1024/f32_f32_strict/vector/cub:device_reduce", suite="reduction",
                   agreement=[scope("partition", "differs", 2, stages={"green_context=64": 0, "green_context=32": 2, "sm_target=66": 0})]),
        ]  # fmt: skip
        text = self.answers(rows)["g"]
        self.assertIn("Green contexts: `cub` 1 of 2 arms differ (over 32, 64 SMs).", text)
        self.assertIn("SM-count targets: `cub` 0 of 1 arm differ (over 66 SMs).", text)

    def catalog(self, name, engines, device="", picks=("eng1",)):
        problem = {"problem": f"conv_fwd/{SHAPE}", "used_by": [], "failure": "", "engines": engines, "refused": [],
                   "heuristics": [{"mode": "A", "picks": list(picks), "reason": ""}]}  # fmt: skip
        content = {"schema": "detbench-catalog", "schema_version": 1, "cudnn_version": "9.9.9", "driver_library": "present",
                   "target": {"arch": "sm_90", "device": device, "asked_device": bool(device)}, "problems": [problem]}  # fmt: skip
        return write(self.path / name, content)

    def test_h_catalogs(self):
        def engine(number, notes=(), status="valid"):
            return {"id": number, "status": status, "reason": "", "notes": list(notes), "behaviours": [], "knobs": [], "workspace_bytes": 0}

        same = self.catalog("a.json", [engine(1), engine(5)], "Hand-made GPU")
        text = self.answers([], "--catalog-device", same, "--catalog-deviceless", self.catalog("b.json", [engine(1), engine(5, status="unknown")]))["h"]
        self.assertIn("1 of 1 problem equal", text)
        self.assertIn("1 engine unknown in one of them, not compared", text)
        code, _, err = self.ask(write(self.path / "fine.json", result([])), "--catalog-device", same, "--catalog-deviceless", same)
        self.assertEqual(code, 2)
        self.assertIn("was made on a device", err)
        other = self.catalog("c.json", [engine(1, ["NONDETERMINISTIC"])], picks=["eng5"])
        text = self.answers([], "--catalog-device", same, "--catalog-deviceless", other)["h"]
        self.assertIn("0 of 1 problem equal", text)
        for words in ("an engine that is valid in one alone", "notes", "heuristics' first pick"):
            self.assertIn(f"1 differs in {words}, like", text)

    def test_i_prices_come_from_the_report(self):
        tables = self.path / "report" / "tables"
        tables.mkdir(parents=True)
        forbidding = ["library", "op", "types", "label", "price", "95 % from", "95 % to", "verdict"]
        with (tables / "price_of_forbidding.csv").open("w", newline="") as file:
            csv.writer(file).writerows([forbidding, ["cudnn 9.9.9", "conv_wgrad", "f32_f32_strict", "b", "4", "3.9", "4.2", "slower"], ["cudnn 9.9.9", "conv_wgrad", "f32_f32_strict", "a", "1", "1", "1", "free"], ["cudnn 9.9.9", "conv_wgrad", "bf16_f32_strict", "a", "9", "9", "9", "slower"]])  # fmt: skip
        prices = ["phase", "network", "size", "precision", "setting", "policy", "to the fastest", "to the fastest, 95 % from", "to the fastest, 95 % to", "to the fastest, verdict"]
        with (tables / "network_prices.csv").open("w", newline="") as file:
            csv.writer(file).writerows([prices, ["train step", "small_cnn", "28 px", "strict f32", "by launches", "framework_default_deterministic", "1.25", "1.2", "1.3", "slower"], ["train step", "small_cnn", "28 px", "strict f32", "by launches", "fastest", "1", "1", "1", "itself"]])  # fmt: skip
        text = self.answers([], "--report", self.path / "report")["i"]
        self.assertIn("`conv_wgrad`, 2 problems: 2.000x in the geometric mean, at most 4.00x (95 %: 3.90 to 4.20; b); 1 free, 1 slower.", text)
        self.assertIn("Train step of small_cnn (28 px; by launches), policy `framework_default_deterministic`: 1.250x the fastest (95 %: 1.200 to 1.300; slower).", text)
        self.assertNotIn("9.00", text, "other types are another question")

    def test_the_report_has_the_columns_that_are_read(self):
        """Names of columns are two programs' contract: each is a literal of the C++ that writes the table."""
        source = "".join((ROOT / "bench" / "analysis" / f"{name}.cpp").read_text(encoding="utf-8") for name in ("engines", "headlines"))
        script = (ROOT / "scripts" / "open_questions.py").read_text(encoding="utf-8")
        columns = set(re.findall(r'column\(\w+, "([^"]+)"\)', script)) | {"label", "network", "size", "setting", "to the fastest"}
        self.assertGreater(len(columns), 12)
        for name in columns:
            self.assertIn(f'"{name}"', source)

    def test_refusals_are_one_line(self):
        emulated = write(self.path / "emulated.json", result([], gpu="Emulated GPU"))
        for arguments, words in (
            ([emulated], "emulated GPU"),
            ([self.path / "nothing.json"], "cannot be read"),
            ([self.path], "holds no result.json"),
            ([write(self.path / "other.json", {"schema": "other"})], "is no detbench-result file"),
            ([write(self.path / "damaged.json", result([{"id": "a/b/c/d/e:f"}]))], "a file is not what it should be"),
            ([write(self.path / "fine.json", result([])), "--report", self.path / "none"], "price_of_forbidding.csv: cannot be read"),
        ):
            code, out, err = self.ask(*arguments)
            self.assertEqual((code, out, len(err.splitlines())), (2, "", 1), err)
            self.assertIn(words, err)
        self.assertEqual(self.ask(self.path / "fine.json", "--catalog-device", emulated)[0], 2)


if __name__ == "__main__":
    unittest.main()
