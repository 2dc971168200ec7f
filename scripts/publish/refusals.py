"""What keeps a result from being published. Every check raises Refused with one line, or says nothing."""

import importlib.util
import json
import pathlib
import platform
import pwd
import os
import re
import subprocess

# Another file may change without another measurement.
MEASURING_PATHS = ["kernels", "models", "bench", "cmake", "CMakeLists.txt"]
TABLES = ("detection", "timing")


class Refused(Exception):
    """One line that says why, exit code 2."""


class Impossible(Exception):
    """One line that says what is missing, exit code 3."""


def check_valid(root, path, result_text):
    """What scripts/validate_results.py refuses."""
    spec = importlib.util.spec_from_file_location("validate_results", root / "scripts" / "validate_results.py")
    validate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(validate)
    try:
        import jsonschema
    except ImportError as error:
        raise Impossible("jsonschema is missing; run scripts/setup.sh") from error
    schema = json.loads((root / "results" / "schema-v1.json").read_text(encoding="utf-8"))
    found = validate.check_file(path, jsonschema.Draft202012Validator(schema))
    if found.errors:
        more = f" (and {len(found.errors) - 1} more)" if len(found.errors) > 1 else ""
        raise Refused(f"{path}: is not valid: {found.errors[0]}{more}")
    check_private(path, result_text)


def check_private(path, text):
    """Names of hosts, users and devices that the validator's keys cannot know."""
    patterns = {"a UUID": r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b", "somebody's home folder": r"/home/\w|/root/"}
    host = platform.node()
    if len(host) >= 4 and host != "localhost":
        patterns["this host's name"] = rf"\b{re.escape(host)}\b"
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = ""
    if len(user) >= 3 and user != "root":
        patterns["this user's name"] = rf"\b{re.escape(user)}\b"
    for what, pattern in patterns.items():
        found = re.search(pattern, text)
        if found:
            place = text[max(0, found.start() - 30) : found.end() + 30].replace("\n", " ")
            raise Refused(f"{path}: holds {what}: ...{place}...")


def check_paths(path, text):
    """A replay command that names a folder of the machine that measured replays nowhere else."""
    found = re.search(r"--[a-z-]+ '?/[^ \"]{0,60}", text)
    if found:
        raise Refused(f"{path}: holds a path of one machine: {found[0]}")


def check_origin(path, result):
    """A clean checkout, a real device, controls that did not fail."""
    if result["dirty"] or not result["commit"]:
        raise Refused(f"{path}: was measured by a build whose commit is unknown or had local changes; commit, build and measure again")
    gpu = (result["manifest"].get("gpu") or {}).get("name") or ""
    if "emulated" in gpu.lower():
        raise Refused(f"{path}: was made on '{gpu}', which measures nothing")
    if result["backend"] == "cuda" and not gpu:
        raise Refused(f"{path}: names no GPU in its manifest")
    if not result["controls"]:
        raise Refused(f"{path}: has no controls, so whether the instrument saw anything is unknown")
    for control in result["controls"]:
        if not control["positive"] and control["runs"] > 0 and not control["as_expected"]:
            raise Refused(f"{path}: the negative control {control['name']} differed in {control['scope']}: nothing in it can be trusted")


def warnings_of(path, result):
    """What a reader has to be told, and what does not stop a publication."""
    said = [
        f"{path}: control {c['name']} was not caught: every \"no difference\" of the scope {c['scope']} reads untested"
        for c in result["controls"]
        if c["positive"] and not c["as_expected"]
    ]
    if not result["complete"]:
        said.append(f"{path}: was interrupted; it holds what was measured before")
    wrong = [r["id"] for r in result["records"] if r["status"] == "incorrect"]
    if wrong:
        said.append(f"{path}: {len(wrong)} rows are incorrect, like {wrong[0]}")
    return said


def has_gpu_tables(page):
    """Whether a GPU has proved the instrument: something stands between the markers."""
    return re.search(r"<!-- gpu (detection|timing) table: begin -->\n(?!<!-- gpu)", page.read_text(encoding="utf-8")) is not None


def instrument_commit(page, prefix=""):
    """The commit that docs/method.md's tables were made from; the tables are whole and every row of them holds. Prefix "gpu " for those of a GPU."""
    text = page.read_text(encoding="utf-8")
    commits = set()
    for name in (prefix + table for table in TABLES):
        block = re.search(rf"<!-- {name} table: begin -->\n(.*?)<!-- {name} table: end -->", text, re.DOTALL)
        made = re.search(r"from commit (\S+)( with local changes)? on ", block.group(1)) if block else None
        if not made or "\n| " not in block.group(1):
            raise Refused(f"{page.name} has no {name} table; scripts/prove_instrument.sh makes it")
        if made.group(2) or not re.fullmatch(r"[0-9a-f]{7,40}", made.group(1)):
            raise Refused(f"the {name} table of {page.name} is no commit's; run scripts/prove_instrument.sh from a clean checkout")
        if re.search(r"\| NO \|$", block.group(1), re.MULTILINE):
            raise Refused(f"a row of the {name} table of {page.name} does not hold")
        commits.add(made.group(1))
    if len(commits) > 1:
        raise Refused(f"the tables of {page.name} were made from different commits: {', '.join(sorted(commits))}")
    return commits.pop()


def check_commit(root, path, measured, proved):
    """The commit that measured is the one that was proved, or does the same."""
    if measured.startswith(proved):
        return
    for commit in (proved, measured):
        if subprocess.run(["git", "-C", str(root), "cat-file", "-e", commit + "^{commit}"], stderr=subprocess.DEVNULL).returncode:
            raise Refused(f"{path}: commit {commit[:12]} is not in this repository, so nothing says that it measures like the proved one ({proved})")
    code = subprocess.run(["git", "-C", str(root), "diff", "--quiet", proved, measured, "--", *MEASURING_PATHS]).returncode
    if code == 1:
        raise Refused(
            f"{path}: was measured by commit {measured[:12]}, docs/method.md's tables are of {proved}, and {', '.join(MEASURING_PATHS)} "
            f"differ between them; run scripts/prove_instrument.sh on the commit that measured"
        )
    if code:
        raise Impossible("git diff failed")


def check_all(root, path, text, result, proved):
    check_valid(root, pathlib.Path(path), text)
    check_origin(path, result)
    check_commit(root, path, result["commit"], proved)
