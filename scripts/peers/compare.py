#!/usr/bin/env python3
"""Our train step beside TensorFlow's, PyTorch's and JAX's, in one run: time, and how many different bits.

Every arm is a process of its own, and processes alternate (A B C A B C ...), so that a machine that slows down slows all of
them. Fair is: the same CPUs, thread counts and OpenMP waiting on every side; each peer in the layout it likes best; the batch
already in the device's memory; forward, loss, backward and SGD with momentum inside the timed step; 20 warm-up steps; strict
f32 beside strict f32, bf16 beside bf16. Bits are compared within an arm, between processes and between thread counts: after k
steps from fixed seeds, a digest of all weights.

  scripts/peers/compare.py --detbench build/cpu/detbench --out results/local/peers
  scripts/peers/compare.py --models mobilenet_v2_alpha0.35 --px 96 --batch 8 --arms 'detbench*,jax_f32' --rounds 5
  scripts/peers/compare.py --gpu-quick --detbench build/cuda/detbench --no-install --out first
  scripts/peers/compare.py --gpu-quick --detbench build/cuda/detbench --no-install --resume first --out second

Writes peers.json and peers.md into --out after every process. See docs/peers.md.

Exit codes: 0 all was run; 2 usage; 77 nothing could be timed; 130 interrupted, or the budget ended first: --resume goes on."""

import argparse
import collections
import datetime
import fnmatch
import hashlib
import json
import os
import pathlib
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import arms
import environment
import plan
import report
import run_arm

root = pathlib.Path(__file__).resolve().parents[2]
schema = "detbench peers 2"
# What has to be equal where results of two calls are put together.
method = ("backend", "threads", "classes", "seed", "warm_up", "steps", "group", "seconds", "digest_steps")


def cpu_name():
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.machine()


