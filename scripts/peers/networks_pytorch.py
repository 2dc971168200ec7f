"""MobileNetV2 and EfficientNet-B0 for PyTorch as Keras defines them: the same widths, TensorFlow's SAME padding (one-sided
where a stride-2 layer meets an even size), Keras's epsilon and momentum of batch norm, dropout and drop-connect rates."""

import torch
from torch import nn
from torch.nn import functional


def make_divisible(value, divisor=8):
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


class SameConvolution(nn.Conv2d):
    """Padding as TensorFlow's SAME. Equal pads are given to the convolution itself, unequal ones need an op before it."""

    def __init__(self, c_in, c_out, kernel, stride, size, groups=1, bias=False):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        before, after = total // 2, total - total // 2
        super().__init__(c_in, c_out, kernel, stride, padding=before if before == after else 0, groups=groups, bias=bias)
        self.unequal = None if before == after else (before, after, before, after)

    def forward(self, x):
        if self.unequal is not None:
            x = functional.pad(x, self.unequal)
        return super().forward(x)


class DropConnect(nn.Module):
    """Drops whole samples in training; kept ones are scaled by 1 / (1 - rate)."""

    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def forward(self, x):
        if not self.training or self.rate == 0:
            return x
        keep = torch.rand(x.shape[0], 1, 1, 1, device=x.device, dtype=x.dtype) >= self.rate
        return x * keep / (1 - self.rate)


class SqueezeExcite(nn.Module):
    def __init__(self, channels, squeezed):
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.expand = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x):
        s = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.expand(functional.silu(self.reduce(s))))


class Block(nn.Module):
    """Expand, depthwise, squeeze-excite where there is one, project; the input is added where the shapes allow."""

    def __init__(self, c_in, c_out, kernel, stride, expansion, size, normalize, activation, squeezed=0, drop=0.0):
        super().__init__()
        middle = c_in * expansion
        layers = []
        if expansion != 1:
            layers += [SameConvolution(c_in, middle, 1, 1, size), normalize(middle), activation()]
        layers += [SameConvolution(middle, middle, kernel, stride, size, groups=middle), normalize(middle), activation()]
        if squeezed:
            layers.append(SqueezeExcite(middle, squeezed))
        layers += [nn.Conv2d(middle, c_out, 1, bias=False), normalize(c_out)]
        self.adds = stride == 1 and c_in == c_out
        if self.adds and drop > 0:
            layers.append(DropConnect(drop))
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        y = self.layers(x)
        return x + y if self.adds else y


class Network(nn.Module):
    def __init__(self, stem, blocks, head_in, head, size, classes, normalize, activation, dropout, rescale):
        super().__init__()
        self.rescale = rescale
        self.features = nn.Sequential(
            stem, normalize(stem.out_channels), activation(), *blocks, nn.Conv2d(head_in, head, 1, bias=False), normalize(head), activation()
        )
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(head, classes)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x):
        if self.rescale:
            x = x * (1.0 / 255.0)
        x = self.features(x).mean((2, 3))
        return self.classifier(self.dropout(x))


def mobilenet_v2(alpha, pixels, classes):
    def normalize(channels):
        return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.001)

    channels = make_divisible(32 * alpha)
    stem = SameConvolution(3, channels, 3, 2, pixels)
    size = -(-pixels // 2)
    blocks = []
    for expansion, filters, repeats, first in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]:
        width = make_divisible(int(filters * alpha))
        for repeat in range(repeats):
            stride = first if repeat == 0 else 1
            blocks.append(Block(channels, width, 3, stride, expansion, size, normalize, nn.ReLU6))
            channels, size = width, -(-size // stride)
    head = make_divisible(1280 * alpha) if alpha > 1 else 1280
    return Network(stem, blocks, channels, head, size, classes, normalize, nn.ReLU6, 0.0, rescale=False)


def efficientnet_b0(pixels, classes):
    def normalize(channels):
        return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)

    stem = SameConvolution(3, 32, 3, 2, pixels)
    channels, size = 32, -(-pixels // 2)
    stages = [(3, 1, 16, 1, 1), (3, 2, 24, 2, 6), (5, 2, 40, 2, 6), (3, 3, 80, 2, 6), (5, 3, 112, 1, 6), (5, 4, 192, 2, 6), (3, 1, 320, 1, 6)]
    total = sum(repeats for _, repeats, _, _, _ in stages)
    blocks = []
    for kernel, repeats, filters, first, expansion in stages:
        for repeat in range(repeats):
            stride = first if repeat == 0 else 1
            squeezed = max(1, int(channels * 0.25))
            blocks.append(
                Block(channels, filters, kernel, stride, expansion, size, normalize, nn.SiLU, squeezed, 0.2 * len(blocks) / total)
            )
            channels, size = filters, -(-size // stride)
    return Network(stem, blocks, channels, 1280, size, classes, normalize, nn.SiLU, 0.2, rescale=True)


def make_network(model, pixels, classes):
    if model.startswith("mobilenet_v2_alpha"):
        return mobilenet_v2(float(model.removeprefix("mobilenet_v2_alpha")), pixels, classes)
    if model == "efficientnet_b0":
        return efficientnet_b0(pixels, classes)
    raise ValueError(f"no network '{model}' here: mobilenet_v2_alpha<number> and efficientnet_b0 are")
