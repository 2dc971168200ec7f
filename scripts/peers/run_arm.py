"""Starts one process of one arm, in the environment that makes it comparable, and reads its answer."""

import json
import os
import pathlib
import re
import signal
import subprocess
import time

import arms

here = pathlib.Path(__file__).resolve().parent

# What detbench's own workers use (bench/workers/channel.cpp): a bounded spin, because passive waiting makes a small step
# slower on two threads than on one, and unbounded spinning starves everybody on a busy machine.
waiting = {"OMP_DYNAMIC": "false", "OMP_MAX_ACTIVE_LEVELS": "1", "GOMP_SPINCOUNT": "10000"}

# Whatever the caller has set of these would reach some arms and not others.
foreign = re.compile(r"OMP_WAIT_POLICY|XLA_FLAGS|XLA_PYTHON_CLIENT_\w+|JAX_\w+|NVIDIA_TF32_OVERRIDE|TORCH_ALLOW_TF32_CUBLAS_OVERRIDE|CUBLAS_WORKSPACE_CONFIG|TF_(CUDNN_)?DETERMINISTIC\w*")

xla_flags = {"deterministic": "--xla_gpu_deterministic_ops=true", "excluded": "--xla_gpu_exclude_nondeterministic_ops=true"}


def settings_of(arm, backend, threads, cache):
    """The variables that a process is given; `cache` is a folder that one call's processes of torch.compile share."""
    given = {**waiting, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    if arm.peer == "pytorch":
        given["TORCHINDUCTOR_CACHE_DIR"] = str(cache)
        if arm.setting and backend == "cuda":
            given["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    if arm.peer == "jax":
        # Without the platform's name JAX would go on with a CPU where it finds no GPU.
        given["JAX_PLATFORMS"] = backend
        given["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
        if arm.setting and backend == "cuda":
            given["XLA_FLAGS"] = xla_flags[arm.setting]
    return given


def train_step_case(model, px, batch, classes, arm, steps):
    """Our case id for an arm's policy, precision and execution."""
    if model.startswith("mobilenet_v2_alpha"):
        op, head = "train_step_mobilenet_v2", "alpha" + model.removeprefix("mobilenet_v2_alpha") + "_"
    else:
        op, head = "train_step_" + model, ""
    execution = f"exec={arm.execution}," if arm.execution != "launches" else ""
    return f"{op}/{head}px{px}_mb{batch}_classes{classes}/{arms.types_of[arm.precision]}/nhwc/network:{arm.setting}@{execution}steps={steps}"


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


def bounded(command, environment, cpus, timeout_s):
    """Exit code, output and errors of a process that is ended with all its children when its time is over: then the code is None."""
    child = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", stdin=subprocess.DEVNULL,
        start_new_session=True, preexec_fn=lambda: os.sched_setaffinity(0, cpus),
    )  # fmt: skip
    try:
        stdout, stderr = child.communicate(timeout=timeout_s)
        return child.returncode, stdout, stderr
    except subprocess.TimeoutExpired:
        return None, "", ""
    finally:
        # Compilers' helpers too: what they go on doing would be in the next arm's time.
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.wait()


class Runner:
    def __init__(self, arguments, python, missing, cache):
        self.arguments = arguments
        self.cache = cache
        self.python = python
        self.missing = missing  # peer to the reason why it is not there
        self.cpus = sorted(os.sched_getaffinity(0))

    def command(self, slot):
        a, arm = self.arguments, arms.parse(slot.arm)
        model, px, batch = slot.setting
        warm_up, steps, group = (a.warm_up, a.steps, a.group) if slot.timed else (0, 1, 1)
        if arm.peer == "detbench":
            case = train_step_case(model, px, batch, a.classes, arm, a.digest_steps)
            command = [a.detbench, "step", case, "--threads", str(slot.threads), "--warm-up", str(warm_up), "--steps", str(steps), "--seconds", str(a.seconds), "--backend", a.backend]
            if group > 1:
                command += ["--group", str(group)]
            if slot.timed and a.profile_steps:
                command += ["--profile-steps", str(a.profile_steps)]
            if a.selections:
                command += ["--selections", str(selections_of(a.selections, slot.setting))]
            return command
        order = {
            "arm": arm.name, "model": model, "px": px, "batch": batch, "classes": a.classes, "threads": slot.threads, "backend": a.backend, "seed": a.seed,
            "learning_rate": 0.01, "momentum": 0.9, "digest_steps": a.digest_steps, "warm_up": warm_up, "steps": steps, "group": group, "seconds": a.seconds,
        }  # fmt: skip
        return [str(self.python), str(here / f"peer_{arm.peer}.py"), json.dumps(order)]

    def run(self, slot, timeout_s):
        """The fields of the answer; `unsupported` or `failed` holds a reason where there is none."""
        arm = arms.parse(slot.arm)
        if arm.peer in self.missing:
            return {"unsupported": self.missing[arm.peer]}
        given = settings_of(arm, self.arguments.backend, slot.threads, self.cache)
        inherited = {name: value for name, value in os.environ.items() if not foreign.fullmatch(name)}
        busy, begun, used = busy_s(), time.monotonic(), os.times()
        try:
            code, stdout, stderr = bounded(self.command(slot), {**inherited, **given}, self.cpus[: slot.threads], timeout_s)
        except OSError as error:
            return {"unsupported": f"{error}"}
        elapsed, now = time.monotonic() - begun, os.times()
        if code is None:
            return {"failed": f"took longer than {timeout_s:.0f} s", "timed_out": True, "elapsed_s": elapsed}
        own = now.children_user + now.children_system - used.children_user - used.children_system
        fields = read_answer(stdout, stderr, code)
        if "failed" in fields:
            self.keep_errors(slot, stdout, stderr)
        return {**fields, "environment": given, "elapsed_s": elapsed, "foreign_share": foreign_share(busy, busy_s(), own, elapsed, os.cpu_count())}

    def keep_errors(self, slot, stdout, stderr):
        """What a failed process said, the end of it, for whoever has to find out why."""
        folder = pathlib.Path(self.arguments.out) / "errors"
        folder.mkdir(exist_ok=True)
        name = re.sub(r"[^A-Za-z0-9_.-]+", "_", "_".join(map(str, (slot.arm, *slot.setting, slot.threads))))
        (folder / f"{name}.txt").write_text(f"{stdout[-20000:]}\n{stderr[-20000:]}\n", encoding="utf-8")


def read_answer(stdout, stderr, code):
    """The JSON of an arm's last line, or the reason why there is none."""
    for line in reversed(stdout.splitlines()):
        if line.startswith("{"):
            try:
                return json.loads(line)
            except ValueError:
                break
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    # A library that ends the process says why before its stack trace, and XLA so of a flag that it does not know.
    told = [line for line in lines if re.search(r"Unknown flag|Check failed|[Ff]atal|FATAL", line)]
    reason = (told or lines[-1:] or ["it said nothing"])[0][:300]
    # detbench says in one line why a case does not exist here.
    if reason.startswith("detbench: ") and code > 0:
        return {"unsupported": reason.removeprefix("detbench: ")}
    return {"failed": f"ended with {code}: {reason}"}


def selections_of(folder, setting):
    """Policies measured for this very network and batch, in folder/MODEL_pxP_mbB, else those in the folder itself."""
    own = pathlib.Path(folder) / "{}_px{}_mb{}".format(*setting)
    return own if own.is_dir() else folder
