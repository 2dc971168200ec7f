#!/usr/bin/env bash
# Sets this machine up, builds everything and runs every test that this machine can run.
#
# Usage: scripts/test.sh [ARGUMENTS OF ctest]
#
#   scripts/test.sh              all tests
#   scripts/test.sh -R digest    those whose name matches
#
# The CPU tests come last, so the output ends in their summary by ctest. Where nvcc and an NVIDIA driver are found,
# the CUDA build is compiled, linked and its tests (label cuda) run first; DETBENCH_TEST_CUDA=1 asks for that on a
# machine with nvcc only, where tests that need a device show as skipped, and DETBENCH_TEST_CUDA=0 leaves it out.
#
# Exit codes: 0 every test passed; 2 usage; 3 set-up or build failed; else ctest's. No CPU test is a failure.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

case "${1:-}" in
  -h | --help)
    print_header_comment
    exit 0
    ;;
esac

with_cuda="${DETBENCH_TEST_CUDA:-}"
case "$with_cuda" in
  0 | 1) ;;
  "") if has_nvidia_driver && find_nvcc >/dev/null; then with_cuda=1; else with_cuda=0; fi ;;
  *) fail 2 "DETBENCH_TEST_CUDA is '$with_cuda'; it can be 0 or 1" ;;
esac
if [[ "$with_cuda" == 1 ]] && ! find_nvcc >/dev/null; then
  fail 3 "DETBENCH_TEST_CUDA=1 needs nvcc: put it on PATH, or set CUDA_PATH to the folder of the toolkit"
fi

run_ctest() {
  local preset="$1"
  shift
  ctest --test-dir "$detbench_root/build/$preset" --output-on-failure --parallel "$(job_count)" "$@"
}

"$detbench_root/scripts/setup.sh" || exit 3

# Both builds come before any test: a compile error should not wait for a test run. A failing CUDA test does not keep
# the CPU tests from running.
status=0
if [[ "$with_cuda" == 1 ]]; then
  build_preset cuda || fail 3 "the build failed (preset cuda)"
fi
build_preset cpu || fail 3 "the build failed (preset cpu)"
if [[ "$with_cuda" == 1 ]]; then
  # ctest says so itself when no test has the label, or a filter meant for CPU tests matches none of these.
  run_ctest cuda --label-regex '^cuda$' --no-tests=ignore "$@" || status=$?
fi
run_ctest cpu --no-tests=error "$@" || status=$?
exit "$status"
