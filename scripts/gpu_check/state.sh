# shellcheck shell=bash
# What gpu_check.sh knows between calls: a folder of small files; sourced by gpu_check.sh.
#
#   identity                     which program and which device the state belongs to
#   calls                        a line per call: UTC time, budget, seconds used
#   env/                         detbench env and nvidia-smi of the latest call
#   tests/PROGRAM/               status, result-*.json of GoogleTest, logs (tests.sh); memcheck/PROGRAM/, ... likewise
#   controls/SETTINGS/, smoke/   status, log.txt, run/ (the folder of detbench run), report/
#   sweep/PHASE/                 likewise; a catalog's or a peers' files (others.sh)
#
# `status` is a file of key=value lines: status, reason, exit_code, elapsed_s, attempts, ... The words of `status`:
#   done         nothing more to do (tests may have failed, rows may be incorrect: see reason)
#   interrupted  the budget ended; goes on from its journal
#   failed       ended by itself without an answer, crashed, or had to be killed; tried again by a later call
#   given_up     failed too often
#   not_reached  the budget ended first

attempts_limit=3

# set_status FOLDER KEY=VALUE...: replaces these keys; the file appears whole.
set_status() {
  local folder="$1" pair
  shift
  mkdir -p -- "$folder"
  local -A values=()
  local key value
  if [[ -r "$folder/status" ]]; then
    while IFS='=' read -r key value; do [[ -n "$key" ]] && values["$key"]="$value"; done <"$folder/status"
  fi
  for pair in "$@"; do
    value="${pair#*=}"
    value="${value//$'\n'/ }"
    value="${value:0:500}"
    values["${pair%%=*}"]="${value%"${value##*[! ]}"}"
  done
  for key in "${!values[@]}"; do printf '%s=%s\n' "$key" "${values[$key]}"; done | sort >"$folder/status.new"
  mv -- "$folder/status.new" "$folder/status"
}

# get_status FOLDER KEY [DEFAULT]
# Without other programs, like all that is asked of a hundred phases each time that the state is packed.
get_status() {
  local key value found=""
  if [[ -r "$1/status" ]]; then
    while IFS='=' read -r key value; do
      if [[ "$key" == "$2" ]]; then
        found="$value"
        break
      fi
    done <"$1/status"
  fi
  printf '%s\n' "${found:-${3:-}}"
}

# is_settled FOLDER: nothing is left to do there.
is_settled() { [[ "$(get_status "$1" status)" == done || "$(get_status "$1" status)" == given_up ]]; }

# json_text TEXT: as a JSON string. Bytes that are no UTF-8 or control characters become '?'.
json_text() {
  local LC_ALL=C text="$1"
  text="${text//[^ -~]/?}"
  text="${text//\\/\\\\}"
  text="${text//\"/\\\"}"
  printf '"%s"' "$text"
}

# status_folders: every folder with a status, in the order in which they are run.
status_folders() {
  local name
  for name in tests "${sanitizer_tools[@]}" controls; do find "$name" -mindepth 2 -maxdepth 2 -name status -printf '%h\n' 2>/dev/null | sort; done
  [[ -e smoke/status ]] && printf 'smoke\n'
  for name in "${phase_order[@]}"; do [[ -e "sweep/$name/status" ]] && printf 'sweep/%s\n' "$name"; done
  return 0
}

# write_status_json: all of it as status.json, numbers as numbers.
write_status_json() {
  local folder key value first=yes inner
  {
    printf '{\n  "schema": "detbench-gpu-check", "schema_version": 1,\n  "identity": %s,\n  "phases": [' "$(json_text "$(paste -s -d ' ' identity 2>/dev/null)")"
    while read -r folder; do
      [[ "$first" == yes ]] || printf ','
      first=no
      inner=""
      while IFS='=' read -r key value; do
        if [[ ! "$value" =~ ^(0|[1-9][0-9]{0,14})$ ]]; then value="$(json_text "$value")"; fi
        inner+=", \"$key\": $value"
      done <"$folder/status"
      printf '\n    {"name": %s%s}' "$(json_text "$folder")" "$inner"
    done < <(status_folders)
    printf '\n  ]\n}\n'
  } >status.json.new
  mv -- status.json.new status.json
}

# check_identity: the state of another program or another device must not be added to.
check_identity() {
  local mine
  mine="$(printf 'program_sha256=%s\nbackend=%s\nprofile=%s\nsearch=%s\nscopes=%s\nnetwork_runs=%s\ndevice=%s\n' "$(program_hash)" "$backend" "${profile:-default}" "${search:-default}" "${scopes:-default}" "${network_runs:-default}" "$(device_name)")"
  if [[ -e identity && "$(<identity)" != "$mine" ]]; then
    diff <(printf '%s\n' "$mine") identity | sed -n 's/^[<>]/  &/p' >&2 || true
    fail 2 "the journal belongs to another program, profile or device (< here, > journal): results must not be mixed, so start without --journal"
  fi
  printf '%s\n' "$mine" >identity
}

# program_hash: of the program and, in a bundle, of the library that holds nearly all of it.
program_hash() { cat -- "$detbench" "$programs"/{,lib/}libdetbench_shared.so 2>/dev/null | sha256sum | cut -d ' ' -f 1; }

# device_name: the GPU and its driver, or the CPU.
device_name() {
  if [[ "$backend" == cuda ]]; then
    timeout 20 nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | head -n 1 || true
  else
    sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1
  fi
}
