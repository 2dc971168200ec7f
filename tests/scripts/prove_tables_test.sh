#!/usr/bin/env bash
# scripts/prove_instrument.sh with a stand-in for the program: which table goes where, and what is refused.
source "$(dirname -- "${BASH_SOURCE[0]}")/expect.sh"
copy="$folder/checkout"
mkdir -p "$copy/scripts" "$copy/docs" "$copy/build/cpu/tests/bench/core" "$folder/bin"
cp "$root"/scripts/{prove_instrument.sh,lib.sh} "$copy/scripts"
printf '#!/bin/sh\nexit 0\n' >"$folder/bin/cmake" # builds nothing
chmod +x "$folder/bin/cmake"
export PATH="$folder/bin:$PATH"
page="$copy/docs/method.md"
fresh_page() {
  for name in detection timing "gpu detection" "gpu timing"; do printf '<!-- %s table: begin -->\n<!-- %s table: end -->\n' "$name" "$name"; done >"$page"
}
printed() { # DEVICE CELL
  printf '## made from commit 0123456789ab on 2026-11-22: %s, 2 cores, Linux 6\n## detection\n| a | holds |\n| --- | --- |\n| found | %s |\n## timing\n| b | holds |\n| --- | --- |\n| equal | yes |\n' "$1" "$2"
}
tool() { "$copy/scripts/prove_instrument.sh" "$@" >"$folder/said" 2>&1; }

# What another machine printed goes between the markers of a GPU, and nowhere else.
fresh_page
printed "Hand-made GPU" yes >"$folder/tables"
tool --tables "$folder/tables"
equal "it is written" $? 0
equal "between the GPU's markers" "$(sed -n '/gpu detection table: begin/,/gpu detection table: end/p' "$page" | sed -n 2,6p)" \
  "$(printf 'Made by `prove_instrument --backend cuda` from commit 0123456789ab on 2026-11-22: Hand-made GPU, 2 cores, Linux 6.\n\n| a | holds |\n| --- | --- |\n| found | yes |')"
contains "the other table too" "$(sed -n '/gpu timing table: begin/,/gpu timing table: end/p' "$page")" "| equal | yes |"
equal "the CPU's stay" "$(sed -n 1,4p "$page")" "$(printf '<!-- detection table: begin -->\n<!-- detection table: end -->\n<!-- timing table: begin -->\n<!-- timing table: end -->')"
before="$(cat "$page")"
tool --tables "$folder/tables"
equal "again gives the same" "$(cat "$page")" "$before"
printed "Hand-made GPU" NO >"$folder/tables"
tool --tables "$folder/tables"
equal "a row that does not hold is 1" $? 1

# Refused: what no GPU printed, what was cut off, what is not there.
before="$(cat "$page")"
for device in CPU "Emulated GPU"; do
  printed "$device" yes >"$folder/tables"
  tool --tables "$folder/tables"
  equal "tables of: $device" $? 2
done
printed "Hand-made GPU" yes | head -n 5 >"$folder/tables"
tool --tables "$folder/tables"
equal "half a file" $? 2
tool --tables "$folder/none"
equal "no file" $? 2
for words in "--backend gpu" "--scale 0" "--scale x" "--frequency 3" "--tables"; do
  # shellcheck disable=SC2086
  tool $words
  equal "$words" $? 2
done
equal "nothing was written" "$(cat "$page")" "$before"

# Made here: the CPU's go between the CPU's markers, with the machine in the header.
fresh_page
printed CPU yes >"$folder/printed"
printf '#!/bin/sh\necho "$@" >"%s"\ncat "%s"\n' "$folder/words" "$folder/printed" >"$copy/build/cpu/tests/bench/core/prove_instrument"
chmod +x "$copy/build/cpu/tests/bench/core/prove_instrument"
tool
equal "made" $? 0
equal "the program is told" "$(cat "$folder/words")" "--backend cpu --scale 1"
contains "the header" "$(sed -n 2p "$page")" 'Made by `scripts/prove_instrument.sh` from commit'
contains "the table" "$(sed -n '/^<!-- timing table: begin/,/^<!-- timing table: end/p' "$page")" "| equal | yes |"
contains "the GPU's stay empty" "$(cat "$page")" "$(printf '<!-- gpu timing table: begin -->\n<!-- gpu timing table: end -->')"
before="$(cat "$page")"
tool --scale 0.1
contains "a quick look prints" "$(cat "$folder/said")" "| equal | yes |"
equal "and writes nothing" "$(cat "$page")" "$before"
conclude
