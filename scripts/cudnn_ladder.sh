#!/usr/bin/env bash
# Sets several versions of cuDNN side by side and shows what changed from one to the next: engines, notes, heuristics and
# workspace of every layer (no GPU needed), and on a GPU the sweep with each.
#
# Usage: scripts/cudnn_ladder.sh [OPTIONS] VERSION VERSION...
#
#   scripts/cudnn_ladder.sh 9.12 9.19 9.28                    MobileNetV2's layers on sm_90
#   scripts/cudnn_ladder.sh --arch sm_86 --types bf16 9.19.0 9.23.1
#
# A VERSION is 9.MINOR, 9.MINOR.PATCH or a whole one like 9.19.0.56; 9.8 is the oldest that answers without a GPU. Each is
# installed once from PyPI (400 to 900 MB) and used from there ever after; delete the cache to get the space back. A version
# that cannot be installed or asked is reported, and the rest goes on. Where there is no NVIDIA driver, engines compiled at
# run time are unknown, and versions that do not load without the driver's library (9.28) cannot be asked.
#
# Options:
#   --out DIR           where the catalogs and the comparison go (default results/local/cudnn-ladder-<UTC time>)
#   --cache DIR         where the versions are kept (default build/cudnn-ladder)
#   --cuda 12|13        CUDA's major version of the wheels (default: that of the toolkit here)
#   --detbench PATH     the program (default: build/cuda/detbench, built first)
#   --no-sweep          the catalogs alone, also on a GPU
#   --arch --model --alpha --px --batch --padding --types --layout --jobs VALUE, FILTER terms (key:glob)
#                       handed to `detbench catalog`, which explains them
#
# The wheels are installed with the Python named by PYTHON, that of .venv, or python3, whichever has pip.
#
# Exit codes: 0 every version was asked; 2 usage; 3 one or more were not, or could not be compared.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

cache="$detbench_root/build/cudnn-ladder"
out=""
cuda_major=""
detbench=""
sweeps=yes
versions=()
catalog_arguments=()

need_value() { [[ $# -ge 2 && -n "$2" ]] || fail 2 "$1 needs a value; see scripts/cudnn_ladder.sh --help"; }

# Whether a word is a version that the ladder can ask; the reason in one line when not.
check_version() {
  [[ "$1" =~ ^9\.([0-9]{1,3})(\.[0-9]{1,3}){0,2}$ ]] ||
    fail 2 "'$1' is no version of cuDNN 9: write 9.19, 9.19.0 or 9.19.0.56"
  ((10#${BASH_REMATCH[1]} >= 8)) || fail 2 "cuDNN $1 cannot be asked without a GPU: 9.8 or newer can"
}

while (($# > 0)); do
  case "$1" in
    -h | --help)
      print_header_comment
      exit 0
      ;;
    --no-sweep) sweeps=no ;;
    --out | --cache | --cuda | --detbench)
      need_value "$@"
      case "$1" in
        --out) out="$2" ;;
        --cache) cache="$2" ;;
        --cuda) cuda_major="$2" ;;
        --detbench) detbench="$2" ;;
      esac
      shift
      ;;
    --arch | --model | --alpha | --px | --batch | --padding | --types | --layout | --jobs)
      need_value "$@"
      catalog_arguments+=("$1" "$2")
      shift
      ;;
    -*) fail 2 "unknown option '$1'; see scripts/cudnn_ladder.sh --help" ;;
    *:* | */*) catalog_arguments+=("$1") ;;
    *)
      check_version "$1"
      for earlier in "${versions[@]}"; do
        [[ "$earlier" != "$1" ]] || fail 2 "version $1 is given twice"
      done
      versions+=("$1")
      ;;
  esac
  shift
done
((${#versions[@]} > 0)) || fail 2 "no version given; for example: scripts/cudnn_ladder.sh 9.19 9.28"

nvcc="$(find_nvcc || true)"
if [[ -z "$cuda_major" ]]; then
  cuda_major=13
  if [[ -n "$nvcc" ]]; then
    cuda_major="$("$nvcc" --version | sed -n 's/.*release \([0-9]*\)\..*/\1/p')"
  fi
