#!/usr/bin/env bash
# Checks and measures detbench on a machine with a GPU, within a number of seconds, and packs what it found.
#
# Usage: scripts/gpu_check.sh [OPTIONS]
#
#   scripts/gpu_check.sh                                      480 seconds, results in gpu_check_<UTC time>
#   scripts/gpu_check.sh --journal FIRST --out SECOND         goes on where the call that made FIRST stopped
#   scripts/gpu_check.sh --backend cpu --budget-s 60          the same on the CPU
#
#   --budget-s N      seconds for everything, packing included (480; at least 10)
#   --out DIR         folder for the packed files; made if it is not there, else it must be empty
#   --journal DIR     what an earlier call packed, all of it or state.tar.gz alone; can be given again, later ones win
#   --backend NAME    cuda or cpu (cuda)
#   --profile NAME, --search TIERS, --scopes LIST, --network-runs N
#                     of `detbench run`, instead of the defaults of the phases file; a phase's own options stay
#   --phases FILE     phases of the sweep (scripts/gpu_check/phases.txt)
#   --only GLOB       phases whose names match, like 'conv_bf16_*', and nothing before them; can be given again
#   --from DIR        a bundle or a build folder (the bundle this script lies in, else build/BACKEND of the checkout)
#   --jobs N          test programs at a time (a quarter of the cores, at most 4)
#   --sanitizer       runs some device tests once more under compute-sanitizer's memcheck, racecheck and initcheck, where it is found
#   --plan            prints what is done, what is left, and about how long that takes in calls of --budget-s, and ends
#
# In order: the environment (with what became of atomic additions, where a cuobjdump is), the device tests, the controls, a smoke
# sweep with its report, then the phases of a sweep until the budget ends. A crash or a hang costs its own phase. DIR gets at most 4 files of at most 15 MiB: state.tar.gz
# holds what the next call needs, results-*.tar.gz the rest. The bundle is made by scripts/bundle.sh; see docs/gpu.md.
#
# Exit codes: 0 everything is done; 1 something failed or is incorrect; 2 usage; 3 could not run; 130 the budget ended
# first, nothing failed.
set -uo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
for part in bounded state pack sass tests sanitizer phases sweep others plan; do
  # shellcheck source=/dev/null
  source "$detbench_root/scripts/gpu_check/$part.sh"
done
SECONDS=0

budget_s=480 out="" backend=cuda profile="" phases_file="$detbench_root/scripts/gpu_check/phases.txt" from="" scopes="" search="" network_runs="" with_sanitizer=no plan=no
only=()
jobs_at_a_time=$(($(nproc) / 4 < 1 ? 1 : $(nproc) / 4 > 4 ? 4 : $(nproc) / 4))
journals=()
while (($# > 0)); do
  case "$1" in
    -h | --help)
      print_header_comment
      exit 0
      ;;
    --sanitizer) with_sanitizer=yes ;;
    --plan) plan=yes ;;
    --budget-s | --out | --journal | --backend | --profile | --search | --scopes | --network-runs | --phases | --only | --from | --jobs)
      (($# >= 2)) || fail 2 "$1 needs a value; see scripts/gpu_check.sh --help"
      case "$1" in
        --budget-s) budget_s="$2" ;;
        --out) out="$2" ;;
        --journal) journals+=("$2") ;;
        --backend) backend="$2" ;;
        --profile) profile="$2" ;;
        --search) search="$2" ;;
        --scopes) scopes="$2" ;;
        --network-runs) network_runs="$2" ;;
        --only) only+=("$2") ;;
        --phases) phases_file="$2" ;;
        --from) from="$2" ;;
        --jobs) jobs_at_a_time="$2" ;;
      esac
      shift
      ;;
    *) fail 2 "unknown argument '$1'; see scripts/gpu_check.sh --help" ;;
  esac
  shift
done
[[ "$budget_s" =~ ^[1-9][0-9]{1,5}$ ]] || fail 2 "--budget-s is '$budget_s'; it takes whole seconds, at least 10"
[[ "$jobs_at_a_time" =~ ^[1-9][0-9]?$ ]] || fail 2 "--jobs is '$jobs_at_a_time'; it takes a number from 1 to 99"
[[ -z "$scopes" || "$scopes" =~ ^[a-z]+(,[a-z]+)*$ ]] || fail 2 "--scopes is '$scopes'; it takes scopes joined by commas, like repeat,load"
[[ -z "$search" || "$search" =~ ^[a-z0-9]+(,[a-z0-9]+)*$ ]] || fail 2 "--search is '$search'; it takes tiers joined by commas, like t0,t1"
[[ -z "$network_runs" || "$network_runs" =~ ^[1-9][0-9]{0,5}$ ]] || fail 2 "--network-runs is '$network_runs'; it takes a number from 1 to 999999"
[[ "$backend" == cuda || "$backend" == cpu ]] || fail 2 "--backend is '$backend'; cuda and cpu are"
[[ -r "$phases_file" ]] || fail 2 "--phases '$phases_file' cannot be read"
phases_file="$(realpath -- "$phases_file")"
load_phases "$phases_file"
choose_phases "${only[@]}"
for journal in "${journals[@]}"; do [[ -d "$journal" ]] || fail 2 "--journal '$journal' is no folder"; done

