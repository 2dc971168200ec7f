#!/usr/bin/env bash
# Runs the device tests on an emulated GPU (tests/emulated_gpu): every CUDA kernel of this project, run on the CPU. Needs nvcc, no GPU.
#
# Usage: scripts/emulate_gpu.sh [OPTIONS] [PROGRAM...]
#
#   scripts/emulate_gpu.sh                                builds the preset emulated, runs the device tests of every program
#   scripts/emulate_gpu.sh reduction_tests pooling_tests  only these programs
#
#   --order ORDER   in which blocks, warps and streams take turns: in_order, reversed, random:SEED (random:1); tests of what
#                   differs from run to run fail without chance
#   --filter GLOBS  GoogleTest's, within the device tests: names that match none of them are left out (*)
#   --from DIR      a build folder of the preset (build/emulated)
#   --no-build      takes the programs as they are
#   --budget-s N    seconds for the tests (3600)
#   --test-s N      seconds after which one test counts as hanging (600)
#   --jobs N        test programs at a time (one per core)
#   --out DIR       folder for logs; made anew (emulated_device_tests in the build folder)
#
# Prints a line per program and the message of every test that failed. A crash or a hang costs its own test. What needs cuDNN,
# cuBLAS or a driver shows as skipped. What this can tell and what it cannot: docs/gpu.md.
#
# Exit codes: 0 no test failed; 1 a test failed; 2 usage; 3 the build failed; 130 the budget ended first, nothing failed.
set -uo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
for part in bounded state tests; do
  # shellcheck source=/dev/null
  source "$detbench_root/scripts/gpu_check/$part.sh"
done

order=random:1 filter="*" from="$detbench_root/build/emulated" build=yes budget_s=3600 out=""
test_limit_s=600 jobs_at_a_time="$(nproc)" backend=emulated
wanted=()
while (($# > 0)); do
  case "$1" in
    -h | --help)
      print_header_comment
      exit 0
      ;;
    --no-build) build=no ;;
    --order | --filter | --from | --budget-s | --test-s | --jobs | --out)
      (($# >= 2)) || fail 2 "$1 needs a value; see scripts/emulate_gpu.sh --help"
      case "$1" in
        --order) order="$2" ;;
        --filter) filter="$2" ;;
        --from) from="$2" ;;
        --budget-s) budget_s="$2" ;;
        --test-s) test_limit_s="$2" ;;
        --jobs) jobs_at_a_time="$2" ;;
        --out) out="$2" ;;
      esac
      shift
      ;;
    -*) fail 2 "unknown option '$1'; see scripts/emulate_gpu.sh --help" ;;
    *) wanted+=("$1") ;;
  esac
  shift
done
for number in "$budget_s" "$test_limit_s" "$jobs_at_a_time"; do
  [[ "$number" =~ ^[1-9][0-9]{0,5}$ ]] || fail 2 "'$number' is no whole number from 1 to 999999"
done
[[ "$order" =~ ^(in_order|reversed|random:[0-9]{1,18})$ ]] || fail 2 "--order is '$order'; in_order, reversed and random:SEED are"
export DETBENCH_EMULATED_GPU_ORDER="$order"

work="$(mktemp -d "${TMPDIR:-/tmp}/emulate_gpu.XXXXXX")" || fail 3 "no temporary folder"
trap 'rm -rf -- "$work"' EXIT
trap 'touch "$work/stop"' TERM INT HUP

# The programs of the device tests, or those that were named.
if [[ -e "$from/device_tests.txt" ]]; then
  cp -- "$from/device_tests.txt" "$work/all"
else
  "$detbench_root/scripts/device_tests.sh" >"$work/all" || fail 3 "the device tests cannot be listed"
