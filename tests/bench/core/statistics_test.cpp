#include "bench/core/statistics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "bench/core/random.hpp"
#include "bench/core/schedule.hpp"

namespace detbench {
namespace {

std::vector<Sample> samples_from(const std::vector<double>& times) {
  std::vector<Sample> samples;
  for (std::uint32_t block = 0; block < times.size(); ++block) {
    Sample sample;
    sample.block = block;
    sample.elapsed_s = times[block];
    samples.push_back(sample);
  }
  return samples;
}

std::vector<Sample> noisy(SeededRandom& random, std::uint32_t n, double median_s, double spread) {
  std::vector<double> times(n);
  for (auto& time : times) time = median_s * std::exp(spread * random.normal());
  return samples_from(times);
}

TEST(SamplingBound, IsExactBelowThirtyRunsAndTheRuleOfThreeFromThere) {
  EXPECT_DOUBLE_EQ(sampling_bound(0), 1.0);
  EXPECT_DOUBLE_EQ(sampling_bound(1), 0.95);
  EXPECT_DOUBLE_EQ(sampling_bound(100), 0.03);
  // By its definition: a share p that shows nothing in n runs with probability 5 %.
  for (std::uint32_t n = 1; n < 30; ++n) EXPECT_NEAR(std::pow(1 - sampling_bound(n), n), 0.05, 1e-12);
  for (std::uint32_t n = 30; n < 400; ++n) EXPECT_LE(std::pow(1 - sampling_bound(n), n), 0.05);
}

TEST(Median, IsTheMiddleOrTheMeanOfTheTwoMiddleValues) {
  EXPECT_FALSE(median({}));
  EXPECT_EQ(*median({7}), 7);
  EXPECT_EQ(*median({3, 1, 2}), 2);
  EXPECT_EQ(*median({4, 1, 3, 2}), 2.5);
}

TEST(Halves, NeverOverlapAndTogetherAreAll) {
  const auto samples = samples_from(std::vector<double>(21, 1.0));
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    std::set<std::uint32_t> chosen, reported;
    for (const auto& s : samples_of(samples, Half::choosing, 21, seed)) chosen.insert(s.block);
    for (const auto& s : samples_of(samples, Half::reporting, 21, seed)) reported.insert(s.block);
    EXPECT_EQ(chosen.size(), 10u);
    EXPECT_EQ(reported.size(), 11u);
    for (const auto block : chosen) EXPECT_FALSE(reported.contains(block));
  }
}

TEST(Halves, PickingTheBestInOneHalfDoesNotFlatterItInTheOther) {
  // METHOD section 7: of twenty equal arms the best by the choosing half must come out average in the reporting half.
  SeededRandom random(8, "test");
  double chosen_sum = 0, reported_sum = 0;
  const int trials = 400;
  for (int trial = 0; trial < trials; ++trial) {
    double best = 1e9, reported = 0;
    for (int arm = 0; arm < 20; ++arm) {
      const auto samples = noisy(random, 20, 1.0, 0.03);
      const auto chosen = summarize(samples, Half::choosing, 20, 5)->median_s;
      if (chosen < best) {
        best = chosen;
        reported = summarize(samples, Half::reporting, 20, 5)->median_s;
      }
    }
    chosen_sum += best;
    reported_sum += reported;
  }
  EXPECT_LT(chosen_sum / trials, 0.985);           // the winner's curse is there ...
  EXPECT_NEAR(reported_sum / trials, 1.0, 0.003);  // ... and is not reported
}

TEST(Summary, LeavesMarkedSamplesOutOfMediansButKeepsCount) {
  auto samples = samples_from({1, 1, 1, 1, 1, 1, 1, 1, 1, 1});
  const auto choosing = choosing_blocks(10, 3);
  std::uint32_t marked = 0;
  while (choosing[marked]) ++marked;  // a reporting block
  samples[marked].elapsed_s = 9;
  samples[marked].foreign_load = true;
  const auto summary = summarize(samples, Half::reporting, 10, 3);
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->used, 4u);
  EXPECT_EQ(summary->marked, 1u);
  EXPECT_EQ(summary->median_s, 1);
  EXPECT_FALSE(summarize({}, Half::reporting, 10, 3));
}

TEST(Summary, UsesAllSamplesOfABusyMachine) {
  auto samples = samples_from({1, 1, 1, 1, 1, 1, 1, 1, 1});
  for (int i = 0; i < 3; ++i) samples[i].foreign_load = true;
  EXPECT_FALSE(is_busy(samples));  // a third is not over a third
  samples[3].foreign_load = true;
  EXPECT_TRUE(is_busy(samples));
  EXPECT_EQ(samples_of(samples, Half::reporting, 9, 1).size(), 5u);
}

TEST(PairedRatio, NeedsThreeCommonBlocks) {
  const auto a = samples_from({1, 1, 1});
  auto b = samples_from({1, 1, 1});
  EXPECT_TRUE(paired_ratio(a, b, 1));
  b[2].block = 7;
  EXPECT_FALSE(paired_ratio(a, b, 1));
}

TEST(PairedRatio, PairsByBlockSoThatDriftCancels) {
  // Times drift by a factor of 3 while the ratio stays 1.25 in every block.
  std::vector<double> base, other;
  for (int i = 0; i < 12; ++i) {
    base.push_back(1.0 + 0.2 * i);
    other.push_back(1.25 * base.back());
  }
  const auto ratio = paired_ratio(samples_from(base), samples_from(other), 1);
  EXPECT_NEAR(ratio->low, 1.25, 1e-12);
  EXPECT_NEAR(ratio->middle, 1.25, 1e-12);
  EXPECT_NEAR(ratio->high, 1.25, 1e-12);
}

