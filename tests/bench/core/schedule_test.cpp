#include "bench/core/schedule.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "bench/core/random.hpp"

namespace detbench {
namespace {

TEST(Schedule, EveryBlockIsAPermutationOfAllArms) {
  const auto slots = make_schedule(7, 20, 3);
  ASSERT_EQ(slots.size(), 140u);
  for (std::uint32_t block = 0; block < 20; ++block) {
    std::set<std::uint32_t> arms;
    for (std::uint32_t position = 0; position < 7; ++position) {
      const auto& slot = slots[block * 7 + position];
      EXPECT_EQ(slot.block, block);
      EXPECT_EQ(slot.position, position);
      EXPECT_LT(slot.arm, 7u);
      arms.insert(slot.arm);
    }
    EXPECT_EQ(arms.size(), 7u);
  }
}

TEST(Schedule, IsTheSameEverywhere) {
  // Computed once by an independent program (Philox4x32-10, FNV-1a, splitmix64 and Lemire's method written in Python).
  std::vector<std::uint32_t> order;
  for (const auto& slot : make_schedule(5, 3, 42)) order.push_back(slot.arm);
  EXPECT_EQ(order, (std::vector<std::uint32_t>{4, 2, 1, 0, 3, 4, 3, 1, 0, 2, 0, 4, 1, 3, 2}));
  const auto choosing = choosing_blocks(10, 42);
  std::vector<std::uint32_t> chosen;
  for (std::uint32_t i = 0; i < 10; ++i)
    if (choosing[i]) chosen.push_back(i);
  EXPECT_EQ(chosen, (std::vector<std::uint32_t>{0, 1, 7, 8, 9}));
}

TEST(Schedule, EveryArmComesToEveryPositionEquallyOften) {
  const std::uint32_t arms = 4, blocks = 4000;
  int seen[4][4] = {};
  for (const auto& slot : make_schedule(arms, blocks, 11)) ++seen[slot.arm][slot.position];
  for (const auto& row : seen)
    for (const int count : row) EXPECT_NEAR(count, blocks / arms, 5 * std::sqrt(blocks * 0.25 * 0.75));
}

TEST(Schedule, AnotherSeedIsAnotherOrder) { EXPECT_NE(make_schedule(6, 10, 1), make_schedule(6, 10, 2)); }

TEST(Schedule, NothingToDoIsAnEmptySchedule) {
  EXPECT_TRUE(make_schedule(0, 5, 1).empty());
  EXPECT_TRUE(make_schedule(5, 0, 1).empty());
}

TEST(ChoosingBlocks, SplitsInHalvesTheLargerReports) {
  for (std::uint32_t blocks = 2; blocks < 40; ++blocks)
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const auto choosing = choosing_blocks(blocks, seed);
      ASSERT_EQ(choosing.size(), blocks);
      EXPECT_EQ(std::count(choosing.begin(), choosing.end(), true), blocks / 2);
    }
}

TEST(ChoosingBlocks, OneBlockReports) {
  EXPECT_EQ(choosing_blocks(1, 1), std::vector<bool>{false});
  EXPECT_TRUE(choosing_blocks(0, 1).empty());
}

TEST(SeededRandom, BelowIsUniformAndWithinItsBound) {
  SeededRandom random(5, "test");
  int seen[6] = {};
  for (int i = 0; i < 60000; ++i) ++seen[random.below(6)];
  for (const int count : seen) EXPECT_NEAR(count, 10000, 500);
  EXPECT_EQ(random.below(1), 0u);
}

TEST(SeededRandom, UniformAndNormalHaveTheirMoments) {
  SeededRandom random(6, "test");
  double sum = 0, squares = 0, normal_sum = 0, normal_squares = 0;
  const int n = 100000;
  for (int i = 0; i < n; ++i) {
    const double u = random.uniform(), z = random.normal();
    ASSERT_GT(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
    squares += u * u;
    normal_sum += z;
    normal_squares += z * z;
  }
  EXPECT_NEAR(sum / n, 0.5, 0.005);
  EXPECT_NEAR(squares / n, 1.0 / 3, 0.005);
  EXPECT_NEAR(normal_sum / n, 0.0, 0.02);
  EXPECT_NEAR(normal_squares / n, 1.0, 0.03);
}

TEST(SeededRandom, StreamsAndDerivedSeedsHaveNothingInCommon) {
  EXPECT_NE(SeededRandom(1, "a").next64(), SeededRandom(1, "b").next64());
  std::set<std::uint64_t> seeds;
  for (std::uint64_t i = 0; i < 1000; ++i) seeds.insert(derive_seed(1, "x", i));
  EXPECT_EQ(seeds.size(), 1000u);
}

}  // namespace
}  // namespace detbench
