"""Names of arms, and what they say: who answers, in what precision, how its work reaches the device, under which setting.

  detbench:POLICY[:f32|tf32|bf16|f16][:launches|streams|graph|streams_graph]
  tensorflow_(graph|xla|deterministic|deterministic_xla)
  pytorch_(eager|compiled|compiled_graph|graph)_(channels_last|contiguous)[_tf32|_bf16|_f16][_deterministic]
  jax_(f32|tf32|bf16)[_deterministic|_excluded]

PyTorch's `compiled_graph` is torch.compile's mode reduce-overhead, `graph` one CUDA graph of the whole step. JAX's
`deterministic` is --xla_gpu_deterministic_ops, which takes autotuning away too; `excluded` is --xla_gpu_exclude_nondeterministic_ops."""

import dataclasses
import re

precisions = ("f32", "tf32", "bf16", "f16")
types_of = {"f32": "f32_f32_strict", "tf32": "f32_f32_tf32", "bf16": "bf16_f32_strict", "f16": "f16_f32_strict"}
executions = ("launches", "streams", "graph", "streams_graph")
peers = ("detbench", "tensorflow", "pytorch", "jax")


@dataclasses.dataclass(frozen=True)
class Arm:
    name: str
    peer: str
    precision: str = "f32"
    execution: str = "launches"  # ours and PyTorch's, else "xla": that compiler decides by itself
    setting: str = ""  # our policy; "deterministic" or "excluded" of a peer; "" without one
    layout: str = ""

    @property
    def plain(self):
        """The name of the same arm without its deterministic setting, or None where it has none."""
        if not self.setting or self.peer == "detbench" and not re.match(r"fixed_order$|fastest_observed:|fastest_claimed:|.*_deterministic$", self.setting):
            return None
        if self.peer == "detbench":
            return detbench("library_heuristic", self.precision, self.execution)
        if self.peer == "tensorflow":
            return "tensorflow_xla" if self.execution == "xla" else "tensorflow_graph"
        return self.name.replace("_" + self.setting, "")


def detbench(policy, precision="f32", execution="launches"):
    return f"detbench:{policy}" + (f":{precision}" if precision != "f32" or execution != "launches" else "") + (f":{execution}" if execution != "launches" else "")


def parse(name):
    """ValueError, saying what would be right, where the name is no arm's."""
    if name.startswith("detbench:"):
        # A policy may hold colons itself: fastest_observed:partition.
        parts, precision, execution = name.split(":")[1:], "f32", "launches"
        if len(parts) > 1 and parts[-1] in executions:
            execution = parts.pop()
        if len(parts) > 1 and parts[-1] in precisions:
            precision = parts.pop()
        policy = ":".join(parts)
        if not re.fullmatch(r"\w[\w.%+-]*(:[\w.%+-]+)*", policy, re.ASCII):
            raise ValueError(f"'{name}' names no policy: detbench:POLICY[:{'|'.join(precisions)}][:{'|'.join(executions)}]")
        return Arm(name, "detbench", precision, execution, policy)
    for pattern, make in grammars:
        found = re.fullmatch(pattern, name)
        if found:
            return make(name, **found.groupdict())
    peer = name.split("_")[0]
    wanted = next((pattern for pattern, _ in grammars if pattern.startswith(peer + "_")), None) if peer in peers else None
    raise ValueError(f"no arm is called '{name}'" + (f", names are made as {readable(wanted)}" if wanted else "; --list-arms prints them"))


def readable(pattern):
    """A grammar as the head of this file has it: optional parts in brackets."""
    return re.sub(r"\(\?:(_\([^()]*\))\)\?", r"[\1]", re.sub(r"\?P<[a-z]+>", "", pattern))


def tensorflow(name, how):
    return Arm(name, "tensorflow", "f32", "xla" if how.endswith("xla") else "launches", "deterministic" if how.startswith("deterministic") else "")


def pytorch(name, how, layout, precision, setting):
    return Arm(name, "pytorch", precision or "f32", {"eager": "launches"}.get(how, how), setting or "", layout)


def jax(name, precision, setting):
    return Arm(name, "jax", precision, "xla", setting or "")


grammars = (
    (r"tensorflow_(?P<how>graph|xla|deterministic|deterministic_xla)", tensorflow),
    (r"pytorch_(?P<how>eager|compiled|compiled_graph|graph)_(?P<layout>channels_last|contiguous)(?:_(?P<precision>tf32|bf16|f16))?(?:_(?P<setting>deterministic))?", pytorch),
    (r"jax_(?P<precision>f32|tf32|bf16)(?:_(?P<setting>deterministic|excluded))?", jax),
)

# JAX is a peer on a GPU; on a CPU, where XLA takes seconds for a step, it has to be named.
cpu = [
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

# Tiers, what is wanted most first: a budget ends in the last ones.
gpu_tiers = [
    [
        "detbench:library_heuristic:bf16:graph",
        "pytorch_eager_channels_last_bf16",
        "jax_bf16",
    ],
    [
        "detbench:library_heuristic:f32:graph",
        "pytorch_eager_channels_last",
        "jax_f32",
    ],
    [
        "detbench:library_heuristic:bf16",
        "detbench:library_heuristic",
        "detbench:fixed_order:bf16:graph",
        "pytorch_eager_channels_last_bf16_deterministic",
        "jax_bf16_deterministic",
        "pytorch_compiled_channels_last_bf16",
        "pytorch_graph_channels_last_bf16",
    ],
    [
        "detbench:fastest:bf16:graph",
        "detbench:fixed_order:f32:graph",
        "pytorch_eager_channels_last_deterministic",
        "jax_f32_deterministic",
        "pytorch_compiled_channels_last",
        "pytorch_compiled_graph_channels_last_bf16",
        "pytorch_compiled_channels_last_bf16_deterministic",
    ],
    [
        "detbench:fastest:f32:graph",
        "detbench:framework_default_deterministic:bf16:graph",
        "detbench:first_workable_deterministic:bf16:graph",
        "jax_bf16_excluded",
        "pytorch_compiled_graph_channels_last",
        "pytorch_graph_channels_last",
        "pytorch_compiled_channels_last_deterministic",
    ],
    [
        "detbench:library_heuristic:tf32:graph",
        "pytorch_eager_channels_last_tf32",
        "jax_tf32",
        "detbench:library_heuristic:f16:graph",
        "pytorch_eager_channels_last_f16",
    ],
]
gpu = [arm for tier in gpu_tiers for arm in tier]

# For a first look within eight minutes: both precisions of both networks and batches, all else when it is asked for.
gpu_quick = {
    "arms": gpu_tiers[0] + gpu_tiers[1],
    "models": ["mobilenet_v2_alpha1.0", "efficientnet_b0"], "px": [224], "batch": [32, 128], "rounds": 2, "budget_s": 470.0,
    "steps": 8, "seconds": 3.0, "profile_steps": 0, "timeout": 200.0,
}  # fmt: skip


def tier_of(name):
    """The lower the sooner; an arm that is in no list is asked for by name and comes first."""
    return next((i for i, tier in enumerate(gpu_tiers) if name in tier), 0)
