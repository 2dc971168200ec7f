#!/usr/bin/env bash
# Stands in for a GoogleTest program: behaves as its own name says, prints what GoogleTest prints.
set -uo pipefail
filter="" output=""
for argument in "$@"; do
  case "$argument" in
    --gtest_filter=*) filter="${argument#*=}" ;;
    --gtest_output=json:*) output="${argument#*json:}" ;;
  esac
done
wanted() {
  local positive="${filter%%:-*}" negative="" pattern
  [[ "$filter" == *:-* ]] && negative="${filter#*:-}"
  for pattern in ${negative//:/ }; do [[ "$1" == $pattern ]] && return 1; done
  set -f
  for pattern in ${positive//:/ }; do [[ "$1" == $pattern ]] && return 0; done
  return 1
}
failed=0
name="$(basename "$0")"
if [[ " $* " == *" --gtest_list_tests "* ]]; then
  echo "Running main() from somewhere"
  for suite in Gpu Cpu; do
    shown=no
    for test in Gpu.First Gpu.Second Gpu.Third Cpu.Other; do
      [[ "$test" == "$suite".* ]] && wanted "$test" || continue
      [[ "$shown" == yes ]] || echo "$suite."
      shown=yes
      echo "  ${test#*.}  # GetParam() = 1"
    done
  done
  exit 0
fi
for test in Gpu.First Gpu.Second Gpu.Third Cpu.Other; do
  wanted "$test" || continue
  echo "[ RUN      ] $test"
  case "$name:$test" in
    crashing:Gpu.Second) kill -SEGV $$ ;;
    crashing_first:*) kill -ABRT $$ ;;
    long:Gpu.First | long:Gpu.Second) sleep 5 ;;
    hanging:Gpu.Second) while :; do sleep 1; done ;;
    failing:Gpu.First) failed=1 && echo "[  FAILED  ] $test (1 ms)" && continue ;;
    # Fails only after another one.
    failing:Gpu.Third) [[ "$failed" == 1 ]] && echo "[  FAILED  ] $test, where GetParam() = 3 (1 ms)" && continue ;;
    # A sticky CUDA error: nothing later in this process has a GPU.
    lost:Gpu.First) failed=1 && echo "[  FAILED  ] $test (1 ms)" && continue ;;
    lost:*)
      if [[ "$failed" == 1 ]]; then
        printf 'file.cpp:1: Skipped\nno CUDA device: the GPU is lost to this process: an illegal memory access was encountered\n\n[  SKIPPED ] %s (0 ms)\n' "$test"
        continue
      fi
      ;;
    skipping:*) printf 'file.cpp:1: Skipped\nno CUDA backend here\n[  SKIPPED ] %s (0 ms)\n' "$test" && continue ;;
  esac
  echo "[       OK ] $test (1 ms)"
done
echo "[==========] 3 tests from 1 test suite ran. (3 ms total)"
[[ -n "$output" ]] && echo '{"tests": 3}' >"$output"
exit "$failed"
