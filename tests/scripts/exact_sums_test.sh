#!/usr/bin/env bash
# The committed sums of tests/data/reduction are what rational arithmetic gives: drawn again, the file is the same, and a
# wrong bit in it is seen. Needs nothing but Python; exits with 77 where there is none.
source "$(dirname -- "${BASH_SOURCE[0]}")/expect.sh"
command -v python3 >/dev/null || { printf 'SKIPPED: no python3\n'; exit 77; }
export PYTHONDONTWRITEBYTECODE=1
sums="$root/scripts/exact_sums.py"
stored="$root/tests/data/reduction/exact_sums.json"

expect "the stored sums are those of rational arithmetic" python3 "$sums" --check "$stored"
expect "they can be written" python3 "$sums" --write "$folder/sums.json"
expect "writing them anew gives the same file" cmp -s "$stored" "$folder/sums.json"
sed '0,/"sum": "3fc00000"/s//"sum": "3fc00001"/' "$stored" >"$folder/wrong.json"
python3 "$sums" --check "$folder/wrong.json" >"$folder/said" 2>&1
equal "a wrong bit is refused" "$?" 1
contains "and its line named" "$(cat "$folder/said")" "line 2 is not what rational arithmetic gives"
sed '$d' "$stored" >"$folder/short.json"
python3 "$sums" --check "$folder/short.json" >/dev/null 2>&1
equal "a file that was cut off is refused" "$?" 1
python3 "$sums" --check "$folder/missing.json" >/dev/null 2>&1
equal "a file that is not there is refused" "$?" 2
conclude
