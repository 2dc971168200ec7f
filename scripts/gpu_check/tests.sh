# shellcheck shell=bash
# Runs the device tests so that no crash and no hang takes more than itself; sourced by gpu_check.sh.

test_limit_s=150 # of one program's run
rounds_limit=6   # runs of one program that crashes again and again

# ended_tests LOG WORD: names of the tests that ended as WORD (OK, FAILED, SKIPPED) according to GoogleTest's output.
ended_tests() { sed -nE "s/^\[ *$2 *\] ([^ ,]+).* \([0-9]+ ms\)\$/\1/p" "$1" 2>/dev/null | sort -u; }

# unfinished_test LOG: the test that had begun and did not end.
unfinished_test() {
  awk '/^\[ RUN      \] / { name = $4 }
       /^\[ *(OK|FAILED|SKIPPED) *\] .* \([0-9]+ ms\)$/ { name = "" }
       END { if (name != "") print name }' "$1"
}

# test_environment: what every test program gets, whatever the caller's.
test_environment=(env -u GTEST_FILTER -u GTEST_OUTPUT -u GTEST_REPEAT -u GTEST_SHUFFLE -u GTEST_FAIL_FAST -u GTEST_TOTAL_SHARDS -u GTEST_COLOR OMP_DYNAMIC=false)

# check_program FOLDER PROGRAM FILTER END_S [PREFIX...]: PREFIX is a tool to run it under. A test that crashes or hangs
# is noted, and the rest run without it in a new process.
check_program() {
  local folder="$1" program="$2" filter="$3" end_s="$4"
  shift 4
  local round limit name skip="" died="" begun="$SECONDS" out_of_time=no failed=() reason=""
  mkdir -p -- "$folder" && rm -f -- "$folder"/log*.txt "$folder"/result*.json
  for ((round = 1; round <= rounds_limit; round++)); do
    limit=$((end_s - SECONDS < test_limit_s ? end_s - SECONDS : test_limit_s))
    if ((limit < 1)) || [[ -e "$work/stop" ]]; then out_of_time=yes && break; fi
    : >"$folder/log-round.txt"
    run_bounded "$limit" 2 "$folder/log-round.txt" "${test_environment[@]}" "$@" "$program" "--gtest_filter=$filter${skip:+:-$skip}" \
      "--gtest_output=json:$folder/result-$round.json"
    cat -- "$folder/log-round.txt" >>"$folder/log.txt"
    if [[ "$bounded_end" == exited ]] && grep -q '^\[==========\] .* ran\.' "$folder/log-round.txt"; then break; fi
    # The budget stopped it, not its own limit.
    if [[ "$bounded_end" != exited ]] && ((limit < test_limit_s)); then out_of_time=yes && break; fi
    name="$(unfinished_test "$folder/log-round.txt")"
    if [[ -z "$name" ]]; then
      died+=" (between tests: $bounded_end, code $bounded_code)"
      break
    fi
    if [[ "$bounded_end" == exited ]]; then died+=" $name (crashed: code $bounded_code)"; else died+=" $name (no end in $limit s)"; fi
    skip="$({ tr ':' '\n' <<<"$skip" && printf '%s\n' "$name" && ended_tests "$folder/log-round.txt" OK && ended_tests "$folder/log-round.txt" FAILED && ended_tests "$folder/log-round.txt" SKIPPED; } | grep -v '^$' | sort -u | paste -s -d :)"
  done
  local passed skipped count
  mapfile -t failed < <(ended_tests "$folder/log.txt" FAILED)
  for name in "${failed[@]}"; do reason+=" $name"; done
  rm -f -- "$folder/log-round.txt"
  passed="$(ended_tests "$folder/log.txt" OK | wc -l)"
  skipped="$(ended_tests "$folder/log.txt" SKIPPED | wc -l)"
  count="${#failed[@]}"
  [[ -n "$died" ]] && count=$((count + $(grep -o '(crashed\|(no end\|(between' <<<"$died" | wc -l)))
  # What a tool like compute-sanitizer found shows in its exit code alone.
  if (($# > 0 && count == 0)) && [[ "$out_of_time" == no && "$bounded_code" != 0 ]]; then count=1 && reason=" the tool ended with code $bounded_code"; fi
  local status=done text="$passed passed, $count failed, $skipped skipped"
  [[ -n "$reason$died" ]] && text+=":$reason$died"
  if [[ "$out_of_time" == yes ]]; then status=interrupted; fi
  if [[ "$status" == done && "$backend" == cuda ]] && ((passed + count == 0)); then
    status=failed
    text+="; nothing ran: $(grep -m 1 -A 1 ': Skipped$' "$folder/log.txt" | tail -n 1)"
  fi
  set_status "$folder" "status=$status" "reason=$text" "passed=$passed" "failed_tests=$count" "skipped=$skipped" "elapsed_s=$((SECONDS - begun))"
}

# check_programs KIND END_S [PREFIX...]: all device test programs, JOBS at a time, into KIND/NAME. What is settled stays.
check_programs() {
  local kind="$1" end_s="$2" program filter folder
  shift 2
  while IFS=$'\t' read -r program filter; do
    folder="$kind/$(basename -- "$program")"
    is_settled "$folder" && continue
    if ((SECONDS + 2 > end_s)) || [[ -e "$work/stop" ]]; then
      set_status "$folder" status=not_reached
      continue
    fi
    if [[ ! -x "$programs/$program" ]]; then
      set_status "$folder" status=given_up "reason=no program $program here" failed_tests=1
      continue
    fi
    while (($(jobs -rp | wc -l) >= jobs_at_a_time)); do sleep 0.1; done
    # A signal to the whole process group must not end the one that watches the program.
    (
      trap 'touch "$work/stop"' TERM INT HUP
      check_program "$state/$folder" "$programs/$program" "$filter" "$end_s" "$@"
    ) &
  done <"$work/device_tests"
  while (($(jobs -rp | wc -l) > 0)); do sleep 0.1; done
  if (($# == 0)); then check_alone "$kind" "$end_s"; fi
}

# check_alone KIND END_S: what failed runs once more by itself, with nothing beside it: after a CUDA error everything
# later in a process fails with it, and some tests are about time. It stays a failure; whether it passes alone is noted.
check_alone() {
  local kind="$1" end_s="$2" program filter folder name notes tried
  while IFS=$'\t' read -r program filter; do
    folder="$kind/$(basename -- "$program")"
    [[ -r "$folder/log.txt" && "$(get_status "$folder" failed_tests 0)" != 0 && -z "$(get_status "$folder" alone)" ]] || continue
    notes="" tried=0
    while read -r name <&4; do
      ((++tried <= 10 && end_s - SECONDS > 5)) || break
      run_bounded $((end_s - SECONDS < 60 ? end_s - SECONDS : 60)) 2 "$folder/log-alone.txt" "${test_environment[@]}" "$programs/$program" "--gtest_filter=$name"
      if [[ "$bounded_end" == exited && "$bounded_code" == 0 ]]; then notes+=" $name"; fi
    done 4< <(ended_tests "$folder/log.txt" FAILED)
    if ((tried > 0)); then set_status "$folder" "alone=passing alone:${notes:- none}" "reason=$(get_status "$folder" reason)${notes:+; passing alone:$notes}"; fi
  done <"$work/device_tests"
}
