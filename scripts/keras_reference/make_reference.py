#!/usr/bin/env python3
"""Makes tests/data/keras: what Keras computes for the networks that detbench trains.

Usage: make_reference.py --out FOLDER [--check] [--only NAME ...]

Run it with scripts/keras_reference/run.sh, which installs the pinned TensorFlow and Keras first. docs/keras.md says what is
in the files and which differences between the two programs are deliberate.

Each case is run by Keras in float64, which is the reference, and in float32, once as it is and once with the images of the
batch in reverse order. How far float32 lies from float64 is stored beside every tensor: it is the yardstick for the
tolerances of our own float32 step.
"""

import argparse
import gzip
import json
import math
import os
import pathlib
import sys
import time

# One thread and Eigen's own kernels: the same numbers each time on one machine.
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="-1", KERAS_BACKEND="tensorflow")

import numpy

import fills

try:
    import keras
    import tensorflow
except ImportError as error:
    sys.exit(f"make_reference.py: {error}; scripts/keras_reference/run.sh installs what is needed")
import networks

SEED = 1
STEPS = 3
SKETCHES = 8
ELEMENTS = 64
DIGITS = 12

# Keras's class, its arguments, and its slots by our names in our order.
OPTIMIZERS = {
    "sgd": ("SGD", {"learning_rate": 0.01, "momentum": 0.9}, {"velocity": "momentums"}),
    "sgd_plain": ("SGD", {}, {}),
    "sgd_nesterov": ("SGD", {"learning_rate": 0.01, "momentum": 0.9, "nesterov": True}, {"velocity": "momentums"}),
    "sgd_decayed": ("SGD", {"learning_rate": 0.01, "momentum": 0.9, "weight_decay": 0.01}, {"velocity": "momentums"}),
    "rmsprop": ("RMSprop", {}, {"velocity": "_velocities"}),
    "rmsprop_recipe": ("RMSprop", {"learning_rate": 0.016, "momentum": 0.9, "epsilon": 0.001}, {"velocity": "_velocities", "momentum": "_momentums"}),
    "rmsprop_centered": ("RMSprop", {"centered": True}, {"velocity": "_velocities", "average_gradient": "_average_gradients"}),
    "adam": ("Adam", {}, {"momentum": "_momentums", "velocity": "_velocities"}),
    "adam_amsgrad": ("Adam", {"amsgrad": True}, {"momentum": "_momentums", "velocity": "_velocities", "velocity_hat": "_velocity_hats"}),
}
EVERY_OPTIMIZER = tuple(OPTIMIZERS)

# name: network, pixels, channels, batch, classes, scale of the images, runs (optimizer, label smoothing), all elements stored
CASES = {
    "mobilenet_v2_alpha0.35_px96": ("mobilenet_v2_alpha0.35", 96, 3, 2, 10, 1.0, [("sgd", 0.0)], False),
    "mobilenet_v2_alpha1.0_px64": ("mobilenet_v2_alpha1.0", 64, 3, 2, 10, 1.0, [("sgd", 0.0)], False),
    "efficientnet_b0_px64": ("efficientnet_b0", 64, 3, 2, 10, 128.0, [("sgd", 0.0)], False),
    "efficientnet_lite0_px64": ("efficientnet_lite0", 64, 3, 2, 10, 128.0, [("sgd", 0.0)], False),
    "small_cnn_px28": ("small_cnn", 28, 3, 4, 10, 128.0, [(o, 0.0) for o in ("sgd", "rmsprop", "adam")], False),
    "small_cnn_px8": ("small_cnn", 8, 3, 2, 4, 128.0, [("sgd", 0.0)], True),
    "small_dense": ("small_dense", 1, 32, 8, 10, 1.0, [(o, 0.0) for o in EVERY_OPTIMIZER] + [("sgd", 0.1)], False),
}


def parameter_names(model):
    """Trainable variables: (our name, Keras layer, role)."""
    found = []
    for layer in model.layers:
        for variable in layer.trainable_variables:
            found.append((f"{layer.name}/{variable.name}", layer, variable.name, variable))
    return found


def moving_names(model):
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            yield f"{layer.name}/moving_mean", layer.moving_mean
            yield f"{layer.name}/moving_variance", layer.moving_variance


