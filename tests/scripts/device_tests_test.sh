#!/usr/bin/env bash
# Every test that skips without a GPU is on the list that the bundle is made from.
source "$(dirname -- "${BASH_SOURCE[0]}")/expect.sh"
listed="$("$root/scripts/device_tests.sh")"
expect "there are device tests" test -n "$listed"
contains "the device layer's" "$listed" $'tests/kernels/device/device_tests\t'
contains "their suites" "$listed" "CudaDeviceTest.*"
expect "no suite is named twice" test -z "$(cut -f 2 <<<"$listed" | tr ':' '\n' | sort | uniq -d)"
expect "no two programs have one name" test -z "$(cut -f 1 <<<"$listed" | xargs -n 1 basename | sort | uniq -d)"
# A file that allocates on a GPU by itself and skips for the lack of one must not have slipped through the rule.
while IFS= read -r file; do
  grep -q GTEST_SKIP "$file" || continue
  grep -qE 'GTEST_SKIP\(\) *<<.*([Cc][Uu][Dd][Aa]|GPU)' "$file" || continue
  suite="$(sed -nE 's/^(TEST|TEST_F|TEST_P|TYPED_TEST)\((\w+),.*/\2/p' "$file" | head -n 1)"
  [[ -n "$suite" ]] && contains "$file" "$listed" "$suite"
done < <(find "$root/tests" -name '*_test.cpp' -o -name '*_test.cu')
conclude
