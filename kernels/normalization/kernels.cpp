#include <initializer_list>

#include "kernels/normalization/kernels.hpp"
#include "kernels/tensor/instruction_cap.hpp"

namespace detbench::normalization {

extern const Kernels* const baseline_kernels;
extern const Kernels* const avx2_kernels;
extern const Kernels* const avx512_kernels;

namespace {
#if defined(__x86_64__)
bool has_avx2() { return instruction_level_cap() >= 1 && __builtin_cpu_supports("avx2"); }
bool has_avx512() {
  return instruction_level_cap() >= 2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw");
}
#else
bool has_avx2() { return false; }
bool has_avx512() { return false; }
#endif
}  // namespace

const Kernels* kernels_for(InstructionSet set) {
  switch (set) {
    case InstructionSet::avx512: return has_avx512() ? avx512_kernels : nullptr;
    case InstructionSet::avx2: return has_avx2() ? avx2_kernels : nullptr;
    case InstructionSet::baseline: break;
  }
  return baseline_kernels;
}

const Kernels& best_kernels() {
  static const Kernels& best = [&]() -> const Kernels& {
    for (auto set : {InstructionSet::avx512, InstructionSet::avx2})
      if (const auto* kernels = kernels_for(set)) return *kernels;
    return *baseline_kernels;
  }();
  return best;
}

}  // namespace detbench::normalization
