#!/usr/bin/env bash
# bundle.sh over this build folder: a build that suits becomes a folder that runs elsewhere, another one is refused with
# the reason. Usage: bundle_test.sh BUILD_FOLDER
source "$(dirname -- "${BASH_SOURCE[0]}")/expect.sh"
build="$1"
code=0
refused() {
  local what="$1" wanted="$2" words="$3"
  shift 3
  code=0
  said="$("$root/scripts/bundle.sh" "$@" 2>&1)" || code=$?
  equal "$what: exit code" "$code" "$wanted"
  contains "$what" "$said" "$words"
}
refused "an unknown option" 2 "unknown argument" --frobnicate
refused "a value is missing" 2 "needs a value" --out
mkdir "$folder/other" && touch "$folder/other/file"
refused "a folder that is no bundle" 2 "is no bundle" --out "$folder/other"
refused "no build there" 3 "no program" --from "$folder/nowhere" --out "$folder/bundle"

said="$("$root/scripts/bundle.sh" --from "$build" --out "$folder/bundle" 2>&1)" && code=0 || code=$?
if ((code != 0)); then
  equal "a refusal has one exit code" "$code" 3
  expect "and a reason that is known: $said" grep -qE 'look for its libraries in \.\./lib|no test program|linked with libdnnl' <<<"$said"
  expect "nothing is left behind" test ! -e "$folder/bundle"
  conclude
fi
expect "it names its commit" grep -qE '^commit=[0-9a-f]{40}$' "$folder/bundle/MANIFEST"
expect "the archive that travels holds it" bash -c 'tar -tzf "$1" | grep -qx detbench-bundle/bin/detbench' bash "$folder/bundle.tar.gz"
expect "its files are whole" bash -c 'cd "$1" && sha256sum --quiet -c SHA256SUMS' bash "$folder/bundle"
mv "$folder/bundle" "$folder/moved away"
expect "it runs where it was moved" env -i PATH=/usr/bin:/bin "$folder/moved away/scripts/gpu_check.sh" --backend cpu --plan
conclude
