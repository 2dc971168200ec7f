#!/usr/bin/env bash
# Publishes results: checks them, puts them with their charts under results/published, and rewrites the README's block.
#
# Usage: scripts/publish.sh [--dry-run] [--machine NAME] [--charts NAME,NAME] [--program FILE] RESULT...
#
#   scripts/publish.sh results/local/first                 one run
#   scripts/publish.sh --dry-run gpu                       checks all phases of an unpacked gpu_check and says what would be written
#
# RESULT is a folder of `detbench run`, a result file, or a folder in which what scripts/gpu_check.sh packed was unpacked, whose
# phases are taken unless another has taken them over; all of one call are of one machine. Refused, in one line: what
# scripts/validate_results.py refuses; results from a changed checkout, from an emulated GPU, without controls or with a
# negative control that differed; results of a commit that is not the one which docs/method.md's tables were made from,
# unless nothing differs between both in kernels, models, bench and the build files; names of hosts, users or devices; more
# than 30 MB in results/published. docs/method.md section 13 says more.
#
#   --dry-run        does everything but write
#   --machine NAME   folder below results/published (from the manifest, like nvidia-h200)
#   --charts LIST    charts that the README shows, of those with data (network_tradeoff, else tradeoff_frontier, else three_prices)
#   --program FILE   the detbench that draws (build/cpu/detbench, else build/cuda/detbench)
#
# Either everything is written or nothing. Exit codes: 0 published; 2 usage, or refused; 3 could not run.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

case "${1:-}" in
  -h | --help)
    print_header_comment
    exit 0
    ;;
esac
python="$detbench_root/.venv/bin/python"
[[ -x "$python" ]] || fail 3 "there is no .venv; run scripts/setup.sh"
exec "$python" "$detbench_root/scripts/publish/publish.py" "$@"