fi
program_list="$work/device_tests"
if ((${#wanted[@]} == 0)); then
  cp -- "$work/all" "$program_list"
else
  for name in "${wanted[@]}"; do
    grep -E "/$name"$'\t' "$work/all" >>"$program_list" || fail 2 "no device tests in '$name'; $(sed -E 's|^([^\t]*/)?([^\t]*)\t.*|\2|' "$work/all" | paste -s -d ' ') have some"
  done
fi

if [[ "$build" == yes ]]; then
  mapfile -t targets < <(sed -E 's|^([^\t]*/)?([^\t]*)\t.*|\2|' "$program_list")
  if [[ ! -e "$from/CMakeCache.txt" ]]; then
    nvcc="$(find_nvcc)" || fail 3 "the preset emulated needs nvcc: put it on PATH, or set CUDA_PATH to the folder of the toolkit"
    (cd -- "$detbench_root" && CUDACXX="$nvcc" cmake --preset emulated -B "$from") || fail 3 "the preset emulated cannot be configured"
  fi
  cmake --build "$from" --parallel "$(job_count)" --target "${targets[@]}" || fail 3 "the build failed in '$from'"
fi
[[ -d "$from" ]] || fail 3 "no folder '$from'"
grep -qs '^DETBENCH_EMULATED_GPU:.*=ON' "$from/CMakeCache.txt" || fail 3 "'$from' is no build with DETBENCH_EMULATED_GPU"
programs="$(cd -- "$from" && pwd -P)"

state="${out:-$programs/emulated_device_tests}"
[[ "$state" == /* ]] || state="$PWD/$state"
# Only what an earlier run made is taken away.
if [[ -e "$state" && -n "$(ls -A -- "$state")" && ! -e "$state/tests" ]]; then fail 2 "--out '$state' holds something else"; fi
rm -rf -- "$state/tests"
mkdir -p -- "$state/tests" && cd -- "$state" || fail 3 "'$state' cannot be made"

# What matches no part of the filter counts as settled: gpu_check's functions run the others.
if [[ "$filter" != "*" ]]; then
  while IFS=$'\t' read -r program globs; do
    name="$(basename -- "$program")"
    mkdir -p -- "$work/tests" "tests/$name"
    comm -12 <(listed_tests "$programs/$program" "$globs" | sort) <(listed_tests "$programs/$program" "$filter" | sort) >"$work/tests/$name.names"
    [[ -s "$work/tests/$name.names" ]] && printf '%s\t%s\n' "$program" "$(paste -s -d : "$work/tests/$name.names")" >>"$work/filtered"
    rm -f -- "$work/tests/$name.names"
  done <"$program_list"
  [[ -s "$work/filtered" ]] || fail 2 "no device test matches '$filter'"
  mv -- "$work/filtered" "$program_list"
fi

say "device tests on an emulated GPU, order $order"
SECONDS=0
check_programs tests "$budget_s"

# message_of FOLDER TEST: what GoogleTest printed about it, at most twelve lines.
message_of() {
  cat -- "$1"/log-[0-9]*.txt | awk -v name="$2" '$0 ~ /^\[ RUN      \] / { shown = $4 == name } shown && !/^\[ (RUN|FAILED) / { if (++lines <= 12) print "      " $0 }' | cut -c 1-300
}

passed=0 failed=0 skipped=0 left=no
printf '  %-28s %7s %7s %8s\n' program passed failed skipped
while IFS=$'\t' read -r program _; do
  folder="tests/$(basename -- "$program")"
  printf '  %-28s %7s %7s %8s  %s\n' "$(basename -- "$program")" "$(get_status "$folder" passed 0)" "$(get_status "$folder" failed_tests 0)" \
    "$(get_status "$folder" skipped 0)" "$(get_status "$folder" status | grep -v '^done$')"
  passed=$((passed + $(get_status "$folder" passed 0)))
  failed=$((failed + $(get_status "$folder" failed_tests 0)))
  skipped=$((skipped + $(get_status "$folder" skipped 0)))
  case "$(get_status "$folder" status)" in interrupted | not_reached) left=yes ;; esac
  while read -r name; do
    printf '    %s failed:\n' "$name"
    message_of "$folder" "$name"
  done < <(ended_tests "$folder" FAILED)
  sed 's/^/    /' "$folder/died.txt" 2>/dev/null
done <"$program_list"
say "$passed passed, $failed failed, $skipped skipped in $SECONDS s; logs in '$state/tests'"
((failed == 0)) || exit 1
[[ "$left" == no ]] || exit 130
((passed > 0)) || fail 1 "nothing ran"
