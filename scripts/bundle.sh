#!/usr/bin/env bash
# Makes a folder that runs on a machine with a GPU and nothing but its driver, cuDNN 9 and cuBLAS: the program, the device
# tests, the libraries they need, the charts' data and scripts/gpu_check.sh. Needs nvcc and cuDNN's headers here.
#
# Usage: scripts/bundle.sh [OPTIONS]
#
#   scripts/bundle.sh                       builds the preset bundle and makes build/detbench-bundle and build/detbench-bundle.tar.gz
#   scripts/bundle.sh --arch '80;90'        for these GPU architectures
#
#   --out DIR        folder to make; an earlier bundle there is replaced, anything else is refused
#   --arch LIST      architectures as CMake takes them (those of the GPUs here, else 90)
#   --from BUILD     takes a build folder as it is, and builds nothing
#   --with-onednn    carries oneDNN too, where the build was made with it
#
# oneDNN is left out because it is larger than all the rest: its rows say so. glibc is the machine's, and so is the C++
# library unless gpu_check.sh finds it missing or too old. Vendor libraries are looked for when the program runs, in the
# order of docs/gpu.md. The folder works wherever it is moved; this script moves a copy and tries it.
#
# Exit codes: 2 usage; 3 it could not be built, its archive is over 50 MiB, or it does not run elsewhere.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

limit_bytes=$((50 * 1024 * 1024)) # of the archive: that is what travels
out="$detbench_root/build/detbench-bundle" architectures="" from="" with_onednn=no
while (($# > 0)); do
  case "$1" in
    -h | --help)
      print_header_comment
      exit 0
      ;;
    --with-onednn) with_onednn=yes ;;
    --out | --arch | --from)
      (($# >= 2)) || fail 2 "$1 needs a value; see scripts/bundle.sh --help"
      case "$1" in
        --out) out="$(realpath -m -- "$2")" ;;
        --arch) architectures="$2" ;;
        --from) from="$(realpath -m -- "$2")" ;;
      esac
      shift
      ;;
    *) fail 2 "unknown argument '$1'; see scripts/bundle.sh --help" ;;
  esac
  shift
done
if [[ -e "$out" && ! -e "$out/MANIFEST" ]]; then
  [[ -d "$out" && -z "$(ls -A -- "$out")" ]] || fail 2 "--out '$out' is there and is no bundle"
fi

work="$(mktemp -d)"
trap 'rm -rf -- "$work"' EXIT
"$detbench_root/scripts/device_tests.sh" >"$work/device_tests" || fail 3 "the device tests cannot be listed"

if [[ -z "$from" ]]; then
  CUDACXX="$(find_nvcc)" || fail 3 "no nvcc: put it on PATH, or set CUDA_PATH to the folder of the toolkit"
  export CUDACXX
  [[ -n "$architectures" ]] || architectures="$(gpu_architectures)"
  from="$detbench_root/build/bundle"
  mapfile -t targets < <(cut -f 1 "$work/device_tests" | xargs -n 1 basename)
  (cd -- "$detbench_root" && cmake --preset bundle "-DDETBENCH_CUDA_ARCHITECTURES=${architectures:-90}" &&
    cmake --build --preset bundle --parallel "$(job_count)" --target detbench prove_instrument "${targets[@]}") >&2 || fail 3 "the build failed (preset bundle)"
fi
[[ -x "$from/detbench" ]] || fail 3 "no program '$from/detbench'"

bundle="$work/bundle"
mkdir -p -- "$bundle"/{bin,tests,lib/if-absent,scripts/gpu_check,scripts/peers}
strip -o "$bundle/bin/detbench" -- "$from/detbench"
# The proof of the instrument, where the build has it.
if [[ -x "$from/tests/bench/core/prove_instrument" ]]; then strip -o "$bundle/bin/prove_instrument" -- "$from/tests/bench/core/prove_instrument"; fi
while IFS=$'\t' read -r program filter; do
  name="$(basename -- "$program")"
  [[ -x "$from/$program" ]] || fail 3 "no test program '$from/$program'"
  strip -o "$bundle/tests/$name" -- "$from/$program"
  printf 'tests/%s\t%s\n' "$name" "$filter" >>"$bundle/device_tests.txt"
