# shellcheck shell=bash
# A bundle of stand-ins for gpu_check.sh, and how its tests call it; sourced by gpu_check*_test.sh.
source "$(dirname -- "${BASH_SOURCE[0]}")/expect.sh"
here="$root/tests/scripts"
bundle="$folder/bundle"
mkdir -p "$bundle/bin" "$bundle/tests"
cp "$here/fake_detbench.sh" "$bundle/bin/detbench"
for name in passing failing crashing lost hanging skipping long; do cp "$here/fake_tests.sh" "$bundle/tests/$name"; done
chmod +x "$bundle"/bin/* "$bundle"/tests/*
export FAKE_MARK="$folder/mark"
mark="gpu-check-test-$$"
printf '%s' "$mark" >"$FAKE_MARK"
tests_list() { for name in "$@"; do printf 'tests/%s\tGpu.*\n' "$name"; done >"$bundle/device_tests.txt"; }
phases() { printf '%s\n' "$@" >"$folder/phases.txt"; }
# check OUT ARGUMENT...: sets said and code; the call must end soon after its budget.
check() {
  local out="$1" begun="$SECONDS"
  shift
  code=0
  said="$("$root/scripts/gpu_check.sh" --from "$bundle" --backend cpu --phases "$folder/phases.txt" --out "$folder/$out" "$@" 2>&1)" || code=$?
  took=$((SECONDS - begun))
  rm -rf -- "$folder/open" && mkdir "$folder/open"
  for archive in "$folder/$out"/*.tar.gz; do [[ -e "$archive" ]] && tar -xzf "$archive" -C "$folder/open"; done
  return 0
}
value() { sed -n "s/^$2=//p" "$folder/open/$1/status"; }
