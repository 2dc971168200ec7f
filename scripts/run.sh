#!/usr/bin/env bash
# Sets this machine up, builds detbench, runs the sweep, writes the report and prints where result and report are.
#
# Usage: scripts/run.sh [ARGUMENTS OF detbench run]
#
#   scripts/run.sh                                   profile quick into results/local/<UTC time>
#   scripts/run.sh --profile smoke                   another profile
#   scripts/run.sh 'op:conv_wgrad' --out /tmp/wgrad  some cases, another folder
#   scripts/run.sh --resume results/local/<UTC time> goes on with an interrupted sweep
#
# All arguments go to `detbench run`; `build/<preset>/detbench run --help` lists them.
# The CUDA build is taken where nvcc and an NVIDIA driver are found, else the CPU build; DETBENCH_PRESET=cpu or
# DETBENCH_PRESET=cuda decides otherwise.
#
# Exit codes: those of detbench (0 all recorded, 1 a wrong result or broken claim, 2 usage, 3 could not run,
# 77 everything skipped, 130 interrupted); 3 also when set-up or build fails.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# Prints the preset for this machine, and on stderr why it is not the CUDA one where that could surprise.
choose_preset() {
  if [[ -n "${DETBENCH_PRESET:-}" ]]; then
    printf '%s\n' "$DETBENCH_PRESET"
  elif ! has_nvidia_driver; then
    printf 'cpu\n'
  elif find_nvcc >/dev/null; then
    printf 'cuda\n'
  else
    say "an NVIDIA driver is here but no nvcc, so this is the CPU build; install a CUDA toolkit and run again" >&2
    printf 'cpu\n'
  fi
}

# What the caller decided among the options that have a default here.
has_profile=no
result_dir=""
resumes=no
previous=""
for argument in "$@"; do
  case "$previous" in
    --out | --resume) result_dir="$argument" ;;
  esac
  case "$argument" in
    -h | --help)
      print_header_comment
      exit 0
      ;;
    --profile | --profile=*) has_profile=yes ;;
    --resume) resumes=yes ;;
    --resume=*)
      resumes=yes
      result_dir="${argument#*=}"
      ;;
    --out=*) result_dir="${argument#*=}" ;;
  esac
  previous="$argument"
done

run_arguments=("$@")
[[ "$has_profile" == yes || "$resumes" == yes ]] || run_arguments+=(--profile quick)
if [[ -z "$result_dir" ]]; then
  result_dir="$detbench_root/results/local/$(date -u +%Y%m%dT%H%M%SZ)"
  mkdir -p -- "$detbench_root/results/local"
  run_arguments+=(--out "$result_dir")
fi

preset="$(choose_preset)"
"$detbench_root/scripts/setup.sh" || exit 3
build_preset "$preset" detbench || fail 3 "the build failed (preset $preset)"
detbench="$detbench_root/build/$preset/detbench"

status=0
"$detbench" run "${run_arguments[@]}" || status=$?

# Only a finished sweep gets its report; after an interruption detbench has said how to go on.
report_status=3
if [[ "$status" == 0 || "$status" == 1 ]]; then
  report_arguments=("$result_dir" --out "$result_dir/report")
  [[ -e "$result_dir/report" ]] && report_arguments+=(--force)
  report_status=0
  "$detbench" report "${report_arguments[@]}" || report_status=$?
  [[ "$status" == 1 ]] || status="$report_status"
fi

[[ -d "$result_dir" ]] && say "result in $result_dir"
[[ "$report_status" == 0 ]] && say "report in $result_dir/report"
exit "$status"
