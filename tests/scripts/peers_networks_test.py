"""The peers' networks against each other and against Keras: counts of parameters, and from the same weights the same logits,
gradients and moving statistics, in f64, where networks that differ cannot agree by chance. What is not installed is skipped;
77 where that is everything."""

import dataclasses
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import unittest

peers = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "peers"
sys.path.insert(0, str(peers))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# JAX is asked for a CPU, wherever this runs.
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_ENABLE_X64"] = "1"

import networks  # noqa: E402

have = {name: importlib.util.find_spec(name) is not None for name in ("torch", "jax", "keras", "tensorflow")}


def counts():
    """Model to the count of its weights that train, as Keras had it."""
    kept = json.loads((pathlib.Path(__file__).resolve().parents[1] / "data" / "keras" / "counts.json").read_text())
    return {m["model"]: m["trainable"] for m in kept["models"] if m["model"].startswith("mobilenet_v2_alpha") or m["model"] == "efficientnet_b0"}


def needs(*names):
    absent = [name for name in names if not have[name]]
    return unittest.skipIf(absent, f"not installed: {', '.join(absent)}")


def plain(network):
    """Without dropout and drop-connect, whose masks every framework draws otherwise."""
    return dataclasses.replace(network, dropout=0.0, blocks=tuple(dataclasses.replace(b, drop=0.0) for b in network.blocks))


class Tables(unittest.TestCase):
    def test_pads_as_tensorflow(self):
        for size, kernel, stride, pads in ((96, 3, 2, (0, 1)), (97, 3, 2, (1, 1)), (48, 5, 2, (1, 2)), (48, 5, 1, (2, 2)), (7, 1, 1, (0, 0)), (1, 3, 2, (1, 1))):
            self.assertEqual(networks.same_pads(size, kernel, stride), pads, (size, kernel, stride))

    def test_refuses_what_is_no_network(self):
        for model in ("resnet50", "mobilenet_v2_alpha", "mobilenet_v2_alphawide", "mobilenet_v2_alpha0", "mobilenet_v2_alphanan", ""):
            with self.assertRaises(NotImplementedError, msg=model):
                networks.describe(model, 96, 1000)


class Counts(unittest.TestCase):
    @needs("torch")
    def test_pytorch(self):
        import networks_pytorch

        for model, count in counts().items():
            self.assertEqual(sum(p.numel() for p in networks_pytorch.make_network(model, 96, 1000).parameters()), count, model)

    @needs("jax")
    def test_jax(self):
        import math

        import networks_jax

        for model, count in counts().items():
            shapes = networks_jax.parameter_shapes(networks.describe(model, 96, 1000))
            self.assertEqual(sum(math.prod(shape) for shape in shapes.values()), count, model)


def random_parameters(network, seed):
    """Weights, and moving statistics that are not the initial ones, in f64."""
    import networks_jax
    import numpy

    random = numpy.random.default_rng(seed)
    parameters, statistics = {}, {}
    for name, shape in networks_jax.parameter_shapes(network).items():
        if name.endswith("kernel"):
            area = shape[0] * shape[1] * shape[2] if len(shape) == 4 else shape[0]
            parameters[name] = random.standard_normal(shape) * (1.5 / area) ** 0.5
        else:
            parameters[name] = random.uniform(0.5, 1.5, shape) if name.endswith("gamma") else random.uniform(-0.2, 0.2, shape)
        if name.endswith("gamma"):
            statistics[name.replace("gamma", "mean")] = random.uniform(-0.2, 0.2, shape)
            statistics[name.replace("gamma", "variance")] = random.uniform(0.5, 1.5, shape)
    return parameters, statistics


def to_torch(name, value):
    import numpy

    if value.ndim == 4:
        return value.transpose(3, 2, 0, 1)
    if value.ndim == 2:
        # Squeeze-excite is 1x1 layers there.
        return value.T if name.startswith("classifier") else value.T[:, :, None, None]
    return numpy.asarray(value)