def gpu_name():
    """Name, memory and driver of the first GPU, or None where nvidia-smi does not tell."""
    try:
        done = subprocess.run(["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        return None
    name, memory, driver = ([part.strip() for part in lines[0].split(",")] + ["", ""])[:3]
    return f"{name}, {memory}, driver {driver}"


def machine_of(arguments):
    program = shutil.which(arguments.detbench)
    return {
        "cpu": cpu_name(), "cpus": os.cpu_count(), "kernel": platform.release(), "gpu": gpu_name() if arguments.backend == "cuda" else None,
        "detbench_sha256": hashlib.sha256(pathlib.Path(program).read_bytes()).hexdigest() if program else None,
    }  # fmt: skip


def write_whole(path, text):
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def check_process(r):
    """TypeError, KeyError or ValueError where this is no process that compare.py wrote."""
    arms.parse(r["arm"])
    kinds = {"call": int, "group": str, "threads": int, "timed": bool, "again": bool, "digest": str, "step_s": list, "ops": list}
    for name, kind in kinds.items():
        # Only an answer has these.
        if name in r or name not in ("digest", "step_s", "ops"):
            if not isinstance(r[name], kind):
                raise TypeError(f"'{name}' of a process")
    numbers = [*r.get("step_s", []), *(r[name] for name in ("prepare_s", "compile_s", "memory_bytes", "elapsed_s", "foreign_share") if r.get(name) is not None)]
    if not all(isinstance(x, (int, float)) and x >= 0 for x in numbers) or 0 in r.get("step_s", []):
        raise TypeError("a time of a process")
    for op in r.get("ops", []):
        if not all(isinstance(op[name], str) for name in ("phase", "layer", "op", "algorithm")) or not isinstance(op["elapsed_s"], (int, float)):
            raise TypeError("an op of a process")


class Comparison:
    """The answers of all processes, of earlier calls too, and the files made from them."""

    def __init__(self, arguments, machine):
        self.arguments = arguments
        self.machine = machine
        self.answers = {(model, px, batch): [] for model in arguments.models for px in arguments.px for batch in arguments.batch}
        self.call = 1
        self.left = 0

    def take_over(self, path):
        """What an earlier call wrote. ValueError, saying what is wrong, where that cannot stand beside this call's."""
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            if kept["schema"] != schema:
                raise ValueError(f"its schema is '{kept['schema']}', this program writes '{schema}'")
            for name in method:
                if kept[name] != getattr(self.arguments, name):
                    raise ValueError(f"it was measured with {name} {kept[name]}, this call has {getattr(self.arguments, name)}")
            for name, value in kept["machine"].items():
                if name != "kernel" and value != self.machine.get(name):
                    raise ValueError(f"it was measured with {name} {value}, here is {self.machine.get(name)}")
            for one in kept["settings"]:
                # What failed is tried again, once a call; what cannot be is not.
                answers = [r for r in one["processes"] if "failed" not in r]
                for r in answers:
                    check_process(r)
                    self.call = max(self.call, r["call"] + 1)
                if not isinstance(one["model"], str) or not all(isinstance(one[name], int) for name in ("px", "batch")):
                    raise TypeError("of a network")
                self.answers.setdefault((one["model"], one["px"], one["batch"]), []).extend(answers)
        except OSError as error:
            raise ValueError(f"{error.strerror}") from error
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no result of compare.py: {type(error).__name__} {error}") from error

    def run(self, runner, say, deadline_s, now_s=time.monotonic):
        """All slots of the plan that no earlier call has; those that do not fit before `deadline_s`, of the clock `now_s`, are counted as left."""
        a, clock = self.arguments, plan.Clock()
        everything = [(setting, r) for setting, answers in self.answers.items() for r in answers]
        dead = {(setting, r["arm"]) for setting, r in everything if r.get("unsupported")}
        # How often an arm ran by the plan; references that ran once more for the sake of others do not count.
        done = collections.Counter((setting, r["arm"], r["threads"], r["timed"]) for setting, r in everything if not r["again"])
        for setting, r in everything:
            if r.get("elapsed_s"):
                clock.add(setting, r["arm"], r["elapsed_s"])
        settings = [(model, px, batch) for model in a.models for px in a.px for batch in a.batch]
        others = [n for n in a.thread_counts if n != a.threads]
        for group in plan.groups(settings, a.arms, a.rounds, a.threads, others, deadline_s is not None):
            wanted = [s for s in group if done[s.setting, s.arm, s.threads, s.timed] < (s.round if s.timed else 1) and (s.setting, s.arm) not in dead]
            slots = plan.with_references(wanted, a.arms, dead, a.reference)
            if deadline_s is not None and not plan.worth_beginning(slots, clock, deadline_s - now_s()):
                self.left += len(wanted)
                continue
            for slot in slots:
                if (slot.setting, slot.arm) in dead:
                    continue
                left_s = deadline_s - now_s() if deadline_s is not None else float("inf")
                if clock.estimate_s(slot.setting, slot.arm) > left_s:
                    self.left += not slot.again
                    continue
                say("{} {} px batch {}".format(*slot.setting) + f": group {slot.group}, {slot.arm}, {slot.threads} threads" + (f", {left_s:.0f} s left" if deadline_s else ""))
                fields = runner.run(slot, min(a.timeout, left_s))
                if fields.get("timed_out") and left_s < a.timeout:
                    self.left += not slot.again
                    continue
                if fields.get("step_s"):
                    clock.add(slot.setting, slot.arm, fields["elapsed_s"])
                else:
                    # An arm that could not be run once is not tried again.
                    dead.add((slot.setting, slot.arm))
                    say(f"  {fields.get('unsupported') or fields.get('failed')}")
                self.answers[slot.setting].append({**fields, "arm": slot.arm, "call": self.call, "group": slot.group, "threads": slot.threads, "timed": slot.timed, "again": slot.again})
                self.write()
        self.write()

    def result(self):
        a = self.arguments
        result = {
            "schema": schema, "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"), "machine": self.machine,
            **{name: getattr(a, name) for name in method}, "rounds": a.rounds, "budget_s": a.budget_s, "calls": self.call, "left": self.left, "settings": [],
        }  # fmt: skip
        shares = []
        for (model, px, batch), runs in self.answers.items():
            if not runs:
                continue
            names = a.arms + [name for name in dict.fromkeys(r["arm"] for r in runs) if name not in a.arms]
            rows = [report.summarize(name, [r for r in runs if r["arm"] == name], a.threads) for name in names]
            for row in rows:
                row["time"] = report.where_time_goes([r for r in runs if r["arm"] == row["arm"]])
            report.pair(rows, a.reference)
            shares += [r["foreign_share"] for r in runs if r.get("foreign_share") is not None]
            programs = sorted({r["program"] for r in runs if r.get("program")})
            one = {"model": model, "px": px, "batch": batch, "programs": programs, "rows": rows, "best": report.best_against_best(rows), "prices": report.prices(rows), "processes": runs}
            result["settings"].append(one)
        result["foreign_share"] = statistics.median(shares) if shares else None
        return result

    def write(self):
        out, result = pathlib.Path(self.arguments.out), self.result()
        write_whole(out / "peers.json", json.dumps(result, indent=1) + "\n")
        write_whole(out / "peers.md", report.markdown(result))

    def timed(self):
        return any(r.get("step_s") and r["timed"] for answers in self.answers.values() for r in answers)


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"compare: {message}; see --help\n")


