#include "bench/core/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "bench/core/random.hpp"
#include "bench/core/schedule.hpp"

namespace detbench {
namespace {

constexpr int resamples = 2000;

/// The percentile bootstrap of a median is too short for few blocks (with 3 it cannot leave the sample and holds the truth
/// in 75 % of cases), and more so for some odd counts, because a median of few values takes few values. These factors
/// stretch either side so that the interval holds the truth in 95 %: the 95 % quantile of the stretch needed in 6000
/// simulated comparisons per count with normal noise (two-sided exponential noise asks for the same or a little less).
/// From 3 blocks on; beyond the table the last one.
constexpr double stretches[] = {4.24, 1.69, 1.11, 1.12, 1.59, 1.15, 1.01, 1.13, 1.10, 1.11, 1.30, 1.10, 1.15, 1.13};

/// The median of an unsorted scratch vector, which it reorders. The mean of the two middle values when even.
double median_in_place(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*std::max_element(values.begin(), middle) + *middle) / 2;
}

std::vector<Sample> of_half(std::span<const Sample> samples, Half half, std::uint32_t blocks, std::uint64_t seed) {
  const auto choosing = choosing_blocks(blocks, seed);
  std::vector<Sample> kept;
  for (const auto& sample : samples)
    if (sample.block < blocks && choosing[sample.block] == (half == Half::choosing)) kept.push_back(sample);
  return kept;
}

void drop_marked(std::vector<Sample>& samples) { std::erase_if(samples, [](const Sample& s) { return s.foreign_load; }); }

}  // namespace

double sampling_bound(std::uint32_t runs) {
  if (runs == 0) return 1.0;
  if (runs >= 30) return 3.0 / runs;
  return 1.0 - std::pow(0.05, 1.0 / runs);
}

std::optional<double> median(std::vector<double> values) {
  if (values.empty()) return std::nullopt;
  return median_in_place(values);
}

std::vector<Sample> samples_of(std::span<const Sample> samples, Half half, std::uint32_t blocks,
                               std::uint64_t schedule_seed) {
  auto kept = of_half(samples, half, blocks, schedule_seed);
  // On a busy machine no sample is better than another: all are used, and whoever judges says "ambiguous".
  if (!is_busy(samples)) drop_marked(kept);
  return kept;
}

std::optional<TimeSummary> summarize(std::span<const Sample> samples, Half half, std::uint32_t blocks,
                                     std::uint64_t schedule_seed) {
  const auto used = samples_of(samples, half, blocks, schedule_seed);
  if (used.empty()) return std::nullopt;
  std::vector<double> times;
  for (const auto& sample : used) times.push_back(sample.elapsed_s);
  TimeSummary summary;
  summary.minimum_s = *std::min_element(times.begin(), times.end());
  summary.used = static_cast<std::uint32_t>(times.size());
  summary.marked = static_cast<std::uint32_t>(of_half(samples, half, blocks, schedule_seed).size()) - summary.used;
  summary.median_s = median_in_place(times);
  return summary;
}

bool is_busy(std::span<const Sample> samples) {
  std::set<std::uint32_t> blocks, marked;
  for (const auto& sample : samples) {
    blocks.insert(sample.block);
    if (sample.foreign_load) marked.insert(sample.block);
  }
  return marked.size() * 3 > blocks.size();
}

std::optional<Interval> paired_ratio(std::span<const Sample> a, std::span<const Sample> b, std::uint64_t seed) {
  std::map<std::uint32_t, double> base;
  for (const auto& sample : a)
    if (sample.elapsed_s > 0) base.emplace(sample.block, sample.elapsed_s);
  std::vector<double> logs;  // in order of b's blocks, so that equal samples give equal intervals
  for (const auto& sample : b)
    if (const auto found = base.find(sample.block); found != base.end() && sample.elapsed_s > 0)
      logs.push_back(std::log(sample.elapsed_s / found->second));
  if (logs.size() < 3) return std::nullopt;
  std::sort(logs.begin(), logs.end());

  const auto n = static_cast<std::uint32_t>(logs.size());
  SeededRandom random(seed, "statistics/bootstrap");
  std::vector<double> medians(resamples), draw(n);
  for (auto& resampled : medians) {
    for (auto& value : draw) value = logs[random.below(n)];
    resampled = median_in_place(draw);
  }
  std::sort(medians.begin(), medians.end());
  // Percentile interval: 2.5 % of the resampled medians lie outside on either side.
  constexpr int outside = resamples / 40;
  const double middle = median_in_place(logs), stretch = stretches[std::min<std::size_t>(n - 3, std::size(stretches) - 1)];
  const auto side = [&](double percentile) { return std::exp(middle + stretch * (percentile - middle)); };
  return Interval{side(medians[outside]), std::exp(middle), side(medians[resamples - 1 - outside])};
}

std::string_view to_text(TimingVerdict verdict) {
  switch (verdict) {
    case TimingVerdict::same: return "same";
    case TimingVerdict::faster: return "faster";
    case TimingVerdict::slower: return "slower";
    case TimingVerdict::ambiguous: break;
  }
  return "ambiguous";
}

TimingVerdict judge(const Interval& ratio, const std::optional<Interval>& twin_band, double margin) {
  // Without a band nothing says how large a ratio noise alone makes, so nothing is faster or slower.
  if (twin_band) {
    // Which of the two equal arms came out slower is chance, so the band reaches as far to one side of 1 as to the other.
    const double reach = std::max(twin_band->high, 1.0 / twin_band->low);
    if (ratio.high < 1.0 / reach) return TimingVerdict::faster;
    if (ratio.low > reach) return TimingVerdict::slower;
    if (ratio.low >= 1.0 / reach && ratio.high <= reach) return TimingVerdict::same;
  }
  const bool inside_margin = ratio.low >= 1.0 / (1.0 + margin) && ratio.high <= 1.0 + margin;
  return inside_margin ? TimingVerdict::same : TimingVerdict::ambiguous;
}

}  // namespace detbench
