# shellcheck shell=bash
# A small part of the device tests (sanitizer_tests.txt) under the tools of compute-sanitizer, each a phase of its own;
# sourced by gpu_check.sh.

sanitizer_tools=(memcheck racecheck initcheck)
sanitizer_tool_s=180 # of one tool in one call

find_sanitizer() {
  local candidate
  for candidate in "$(command -v compute-sanitizer)" "${CUDA_PATH:-/usr/local/cuda}"/{bin,compute-sanitizer}/compute-sanitizer; do
    if [[ -x "$candidate" ]]; then
      printf '%s\n' "$candidate"
      return 0
    fi
  done
  return 1
}

# list_sanitizer_tests: like device_tests, those of sanitizer_tests.txt whose programs are there.
list_sanitizer_tests() {
  local name filter program
  while IFS=$'\t' read -r name filter; do
    [[ -z "$name" || "$name" == \#* ]] && continue
    program="$(cut -f 1 "$work/device_tests" | grep -E "(^|/)$name\$")"
    [[ -n "$program" ]] && printf '%s\t%s\n' "$program" "$filter"
  done <"$detbench_root/scripts/gpu_check/sanitizer_tests.txt"
}

# refuses_device TOOL: whether the sanitizer cannot work with this GPU at all; some virtual machines keep it out.
refuses_device() {
  local program
  program="$(head -n 1 "$work/sanitizer_tests" | cut -f 1)"
  run_bounded 60 2 "$work/sanitizer_probe.txt" "${test_environment[@]}" "$sanitizer" --tool "$1" "$programs/$program" --gtest_list_tests
  [[ "$bounded_end" != exited ]] || grep -qiE 'device not supported|not supported on (this|the) (device|platform)|unable to attach|failed to initialize' "$work/sanitizer_probe.txt"
}

# run_sanitizer: every tool into a folder of its name.
run_sanitizer() {
  local tool end_s
  if ! sanitizer="$(find_sanitizer)"; then
    say "no compute-sanitizer here"
    return
  fi
  list_sanitizer_tests >"$work/sanitizer_tests"
  for tool in "${sanitizer_tools[@]}"; do
    (($(left_s) > 5)) || return
    if refuses_device "$tool"; then
      say "compute-sanitizer refuses this machine: $(grep -m 1 . "$work/sanitizer_probe.txt")"
      return
    fi
    say "device tests under compute-sanitizer --tool $tool"
    end_s=$((SECONDS + sanitizer_tool_s))
    ((end_s > $(work_end))) && end_s="$(work_end)"
    program_list="$work/sanitizer_tests" check_programs "$tool" "$end_s" "$sanitizer" --tool "$tool" --error-exitcode 86
    save_if_due
  done
}