# Where the programs are.
bundled=no
if [[ -z "$from" && -e "$detbench_root/bin/detbench" ]]; then from="$detbench_root"; fi
[[ -n "$from" ]] || from="$detbench_root/build/$backend"
[[ -d "$from" ]] || fail 3 "no folder '$from': build the preset $backend, or name a bundle or a build folder with --from"
programs="$(cd -- "$from" && pwd -P)"
if [[ -x "$programs/bin/detbench" ]]; then bundled=yes detbench="$programs/bin/detbench"; else detbench="$programs/detbench"; fi
[[ -x "$detbench" ]] || fail 3 "no program '$detbench'"
# The machine's own C++ library where it has one that is new enough, else the one that was carried.
if [[ "$bundled" == yes && -d "$programs/lib/if-absent" ]] && ldd "$detbench" 2>&1 | grep -q 'not found'; then
  export LD_LIBRARY_PATH="$programs/lib/if-absent${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
fi

work="$(mktemp -d "${TMPDIR:-/tmp}/gpu_check.XXXXXX")" || fail 3 "no temporary folder"
trap 'rm -rf -- "$work"' EXIT
state="$work/state" program_list="$work/device_tests"
mkdir -p -- "$state"
if [[ -e "$programs/device_tests.txt" ]]; then
  cp -- "$programs/device_tests.txt" "$work/device_tests"
else
  "$detbench_root/scripts/device_tests.sh" >"$work/device_tests" || fail 3 "the device tests cannot be listed"
fi
for journal in "${journals[@]}"; do unpack "$journal" "$state"; done
cd -- "$state" || fail 3 "'$state' is gone"
check_identity
[[ -s threads ]] || nproc >threads

