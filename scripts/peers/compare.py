#!/usr/bin/env python3
"""Our train step beside TensorFlow's and PyTorch's, in one run: time, and how many different bits.

Every arm is a process of its own, and processes alternate (A B C A B C ...), so that a machine that slows down slows all of
them. Fair is: the same CPUs, thread counts and OpenMP waiting on every side; each peer in the layout it likes best; the batch
already in the device's memory; forward, loss, backward and SGD with momentum inside the timed step; 20 warm-up steps. Bits are
compared within an arm, between processes and between thread counts: after k steps from fixed seeds, a digest of all weights.

  scripts/peers/compare.py --detbench build/cpu/detbench --out results/local/peers
  scripts/peers/compare.py --models mobilenet_v2_alpha0.35 --px 96 --batch 8 --arms 'detbench*,tensorflow_graph' --rounds 5

Writes peers.json and peers.md into --out. See docs/peers.md.
"""

import argparse
import datetime
import fnmatch
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import time

import environment

here = pathlib.Path(__file__).resolve().parent
root = here.parent.parent

# What detbench's own workers use (bench/workers/channel.cpp): a bounded spin, because passive waiting makes a small step
# slower on two threads than on one, and unbounded spinning starves everybody on a busy machine.
waiting = {"OMP_DYNAMIC": "false", "OMP_MAX_ACTIVE_LEVELS": "1", "GOMP_SPINCOUNT": "10000"}

cpu_arms = [
    "detbench:fastest",
    "detbench:library_heuristic",
    "detbench:fixed_order",
    "tensorflow_graph",
    "tensorflow_xla",
    "tensorflow_deterministic",
    "pytorch_eager_channels_last",
    "pytorch_eager_contiguous",
    "pytorch_compiled_channels_last",
    "pytorch_eager_channels_last_deterministic",
    "pytorch_compiled_channels_last_deterministic",
]
gpu_arms = [
    "detbench:library_heuristic",
    "detbench:fastest",
    "detbench:fixed_order",
    "pytorch_eager_channels_last",
    "pytorch_eager_channels_last_bf16",
    "pytorch_compiled_channels_last",
    "pytorch_compiled_channels_last_bf16",
    "pytorch_eager_channels_last_deterministic",
    "pytorch_compiled_channels_last_bf16_deterministic",
    "pytorch_eager_channels_last_f16",
]


def peer_of(arm):
    return arm.split(":")[0] if ":" in arm else arm.split("_")[0]


def train_step_case(model, px, batch, classes, policy, steps):
    """Our case id for a model."""
    if model.startswith("mobilenet_v2_alpha"):
        op, head = "train_step_mobilenet_v2", "alpha" + model.removeprefix("mobilenet_v2_alpha") + "_"
    else:
        op, head = "train_step_" + model, ""
    return f"{op}/{head}px{px}_mb{batch}_classes{classes}/f32_f32_strict/nhwc/network:{policy}@steps={steps}"


def foreign_share(before, after, own_s, elapsed_s, cpus):
    """The share of the CPUs' time that went to others while an arm ran, from two readings of busy_s()."""
    if before is None or after is None or elapsed_s <= 0:
        return None
    return max(0.0, (after - before - own_s) / (elapsed_s * cpus))


