#!/usr/bin/env python3
"""What Keras's ImageDataGenerator makes of small images, as the reference of models/data/augmentation.

Usage: augmentation.py --write FILE    writes FILE (tests/data/augmentation/keras.json) anew
       augmentation.py --check FILE    every image of FILE is what the installed Keras makes, to 1 part in 10^6 of 255

The file holds images, and cases: an image, a fill mode, transform parameters under Keras's names, and the answer of
ImageDataGenerator.apply_transform. Resizes are Pillow's, as load_img does them. The C++ test AugmentationAgainstKeras
holds its own answers against the same file.

Wants augmentation-requirements.txt. Exit codes: 0 written or equal; 1 a difference (one line each); 2 usage.
"""

import argparse
import importlib.metadata
import json
import os
import pathlib
import sys
import warnings

os.environ.setdefault("KERAS_BACKEND", "numpy")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
from keras.src.legacy.preprocessing.image import ImageDataGenerator
from PIL import Image

FILL_MODES = ("nearest", "constant", "reflect", "wrap")
CVAL = 17.5

# Each parameter alone at several sizes, across every border, then together.
AFFINE = (
    {"theta": 17.0}, {"theta": -90.0}, {"theta": 200.5},
    {"tx": 2.25}, {"tx": -3.0, "ty": 1.5}, {"ty": 11.7}, {"tx": -25.3, "ty": 40.1},
    {"shear": 20.0}, {"shear": -35.5},
    {"zx": 0.6, "zy": 1.0}, {"zx": 1.0, "zy": 1.7}, {"zx": 2.3, "zy": 3.1},
    {"theta": -31.0, "tx": 1.3, "ty": -2.2, "shear": 12.0, "zx": 0.8, "zy": 1.25},
)
POINTWISE = (
    {"flip_horizontal": True}, {"flip_vertical": True}, {"flip_horizontal": True, "flip_vertical": True},
    {"channel_shift_intensity": 40.5}, {"channel_shift_intensity": -90.25},
    {"brightness": 0.4}, {"brightness": 1.0}, {"brightness": 1.8}, {"brightness": 0.0},
    {"theta": 12.0, "zx": 0.9, "zy": 0.9, "channel_shift_intensity": 20.0, "flip_horizontal": True, "flip_vertical": True,
     "brightness": 1.3},
)
SIZES = ((8, 8, 3), (7, 10, 3), (11, 6, 1))
RESIZES = ((23, 17), (8, 12), (5, 9))


def images():
    random = np.random.RandomState(20)
    made = [random.uniform(0, 255, size).astype("float32") for size in SIZES]
    made.append(random.uniform(-40, 320, SIZES[0]).astype("float32"))  # outside of what 8 bits hold
    return made


def answer(image, fill_mode, parameters):
    generator = ImageDataGenerator(fill_mode=fill_mode, cval=CVAL, data_format="channels_last", dtype="float32")
    return np.asarray(generator.apply_transform(image.copy(), dict(parameters)), dtype="float32")


def cases():
    for index, image in enumerate(images()):
        for fill_mode in FILL_MODES:
            for parameters in AFFINE if index < 3 else AFFINE[:1]:
                yield index, image, fill_mode, parameters
        for parameters in POINTWISE:
            yield index, image, "nearest", parameters


def resizes():
    source = np.random.RandomState(21).randint(0, 256, (13, 10, 3), dtype="uint8")
    for height, width in RESIZES:
        for method, name in ((Image.Resampling.NEAREST, "nearest"), (Image.Resampling.BILINEAR, "bilinear")):
            resized = np.asarray(Image.fromarray(source).resize((width, height), method))
            yield source, name, height, width, resized


def numbers(array):
    """f32 with as few digits as bring the same f32 back."""
    return [float(str(np.float32(x))) for x in np.ravel(array)]


def document():
    versions = {name: importlib.metadata.version(name) for name in ("keras", "numpy", "pillow", "scipy")}
    found = {"versions": versions, "cval": CVAL, "images": [], "cases": [], "resizes": []}
    for image in images():
        found["images"].append({"shape": list(image.shape), "pixels": numbers(image)})
    for index, image, fill_mode, parameters in cases():
        result = answer(image, fill_mode, parameters)
        found["cases"].append({"image": index, "fill_mode": fill_mode, "parameters": parameters, "pixels": numbers(result)})
    for source, name, height, width, resized in resizes():
        found["resizes"].append({"method": name, "shape": list(source.shape), "source": np.ravel(source).tolist(),
                                 "height": height, "width": width, "pixels": np.ravel(resized).tolist()})
    return found


def differences(stored, made):
    for key in ("images", "cases", "resizes"):
        if len(stored[key]) != len(made[key]):
            yield f"{key}: {len(stored[key])} stored, {len(made[key])} made"
            continue
        for i, (a, b) in enumerate(zip(stored[key], made[key])):
            worst = np.max(np.abs(np.array(a["pixels"]) - np.array(b["pixels"])))
            if worst > 255e-6:
                yield f"{key}[{i}] {a.get('parameters', '')}: pixels differ by up to {worst}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--write", type=pathlib.Path, metavar="FILE")
    which.add_argument("--check", type=pathlib.Path, metavar="FILE")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", DeprecationWarning)  # Keras calls a namespace that SciPy has deprecated
    if arguments.write:
        lines = json.dumps(document(), separators=(",", ":")).replace("},{", "},\n{")
        arguments.write.write_text(lines + "\n", encoding="utf-8")
        return 0
    found = list(differences(json.loads(arguments.check.read_text(encoding="utf-8")), document()))
    print("\n".join(found) or "every image is as Keras makes it")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
