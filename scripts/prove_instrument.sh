#!/usr/bin/env bash
# Proves the instrument on this machine's CPU and writes the two tables into docs/method.md (METHOD section 12).
#
# Usage: scripts/prove_instrument.sh [--scale X]
#
#   scripts/prove_instrument.sh               the published tables, about three minutes
#   scripts/prove_instrument.sh --scale 0.1   a quick look: prints the tables, writes nothing
#
# Planted differences of known probability have to be found at the rate theory gives, ops that cannot differ have to
# raise no alarm, A/A pairs have to be called equal, and slowdowns to be found at the rate the intervals promise. Let
# nothing else run meanwhile: the real timings say so when something did.
#
# Exit codes: 0 every row holds; 1 a row does not (the tables are written all the same); 2 usage; 3 could not run.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

scale=1
case "${1:-}" in
  "") ;;
  -h | --help)
    print_header_comment
    exit 0
    ;;
  --scale)
    scale="${2:-}"
    [[ "$scale" =~ ^[0-9]+(\.[0-9]+)?$ && "$scale" =~ [1-9] ]] || fail 2 "--scale is '$scale'; it takes a number above 0, like 0.1"
    ;;
  *) fail 2 "'$1' is no option; there is --scale X" ;;
esac

page="$detbench_root/docs/method.md"
for name in detection timing; do
  for edge in begin end; do
    grep -q "^<!-- $name table: $edge -->\$" "$page" || fail 3 "docs/method.md has no line <!-- $name table: $edge -->"
  done
done

build="$detbench_root/build/cpu"
(cd -- "$detbench_root" && cmake --preset cpu >/dev/null && cmake --build --preset cpu --target prove_instrument --parallel "$(job_count)") ||
  fail 3 "the build failed (preset cpu)"
# A bounded spin, as in every run: barriers of more threads than cores would otherwise spin for milliseconds.
export GOMP_SPINCOUNT="${GOMP_SPINCOUNT:-10000}" OMP_DYNAMIC=false

work="$(mktemp -d)"
trap 'rm -rf -- "$work"' EXIT

commit="$(git -C "$detbench_root" rev-parse --short=12 HEAD 2>/dev/null || echo unknown)"
# Only what the tables depend on makes them another commit's.
git -C "$detbench_root" diff --quiet HEAD -- bench/core kernels tests/bench/core cmake CMakeLists.txt 2>/dev/null || commit="$commit with local changes"
model="$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)"
header="Made by \`scripts/prove_instrument.sh\` from commit $commit on $(date -u +%Y-%m-%d): ${model:-unknown CPU}, $(nproc) cores, Linux $(uname -r), load average $(cut -d ' ' -f 1 /proc/loadavg) at the start."

status=0
"$build/tests/bench/core/prove_instrument" --scale "$scale" >"$work/tables" || status=$?
((status <= 1)) || fail 3 "prove_instrument ended with exit code $status"
[[ "$scale" == 1 ]] || { cat "$work/tables"; exit "$status"; }

cp -- "$page" "$work/page"
for name in detection timing; do
  { printf '%s\n\n' "$header" && awk -v name="## $name" '/^## / { on = $0 == name; next } on' "$work/tables"; } >"$work/$name"
  awk -v table="$work/$name" -v begin="<!-- $name table: begin -->" -v end="<!-- $name table: end -->" '
    $0 == end { inside = 0 }
    !inside
    $0 == begin { inside = 1; while ((getline line < table) > 0) print line }' "$work/page" >"$work/next"
  mv -- "$work/next" "$work/page"
done
# The page appears whole or not at all.
cp -- "$work/page" "$page.new" && mv -- "$page.new" "$page"
say "wrote both tables into docs/method.md"
((status == 0)) || say "a row does not hold; see the column 'holds'"
exit "$status"
