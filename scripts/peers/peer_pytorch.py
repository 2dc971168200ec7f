"""One process of PyTorch: python peer_pytorch.py ORDER, where ORDER is compare.py's JSON. Arms are named in arms.py; what
libraries read from their environment is in the one that compare.py gives."""

import contextlib

import arms
import worker


def serve(order):
    import networks_pytorch
    import torch
    from torch.nn import functional

    arm = arms.parse(order["arm"])
    on_gpu = order["backend"] == "cuda"
    if not on_gpu and (arm.precision == "tf32" or arm.execution in ("graph", "compiled_graph")):
        raise NotImplementedError("TF32 is a GPU's" if arm.precision == "tf32" else "CUDA graphs are a GPU's")
    if on_gpu and not torch.cuda.is_available():
        raise NotImplementedError("this PyTorch sees no GPU")
    torch.set_num_threads(order["threads"])
    torch.set_num_interop_threads(1)
    device = torch.device("cuda" if on_gpu else "cpu")
    # By the older names, which set the newer ones too; a mix of both is refused by some versions.
    torch.set_float32_matmul_precision("high" if arm.precision == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = arm.precision == "tf32"
    torch.backends.cudnn.benchmark = on_gpu and not arm.setting
    if arm.setting:
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.deterministic = True
    if arm.precision == "f32":
        worker.require_f32(order["arm"], product=probe_product(torch, device), convolution=probe_convolution(torch, device))
    memory_format = torch.channels_last if arm.layout == "channels_last" else torch.contiguous_format
    torch.manual_seed(order["seed"])
    model = networks_pytorch.make_network(order["model"], order["px"], order["classes"])
    model = model.to(device=device, memory_format=memory_format).train()
    # One kernel for all parameters on a GPU, which also takes f16's scale without asking the device; on a CPU the default.
    optimizer = torch.optim.SGD(model.parameters(), lr=order["learning_rate"], momentum=order["momentum"], **({"fused": True} if on_gpu else {}))
    images, labels = worker.images_and_labels(order)
    images = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(memory_format=memory_format).to(device)
    labels = torch.from_numpy(labels).to(device)
    narrow = {"bf16": torch.bfloat16, "f16": torch.float16}.get(arm.precision)
    scaler = torch.amp.GradScaler(device.type, enabled=narrow is torch.float16)

    def forward(x, y):
        with torch.autocast(device.type, narrow) if narrow else contextlib.nullcontext():
            return functional.cross_entropy(model(x), y)

    if arm.execution in ("compiled", "compiled_graph"):
        forward = torch.compile(forward, dynamic=False, mode="reduce-overhead" if arm.execution == "compiled_graph" else "default")
    last = {}

    def launches():
        # What torch.compile keeps in a CUDA graph's memory has to be given up before the graph runs again.
        last.clear()
        optimizer.zero_grad(set_to_none=True)
        if arm.execution == "compiled_graph":
            torch.compiler.cudagraph_mark_step_begin()
        loss = forward(images, labels)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        last["loss"] = loss.detach()

    step, prepare = launches, lambda: None
    if arm.execution == "graph":
        graph = torch.cuda.CUDAGraph()
        step, prepare = graph.replay, lambda: capture(torch, graph, launches, model, optimizer, scaler, order["seed"])

    def weights():
        return [value.detach().cpu().contiguous().numpy() for value in model.state_dict().values()]

    timed = worker.run(order, step, weights, finish=torch.cuda.synchronize if on_gpu else lambda: None, loss=lambda: last["loss"].item(), prepare=prepare)
    memory = torch.cuda.max_memory_allocated() if on_gpu else None
    parameters = sum(p.numel() for p in model.parameters())
    return {**timed, "program": program(torch, on_gpu), "parameters": parameters, "memory_bytes": memory}


def capture(torch, graph, step, model, optimizer, scaler, seed):
    """Captures `step` after three steps on a side stream, which let cuDNN choose and the optimizer make its slots, and takes
    weights, statistics, slots, the loss's scale and random numbers back to the beginning."""
    scale = scaler.state_dict()
    begun = {name: value.clone() for name, value in model.state_dict().items()}
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    optimizer.zero_grad(set_to_none=True)
    with torch.cuda.graph(graph):
        step()
    with torch.no_grad():
        for name, value in model.state_dict().items():
            value.copy_(begun[name])
        for slots in optimizer.state.values():
            slots["momentum_buffer"].zero_()
    scaler.load_state_dict(scale)
    torch.manual_seed(seed)
    torch.cuda.synchronize()


def probe_product(torch, device):
    n = worker.probe_terms
    return (torch.ones((n, n), device=device) @ torch.full((n, n), worker.probe_factor, device=device))[0, 0].item()


def probe_convolution(torch, device):
    x = torch.ones((1, worker.probe_terms, 8, 8), device=device)
    kernel = torch.full((64, worker.probe_terms, 1, 1), worker.probe_factor, device=device)
    return torch.nn.functional.conv2d(x, kernel)[0, 0, 0, 0].item()


def program(torch, on_gpu):
    return f"pytorch {torch.__version__}" + (f", CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}" if on_gpu else "")


if __name__ == "__main__":
    worker.main(serve)
