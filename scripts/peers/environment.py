"""The virtual environment of the peers: made once, from requirements.txt, and left alone as long as that file is the same."""

import hashlib
import pathlib
import re
import subprocess
import sys
import venv

here = pathlib.Path(__file__).resolve().parent

# Which package on PyPI brings a CUDA library that PyTorch is linked against. cuda-toolkit pins all of one release.
toolkit = "13.2.2"
libraries = {
    "libcublas": f"cuda-toolkit[cublas]=={toolkit}",
    "libcudart": f"cuda-toolkit[cudart]=={toolkit}",
    "libcufft": f"cuda-toolkit[cufft]=={toolkit}",
    "libcufile": f"cuda-toolkit[cufile]=={toolkit}",
    "libcupti": f"cuda-toolkit[cupti]=={toolkit}",
    "libcusolver": f"cuda-toolkit[cusolver]=={toolkit}",
    "libcusparse.": f"cuda-toolkit[cusparse]=={toolkit}",
    "libnvJitLink": f"cuda-toolkit[nvjitlink]=={toolkit}",
    "libnvrtc": f"cuda-toolkit[nvrtc]=={toolkit}",
    "libnvToolsExt": f"cuda-toolkit[nvtx]=={toolkit}",
    "libcudnn": "nvidia-cudnn-cu13==9.26.0.51",
    "libcusparseLt": "nvidia-cusparselt-cu13==0.8.1",
    "libnccl": "nvidia-nccl-cu13==2.30.7",
    "nccl": "nvidia-nccl-cu13==2.30.7",  # an older library of the system lacks a symbol
    "libnvshmem": "nvidia-nvshmem-cu13==3.7.2",
}


def package_for(error):
    """The package that an ImportError of PyTorch asks for, or None."""
    found = re.search(r"(lib\w+\.?)so?\S*: cannot open shared object|undefined symbol: (nccl)", error)
    if not found:
        return None
    name = found.group(1) or found.group(2)
    for prefix, package in libraries.items():
        if name.startswith(prefix):
            return package
    return None


def pip(python, *arguments):
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--only-binary", ":all:", *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    return "" if done.returncode == 0 else (lines[-1] if lines else f"pip ended with {done.returncode}")


def import_error(python, module):
    done = subprocess.run([python, "-c", f"import {module}"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


def prepare(folder, gpu=False, say=print):
    """Makes or renews the environment in `folder`; for a GPU with all that PyTorch asks for, its compiler included. Returns its Python and, by peer, the reason why it is not there."""
    folder = pathlib.Path(folder).resolve()
    python = folder / "bin" / "python"
    files = [here / "requirements.txt", *([here / "requirements_gpu.txt"] if gpu else [])]
    wanted = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest() + (" gpu" if gpu else "")
    stamp = folder / "requirements.sha256"
    reasons = {}
    if not (python.exists() and stamp.exists() and stamp.read_text() == wanted):
        say(f"installing TensorFlow, PyTorch and JAX into {folder}")
        venv.EnvBuilder(with_pip=True, clear=folder.exists()).create(folder)
        failed = pip(python, *([] if gpu else ["--no-deps"]), "--requirement", files[0]) or (pip(python, "--no-deps", "--requirement", files[1]) if gpu else "")
        if failed:
            # One peer that cannot be had here must not cost the others.
            for line in (line for file in files for line in file.read_text().splitlines()):
                if line and not line.startswith("#"):
                    pip(python, "--no-deps", line)
            reasons["pip"] = failed
        for _ in range(len(libraries)):
            package = package_for(import_error(python, "torch"))
            # The toolkit's extras are what it depends on; the others would bring more than the loader wants.
            alone = [] if package and package.startswith("cuda-toolkit") else ["--no-deps"]
            if package is None or pip(python, *alone, package):
                break
        if not failed:
            stamp.write_text(wanted)
    missing = {}
    for peer, module in (("tensorflow", "keras, tensorflow"), ("pytorch", "torch"), ("jax", "jax")):
        error = import_error(python, module)
        if error:
            missing[peer] = error + (f" ({reasons['pip']})" if "pip" in reasons else "")
    return python, missing


if __name__ == "__main__":
    print(*prepare(sys.argv[1]))
