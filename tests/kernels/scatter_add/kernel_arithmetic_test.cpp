// What the CUDA kernels compute, run on the host: a launch, its blocks and warps are loops here, the index arithmetic and the
// arithmetic per value are the kernels' own functions.
#include <gtest/gtest.h>

#include "kernels/scatter_add/aggregation.hpp"
#include "kernels/scatter_add/fixed_point.hpp"
#include "kernels/scatter_add/segment_sum.hpp"
#include "kernels/scatter_add/targets.hpp"
#include "scatter_runner.hpp"
#include "tests/kernels/reduction/exact_oracle.hpp"

namespace detbench {
namespace {

using namespace scatter_add;
using reduction::bits_of;

std::vector<float> random_values(std::size_t n, int spread = 20) {
  const auto wide = testing::random_updates(static_cast<std::int64_t>(n), 1, 0, spread).values;
  return {wide.begin(), wide.end()};
}

/// The tree on the CPU's path for short and long vectors, itself held to its definition by scatter_add_test.
float cpu_tree(const std::vector<float>& values) {
  testing::Updates updates;
  updates.values.assign(values.begin(), values.end());
  updates.indices.assign(values.size(), 0);
  std::string error;
  const auto bits = testing::scatter_bits(updates, "fixed_order:sort_tree", 1, error);
  EXPECT_EQ(error, "");
  return reduction::value_of<float>(static_cast<std::uint32_t>(bits.at(0)));
}

TEST(ScatterKernels, WarpsFollowTheTree) {
  for (std::size_t n : {1u, 31u, 32u, 33u, 63u, 64u, 65u, 2047u, 2048u, 2049u, 70000u}) {
    const auto values = random_values(n);
    reduction::PairJoiner<float> chunks;
    for (std::size_t first = 0; first < n; first += 2048) {
      float threads[32];
      for (int thread = 0; thread < 32; ++thread)
        threads[thread] = sum_own_lanes<float>(static_cast<std::int64_t>(std::min<std::size_t>(2048, n - first)), thread,
                                               [&](std::int64_t i) { return values[first + static_cast<std::size_t>(i)]; });
      for (int distance = 16; distance > 0; distance /= 2)  // __shfl_down_sync
        for (int thread = 0; thread < 32; ++thread) threads[thread] += threads[std::min(31, thread + distance)];
      chunks.add(threads[0]);
    }
    EXPECT_EQ(bits_of(finish_bin(chunks.root())), bits_of(cpu_tree(values))) << n;
  }
}

TEST(ScatterKernels, OneThreadFollowsTheTreeOfAFewValues) {
  for (std::size_t n = 1; n <= few_updates; ++n)
    for (int draw = 0; draw < 20; ++draw) {
      auto values = random_values(n + 8 * static_cast<std::size_t>(draw));
      values.resize(n);
      if (draw == 0) std::fill(values.begin(), values.end(), -0.0f);
      float lanes[few_updates];
      for (std::size_t i = 0; i < few_updates; ++i) lanes[i] = i < n ? values[i] : reduction::absent_value<float>();
      EXPECT_EQ(bits_of(finish_bin(fold_eight(lanes))), bits_of(cpu_tree(values))) << n;
    }
  const float none[few_updates] = {-0.0f, -0.0f, -0.0f, -0.0f, -0.0f, -0.0f, -0.0f, -0.0f};
  EXPECT_EQ(bits_of(finish_bin(fold_eight(none))), 0u);
}

// sum_short's loop, for every thread of a launch: each output is taken once, by a lane of its warp's share.
TEST(ScatterKernels, WarpsShareOutputsOut) {
  for (std::int64_t outputs : {1, 31, 33, 300, 4096, 5000})
    for (std::int64_t warps : {8, 24, 1056}) {
      const int per_warp = outputs_per_warp(outputs, warps);
      std::vector<int> taken(static_cast<std::size_t>(outputs));
      for (std::int64_t thread = 0; thread < warps * 32; ++thread)
        for (std::int64_t first = thread / 32 * per_warp; first < outputs; first += warps * 32 / 32 * per_warp)
          if (const std::int64_t output = first + thread % 32; thread % 32 < per_warp && output < outputs) ++taken[static_cast<std::size_t>(output)];
      EXPECT_EQ(taken, std::vector<int>(static_cast<std::size_t>(outputs), 1)) << outputs << " " << warps;
    }
  EXPECT_EQ(outputs_per_warp(1 << 20, 8448), 32);
  EXPECT_EQ(outputs_per_warp(1 << 16, 8448), 4);
  EXPECT_EQ(outputs_per_warp(4096, 8448), 1);
}

TEST(ScatterKernels, EveryValueFindsItsRowAndColumn) {
  for (std::int64_t width : {1, 2, 3, 33, 64, 4096}) {
    const auto by_width = make_divider(width);
    for (std::int64_t i = 0; i < 3 * width + 70; ++i) {
      ASSERT_EQ(by_width.quotient(i), i / width);
    }
  }
}

/// `thread_aggregated`: every value of every column is flushed once, in runs of equal bins.
TEST(ScatterKernels, RunsCoverEveryValueOnce) {
  for (std::int64_t n : {1, 15, 16, 17, 200})
    for (std::int64_t width : {1, 3}) {
      std::vector<double> sums(static_cast<std::size_t>(5 * width), 0), expected = sums;
      const auto bin_of = [](std::int64_t update) { return static_cast<std::int32_t>(update / 7 * 3 % 5); };
      std::int64_t flushes = 0;
      const auto by_width = make_divider(width);
      for (std::int64_t t = 0; t < run_count(n) * width; ++t) {
        const std::int64_t row = by_width.quotient(t), column = t - row * width;
        add_run<double>(
            run_of(row, n), bin_of, [&](std::int64_t update) { return static_cast<double>(update * width + column); },
            [&](std::int32_t bin, double sum) { sums[static_cast<std::size_t>(bin * width + column)] += sum, ++flushes; });
      }
      std::int64_t changes = 0;
      for (std::int64_t update = 0; update < n; ++update) {
        for (std::int64_t column = 0; column < width; ++column)
          expected[static_cast<std::size_t>(bin_of(update) * width + column)] += static_cast<double>(update * width + column);
        changes += update % run_updates == 0 || bin_of(update) != bin_of(update - 1);
      }
      EXPECT_EQ(sums, expected) << n;
      EXPECT_EQ(flushes, changes * width) << n;
    }
}

/// `warp_aggregated`: one leader per bin, who adds all of its peers' values.
TEST(ScatterKernels, LeadersOfAWarpAddTheirPeersValues) {
  std::mt19937 random(3);
  for (int bins : {1, 2, 5, 32, 1000}) {
    std::int32_t bin[32];
    double value[32], joint[1000] = {}, expected[1000] = {};
    for (int lane = 0; lane < 32; ++lane) {
      bin[lane] = static_cast<std::int32_t>(random() % static_cast<unsigned>(bins));
      value[lane] = static_cast<double>(1 << lane % 20);
      expected[bin[lane]] += value[lane];
    }
    int leaders = 0;
    for (int lane = 0; lane < 32; ++lane) {
      std::uint32_t peers = 0;  // __match_any_sync
      for (int other = 0; other < 32; ++other) peers |= bin[other] == bin[lane] ? std::uint32_t{1} << other : 0;
      double sum = value[lane];
      for (std::uint32_t rest = peers & ~(std::uint32_t{1} << lane); rest != 0; rest &= rest - 1) sum += value[__builtin_ctz(rest)];
      if (!leads(peers, lane)) continue;
      joint[bin[lane]] += sum;
      ++leaders;
    }
    for (int b = 0; b < bins; ++b) EXPECT_EQ(joint[b], expected[b]);
    EXPECT_EQ(leaders, std::count_if(expected, expected + bins, [](double e) { return e != 0; }));
  }
}

TEST(ScatterFixedPoint, IsWithinItsBoundAndExactWhereUnitsAreFineEnough) {
  for (int spread : {1, 12, 40, 200})
    for (std::size_t n : {1u, 2u, 3u, 100u, 3000u}) {
      const auto values = random_values(n, spread);
      std::uint32_t largest = 0;
      for (float value : values) largest = std::max(largest, magnitude_bits(value));
      const int guard_bits = guard_bits_of(static_cast<std::int64_t>(n));
      std::int64_t units = 0;
      for (float value : values) {
        const std::int64_t amount = fixed_point_amount(value, largest, guard_bits);
        EXPECT_LT(std::abs(amount), std::int64_t{1} << (62 - guard_bits));
        units += amount;
      }
      const double top = reduction::value_of<float>(largest), sum = fixed_point_value(units, largest, guard_bits);
      const double exact = testing::exact_sum(std::vector<double>(values.begin(), values.end()));
      // Rounding of each value to units, then of the sum to f32.
      EXPECT_LE(std::abs(sum - exact), static_cast<double>(n) * std::ldexp(top, guard_bits - 61) + std::abs(exact) * 0x1p-24) << spread << " " << n;
      if (spread <= 12) {
        EXPECT_EQ(static_cast<float>(sum), testing::exact_sum(values)) << n;
      }
    }
}

TEST(ScatterFixedPoint, ExtremesKeepTheirMeaning) {
  const auto sum_of = [](const std::vector<float>& values) {
    std::uint32_t largest = 0;
    for (float value : values) largest = std::max(largest, magnitude_bits(value));
    std::int64_t units = 0;
    const int guard_bits = guard_bits_of(static_cast<std::int64_t>(values.size()));
    for (float value : values) units += fixed_point_amount(value, largest, guard_bits);
    return fixed_point_value(units, largest, guard_bits);
  };
  const float most = std::numeric_limits<float>::max(), least = 0x1p-149f, infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(sum_of({most}), most);
  EXPECT_EQ(sum_of({most, -most, most}), most);
  EXPECT_EQ(sum_of({most, most}), infinity);
  EXPECT_EQ(sum_of({least, least, least}), 3 * least);
  EXPECT_EQ(bits_of(sum_of({-0.0f, -0.0f})), 0u);
  EXPECT_EQ(sum_of({1, infinity, most}), infinity);
  EXPECT_EQ(sum_of({1, -infinity, -infinity}), -infinity);
  EXPECT_EQ(bits_of(sum_of({infinity, -infinity})), 0x7FC00000u);
  EXPECT_EQ(bits_of(sum_of({infinity, std::numeric_limits<float>::quiet_NaN()})), 0x7FC00000u);
}

}  // namespace
}  // namespace detbench
