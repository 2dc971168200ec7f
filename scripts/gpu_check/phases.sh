# shellcheck shell=bash
# Reads the phases of a sweep (phases.txt); sourced by gpu_check.sh. A line is
#
#   NAME [OPTION...] FILTER...   one `detbench run` with these options: --profile NAME, --search TIERS, --scopes LIST, --network-runs N
#   NAME @catalog ARGUMENT...    cuDNN asked with and without the GPU (others.sh)
#   NAME @peers ARGUMENT...      scripts/peers/compare.py (others.sh)
#   NAME @prove ARGUMENT...      prove_instrument, the tables of docs/method.md (others.sh)
#   defaults OPTION...           of the lines below, up to the next such line
#
# A line's own options come before those of the command line, and these before `defaults`. Phases with the same options take
# over each other's rows.

phase_order=()
declare -A phase_text=() phase_defaults=()

# load_phases FILE: refuses what no phase can be.
load_phases() {
  local name rest defaults=""
  while read -r name rest; do
    [[ -z "$name" || "$name" == \#* ]] && continue
    if [[ "$name" == defaults ]]; then
      defaults="$rest"
      continue
    fi
    [[ "$name" =~ ^[a-z0-9_]+$ ]] || fail 2 "--phases '$1': '$name' is no name of a phase: small letters, digits and _ are"
    [[ -z "${phase_text[$name]+there}" ]] || fail 2 "--phases '$1' has the phase $name twice"
    phase_order+=("$name")
    phase_text["$name"]="$rest"
    phase_defaults["$name"]="$defaults"
    read_phase "$name"
  done < <(cat -- "$1" && echo)
  ((${#phase_order[@]} > 0)) || fail 2 "--phases '$1' names no phase"
}

phase_names() { printf '%s\n' "${phase_order[@]}"; }

# take_options NAME: moves the options at the beginning of option_words into phase_profile, phase_search, ...
take_options() {
  while [[ "${option_words[0]:-}" == --* ]]; do
    ((${#option_words[@]} >= 2)) || fail 2 "phase $1: ${option_words[0]} needs a value"
    case "${option_words[0]}" in
      --profile) phase_profile="${option_words[1]}" ;;
      --search) phase_search="${option_words[1]}" ;;
      --scopes) phase_scopes="${option_words[1]}" ;;
      --network-runs) phase_network_runs="${option_words[1]}" ;;
      *) fail 2 "phase $1: '${option_words[0]}' is no option of a phase: --profile, --search, --scopes and --network-runs are" ;;
    esac
    option_words=("${option_words[@]:2}")
  done
}

# read_phase NAME: sets phase_kind (run, catalog, peers or prove), phase_profile, phase_search, phase_scopes, phase_network_runs,
# phase_settings (the four as one word) and phase_words (the FILTER's terms or the other kinds' arguments; empty where a
# filter takes everything).
read_phase() {
  local -a option_words
  phase_kind=run phase_profile=standard phase_search="" phase_scopes="" phase_network_runs=""
  read -ra option_words <<<"${phase_defaults[$1]}"
  take_options "$1"
  ((${#option_words[@]} == 0)) || fail 2 "the defaults of phase $1 hold '${option_words[0]}', which is no option"
  phase_profile="${profile:-$phase_profile}" phase_search="${search:-$phase_search}" phase_scopes="${scopes:-$phase_scopes}"
  phase_network_runs="${network_runs:-$phase_network_runs}"
  read -ra option_words <<<"${phase_text[$1]}"
  if [[ "${option_words[0]:-}" == @* ]]; then
    phase_kind="${option_words[0]#@}"
    [[ "$phase_kind" == catalog || "$phase_kind" == peers || "$phase_kind" == prove ]] ||
      fail 2 "phase $1: '@$phase_kind' is no kind of phase: @catalog, @peers and @prove are"
    option_words=("${option_words[@]:1}")
  else
    take_options "$1"
    ((${#option_words[@]} > 0)) || fail 2 "phase $1 has no FILTER; * takes everything"
    if [[ "${option_words[*]}" == "*" ]]; then option_words=(); fi
  fi
  phase_words=("${option_words[@]}")
  phase_settings="$(settings_word "$phase_profile" "$phase_search" "$phase_scopes" "$phase_network_runs")"
}

# settings_word PROFILE SEARCH SCOPES NETWORK_RUNS: what rows must share to be in one result; also a folder's name.
settings_word() {
  local word="$1-${2:-default}-${3:-all}${4:+-network$4}"
  printf '%s\n' "${word//,/+}"
}

# choose_phases GLOB...: leaves the phases whose names match one of them; without any, all.
choose_phases() {
  (($# > 0)) || return 0
  local name glob
  local -a chosen=()
  for name in "${phase_order[@]}"; do
    for glob in "$@"; do
      # shellcheck disable=SC2053
      if [[ "$name" == $glob ]]; then chosen+=("$name") && break; fi
    done
  done
  ((${#chosen[@]} > 0)) || fail 2 "--only $*: no phase has such a name; --plan prints them"
  phase_order=("${chosen[@]}")
}

# next_run_phase: reads the first phase with rows of its own that is not settled, else the first of all.
next_run_phase() {
  local name
  for name in "${phase_order[@]}"; do
    read_phase "$name"
    if [[ "$phase_kind" == run ]] && ! is_settled "sweep/$name"; then return; fi
  done
  for name in "${phase_order[@]}"; do
    read_phase "$name"
    [[ "$phase_kind" == run ]] && return
  done
}
