#!/usr/bin/env bash
# gpu_check.sh with the real program on the CPU: a short call that the budget ends, then one that goes on.
# Usage: gpu_check_on_cpu_test.sh BUILD_FOLDER
source "$(dirname -- "${BASH_SOURCE[0]}")/expect.sh"
build="$1"
expect "the program is built" test -x "$build/detbench"
# The device tests of this build, as far as they are built, so that the test does not need all of them.
from="$folder/build folder"
mkdir -p "$from"
ln -s "$build/detbench" "$from/detbench"
ln -s "$build/tests" "$from/tests"
"$root/scripts/device_tests.sh" | while IFS=$'\t' read -r program filter; do
  case "$program" in
    */device_tests | */scatter_add_tests) [[ -x "$build/$program" ]] && printf '%s\t%s\n' "$program" "$filter" ;;
  esac
done >"$from/device_tests.txt"
cat >"$folder/phases.txt" <<'PHASES'
one    sum/n4096/f32_f32_strict/vector algorithm:fixed_*
two    sum/n8192/f32_f32_strict/vector
long   suite:convolution dtype:f32 layout:nhwc
PHASES
check() {
  local out="$1"
  shift
  code=0
  said="$("$root/scripts/gpu_check.sh" --from "$from" --backend cpu --profile quick --phases "$folder/phases.txt" --out "$folder/$out" "$@" 2>&1)" || code=$?
  rm -rf -- "$folder/open" && mkdir "$folder/open"
  for archive in "$folder/$out"/*.tar.gz; do [[ -e "$archive" ]] && tar -xzf "$archive" -C "$folder/open"; done
}
value() { sed -n "s/^$2=//p" "$folder/open/$1/status"; }

check first --budget-s 35
printf '%s\n' "$said"
equal "the budget ends before a long phase does" "$code" 130
if [[ -s "$from/device_tests.txt" ]]; then
  while IFS=$'\t' read -r program _; do
    equal "$program settles" "$(value "tests/$(basename "$program")" status) $(value "tests/$(basename "$program")" failed_tests)" "done 0"
  done <"$from/device_tests.txt"
fi
# A loaded machine may not get far in the first call; the second goes on from there, whatever it was.
check second --budget-s 50 --journal "$folder/first"
equal "controls" "$(value controls/quick-default-all status)" "done"
contains "controls are counted" "$(value controls/quick-default-all controls)" "controls as expected"
equal "the short phases" "$(value sweep/one status) $(value sweep/two status)" "done done"
if [[ "$(value sweep/long status)" == interrupted ]]; then
  contains "the long one goes on" "$said" "--journal"
  before="$(wc -l <"$folder/open/sweep/long/run/journal.jsonl")"
  mkdir "$folder/state" && cp "$folder/second/state.tar.gz" "$folder/state"
  check third --budget-s 30 --journal "$folder/state"
  expect "its journal grows" test "$(wc -l <"$folder/open/sweep/long/run/journal.jsonl")" -gt "$before"
fi
expect "results are there" find "$folder/open/sweep" -name result.json | grep -q .
expect "no archive is too large" test -z "$(find "$folder" -name '*.tar.gz' -size +15360k)"
conclude
