"""One process of TensorFlow/Keras: python peer_tensorflow.py ORDER, where ORDER is compare.py's JSON."""

import os

import arms
import worker

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def make_network(keras, model, pixels, classes):
    arguments = {"weights": None, "input_shape": (pixels, pixels, 3), "classes": classes, "classifier_activation": None}
    if model.startswith("mobilenet_v2_alpha"):
        return keras.applications.MobileNetV2(alpha=float(model.removeprefix("mobilenet_v2_alpha")), **arguments)
    if model == "efficientnet_b0":
        return keras.applications.EfficientNetB0(**arguments)
    raise NotImplementedError(f"no network '{model}' here")


def serve(order):
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(order["threads"])
    # With one thread between ops oneDNN under TensorFlow waits for itself: a step took half as long again.
    tf.config.threading.set_inter_op_parallelism_threads(order["threads"])
    if order["backend"] == "cpu":
        tf.config.set_visible_devices([], "GPU")
    elif not tf.config.list_physical_devices("GPU"):
        raise NotImplementedError("this TensorFlow sees no GPU")
    # Its default on a GPU is TF32.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    arm = arms.parse(order["arm"])
    import keras

    if arm.setting:
        tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(order["seed"])
    model = make_network(keras, order["model"], order["px"], order["classes"])
    optimizer = keras.optimizers.SGD(order["learning_rate"], momentum=order["momentum"])
    optimizer.build(model.trainable_variables)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    images, labels = worker.images_and_labels(order)
    images, labels = tf.constant(images), tf.constant(labels)

    @tf.function(jit_compile=arm.execution == "xla")
    def train_step():
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(images, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    last = {}

    def step():
        last["loss"] = train_step()

    def finish():
        last["loss"].numpy()

    timed = worker.run(order, step, lambda: [v.numpy() for v in model.weights], finish=finish, loss=lambda: last["loss"].numpy())
    return {**timed, "program": f"tensorflow {tf.__version__}, keras {keras.__version__}", "parameters": model.count_params()}


if __name__ == "__main__":
    worker.main(serve)
