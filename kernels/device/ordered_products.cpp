#include "kernels/device/ordered_products.hpp"

#include "kernels/tensor/instruction_cap.hpp"

namespace detbench {

std::string_view to_text(InstructionSet set) {
  switch (set) {
    case InstructionSet::avx512: return "avx512";
    case InstructionSet::avx2: return "avx2";
    default: return "baseline";
  }
}

bool cpu_has(InstructionSet set) {
  switch (set) {
    case InstructionSet::avx512:
      return instruction_level_cap() >= 2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && cpu_has(InstructionSet::avx2);
    case InstructionSet::avx2: return instruction_level_cap() >= 1 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    default: return true;
  }
}

namespace ordered {

Result<const Kernels*> choose_kernels(const Options& options) {
  const auto asked = options.find("isa");
  const auto kernels_of = [](InstructionSet set) {
    return set == InstructionSet::avx512 ? &kernels_avx512() : set == InstructionSet::avx2 ? &kernels_avx2() : &kernels_baseline();
  };
  if (asked == options.end()) {
    const Kernels* widest = nullptr;
    for (auto set : all_instruction_sets)
      if (cpu_has(set)) widest = kernels_of(set);
    return widest;
  }
  for (auto set : all_instruction_sets) {
    if (to_text(set) != asked->second) continue;
    if (!cpu_has(set)) return unsupported("this CPU has no " + asked->second);
    return kernels_of(set);
  }
  return invalid_input("isa=" + asked->second + " is no instruction set: baseline, avx2 and avx512 are");
}

}  // namespace ordered
}  // namespace detbench
