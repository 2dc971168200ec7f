// Medians, paired ratios with intervals, bounds: the arithmetic behind every published number (METHOD sections 3, 7).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "bench/core/measurement.hpp"

namespace detbench {

/// For no difference in n runs, the share of runs not equal to the commonest bits is below this at 95 %:
/// 1 - 0.05^(1/n), and 3/n from n = 30 on. n = 0 gives 1.
double sampling_bound(std::uint32_t runs);

std::optional<double> median(std::vector<double> values);  ///< nullopt when empty

struct Interval {
  double low = 0, middle = 0, high = 0;
};

/// Which samples count: the choosing half or the reporting half (core/schedule), blocks with foreign load left out.
enum class Half { choosing, reporting };
std::vector<Sample> samples_of(std::span<const Sample> samples, Half half, std::uint32_t blocks, std::uint64_t schedule_seed);

struct TimeSummary {
  double median_s = 0;
  double minimum_s = 0;
  std::uint32_t used = 0;      ///< samples behind the figures
  std::uint32_t marked = 0;    ///< samples of that half left out for foreign load
};
/// nullopt when no unmarked sample is there. When over a third of the blocks is marked, all are used and the
/// comparison is ambiguous (is_busy).
std::optional<TimeSummary> summarize(std::span<const Sample> samples, Half half, std::uint32_t blocks, std::uint64_t schedule_seed);
/// Over a third of the blocks are marked: "ambiguous: busy machine".
bool is_busy(std::span<const Sample> samples);

/// Ratio b/a paired by block: the median of log ratios, with a 95 % bootstrap interval over blocks (seeded, 2000
/// resamples, percentile, stretched to its nominal coverage when blocks are few). nullopt with fewer than 3 common
/// blocks.
std::optional<Interval> paired_ratio(std::span<const Sample> a, std::span<const Sample> b, std::uint64_t seed);

/// Starts at ambiguous and moves on evidence: faster or slower when the ratio's interval excludes 1 and does not meet
/// the A/A band; same when the interval lies inside the band or inside [1/(1+margin), 1+margin]; else ambiguous. The
/// band is taken as far below 1 as above it (and so holds 1): which of two equal arms came out slower is chance.
/// Without a band nothing is faster or slower.
enum class TimingVerdict { ambiguous, same, faster, slower };
std::string_view to_text(TimingVerdict verdict);
TimingVerdict judge(const Interval& ratio, const std::optional<Interval>& twin_band, double margin = 0.01);

}  // namespace detbench
