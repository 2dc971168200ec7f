#include "kernels/arithmetic_rate/chains.hpp"

#include <algorithm>

namespace detbench::arithmetic_rate {

const ChainKernel& widest_chains() {
  if (cpu_has(InstructionSet::avx512)) return chains_avx512();
  if (cpu_has(InstructionSet::avx2)) return chains_avx2();
  return chains_baseline();
}

void run_chains(const ChainKernel& kernel, const float* source, float* target, std::int64_t n, std::int64_t steps) {
  constexpr int most_chains = 256;
  const std::int64_t together = kernel.chains, groups = (n + together - 1) / together;
#pragma omp parallel for schedule(static)
  for (std::int64_t group = 0; group < groups; ++group) {
    const std::int64_t first = group * together;
    if (first + together <= n) {
      kernel.run(source + first, target + first, steps);
      continue;
    }
    // The last chains run beside idle ones, so that no chain has code of its own.
    float padded[most_chains] = {};
    std::copy(source + first, source + n, padded);
    kernel.run(padded, padded, steps);
    std::copy(padded, padded + (n - first), target + first);
  }
}

}  // namespace detbench::arithmetic_rate
