# shellcheck shell=bash
# Runs `detbench run` phase by phase; sourced by gpu_check.sh.

# run_command FOLDER PROFILE SEARCH SCOPES RUNS FILTER...: the words of a fresh run into the array run_words.
run_command() {
  local folder="$1" profile_of_run="$2" search_of_run="$3" scopes_of_run="$4" runs_of_run="$5"
  shift 5
  run_words=("$detbench" run "$@" --profile "$profile_of_run" --backend "$backend" --threads "$(<threads)")
  # Tiers are a GPU's.
  [[ -z "$search_of_run" ]] || run_words+=(--search "$search_of_run")
  [[ -z "$scopes_of_run" ]] || run_words+=(--scopes "$scopes_of_run")
  [[ -z "$runs_of_run" ]] || run_words+=(--network-runs "$runs_of_run")
  run_words+=(--out "$folder/run")
}

# measure FOLDER LIMIT_S PROFILE SEARCH SCOPES RUNS FILTER_TERM... -- IMPORT...: goes on where an earlier call stopped, if
# there is a journal. Fills in FOLDER/status and never fails.
measure() {
  local folder="$1" limit_s="$2" profile_of_run="$3" search_of_run="$4" scopes_of_run="$5" runs_of_run="$6"
  shift 6
  local -a words=() command run_words imports=()
  while (($# > 0)) && [[ "$1" != -- ]]; do words+=("$1") && shift; done
  shift
  local import attempts resumed=no line settings
  settings="$(settings_word "$profile_of_run" "$search_of_run" "$scopes_of_run" "$runs_of_run")"
  for import in "$@"; do imports+=(--import "$import"); done
  mkdir -p -- "$folder"
  run_command "$folder" "$profile_of_run" "$search_of_run" "$scopes_of_run" "$runs_of_run" "${words[@]}"
  if [[ -s "$folder/run/journal.jsonl" ]]; then
    resumed=yes
    command=("$detbench" run --resume "$folder/run")
  else
    rm -rf -- "$folder/run"
    command=("${run_words[@]}")
  fi
  printf '\n# %s\n' "${command[*]} ${imports[*]}" >>"$folder/log.txt"
  run_bounded "$limit_s" "$grace_s" "$folder/log.txt" "${command[@]}" "${imports[@]}"
  if [[ "$bounded_end" == exited && "$bounded_code" == 2 ]] && ((limit_s > bounded_s + 2)); then
    # A journal that cannot be used must not end the phase: once more without what came from outside.
    if ((${#imports[@]} > 0)) && tail -n 1 -- "$folder/log.txt" | grep -q -- --import; then
      imports=()
      set --
    elif [[ "$resumed" == yes ]]; then
      rm -rf -- "$folder/run.damaged" && mv -- "$folder/run" "$folder/run.damaged"
      command=("${run_words[@]}")
    fi
    if ((${#imports[@]} == 0)) || [[ -e "$folder/run.damaged" ]]; then
      run_bounded $((limit_s - bounded_s)) "$grace_s" "$folder/log.txt" "${command[@]}" "${imports[@]}"
    fi
  fi
  attempts="$(get_status "$folder" attempts 0)"
  local status reason last
  last="$(grep -v '^ *$' "$folder/log.txt" | tail -n 1)"
  case "$bounded_end:$bounded_code" in
    killed:* | abandoned:*) status=failed reason="did not end within $grace_s s of being told to: $bounded_end" ;;
    *:0) status=done reason="" ;;
    *:1) status=done reason="some rows are incorrect" ;;
    *:77) status=done reason="no case of it can run here" ;;
    *:130) status=interrupted reason="goes on from its journal" ;;
    stopped:*) status=interrupted reason="ended with code $bounded_code when told to stop" ;;
    *:2) if grep -q 'nothing matches' <<<"$last"; then status=done reason="nothing in this profile"; else status=failed reason="$last"; fi ;;
    *:3) status=failed reason="$last" ;;
    *) status=failed reason="crashed: code $bounded_code" ;;
  esac
  if [[ "$status" == failed ]]; then
    attempts=$((attempts + 1))
    ((attempts >= attempts_limit)) && status=given_up
  fi
  line="$(grep -E '^[0-9]+ cases in [0-9]+ comparisons:' "$folder/log.txt" | tail -n 1)"
  set_status "$folder" "status=$status" "reason=$reason" "exit_code=$bounded_code" "attempts=$attempts" "rows=$line" "settings=$settings" \
    "controls=$(grep -oE '[0-9]+ of [0-9]+ controls as expected' "$folder/log.txt" | tail -n 1)" \
    "incorrect=$(grep -oE '[0-9]+ incorrect' <<<"$line" | cut -d ' ' -f 1)" "elapsed_s=$(($(get_status "$folder" elapsed_s 0) + bounded_s))"
  for import in "$@"; do
    # Taken over only if it is all there.
    if [[ -r "$folder/run/journal.jsonl" && "$import" == sweep/*/run && "$import" != "$folder/run" ]] &&
      (($(wc -l <"$folder/run/journal.jsonl") >= $(wc -l <"$import/journal.jsonl"))); then
      set_status "${import%/run}" "taken_over_by=$folder"
    fi
  done
}

# sources_for FOLDER SETTINGS: earlier runs with these settings that no other run has taken over, and this call's controls
# with them, which come first so that they are the ones that count.
sources_for() {
  local name
  if [[ -s "controls/$2/run/journal.jsonl" && "$(get_status "controls/$2" status)" == done ]]; then printf '%s\n' "controls/$2/run"; fi
  for name in "${phase_order[@]}"; do
    if [[ "sweep/$name" != "$1" && -s "sweep/$name/run/journal.jsonl" && "$(get_status "sweep/$name" settings)" == "$2" ]] &&
      { [[ -z "$(get_status "sweep/$name" taken_over_by)" ]] || ! is_settled "sweep/$name"; }; then
      printf 'sweep/%s/run\n' "$name"
    fi
  done
}

# check_controls: of the settings that read_phase has left, once per call. Sets trusted=no where a control has shown that
# this machine or build computes wrongly.
check_controls() {
  local folder="controls/$phase_settings"
  [[ -e "$folder/log.txt" ]] && return 0
  say "controls ($phase_settings)"
  measure "$folder" $(($(left_s) < 120 ? $(left_s) : 120)) "$phase_profile" "$phase_search" "$phase_scopes" "$phase_network_runs" op:control --
  # A difference where none can be: detbench says so and ends with 3. Nothing measured here would mean anything.
  if grep -qs 'negative control' "$folder/log.txt"; then trusted=no; fi
}

# sweep: the phases in their order until the budget ends.
sweep() {
  local name sources
  for name in "${phase_order[@]}"; do
    is_settled "sweep/$name" && continue
    (($(left_s) > 2)) || break
    read_phase "$name"
    if [[ "$phase_kind" != run ]]; then
      say "$phase_kind: $name"
      "do_$phase_kind" "sweep/$name" "$(left_s)" "${phase_words[@]}"
    else
      check_controls
      [[ "$trusted" == yes ]] || break
      (($(left_s) > 2)) || break
      say "sweep: $name"
      mapfile -t sources < <(sources_for "sweep/$name" "$phase_settings")
      measure "sweep/$name" "$(left_s)" "$phase_profile" "$phase_search" "$phase_scopes" "$phase_network_runs" "${phase_words[@]}" -- "${sources[@]}"
    fi
    save_if_due
  done
}
