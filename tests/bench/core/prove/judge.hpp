// How the proof judges comparisons of six arms: what every timing row shares, simulated or real, on whatever device.
#pragma once

#include <cstdint>
#include <iterator>
#include <vector>

#include "bench/core/random.hpp"
#include "bench/core/schedule.hpp"
#include "bench/core/statistics.hpp"
#include "bench/core/timing.hpp"
#include "tests/bench/core/prove/proof.hpp"

namespace detbench::proof {

inline constexpr double slowdowns[] = {1.01, 1.03, 1.10};
/// base, twin, equal, and the three slowdowns.
inline constexpr double factors[] = {1, 1, 1, slowdowns[0], slowdowns[1], slowdowns[2]};
inline constexpr std::uint32_t arms = std::size(factors);

inline Interval moved(const Interval& interval, double factor) {
  return {interval.low * factor, interval.middle * factor, interval.high * factor};
}
inline bool holds_value(const Interval& interval, double value) { return interval.low <= value && value <= interval.high; }

/// Judges comparisons one by one, as the instrument does: reporting half, paired by block, against the band.
class Judge {
 public:
  explicit Judge(TimingRow& row) : row_(row) {}
  void add(const std::vector<Sample> (&samples)[arms], std::uint64_t seed) {
    std::vector<Sample> reporting[arms];
    bool busy = false;
    for (std::uint32_t arm = 0; arm < arms; ++arm) {
      reporting[arm] = samples_of(samples[arm], Half::reporting, row_.blocks, seed);
      busy = busy || is_busy(samples[arm]);
    }
    const auto band = paired_ratio(reporting[0], reporting[1], seed);
    const auto equal = paired_ratio(reporting[0], reporting[2], seed);
    if (!band || !equal) return;
    ++row_.pairs;
    row_.busy += busy;
    const auto verdict = judge(*equal, band);
    row_.equal += verdict == TimingVerdict::same || verdict == TimingVerdict::ambiguous;
    row_.same += verdict == TimingVerdict::same;
    covered_ += holds_value(*equal, 1.0);
    ++intervals_;
    for (int i = 0; i < 3; ++i) {
      promised_[i] += judge(moved(*equal, slowdowns[i]), band) == TimingVerdict::slower;
      const auto slow = paired_ratio(reporting[0], reporting[3 + i], seed);
      if (!slow) continue;
      found_[i] += judge(*slow, band) == TimingVerdict::slower;
      covered_ += holds_value(*slow, slowdowns[i]);
      ++intervals_;
    }
  }
  void finish() {
    if (row_.pairs == 0) return;
    row_.coverage = covered_ / intervals_;
    for (int i = 0; i < 3; ++i) {
      row_.found[i] = found_[i] / row_.pairs;
      row_.promised[i] = promised_[i] / row_.pairs;
    }
  }

 private:
  TimingRow& row_;
  double covered_ = 0, intervals_ = 0, found_[3] = {}, promised_[3] = {};
};

/// Real comparisons: `prepared` holds the six arms in the order of `factors`, each with its stream. Ends early, with the pairs that
/// were judged, where a sample fails.
inline void judge_real(TimingRow& row, std::uint32_t pairs, std::uint32_t iterations, const std::vector<std::pair<PreparedOp*, Stream*>>& prepared,
                       const TimingSettings& settings, TimingAids& aids) {
  Judge judge(row);
  for (std::uint32_t pair = 0; pair < pairs; ++pair) {
    const auto seed = derive_seed(2, "prove/schedule", pair);
    std::vector<Sample> samples[arms];
    for (const auto& slot : make_schedule(arms, row.blocks, seed)) {
      auto& [op, stream] = prepared[slot.arm];
      auto sample = time_sample(*op, *stream, iterations, settings, aids);
      if (!sample) return judge.finish();
      sample->block = slot.block;
      sample->position = slot.position;
      samples[slot.arm].push_back(*sample);
    }
    judge.add(samples, seed);
  }
  judge.finish();
}

}  // namespace detbench::proof
