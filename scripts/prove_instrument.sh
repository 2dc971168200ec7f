#!/usr/bin/env bash
# Proves the instrument on this machine and writes the two tables into docs/method.md (METHOD section 12).
#
# Usage: scripts/prove_instrument.sh [--backend cpu|cuda] [--scale X | --tables FILE]
#
#   scripts/prove_instrument.sh                    the published tables of the CPU, about three minutes
#   scripts/prove_instrument.sh --scale 0.1        a quick look: prints the tables, writes nothing
#   scripts/prove_instrument.sh --backend cuda     those of a GPU, through its own clock, digests and stressors
#   scripts/prove_instrument.sh --tables FILE      writes what the program `prove_instrument --backend cuda` printed elsewhere
#
# Planted differences of known probability have to be found at the rate theory gives, ops that cannot differ have to
# raise no alarm, A/A pairs have to be called equal, and slowdowns to be found at the rate the intervals promise. Let
# nothing else run meanwhile: the real timings say so when something did.
#
# Exit codes: 0 every row holds; 1 a row does not (the tables are written all the same); 2 usage; 3 could not run.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

scale=1 backend=cpu tables=""
while (($# > 0)); do
  case "$1" in
    -h | --help)
      print_header_comment
      exit 0
      ;;
    --scale | --backend | --tables)
      (($# >= 2)) || fail 2 "$1 needs a value; see scripts/prove_instrument.sh --help"
      declare "${1#--}=$2"
      shift
      ;;
    *) fail 2 "'$1' is no option; see scripts/prove_instrument.sh --help" ;;
  esac
  shift
done
[[ "$scale" =~ ^[0-9]+(\.[0-9]+)?$ && "$scale" =~ [1-9] ]] || fail 2 "--scale is '$scale'; it takes a number above 0, like 0.1"
[[ "$backend" == cpu || "$backend" == cuda ]] || fail 2 "--backend is '$backend'; cpu and cuda are"
if [[ -n "$tables" ]]; then
  [[ -r "$tables" ]] || fail 2 "--tables '$tables' cannot be read"
  grep -q '^## made from commit ' "$tables" && grep -q '^## timing$' "$tables" && [[ "$(grep -c '^| ' "$tables")" -gt 4 ]] ||
    fail 2 "--tables '$tables' is not what prove_instrument prints, or was cut off"
  ! grep -Eqi '^## made .*: (CPU|emulated)' "$tables" || fail 2 "--tables '$tables' were not made on a GPU"
  backend=cuda
fi

page="$detbench_root/docs/method.md"
kind=""
[[ "$backend" == cpu ]] || kind="gpu "
for name in detection timing; do
  name="$kind$name"
  for edge in begin end; do
    grep -q "^<!-- $name table: $edge -->\$" "$page" || fail 3 "docs/method.md has no line <!-- $name table: $edge -->"
  done
done

work="$(mktemp -d)"
trap 'rm -rf -- "$work"' EXIT

status=0
if [[ -n "$tables" ]]; then
  cp -- "$tables" "$work/tables"
  ! grep -q '| NO |$' "$work/tables" || status=1
else
  build="$detbench_root/build/$backend"
  (cd -- "$detbench_root" && cmake --preset "$backend" >/dev/null && cmake --build --preset "$backend" --target prove_instrument --parallel "$(job_count)") ||
    fail 3 "the build failed (preset $backend)"
  # A bounded spin, as in every run: barriers of more threads than cores would otherwise spin for milliseconds.
  export GOMP_SPINCOUNT="${GOMP_SPINCOUNT:-10000}" OMP_DYNAMIC=false
  load="$(cut -d ' ' -f 1 /proc/loadavg)"
  "$build/tests/bench/core/prove_instrument" --backend "$backend" --scale "$scale" >"$work/tables" || status=$?
  ((status <= 1)) || fail 3 "prove_instrument ended with exit code $status"
  [[ "$scale" == 1 ]] || { cat "$work/tables"; exit "$status"; }
fi

if [[ "$backend" == cuda ]]; then
  # What was built and where it ran only the program knows.
  header="Made by \`prove_instrument --backend cuda\` $(sed -n 's/^## made //p' "$work/tables" | head -n 1)."
else
  commit="$(git -C "$detbench_root" rev-parse --short=12 HEAD 2>/dev/null || echo unknown)"
  # Only what the tables depend on makes them another commit's.
  git -C "$detbench_root" diff --quiet HEAD -- bench/core kernels tests/bench/core cmake CMakeLists.txt 2>/dev/null || commit="$commit with local changes"
  model="$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)"
  header="Made by \`scripts/prove_instrument.sh\` from commit $commit on $(date -u +%Y-%m-%d): ${model:-unknown CPU}, $(nproc) cores, Linux $(uname -r), load average $load at the start."
fi

cp -- "$page" "$work/page"
for name in detection timing; do
  { printf '%s\n\n' "$header" && awk -v name="## $name" '/^## / { on = $0 == name; next } on' "$work/tables"; } >"$work/$name"
  awk -v table="$work/$name" -v begin="<!-- $kind$name table: begin -->" -v end="<!-- $kind$name table: end -->" '
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
