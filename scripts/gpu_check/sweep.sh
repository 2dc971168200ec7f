# shellcheck shell=bash
# Runs `detbench run` phase by phase; sourced by gpu_check.sh.

phase_names() { awk '!/^#/ && NF { print $1 }' "$phases_file"; }
phase_filter() { awk -v name="$1" '$1 == name { sub(/^[^ \t]+[ \t]*/, ""); print }' "$phases_file"; }

# measure FOLDER LIMIT_S PROFILE FILTER IMPORT...: goes on where an earlier call stopped, if there is a journal. Fills in
# FOLDER/status and never fails.
measure() {
  local folder="$1" limit_s="$2" profile_of_run="$3" filter="$4"
  shift 4
  local -a words=() command=("$detbench" run) imports=() of_scopes=()
  # The smoke sweep is small and shows every scope once.
  [[ -z "$scopes" || "$folder" == smoke ]] || of_scopes=(--scopes "$scopes")
  local import attempts resumed=no line
  for import in "$@"; do imports+=(--import "$import"); done
  mkdir -p -- "$folder"
  if [[ -s "$folder/run/journal.jsonl" ]]; then
    resumed=yes
    command+=(--resume "$folder/run")
  else
    rm -rf -- "$folder/run"
    [[ "$filter" == "*" ]] || read -ra words <<<"$filter"
    command+=("${words[@]}" --profile "$profile_of_run" --backend "$backend" --threads "$(<threads)" "${of_scopes[@]}" --out "$folder/run")
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
      [[ "$filter" == "*" ]] || read -ra words <<<"$filter"
      command=("$detbench" run "${words[@]}" --profile "$profile_of_run" --backend "$backend" --threads "$(<threads)" "${of_scopes[@]}" --out "$folder/run")
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
  set_status "$folder" "status=$status" "reason=$reason" "exit_code=$bounded_code" "attempts=$attempts" "rows=$line" \
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

# sources_for FOLDER: earlier runs of the same profile that no other run has taken over, and the controls of this call,
# which come first so that they are the ones that count.
sources_for() {
  local name
  if [[ -s controls/run/journal.jsonl && "$(get_status controls status)" == done ]]; then printf 'controls/run\n'; fi
  while read -r name; do
    if [[ "sweep/$name" != "$1" && -s "sweep/$name/run/journal.jsonl" ]] &&
      { [[ -z "$(get_status "sweep/$name" taken_over_by)" ]] || ! is_settled "sweep/$name"; }; then
      printf 'sweep/%s/run\n' "$name"
    fi
  done < <(phase_names)
}
