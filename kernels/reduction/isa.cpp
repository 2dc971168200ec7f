#include "kernels/reduction/isa.hpp"

#include <algorithm>
#include <string>

#include "kernels/tensor/instruction_cap.hpp"

namespace detbench::reduction {
namespace {

bool runs_here([[maybe_unused]] Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::avx2)
    return instruction_level_cap() >= 1 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("f16c");
  if (isa == Isa::avx512)
    return instruction_level_cap() >= 2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#endif
  return isa == Isa::baseline;
}

}  // namespace

std::string_view to_text(Isa isa) {
  switch (isa) {
    case Isa::avx2: return "avx2";
    case Isa::avx512: return "avx512";
    default: return "baseline";
  }
}

std::vector<Isa> available_isas() {
  std::vector<Isa> isas;
  for (Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512})
    if (runs_here(isa)) isas.push_back(isa);
  return isas;
}

Isa best_isa() { return available_isas().back(); }

Result<Isa> parse_isa(std::string_view text) {
  for (Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512}) {
    if (to_text(isa) != text) continue;
    if (runs_here(isa)) return isa;
    return unsupported("option isa=" + std::string(text) + " needs a processor with " + std::string(text) +
                       "; this one has " + std::string(to_text(best_isa())) + " at most");
  }
  return invalid_input("option isa=" + std::string(text.substr(0, 40)) + " is not one of baseline, avx2, avx512");
}

}  // namespace detbench::reduction
