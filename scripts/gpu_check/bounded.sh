# shellcheck shell=bash
# Runs one program within a time limit, whatever it does; sourced by gpu_check.sh.

bounded_pid=""
watched_log="" # of a test program: one test may not take longer than test_limit_s

# run_bounded LIMIT_S GRACE_S LOG COMMAND...: the program in a process group of its own, its output appended to LOG. At
# the limit it gets SIGTERM, which detbench takes as an interrupt: it finishes its row and writes its file. What is
# still there GRACE_S later is killed with all that it started. Never fails itself; sets
#   bounded_end   exited | stopped (ended by itself after SIGTERM) | killed | abandoned (not even SIGKILL ended it)
#   bounded_why   why it was told to stop: limit (of the call), hang (one test of watched_log), stop (told so from outside)
#   bounded_code  its exit code, 128 + signal when a signal ended it
#   bounded_s     seconds it ran
run_bounded() {
  local limit_s="$1" grace_s="$2" log="$3" begun="$SECONDS"
  shift 3
  bounded_end=exited bounded_why=""
  watched_test="" watched_since="$SECONDS"
  # Not SIGINT: bash makes its background children ignore it.
  setsid -- "$@" >>"$log" 2>&1 </dev/null &
  bounded_pid=$!
  if ! wait_until $((begun + limit_s)); then
    bounded_end=stopped
    kill -TERM "$bounded_pid" 2>/dev/null || true
    if ! wait_until $((SECONDS + grace_s)); then
      bounded_end=killed
      kill -KILL -- "-$bounded_pid" 2>/dev/null || true
      # A process inside a driver call can outlive even this.
      wait_until $((SECONDS + 5)) || bounded_end=abandoned
    fi
  fi
  bounded_code=137
  if [[ "$bounded_end" != abandoned ]]; then
    bounded_code=0
    wait "$bounded_pid" 2>/dev/null || bounded_code=$?
  fi
  # What it left behind in its group.
  kill -KILL -- "-$bounded_pid" 2>/dev/null || true
  bounded_pid=""
  bounded_s=$((SECONDS - begun))
}

# wait_until T: true once the program is gone, false when SECONDS passes T first or gpu_check.sh itself is told to stop.
wait_until() {
  while kill -0 "$bounded_pid" 2>/dev/null; do
    if ((SECONDS >= $1)); then
      [[ "$bounded_end" == exited ]] && bounded_why=limit
      return 1
    fi
    # A file, because device tests run in subshells.
    if [[ "$bounded_end" == exited && -e "$work/stop" ]]; then
      bounded_why=stop
      return 1
    fi
    if [[ "$bounded_end" == exited && -n "$watched_log" ]] && test_hangs; then
      bounded_why=hang
      return 1
    fi
    sleep 0.2
  done
  return 0
}

# test_hangs: whether one test of watched_log has been running for longer than test_limit_s.
test_hangs() {
  ((SECONDS >= watched_since + test_limit_s)) || return 1
  local now
  now="$(unfinished_test "$watched_log")"
  [[ -n "$now" && "$now" == "$watched_test" ]] && return 0
  # Looked at once per limit, so a test has between one and two limits.
  watched_test="$now" watched_since="$SECONDS"
  return 1
}
