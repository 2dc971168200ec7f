#!/usr/bin/env python3
"""What Keras's optimizers, loss scaling and learning-rate schedules do, as the reference of kernels/optimizer.

Usage: optimizers.py --write FILE    writes FILE (tests/data/keras/optimizers.json) anew
       optimizers.py --check FILE    every number of FILE is what the installed Keras makes

Two variables, of which weight decay leaves out the second, take 20 steps with stored gradients under every optimizer and
option. The NumPy backend makes each operation by itself, in float32 and in the order of Keras's expressions, so that the
C++ test OptimizersAgainstKeras can demand equal bits where no power or cosine is involved. Numbers are float32 with as few digits as
bring the same float32 back.

Wants optimizers-requirements.txt. Exit codes: 0 written or equal; 1 a difference (one line each); 2 usage.
"""

import argparse
import importlib.metadata
import json
import os
import pathlib
import sys

os.environ["KERAS_BACKEND"] = "numpy"
import keras
import numpy as np

STEPS = 20
SIZES = {"kernel": 6, "bias": 3}

# Name, class, Keras's arguments. The learning rate "staircase" stands for the schedule of that name below.
CASES = (
    ("sgd", "SGD", {"learning_rate": 0.01}),
    ("sgd_decay", "SGD", {"learning_rate": 0.05, "weight_decay": 0.004}),
    ("sgd_momentum", "SGD", {"learning_rate": 0.01, "momentum": 0.9}),
    ("sgd_nesterov", "SGD", {"learning_rate": 0.01, "momentum": 0.9, "nesterov": True}),
    ("sgd_momentum_schedule", "SGD", {"learning_rate": "staircase", "momentum": 0.8, "weight_decay": 0.01}),
    ("rmsprop", "RMSprop", {"learning_rate": 0.001}),
    ("rmsprop_centered", "RMSprop", {"learning_rate": 0.001, "rho": 0.8, "centered": True}),
    ("rmsprop_momentum", "RMSprop", {"learning_rate": 0.016, "momentum": 0.9, "epsilon": 0.001}),
    ("rmsprop_all", "RMSprop", {"learning_rate": "staircase", "momentum": 0.9, "epsilon": 0.001, "centered": True, "weight_decay": 0.01}),
    ("adam", "Adam", {"learning_rate": 0.001}),
    ("adam_amsgrad", "Adam", {"learning_rate": 0.002, "amsgrad": True, "beta_2": 0.9}),
    ("adam_all", "Adam", {"learning_rate": "staircase", "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-5, "weight_decay": 0.01}),
)
SCHEDULES = {
    "staircase": ("ExponentialDecay", {"initial_learning_rate": 0.016, "decay_steps": 4, "decay_rate": 0.97, "staircase": True}),
    "exponential": ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.5}),
    "cosine": ("CosineDecay", {"initial_learning_rate": 0.08, "decay_steps": 16}),
    "cosine_warmup": ("CosineDecay", {"initial_learning_rate": 0.001, "decay_steps": 12, "alpha": 0.05, "warmup_target": 0.1, "warmup_steps": 5}),
}
# Which gradients of the loss-scaling case are not finite: step, variable, element, value.
NOT_FINITE = ((2, "kernel", 1, "inf"), (3, "bias", 0, "nan"), (9, "kernel", 5, "-inf"))
LOSS_SCALE = {"initial_scale": 1024.0, "dynamic_growth_steps": 3}


def numbers(array):
    """float32 with as few digits as bring the same float32 back; what is not finite as text."""
    values = [float(str(np.float32(x))) for x in np.ravel(np.asarray(array))]
    return [x if np.isfinite(x) else str(x) for x in values]


def schedule(name):
    kind, arguments = SCHEDULES[name]
    return getattr(keras.optimizers.schedules, kind)(**arguments)


def optimizer(kind, arguments):
    arguments = dict(arguments)
    if isinstance(arguments["learning_rate"], str):
        arguments["learning_rate"] = schedule(arguments["learning_rate"])
    return getattr(keras.optimizers, kind)(**arguments)


