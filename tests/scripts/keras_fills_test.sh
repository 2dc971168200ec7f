#!/usr/bin/env bash
# The Python half of the fills' bit check: what Keras's networks are filled with is what C++ draws (KerasFills holds the same
# file). Needs nothing but Python; exits with 77 where there is none.
source "$(dirname -- "${BASH_SOURCE[0]}")/expect.sh"
command -v python3 >/dev/null || { printf 'SKIPPED: no python3\n'; exit 77; }
export PYTHONDONTWRITEBYTECODE=1
fills="$root/scripts/keras_reference/fills.py"
stored="$root/tests/data/keras/fills.json"

expect "the stored fills have the bits that Python draws" python3 "$fills" --check "$stored"
python3 "$fills" --write "$folder/fills.json" >/dev/null
expect "writing them anew gives the same file" cmp -s "$stored" "$folder/fills.json"
# One wrong bit in one value, and one in the checksum that covers the rest, are seen.
sed '0,/"3f800000"/s//"3f800001"/' "$stored" >"$folder/value.json"
python3 "$fills" --check "$folder/value.json" >"$folder/said" 2>&1
equal "a wrong bit is refused" "$?" 1
contains "and its stream named" "$(cat "$folder/said")" weights/bn/gamma
sed -E '0,/"checksum": "[0-9a-f]{15}./s/("checksum": "[0-9a-f]{15})./\1g/' "$stored" >"$folder/sum.json"
python3 "$fills" --check "$folder/sum.json" >/dev/null 2>&1
equal "a wrong checksum is refused" "$?" 1
printf '{' >"$folder/broken.json"
python3 "$fills" --check "$folder/broken.json" >/dev/null 2>&1
equal "a broken file is refused" "$?" 2
conclude
