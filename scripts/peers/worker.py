"""What every peer's process does around its own train step: the order given as JSON, k steps for the bits, warm-up steps,
timed steps, one line of JSON as the answer."""

import hashlib
import json
import sys
import time


def images_and_labels(order):
    """The batch, the same for every peer: images as the model's preprocessing gives them, labels over all classes."""
    import numpy

    random = numpy.random.default_rng(order["seed"])
    images = random.random((order["batch"], order["px"], order["px"], 3), dtype=numpy.float32)
    images = images * 255 if order["model"].startswith("efficientnet") else images * 2 - 1
    return images, random.integers(0, order["classes"], order["batch"]).astype(numpy.int64)


def digest(arrays):
    """sha256 of the bytes of all arrays, in their order."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(array.tobytes(order="C"))
    return total.hexdigest()


def answer(**fields):
    # On a line of its own, whatever a library printed before.
    print("\n" + json.dumps(fields), flush=True)


def run(order, step, weights, finish=lambda: None):
    """`step()` trains on the batch once and may return before that is done, `finish()` waits for it; `weights()` gives
    every weight and statistic as numpy arrays. The steps that give the digest are the first ones after the fixed seeds."""
    begun = time.perf_counter()
    step()
    finish()
    prepared_s = time.perf_counter() - begun
    for _ in range(order["digest_steps"] - 1):
        step()
    finish()
    bits = digest(weights())
    for _ in range(max(0, order["warm_up"] - order["digest_steps"])):
        step()
    finish()
    step_s = []
    timing = time.perf_counter()
    while len(step_s) < order["steps"]:
        before = time.perf_counter()
        step()
        finish()
        step_s.append(time.perf_counter() - before)
        # A slow step gets fewer samples, never fewer than five.
        if order["seconds"] and len(step_s) >= 5 and time.perf_counter() - timing > order["seconds"]:
            break
    return {"digest": bits, "digest_steps": order["digest_steps"], "step_s": step_s, "prepare_s": prepared_s}


def main(serve):
    """serve(order) -> fields of the answer. A library that is missing, or an arm that cannot be here, is an answer too."""
    order = json.loads(sys.argv[1])
    try:
        answer(**serve(order))
    except ImportError as error:
        answer(unsupported=f"{error}")
    except NotImplementedError as error:
        answer(unsupported=f"{error}")
