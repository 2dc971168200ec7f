#include "kernels/scatter_add/targets.hpp"

namespace detbench::scatter_add {
namespace {

/// One loop per layout, so that each is free of branches.
template <class Bin>
void for_each(int count, std::int32_t* bins, Bin&& bin) {
  for (int k = 0; k < count; ++k) bins[k] = bin(k);
}

}  // namespace

Divider make_divider(std::int64_t divisor) {
  const auto d = static_cast<std::uint64_t>(divisor);
  int shift = 30;
  while ((std::uint64_t{1} << (shift - 30)) < d) ++shift;
  return {((std::uint64_t{1} << shift) + d - 1) / d, shift};
}

Targets make_targets(std::int64_t n, std::int32_t bins, std::int32_t hot, Layout layout) {
  Targets targets;
  targets.bins = bins;
  targets.hot = hot;
  targets.layout = layout;
  targets.half_bins = 0.5 * bins;
  targets.bins_per_update = (static_cast<std::uint64_t>(bins) << 39) / static_cast<std::uint64_t>(n);
  targets.by_bins = make_divider(bins);
  return targets;
}

void find_targets(const Targets& t, std::int64_t first, int count, std::int32_t* bins) {
  if (t.samples != nullptr) {
    const float* samples = t.samples + first;
    for_each(count, bins, [&](int k) { return bin_of_sample(samples[k], t.half_bins, t.bins); });
    return;
  }
  const std::int32_t* indices = t.indices + first;
  switch (t.layout) {
    case Layout::random:
      for_each(count, bins, [&](int k) { return bin_of_index(indices[k], t.bins, t.hot); });
      return;
    case Layout::adjacent:
      for_each(count, bins, [&](int k) { return indices[k] + adjacent_bin(first + k, t.bins_per_update); });
      return;
    case Layout::spread:
      for_each(count, bins, [&](int k) { return indices[k] + spread_bin(first + k, t.by_bins, t.bins); });
      return;
    case Layout::pairs:
      for_each(count, bins, [&](int k) { return indices[k] + static_cast<std::int32_t>((first + k) >> 1); });
      return;
    case Layout::zipf: for_each(count, bins, [&](int k) { return zipf_bin(indices[k]); }); return;
  }
}

}  // namespace detbench::scatter_add
