// Which bin an update goes to: by its index, by its sample, or by its number, for CPU and CUDA.
//
// Every algorithm of scatter_add and index_add reads one i32 per update, whatever the layout. Random layouts draw it from
// the bins; in the other layouts it is an offset, drawn from 0 .. 0, and added to a bin that follows from the update's
// number by one multiplication and one shift (and for `spread` a second multiplication). So layouts differ in where
// updates go and not in what is read; the arithmetic, some three instructions, is paid by all algorithms alike.
#pragma once

#include <cstdint>

#include "kernels/tensor/host_device.hpp"

namespace detbench::scatter_add {

enum class Layout : std::int32_t {
  random,    ///< the index is the bin; with hot bins, indices of `bins` and above name bin (index - bins) mod hot
  adjacent,  ///< the updates of a bin follow each other: bin (i + 1/2) * bins / n, rounded down
  spread,    ///< the updates of a bin lie as far apart as can be: bin i mod bins
  pairs,     ///< updates 2k and 2k+1 meet in bin k, and no others do: two terms, whose order cannot show
  zipf       ///< bin b is drawn about as often as 1 / (b + 1): the octave 2^k - 1 .. 2^(k+1) - 2 of bins is uniform in k
};

/// Draws of one octave of `zipf`, a power of two at least as large as the octave, so that its bins are equally likely.
inline constexpr int zipf_octave_bits = 24;

/// Exact division of 0 <= i < 2^30 by a divisor of 1 to 2^24 without dividing: the multiplier exceeds 2^shift / divisor by
/// less than 1, and 2^shift >= divisor * 2^30, so the quotient's error is below 1 / divisor and never reaches the next one.
struct Divider {
  std::uint64_t multiplier = std::uint64_t{1} << 30;
  int shift = 30;
  DETBENCH_HOST_DEVICE constexpr std::int64_t quotient(std::int64_t i) const {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(i) * multiplier >> shift);
  }
};
Divider make_divider(std::int64_t divisor);

/// Everything that a run needs to find the bins, by value, so that a kernel takes it as an argument.
struct Targets {
  const std::int32_t* indices = nullptr;  ///< one per update, or null ...
  const float* samples = nullptr;         ///< ... where samples of [-1, 1) choose among equal bins
  std::int32_t bins = 1, hot = 0;
  Layout layout = Layout::random;
  std::uint64_t bins_per_update = 0;  ///< adjacent: bins / n, times 2^39
  Divider by_bins;                    ///< spread
  double half_bins = 0.5;  ///< bins / 2, exact
};

/// Floor of (x + 1) * bins / 2, kept within the bins: two f64 operations that IEEE 754 defines, so the same bin
/// everywhere (x + 1 is exact for f32 magnitudes of 2^-29 and above). NaN goes to bin 0.
DETBENCH_HOST_DEVICE inline std::int32_t bin_of_sample(float x, double half_bins, std::int32_t bins) {
  const double place = (static_cast<double>(x) + 1.0) * half_bins;
  if (!(place > 0)) return 0;
  return place < static_cast<double>(bins) ? static_cast<std::int32_t>(place) : bins - 1;
}

/// With hot bins the index is uniform over 0 .. 2 * bins - 1; `hot` is a power of two wherever it can reach `bins`.
DETBENCH_HOST_DEVICE constexpr std::int32_t bin_of_index(std::int32_t index, std::int32_t bins, std::int32_t hot) {
  return index < bins ? index : (index - bins) & (hot - 1);
}
DETBENCH_HOST_DEVICE constexpr std::int32_t adjacent_bin(std::int64_t update, std::uint64_t bins_per_update) {
  return static_cast<std::int32_t>(static_cast<std::uint64_t>(2 * update + 1) * bins_per_update >> 40);
}
DETBENCH_HOST_DEVICE constexpr std::int32_t spread_bin(std::int64_t update, Divider by_bins, std::int32_t bins) {
  return static_cast<std::int32_t>(update - by_bins.quotient(update) * bins);
}
DETBENCH_HOST_DEVICE constexpr std::int32_t zipf_bin(std::int32_t index) {
  const int octave = index >> zipf_octave_bits;
  const std::int32_t place = index & ((1 << zipf_octave_bits) - 1);
  return (1 << octave) - 1 + (place >> (zipf_octave_bits - octave));
}

/// The bin of one update.
DETBENCH_HOST_DEVICE inline std::int32_t target_of(const Targets& t, std::int64_t update) {
  if (t.samples != nullptr) return bin_of_sample(t.samples[update], t.half_bins, t.bins);
  const std::int32_t index = t.indices[update];
  switch (t.layout) {
    case Layout::random: return bin_of_index(index, t.bins, t.hot);
    case Layout::adjacent: return index + adjacent_bin(update, t.bins_per_update);
    case Layout::spread: return index + spread_bin(update, t.by_bins, t.bins);
    case Layout::pairs: return index + static_cast<std::int32_t>(update >> 1);
    case Layout::zipf: return zipf_bin(index);
  }
  return 0;
}

/// The targets of a problem without its memory. bins_per_update is rounded down: no bin is out of range, and where (i + 1/2)
/// * bins / n is whole, or n^2 reaches bins * 2^38, an update may go to the bin before.
Targets make_targets(std::int64_t n, std::int32_t bins, std::int32_t hot, Layout layout);

/// The bins of updates first .. first + count - 1, as target_of() gives them: vectorized, and the one place where a CPU
/// algorithm learns of layouts and samples.
void find_targets(const Targets& targets, std::int64_t first, int count, std::int32_t* bins);

}  // namespace detbench::scatter_add
