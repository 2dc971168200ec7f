#include "kernels/scatter_add/partition.hpp"

namespace detbench::scatter_add {

Ranges choose_ranges(std::int32_t bins, int threads) {
  const auto count_of = [bins](int shift) { return static_cast<std::int32_t>(((std::int64_t{bins} - 1) >> shift) + 1); };
  Ranges ranges;
  ranges.shift = 11;
  while (count_of(ranges.shift) > 1024) ++ranges.shift;
  while (ranges.shift > 0 && count_of(ranges.shift) < 8 * threads) --ranges.shift;
  ranges.count = count_of(ranges.shift);
  return ranges;
}

}  // namespace detbench::scatter_add