def names(text):
    return [part for part in text.split(",") if part]


def numbers(text):
    try:
        return [int(part) for part in names(text)]
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no list of whole numbers, like 8,32") from None


def make_parser():
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("--models", type=names, default=["mobilenet_v2_alpha1.0"], help="separated by commas (default %(default)s)")
    parser.add_argument("--px", type=numbers, default=[96, 224], help="image sizes (default %(default)s)")
    parser.add_argument("--batch", type=numbers, default=[8, 32], help="batch sizes (default %(default)s)")
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--arms", type=names, help="names or patterns of arms; --list-arms prints those of the backend, arms.py says how names are made")
    parser.add_argument("--list-arms", action="store_true")
    parser.add_argument("--reference", help="the arm that others of its precision are divided by (default: the first of ours that ran)")
    parser.add_argument("--rounds", type=int, default=3, help="processes per arm (default %(default)s)")
    parser.add_argument("--warm-up", type=int, default=20, help="steps before the first timed one (default %(default)s)")
    parser.add_argument("--steps", type=int, default=30, help="timed samples per process (default %(default)s)")
    parser.add_argument("--group", type=int, help="steps per sample, waited for once at its end (default: 1, with --backend cuda 5)")
    parser.add_argument("--seconds", type=float, default=20, help="no more samples after this long in one process; 5 at least (default %(default)s)")
    parser.add_argument("--digest-steps", type=int, default=3, help="steps from the fixed seeds to the digest (default %(default)s)")
    parser.add_argument("--profile-steps", type=int, default=5, help="our steps seen op by op after the timed ones; 0: none (default %(default)s)")
    parser.add_argument("--threads", type=int, default=0, help="of every arm; 0: one per CPU that this process may use")
    parser.add_argument("--thread-counts", type=numbers, help="whose bits are compared (default: 1 and --threads; with --backend cuda --threads alone)")
    parser.add_argument("--backend", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=1800, help="seconds for one process (default %(default)s)")
    parser.add_argument("--budget-s", type=float, help="seconds for everything: what is most important first, each thing once before any twice, and nothing begun that would not end in time")
    parser.add_argument("--gpu-quick", action="store_true", help="MobileNetV2 and EfficientNet-B0, 224 px, batch 32 and 128, in 470 s with --backend cuda; other options still count")
    parser.add_argument("--detbench", default=str(root / "build" / "cpu" / "detbench"), help="our program (default %(default)s)")
    parser.add_argument("--selections", help="policy files for detbench:fastest and other measured policies; may hold folders MODEL_pxP_mbB")
    parser.add_argument("--venv", default=str(root / ".venv-peers"), help="virtual environment, made if it is not there (default %(default)s)")
    parser.add_argument("--no-install", action="store_true", help="install nothing: take --venv if it is there, else this Python; peers that are not there are rows with the reason")
    parser.add_argument("--out", default="results/local/peers", help="folder of peers.json and peers.md (default %(default)s)")
    parser.add_argument("--resume", help="folder that an earlier call wrote: what it has is not run again")
    parser.add_argument("--force", action="store_true", help="write over a peers.json that is in --out already")
    return parser


def named(wanted, known):
    """The arms that names and patterns mean. A name need not be in the list, a pattern has to match one that is; else ValueError."""
    found = []
    for name in wanted:
        matching = fnmatch.filter(known, name) or ([] if set(name) & set("*?[") else [arms.parse(name).name])
        if not matching:
            raise ValueError(f"no arm is called '{name}'; --list-arms prints them")
        found += [arm for arm in matching if arm not in found]
    if not found:
        raise ValueError("--arms names none; --list-arms prints them")
    return found


