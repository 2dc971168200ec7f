"""One process of PyTorch: python peer_pytorch.py ORDER, where ORDER is compare.py's JSON. An arm's name is made of words:
pytorch_[eager|compiled]_[contiguous|channels_last][_deterministic][_bf16|_f16]."""

import contextlib
import os

import worker


def serve(order):
    words = order["arm"].removeprefix("pytorch_")
    on_gpu = order["backend"] == "cuda"
    if "deterministic" in words and on_gpu:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when the library is loaded
    import networks_pytorch
    import torch
    from torch.nn import functional

    if on_gpu and not torch.cuda.is_available():
        raise NotImplementedError("this PyTorch sees no GPU")
    torch.set_num_threads(order["threads"])
    torch.set_num_interop_threads(1)
    device = torch.device("cuda" if on_gpu else "cpu")
    torch.backends.cudnn.benchmark = on_gpu and "deterministic" not in words
    if "deterministic" in words:
        torch.use_deterministic_algorithms(True)
    torch.manual_seed(order["seed"])
    memory_format = torch.channels_last if "channels_last" in words else torch.contiguous_format
    model = networks_pytorch.make_network(order["model"], order["px"], order["classes"])
    model = model.to(device=device, memory_format=memory_format).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=order["learning_rate"], momentum=order["momentum"])
    images, labels = worker.images_and_labels(order)
    images = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(memory_format=memory_format).to(device)
    labels = torch.from_numpy(labels).to(device)
    narrow = torch.bfloat16 if "bf16" in words else torch.float16 if "f16" in words else None
    scaler = torch.amp.GradScaler(device.type, enabled=narrow is torch.float16)

    def forward(x, y):
        with torch.autocast(device.type, narrow) if narrow else contextlib.nullcontext():
            return functional.cross_entropy(model(x), y)

    if "compiled" in words:
        forward = torch.compile(forward, dynamic=False)
    last = {}

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = forward(images, labels)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        last["loss"] = loss

    def finish():
        if on_gpu:
            torch.cuda.synchronize()

    def weights():
        return [value.detach().cpu().contiguous().numpy() for value in model.state_dict().values()]

    timed = worker.run(order, step, weights, finish)
    parameters = sum(p.numel() for p in model.parameters())
    return {**timed, "program": f"pytorch {torch.__version__}", "parameters": parameters}


if __name__ == "__main__":
    worker.main(serve)
