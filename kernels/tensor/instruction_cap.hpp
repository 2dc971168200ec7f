// The widest vectors that this process may use, for trying that bits do not depend on them: the environment variable
// DETBENCH_ISA=baseline|avx2|avx512, read once. Our own kernels heed it; libraries have variables of their own
// (ONEDNN_MAX_CPU_ISA).
#pragma once

namespace detbench {

/// 0 baseline, 1 AVX2, 2 AVX-512; 2 where the variable is not set.
int instruction_level_cap();
/// False where the variable is set to something else than the three: it then caps nothing.
bool instruction_cap_is_readable();

}  // namespace detbench
