"""The networks of the reference, as Keras builds them, and how a Keras model's tensors are named and laid out here.

MobileNetV2 and EfficientNet-B come from keras.applications. EfficientNet-Lite is not part of Keras: lite() below writes the
published definition (tensorflow/tpu, models/official/efficientnet/lite) with Keras's own layers, with the names that B has.
The small networks are written as Keras's tutorials write such models.
"""

import math

import keras
import numpy
from keras import layers

LITE_STAGES = (
    # kernel, repeats, filters out, expansion, stride
    (3, 1, 16, 1, 1),
    (3, 2, 24, 6, 2),
    (5, 2, 40, 6, 2),
    (3, 3, 80, 6, 2),
    (5, 3, 112, 6, 1),
    (5, 4, 192, 6, 2),
    (3, 1, 320, 6, 1),
)
LITE_VARIANTS = {
    # width, depth, default pixels, dropout in front of the classifier
    "efficientnet_lite0": (1.0, 1.0, 224, 0.2),
    "efficientnet_lite1": (1.0, 1.1, 240, 0.2),
    "efficientnet_lite2": (1.1, 1.2, 260, 0.3),
    "efficientnet_lite3": (1.2, 1.4, 280, 0.3),
    "efficientnet_lite4": (1.4, 1.8, 300, 0.3),
}
B_DEFAULT_PIXELS = {"b0": 224, "b1": 240, "b2": 260, "b3": 300, "b4": 380, "b5": 456, "b6": 528, "b7": 600}
MOBILENET_ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)