# print_summary: one screen.
print_summary() {
  local folder status tests=0 passed=0 failed=0 skipped=0 todo=() shown
  while read -r folder; do
    tests=$((tests + 1))
    passed=$((passed + $(get_status "$folder" passed 0)))
    failed=$((failed + $(get_status "$folder" failed_tests 0)))
    skipped=$((skipped + $(get_status "$folder" skipped 0)))
  done < <(status_folders | grep '^tests/')
  say "call $(wc -l <calls), $SECONDS of $budget_s s used; $(paste -s -d ' ' identity | sed 's/program_sha256=[0-9a-f]* //')"
  printf '  %-32s %-11s %6s  %s\n' phase status seconds what
  printf '  %-32s %-11s %6s  %s\n' "tests, $tests programs" "" "" "$passed passed, $failed failed, $skipped skipped"
  while read -r folder; do
    status="$(get_status "$folder" status)"
    [[ "$status" == not_reached ]] && todo+=("${folder##*/}") && continue
    [[ "$folder" == tests/* && "$status" == done && "$(get_status "$folder" failed_tests 0)" == 0 ]] && continue
    shown="$(get_status "$folder" rows)"
    [[ "$folder" == controls/* ]] && shown="$(get_status "$folder" controls)"
    printf '  %-32s %-11s %6s  %s\n' "$folder" "$status" "$(get_status "$folder" elapsed_s)" "$shown${shown:+ }$(get_status "$folder" reason)" | cut -c 1-160
  done < <(status_folders)
  ((${#todo[@]} > 0)) && printf '  not reached, %d: %s\n' "${#todo[@]}" "${todo[*]}" | cut -c 1-160
  return 0
}

# anything STATUS...: whether a phase has one of these; with --only, of those that were asked for.
anything() {
  local folder word
  while read -r folder; do
    ((${#only[@]} > 0)) && [[ "$folder" != sweep/* ]] && continue
    for word in "$@"; do [[ "$(get_status "$folder" status)" == "$word" ]] && return 0; done
  done < <(status_folders)
  return 1
}

# Every phase is on the list from the start, so that the list of what is left is complete whenever this ends.
while IFS=$'\t' read -r program _; do
  [[ -e "tests/$(basename -- "$program")/status" ]] || set_status "tests/$(basename -- "$program")" status=not_reached
done <"$work/device_tests"
rm -rf -- controls # measured anew by every call: they are this machine's at this time
[[ -e smoke/status ]] || set_status smoke status=not_reached
for name in "${phase_order[@]}"; do
  [[ -e "sweep/$name/status" ]] || set_status "sweep/$name" status=not_reached
  read_phase "$name"
  made="$(get_status "sweep/$name" settings)"
  [[ "$phase_kind" != run || -z "$made" || "$made" == "$phase_settings" ]] ||
    fail 2 "the journal holds the phase $name with other options ($made, now $phase_settings): give the phase another name"
done

if [[ "$plan" == yes ]]; then
  touch calls
  print_plan
  exit 0
fi
[[ -n "$out" ]] || out="$OLDPWD/gpu_check_$(date -u +%Y%m%dT%H%M%SZ)"
[[ "$out" == /* ]] || out="$OLDPWD/$out"
mkdir -p -- "$out" || fail 2 "--out '$out' cannot be made"
[[ -z "$(ls -A -- "$out")" ]] || fail 2 "--out '$out' is not empty: give each call a folder of its own"
out="$(cd -- "$out" && pwd -P)"

# Told to stop (a caller's time limit, an interrupt): the phase in flight is stopped, then everything is packed.
trap 'touch "$work/stop"' TERM INT HUP
ulimit -c 0
printf '%s budget_s=%s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$budget_s" >>calls

# The end of the budget belongs to stopping and packing: at least 4 seconds, at most 60, and more the larger the state.
grace_s=$((budget_s / 8 < 4 ? 4 : budget_s / 8 > 12 ? 12 : budget_s / 8))
last_pack_s=0
pack_took_s=0
work_end() {
  local reserve=$((2 + budget_s / 40 + $(du -sm -- "$state" | cut -f 1) / 12))
  ((reserve > 60)) && reserve=60
  printf '%s\n' $((budget_s - grace_s - reserve))
}
left_s() { [[ -e "$work/stop" ]] && echo 0 || echo $(($(work_end) - SECONDS)); }

# save: packs what there is, so that even a machine that vanishes leaves the last state behind.
save() {
  local begun="$SECONDS"
  write_status_json
  print_summary >summary.txt
  pack "$state" "$out" >"$work/pack.log"
  last_pack_s="$SECONDS"
  pack_took_s=$((SECONDS - begun))
}
save_if_due() { if ((SECONDS - last_pack_s >= 60 && pack_took_s <= 3)); then save; fi; }

finish() {
  save
  rm -f -- "$work/stop"
  print_summary
  cat -- "$work/pack.log"
  (cd -- "$out" && stat -c '%s %n' -- *) | awk '{ printf "  %8.2f MiB  %s\n", $1 / 1048576, $2 }'
  local code=0
  if anything interrupted not_reached failed; then
    code=130
    local next
    next="scripts/gpu_check.sh --budget-s $budget_s --journal $(printf '%q' "$out") --out NEXT"
    [[ "$backend" == cuda ]] || next+=" --backend $backend"
    [[ -z "$profile" ]] || next+=" --profile $profile"
    [[ -z "$search" ]] || next+=" --search $search"
    [[ -z "$network_runs" ]] || next+=" --network-runs $network_runs"
    [[ -z "$scopes" ]] || next+=" --scopes $scopes"
    for name in "${only[@]}"; do next+=" --only $(printf '%q' "$name")"; done
    say "more is left; go on with: $next"
  fi
  anything failed given_up && code=1
  grep -qsE '^(failed_tests|incorrect)=[1-9]' {tests,memcheck,racecheck,initcheck}/*/status smoke/status sweep/*/status && code=1
  exit "$code"
}

# --- the environment
mkdir -p env
run_bounded 30 2 env/env.txt "$detbench" env
run_bounded 30 2 env/env.json "$detbench" env --json
{ uname -srm && ldd --version | head -n 1 && nproc && free -m | head -n 2 && ldd "$detbench"; } >env/machine.txt 2>&1
read_atomics
if command -v nvidia-smi >/dev/null; then
  run_bounded 20 2 env/nvidia-smi.txt nvidia-smi
  run_bounded 20 2 env/nvidia-smi-q.txt nvidia-smi -q
fi
if [[ "$backend" == cuda ]] && grep -q 'no CUDA backend here' env/env.txt; then
  save
  fail 3 "$(grep -o 'no CUDA backend here.*' env/env.txt | head -n 1); what is known is in '$out'"
fi

trusted=yes
if ((${#only[@]} == 0)); then
  # --- device tests: at most 45 % of the budget in one call
  say "device tests"
  tests_end=$((SECONDS + budget_s * 45 / 100))
  ((tests_end > $(work_end))) && tests_end="$(work_end)"
  check_programs tests "$tests_end"
  save_if_due
  if [[ "$with_sanitizer" == yes ]]; then run_sanitizer; fi

  # --- the controls that the first phases need
  next_run_phase
  if (($(left_s) > 2)); then check_controls; fi

  # --- smoke sweep and its report: at most half of what is left, so that one slow arm cannot keep the sweep from beginning
  if [[ "$trusted" == yes ]] && ! is_settled smoke && (($(left_s) > 2)); then
    say "smoke sweep"
    # Small, and shows every scope once.
    measure smoke $(($(left_s) / 2)) smoke "" "" "" --
    if [[ -s smoke/run/result.json ]] && (($(left_s) > 2)); then
      venv=()
      [[ -d "$programs/vega" ]] && venv=(--venv "$programs/vega")
      run_bounded $(($(left_s) < 60 ? $(left_s) : 60)) 2 smoke/log.txt "$detbench" report smoke/run --out smoke/report --force --no-images "${venv[@]}"
      [[ "$bounded_end:$bounded_code" == exited:0 ]] || set_status smoke "report=none: $bounded_end, code $bounded_code"
    fi
    save_if_due
  fi
fi

# --- the sweep
if [[ "$trusted" == yes ]]; then sweep; fi
finish
