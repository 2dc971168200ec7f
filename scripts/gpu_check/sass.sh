# shellcheck shell=bash
# What became of atomic additions in the very program that is measured: its probe kernels (kernels/device/atomic_probe.cu),
# disassembled where a disassembler is; sourced by gpu_check.sh. Leaves env/atomics.sass and env/atomics.txt.

atomic_probes="$(printf 'detbench_atomic_add_%s,' f32 f64 f16 f16x2 bf16 bf16x2 i32 u32 u64)"

# find_disassembler: a cuobjdump, from the PATH, a toolkit or PyPI's wheels in the checkout's environment.
find_disassembler() {
  local candidate
  for candidate in "$(command -v cuobjdump)" "${CUDA_PATH:-/usr/local/cuda}/bin/cuobjdump" "$detbench_root"/.venv/lib/python3*/site-packages/nvidia/cu1*/bin/cuobjdump; do
    if [[ -x "$candidate" ]]; then
      printf '%s\n' "$candidate"
      return 0
    fi
  done
  return 1
}

# read_atomics: a bundle's kernels lie in its shared library, a build's in the program.
read_atomics() {
  local disassembler binary
  # Read by an earlier call: the state is the same program's.
  if [[ -s env/atomics.txt ]] && grep -qs 'Function : detbench_atomic_add_' env/atomics.sass; then return; fi
  if ! disassembler="$(find_disassembler)"; then
    echo "no cuobjdump here: env.txt has what PTX says of atomic additions" >env/atomics.txt
    return
  fi
  # cuobjdump calls nvdisasm, which lies beside it.
  local PATH="$PATH:${disassembler%/*}"
  rm -f -- env/atomics.sass env/atomics.txt
  for binary in "$detbench" "$programs"/lib/*.so "$programs"/*.so; do
    [[ -e "$binary" ]] || continue
    run_bounded 20 2 env/atomics.sass "$disassembler" -sass -fun "${atomic_probes%,}" "$binary"
    grep -q 'Function : detbench_atomic_add_' env/atomics.sass && break
  done
  if grep -q 'Function : detbench_atomic_add_' env/atomics.sass; then
    run_bounded 20 2 env/atomics.txt "$detbench" env --sass env/atomics.sass
  else
    echo "no probe of atomic additions in '$detbench'" >env/atomics.txt
  fi
}