class SameWeights(unittest.TestCase):
    # The first blocks have every kind of layer; all of them are in the logits that are compared with Keras's.
    models = (("mobilenet_v2_alpha0.35", 32, 5), ("mobilenet_v2_alpha0.35", 33, 4), ("efficientnet_b0", 32, 6))

    def batch(self, network, count=4):
        import numpy

        random = numpy.random.default_rng(7)
        images = random.random((count, network.pixels, network.pixels, 3)) * (255 if network.rescale else 1)
        return images, random.integers(0, network.classes, count)

    def pytorch(self, network, parameters, statistics):
        """The network with these weights, and a dictionary that gets the values per channel of each batch norm's input."""
        import networks_pytorch
        import torch

        model = networks_pytorch.Network(network).double()
        values = {}
        with torch.no_grad():
            for (name, ours), theirs in zip(parameters.items(), model.parameters(), strict=True):
                theirs.copy_(torch.from_numpy(to_torch(name, ours).copy()))
            norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
            layers = [name.removesuffix("gamma") for name in parameters if name.endswith("gamma")]
            for layer, norm in zip(layers, norms, strict=True):
                norm.running_mean.copy_(torch.from_numpy(statistics[layer + "mean"]))
                norm.running_var.copy_(torch.from_numpy(statistics[layer + "variance"]))
                norm.register_forward_hook(lambda m, given, out, layer=layer: values.update({layer: given[0].numel() // given[0].shape[1]}))
        return model, dict(zip(layers, norms)), values

    @needs("jax", "torch")
    def test_jax_is_pytorch(self):
        import jax
        import jax.numpy as jnp
        import networks_jax
        import numpy
        import torch

        for name, pixels, blocks in self.models:
            with self.subTest(model=name, pixels=pixels):
                network = plain(networks.describe(name, pixels, 10))
                network = dataclasses.replace(network, blocks=network.blocks[:blocks], head=64)
                parameters, statistics = random_parameters(network, 3)
                images, labels = self.batch(network)
                model, norms, values = self.pytorch(network, parameters, statistics)
                x, y = torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(labels)
                close = lambda ours, theirs, what: numpy.testing.assert_allclose(numpy.asarray(ours), theirs, rtol=1e-7, atol=1e-9 * numpy.abs(theirs).max(), err_msg=what)

                logits, same = jax.jit(lambda p, s: networks_jax.forward(network, p, s, images, dtype=jnp.float64))(parameters, statistics)
                close(logits, model.eval()(x).detach().numpy(), "logits of inference")
                for key in statistics:
                    self.assertEqual(numpy.asarray(same[key]).tobytes(), statistics[key].tobytes(), key)

                state = {"parameters": parameters, "slots": {k: numpy.zeros_like(w) for k, w in parameters.items()}, "statistics": statistics, "key": jax.random.key(0), "step": 0}
                step = jax.jit(lambda s: networks_jax.train_step(network, s, images, labels, learning_rate=0.1, momentum=0.9, dtype=jnp.float64))
                optimizer = torch.optim.SGD(model.train().parameters(), lr=0.1, momentum=0.9)
                for k in range(2):
                    state, loss = step(state)
                    optimizer.zero_grad()
                    expected = torch.nn.functional.cross_entropy(model(x), y)
                    expected.backward()
                    optimizer.step()
                    close(loss, expected.detach().numpy(), f"loss {k}")
                    if k:
                        break
                    for key, theirs in zip(parameters, model.parameters(), strict=True):
                        close(to_torch(key, numpy.asarray(state["parameters"][key])), theirs.detach().numpy(), key)
                    for layer, norm in norms.items():
                        close(state["statistics"][layer + "mean"], norm.running_mean.numpy(), layer + "mean")
                        # PyTorch's goes by the unbiased variance, Keras's by the biased one.
                        old, n = network.momentum * statistics[layer + "variance"], values[layer]
                        close((numpy.asarray(state["statistics"][layer + "variance"]) - old) * n / (n - 1), norm.running_var.numpy() - old, layer + "variance")

    @needs("jax", "keras", "tensorflow")
    def test_jax_is_keras(self):
        for name, pixels in (("mobilenet_v2_alpha0.35", 96), ("efficientnet_b0", 96)):
            with self.subTest(model=name):
                done = subprocess.run([sys.executable, __file__, "--keras", name, str(pixels)], capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stderr[-2000:])
                told = json.loads(done.stdout.splitlines()[-1])
                self.assertLess(told["difference"], 1e-9 * told["largest"])


def against_keras(model, pixels):
    """The largest difference of the logits of inference, and the largest logit; in f64, by the weights of random_parameters()."""
    import jax
    import jax.numpy as jnp
    import keras
    import networks_jax
    import numpy
    import peer_tensorflow

    keras.backend.set_floatx("float64")
    network = networks.describe(model, pixels, 10)
    parameters, statistics = random_parameters(network, 3)
    theirs = peer_tensorflow.make_network(keras, model, pixels, 10)
    kernels = iter([name for name in parameters if name.endswith("kernel")])
    norms = iter([name.removesuffix("gamma") for name in parameters if name.endswith("gamma")])
    for layer in theirs.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            name = next(norms)
            layer.set_weights([parameters[name + "gamma"], parameters[name + "beta"], statistics[name + "mean"], statistics[name + "variance"]])
        elif isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)):
            name = next(kernels)
            weights = [parameters[name]] + ([parameters[name.replace("kernel", "bias")]] if layer.use_bias else [])
            layer.set_weights([w.reshape(own.shape) for w, own in zip(weights, layer.get_weights(), strict=True)])
    if list(kernels) or list(norms):
        raise AssertionError("Keras has fewer layers")
    images = numpy.random.default_rng(7).random((2, pixels, pixels, 3)) * (255 if network.rescale else 1)
    expected = numpy.asarray(theirs(images, training=False))
    logits, _ = jax.jit(lambda p, s: networks_jax.forward(network, p, s, images, dtype=jnp.float64))(parameters, statistics)
    print(json.dumps({"difference": float(numpy.abs(numpy.asarray(logits) - expected).max()), "largest": float(numpy.abs(expected).max())}))


class CapturedStep(unittest.TestCase):
    @needs("torch")
    def test_capturing_leaves_no_trace(self):
        """peer_pytorch.capture() with streams and graphs that do nothing: the steps it takes must not be seen afterwards."""
        import contextlib
        import types

        import peer_pytorch
        import torch

        def weights_after(captures, steps=2):
            torch.manual_seed(5)
            model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Dropout(0.5), torch.nn.Flatten(), torch.nn.Linear(144, 2))
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
            scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)
            images, taken = torch.ones(2, 3, 8, 8), []

            def step():
                taken.append(1)
                optimizer.zero_grad(set_to_none=True)
                scaler.scale(model(images).square().mean()).backward()
                scaler.step(optimizer)
                scaler.update()

            torch.manual_seed(9)
            if captures:
                stream = types.SimpleNamespace(wait_stream=lambda other: None)
                cuda = types.SimpleNamespace(
                    Stream=lambda: stream, current_stream=lambda: stream, stream=lambda s: contextlib.nullcontext(), graph=lambda g: contextlib.nullcontext(), synchronize=lambda: None
                )
                fake = types.SimpleNamespace(cuda=cuda, no_grad=torch.no_grad, manual_seed=torch.manual_seed)
                peer_pytorch.capture(fake, None, step, model, optimizer, scaler, 9)
            before = len(taken)
            for _ in range(steps):
                step()
            return before, scaler.get_scale(), [value.numpy().tobytes() for value in model.state_dict().values()]

        plain, captured = weights_after(False), weights_after(True)
        self.assertEqual((plain[0], captured[0]), (0, 4))
        self.assertEqual(plain[1:], captured[1:])


