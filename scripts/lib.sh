# shellcheck shell=bash
# Helpers shared by the scripts in this folder; sourced, never run.

# Absolute path of the checkout, whatever the caller's working directory is.
detbench_root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)"

# The name in front of every message.
script_name="$(basename -- "$0" .sh)"

say() { printf '%s: %s\n' "$script_name" "$*"; }

# fail CODE MESSAGE: one line to stderr, then exit with CODE.
fail() {
  local code="$1"
  shift
  printf '%s: %s\n' "$script_name" "$*" >&2
  exit "$code"
}

# Prints the header comment of the running script, which is its help text.
print_header_comment() { awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"; }

# Prints the path of nvcc, or fails when this machine has no CUDA toolkit.
find_nvcc() {
  local candidate
  for candidate in "${CUDACXX:-}" "$(command -v nvcc || true)" "${CUDA_PATH:+$CUDA_PATH/bin/nvcc}" \
    "${CUDA_HOME:+$CUDA_HOME/bin/nvcc}" /usr/local/cuda/bin/nvcc; do
    if [[ -n "$candidate" && -x "$candidate" ]]; then
      printf '%s\n' "$candidate"
      return 0
    fi
  done
  return 1
}

has_nvidia_driver() { [[ -e /proc/driver/nvidia/version ]] || command -v nvidia-smi >/dev/null; }

# Prints the architectures of the GPUs in this machine the way CMake takes them, like 80;90; nothing without a GPU.
gpu_architectures() {
  command -v nvidia-smi >/dev/null || return 0
  nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null |
    awk '/^[0-9]+\.[0-9]+$/ { sub(/\./, ""); print }' | sort -u | paste -sd ';' || true
}

# Compile jobs: one per core, but no more than fit in memory (a heavy translation unit takes about 1.5 GiB).
job_count() {
  local cores available_kib fit
  cores="$(nproc)"
  available_kib="$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)"
  fit=$((${available_kib:-0} / (1536 * 1024)))
  ((fit < 1)) && fit=1
  ((fit < cores)) && cores="$fit"
  printf '%s\n' "$cores"
}

# build_preset PRESET [TARGET]: configures build/PRESET and builds it, or one target of it, for the GPUs of this machine
# if it has any. ccache is used where it is installed; DETBENCH_UNITY=ON is passed on.
build_preset() {
  local preset="$1" target="${2:-all}" nvcc architectures
  local -a settings=()
  if command -v ccache >/dev/null; then
    export CMAKE_CXX_COMPILER_LAUNCHER="${CMAKE_CXX_COMPILER_LAUNCHER-ccache}"
    export CMAKE_CUDA_COMPILER_LAUNCHER="${CMAKE_CUDA_COMPILER_LAUNCHER-ccache}"
  fi
  if [[ "$preset" == cuda ]]; then
    nvcc="$(find_nvcc)" && export CUDACXX="$nvcc"
    architectures="$(gpu_architectures)"
    [[ -n "$architectures" ]] && settings+=("-DDETBENCH_CUDA_ARCHITECTURES=$architectures")
  fi
  [[ -n "${DETBENCH_UNITY:-}" ]] && settings+=("-DDETBENCH_UNITY=$DETBENCH_UNITY")
  (cd -- "$detbench_root" && cmake --preset "$preset" "${settings[@]}" &&
    cmake --build --preset "$preset" --target "$target" --parallel "$(job_count)")
}