done <"$work/device_tests"

# linked: of ldd's output a line per library: name, tab, path (empty where it was not found).
linked() { sed -nE -e 's/^[[:space:]]*([^ ]+) => not found.*/\1\t/p' -e 's/^[[:space:]]*([^ ]+) => (\/.*) \(0x[0-9a-f]+\)$/\1\t\2/p'; }

# What the programs are linked with. The machine's own: glibc. Not to be linked with: what is looked for at run time.
for program in "$bundle"/bin/* "$bundle"/tests/*; do
  while IFS=$'\t' read -r library path; do
    case "$library" in
      libc.so.6 | libm.so.6 | libdl.so.2 | libpthread.so.0 | librt.so.1 | libresolv.so.2) continue ;;
      libcuda.so* | libcudart.so* | libcudnn* | libcublas* | libnvidia*) fail 3 "$(basename -- "$program") is linked with $library, which must be looked for when it runs" ;;
      libdnnl* | libOpenCL*) [[ "$with_onednn" == yes ]] || fail 3 "$(basename -- "$program") is linked with $library: take the preset bundle, or give --with-onednn" ;;
    esac
    [[ -r "$path" ]] || fail 3 "$library, which $(basename -- "$program") needs, is not on this machine"
    case "$library" in
      libstdc++.so* | libgcc_s.so*) target="$bundle/lib/if-absent/$library" ;;
      *) target="$bundle/lib/$library" ;;
    esac
    [[ -e "$target" ]] || { strip --strip-unneeded -o "$target" -- "$path" 2>/dev/null || cp -L -- "$path" "$target"; }
  done < <(LD_LIBRARY_PATH="$from" ldd "$program" | linked)
  # Found beside the program wherever the folder lies, and nowhere on this machine.
  readelf -d "$program" | grep -E 'R(UN)?PATH' | grep -qF '[$ORIGIN/../lib]' ||
    fail 3 "$(basename -- "$program") does not look for its libraries in ../lib alone: build with -DCMAKE_BUILD_RPATH='\$ORIGIN/../lib', as the preset bundle does"
done

vega="$detbench_root/.venv/share/detbench"
if [[ -s "$vega/vega.bundle.js" ]]; then
  mkdir -p -- "$bundle/vega/share/detbench"
  cp -- "$vega"/vega.bundle.js "$vega"/vega.json "$bundle/vega/share/detbench/"
else
  say "no Vega scripts here (scripts/setup.sh makes them): pages made there have tables and no charts" >&2
fi
cp -- "$detbench_root"/scripts/{gpu_check.sh,lib.sh} "$bundle/scripts/"
cp -- "$detbench_root"/scripts/gpu_check/* "$bundle/scripts/gpu_check/"
cp -- "$detbench_root"/scripts/peers/*.py "$bundle/scripts/peers/"
cp -- "$detbench_root/docs/gpu.md" "$bundle/README.md"

# newest_symbol PREFIX: the highest version of PREFIX_x.y that anything carried asks of the machine.
newest_symbol() {
  find "$bundle/bin" "$bundle/tests" "$bundle/lib" -maxdepth 1 -type f -exec readelf -V {} + 2>/dev/null |
    grep -oE "Name: $1_[0-9.]+" | sed "s/Name: $1_//" | sort -V | tail -n 1
}
bytes="$(du -sb --apparent-size -- "$bundle" | cut -f 1)"
{
  printf 'version=%s\n' "$("$bundle/bin/detbench" --version | awk '{ print $2 }')"
  printf 'commit=%s\n' "$(git -C "$detbench_root" rev-parse HEAD 2>/dev/null || echo unknown)"
  printf 'local_changes=%s\n' "$(git -C "$detbench_root" diff --quiet HEAD 2>/dev/null && echo no || echo yes)"
  printf 'built_utc=%s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
  printf 'architectures=%s\n' "$(sed -n 's/^DETBENCH_CUDA_ARCHITECTURES:[A-Z]*=//p' "$from/CMakeCache.txt")"
  printf 'glibc_needed=%s\n' "$(newest_symbol GLIBC)"
  printf 'glibcxx_needed=%s\n' "$(newest_symbol GLIBCXX)"
  printf 'bytes=%s\n' "$bytes"
} >"$bundle/MANIFEST"
(cd -- "$bundle" && find . -type f ! -name SHA256SUMS -print0 | sort -z | xargs -0 sha256sum >SHA256SUMS)

mv -- "$bundle" "$work/detbench-bundle"
bundle="$work/detbench-bundle"
tar --owner=0 --group=0 -C "$work" -czf "$work/bundle.tar.gz" detbench-bundle
archive_bytes="$(stat -c %s "$work/bundle.tar.gz")"
if ((archive_bytes > limit_bytes)); then
  (cd -- "$bundle" && find . -type f -printf '%s %p\n' | sort -rn | head -n 15 | awk '{ printf "  %7.2f MiB  %s\n", $1 / 1048576, $2 }') >&2
  fail 3 "the bundle's archive is $((archive_bytes / 1048576)) MiB, over its limit of 50 MiB; the largest files are above"
fi

# Moved, without this machine's environment, from another folder, it must still run, with the libraries it carries.
moved="$work/a folder elsewhere"
mv -- "$bundle" "$moved"
elsewhere() { (cd / && env -i PATH=/usr/bin:/bin LC_ALL=C "$@"); }
elsewhere "$moved/bin/detbench" env >"$work/env" 2>&1 || fail 3 "the moved program does not run: $(tail -n 1 "$work/env")"
while IFS=$'\t' read -r program filter; do
  elsewhere "$moved/$program" --gtest_list_tests "--gtest_filter=$filter" >"$work/list" 2>&1 || fail 3 "the moved $program does not run: $(tail -n 1 "$work/list")"
  grep -q '^  ' "$work/list" || fail 3 "$program has no test that its filter selects: $filter"
  printf '%s ' "$(basename -- "$program"): $(grep -c '^  ' "$work/list")" >>"$work/counts"
done <"$moved/device_tests.txt"
foreign="$(elsewhere ldd "$moved/bin/detbench" | linked | while IFS=$'\t' read -r library path; do
  [[ ! -e "$moved/lib/$library" || "$path" == "$moved"/* ]] || printf '%s ' "$path"
done)"
[[ -z "$foreign" ]] || fail 3 "the moved program takes these from elsewhere: $foreign"
(cd -- "$moved" && sha256sum --quiet -c SHA256SUMS) || fail 3 "the bundle is damaged"

mkdir -p -- "$(dirname -- "$out")"
if [[ -e "$out" ]]; then rm -rf -- "$out.replaced" && mv -- "$out" "$out.replaced"; fi
cp -a -- "$moved" "$out.new" && mv -- "$out.new" "$out" && rm -rf -- "$out.replaced"
cp -- "$work/bundle.tar.gz" "$out.tar.gz.new" && mv -- "$out.tar.gz.new" "$out.tar.gz"
say "$out: $(awk -v b="$bytes" -v a="$archive_bytes" 'BEGIN { printf "%.1f MiB, as %.1f MiB", b / 1048576, a / 1048576 }') in $out.tar.gz, glibc $(sed -n 's/^glibc_needed=//p' "$out/MANIFEST") or newer; tests $(cat "$work/counts")"
say "on the GPU machine: $(basename -- "$out")/scripts/gpu_check.sh --budget-s 480"
