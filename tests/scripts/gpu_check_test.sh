#!/usr/bin/env bash
# gpu_check.sh over stand-ins that crash, hang, ignore signals, overflow and resume.
source "$(dirname -- "${BASH_SOURCE[0]}")/expect.sh"
here="$root/tests/scripts"
bundle="$folder/bundle"
mkdir -p "$bundle/bin" "$bundle/tests"
cp "$here/fake_detbench.sh" "$bundle/bin/detbench"
for name in passing failing crashing lost hanging skipping long; do cp "$here/fake_tests.sh" "$bundle/tests/$name"; done
chmod +x "$bundle"/bin/* "$bundle"/tests/*
export FAKE_MARK="$folder/mark"
mark="gpu-check-test-$$"
printf '%s' "$mark" >"$FAKE_MARK"
tests_list() { for name in "$@"; do printf 'tests/%s\tGpu.*\n' "$name"; done >"$bundle/device_tests.txt"; }
phases() { printf '%s\n' "$@" >"$folder/phases.txt"; }
# check OUT ARGUMENT...: sets said and code; the call must end soon after its budget.
check() {
  local out="$1" begun="$SECONDS"
  shift
  code=0
  said="$("$root/scripts/gpu_check.sh" --from "$bundle" --backend cpu --phases "$folder/phases.txt" --out "$folder/$out" "$@" 2>&1)" || code=$?
  took=$((SECONDS - begun))
  rm -rf -- "$folder/open" && mkdir "$folder/open"
  for archive in "$folder/$out"/*.tar.gz; do [[ -e "$archive" ]] && tar -xzf "$archive" -C "$folder/open"; done
  return 0
}
value() { sed -n "s/^$2=//p" "$folder/open/$1/status"; }

# --- everything goes well
tests_list passing
phases 'one ok' '# a comment' 'two ok and more words' 'three nothing'
check good --budget-s 60
equal "all done" "$code" 0
equal "tests" "$(value tests/passing status) $(value tests/passing passed) $(value tests/passing failed_tests)" "done 3 0"
controls=controls/standard-default-all
equal "controls" "$(value $controls status), $(value $controls controls)" "done, 10 of 10 controls as expected"
expect "the smoke report is there" test -s "$folder/open/smoke/report/report.html"
equal "phases" "$(value sweep/one status) $(value sweep/two status) $(value sweep/three status)" "done done done"
contains "a phase that finds nothing says so" "$(value sweep/three reason)" "nothing in this profile"
equal "the second phase takes over the first" "$(value sweep/one taken_over_by)" sweep/two
contains "its rows are in the second's journal" "$(cat "$folder/open/sweep/two/run/journal.jsonl")" imported
if command -v jq >/dev/null; then expect "status.json is JSON" jq -e '.phases | length > 4' "$folder/open/status.json" >/dev/null; fi
check again --budget-s 60 --journal "$folder/good"
equal "nothing is left for a second call but the controls" "$code" 0
contains "the calls are counted" "$said" "call 2,"
equal "what is done is not done again" "$(wc -l <"$folder/open/sweep/two/run/journal.jsonl")" "$(tar -xzOf "$folder"/good/state.tar.gz ./sweep/two/run/journal.jsonl sweep/two/run/journal.jsonl 2>/dev/null | wc -l)"

# --- phases with options of their own, and those that are no run
phases 'defaults --search t0 --scopes repeat,load' 'one ok' 'two --scopes process ok' 'three ok' 'defaults' 'four --profile quick ok' 'engines @catalog --batch 32'
check options --budget-s 60
equal "all done" "$code" 0
contains "the defaults" "$(grep -m 1 '^# ' "$folder/open/sweep/one/log.txt")" " ok --profile standard --backend cpu --threads"
contains "their scopes" "$(cat "$folder/open/sweep/one/log.txt")" "--search t0 --scopes repeat,load"
contains "a phase's own option comes first" "$(cat "$folder/open/sweep/two/log.txt")" "--search t0 --scopes process"
contains "defaults end where the next begin" "$(grep -m 1 '^# ' "$folder/open/sweep/four/log.txt")" "--profile quick"
expect "with no scopes of theirs" bash -c '! grep -m 1 "^# " "$1" | grep -q -- --scopes' bash "$folder/open/sweep/four/log.txt"
equal "rows are taken over between equal settings alone" "$(value sweep/one taken_over_by) $(value sweep/two taken_over_by)" "sweep/three "
equal "controls are those of the settings" "$(find "$folder/open/controls" -name status | wc -l)" 3
contains "and count in the phases" "$(grep -m 1 '^# ' "$folder/open/sweep/two/log.txt")" "--import controls/standard-t0-process/run"
contains "no cuDNN is no failure" "$(value sweep/engines status): $(value sweep/engines reason)" "done: detbench: no cuDNN 9 here"
printf '{"target": {"arch": "sm_90"}}\n' >"$folder/device.json"
export FAKE_CATALOG="$folder/device.json"
phases 'engines @catalog --batch 32'
check catalog --budget-s 30
equal "both catalogs and what differs are there" "$(value sweep/engines status) $(cd "$folder/open/sweep/engines" && ls *.json *.md | paste -s -d ' ')" \
  "done described.json device.json difference.json difference.md"
contains "the description is of the device's architecture" "$(cat "$folder/open/sweep/engines/described.json")" "--batch 32 --arch sm_90"
sed -i 's/sm_90/sm_13/' "$folder/device.json"
check catalog_crash --budget-s 30
contains "a catalog that dies" "$(value sweep/engines status): $(value sweep/engines reason)" "failed: exited, code 139"

unset FAKE_CATALOG
# A Python that has PyTorch where FAKE_TORCH says so, and a comparison that needs two calls.
mkdir "$folder/python"
cat >"$folder/python/python3" <<'PYTHON'
#!/usr/bin/env bash
if [[ "$1" == -c ]]; then [[ "${FAKE_TORCH:-no}" == yes ]]; exit; fi
out="" resume=no
while (($# > 0)); do
  case "$1" in
    --out) out="$2" ;;
    --resume) resume="$2" ;;
  esac
  shift
done
mkdir -p "$out"
if [[ "$resume" == no ]]; then echo 1 >"$out/peers.json" && exit 130; fi
echo "$(cat "$resume/peers.json") and 2" >"$out/peers.json"
PYTHON
chmod +x "$folder/python/python3"
phases 'others @peers --rounds 1'
if [[ ! -e "$root/.venv-peers" ]]; then
  PATH="$folder/python:$PATH" check peers0 --budget-s 30 --only others
  contains "no PyTorch is no failure" "$code $(value sweep/others reason)" "0 no python3 with PyTorch here"
fi
export FAKE_TORCH=yes
PATH="$folder/python:$PATH" check peers1 --budget-s 30 --only others
equal "a comparison that the budget ends" "$code $(value sweep/others status)" "130 interrupted"
PATH="$folder/python:$PATH" check peers2 --budget-s 30 --only others --journal "$folder/peers1"
equal "goes on in the next call" "$code $(value sweep/others status) $(cat "$folder/open/sweep/others/peers/peers.json")" "0 done 1 and 2"
unset FAKE_TORCH

# The proof of the instrument: no program, one that holds, one with a row that does not.
phases 'proof @prove --scale 0.1'
check prove0 --budget-s 30 --only proof
contains "no such program is no failure" "$code $(value sweep/proof reason)" "0 no program prove_instrument here"
printf '#!/bin/sh\necho "table $*"\necho progress >&2\nexit ${FAKE_PROOF:-0}\n' >"$bundle/bin/prove_instrument"
chmod +x "$bundle/bin/prove_instrument"
check prove1 --budget-s 30 --only proof
equal "its tables" "$code $(cat "$folder/open/sweep/proof/tables.md")" "0 table --backend cpu --scale 0.1"
FAKE_PROOF=1 check prove2 --budget-s 30 --only proof
contains "a row that does not hold" "$code $(value sweep/proof status): $(value sweep/proof reason)" "1 done: a row does not hold"

# --- the plan, and a part of the phases
phases 'one --scopes repeat ok' 'again --scopes repeat ok' 'three nothing' 'engines @catalog'
plan() { said="$("$root/scripts/gpu_check.sh" --from "$bundle" --backend cpu --phases "$folder/phases.txt" --plan "$@" 2>&1)"; }
plan --budget-s 100
contains "problems and arms" "$(grep ' one ' <<<"$said" | tr -s ' ')" " one not_reached 3 63 ~"
contains "what an earlier phase measures costs nothing" "$(grep ' again ' <<<"$said" | tr -s ' ')" " again not_reached 0 0 ~3"
contains "what cannot be told" "$(grep ' three ' <<<"$said")" "nothing in this profile"
check only --budget-s 60 --only 'on*' --only eng*
equal "only these" "$code $(value sweep/one status) $(ls "$folder/open/sweep" | paste -s -d ' ')" "0 done engines one"
equal "and nothing before them" "$(find "$folder/open/tests" -name 'log-*' | wc -l) $(value smoke status)" "0 not_reached"
plan --journal "$folder/only"
contains "what is done is shown as it was" "$(grep ' one ' <<<"$said" | tr -s ' ')" " one done 3 3 "
phases 'one --scopes load ok'
plan --journal "$folder/only"
contains "a phase that was measured with other options is refused" "$said" "holds the phase one with other options (standard-default-repeat, now standard-default-load)"

# --- compute-sanitizer, each tool a phase: a stand-in that finds errors under racecheck, or refuses the machine
copy="$folder/copy"
mkdir -p "$copy/scripts"
cp -r "$root"/scripts/{gpu_check.sh,gpu_check,lib.sh} "$copy/scripts/"
printf '# a comment\npassing\tGpu.*\nabsent\tGpu.*\n' >"$copy/scripts/gpu_check/sanitizer_tests.txt"
cat >"$folder/python/compute-sanitizer" <<'TOOL'
#!/usr/bin/env bash
while [[ "$1" == --* ]]; do
  [[ "$1" == --tool ]] && tool="$2"
  shift 2
done
[[ "${FAKE_REFUSAL:-}" == yes ]] && echo "========= Error: Device not supported." && exit 1
"$@"
code=$?
[[ "$tool" == racecheck && "$*" != *list_tests* ]] && echo "========= ERROR SUMMARY: 1 error" && exit 86
exit "$code"
TOOL
chmod +x "$folder/python/compute-sanitizer"
tests_list passing
phases 'one ok'
real_root="$root" root="$copy"
PATH="$folder/python:$PATH" check sanitized --budget-s 60 --sanitizer
equal "a tool that finds nothing" "$(value memcheck/passing status) $(value memcheck/passing passed) $(value memcheck/passing failed_tests)" "done 3 0"
contains "one that finds errors" "$(value racecheck/passing reason)" "3 passed, 1 failed, 0 skipped: tool (found errors: see the log)"
equal "the third runs all the same" "$code $(value initcheck/passing status) $(value sweep/one status)" "1 done done"
FAKE_REFUSAL=yes PATH="$folder/python:$PATH" check refused_tool --budget-s 60 --sanitizer
contains "a machine that keeps it out" "$code $said" "compute-sanitizer refuses this machine: ========= Error: Device not supported."
root="$real_root"
expect "its list names tests that there are" bash -c '
  while IFS=$'"'\t'"' read -r program filter; do
    [[ -z "$program" || "$program" == \#* ]] && continue
    "$1/scripts/device_tests.sh" | grep -q "/$program"$'"'\t'"' || { echo "no $program"; exit 1; }
    for one in ${filter//:/ }; do
      suite="${one#\*/}" && test="${suite#*.}" && suite="${suite%%.*}" && test="${test%%[/*]*}"
      grep -rqE "^TEST(_F|_P)?\($suite, *$test" "$1/tests/kernels" || { echo "no $one"; exit 1; }
    done
  done <"$1/scripts/gpu_check/sanitizer_tests.txt"' bash "$root"

# --- every failure costs its own phase
tests_list failing crashing lost passing
phases 'crash crash' 'usage usage' 'incorrect incorrect' 'after ok'
check faults --budget-s 90
equal "something failed" "$code" 1
contains "a test that fails alone too" "$(value tests/failing reason)" "Gpu.First Gpu.Third; passing alone: Gpu.Third"
contains "a crashed test is named" "$(value tests/crashing reason)" "Gpu.Second (crashed: code 139)"
equal "the tests around it ran" "$(value tests/crashing passed)" 2
equal "a lost GPU costs its own test alone" "$(value tests/lost reason)" "2 passed, 1 failed, 0 skipped: Gpu.First"
equal "a crashed phase" "$(value sweep/crash status): $(value sweep/crash reason)" "failed: crashed: code 139"
contains "a refused phase gives the reason" "$(value sweep/usage reason)" "is not a filter term"
equal "incorrect rows" "$(value sweep/incorrect status) $(value sweep/incorrect incorrect)" "done 1"
equal "the phase after them" "$(value sweep/after status)" "done"
check faults2 --budget-s 90 --journal "$folder/faults"
check faults3 --budget-s 90 --journal "$folder/faults2"
equal "what always fails is given up" "$(value sweep/crash status) $(value sweep/usage status)" "given_up given_up"
equal "and stays a failure" "$code" 1

# --- hangs: in a test, and in a phase that ignores the signal
tests_list hanging
phases 'never ok'
check hanging_test --budget-s 14
equal "a test that the budget interrupted is not settled" "$(value tests/hanging status) $(value tests/hanging passed)" "interrupted 1"
mkdir "$folder/hanging_state" && cp "$folder/hanging_test/state.tar.gz" "$folder/hanging_state/"
check hanging_test2 --budget-s 20 --journal "$folder/hanging_state"
contains "the second time it counts as dead, and the others have run" "$(value tests/hanging status): $(value tests/hanging reason)" "done: 2 passed, 1 failed, 0 skipped: Gpu.Second (no end in two calls)"
tests_list long
check long1 --budget-s 16
check long2 --budget-s 40 --journal "$folder/long1"
equal "tests go on where the budget ended" "$(value tests/long status) $(value tests/long passed)" "done 3"
expect "and none that ended runs again" test "$(cat "$folder/open/tests/long"/log-*.txt | grep -c 'OK \] Gpu.First')" -eq 1
tests_list passing
phases 'hang hang' 'never ok'
check hangs --budget-s 30
expect "the budget holds" test "$took" -le 45
contains "a phase that ignores the signal is killed" "$(value sweep/hang reason)" "killed"
equal "what comes after it is on the list" "$(value sweep/never status)" not_reached
expect "what it had started is gone" test -z "$(pgrep -f "$mark" || true)"
contains "the next command is printed" "$said" "--journal"

# --- several short calls add up
tests_list passing
phases 'slow slow' 'last ok'
check short1 --budget-s 13
equal "the budget ends first" "$code" 130
expect "in the middle of a phase, or on a slow machine before it" grep -qE '^status=(interrupted|not_reached)' "$folder/open/sweep/slow/status"
previous=short1
for call in 2 3 4 5 6 7 8 9 10; do
  mkdir "$folder/only_state_$call" && cp "$folder/$previous/state.tar.gz" "$folder/only_state_$call/"
  check "short$call" --budget-s 13 --journal "$folder/only_state_$call"
  previous="short$call"
  ((code == 0)) && break
done
equal "short calls add up" "$code $(value sweep/slow status) $(value sweep/last status)" "0 done done"
equal "no step was taken twice" "$(grep -c step "$folder/open/sweep/slow/run/journal.jsonl")" 8

# --- huge files
phases 'huge huge' 'slow slow'
check huge --budget-s 24
expect "at most four files" test "$(find "$folder/huge" -type f | wc -l)" -le 4
expect "none over 15 MiB" test -z "$(find "$folder/huge" -type f -size +15360k)"
equal "and it is all there" "$(value sweep/huge status) $(stat -c %s "$folder/open/sweep/huge/run/worker.log" 2>/dev/null || ls "$folder/open/sweep/huge/run" | grep -c part-)" "done 3"

# --- told to stop from outside
phases 'slow slow' 'slower slow'
begun="$SECONDS"
timeout -s TERM 8 "$root/scripts/gpu_check.sh" --from "$bundle" --backend cpu --phases "$folder/phases.txt" --out "$folder/stopped" --budget-s 300 >/dev/null 2>&1
expect "a signal ends it soon" test $((SECONDS - begun)) -lt 60
mkdir "$folder/open2" && tar -xzf "$folder/stopped/state.tar.gz" -C "$folder/open2"
expect "with all that it had" grep -q '^status=interrupted' "$folder/open2/sweep/slow/status"

# --- a control that proves the machine or the build wrong
phases 'one ok'
sed -i 's/^  env)/  envx)/; s/^word="" run=""/[[ " $* " == *" op:control "* ]] \&\& echo "detbench: the negative control differed" \&\& exit 3\n&/' "$bundle/bin/detbench"
check negative --budget-s 40
equal "nothing is measured after it" "$(value sweep/one status) $(value smoke status) $code" "not_reached not_reached 1"

# --- refusals
refused() {
  local what="$1" words="$2"
  shift 2
  code=0
  said="$("$root/scripts/gpu_check.sh" --from "$bundle" --backend cpu --phases "$folder/phases.txt" "$@" 2>&1)" || code=$?
  equal "$what: exit code" "$code" 2
  equal "$what: one line" "$(grep -vc '^  ' <<<"$said")" 1
  contains "$what" "$said" "$words"
}
refused "no number" "--budget-s is 'soon'" --budget-s soon
refused "an unknown option" "unknown argument" --frobnicate
refused "a value is missing" "needs a value" --out
refused "no such backend" "cuda and cpu are" --backend tpu
refused "no such journal" "is no folder" --journal "$folder/nowhere"
refused "another program's journal" "must not be mixed" --journal "$folder/good" --out "$folder/other"
printf '%s\n' 'one ok' 'one ok' >"$folder/bad.txt"
refused "a phase twice" "has the phase one twice" --phases "$folder/bad.txt"
printf '%s\n' 'one --frobnicate 1 ok' >"$folder/bad.txt"
refused "no option of a phase" "is no option of a phase" --phases "$folder/bad.txt"
printf '%s\n' 'one @tea' >"$folder/bad.txt"
refused "no kind of phase" "is no kind of phase" --phases "$folder/bad.txt"
printf '%s\n' 'one --scopes load' >"$folder/bad.txt"
refused "no filter" "has no FILTER" --phases "$folder/bad.txt"
refused "no phase of this name" "no phase has such a name" --only 'x*'
mkdir "$folder/full" && touch "$folder/full/file"
refused "a folder that is not empty" "is not empty" --out "$folder/full"
expect "a refused call leaves nothing behind" test ! -e "$folder/other"
conclude
