#!/usr/bin/env bash
# Installs what detbench needs on Debian 12 or newer, or Ubuntu 24.04 or newer, and makes .venv for the charts and, where
# there is an nvcc, for the headers of CCCL.
#
# Usage: scripts/setup.sh
#
# Installs only what is missing, can be repeated, and prints nothing when there is nothing to do. scripts/run.sh
# and scripts/test.sh call it themselves.
#
# Exit codes: 0 ready; 2 usage; 3 something required is missing and could not be installed (one line says what to run).
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

case "${1:-}" in
  "") ;;
  -h | --help)
    print_header_comment
    exit 0
    ;;
  *) fail 2 "unknown argument '$1'; scripts/setup.sh takes none but --help" ;;
esac

# --- What is needed ------------------------------------------------------------------------------------------------

# Required packages, with the command or header that shows that the thing is there, however it came.
required=(
  "g++:g++" "cmake:cmake" "ninja-build:ninja"
  "zlib1g-dev:<zlib.h>" "nlohmann-json3-dev:<nlohmann/json.hpp>" "libcli11-dev:<CLI/CLI.hpp>"
  "libfmt-dev:<fmt/core.h>" "libexpected-dev:<tl/expected.hpp>" "libbenchmark-dev:<benchmark/benchmark.h>"
  "libgtest-dev:<gtest/gtest.h>" "libgmock-dev:<gmock/gmock.h>"
)

# Optional packages, with what is lost without them.
optional=(
  "libdnnl-dev:the provider onednn"
  "libtbb-dev:the reductions that need TBB"
  "libopenblas0:the provider openblas"
  "libjpeg-dev:training on folders of JPEG files"
  "libpng-dev:training on folders of PNG files"
  "python3:static charts and schema validation"
  "python3-venv:static charts and schema validation"
  "ca-certificates:downloads from PyPI"
  "fonts-dejavu-core:text in static charts"
  "git:the commit in result files"
)

# Prints those of the required packages whose command or header is not there.
required_not_usable() {
  local entry package probe headers=""
  for entry in "${required[@]}"; do
    package="${entry%%:*}"
    probe="${entry#*:}"
    if [[ "$probe" != "<"* ]]; then
      command -v "$probe" >/dev/null || printf '%s\n' "$package"
    elif command -v g++ >/dev/null; then
      headers+=$'#if !__has_include('"$probe"$')\nMISSING '"$package"$'\n#endif\n'
    else
      printf '%s\n' "$package"
    fi
  done
  if [[ -n "$headers" ]]; then
    g++ -E -P -x c++ - <<<"$headers" | awk '$1 == "MISSING" { print $2 }'
  fi
}

# missing_packages PACKAGE...: prints those that dpkg does not have. A tool that is on PATH counts as installed.
missing_packages() {
  local package installed
  installed=" $(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
    awk '$1 == "installed" { printf "%s ", $2 }' || true)"
  for package in "$@"; do
    [[ "$installed" == *" $package "* ]] && continue
    case "$package" in
      g++ | cmake | git) command -v "$package" >/dev/null && continue ;;
      ninja-build) command -v ninja >/dev/null && continue ;;
    esac
    printf '%s\n' "$package"
  done
}

# without_package PACKAGE: prints what is lost without an optional package.
without_package() {
  local entry
  for entry in "${optional[@]}"; do
    [[ "${entry%%:*}" == "$1" ]] && printf '%s\n' "${entry#*:}"
  done
  return 0
}

# --- Packages ------------------------------------------------------------------------------------------------------

is_debian_family() {
  [[ -r /etc/os-release ]] && command -v dpkg-query >/dev/null && command -v apt-get >/dev/null &&
    grep -qE '^(ID|ID_LIKE)=.*(debian|ubuntu)' /etc/os-release
}

# quietly COMMAND...: runs it and shows its output only when it fails.
quietly() {
  local log status=0
  log="$(mktemp)"
  "$@" >"$log" 2>&1 </dev/null || status=$?
  ((status == 0)) || cat -- "$log" >&2
  rm -f -- "$log"
  return "$status"
}

