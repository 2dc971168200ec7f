"""One process of JAX: python peer_jax.py ORDER, where ORDER is compare.py's JSON. Arms are named in arms.py; XLA's flags and the
platform are in the environment that compare.py gives."""

import arms
import worker


def serve(order):
    import jax
    import jax.numpy as jnp
    import networks
    import networks_jax
    import numpy

    arm = arms.parse(order["arm"])
    on_gpu = order["backend"] == "cuda"
    if arm.setting and not on_gpu:
        raise NotImplementedError("XLA's deterministic flags are of its GPU compiler")
    if arm.precision == "tf32" and not on_gpu:
        raise NotImplementedError("TF32 is a GPU's")
    try:
        device = jax.devices("cuda" if on_gpu else "cpu")[0]
    except (RuntimeError, AssertionError) as error:  # the latter where the platform's plugin is not installed
        raise NotImplementedError(f"this JAX sees no {'GPU' if on_gpu else 'CPU'}: {worker.first_line(error)}") from error
    # On a GPU JAX rounds factors to TF32 unless it is told. Those of bf16 have nothing to round.
    if arm.precision != "bf16":
        jax.config.update("jax_default_matmul_precision", "tensorfloat32" if arm.precision == "tf32" else "highest")
    if arm.precision == "f32":
        worker.require_f32(order["arm"], product=probe_product(jax, jnp), convolution=probe_convolution(jax, jnp))
    network = networks.describe(order["model"], order["px"], order["classes"])
    dtype = jnp.bfloat16 if arm.precision == "bf16" else jnp.float32
    images, labels = worker.images_and_labels(order)
    images, labels = jax.device_put(images, device), jax.device_put(labels.astype(numpy.int32), device)
    state = jax.device_put(networks_jax.initial_state(network, order["seed"]), device)
    parameters = sum(w.size for w in state["parameters"].values())
    jax.block_until_ready((state, images, labels))

    def train_step(state, images, labels):
        return networks_jax.train_step(network, state, images, labels, learning_rate=order["learning_rate"], momentum=order["momentum"], dtype=dtype)

    # The old state's memory becomes the new one's.
    compiled = jax.jit(train_step, donate_argnums=0)
    now = {"state": state}
    del state

    def step():
        now["state"], now["loss"] = compiled(now["state"], images, labels)

    def weights():
        return [numpy.asarray(value) for part in ("parameters", "statistics") for _, value in sorted(now["state"][part].items())]

    timed = worker.run(order, step, weights, finish=lambda: jax.block_until_ready(now), loss=lambda: now["loss"])
    memory = (device.memory_stats() or {}).get("peak_bytes_in_use") if on_gpu else None
    return {**timed, "program": program(jax, on_gpu), "parameters": parameters, "memory_bytes": memory}


def probe_product(jax, jnp):
    n = worker.probe_terms
    return float(jax.jit(jnp.matmul)(jnp.ones((n, n)), jnp.full((n, n), worker.probe_factor))[0, 0])


def probe_convolution(jax, jnp):
    x, kernel = jnp.ones((1, 8, 8, worker.probe_terms)), jnp.full((1, 1, worker.probe_terms, 64), worker.probe_factor)
    convolve = jax.jit(lambda x, k: jax.lax.conv_general_dilated(x, k, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")))
    return float(convolve(x, kernel)[0, 0, 0, 0])


def program(jax, on_gpu):
    import jaxlib

    text = f"jax {jax.__version__}, jaxlib {jaxlib.__version__}"
    if on_gpu:
        client = jax.devices()[0].client
        text += ", " + " ".join(str(client.platform_version).split())
    return text


if __name__ == "__main__":
    worker.main(serve)
