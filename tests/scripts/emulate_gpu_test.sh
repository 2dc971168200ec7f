#!/usr/bin/env bash
# emulate_gpu.sh over stand-ins for test programs: what it counts, names and returns. It builds nothing here.
source "$(dirname -- "${BASH_SOURCE[0]}")/expect.sh"
build="$folder/build"
mkdir -p "$build/tests"
echo 'DETBENCH_EMULATED_GPU:BOOL=ON' >"$build/CMakeCache.txt"
for name in passing failing crashing skipping long; do cp "$root/tests/scripts/fake_tests.sh" "$build/tests/$name"; done
chmod +x "$build"/tests/*
tests_list() { for name in "$@"; do printf 'tests/%s\tGpu.*\n' "$name"; done >"$build/device_tests.txt"; }
# emulate ARGUMENT...: sets said and code.
emulate() {
  code=0
  said="$("$root/scripts/emulate_gpu.sh" --from "$build" --no-build --jobs 2 "$@" 2>&1)" || code=$?
}

tests_list passing skipping
emulate
equal "nothing failed" "$code" 0
contains "the sum" "$said" "3 passed, 0 failed, 3 skipped"
contains "the order that the tests get" "$said" "order random:1"
emulate --filter '*First:*Other' passing
equal "a filter" "$code" 0
contains "narrows the device tests and adds none" "$said" "1 passed, 0 failed, 0 skipped"
emulate --order random:7 passing
contains "another order" "$said" "order random:7"

tests_list failing crashing passing
emulate
equal "something failed" "$code" 1
contains "the sum" "$said" "6 passed, 3 failed, 0 skipped"
contains "a failed test is named" "$said" "Gpu.First failed:"
contains "a crashed test is named" "$said" "Gpu.Second (crashed: code 139)"
emulate passing
equal "one program alone" "$code" 0
contains "is all that ran" "$said" "3 passed, 0 failed"

tests_list long
emulate --budget-s 3
equal "the budget ended" "$code" 130
tests_list skipping
emulate
equal "nothing ran" "$code" 1

emulate nothing_like_that
equal "an unknown program" "$code" 2
emulate --order backwards
equal "an unknown order" "$code" 2
emulate --filter 'None.*'
equal "a filter without a match" "$code" 2
emulate --jobs
equal "an option without its value" "$code" 2
mkdir "$folder/other" && touch "$folder/other/kept"
emulate --out "$folder/other"
equal "a folder of something else" "$code" 2
expect "which stays" test -e "$folder/other/kept"
echo 'DETBENCH_EMULATED_GPU:BOOL=OFF' >"$build/CMakeCache.txt"
emulate
equal "a build for real GPUs" "$code" 3
conclude
