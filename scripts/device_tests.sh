#!/usr/bin/env bash
# Prints which test programs hold device tests: a line each, the program's path below the build folder, a tab, and the
# GoogleTest filter that selects them. Reads the sources, so that no list has to be kept.
#
# Usage: scripts/device_tests.sh
#
# The rule: a source belongs to the device tests when it, or a header of tests/ that it includes, asks for the CUDA device,
# the driver or one of NVIDIA's libraries and then skips (GTEST_SKIP within eight lines of the question). All of its suites
# count: what is tested elsewhere without a device is tested there with one.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

case "${1:-}" in
  "") ;;
  -h | --help)
    print_header_comment
    exit 0
    ;;
  *) fail 2 "'$1' is no argument; see scripts/device_tests.sh --help" ;;
esac
cd -- "$detbench_root"

# skips_without_gpu FILE
skips_without_gpu() {
  awk '/make_cuda_device|cudaGetDeviceCount|driver_library_present|cu(dnn|blas[A-Za-z]*)(::library|_version|_library)\(/ { asked = NR }
       /GTEST_SKIP/ && asked && NR - asked <= 8 { found = 1; exit }
       END { exit !found }' "$1"
}

# Headers by the rule above, and headers that include those.
mapfile -t all_headers < <(find tests -name '*.hpp' -o -name '*.cuh' -o -name '*.inl' | sort)
device_headers=()
for header in "${all_headers[@]}"; do
  if skips_without_gpu "$header"; then device_headers+=("$header"); fi
done

# includes_device_header FILE
includes_device_header() {
  local header name
  for header in "${device_headers[@]}"; do
    name="$(basename -- "$header")"
    grep -qE "^#include \"([^\"]*/)?${name//./\\.}\"" "$1" && return 0
  done
  return 1
}
for header in "${all_headers[@]}"; do
  if ! skips_without_gpu "$header" && includes_device_header "$header"; then device_headers+=("$header"); fi
done

# filters_of FILE: GoogleTest patterns of every suite in it.
filters_of() {
  sed -nE -e 's/^TEST(_F)?\((\w+),.*/\2.*/p' -e 's/^TEST_P\((\w+),.*/*\/\1.*/p' \
    -e 's/^TYPED_TEST\((\w+),.*/\1\/*.*/p' -e 's/^TYPED_TEST_P\((\w+),.*/*\/\1\/*.*/p' "$1"
}

# program_of FOLDER: the test program that this folder's CMakeLists.txt makes.
program_of() {
  sed -nE -e 's/^ *detbench_tests\((\w+).*/\1/p' -e 's/^ *add_executable\((\w+).*/\1/p' "$1/CMakeLists.txt" 2>/dev/null | head -n 1
}

declare -A filters=()
while IFS= read -r file; do
  skips_without_gpu "$file" || includes_device_header "$file" || continue
  program="$(program_of "$(dirname -- "$file")")"
  [[ -n "$program" ]] || fail 3 "$file holds device tests, but its folder's CMakeLists.txt makes no test program"
  filters["$(dirname -- "$file")/$program"]+="$(filters_of "$file")"$'\n'
done < <(find tests -name '*_test.cpp' -o -name '*_test.cu' | sort)

((${#filters[@]} > 0)) || fail 3 "no device tests found under tests/"
for program in "${!filters[@]}"; do
  printf '%s\t%s\n' "$program" "$(sort -u <<<"${filters[$program]}" | grep -v '^$' | paste -s -d :)"
done | sort
