"""The networks of networks.py for PyTorch: TensorFlow's SAME padding (one-sided where a stride-2 layer meets an even size),
Keras's epsilon and momentum of batch norm, dropout and drop-connect rates."""

import networks
import torch
from torch import nn
from torch.nn import functional

activations = {"relu6": nn.ReLU6, "swish": nn.SiLU}


class SameConvolution(nn.Conv2d):
    """Padding as TensorFlow's SAME. Equal pads are given to the convolution itself, unequal ones need an op before it."""

    def __init__(self, c_in, c_out, kernel, stride, size, groups=1, bias=False):
        before, after = networks.same_pads(size, kernel, stride)
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
    def __init__(self, block, normalize, activation):
        super().__init__()
        layers = []
        if block.expansion != 1:
            layers += [nn.Conv2d(block.c_in, block.middle, 1, bias=False), normalize(block.middle), activation()]
        layers += [SameConvolution(block.middle, block.middle, block.kernel, block.stride, block.size, groups=block.middle), normalize(block.middle), activation()]
        if block.squeezed:
            layers.append(SqueezeExcite(block.middle, block.squeezed))
        layers += [nn.Conv2d(block.middle, block.c_out, 1, bias=False), normalize(block.c_out)]
        if block.drop > 0:
            layers.append(DropConnect(block.drop))
        self.adds = block.adds
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        y = self.layers(x)
        return x + y if self.adds else y


class Network(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.rescale = network.rescale
        activation = activations[network.activation]

        def normalize(channels):
            return nn.BatchNorm2d(channels, eps=network.epsilon, momentum=round(1 - network.momentum, 12))

        self.features = nn.Sequential(
            SameConvolution(3, network.stem, 3, 2, network.pixels), normalize(network.stem), activation(),
            *(Block(block, normalize, activation) for block in network.blocks),
            nn.Conv2d(network.blocks[-1].c_out, network.head, 1, bias=False), normalize(network.head), activation(),
        )  # fmt: skip
        self.dropout = nn.Dropout(network.dropout)
        self.classifier = nn.Linear(network.head, network.classes)
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


def make_network(model, pixels, classes):
    return Network(networks.describe(model, pixels, classes))
