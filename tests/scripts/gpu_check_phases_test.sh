#!/usr/bin/env bash
# Phases of gpu_check.sh with options and kinds of their own, its plan, and the tools of compute-sanitizer, over stand-ins.
source "$(dirname -- "${BASH_SOURCE[0]}")/gpu_check_stand_ins.sh"
tests_list passing

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
conclude
