"""scripts/validate_results.py on files made by our writer: whole ones pass, each kind of damage is named."""

import argparse
import contextlib
import gzip
import importlib.util
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

OPTIONS = argparse.Namespace()


def validator_module():
    path = pathlib.Path(OPTIONS.root) / "scripts" / "validate_results.py"
    spec = importlib.util.spec_from_file_location("validate_results", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Validate(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.module = validator_module()
        cls.folder = tempfile.TemporaryDirectory()
        path = pathlib.Path(cls.folder.name) / "result.json"
        subprocess.run([OPTIONS.writer, path], check=True)
        cls.text = path.read_text(encoding="utf-8")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def run_on(self, data, name="case.json", folder=None):
        place = pathlib.Path(folder or self.folder.name)
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            code = self.module.main([str(place / name)])
        return code, output.getvalue()

    def refused(self, damage, *expected):
        result = json.loads(self.text)
        damage(result)
        code, output = self.run_on(json.dumps(result).encode())
        self.assertEqual(code, 1, output)
        for words in expected:
            self.assertIn(words, output)

    def first(self, result, key):
        return next(r for r in result["records"] if r[key])

    def test_what_our_writer_writes_is_valid(self):
        code, output = self.run_on(self.text.encode())
        self.assertEqual((code, "error:" in output), (0, False), output)
        code, output = self.run_on(gzip.compress(self.text.encode()), "case.json.gz")
        self.assertEqual(code, 0, output)

    def test_text(self):
        for data, words in [(b"", "not valid JSON"), (self.text[:1000].encode(), "not valid JSON"),
                            (self.text.replace('"elapsed_s": 12.5', '"elapsed_s": NaN').encode(), "has NaN"),
                            (self.text.replace('"seed": 1', '"seed": 1, "seed": 2', 1).encode(), "twice"),
                            (gzip.compress(self.text.encode())[:2000], "not valid JSON"), (b"[" * 100000, "not valid JSON")]:
            code, output = self.run_on(data)
            self.assertEqual(code, 1)
            self.assertIn(words, output)

    def test_schema(self):
        self.refused(lambda r: r["records"][0].pop("replay"), "$.records[0]", "'replay'")
        self.refused(lambda r: r["records"][0].update(extra=1), "'extra'")
        self.refused(lambda r: r["records"][0].update(status="fine"), "$.records[0].status")
        self.refused(lambda r: r["records"][0].update(output_digest="ABC"), "output_digest")
        self.refused(lambda r: r.update(elapsed_s=-1), "$.elapsed_s")

    def test_samples_against_the_schedule(self):
        def beyond(r):
            self.first(r, "timing")["timing"]["samples"][0]["block"] = 99

        def twice(r):
            samples = self.first(r, "timing")["timing"]["samples"]
            samples[1]["block"] = samples[0]["block"]

        def same_place(r):
            arms = [x for x in r["records"] if x["timing"]][:2]
            arms[1]["timing"]["samples"][0]["position"] = arms[0]["timing"]["samples"][0]["position"]

        def no_time(r):
            self.first(r, "timing")["timing"]["samples"][0]["elapsed_s"] = 0

        self.refused(beyond, "the schedule has")
        self.refused(twice, "which this arm has already")
        self.refused(same_place, "which belongs to")
        self.refused(no_time, "nothing takes no time")

    def test_agreement(self):
        def set_scope(**values):
            return lambda r: r["records"][1]["agreement"][0].update(values)

        self.refused(set_scope(verdict="differs", bound=None), "although the verdict is 'differs'")
        self.refused(set_scope(distinct=2), "although the verdict is 'no_difference'")
        self.refused(set_scope(bound=0.5), "for 10 runs it is 0.25")
        self.refused(set_scope(verdict="untested", bound=None), "reason: is empty")
        self.refused(lambda r: r["records"][1].update(claim_verdict="broken"), "no covered scope differs")

    def test_rows(self):
        def without_reason(r):
            next(x for x in r["records"] if x["status"] == "unsupported")["reason"] = ""

        self.refused(without_reason, "reason: is empty although the status")
        self.refused(lambda r: r["records"].append(r["records"][0]), "is there twice")
        self.refused(lambda r: r["records"][0].update(replay="detbench run other"), "does not name the id")
        self.refused(lambda r: r["records"][0].update(input_digest="0" * 32), "other inputs")
        self.refused(lambda r: r["manifest"].update(hostname="x"), "names a person or a machine")
        self.refused(lambda r: r["controls"][0].update(as_expected=False), "does not follow")

    def test_published_folders(self):
        with tempfile.TemporaryDirectory() as folder:
            date = json.loads(self.text)["created_utc"][:10]
            right = pathlib.Path(folder) / "results" / "published" / "machine" / date
            wrong = right.parent / "1999-01-01"
            self.assertEqual(self.run_on(self.text.encode(), folder=right)[0], 0)
            code, output = self.run_on(self.text.encode(), folder=wrong)
            self.assertEqual(code, 1)
            self.assertIn("lies in the folder '1999-01-01'", output)

    def test_what_an_emulated_gpu_computed_cannot_be_published(self):
        result = json.loads(self.text)
        date = result["created_utc"][:10]
        with tempfile.TemporaryDirectory() as folder:
            published = pathlib.Path(folder) / "results" / "published" / "machine" / date
            for gpu in ({"name": "Emulated GPU", "multiprocessors": 4}, [{"model": "Emulated GPU"}], "Emulated GPU"):
                result["manifest"]["gpu"] = gpu
                data = json.dumps(result).encode()
                code, output = self.run_on(data, folder=published)
                self.assertEqual(code, 1, output)
                self.assertIn("cannot be published", output)
                code, output = self.run_on(data)
                self.assertEqual(code, 0, output)
                self.assertIn("warning: manifest.gpu: names 'Emulated GPU'", output)

    def test_usage(self):
        with contextlib.redirect_stderr(io.StringIO()) as errors:
            self.assertEqual(self.module.main(["/nowhere/result.json"]), 2)
        self.assertIn("there is no such file", errors.getvalue())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", required=True)
    parser.add_argument("--writer", required=True)
    OPTIONS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
