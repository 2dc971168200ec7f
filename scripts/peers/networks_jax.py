"""The networks of networks.py for JAX and nothing besides it: parameters and moving statistics are flat dictionaries, the
forward pass is a function of them. Activations lie as NHWC, filters as HWIO, as Keras has them.

`dtype` is what activations are stored and multiplied in. Parameters stay float32 and are cast where they are used; batch
norm, means, logits and the loss are float32 then too, as in Keras's mixed precision (float64 stays float64: tests)."""

import jax
import jax.numpy as jnp
import networks
import numpy
from jax import lax


def swish(x):
    return x * jax.nn.sigmoid(x)


def relu6(x):
    return jnp.clip(x, 0, 6)


activations = {"relu6": relu6, "swish": swish}


def parameter_shapes(network):
    """Name to shape, in the order of the forward pass: filters h, w, in, out; those of depthwise layers h, w, 1, channels."""
    shapes = {}

    def convolution(name, kernel, c_in, c_out, groups=1):
        shapes[name + "/kernel"] = (kernel, kernel, c_in // groups, c_out)
        shapes[name + "/gamma"] = shapes[name + "/beta"] = (c_out,)

    def dense(name, c_in, c_out):
        shapes[name + "/kernel"] = (c_in, c_out)
        shapes[name + "/bias"] = (c_out,)

    convolution("stem", 3, 3, network.stem)
    for i, block in enumerate(network.blocks):
        if block.expansion != 1:
            convolution(f"block{i}/expand", 1, block.c_in, block.middle)
        convolution(f"block{i}/depthwise", block.kernel, block.middle, block.middle, block.middle)
        if block.squeezed:
            dense(f"block{i}/reduce", block.middle, block.squeezed)
            dense(f"block{i}/excite", block.squeezed, block.middle)
        convolution(f"block{i}/project", 1, block.middle, block.c_out)
    convolution("head", 1, network.blocks[-1].c_out, network.head)
    dense("classifier", network.head, network.classes)
    return shapes


def initialize(network, seed):
    """Parameters (Glorot's uniform, ones, zeros) and moving statistics (zeros and ones), made by numpy: XLA would compile for
    seconds what is drawn once."""
    random = numpy.random.default_rng(seed)
    parameters, statistics = {}, {}
    for name, shape in parameter_shapes(network).items():
        if name.endswith("kernel"):
            area = shape[0] * shape[1] if len(shape) == 4 else 1
            limit = (6 / (area * (shape[-2] + shape[-1]))) ** 0.5
            parameters[name] = random.uniform(-limit, limit, shape).astype(numpy.float32)
        else:
            parameters[name] = numpy.full(shape, 1.0 if name.endswith("gamma") else 0.0, numpy.float32)
        if name.endswith("gamma"):
            layer = name.removesuffix("gamma")
            statistics[layer + "mean"] = numpy.zeros(shape, numpy.float32)
            statistics[layer + "variance"] = numpy.ones(shape, numpy.float32)
    return parameters, statistics


def forward(network, parameters, statistics, images, *, key=None, dtype=jnp.float32):
    """Logits, and the moving statistics after this pass. With a key it is training: the batch's own statistics, dropout and
    drop-connect; without one the moving statistics are used and returned as they are."""
    training = key is not None
    moved = dict(statistics)
    wide = jnp.promote_types(dtype, jnp.float32)
    act = activations[network.activation]
    keys = iter(jax.random.split(key, len(network.blocks) + 1)) if training else None

    def normalize(name, x):
        x = x.astype(wide)
        if training:
            # Both sums in one pass over x, as Flax computes them by default.
            mean = jnp.mean(x, (0, 1, 2))
            variance = jnp.maximum(jnp.mean(x * x, (0, 1, 2)) - mean * mean, 0)
            for what, value in (("mean", mean), ("variance", variance)):
                old = statistics[f"{name}/{what}"]
                moved[f"{name}/{what}"] = old * network.momentum + lax.stop_gradient(value) * (1 - network.momentum)
        else:
            mean, variance = statistics[name + "/mean"], statistics[name + "/variance"]
        scale = parameters[name + "/gamma"] * lax.rsqrt(variance + network.epsilon)
        return ((x - mean) * scale + parameters[name + "/beta"]).astype(dtype)

    def convolution(name, x, size=1, stride=1, groups=1):
        kernel = parameters[name + "/kernel"].astype(dtype)
        pads = networks.same_pads(size, kernel.shape[0], stride)
        x = lax.conv_general_dilated(x, kernel, (stride, stride), (pads, pads), dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=groups)
        return normalize(name, x)

    def dense(name, x, out=None):
        y = jnp.matmul(x, parameters[name + "/kernel"].astype(dtype), preferred_element_type=out)
        return y + parameters[name + "/bias"].astype(y.dtype)

    x = images * (1.0 / 255.0) if network.rescale else images
    x = act(convolution("stem", x.astype(dtype), network.pixels, 2))
    for i, block in enumerate(network.blocks):
        name, before = f"block{i}", x
        if block.expansion != 1:
            x = act(convolution(name + "/expand", x))
        x = act(convolution(name + "/depthwise", x, block.size, block.stride, block.middle))
        if block.squeezed:
            squeezed = jnp.mean(x.astype(wide), (1, 2)).astype(dtype)
            excited = jax.nn.sigmoid(dense(name + "/excite", swish(dense(name + "/reduce", squeezed))))
            x = x * excited[:, None, None, :]
        x = convolution(name + "/project", x)
        if training:
            drawn = next(keys)
            if block.drop > 0:
                x = x * drop_mask(drawn, block.drop, (x.shape[0], 1, 1, 1), dtype)
        if block.adds:
            x = before + x
    x = act(convolution("head", x))
    x = jnp.mean(x.astype(wide), (1, 2)).astype(dtype)
    if training and network.dropout > 0:
        x = x * drop_mask(next(keys), network.dropout, x.shape, dtype)
    return dense("classifier", x, wide), moved


def drop_mask(key, rate, shape, dtype):
    """1 / (1 - rate) where a value is kept, 0 where it is dropped."""
    return jnp.where(jax.random.uniform(key, shape) >= rate, 1 / (1 - rate), 0.0).astype(dtype)


def loss_of(logits, labels):
    """Mean softmax cross-entropy. The label is picked by a product, whose gradient needs no scatter."""
    picked = jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    return -jnp.mean(jnp.sum(jax.nn.log_softmax(logits) * picked, axis=-1))


def train_step(network, state, images, labels, *, learning_rate, momentum, dtype=jnp.float32):
    """One step of SGD with momentum, as Keras writes it: v = momentum * v - rate * g, w = w + v. `state` holds parameters,
    slots, statistics, the key and the number of the step. Returns the next state and the loss."""

    def loss_and_statistics(parameters):
        key = jax.random.fold_in(state["key"], state["step"])
        logits, moved = forward(network, parameters, state["statistics"], images, key=key, dtype=dtype)
        return loss_of(logits, labels), moved

    (loss, moved), gradients = jax.value_and_grad(loss_and_statistics, has_aux=True)(state["parameters"])
    slots = {name: momentum * v - learning_rate * gradients[name] for name, v in state["slots"].items()}
    parameters = {name: w + slots[name] for name, w in state["parameters"].items()}
    return {"parameters": parameters, "slots": slots, "statistics": moved, "key": state["key"], "step": state["step"] + 1}, loss


def initial_state(network, seed):
    parameters, statistics = initialize(network, seed)
    slots = {name: numpy.zeros_like(w) for name, w in parameters.items()}
    return jax.device_put({"parameters": parameters, "slots": slots, "statistics": statistics, "key": jax.random.key(seed), "step": numpy.int32(0)})
