# shellcheck shell=bash
# Runs the device tests so that no crash and no hang takes more than itself, and goes on in a later call where the budget
# ended; sourced by gpu_check.sh. In the folder of a program:
#
#   log-*.txt    GoogleTest's output, one file per process that runs part of the tests; what ended there is not run again
#   died.txt     tests that crashed or had no end, with how
#   slow.txt     tests that the budget interrupted, a line each time: they come last, and count as dead the second time

test_limit_s=180 # of one test
parts_from=12    # tests from which on a program is run by several processes

# ended_tests FOLDER WORD: names of the tests that ended as WORD (OK, FAILED, SKIPPED) according to GoogleTest's output.
ended_tests() { cat -- "$1"/log-[0-9]*.txt 2>/dev/null | sed -nE "s/^\[ *$2 *\] ([^ ,]+).* \([0-9]+ ms\)\$/\1/p" | sort -u; }

# unfinished_test LOG: the test that had begun and did not end.
unfinished_test() {
  awk '/^\[ RUN      \] / { name = $4 }
       /^\[ *(OK|FAILED|SKIPPED) *\] .* \([0-9]+ ms\)$/ { name = "" }
       END { if (name != "") print name }' "$1"
}

# ran_tests LOG: the log without the tests that were skipped because an earlier one had taken the GPU down (a sticky CUDA
# error, kernels/device/device_cuda.cpp): they did not run, and do in the next process.
ran_tests() {
  awk '/^\[ RUN      \] / { printf "%s", held; held = "" }
       { held = held $0 "\n" }
       before ~ /: Skipped$/ && /the GPU is lost to this process/ { lost = 1 }
       /^\[ *(OK|FAILED|SKIPPED) *\] / { if (!lost) printf "%s", held; held = ""; lost = 0 }
       { before = $0 }
       END { printf "%s", held }' "$1"
}

# listed_tests PROGRAM FILTER: the full names that the filter selects.
listed_tests() {
  "${test_environment[@]}" timeout 60 "$1" --gtest_list_tests "--gtest_filter=$2" 2>/dev/null </dev/null |
    awk '/^[^ ].*\.( |$)/ { suite = $1; next } /^  [^ ]/ && suite != "" { print suite $1 }'
}

# test_environment: what every test program gets, whatever the caller's.
test_environment=(env -u GTEST_FILTER -u GTEST_OUTPUT -u GTEST_REPEAT -u GTEST_SHUFFLE -u GTEST_FAIL_FAST -u GTEST_TOTAL_SHARDS -u GTEST_COLOR OMP_DYNAMIC=false)

# settled_tests FOLDER: names that need not run any more.
settled_tests() {
  ended_tests "$1" OK && ended_tests "$1" FAILED && ended_tests "$1" SKIPPED
  cat -- "$1"/died.txt 2>/dev/null | cut -d ' ' -f 1
  sort -- "$1"/slow.txt 2>/dev/null | uniq -d
}