def busy_s():
    """Seconds in which any CPU worked, stolen time included, since boot; None where the kernel does not say."""
    try:
        fields = [int(x) for x in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    except (OSError, ValueError, IndexError):
        return None
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


class Runner:
    """Starts one process of one arm and reads its answer."""

    def __init__(self, arguments, python, missing):
        self.arguments = arguments
        self.python = python
        self.missing = missing
        self.cpus = sorted(os.sched_getaffinity(0))

    def command(self, arm, setting, threads, timed):
        a = self.arguments
        model, px, batch = setting
        warm_up, steps = (a.warm_up, a.steps) if timed else (0, 1)
        if peer_of(arm) == "detbench":
            policy = arm.split(":", 1)[1]
            case = train_step_case(model, px, batch, a.classes, policy, a.digest_steps)
            command = [a.detbench, "step", case, "--threads", str(threads), "--warm-up", str(warm_up), "--steps", str(steps), "--seconds", str(a.seconds), "--backend", a.backend]
            if timed and a.profile_steps:
                command += ["--profile-steps", str(a.profile_steps)]
            if a.selections:
                command += ["--selections", str(selections_of(a.selections, setting))]
            return command
        order = {
            "arm": arm, "model": model, "px": px, "batch": batch, "classes": a.classes, "threads": threads, "backend": a.backend, "seed": a.seed,
            "learning_rate": 0.01, "momentum": 0.9, "digest_steps": a.digest_steps, "warm_up": warm_up, "steps": steps, "seconds": a.seconds,
        }  # fmt: skip
        return [str(self.python), str(here / f"peer_{peer_of(arm)}.py"), json.dumps(order)]

    def run(self, arm, setting, threads, timed=True):
        if peer_of(arm) in self.missing:
            return {"unsupported": self.missing[peer_of(arm)]}
        environment_of = {**os.environ, **waiting, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
        environment_of.pop("OMP_WAIT_POLICY", None)
        environment_of["TORCHINDUCTOR_CACHE_DIR"] = str(pathlib.Path(self.arguments.out).resolve() / "inductor")
        cpus = self.cpus[:threads]
        busy, begun, used = busy_s(), time.monotonic(), os.times()
        try:
            done = subprocess.run(
                self.command(arm, setting, threads, timed), env=environment_of, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                timeout=self.arguments.timeout, preexec_fn=lambda: os.sched_setaffinity(0, cpus),
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return {"failed": f"took longer than {self.arguments.timeout} s"}
        except OSError as error:
            return {"unsupported": f"{error}"}
        elapsed, now = time.monotonic() - begun, os.times()
        own = now.children_user + now.children_system - used.children_user - used.children_system
        fields = read_answer(done.stdout, done.stderr, done.returncode)
        fields["foreign_share"] = foreign_share(busy, busy_s(), own, elapsed, os.cpu_count())
        return fields


def read_answer(stdout, stderr, code):
    """The JSON of an arm's last line, or the reason why there is none."""
    for line in reversed(stdout.splitlines()):
        if line.startswith("{"):
            try:
                return json.loads(line)
            except ValueError:
                break
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    reason = lines[-1][:300] if lines else f"ended with {code} and said nothing"
    # detbench says in one line why a case does not exist here.
    return {"unsupported" if reason.startswith("detbench: ") else "failed": reason.removeprefix("detbench: ")}


def selections_of(folder, setting):
    """Policies measured for this very network and batch, in folder/MODEL_pxP_mbB, else those in the folder itself."""
    own = pathlib.Path(folder) / "{}_px{}_mb{}".format(*setting)
    return own if own.is_dir() else folder


def summarize(arm, runs, threads):
    """One row: `runs` are the answers of all processes of one arm for one model, each with its round and thread count."""
    timed = [r for r in runs if r.get("step_s") and r["threads"] == threads and r["timed"]]
    row = {"arm": arm, "processes": len(timed)}
    reasons = sorted({r.get("unsupported") or r.get("failed") for r in runs if not r.get("step_s")} - {None})
    if reasons:
        row["reason"] = "; ".join(reasons)
    same = [r["digest"] for r in runs if r.get("digest") and r["threads"] == threads]
    counts = {r["threads"]: r["digest"] for r in runs if r.get("digest")}
    row["digests"], row["digest_processes"] = len(set(same)), len(same)
    row["thread_digests"], row["thread_counts"] = len(set(counts.values())), sorted(counts)
    if timed:
        row["median_s"] = statistics.median(statistics.median(r["step_s"]) for r in timed)
        row["min_s"] = min(min(r["step_s"]) for r in timed)
        row["by_round"] = {r["round"]: {"median_s": statistics.median(r["step_s"]), "min_s": min(r["step_s"])} for r in timed}
    return row


def pair(rows, reference):
    """Adds to every row its time divided by the reference's, paired by round: of medians, and of minima."""
    base = next((r for r in rows if r["arm"] == reference and "by_round" in r), None)
    for row in rows:
        if base is None or "by_round" not in row:
            continue
        rounds = sorted(row["by_round"].keys() & base["by_round"].keys())
        for key in ("median_s", "min_s"):
            ratios = [row["by_round"][k][key] / base["by_round"][k][key] for k in rounds]
            if ratios:
                row["ratio_of_" + key.removesuffix("_s")] = statistics.median(ratios)


def where_time_goes(runs, most=12):
    """Our step by kind of op and by single op, from the process with the least time; seconds."""
    profiled = [r for r in runs if r.get("ops")]
    if not profiled:
        return None
    best = min(profiled, key=lambda r: sum(op["elapsed_s"] for op in r["ops"]))
    kinds = {}
    for op in best["ops"]:
        kinds[op["op"]] = kinds.get(op["op"], 0) + op["elapsed_s"]
    heaviest = sorted(best["ops"], key=lambda op: -op["elapsed_s"])[:most]
    return {"by_op": dict(sorted(kinds.items(), key=lambda item: -item[1])), "heaviest": heaviest}


def markdown(result):
    """The table, and below it where our time goes."""
    m = result["machine"]
    lines = [
        f"{m['cpu']}, {result['threads']} threads, {result['rounds']} rounds of alternating processes, {result['warm_up']} warm-up steps, {result['date']}. "
        f"Others used {percent(result['foreign_share'])} of the CPUs meanwhile. "
        "Ratio: time divided by that of the reference in the same round, of medians and of minima; above 1 is slower. "
        f"Bits: different digests of all weights after {result['digest_steps']} steps, of processes, and of thread counts.",
        "",
        "| model | px | batch | arm | median ms | min ms | images/s | ratio (median) | ratio (min) | digests, processes | digests, thread counts |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    number = lambda value, form: form.format(value) if value is not None else "-"
    for one in result["settings"]:
        for row in one["rows"]:
            cells = [one["model"], str(one["px"]), str(one["batch"]), row["arm"] + (" (reference)" if row["arm"] == one["reference"] else "")]
            if "median_s" not in row:
                lines.append("| " + " | ".join(cells) + f" | {row.get('reason', 'not run')} |" + " |" * 6)
                continue
            counts = ", ".join(str(n) for n in row["thread_counts"])
            cells += [
                f"{row['median_s'] * 1e3:.1f}", f"{row['min_s'] * 1e3:.1f}", f"{one['batch'] / row['median_s']:.0f}",
                number(row.get("ratio_of_median"), "{:.2f}"), number(row.get("ratio_of_min"), "{:.2f}"),
                f"{row['digests']} of {row['digest_processes']}", f"{row['thread_digests']} of {len(row['thread_counts'])} ({counts})",
            ]  # fmt: skip
            lines.append("| " + " | ".join(cells) + " |")
    for one in result["settings"]:
        for row in one["rows"]:
            if not row.get("time"):
                continue
            total = sum(row["time"]["by_op"].values())
            lines += ["", f"{row['arm']}, {one['model']}, {one['px']} px, batch {one['batch']}: {total * 1e3:.1f} ms in ops under the observer.", ""]
            lines.append(", ".join(f"{op} {s * 1e3:.2f} ms ({percent(s / total)})" for op, s in row["time"]["by_op"].items()))
            lines += ["", "| phase | layer | op | algorithm | ms |", "|---|---|---|---|---|"]
            lines += [f"| {op['phase']} | {op['layer']} | {op['op']} | {op['algorithm']} | {op['elapsed_s'] * 1e3:.2f} |" for op in row["time"]["heaviest"]]
    return "\n".join(lines) + "\n"


def percent(share):
    return "an unknown part" if share is None else f"{share * 100:.0f} %"


def cpu_name():
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.machine()


def write_whole(path, text):
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def compare(arguments, runner, say):
    settings = [(model, px, batch) for model in arguments.models for px in arguments.px for batch in arguments.batch]
    answers = {setting: [] for setting in settings}
    dead = {}  # (setting, arm) -> an arm that could not be run once is not tried again
    other_counts = [n for n in arguments.thread_counts if n != arguments.threads]
    for setting in settings:
        plan = [(k, arm, arguments.threads, True) for k in range(arguments.rounds) for arm in arguments.arms]
        plan += [(arguments.rounds, arm, n, False) for n in other_counts for arm in arguments.arms]
        for k, arm, threads, timed in plan:
            if (setting, arm) in dead:
                continue
            say("{} {} px batch {}".format(*setting) + f": round {k + 1}, {arm}, {threads} threads")
            fields = runner.run(arm, setting, threads, timed)
            if not fields.get("step_s"):
                dead[setting, arm] = True
            answers[setting].append({**fields, "arm": arm, "round": k, "threads": threads, "timed": timed})
        yield setting, answers[setting]


def build_result(arguments, finished):
    result = {
        "schema": "detbench peers 1",
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "machine": {"cpu": cpu_name(), "cpus": os.cpu_count(), "kernel": platform.release(), "backend": arguments.backend},
        "threads": arguments.threads, "rounds": arguments.rounds, "warm_up": arguments.warm_up, "steps": arguments.steps,
        "digest_steps": arguments.digest_steps, "environment": waiting, "settings": [],
    }  # fmt: skip
    shares = []
    for (model, px, batch), runs in finished:
        rows = [summarize(arm, [r for r in runs if r["arm"] == arm], arguments.threads) for arm in arguments.arms]
        for row in rows:
            row["time"] = where_time_goes([r for r in runs if r["arm"] == row["arm"]])
        ours = [r["arm"] for r in rows if peer_of(r["arm"]) == "detbench" and "median_s" in r]
        reference = arguments.reference if arguments.reference else (ours[0] if ours else rows[0]["arm"])
        pair(rows, reference)
        shares += [r["foreign_share"] for r in runs if r.get("foreign_share") is not None]
        programs = sorted({r["program"] for r in runs if r.get("program")})
        result["settings"].append({"model": model, "px": px, "batch": batch, "reference": reference, "programs": programs, "rows": rows, "processes": runs})
    result["foreign_share"] = statistics.median(shares) if shares else None
    return result


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    listed = lambda kind: lambda text: [kind(x) for x in text.split(",") if x]
    parser.add_argument("--models", type=listed(str), default=["mobilenet_v2_alpha1.0"], help="separated by commas (default %(default)s)")
    parser.add_argument("--px", type=listed(int), default=[96, 224], help="image sizes (default %(default)s)")
    parser.add_argument("--batch", type=listed(int), default=[8, 32], help="batch sizes (default %(default)s)")
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--arms", type=listed(str), help="names or patterns of arms; --list-arms prints those of the backend")
    parser.add_argument("--list-arms", action="store_true")
    parser.add_argument("--reference", help="the arm that ratios are made with (default: the first of ours that ran)")
    parser.add_argument("--rounds", type=int, default=3, help="processes per arm (default %(default)s)")
    parser.add_argument("--warm-up", type=int, default=20, help="steps before the first timed one (default %(default)s)")
    parser.add_argument("--steps", type=int, default=30, help="timed steps per process (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=20, help="no more timed steps after this long in one process; 5 at least (default %(default)s)")
    parser.add_argument("--digest-steps", type=int, default=3, help="steps from the fixed seeds to the digest (default %(default)s)")
    parser.add_argument("--profile-steps", type=int, default=5, help="our steps seen op by op after the timed ones; 0: none (default %(default)s)")
    parser.add_argument("--threads", type=int, default=0, help="of every arm; 0: one per CPU that this process may use")
    parser.add_argument("--thread-counts", type=listed(int), help="whose bits are compared (default: 1 and --threads)")
    parser.add_argument("--backend", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=1800, help="seconds for one process (default %(default)s)")
    parser.add_argument("--detbench", default=str(root / "build" / "cpu" / "detbench"), help="our program (default %(default)s)")
    parser.add_argument("--selections", help="policy files for detbench:fastest and other measured policies; may hold folders MODEL_pxP_mbB")
    parser.add_argument("--venv", default=str(root / ".venv-peers"), help="virtual environment, made if it is not there (default %(default)s)")
    parser.add_argument("--no-install", action="store_true", help="install nothing: peers that are not there are rows with the reason")
    parser.add_argument("--out", default="results/local/peers", help="folder of peers.json and peers.md (default %(default)s)")
    arguments = parser.parse_args(argv)
    known = cpu_arms if arguments.backend == "cpu" else gpu_arms
    if arguments.list_arms:
        print("\n".join(known))
        sys.exit(0)
    if arguments.arms is None:
        arguments.arms = known
    else:
        # A policy or a combination of words that is not in the list is an arm all the same; a pattern has to match one.
        wanted = []
        for name in arguments.arms:
            matching = fnmatch.filter(known, name) or ([name] if not set(name) & set("*?[") and peer_of(name) in ("detbench", "tensorflow", "pytorch") else [])
            if not matching:
                parser.error(f"no arm is called '{name}'; --list-arms prints them")
            wanted += [arm for arm in matching if arm not in wanted]
        arguments.arms = wanted
    available = len(os.sched_getaffinity(0))
    arguments.threads = arguments.threads or available
    if not 1 <= arguments.threads <= available:
        parser.error(f"--threads {arguments.threads}: 1 to {available}, the CPUs that this process may use; more threads than CPUs measure the waiting")
    arguments.thread_counts = arguments.thread_counts or sorted({1, arguments.threads})
    for name, least in (("rounds", 1), ("steps", 1), ("digest_steps", 1), ("warm_up", 0), ("classes", 1)):
        if getattr(arguments, name) < least:
            parser.error(f"--{name.replace('_', '-')} {getattr(arguments, name)}: {least} or more")
    if arguments.reference and arguments.reference not in arguments.arms:
        parser.error(f"--reference {arguments.reference} is not among the arms: {', '.join(arguments.arms)}")
    return arguments


def main(argv):
    arguments = parse(argv)
    say = lambda text: print(f"compare: {text}", file=sys.stderr, flush=True)
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    peers = {peer_of(arm) for arm in arguments.arms} - {"detbench"}
    python, missing = sys.executable, {}
    if peers and not arguments.no_install:
        python, missing = environment.prepare(arguments.venv, arguments.backend == "cuda", say)
    elif (pathlib.Path(arguments.venv) / "bin" / "python").exists():
        python = pathlib.Path(arguments.venv) / "bin" / "python"
    if not shutil.which(arguments.detbench):
        missing["detbench"] = f"no program at {arguments.detbench}; build it, or name it with --detbench"
    finished = []
    for setting, runs in compare(arguments, Runner(arguments, python, missing), say):
        finished.append((setting, runs))
        # After every setting, so that an interruption leaves what is there.
        result = build_result(arguments, finished)
        write_whole(out / "peers.json", json.dumps(result, indent=1) + "\n")
        write_whole(out / "peers.md", markdown(result))
    print((out / "peers.md").read_text(), end="")
    say(f"wrote {out / 'peers.json'} and {out / 'peers.md'}")
    timed = any("median_s" in row for one in result["settings"] for row in one["rows"])
    return 0 if timed else 77


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
