#!/usr/bin/env bash
# gpu_check.sh over stand-ins that crash, hang, ignore signals, overflow and resume.
source "$(dirname -- "${BASH_SOURCE[0]}")/gpu_check_stand_ins.sh"

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