class Runner:
    """One network in one precision."""

    def __init__(self, case, precision, reverse=False, own_constants=False):
        network, pixels, channels, batch, classes, scale, _, _ = case
        self.case, self.precision, self.classes, self.reverse = case, precision, classes, reverse
        keras.backend.clear_session()
        keras.config.set_floatx(precision)
        self.model = networks.build(network, pixels, channels, classes)
        for layer in self.model.layers:
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = 0.0  # masks are drawn differently; see docs/keras.md
            # The float64 run is that of Keras's float32 network without roundings, so epsilon is what it is there. (Rescaling's
            # constants are float32 in any case: Keras makes a float32 tensor of a Python float before it casts it.)
            if isinstance(layer, keras.layers.BatchNormalization) and precision == "float64" and not own_constants:
                layer.epsilon = float(numpy.float32(layer.epsilon))
        images = fills.fill("uniform", batch * pixels * pixels * channels, SEED, "images", scale)
        self.images = images.reshape(batch, pixels, pixels, channels).astype(precision)
        self.labels = fills.fill("index", batch, SEED, "labels", limit=classes)
        if reverse:
            self.images, self.labels = self.images[::-1].copy(), self.labels[::-1].copy()
        self.parameters = parameter_names(self.model)
        self.initial = []
        for name, layer, role, variable in self.parameters:
            kind, weight_scale = networks.initialization(network, role, tuple(variable.shape))
            drawn = fills.fill(kind, math.prod(variable.shape), SEED, "weights/" + name, weight_scale)
            self.initial.append(networks.from_canonical(layer, role, drawn, tuple(variable.shape)).astype(precision))
        assert all((networks.canonical(l, r, v).reshape(-1) == fills.fill(*self.fill_of(n, r, v))).all()
                   for (n, l, r, _), v in zip(self.parameters, self.initial))
        self.begin()

    def fill_of(self, name, role, value):
        kind, scale = networks.initialization(self.case[0], role, value.shape)
        return kind, value.size, SEED, "weights/" + name, scale

    def begin(self):
        for (_, _, _, variable), value in zip(self.parameters, self.initial):
            variable.assign(value)
        for name, variable in moving_names(self.model):
            variable.assign(numpy.full(variable.shape, 1.0 if name.endswith("variance") else 0.0))

    def collect(self, variables):
        """Tensors shaped like the parameters, by our names, in our order."""
        return {n: networks.canonical(l, r, numpy.asarray(v, "float64")) for (n, l, r, _), v in zip(self.parameters, variables)}

    def moving(self):
        return {name: numpy.asarray(variable, "float64") for name, variable in moving_names(self.model)}

    def loss_function(self, smoothing, from_logits=False):
        return keras.losses.CategoricalCrossentropy(from_logits=from_logits, label_smoothing=smoothing)

    def one_hot(self):
        return numpy.eye(self.classes, dtype=self.precision)[self.labels]

    def forward_backward(self):
        """Every layer's output in training mode, the loss and all gradients."""
        named = networks.outputs(self.model)
        before = self.model.get_layer("predictions").input
        tap = keras.Model(self.model.input, [layer.output for _, layer in named] + [before])
        last = self.model.get_layer("predictions")
        with tensorflow.GradientTape() as tape:
            *values, features = tap(self.images, training=True)
            logits = tensorflow.matmul(features, last.kernel) + last.bias
            loss = self.loss_function(0.0, True)(self.one_hot(), logits)
        gradients = tape.gradient(loss, [v for _, _, _, v in self.parameters])
        outputs = {}
        for (name, _), value in zip(named, values[: len(named)]):
            outputs[name] = numpy.asarray(logits if name == "predictions" else value, "float64")
            if self.reverse:
                outputs[name] = outputs[name][::-1]
        # Squeeze-excite works on 1x1 images in Keras and on vectors here: the same numbers in the same order.
        result = {"forward": outputs, "loss": float(loss), "gradients": self.collect(gradients), "moving": self.moving()}
        self.begin()
        return result

    def train(self, optimizer, smoothing):
        """STEPS steps as a Keras user runs them: compile and train_on_batch."""
        name, arguments, slots = OPTIMIZERS[optimizer]
        made = getattr(keras.optimizers, name)(**arguments)
        self.model.compile(optimizer=made, loss=self.loss_function(smoothing), jit_compile=False)
        losses, after_first = [], None
        for step in range(STEPS):
            self.model.reset_metrics()
            losses.append(float(self.model.train_on_batch(self.images, self.one_hot())))
            if step == 0:
                after_first = self.collect([v for _, _, _, v in self.parameters])
        of_parameter = [[v.path for v in made._trainable_variables].index(p.path) for _, _, _, p in self.parameters]
        kept = {}
        for slot, attribute in slots.items():
            values = getattr(made, attribute)
            for tensor, value in self.collect([values[i] for i in of_parameter]).items():
                kept[f"{tensor}/{slot}"] = value
        result = {
            "losses": losses,
            "after_first": after_first,
            "weights": self.collect([v for _, _, _, v in self.parameters]),
            "slots": kept,
            "moving": self.moving(),
        }
        self.begin()
        return result