fi
[[ "$cuda_major" == 12 || "$cuda_major" == 13 ]] || fail 2 "--cuda '$cuda_major': cuDNN's wheels are made for CUDA 12 and 13"

if [[ -n "$detbench" ]]; then
  [[ -x "$detbench" ]] || fail 2 "--detbench '$detbench' is no program"
  detbench="$(realpath -- "$detbench")"
else
  [[ -n "$nvcc" ]] || fail 3 "no nvcc to build the program with: install a CUDA toolkit, or give --detbench PATH"
  build_preset cuda detbench || fail 3 "the build failed (preset cuda)"
  detbench="$detbench_root/build/cuda/detbench"
fi

python=""
for candidate in "${PYTHON:-}" "$detbench_root/.venv/bin/python3" python3; do
  if [[ -n "$candidate" ]] && "$candidate" -m pip --version >/dev/null 2>&1; then
    python="$candidate"
    break
  fi
done
[[ -n "$python" ]] || fail 3 "no Python with pip: run scripts/setup.sh, or install python3-pip"

# A wrong option is wrong for every version: found out before anything is installed.
"$detbench" catalog "${catalog_arguments[@]}" --problems >/dev/null || exit $?

[[ -n "$out" ]] || out="$detbench_root/results/local/cudnn-ladder-$(date -u +%Y%m%dT%H%M%SZ)"
[[ ! -e "$out" ]] || fail 2 "$out is there already; choose another --out"
mkdir -p -- "$out" "$cache" || fail 3 "cannot make $out and $cache"
out="$(realpath -- "$out")"
cache="$(realpath -- "$cache")"

# pip_target DIR REQUIREMENT...: installs wheels into DIR, whole or not at all. pip's own cache would double the space.
pip_target() {
  local target="$1" partial="$1.partial.$$"
  shift
  rm -rf -- "$partial"
  if "$python" -m pip install --quiet --disable-pip-version-check --no-deps --no-compile --no-cache-dir --only-binary=:all: \
    --target "$partial" "$@" >"$partial.log" 2>&1; then
    rm -f -- "$partial.log"
    mv -T -- "$partial" "$target"
    return 0
  fi
  grep -m 1 -E '^ERROR' "$partial.log" >&2 || tail -n 1 "$partial.log" >&2 || true
  rm -rf -- "$partial" "$partial.log"
  return 1
}

# Prints the folder of a version's libraries, installing it first where needed.
install_version() {
  local version="$1" folder="$cache/cu$cuda_major-$1" requirement="$1" free_kib
  if [[ ! -e "$folder/nvidia/cudnn/lib/libcudnn.so.9" ]]; then
    free_kib="$(df --output=avail -k -- "$cache" | tail -n 1)"
    if ((free_kib < 2 * 1024 * 1024)); then
      say "cuDNN $version needs 2 GiB of free space below $cache; there are $((free_kib / 1024)) MiB" >&2
      return 1
    fi
    # 9.19 means its newest patch; a version with four parts is one wheel.
    [[ "$version" =~ ^9(\.[0-9]+){3}$ ]] || requirement+=".*"
    say "installing nvidia-cudnn-cu$cuda_major $requirement" >&2
    rm -rf -- "$folder"
    pip_target "$folder" "nvidia-cudnn-cu$cuda_major==$requirement" || return 1
    if [[ ! -e "$folder/nvidia/cudnn/lib/libcudnn.so.9" ]]; then
      say "the wheel of cuDNN $version holds no libcudnn.so.9 where it is looked for" >&2
      return 1
    fi
  fi
  printf '%s\n' "$folder/nvidia/cudnn/lib"
}