def parse(argv):
    parser = make_parser()
    arguments = parser.parse_args(argv)
    if arguments.gpu_quick:
        parser.set_defaults(backend="cuda", **arms.gpu_quick)
        arguments = parser.parse_args(argv)
    known = arms.cpu if arguments.backend == "cpu" else arms.gpu
    if arguments.list_arms:
        print("\n".join(known))
        sys.exit(0)
    try:
        arguments.arms = known if arguments.arms is None else named(arguments.arms, known)
    except ValueError as error:
        parser.error(str(error))
    available = len(os.sched_getaffinity(0))
    arguments.threads = arguments.threads or available
    if not 1 <= arguments.threads <= available:
        parser.error(f"--threads {arguments.threads}: 1 to {available}, the CPUs that this process may use; more threads than CPUs measure the waiting")
    on_gpu = arguments.backend == "cuda"
    arguments.thread_counts = arguments.thread_counts or sorted({arguments.threads} if on_gpu else {1, arguments.threads})
    if not all(1 <= n <= available for n in arguments.thread_counts):
        parser.error(f"--thread-counts {','.join(map(str, arguments.thread_counts))}: 1 to {available} each")
    if arguments.group is None:
        arguments.group = 5 if on_gpu else 1
    for name, least in (("rounds", 1), ("steps", 1), ("group", 1), ("digest_steps", 1), ("warm_up", 0), ("classes", 1), ("seconds", 0), ("profile_steps", 0), ("timeout", 1)):
        if not getattr(arguments, name) >= least:
            parser.error(f"--{name.replace('_', '-')} {getattr(arguments, name)}: {least} or more")
    for name in ("models", "px", "batch"):
        if not getattr(arguments, name) or any(value in ("", 0) or isinstance(value, int) and value < 1 for value in getattr(arguments, name)):
            parser.error(f"--{name} {','.join(map(str, getattr(arguments, name)))}: at least one, each above 0")
    if arguments.budget_s is not None and not arguments.budget_s >= 10:
        parser.error(f"--budget-s {arguments.budget_s}: 10 or more")
    if arguments.reference and arguments.reference not in arguments.arms:
        parser.error(f"--reference {arguments.reference} is not among the arms: {', '.join(arguments.arms)}")
    if (pathlib.Path(arguments.out) / "peers.json").exists() and not arguments.force and arguments.resume != arguments.out:
        parser.error(f"--out {arguments.out} holds a peers.json: --resume {arguments.out} goes on with it, --force writes over it")
    return arguments, parser


def main(argv):
    begun = time.monotonic()
    arguments, parser = parse(argv)
    comparison = Comparison(arguments, machine_of(arguments))
    if arguments.resume:
        path = pathlib.Path(arguments.resume) / "peers.json"
        try:
            comparison.take_over(path)
        except ValueError as error:
            parser.error(f"--resume {path}: {error}")
    say = lambda text: print(f"compare: {text}", file=sys.stderr, flush=True)
    out = pathlib.Path(arguments.out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--out {out}: {error.strerror}")
    peers = {arms.parse(arm).peer for arm in arguments.arms} - {"detbench"}
    python, missing = sys.executable, {}
    if peers and not arguments.no_install:
        python, missing = environment.prepare(arguments.venv, arguments.backend == "cuda", say)
    elif (pathlib.Path(arguments.venv) / "bin" / "python").exists():
        python = pathlib.Path(arguments.venv) / "bin" / "python"
    if not shutil.which(arguments.detbench):
        missing["detbench"] = f"no program at {arguments.detbench}; build it, or name it with --detbench"

    def interrupt(number, frame):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    interrupted = False
    try:
        # Not in --out: it holds thousands of files, and a later call has to compile for itself.
        with tempfile.TemporaryDirectory(prefix="peers", ignore_cleanup_errors=True) as cache:
            comparison.run(run_arm.Runner(arguments, python, missing, cache), say, begun + arguments.budget_s if arguments.budget_s else None)
    except KeyboardInterrupt:
        interrupted = True
    if not (out / "peers.md").exists():
        say("interrupted before the first process ended")
        return 130
    print((out / "peers.md").read_text(encoding="utf-8"), end="")
    say(f"wrote {out / 'peers.json'} and {out / 'peers.md'} after {time.monotonic() - begun:.0f} s")
    if interrupted or comparison.left:
        say(f"{'interrupted' if interrupted else f'{comparison.left} processes did not fit into the budget'}; --resume {out} goes on")
        return 130
    return 0 if comparison.timed() else 77


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
