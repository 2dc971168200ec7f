# shellcheck shell=bash
# The phases that are no `detbench run`; sourced by gpu_check.sh. Each fills in its folder's status and never fails.

# settle_other FOLDER STATUS REASON: with the time of the last run_bounded; a failure counts as an attempt.
settle_other() {
  local status="$2" attempts
  attempts="$(get_status "$1" attempts 0)"
  if [[ "$status" == failed ]]; then
    attempts=$((attempts + 1))
    ((attempts >= attempts_limit)) && status=given_up
  fi
  set_status "$1" "status=$status" "reason=$3" "attempts=$attempts" "exit_code=${bounded_code:-}" "elapsed_s=$(($(get_status "$1" elapsed_s 0) + SECONDS - other_begun_s))"
}

# last_line LOG
last_line() { grep -v '^ *$' "$1" | tail -n 1; }

# do_catalog FOLDER LIMIT_S ARGUMENT...: cuDNN's answers about this GPU (device.json), about the description of its
# architecture (described.json), and what differs (difference.md, difference.json). What an earlier call made is kept.
do_catalog() {
  local folder="$1" end_s=$((SECONDS + $2)) which arch
  shift 2
  other_begun_s="$SECONDS"
  mkdir -p -- "$folder"
  for which in device described; do
    [[ -s "$folder/$which.json" ]] && continue
    arch=device
    if [[ "$which" == described ]]; then arch="$(sed -nE 's/.*"arch": *"(sm_[0-9]+)".*/\1/p' "$folder/device.json" | head -n 1)"; fi
    if [[ -z "$arch" ]]; then
      settle_other "$folder" failed "device.json names no architecture"
      return
    fi
    printf '\n# %s\n' "detbench catalog $* --arch $arch" >>"$folder/log.txt"
    run_bounded $((end_s - SECONDS)) "$grace_s" "$folder/log.txt" "$detbench" catalog "$@" --arch "$arch" --format json --out "$folder/$which.json"
    case "$bounded_end:$bounded_code" in
      exited:0) ;;
      exited:77) settle_other "$folder" done "$(last_line "$folder/log.txt")" && return ;;
      stopped:*) settle_other "$folder" interrupted "the budget ended" && return ;;
      *) settle_other "$folder" failed "$bounded_end, code $bounded_code: $(last_line "$folder/log.txt")" && return ;;
    esac
  done
  local format differences
  for format in markdown json; do
    differences="$folder/difference.${format/markdown/md}"
    run_bounded 60 2 "$folder/log.txt" "$detbench" catalog --compare "$folder/described.json" "$folder/device.json" --format "$format" --out "$differences" --force
    [[ "$bounded_end:$bounded_code" == exited:0 ]] || { settle_other "$folder" failed "the catalogs cannot be compared: $(last_line "$folder/log.txt")" && return; }
  done
  settle_other "$folder" done ""
}

peers_limit_s=240 # of one call: it would take all that is left

# find_peers_python: a python3 that has PyTorch; the machine's own before the checkout's environment for peers.
find_peers_python() {
  local candidate
  for candidate in "$(command -v python3)" "$detbench_root/.venv-peers/bin/python3"; do
    if [[ -x "$candidate" ]] && timeout 60 "$candidate" -c 'import torch' 2>/dev/null; then
      printf '%s\n' "$candidate"
      return 0
    fi
  done
  return 1
}

# do_peers FOLDER LIMIT_S ARGUMENT...: PyTorch's and JAX's steps beside ours, in at most peers_limit_s; goes on where an earlier
# call stopped.
do_peers() {
  local folder="$1" limit_s="$(($2 < peers_limit_s ? $2 : peers_limit_s))" python
  local -a resume=()
  shift 2
  other_begun_s="$SECONDS"
  mkdir -p -- "$folder"
  if [[ ! -r "$detbench_root/scripts/peers/compare.py" ]]; then
    settle_other "$folder" done "no scripts/peers here"
    return
  fi
  if ! python="$(find_peers_python)"; then
    settle_other "$folder" done "no python3 with PyTorch here"
    return
  fi
  if [[ -s "$folder/peers/peers.json" ]]; then
    rm -rf -- "$folder/before" && mv -- "$folder/peers" "$folder/before"
    resume=(--resume "$folder/before")
  fi
  printf '\n# %s\n' "compare.py $*" >>"$folder/log.txt"
  run_bounded "$limit_s" "$grace_s" "$folder/log.txt" "$python" "$detbench_root/scripts/peers/compare.py" --detbench "$detbench" --backend "$backend" --no-install \
    --budget-s "$((limit_s > 2 * grace_s ? limit_s - grace_s : limit_s))" --out "$folder/peers" "${resume[@]}" "$@"
  # What cannot go on begins anew in the next call; what was there stays.
  if [[ -d "$folder/before" && ! -s "$folder/peers/peers.json" ]]; then
    rm -rf -- "$folder/peers" && mv -- "$folder/before" "$folder/peers"
  fi
  rm -rf -- "$folder/before"
  case "$bounded_end:$bounded_code" in
    *:0) settle_other "$folder" done "" ;;
    *:77) settle_other "$folder" done "nothing of it could be timed here" ;;
    *:130 | stopped:*) settle_other "$folder" interrupted "goes on where it stopped" ;;
    *) settle_other "$folder" failed "$bounded_end, code $bounded_code: $(last_line "$folder/log.txt")" ;;
  esac
}

prove_needs_s=200 # it cannot go on from the middle, so it is not begun with less, where a call can have more

# do_prove FOLDER LIMIT_S ARGUMENT...: detection and timing of the instrument itself on this device, into tables.md for
# `scripts/prove_instrument.sh --tables`.
do_prove() {
  local folder="$1" limit_s="$2" program="" candidate
  shift 2
  other_begun_s="$SECONDS"
  ((limit_s >= prove_needs_s || budget_s < 2 * prove_needs_s)) || return 0
  mkdir -p -- "$folder"
  for candidate in "$programs"/{bin,tests/bench/core}/prove_instrument; do [[ -x "$candidate" ]] && program="$candidate"; done
  if [[ -z "$program" ]]; then
    settle_other "$folder" done "no program prove_instrument here"
    return
  fi
  printf '\n# %s\n' "prove_instrument --backend $backend $*" >>"$folder/log.txt"
  # The tables alone on its output, what it says meanwhile in the log.
  # shellcheck disable=SC2016
  run_bounded "$limit_s" 2 "$folder/log.txt" bash -c 'exec "${@:2}" >"$1"' bash "$folder/tables.new" "$program" --backend "$backend" "$@"
  case "$bounded_end:$bounded_code" in
    exited:[01])
      mv -- "$folder/tables.new" "$folder/tables.md"
      settle_other "$folder" done "$([[ "$bounded_code" == 1 ]] && echo "a row does not hold: see tables.md")"
      if [[ "$bounded_code" == 1 ]]; then set_status "$folder" incorrect=1; fi
      ;;
    *) settle_other "$folder" failed "$bounded_end, code $bounded_code: $(last_line "$folder/log.txt")" ;;
  esac
}
