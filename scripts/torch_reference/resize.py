#!/usr/bin/env python3
"""Stores gradients of PyTorch's bilinear resizing (align_corners=False), which tests hold resize_bilinear_bwd against.

Run by hand with a Python that has PyTorch:  python3 scripts/torch_reference/resize.py tests/data/torch/resize_bilinear.json
diff_dst is a formula of the element's number, so it need not be stored; diff_src is stored as f64 arithmetic gives it.
"""
import json
import sys

import torch

# mb, c, ih, iw, oh, ow: enlarging, by whole and odd factors, shrinking, both at once, one pixel, the same size.
SHAPES = [
    (2, 3, 4, 5, 8, 10),
    (1, 2, 7, 3, 17, 10),
    (1, 3, 9, 8, 4, 3),
    (2, 1, 5, 11, 13, 4),
    (1, 2, 1, 1, 6, 5),
    (1, 1, 6, 7, 1, 1),
    (1, 2, 5, 4, 5, 4),
    (1, 1, 33, 2, 34, 3),
]


def gradient(n: int) -> torch.Tensor:
    """Element i in the order n, c, h, w: ((37 i + 11) mod 64 - 32) / 16, exact in every type."""
    return ((torch.arange(n, dtype=torch.float64) * 37 + 11) % 64 - 32) / 16


def main() -> None:
    cases = []
    for mb, c, ih, iw, oh, ow in SHAPES:
        source = torch.zeros(mb, c, ih, iw, dtype=torch.float64, requires_grad=True)
        resized = torch.nn.functional.interpolate(source, size=(oh, ow), mode="bilinear", align_corners=False)
        resized.backward(gradient(mb * c * oh * ow).reshape(mb, c, oh, ow))
        cases.append({"shape": f"mb{mb}_c{c}_ih{ih}_iw{iw}_oh{oh}_ow{ow}", "diff_src": source.grad.flatten().tolist()})
    document = {"made_by": "scripts/torch_reference/resize.py", "torch": torch.__version__, "order": "n, c, h, w", "cases": cases}
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump(document, file)
        file.write("\n")


if __name__ == "__main__":
    main()