TEST(PairedRatio, IsReproducibleAndDoesNotDependOnTheOrderOfSamples) {
  SeededRandom random(3, "test");
  auto a = noisy(random, 15, 1, 0.1), b = noisy(random, 15, 1.1, 0.1);
  const auto first = *paired_ratio(a, b, 9);
  std::reverse(a.begin(), a.end());
  std::rotate(b.begin(), b.begin() + 4, b.end());
  const auto second = *paired_ratio(a, b, 9);
  EXPECT_EQ(first.low, second.low);
  EXPECT_EQ(first.middle, second.middle);
  EXPECT_EQ(first.high, second.high);
}

TEST(PairedRatio, CoversTheTrueRatioOfKnownNoise) {
  SeededRandom random(4, "test");
  const int trials = 400;
  int covered = 0, above = 0;
  for (int trial = 0; trial < trials; ++trial) {
    const auto ratio = *paired_ratio(noisy(random, 20, 1, 0.02), noisy(random, 20, 1.07, 0.02), trial);
    covered += ratio.low <= 1.07 && 1.07 <= ratio.high;
    above += ratio.middle > 1.07;
  }
  // 95 % promised; three standard deviations of 400 trials are 3.3 %.
  EXPECT_NEAR(static_cast<double>(covered) / trials, 0.95, 0.034);
  EXPECT_NEAR(static_cast<double>(above) / trials, 0.5, 0.075);  // the middle is the median, not a biased mean
}

TEST(PairedRatio, FindsASlowdownAtTheRateNormalTheoryGives) {
  // The standard error of the median of n log ratios of normal noise s is 1.2533 s sqrt(2 / n); the interval excludes 1
  // when the estimate lies 1.96 of them above it.
  const int trials = 400;
  const std::uint32_t n = 20;
  for (const double spread : {0.015, 0.03}) {
    SeededRandom random(5, "test");
    int found = 0;
    for (int trial = 0; trial < trials; ++trial)
      found += paired_ratio(noisy(random, n, 1, spread), noisy(random, n, 1.03, spread), trial)->low > 1.0;
    const double standard_error = 1.2533 * spread * std::sqrt(2.0 / n);
    const double theory = 0.5 * std::erfc((1.96 - std::log(1.03) / standard_error) / std::sqrt(2.0));
    EXPECT_NEAR(static_cast<double>(found) / trials, theory, 0.08) << "noise " << spread;
  }
}

TEST(Judge, PartsAnAAPairInAtMostThePromisedShare) {
  SeededRandom random(6, "test");
  int parted = 0;
  const int pairs = 200;
  for (int pair = 0; pair < pairs; ++pair) {
    const auto a = noisy(random, 10, 1, 0.02), twin = noisy(random, 10, 1, 0.02), equal = noisy(random, 10, 1, 0.02);
    const auto verdict = judge(*paired_ratio(a, equal, pair), paired_ratio(a, twin, pair));
    parted += verdict == TimingVerdict::faster || verdict == TimingVerdict::slower;
  }
  EXPECT_LE(parted, pairs / 20);
}

TEST(Judge, MovesOnEvidenceOnly) {
  const Interval band{0.98, 0.98, 1.01};
  EXPECT_EQ(judge({1.03, 1.04, 1.05}, band), TimingVerdict::slower);
  EXPECT_EQ(judge({0.90, 0.92, 0.97}, band), TimingVerdict::faster);
  EXPECT_EQ(judge({0.99, 1.00, 1.015}, band), TimingVerdict::same);
  EXPECT_EQ(judge({0.99, 1.02, 1.05}, band), TimingVerdict::ambiguous);
  // Excludes 1 and clears the band as drawn, but noise of that size lies on the other side of 1: 1 / 0.98 = 1.0204.
  EXPECT_EQ(judge({1.015, 1.02, 1.03}, band), TimingVerdict::ambiguous);
  EXPECT_EQ(judge({1.0, 1.2, 1.5}, band), TimingVerdict::ambiguous);
}

TEST(Judge, WithoutABandNothingIsFasterOrSlower) {
  EXPECT_EQ(judge({1.5, 1.6, 1.7}, std::nullopt), TimingVerdict::ambiguous);
  EXPECT_EQ(judge({0.995, 1.0, 1.005}, std::nullopt), TimingVerdict::same);
}

TEST(Judge, CallsSameWithinTheMargin) {
  const Interval tight{0.9999, 1.0, 1.0001};
  EXPECT_EQ(judge({0.992, 0.998, 1.004}, tight), TimingVerdict::same);
  EXPECT_EQ(judge({0.98, 0.998, 1.004}, tight), TimingVerdict::ambiguous);
  EXPECT_EQ(judge({0.98, 0.998, 1.004}, tight, 0.05), TimingVerdict::same);
}

TEST(TimingVerdict, HasAWordForEach) {
  EXPECT_EQ(to_text(TimingVerdict::ambiguous), "ambiguous");
  EXPECT_EQ(to_text(TimingVerdict::same), "same");
  EXPECT_EQ(to_text(TimingVerdict::faster), "faster");
  EXPECT_EQ(to_text(TimingVerdict::slower), "slower");
}

}  // namespace
}  // namespace detbench