@needs("jax")
class Jax(unittest.TestCase):
    def test_masks(self):
        import jax
        import jax.numpy as jnp
        import networks_jax
        import numpy

        mask = numpy.asarray(networks_jax.drop_mask(jax.random.key(1), 0.25, (100000,), jnp.float32))
        self.assertEqual(set(mask.tolist()), {0.0, float(numpy.float32(1 / 0.75))})
        self.assertAlmostEqual(float((mask == 0).mean()), 0.25, delta=0.01)

    def test_steps_draw_new_masks_and_repeat(self):
        import jax
        import networks_jax
        import numpy

        network = networks.describe("efficientnet_b0", 32, 10)
        network = dataclasses.replace(network, blocks=network.blocks[:5], head=64)
        images = numpy.random.default_rng(1).random((2, 32, 32, 3)).astype(numpy.float32) * 255
        parameters, statistics = networks_jax.initialize(network, 1)
        logits = jax.jit(lambda key: networks_jax.forward(network, parameters, statistics, images, key=key)[0])
        first, again, other = (numpy.asarray(logits(jax.random.key(k))) for k in (1, 1, 2))
        self.assertEqual(first.tobytes(), again.tobytes())
        self.assertNotEqual(first.tobytes(), other.tobytes())

    def test_mixed_precision(self):
        import jax
        import jax.numpy as jnp
        import networks_jax
        import numpy

        network = plain(networks.describe("mobilenet_v2_alpha0.35", 32, 10))
        network = dataclasses.replace(network, blocks=network.blocks[:3], head=32)
        state = networks_jax.initial_state(network, 1)
        images = jnp.asarray(numpy.random.default_rng(1).random((4, 32, 32, 3)), jnp.float32)
        labels = jnp.arange(4)
        step = jax.jit(lambda s: networks_jax.train_step(network, s, images, labels, learning_rate=0.01, momentum=0.9, dtype=jnp.bfloat16))
        losses = []
        for _ in range(8):
            state, loss = step(state)
            losses.append(float(loss))
        # Products in bf16, everything that stays in f32.
        self.assertEqual({str(v.dtype) for part in ("parameters", "slots", "statistics") for v in state[part].values()}, {"float32"})
        self.assertIn("bf16", str(jax.make_jaxpr(step)(state)))
        self.assertLess(losses[-1], losses[0])
        self.assertEqual(int(state["step"]), 8)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--keras"]:
        against_keras(sys.argv[2], int(sys.argv[3]))
        sys.exit(0)
    passed = unittest.main(exit=False).result.wasSuccessful()
    if passed and not (have["torch"] or have["jax"]):
        print("skipped: neither PyTorch nor JAX is installed; only the tables were tested")
        sys.exit(77)
    sys.exit(not passed)
