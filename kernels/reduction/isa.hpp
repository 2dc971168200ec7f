// Instruction sets that the CPU kernels are compiled for, chosen at run time. They change speed, never bits: the order
// of additions is defined on virtual lanes.
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "kernels/result.hpp"

namespace detbench::reduction {

/// avx2 means AVX2 with FMA and F16C, which came with it (Haswell, Zen).
enum class Isa { baseline, avx2, avx512 };

std::string_view to_text(Isa isa);
/// What this processor can run, weakest first; baseline always is.
std::vector<Isa> available_isas();
/// The strongest of them.
Isa best_isa();
/// Value of the option `isa`: a reason when the name is unknown or this processor lacks the set.
Result<Isa> parse_isa(std::string_view text);

#if defined(__x86_64__)
#define DETBENCH_TARGET_AVX2 __attribute__((target("avx2,fma,f16c")))
#define DETBENCH_TARGET_AVX512 __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl")))
#else
// Elsewhere only the baseline is ever chosen; the names stay so that no call site differs.
#define DETBENCH_TARGET_AVX2
#define DETBENCH_TARGET_AVX512
#endif

}  // namespace detbench::reduction
