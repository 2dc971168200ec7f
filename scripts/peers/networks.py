"""MobileNetV2 and EfficientNet-B0 as Keras defines them, as data: what networks_pytorch.py and networks_jax.py build."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Block:
    """Expand (1x1, unless expansion is 1), depthwise, squeeze-excite where `squeezed` is not 0, project (1x1); the input is
    added where `adds`, after `drop` of the samples were dropped in training."""

    c_in: int
    c_out: int
    kernel: int
    stride: int
    expansion: int
    size: int  # of the input, pixels
    squeezed: int
    adds: bool
    drop: float

    @property
    def middle(self):
        return self.c_in * self.expansion


@dataclasses.dataclass(frozen=True)
class Network:
    pixels: int
    classes: int
    stem: int  # channels behind the first 3x3 layer of stride 2
    blocks: tuple
    head: int  # channels behind the last 1x1 layer
    activation: str  # "relu6" or "swish"
    momentum: float  # the share of the old moving statistic that stays
    dropout: float
    rescale: bool  # images come as 0 to 255 and are divided by that inside the network
    epsilon: float = 1e-3  # of batch norm


def make_divisible(value, divisor=8):
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def same_pads(size, kernel, stride):
    """Zeros before and after, as TensorFlow's SAME: where they are unequal, the one more is behind."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def mobilenet_v2(alpha, pixels, classes):
    stem = make_divisible(32 * alpha)
    channels, size, blocks = stem, -(-pixels // 2), []
    for expansion, filters, repeats, first in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]:
        width = make_divisible(int(filters * alpha))
        for repeat in range(repeats):
            stride = first if repeat == 0 else 1
            blocks.append(Block(channels, width, 3, stride, expansion, size, 0, stride == 1 and channels == width, 0.0))
            channels, size = width, -(-size // stride)
    head = make_divisible(1280 * alpha) if alpha > 1 else 1280
    return Network(pixels, classes, stem, tuple(blocks), head, "relu6", 0.999, 0.0, False)


def efficientnet_b0(pixels, classes):
    channels, size, blocks = 32, -(-pixels // 2), []
    stages = [(3, 1, 16, 1, 1), (3, 2, 24, 2, 6), (5, 2, 40, 2, 6), (3, 3, 80, 2, 6), (5, 3, 112, 1, 6), (5, 4, 192, 2, 6), (3, 1, 320, 1, 6)]
    total = sum(repeats for _, repeats, _, _, _ in stages)
    for kernel, repeats, filters, first, expansion in stages:
        for repeat in range(repeats):
            stride = first if repeat == 0 else 1
            adds = stride == 1 and channels == filters
            drop = 0.2 * len(blocks) / total if adds else 0.0
            blocks.append(Block(channels, filters, kernel, stride, expansion, size, max(1, int(channels * 0.25)), adds, drop))
            channels, size = filters, -(-size // stride)
    return Network(pixels, classes, 32, tuple(blocks), 1280, "swish", 0.99, 0.2, True)


def describe(model, pixels, classes):
    """NotImplementedError where there is no such network here."""
    if model == "efficientnet_b0":
        return efficientnet_b0(pixels, classes)
    try:
        alpha = float(model.removeprefix("mobilenet_v2_alpha")) if model.startswith("mobilenet_v2_alpha") else 0
    except ValueError:
        alpha = 0
    if not 0 < alpha < 10:
        raise NotImplementedError(f"no network '{model}' here: mobilenet_v2_alpha<number> and efficientnet_b0 are")
    return mobilenet_v2(alpha, pixels, classes)