def lite(name, pixels, channels, classes):
    width, depth, _, dropout = LITE_VARIANTS[name]

    def batch_norm(x, layer):
        return layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name=layer)(x)

    def relu6(x, layer):
        return layers.ReLU(6.0, name=layer)(x)

    def scaled(filters):
        rounded = max(8, int(filters * width + 4) // 8 * 8)
        return rounded + 8 if rounded < 0.9 * filters * width else rounded

    def repeats_of(stage):
        fixed = stage in (0, len(LITE_STAGES) - 1)
        return LITE_STAGES[stage][1] if fixed else int(math.ceil(depth * LITE_STAGES[stage][1]))

    images = x = keras.Input((pixels, pixels, channels))
    x = layers.Rescaling(1.0 / 128, -127.0 / 128, name="rescaling")(x)
    x = layers.Conv2D(32, 3, 2, padding="same", use_bias=False, name="stem_conv")(x)
    x = relu6(batch_norm(x, "stem_bn"), "stem_activation")
    blocks, block = sum(repeats_of(s) for s in range(len(LITE_STAGES))), 0
    for stage, (kernel, _, filters, expansion, stride) in enumerate(LITE_STAGES):
        for repeat in range(repeats_of(stage)):
            prefix = f"block{stage + 1}{chr(ord('a') + repeat)}_"
            before, width_in, step = x, x.shape[-1], stride if repeat == 0 else 1
            if expansion != 1:
                x = layers.Conv2D(width_in * expansion, 1, use_bias=False, name=prefix + "expand_conv")(x)
                x = relu6(batch_norm(x, prefix + "expand_bn"), prefix + "expand_activation")
            x = layers.DepthwiseConv2D(kernel, step, padding="same", use_bias=False, name=prefix + "dwconv")(x)
            x = relu6(batch_norm(x, prefix + "bn"), prefix + "activation")
            x = layers.Conv2D(scaled(filters), 1, use_bias=False, name=prefix + "project_conv")(x)
            x = batch_norm(x, prefix + "project_bn")
            if step == 1 and width_in == x.shape[-1]:
                if block > 0:
                    x = layers.Dropout(0.2 * block / blocks, noise_shape=(None, 1, 1, 1), name=prefix + "drop")(x)
                x = layers.Add(name=prefix + "add")([x, before])
            block += 1
    x = layers.Conv2D(1280, 1, use_bias=False, name="top_conv")(x)
    x = relu6(batch_norm(x, "top_bn"), "top_activation")
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    x = layers.Dropout(dropout, name="top_dropout")(x)
    return keras.Model(images, layers.Dense(classes, activation="softmax", name="predictions")(x))


def small_dense(pixels, channels, classes):
    images = x = keras.Input((pixels, pixels, channels))
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(128, activation="relu", name="dense")(x)
    return keras.Model(images, layers.Dense(classes, activation="softmax", name="predictions")(x))


def small_cnn(pixels, channels, classes):
    images = x = keras.Input((pixels, pixels, channels))
    x = layers.Rescaling(1.0 / 255, name="rescaling")(x)
    for suffix, filters in (("", 16), ("_1", 32)):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name="conv2d" + suffix)(x)
        x = layers.MaxPooling2D(name="max_pooling2d" + suffix)(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    x = layers.Flatten(name="flatten")(x)
    return keras.Model(images, layers.Dense(classes, activation="softmax", name="predictions")(x))


def build(name, pixels, channels, classes):
    """A Keras model with a softmax at its end; its weights are whatever Keras makes."""
    shape = (pixels, pixels, channels)
    if name.startswith("mobilenet_v2_alpha"):
        alpha = float(name.removeprefix("mobilenet_v2_alpha"))
        return keras.applications.MobileNetV2(input_shape=shape, alpha=alpha, weights=None, classes=classes)
    if name.startswith("efficientnet_lite"):
        return lite(name, *shape[1:], classes)
    if name.startswith("efficientnet_b"):
        make = getattr(keras.applications, "EfficientNetB" + name[-1])
        return make(input_shape=shape, weights=None, classes=classes)
    return {"small_dense": small_dense, "small_cnn": small_cnn}[name](*shape[1:], classes)


def initialization(name, role, kernel_shape):
    """How Keras's initializers (Lite: the TPU repository's) would draw a weight: (fill kind, scale). Kernel shapes are Keras's."""
    if role != "kernel":
        return "constant", 1.0 if role == "gamma" else 0.0
    # Keras's compute_fans; a depthwise kernel (kh, kw, C, 1) has fan_out kh * kw.
    window = math.prod(kernel_shape[:-2])
    fan_in, fan_out = window * kernel_shape[-2], window * kernel_shape[-1]
    if not name.startswith("efficientnet"):
        return "uniform", math.sqrt(6.0 / (fan_in + fan_out))
    if len(kernel_shape) == 2:
        return "uniform", math.sqrt(3.0 * (1.0 / 3.0 / fan_out))
    if name.startswith("efficientnet_lite"):
        return "normal", math.sqrt(2.0 / fan_out)
    return "truncated_normal", math.sqrt(2.0 / fan_out) / 0.87962566103423978


def canonical(keras_layer, role, values):
    """A weight, or its gradient, in this project's order: kernels (G, K, R, S, C), of dense layers (K, C).

    Keras: (R, S, C, K), depthwise (R, S, C, 1), dense (C, K). Squeeze-excite's 1x1 convolutions on 1x1 images are dense.
    """
    if role != "kernel":
        return values
    if values.ndim == 2:
        return values.T
    if isinstance(keras_layer, layers.DepthwiseConv2D):
        return values.transpose(2, 3, 0, 1)[..., None]
    if keras_layer.name.endswith(("se_reduce", "se_expand")):
        return values[0, 0].T
    return values.transpose(3, 0, 1, 2)[None]


def from_canonical(keras_layer, role, values, keras_shape):
    """The inverse of canonical(): a flat array in this project's order as the tensor that Keras keeps."""
    if role != "kernel":
        return values
    order = canonical(keras_layer, role, numpy.arange(math.prod(keras_shape)).reshape(keras_shape))
    kept = numpy.empty(math.prod(keras_shape), values.dtype)
    kept[order.reshape(-1)] = values
    return kept.reshape(keras_shape)


def outputs(model):
    """(name, layer) of every layer whose output is compared. Batch norm and the activation behind it are one layer here, named
    after the batch norm, and so are a convolution or dense layer with its `activation` argument, named after itself."""
    found = []
    for layer in model.layers:
        if isinstance(layer, (layers.InputLayer, layers.ZeroPadding2D, layers.Reshape, layers.Dropout)):
            continue  # no arithmetic, or none at rate 0
        followers = [node.operation for node in layer._outbound_nodes if node.operation in model.layers]
        if isinstance(layer, layers.BatchNormalization) and any(isinstance(f, (layers.Activation, layers.ReLU)) for f in followers):
            continue
        name = layer.name
        if isinstance(layer, (layers.Activation, layers.ReLU)):
            name = layer._inbound_nodes[0].parent_nodes[0].operation.name
        found.append((name, layer))
    return found