# What cuDNN loads from CUDA while it runs (cuBLASLt, NVRTC), from the toolkit or else from wheels. A folder of links, not
# the toolkit's own: that may hold a cuDNN, and the loader would take parts of it for parts of the version asked.
runtime_folder() {
  local links="$cache/cu$cuda_major-runtime" toolkit="" library wheels="$cache/cu$cuda_major-runtime-wheels"
  local -a packages=(nvidia-cublas nvidia-cuda-nvrtc)
  rm -rf -- "$links"
  mkdir -p -- "$links"
  if [[ -n "$nvcc" ]]; then toolkit="$(dirname -- "$(dirname -- "$(realpath -- "$nvcc")")")/lib64"; fi
  if [[ -n "$toolkit" ]] && compgen -G "$toolkit/libcublasLt.so.$cuda_major" >/dev/null && compgen -G "$toolkit/libnvrtc.so.$cuda_major" >/dev/null; then
    for library in "$toolkit"/libcublas.so.* "$toolkit"/libcublasLt.so.* "$toolkit"/libnvrtc*.so.*; do
      ln -s -- "$library" "$links/"
    done
  else
    if [[ ! -d "$wheels" ]]; then
      [[ "$cuda_major" == 13 ]] || packages=("${packages[@]/%/-cu$cuda_major}")
      say "no toolkit of CUDA $cuda_major: installing ${packages[*]}" >&2
      pip_target "$wheels" "${packages[@]}" || return 1
    fi
    while IFS= read -r library; do ln -s -- "$library" "$links/"; done < <(find "$wheels/nvidia" -name 'lib*.so.*')
  fi
  printf '%s\n' "$links"
}

# The caller's library path without folders that hold a cuDNN of their own.
clean_library_path() {
  local folder kept="$1"
  local -a folders=()
  IFS=: read -ra folders <<<"${LD_LIBRARY_PATH:-}"
  for folder in "${folders[@]}"; do
    [[ -n "$folder" ]] || continue
    compgen -G "$folder/libcudnn*" >/dev/null || kept+=":$folder"
  done
  printf '%s\n' "$kept"
}

has_gpu=no
if [[ "$sweeps" == yes ]] && command -v nvidia-smi >/dev/null && nvidia-smi --list-gpus >/dev/null 2>&1; then has_gpu=yes; fi

runtime="$(runtime_folder)" || fail 3 "cuBLAS and NVRTC of CUDA $cuda_major cannot be installed"
library_path="$(clean_library_path "$runtime")"
catalogs=()
sweeps_done=()
failed=()
for version in "${versions[@]}"; do
  if ! folder="$(install_version "$version")"; then
    say "cuDNN $version: not installed, left out" >&2
    failed+=("$version")
    continue
  fi
  say "asking cuDNN $version"
  status=0
  LD_LIBRARY_PATH="$library_path" DETBENCH_CUDNN_DIR="$folder" "$detbench" catalog "${catalog_arguments[@]}" \
    --format json --out "$out/catalog-$version.json" || status=$?
  case "$status" in
    0) catalogs+=("$out/catalog-$version.json") ;;
    130) exit "$status" ;;
    *)
      say "cuDNN $version: detbench catalog ended with $status, left out" >&2
      failed+=("$version")
      continue
      ;;
  esac
  [[ "$has_gpu" == yes ]] || continue
  say "sweeping with cuDNN $version"
  status=0
  LD_LIBRARY_PATH="$library_path" DETBENCH_CUDNN_DIR="$folder" "$detbench" run 'provider:cudnn*' --backend cuda --profile quick \
    --out "$out/sweep-$version" || status=$?
  case "$status" in
    0 | 1) sweeps_done+=("$out/sweep-$version") ;;
    130) exit "$status" ;;
    *)
      say "cuDNN $version: the sweep ended with $status" >&2
      failed+=("$version (sweep)")
      ;;
  esac
done

if ((${#catalogs[@]} > 0)); then
  "$detbench" catalog --compare "${catalogs[@]}" --format json --out "$out/changes.json" || failed+=("comparison as JSON")
  "$detbench" catalog --compare "${catalogs[@]}" --format markdown --out "$out/changes.md" || failed+=("comparison as Markdown")
  "$detbench" catalog --compare "${catalogs[@]}" || failed+=("comparison")
fi
if ((${#sweeps_done[@]} > 0)); then
  "$detbench" report "${sweeps_done[@]}" --out "$out/report" || failed+=("report of the sweeps")
fi

say "catalogs and what changed in $out"
if ((${#failed[@]} > 0)); then
  list="$(printf ', %s' "${failed[@]}")"
  fail 3 "not done: ${list:2}"
fi