def rounded(value, digits=DIGITS):
    return float(f"{float(value):.{digits}g}")


def statistics(name, value, yardsticks, full, base=None):
    """What is stored of one tensor. `yardsticks` are the same tensor from float32; `base` what it was before training."""
    flat = value.reshape(-1)
    n = flat.size
    norm = float(numpy.sqrt(numpy.sum(flat * flat)))
    # Signs from Philox: word i % 4 of call i / 4, bit j for sketch j. The root mean square of the differences of two tensors'
    # sketches estimates the norm of their difference: every element counts.
    words = numpy.stack(fills.philox4x32(numpy.arange((n + 3) // 4, dtype=numpy.uint64), 0, 0, fills.stream_key(SEED, "sketch/" + name)), axis=1)
    words = words.reshape(-1)[:n]
    sketch = [float(numpy.sum(numpy.where((words >> numpy.uint64(j)) & numpy.uint64(1), -flat, flat))) for j in range(SKETCHES)]
    if full or n <= ELEMENTS:
        elements = flat
    else:
        elements = flat[fills.fill("index", ELEMENTS, SEED, "sample/" + name, limit=n)]
    distance = max(float(numpy.linalg.norm(y.reshape(-1) - flat)) for y in yardsticks)
    stored = {
        "shape": list(value.shape),
        "l2": rounded(norm),
        "sum": rounded(numpy.sum(flat)),
        "sketch": [rounded(s) for s in sketch],
        "elements": [rounded(e) for e in elements],
        "f32_distance": rounded(distance, 2),
    }
    if base is not None:
        stored["moved"] = rounded(numpy.linalg.norm(flat - base.reshape(-1)), 6)
    return stored


def group(reference, yardsticks, full, base=None, prefix=""):
    return {
        name: statistics(prefix + name, value, [y[name] for y in yardsticks], full, None if base is None else base[name])
        for name, value in reference.items()
    }


def relative(a, b):
    return float(numpy.linalg.norm(a - b) / max(numpy.linalg.norm(b), 1e-30))


def close(what, a, b, tolerance):
    error = relative(a, b)
    if not error <= tolerance:
        sys.exit(f"make_reference.py: {what}: two ways of Keras differ by {error:.3g}, allowed are {tolerance:.3g}")


def make_case(name):
    case = CASES[name]
    network, pixels, channels, batch, classes, scale, runs, full = case
    arms = {}
    for arm, arguments in {
        "reference": ("float64", False),
        "float32": ("float32", False),
        "reversed": ("float32", True),
    }.items():
        runner = Runner(case, *arguments)
        arms[arm] = (runner.forward_backward(), [runner.train(*run) for run in runs])
        if arm == "reference":
            initial = runner.collect(runner.initial)
    # The size of a deliberate difference: constants as they are in Keras's float64, epsilon 1e-3 instead of the nearest f32.
    effect = None
    if network.startswith("mobilenet"):
        other = Runner(case, "float64", own_constants=True).forward_backward()
        effect = {
            part: rounded(max(relative(other[part][n], v) for n, v in arms["reference"][0][part].items() if numpy.linalg.norm(v) > 1e-9), 2)
            for part in ("forward", "gradients")
        }
    reference, trained = arms["reference"]
    forwards = [arms[a][0] for a in ("float32", "reversed")]
    document = {
        "format": 1,
        "case": name,
        "made_with": {"keras": keras.__version__, "tensorflow": tensorflow.__version__, "numpy": numpy.__version__},
        "network": network,
        "pixels": pixels,
        "channels": channels,
        "batch": batch,
        "classes": classes,
        "seed": SEED,
        "images_scale": scale,
        "steps": STEPS,
        "epsilon_effect": effect,
        "loss": rounded(reference["loss"]),
        "loss_f32_distance": rounded(max(abs(f["loss"] - reference["loss"]) for f in forwards), 2),
        "forward": group(reference["forward"], [f["forward"] for f in forwards], full),
        "gradients": group(reference["gradients"], [f["gradients"] for f in forwards], full),
        "moving_after_first_step": group(reference["moving"], [f["moving"] for f in forwards], full),
        "runs": [],
    }
    for i, (optimizer, smoothing) in enumerate(runs):
        run, others = trained[i], [arms[a][1][i] for a in ("float32", "reversed")]
        if smoothing == 0:
            close(f"{name}: loss through softmax", numpy.array(run["losses"][0]), numpy.array(reference["loss"]), 1e-12)
        if optimizer == "sgd" and smoothing == 0:
            for tensor, gradient in reference["gradients"].items():
                moved = (run["after_first"][tensor] - initial[tensor]) / -0.01
                if numpy.linalg.norm(gradient) > 1e-9:
                    close(f"{name}: gradient of {tensor}", moved, gradient, 1e-9)
        keras_class, arguments, _ = OPTIMIZERS[optimizer]
        document["runs"].append(
            {
                "name": optimizer + ("_smoothed" if smoothing else ""),
                "optimizer": {"kind": keras_class.lower(), **arguments},
                "label_smoothing": smoothing,
                "losses": [rounded(x) for x in run["losses"]],
                "losses_f32_distance": [rounded(max(abs(o["losses"][k] - run["losses"][k]) for o in others), 2) for k in range(STEPS)],
                "weights": group(run["weights"], [o["weights"] for o in others], full, initial),
                "slots": group(run["slots"], [o["slots"] for o in others], full),
                "moving": group(run["moving"], [o["moving"] for o in others], full),
            }
        )
    return document


def make_counts():
    """Keras's own parameter counts, 1000 classes, default sizes; Lite's are those of networks.lite()."""
    counts = []
    keras.config.set_floatx("float32")
    names = [(f"efficientnet_{b}", px) for b, px in networks.B_DEFAULT_PIXELS.items()]
    names += [(n, v[2]) for n, v in networks.LITE_VARIANTS.items()]
    names += [(f"mobilenet_v2_alpha{a}", 224) for a in networks.MOBILENET_ALPHAS]
    for name, pixels in names + [("small_cnn", 28), ("small_dense", 1)]:
        keras.backend.clear_session()
        small = name.startswith("small")
        channels = 32 if name == "small_dense" else 3
        model = networks.build(name, pixels, channels, 10 if small else 1000)
        trainable = sum(math.prod(v.shape) for v in model.trainable_variables)
        counts.append(
            {
                "model": name,
                "pixels": pixels,
                "channels": channels,
                "classes": 10 if small else 1000,
                "in_keras_applications": not (small or "lite" in name),
                "trainable": trainable,
                "non_trainable": model.count_params() - trainable,
                "layers": len(model.layers),
            }
        )
    return {"format": 1, "made_with": {"keras": keras.__version__, "tensorflow": tensorflow.__version__}, "models": counts}


def packed(path, text):
    """The same bytes for the same text: no time stamp and no name in the gzip header."""
    return gzip.compress(text.encode(), 9, mtime=0) if path.suffix == ".gz" else text.encode()


def write(path, text):
    """Whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(packed(path, text))
    os.replace(partial, path)


def differs(path, text):
    """Prints how the stored file compares with what was made now; True unless they are the same bytes."""
    try:
        stored = path.read_bytes()
    except OSError as error:
        print(f"{path.name}: {error.strerror}")
        return True
    if stored == packed(path, text):
        print(f"{path.name}: the same bytes")
        return False
    old = json.loads(gzip.decompress(stored) if path.suffix == ".gz" else stored)
    new = json.loads(text)
    largest = 0.0
    for part in ("forward", "gradients"):
        for name, tensor in new.get(part, {}).items():
            have = old.get(part, {}).get(name, {}).get("elements", [])
            if len(have) == len(tensor["elements"]) and tensor["l2"] > 1e-9:
                largest = max(largest, relative(numpy.array(have), numpy.array(tensor["elements"])))
    print(f"{path.name}: other bytes; outputs and gradients of the first step differ by at most {largest:.2g}, relative")
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, type=pathlib.Path, metavar="FOLDER")
    parser.add_argument("--check", action="store_true", help="write nothing: make each file and compare it with the stored one")
    parser.add_argument("--only", nargs="+", choices=[*CASES, "counts"], metavar="NAME", help="some of: " + ", ".join([*CASES, "counts"]))
    arguments = parser.parse_args()
    tensorflow.config.threading.set_intra_op_parallelism_threads(1)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    tensorflow.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(0)  # nothing random is used; op determinism asks for a seed
    arguments.out.mkdir(parents=True, exist_ok=True)
    wanted = arguments.only or [*CASES, "counts"]
    different = False
    for name in wanted:
        begin = time.monotonic()
        if name == "counts":
            path, text = arguments.out / "counts.json", json.dumps(make_counts(), indent=1) + "\n"
        else:
            path, text = arguments.out / f"{name}.json.gz", json.dumps(make_case(name), separators=(",", ":")) + "\n"
        if arguments.check:
            different |= differs(path, text)
        else:
            write(path, text)
        print(f"{name}: {time.monotonic() - begin:.0f} s", flush=True)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