has_candidate() { [[ "$(apt-cache policy "$1" 2>/dev/null)" =~ Candidate:\ [^\(] ]]; }

install_packages() {
  local package wanted_required wanted_optional apt_environment=(env DEBIAN_FRONTEND=noninteractive)
  local -a to_install=()
  mapfile -t wanted_required < <(missing_packages "${required[@]%%:*}")
  mapfile -t wanted_optional < <(missing_packages "${optional[@]%%:*}")
  ((${#wanted_required[@]} + ${#wanted_optional[@]} > 0)) || return 0

  if [[ "$(id -u)" != 0 ]]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
      apt_environment=(sudo "${apt_environment[@]}")
    else
      local command_line="sudo apt-get update && sudo apt-get install -y --no-install-recommends"
      if [[ -n "$(required_not_usable)" ]]; then
        fail 3 "not root, so run this first: $command_line ${wanted_required[*]} ${wanted_optional[*]}"
      fi
      for package in "${wanted_optional[@]}"; do
        say "without $package, which only root can install, these are missing: $(without_package "$package")"
      done
      return 0
    fi
  fi

  # An optional package that this distribution lacks must not cost an update each time.
  local update=no
  ((${#wanted_required[@]} == 0)) && has_candidate g++ || update=yes
  for package in "${wanted_optional[@]}"; do
    has_candidate "$package" && update=yes
  done
  if [[ "$update" == yes ]]; then
    quietly "${apt_environment[@]}" apt-get update -qq ||
      say "apt-get update failed; trying with the package lists that are here"
  fi
  for package in "${wanted_required[@]}"; do
    has_candidate "$package" || fail 3 "the package sources of this machine do not offer $package, which is required"
    to_install+=("$package")
  done
  for package in "${wanted_optional[@]}"; do
    if has_candidate "$package"; then
      to_install+=("$package")
    else
      say "no package $package in the sources of this machine; missing without it: $(without_package "$package")"
    fi
  done
  ((${#to_install[@]} > 0)) || return 0
  say "installing ${to_install[*]}"
  quietly "${apt_environment[@]}" apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 \
    "${to_install[@]}" || fail 3 "apt-get install failed; its output is above"
}

# For a distribution without apt: everything may be there all the same.
check_unknown_distribution() {
  local -a lacking
  mapfile -t lacking < <(required_not_usable)
  if ((${#lacking[@]} > 0)); then
    say "this is neither Debian nor Ubuntu; needed here under its own names: ${required[*]%%:*} ${optional[*]%%:*}" >&2
    fail 3 "not found so far: ${lacking[*]}"
  fi
}

# An older distribution has all packages but too old a CMake.
check_cmake_version() {
  local needed found
  needed="$(sed -n 's/^cmake_minimum_required(VERSION \([0-9.]*\).*/\1/p' "$detbench_root/CMakeLists.txt")"
  found="$(cmake --version | awk 'NR == 1 { print $3 }')"
  printf '%s\n' "$needed" "$found" | sort -V -C ||
    fail 3 "CMake $found is older than $needed; put a newer one first on PATH (pip install cmake offers one)"
}

# --- Python and the Vega scripts -----------------------------------------------------------------------------------

venv="$detbench_root/.venv"
share="$venv/share/detbench"
lost_without_python="static charts (SVG, PNG, PDF), charts in the HTML report, schema validation"

# Prints a Python that can make a virtual environment and is new enough for requirements.txt.
find_python() {
  local python
  for python in /usr/bin/python3 python3; do
    if "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
      printf '%s\n' "$python"
      return 0
    fi
  done
  return 1
}

# The environment is as requirements.txt asks, and its Python was not replaced by another version since.
venv_is_current() {
  [[ -r "$venv/stamp" && "$(<"$venv/stamp")" == "$1" && -s "$share/vega.bundle.js" && -s "$share/vega.json" ]] &&
    "$venv/bin/python" -c 'import sys; from importlib.util import find_spec
sys.exit(not (find_spec("vl_convert") and find_spec("jsonschema")))' 2>/dev/null
}

# Writes Vega, Vega-Lite and Vega-Embed as one script, and their versions beside it. The bundle declares thousands of
# short global names, so it goes into a function of its own. Only vegaEmbed is left on window, because vl-convert 1.9
# hands the snippet null for vega and vegaLite; the view of a chart is in what vegaEmbed resolves to.
extract_vega() {
  mkdir -p -- "$share"
  "$venv/bin/python" - "$share" <<'PYTHON'
import importlib.metadata, json, os, pathlib, sys
import vl_convert

share = pathlib.Path(sys.argv[1])
version = vl_convert.get_vegalite_versions()[-1]
bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=version)
if "</script" in bundle.lower():
    sys.exit("the bundle cannot be inlined in HTML: it contains </script")
versions = {
    "vega_lite": version,
    "vega": vl_convert.get_vega_version(),
    "vega_embed": vl_convert.get_vega_embed_version(),
    "vl_convert": importlib.metadata.version("vl-convert-python"),
}
files = {
    "vega.bundle.js": "(() => {\n" + bundle + "\n})();\n",
    "vega.json": json.dumps(versions, indent=2) + "\n",
}
for name, text in files.items():
    partial = share / (name + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, share / name)
PYTHON
}

set_up_python() {
  local stamp python log
  stamp="$(sha256sum <"$detbench_root/requirements.txt" | cut -d ' ' -f 1)"
  venv_is_current "$stamp" && return 0
  if ! python="$(find_python)"; then
    say "no Python 3.10 or newer with venv; missing without it: $lost_without_python"
    return 0
  fi
  say "making .venv with $("$python" --version) from requirements.txt"
  rm -rf -- "$venv"
  log="$(mktemp)"
  if "$python" -m venv "$venv" >"$log" 2>&1 &&
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --retries 2 --only-binary :all: \
      --requirement "$detbench_root/requirements.txt" >"$log" 2>&1 </dev/null &&
    extract_vega >"$log" 2>&1; then
    printf '%s\n' "$stamp" >"$venv/stamp"
  else
    say "Python packages not installed, so these are missing: $lost_without_python; $(grep -v '^ *$' "$log" | tail -n 1)"
    rm -rf -- "$venv"
  fi
  rm -f -- "$log"
}

# --- CCCL ----------------------------------------------------------------------------------------------------------

# Headers of CUB with the three guarantees of reductions, which toolkits before 13.2 lack. One version for everybody:
# CUB promises equal bits for one version only.
cccl="nvidia-cuda-cccl==13.3.5.0.6"
cccl_folder="$share/cccl"
lost_without_cccl="cub:not_guaranteed, cub:run_to_run, cub:gpu_to_gpu"

set_up_cccl() {
  find_nvcc >/dev/null || return 0
  [[ -r "$cccl_folder/stamp" && "$(<"$cccl_folder/stamp")" == "$cccl" ]] && return 0
  if [[ ! -x "$venv/bin/python" ]]; then
    say "no .venv to fetch $cccl with; missing without it: $lost_without_cccl"
    return 0
  fi
  say "fetching $cccl"
  local log
  log="$(mktemp)"
  rm -rf -- "$cccl_folder"
  if "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --retries 2 --only-binary :all: \
    --no-deps --target "$cccl_folder" "$cccl" >"$log" 2>&1 </dev/null; then
    printf '%s\n' "$cccl" >"$cccl_folder/stamp"
  else
    say "$cccl not fetched, so these are missing: $lost_without_cccl; $(grep -v '^ *$' "$log" | tail -n 1)"
    rm -rf -- "$cccl_folder"
  fi
  rm -f -- "$log"
}

# One set-up at a time: several shells may share this checkout.
exec {lock}<"$detbench_root/requirements.txt"
if ! flock -n "$lock"; then
  say "waiting for another set-up of this checkout"
  flock "$lock"
fi

if is_debian_family; then
  install_packages
else
  check_unknown_distribution
fi
check_cmake_version
set_up_python
set_up_cccl