# run_part FOLDER PROGRAM NAMES PART END_S [PREFIX...]: the tests listed in the file NAMES, in as many processes as it takes.
# PREFIX is a tool to run them under.
run_part() {
  local folder="$1" program="$2" names="$3" part="$4" end_s="$5"
  shift 5
  local log="$folder/log-$part.txt" round left slow name
  for ((round = 1; round <= 20; round++)); do
    left="$(grep -vxFf <(settled_tests "$folder" | grep . || echo '//') "$names")"
    slow="$(grep -xFf "$folder/slow.txt" <<<"$left" 2>/dev/null)"
    # What took too long before comes last.
    if [[ -n "$slow" && "$slow" != "$left" ]]; then left="$(grep -vxFf "$folder/slow.txt" <<<"$left")"; fi
    [[ -n "$left" ]] || return 0
    if ((end_s - SECONDS < 2)) || [[ -e "$work/stop" ]]; then return 0; fi
    : >"$folder/round-$part.txt"
    watched_log="$folder/round-$part.txt"
    run_bounded $((end_s - SECONDS)) 2 "$folder/round-$part.txt" "${test_environment[@]}" "$@" "$program" \
      "--gtest_filter=$(paste -s -d : <<<"$left")" "--gtest_output=json:$folder/result-$part-$round.json"
    watched_log=""
    ran_tests "$folder/round-$part.txt" >>"$log"
    name="$(unfinished_test "$folder/round-$part.txt")"
    rm -f -- "$folder/round-$part.txt"
    if [[ "$bounded_end" == exited && -z "$name" ]]; then
      # compute-sanitizer's findings show in the exit code alone.
      if (($# > 0 && bounded_code == 86)); then echo "tool (found errors: see the log)" >>"$folder/died.txt"; fi
      # It ended by itself with nothing run: nothing will come of another round.
      [[ -n "$(grep -xFf <(settled_tests "$folder") <<<"$left")" ]] && continue
      echo "program (ended with code $bounded_code before its first test)" >>"$folder/died.txt"
      return 0
    fi
    if [[ -z "$name" ]]; then
      [[ "$bounded_why" == limit ]] && return 0
      echo "program ($bounded_end between tests: code $bounded_code)" >>"$folder/died.txt"
      return 0
    elif [[ "$bounded_end" == exited ]]; then
      echo "$name (crashed: code $bounded_code)" >>"$folder/died.txt"
    elif [[ "$bounded_why" == hang ]]; then
      echo "$name (no end in $test_limit_s s)" >>"$folder/died.txt"
    else
      echo "$name" >>"$folder/slow.txt" # the budget ended
    fi
  done
}

# judge_program FOLDER NAMES: the status, from what the processes left behind.
judge_program() {
  local folder="$1" names="$2" passed failed skipped died status=done text name
  passed="$(ended_tests "$folder" OK | wc -l)"
  skipped="$(ended_tests "$folder" SKIPPED | wc -l)"
  failed="$(ended_tests "$folder" FAILED)"
  died="$({ cat -- "$folder/died.txt"; sort -- "$folder/slow.txt" | uniq -d | sed 's/$/ (no end in two calls)/'; } 2>/dev/null | sort -u)"
  local count=$(($(grep -c . <<<"$failed") + $(grep -c . <<<"$died")))
  text="$passed passed, $count failed, $skipped skipped"
  if [[ -n "$failed$died" ]]; then text+=": $(printf '%s\n%s\n' "$failed" "$died" | grep . | paste -s -d ' ')"; fi
  local left
  left="$(grep -vxFf <(settled_tests "$folder" | grep . || echo '//') "$names" | grep -c .)"
  if ((left > 0)) && ! grep -qs '^program ' "$folder/died.txt"; then
    status=interrupted
    text+=", $left left"
  elif [[ ! -s "$names" ]]; then
    status=given_up
    text="its tests cannot be listed: $("${programs:?}/${folder#*/}" --gtest_list_tests 2>&1 </dev/null | tail -n 1)"
    count=1
  elif [[ "$backend" == cuda ]] && ((passed + count == 0)); then
    status=failed
    name="$(cat -- "$folder"/log-[0-9]*.txt | grep -m 1 -A 1 ': Skipped$' | tail -n 1)"
    text+="; nothing ran: $name"
  fi
  set_status "$folder" "status=$status" "reason=$text" "passed=$passed" "failed_tests=$count" "skipped=$skipped"
}

# check_programs KIND END_S [PREFIX...]: the programs of program_list into KIND/NAME, JOBS processes at a time. What is settled
# stays as it is.
check_programs() {
  local kind="$1" end_s="$2" folder
  local -a begun_folders=()
  shift 2
  # What only a GPU can answer first: the files also hold suites that run anywhere.
  begin_tests "$kind" "$end_s" 1 '^[^.]*(Gpu|GPU|Cuda|Device)' "$@"
  begin_tests "$kind" "$end_s" 2 '' "$@"
  for folder in "${begun_folders[@]}"; do judge_program "$folder" "$work/$folder.names"; done
  if (($# == 0)); then check_alone "$kind" "$end_s"; fi
}

# begin_tests KIND END_S STAGE PATTERN [PREFIX...]: those whose name matches, and waits for their end. Adds to begun_folders.
begin_tests() {
  local kind="$1" end_s="$2" stage="$3" pattern="$4" program filter folder parts part
  shift 4
  while IFS=$'\t' read -r program filter; do
    folder="$kind/$(basename -- "$program")"
    is_settled "$folder" && continue
    if ((SECONDS + 2 > end_s)) || [[ -e "$work/stop" ]]; then
      [[ -n "$(get_status "$folder" status)" ]] || set_status "$folder" status=not_reached
      continue
    fi
    if [[ ! -x "$programs/$program" ]]; then
      set_status "$folder" status=given_up "reason=no program $program here" failed_tests=1
      continue
    fi
    mkdir -p -- "$folder" "$work/$kind"
    if [[ ! -e "$work/$folder.names" ]]; then
      begun_folders+=("$folder")
      listed_tests "$programs/$program" "$filter" >"$work/$folder.names"
    fi
    grep -E -- "$pattern" "$work/$folder.names" >"$work/$folder.names-$stage"
    parts=1
    (($(wc -l <"$work/$folder.names-$stage") >= parts_from)) && parts="$jobs_at_a_time"
    for ((part = 1; part <= parts; part++)); do
      awk -v parts="$parts" -v part="$part" 'NR % parts == part % parts' "$work/$folder.names-$stage" >"$work/$folder.names-$stage-$part"
      while (($(jobs -rp | wc -l) >= jobs_at_a_time)); do sleep 0.1; done
      # A signal to the whole process group must not end the one that watches the program.
      (
        trap 'touch "$work/stop"' TERM INT HUP
        run_part "$state/$folder" "$programs/$program" "$work/$folder.names-$stage-$part" "$stage-$part" "$end_s" "$@"
      ) &
    done
  done <"$program_list"
  while (($(jobs -rp | wc -l) > 0)); do sleep 0.1; done
}

# check_alone KIND END_S: what failed runs once more by itself, with nothing beside it: after a CUDA error everything
# later in a process fails with it, and some tests are about time. It stays a failure; whether it passes alone is noted.
check_alone() {
  local kind="$1" end_s="$2" program filter folder name notes tried
  while IFS=$'\t' read -r program filter; do
    folder="$kind/$(basename -- "$program")"
    [[ "$(get_status "$folder" failed_tests 0)" != 0 && -z "$(get_status "$folder" alone)" ]] && is_settled "$folder" || continue
    notes="" tried=0
    while read -r name <&4; do
      ((++tried <= 10 && end_s - SECONDS > 5)) || break
      run_bounded $((end_s - SECONDS < 60 ? end_s - SECONDS : 60)) 2 "$folder/alone.txt" "${test_environment[@]}" "$programs/$program" "--gtest_filter=$name"
      if [[ "$bounded_end" == exited && "$bounded_code" == 0 ]]; then notes+=" $name"; fi
    done 4< <(ended_tests "$folder" FAILED)
    if ((tried > 0)); then set_status "$folder" "alone=passing alone:${notes:- none}" "reason=$(get_status "$folder" reason)${notes:+; passing alone:$notes}"; fi
  done <"$program_list"
}
