// Every scatter-add against sums made bin by bin, and the equalities that the fixed orders promise.
#include "kernels/scatter_add/scatter_add.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <set>

#include "kernels/reduction/fixed_tree.hpp"
#include "kernels/scatter_add/scatter_problem.hpp"
#include "kernels/scatter_add/segment_sum.hpp"
#include "scatter_runner.hpp"
#include "tests/kernels/reduction/exact_oracle.hpp"
#include "tests/kernels/reduction/verify_all.hpp"

namespace detbench {
namespace {

using testing::scatter_bits;
using testing::Updates;

std::uint32_t bits_of(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

Updates random_updates(std::size_t n, std::int32_t bins, std::int32_t hot, int spread = 12) {
  std::mt19937_64 random(n + static_cast<std::size_t>(bins) * 31 + static_cast<std::size_t>(hot));
  Updates updates;
  updates.bins = bins;
  updates.hot = hot;
  const int lowest = spread > 60 ? -120 : -30;  // sums stay finite
  for (std::size_t i = 0; i < n; ++i) {
    const auto significand = static_cast<float>(static_cast<std::int64_t>(random()) >> 38);
    updates.values.push_back(
        std::ldexp(significand, lowest + static_cast<int>(random() % static_cast<unsigned>(spread))));
    updates.indices.push_back(
        static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(hot > 0 ? 2 * bins : bins)));
  }
  return updates;
}

/// The updates of each bin, in the order of their indices.
std::vector<std::vector<float>> by_bin(const Updates& updates) {
  std::vector<std::vector<float>> bins(static_cast<std::size_t>(updates.bins));
  for (std::size_t i = 0; i < updates.values.size(); ++i) {
    std::int32_t bin = updates.indices[i];
    if (bin >= updates.bins) bin = (bin - updates.bins) % updates.hot;
    bins[static_cast<std::size_t>(bin)].push_back(updates.values[i]);
  }
  return bins;
}

/// The fixed tree of one bin, written down naively.
float naive_tree(const std::vector<float>& x) {
  if (x.empty()) return 0.0f;
  std::vector<float> nodes;
  for (std::size_t first = 0; first < x.size(); first += 2048) {
    std::vector<float> lanes(64, -0.0f);
    for (std::size_t i = first; i < std::min(x.size(), first + 2048); ++i) lanes[(i - first) % 64] += x[i];
    for (std::size_t stride = 32; stride > 0; stride /= 2)
      for (std::size_t lane = 0; lane < stride; ++lane) lanes[lane] += lanes[lane + stride];
    nodes.push_back(lanes[0]);
  }
  while (nodes.size() > 1) {
    std::vector<float> above;
    for (std::size_t i = 0; i < nodes.size(); i += 2)
      above.push_back(i + 1 < nodes.size() ? nodes[i] + nodes[i + 1] : nodes[i]);
    nodes = above;
  }
  return 0.0f + nodes[0];
}

/// Bins of every length that the code treats apart: empty, a few, one chunk, many chunks.
std::vector<Updates> typical() {
  return {random_updates(1, 1, 0),        random_updates(7, 3, 1),        random_updates(200, 1000, 0),
          random_updates(5000, 5000, 64), random_updates(40000, 300, 0),  random_updates(70001, 50, 1),
          random_updates(30000, 1, 0),    random_updates(60000, 40000, 2)};
}

TEST(ScatterAdd, EveryAlgorithmMeetsTheExactAndTheRoundingBound) {
  DeviceConfiguration configuration;
  configuration.threads = 3;
  const auto device = make_cpu_device(configuration);
  ASSERT_TRUE(device.has_value());
  ASSERT_TRUE((*device)->activate().has_value());
  const auto operation = make_scatter_add_operation();
  for (const char* shape :
       {"n1_bins1_hot0", "n1000_bins7_hot4", "n5000_bins70000_hot0", "n40000_bins512_hot1", "n30011_bins16_hot16"})
    for (InputFill fill : {InputFill::exact, InputFill::rounding, InputFill::wide})
      testing::verify_all(*operation, {"scatter_add", shape, "f32_f32_strict", "vector"}, **device, fill);
}

TEST(ScatterAdd, IndexOrderHasTheSameBitsInItsThreeForms) {
  for (const Updates& updates : typical()) {
    std::string error;
    const auto bins = by_bin(updates);
    std::vector<std::uint32_t> expected;
    for (const auto& values : bins) expected.push_back(bits_of(std::accumulate(values.begin(), values.end(), 0.0f)));
    for (int threads : {1, 2, 3, 4, 8})
      for (const char* algorithm : {"fixed_order:serial", "fixed_order:owner_scan", "fixed_order:sort_in_order"}) {
        EXPECT_EQ(scatter_bits(updates, algorithm, threads, error), expected)
            << updates.problem() << algorithm << ", " << threads << " threads";
        EXPECT_EQ(error, "");
      }
  }
}

TEST(ScatterAdd, SortTreeFollowsItsDefinitionOnEveryThreadCount) {
  for (const Updates& updates : typical()) {
    std::string error;
    std::vector<std::uint32_t> expected;
    for (const auto& values : by_bin(updates)) expected.push_back(bits_of(naive_tree(values)));
    for (int threads : {1, 2, 3, 4, 8}) {
      EXPECT_EQ(scatter_bits(updates, "fixed_order:sort_tree", threads, error), expected)
          << updates.problem() << ", " << threads << " threads";
      EXPECT_EQ(error, "");
    }
  }
}

/// The CUDA kernels' way through a bin, with their own function for a thread's lanes.
TEST(ScatterAdd, WarpsOnCudaFollowTheSameTree) {
  for (std::size_t n : {1u, 31u, 32u, 33u, 63u, 64u, 65u, 2047u, 2048u, 2049u, 70000u}) {
    const auto values = random_updates(n, 1, 0).values;
    reduction::PairJoiner<float> chunks;
    for (std::size_t first = 0; first < n; first += 2048) {
      float threads[32];
      for (int thread = 0; thread < 32; ++thread)
        threads[thread] = scatter_add::sum_own_lanes(
            values.data() + first, static_cast<std::int64_t>(std::min<std::size_t>(2048, n - first)), thread);
      for (int distance = 16; distance > 0; distance /= 2)  // __shfl_down_sync
        for (int thread = 0; thread < 32; ++thread) threads[thread] += threads[std::min(31, thread + distance)];
      chunks.add(threads[0]);
    }
    EXPECT_EQ(bits_of(scatter_add::finish_bin(chunks.root())), bits_of(naive_tree(values))) << n;
  }
}

TEST(ScatterAdd, OrderIndependentIsCorrectlyRoundedWhateverTheOrder) {
  std::mt19937 random(5);
  for (Updates updates :
       {random_updates(20000, 100, 0), random_updates(20000, 30, 2, 200), random_updates(300, 400, 1)}) {
    std::vector<std::uint32_t> expected;
    for (const auto& values : by_bin(updates)) expected.push_back(bits_of(0.0f + testing::exact_sum(values)));
    std::string error;
    for (int order = 0; order < 4; ++order) {
      EXPECT_EQ(scatter_bits(updates, "order_independent:superaccumulator", 1 + order, error), expected)
          << updates.problem() << order;
      EXPECT_EQ(error, "");
      const auto seed = random();
      std::shuffle(updates.values.begin(), updates.values.end(), std::mt19937(seed));
      std::shuffle(updates.indices.begin(), updates.indices.end(), std::mt19937(seed));
    }
  }
}

TEST(ScatterAdd, ZerosInfinitiesAndNaNsHaveOneResult) {
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  Updates updates;
  updates.bins = 6;  // bin 5 stays empty
  updates.values = {-0.0f, infinity, 1.0f, infinity, -infinity, nan, 2.0f, 1.0f, -1.0f};
  updates.indices = {0, 1, 1, 2, 2, 3, 3, 4, 4};
  const std::vector<std::uint32_t> expected = {0, bits_of(infinity), 0x7FC00000u, 0x7FC00000u, 0, 0};
  std::string error;
  for (const char* algorithm : {"fixed_order:serial", "fixed_order:owner_scan", "fixed_order:sort_in_order",
                                "fixed_order:sort_tree", "order_independent:superaccumulator"}) {
    EXPECT_EQ(scatter_bits(updates, algorithm, 2, error), expected) << algorithm;
    EXPECT_EQ(error, "");
  }
}

TEST(ScatterAdd, PartialsInThreadOrderRepeatAndDependOnTheNumberOfThreads) {
  const Updates updates = random_updates(60000, 20, 4);
  std::string error;
  const auto three = scatter_bits(updates, "openmp:thread_partials_in_order", 3, error);
  ASSERT_EQ(error, "");
  for (int run = 0; run < 5; ++run)
    EXPECT_EQ(scatter_bits(updates, "openmp:thread_partials_in_order", 3, error), three);
  EXPECT_NE(scatter_bits(updates, "openmp:thread_partials_in_order", 2, error), three);
}

TEST(ScatterAdd, ContendedAtomicsGiveMoreThanOneResult) {
  const Updates updates = random_updates(200000, 4, 1);
  std::set<std::vector<std::uint32_t>> results;
  std::string error;
  for (int run = 0; run < 40 && results.size() < 2; ++run)
    results.insert(scatter_bits(updates, "openmp:atomic", 4, error));
  ASSERT_EQ(error, "");
  if (results.size() < 2)
    GTEST_SKIP() << "40 runs on " << available_cores() << " cores gave one result: nothing ran at the same time";
  EXPECT_GE(results.size(), 2u);
}

TEST(ScatterAdd, HalfOfAllUpdatesGoToTheHotBins) {
  const auto operation = make_scatter_add_operation();
  const Problem problem{"scatter_add", "n100000_bins1024_hot4", "f32_f32_strict", "vector"};
  const auto parsed = scatter_add::parse_scatter(problem);
  ASSERT_TRUE(parsed.has_value());
  const TensorSpec spec{"indices", DataType::i32, {100000}, canonical_layout({100000})};
  std::vector<std::int32_t> indices(100000);
  const auto fill = operation->fill(problem, spec, {});
  ASSERT_TRUE(fill.has_value());
  ASSERT_TRUE(fill_on_host({spec, {indices.data(), indices.size() * 4}}, *fill).has_value());
  std::int64_t hot = 0, highest = 0;
  for (std::int32_t index : indices) {
    const std::int32_t bin = scatter_add::target_bin(index, parsed->bins, parsed->hot);
    ASSERT_TRUE(bin >= 0 && bin < parsed->bins);
    hot += bin < 4;
    highest = std::max<std::int64_t>(highest, bin);
  }
  EXPECT_NEAR(static_cast<double>(hot), 50000 + 50000 * 4.0 / 1024, 800);  // five standard deviations
  EXPECT_GT(highest, 1000);
}

TEST(ScatterAdd, BadProblemsAreRefusedInOneLine) {
  const auto operation = make_scatter_add_operation();
  const struct {
    Problem problem;
    const char* names;
  } cases[] = {{{"scatter_add", "n5_bins3", "f32_f32_strict", "vector"}, "hot"},
               {{"scatter_add", "n0_bins3_hot0", "f32_f32_strict", "vector"}, "n0"},
               {{"scatter_add", "n5_bins0_hot0", "f32_f32_strict", "vector"}, "bins0"},
               {{"scatter_add", "n5_bins3_hot3", "f32_f32_strict", "vector"}, "power of two"},
               {{"scatter_add", "n5_bins2_hot4", "f32_f32_strict", "vector"}, "up to bins"},
               {{"scatter_add", "n5_bins33554433_hot0", "f32_f32_strict", "vector"}, "bins33554433"},
               {{"scatter_add", "n5_bins3_hot0", "f64_f64_strict", "vector"}, "f32_f32_strict"},
               {{"scatter_add", "n5_bins3_hot0", "f32_f32_strict", "nchw"}, "vector"}};
  for (const auto& c : cases) {
    const auto status = operation->check(c.problem);
    ASSERT_FALSE(status.has_value()) << problem_id(c.problem);
    EXPECT_NE(status.error().text.find(c.names), std::string::npos) << status.error().text;
    EXPECT_EQ(status.error().kind, Reason::Kind::invalid_input);
  }
}

TEST(ScatterAdd, AWorkspaceThatWouldTakeTheMachineIsDeclinedWithTheReason) {
  DeviceConfiguration configuration;
  configuration.threads = 8;
  const auto device = make_cpu_device(configuration);
  ASSERT_TRUE(device.has_value());
  const auto operation = make_scatter_add_operation();
  const auto offers = operation->find_provider("order_independent")
                          ->offers({"scatter_add", "n5_bins16777216_hot0", "f32_f32_strict", "vector"}, **device);
  ASSERT_TRUE(offers.has_value());
  ASSERT_TRUE(offers->at(0).unsupported.has_value());
  EXPECT_NE(offers->at(0).unsupported->text.find("MiB"), std::string::npos);
}

}  // namespace
}  // namespace detbench