def start():
    random = np.random.RandomState(9)
    weights = {name: random.standard_normal(size).astype("float32") for name, size in SIZES.items()}
    # Of sizes between a thousandth and ten, so that epsilon matters in some and not in others.
    gradients = {name: (random.standard_normal((STEPS, size)) * 10.0 ** random.uniform(-3, 1, size)).astype("float32") for name, size in SIZES.items()}
    return weights, gradients


def variables(weights):
    return [keras.Variable(value.copy(), name=name) for name, value in weights.items()]


def run(kind, arguments, weights, gradients):
    made, trained = optimizer(kind, arguments), variables(weights)
    made.build(trained)
    if arguments.get("weight_decay"):
        made.exclude_from_weight_decay(var_names=["bias"])
    trace = {name: [] for name in weights}
    for step in range(STEPS):
        made.apply([gradients[name][step] for name in weights], trained)
        for name, variable in zip(weights, trained):
            trace[name].append(numbers(variable))
    slots = {v.path.split("/")[-1]: numbers(v) for v in made.variables if v.name not in ("iteration", "learning_rate")}
    return {"weights": trace, "slots": slots}


def run_loss_scale(weights, gradients):
    made, trained = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01, momentum=0.9), **LOSS_SCALE), variables(weights)
    made.build(trained)
    found = {"not_finite": [list(x) for x in NOT_FINITE], "loss_scale": [], "good_steps": [], "iterations": [], "weights": {name: [] for name in weights}}
    for step in range(STEPS):
        given = {name: gradients[name][step] * np.float32(float(made.dynamic_scale)) for name in weights}
        for at, name, element, value in NOT_FINITE:
            if at == step:
                given[name][element] = np.float32(value)
        made.apply(list(given.values()), trained)
        found["loss_scale"].append(float(made.dynamic_scale))
        found["good_steps"].append(int(made.step_counter))
        found["iterations"].append(int(made.iterations))
        for name, variable in zip(weights, trained):
            found["weights"][name].append(numbers(variable))
    return {**LOSS_SCALE, **found}


def document():
    weights, gradients = start()
    return {
        "versions": {name: importlib.metadata.version(name) for name in ("keras", "numpy")},
        "steps": STEPS,
        "weights": {name: numbers(value) for name, value in weights.items()},
        "gradients": {name: [numbers(row) for row in value] for name, value in gradients.items()},
        "schedules": {name: {"arguments": SCHEDULES[name][1], "kind": SCHEDULES[name][0], "rates": numbers([schedule(name)(step) for step in range(STEPS)])} for name in SCHEDULES},
        "optimizers": [{"name": name, "class": kind, "arguments": arguments, **run(kind, arguments, weights, gradients)} for name, kind, arguments in CASES],
        "loss_scaling": run_loss_scale(weights, gradients),
    }


def differences(stored, made, path=""):
    """Numbers that differ by more than NumPy's powers and cosines do between versions."""
    if isinstance(made, dict):
        for key in sorted(set(stored) | set(made)):
            if key == "versions":
                continue
            if key not in stored or key not in made:
                yield f"{path}/{key}: only on one side"
            else:
                yield from differences(stored[key], made[key], f"{path}/{key}")
    elif isinstance(made, (list, tuple)):
        if len(stored) != len(made):
            yield f"{path}: {len(stored)} stored, {len(made)} made"
        else:
            for i, pair in enumerate(zip(stored, made)):
                yield from differences(*pair, f"{path}[{i}]")
    elif isinstance(made, float) and isinstance(stored, float):
        if abs(stored - made) > 1e-5 * max(abs(stored), abs(made)) + 1e-7:
            yield f"{path}: {stored} stored, {made} made"
    elif stored != made:
        yield f"{path}: {stored} stored, {made} made"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--write", type=pathlib.Path, metavar="FILE")
    which.add_argument("--check", type=pathlib.Path, metavar="FILE")
    arguments = parser.parse_args()
    if arguments.write:
        arguments.write.write_text(json.dumps(document(), separators=(",", ":")).replace("},{", "},\n{") + "\n", encoding="utf-8")
        return 0
    found = list(differences(json.loads(arguments.check.read_text(encoding="utf-8")), document()))
    print("\n".join(found) or "every number is as Keras makes it")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
