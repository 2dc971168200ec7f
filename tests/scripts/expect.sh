# shellcheck shell=bash
# What the tests of this folder share; sourced, never run.
set -uo pipefail
root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)"
folder="$(mktemp -d "${TMPDIR:-/tmp}/scripts test.XXXXXX")"
trap 'rm -rf -- "$folder"' EXIT
failures=0

# expect WHAT COMMAND...: COMMAND must succeed.
expect() {
  local what="$1"
  shift
  "$@" && return 0
  printf 'FAILED: %s\n  %s\n' "$what" "$*" >&2
  failures=$((failures + 1))
}
# equal WHAT GOT WANTED
equal() {
  [[ "$2" == "$3" ]] && return 0
  printf 'FAILED: %s\n  got    %s\n  wanted %s\n' "$1" "$2" "$3" >&2
  failures=$((failures + 1))
}
# contains WHAT TEXT PART
contains() {
  [[ "$2" == *"$3"* ]] && return 0
  printf 'FAILED: %s\n  no     %s\n  in     %s\n' "$1" "$3" "$2" >&2
  failures=$((failures + 1))
}
conclude() {
  ((failures == 0)) && printf 'all as expected\n' && exit 0
  exit 1
}
