"""What every peer's process does around its own train step: the order given as JSON, k steps for the bits, warm-up steps,
timed steps, one line of JSON as the answer."""

import hashlib
import json
import math
import statistics
import sys
import time
import traceback

# 512 products of 1 and 1 + 2^-12: exact in f32, 512 where factors were rounded to TF32 or bf16, which keep 10 and 7 bits.
probe_terms = 512
probe_factor = 1 + 2**-12


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


def require_f32(arm, **sums):
    """Ends the arm where it was to compute in strict f32 and a probe's sum of products (see above) shows rounded factors.
    A quarter of the difference is left to transforms that are not exact, like Winograd's."""
    for what, value in sums.items():
        if abs(value - probe_terms * probe_factor) > probe_terms * (probe_factor - 1) / 4:
            raise RuntimeError(f"{arm} is to compute in f32, and its {what} rounds factors: {probe_terms} products of 1 and 1 + 2^-12 gave {value!r}")


def run(order, step, weights, *, finish=lambda: None, loss=lambda: 0.0, prepare=lambda: None):
    """`step()` trains on the batch once and may return before that is done, `finish()` waits for it; `weights()` gives
    every weight and statistic as numpy arrays, `loss()` the last one; `prepare()` is what comes before the first step and
    leaves no trace in the weights. The steps that give the digest are the first ones after the fixed seeds. A timed sample is
    order["group"] steps and one wait, divided by their number."""
    begun = time.perf_counter()
    prepare()
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
        for _ in range(order["group"]):
            step()
        finish()
        step_s.append((time.perf_counter() - before) / order["group"])
        # A slow step gets fewer samples, never fewer than five.
        if order["seconds"] and len(step_s) >= 5 and time.perf_counter() - timing > order["seconds"]:
            break
    last = float(loss())
    if not math.isfinite(last):
        raise RuntimeError(f"the loss is {last} after {max(order['warm_up'], order['digest_steps']) + len(step_s) * order['group']} steps")
    # The first step holds plans, autotuning and compilers; what a later one takes is subtracted.
    compile_s = max(0.0, prepared_s - statistics.median(step_s))
    return {"digest": bits, "digest_steps": order["digest_steps"], "step_s": step_s, "prepare_s": prepared_s, "compile_s": compile_s, "loss": last}


def main(serve):
    """serve(order) -> fields of the answer. A library that is missing, or an arm that cannot be here, is an answer too."""
    order = json.loads(sys.argv[1])
    try:
        answer(**serve(order))
    except (ImportError, NotImplementedError) as error:
        answer(unsupported=first_line(error))
    except Exception as error:  # noqa: BLE001: whatever it is, it costs this arm alone
        traceback.print_exc()
        answer(failed=f"{type(error).__name__}: {first_line(error)}")


def first_line(error):
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:300]
