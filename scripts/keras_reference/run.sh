#!/usr/bin/env bash
# Makes tests/data/keras anew: what a pinned TensorFlow and Keras compute for the networks that detbench trains.
#
# Usage: scripts/keras_reference/run.sh [--check | NAME ...]
#
# Installs the pinned packages into a virtual environment of its own (build/keras-venv, or DETBENCH_KERAS_VENV) and writes
# the files, all of them or those named (see make_reference.py --help). With --check nothing is written: each file is made
# anew and compared with the stored one. Takes some 20 minutes on one core; 6 GiB of memory. Needs Python 3.11.
#
# Exit codes: 0 made, or equal; 1 different; 2 usage; 3 the packages cannot be installed.
set -euo pipefail
here="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)"
root="$(cd -- "$here/../.." && pwd -P)"
venv="${DETBENCH_KERAS_VENV:-$root/build/keras-venv}"
python="${PYTHON:-python3.11}"

if [[ "${1:-}" == -h || "${1:-}" == --help ]]; then
  sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
  exit 0
fi
if [[ ! -x "$venv/bin/python" ]]; then
  "$python" -m venv "$venv" || { printf 'run.sh: %s cannot make a virtual environment; install python3.11 with venv, or name another with PYTHON\n' "$python" >&2; exit 3; }
fi
"$venv/bin/pip" install --quiet --requirement "$here/requirements.txt" || { printf 'run.sh: pip could not install %s\n' "$here/requirements.txt" >&2; exit 3; }
export PYTHONDONTWRITEBYTECODE=1
arguments=(--out "$root/tests/data/keras")
if [[ "${1:-}" == --check ]]; then
  arguments+=(--check)
  shift
else
  "$venv/bin/python" "$here/fills.py" --write "$root/tests/data/keras/fills.json"
fi
(($# == 0)) || arguments+=(--only "$@")
exec "$venv/bin/python" "$here/make_reference.py" "${arguments[@]}"
