# shellcheck shell=bash
# What is left and about how long it takes (--plan); sourced by gpu_check.sh.

# estimate_phase: of the phase that read_phase has left: problems, arms and seconds, by costs.txt; nothing where it cannot be told.
# A filter that names algorithms is taken to leave half of a network's arms and a tenth of any other op's, one that names a
# provider a quarter. Problems of an earlier phase with the same settings were measured there.
estimate_phase() {
  local problems="$work/problems" seen="$work/seen-$phase_settings"
  touch "$seen"
  local -a search_option=()
  [[ -z "$phase_search" ]] || search_option=(--search "$phase_search")
  "$detbench" list --problems "${phase_words[@]}" --profile "$phase_profile" --backend "$backend" "${search_option[@]}" >"$problems" 2>/dev/null || return 0
  cut -d ' ' -f 1 "$problems" | grep -vxFf "$seen" >"$problems.new"
  if [[ "${phase_words[*]}" != *algorithm:* && "${phase_words[*]}" != *provider:* ]]; then grep -vE '^(train_step|inference)_' "$problems.new" >>"$seen"; fi
  awk -v runs="${phase_network_runs:-$(profile_runs "$phase_profile")}" -v scopes="$phase_scopes" -v search="$phase_search" -v words="${phase_words[*]}" '
    # Elements of the tensors that grow with the problem, in millions.
    function field(shape, key,   at) { return match("_" shape, "_" key "[0-9]+") ? substr("_" shape, RSTART + 1 + length(key), RLENGTH - 1 - length(key)) + 0 : 0 }
    function millions(op, shape,   mb, n) {
      mb = field(shape, "mb"); n = field(shape, "n")
      if (field(shape, "ih") && field(shape, "oc")) return mb * (field(shape, "ic") * field(shape, "ih") * field(shape, "iw") + field(shape, "oc") * field(shape, "ih") * field(shape, "iw") / field(shape, "sh") / field(shape, "sw")) / 1e6
      if (field(shape, "ih")) return mb * field(shape, "c") * field(shape, "ih") * field(shape, "iw") / 1e6
      if (field(shape, "h")) return mb * field(shape, "c") * field(shape, "h") * field(shape, "w") / 1e6
      if (field(shape, "m") && n) return (field(shape, "m") * field(shape, "k") + field(shape, "m") * n) / 1e6
      # Bytes of memory ops.
      return n / (op ~ /^memory/ ? 4e6 : 1e6)
    }
    FNR == NR { if ($0 !~ /^#/ && NF == 7) { ++kinds; for (i = 1; i <= 7; ++i) cost[kinds, i] = $i } next }
    NF {
      split($1, part, "/")
      for (k = 1; k <= kinds && $1 !~ cost[k, 1]; ++k);
      if (k > kinds) next
      arms = cost[k, 2]
      network = part[1] ~ /^(train_step|inference)/
      if (search ~ /t1/ && part[1] ~ /^(conv|dense|matmul)/) arms *= search ~ /t0/ ? 1.8 : 0.8
      if (words ~ /algorithm:/) arms *= network ? 0.5 : 0.1
      else if (words ~ /provider:/) arms *= 0.25
      # repeat and four stressors of load; every other scope runs once or twice per configuration, but prepares anew.
      of_arm = (scopes == "" || scopes ~ /repeat/ ? runs : 0) + (scopes == "" || scopes ~ /load/ ? 4 * runs : 0)
      left = scopes
      others = scopes == "" ? 5 : gsub(/process|placement|partition|capture|batch/, "&", left)
      m = millions(part[1], part[2])
      each = cost[k, 4] * (1 + 2 * others) + of_arm * cost[k, 5] / 1000 + m * cost[k, 7] / 1000 * (1 + others)
      # Timing: 20 blocks, networks three times as many.
      each += (network ? 60 : 20) * (cost[k, 5] + 4) / 1000
      problems++; all_arms += arms; seconds += cost[k, 3] + m * cost[k, 6] / 1000 + arms * each
    }
    END { printf "%d %d %d\n", problems, all_arms, seconds + 3 }' "$detbench_root/scripts/gpu_check/costs.txt" "$problems.new"
}

# profile_runs PROFILE: its n of repeat.
profile_runs() {
  case "$1" in
    smoke) echo 5 ;;
    quick) echo 10 ;;
    full) echo 300 ;;
    *) echo 100 ;;
  esac
}

# estimate_other: seconds of a phase that is no run, by its options.
estimate_other() {
  case "$phase_kind" in
    catalog) echo "- - 60" ;;
    peers) echo "- - 450" ;;
    prove) echo "- - 240" ;;
  esac
}

# print_plan: every phase with its status, what it holds, what it took or about will take, and in which call of --budget-s it
# would end if calls spent nothing but a tenth of their time on other things.
print_plan() {
  local name status estimate problems arms seconds took total=0 measured=0 reckoned=0 scale=100 usable=$((budget_s * 9 / 10)) settled=0
  local -A estimates=()
  print_summary | grep -v '^  sweep/' | grep -v 'not reached'
  for name in "${phase_order[@]}"; do
    read_phase "$name"
    if [[ "$phase_kind" == run ]]; then estimate="$(estimate_phase)"; else estimate="$(estimate_other)"; fi
    estimates["$name"]="$estimate"
    seconds="${estimate##* }"
    took="$(get_status "sweep/$name" elapsed_s 0)"
    # What was taken over from another phase cost nothing here.
    if [[ "$(get_status "sweep/$name" status)" == done && -n "$seconds" && -z "$(get_status "sweep/$name" reason)" ]]; then
      measured=$((measured + took)) reckoned=$((reckoned + seconds))
    fi
  done
  if ((reckoned >= 20)); then scale=$((measured * 100 / reckoned)); fi
  printf '  %-26s %-11s %8s %7s %8s %8s %5s  %s\n' phase status problems arms seconds total call settings
  for name in "${phase_order[@]}"; do
    read_phase "$name"
    status="$(get_status "sweep/$name" status)"
    read -r problems arms seconds <<<"${estimates[$name]}"
    took="$(get_status "sweep/$name" elapsed_s 0)"
    if is_settled "sweep/$name"; then
      settled=$((settled + 1))
      printf '  %-26s %-11s %8s %7s %8s %8s %5s  %s\n' "$name" "$status" "${problems:--}" "$(get_status "sweep/$name" rows | grep -oE '^[0-9]+')" "$took" "" "" "$(get_status "sweep/$name" reason | cut -c 1-60)"
      continue
    fi
    if [[ -z "${seconds:-}" ]]; then
      printf '  %-26s %-11s %8s %7s %8s %8s %5s  %s\n' "$name" "$status" - - unknown "" "" "nothing in this profile, or not to be told"
      continue
    fi
    seconds=$((seconds * scale / 100))
    seconds=$((seconds > took ? seconds - took : 1))
    total=$((total + seconds))
    printf '  %-26s %-11s %8s %7s %8s %8s %5s  %s\n' "$name" "$status" "$problems" "$arms" "~$seconds" "~$total" $(((total + usable - 1) / usable)) "$([[ "$phase_kind" == run ]] && echo "$phase_settings" || echo "@$phase_kind")"
  done
  if ((reckoned >= 20)); then
    say "$settled of ${#phase_order[@]} phases are settled; they took $measured s where costs.txt reckons $reckoned, so the rest is scaled by $((scale / 100)).$(printf '%02d' $((scale % 100)))"
  else
    say "nothing was measured yet that could correct costs.txt: expect the seconds to be wrong by a factor of three"
  fi
}
