#!/usr/bin/env bash
# Sets this machine up, builds everything and runs every test that this machine can run.
#
# Usage: scripts/test.sh [ARGUMENTS OF ctest]
#
#   scripts/test.sh              all tests
#   scripts/test.sh -R digest    those whose name matches
#
# Where nvcc and an NVIDIA driver are found, the build has the CUDA backend and its device tests run too;
# DETBENCH_TEST_CUDA=1 asks for that build on a machine with nvcc only, where tests that need a device show as skipped,
# and DETBENCH_TEST_CUDA=0 leaves CUDA out. The output ends in ctest's own summary.
#
# Exit codes: 0 every test passed; 2 usage; 3 set-up or build failed; else ctest's. No test is a failure.
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

"$detbench_root/scripts/setup.sh" || exit 3

# One build holds both backends, so nothing is compiled twice.
preset=cpu
if [[ "$with_cuda" == 1 ]]; then preset=cuda; fi
build_preset "$preset" || fail 3 "the build failed (preset $preset)"
# One more than there are cores: some tests wait more than they compute.
exec ctest --test-dir "$detbench_root/build/$preset" --output-on-failure --parallel "$(($(job_count) + 1))" --no-tests=error "$@"
