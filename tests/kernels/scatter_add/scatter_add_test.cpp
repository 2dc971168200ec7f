// Every scatter-add, index-add and weighted histogram against sums made bin by bin, and the equalities that are promised.
#include "kernels/scatter_add/scatter_add.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <numeric>
#include <set>

#include "scatter_runner.hpp"
#include "tests/kernels/reduction/exact_oracle.hpp"
#include "tests/kernels/reduction/verify_all.hpp"

namespace detbench {
namespace {

using testing::bin_type;
using testing::expected_bits;
using testing::random_updates;
using testing::scatter_bits;
using testing::Updates;

template <class T>
double in_order(const std::vector<double>& x) {
  T sum = 0;
  for (double value : x) sum += static_cast<T>(value);
  return sum;
}

/// The fixed tree of one bin, written down naively.
template <class T>
double tree(const std::vector<double>& x) {
  if (x.empty()) return 0;
  std::vector<T> nodes;
  for (std::size_t first = 0; first < x.size(); first += 2048) {
    std::vector<T> lanes(64, -T(0));
    for (std::size_t i = first; i < std::min(x.size(), first + 2048); ++i) lanes[(i - first) % 64] += static_cast<T>(x[i]);
    for (std::size_t stride = 32; stride > 0; stride /= 2)
      for (std::size_t lane = 0; lane < stride; ++lane) lanes[lane] += lanes[lane + stride];
    nodes.push_back(lanes[0]);
  }
  while (nodes.size() > 1) {
    std::vector<T> above;
    for (std::size_t i = 0; i < nodes.size(); i += 2) above.push_back(i + 1 < nodes.size() ? nodes[i] + nodes[i + 1] : nodes[i]);
    nodes = above;
  }
  return T(0) + nodes[0];
}

/// Neumaier's sum, with the branch of the paper.
template <class T>
double neumaier(const std::vector<double>& x) {
  T sum = 0, lost = 0;
  for (double wide : x) {
    const T value = static_cast<T>(wide), total = sum + value;
    if (std::abs(sum) >= std::abs(value)) lost += (sum - total) + value;
    else lost += (value - total) + sum;
    sum = total;
  }
  return sum + lost;
}

/// In the type that sums of these types are made in.
double index_order(const Updates& u, const std::vector<double>& x) { return bin_type(u.types) == DataType::f64 ? in_order<double>(x) : in_order<float>(x); }
double fixed_tree(const Updates& u, const std::vector<double>& x) { return bin_type(u.types) == DataType::f64 ? tree<double>(x) : tree<float>(x); }
double compensated(const Updates& u, const std::vector<double>& x) { return bin_type(u.types) == DataType::f64 ? neumaier<double>(x) : neumaier<float>(x); }
double exact(const Updates& u, const std::vector<double>& x) {
  if (bin_type(u.types) == DataType::f64) return 0.0 + testing::exact_sum(x);
  return 0.0f + testing::exact_sum(std::vector<float>(x.begin(), x.end()));
}

Updates histogram(std::int64_t n, std::int32_t bins, const std::string& types) {
  Updates updates = random_updates(n, bins, 0, 12, types);
  updates.op = "weighted_histogram";
  std::mt19937 random(static_cast<unsigned>(n));
  for (std::int64_t i = 0; i < n; ++i) updates.samples.push_back(std::ldexp(static_cast<float>(static_cast<std::int32_t>(random()) >> 7), -24));
  updates.samples[0] = -1.0f;
  if (n > 4) updates.samples[1] = 1.0f, updates.samples[2] = 7.0f, updates.samples[3] = -2.0f, updates.samples[4] = -0x1p-149f;
  return updates;
}
Updates laid_out(Updates updates, const std::string& words) {
  updates.words = words;
  updates.hot = 0;
  std::fill(updates.indices.begin(), updates.indices.end(), 0);
  return updates;
}

/// Bins of every length that the code treats apart (empty, one, a few, a chunk, many chunks), every type, layout and op.
std::vector<Updates> typical() {
  return {random_updates(1, 1, 0),
          random_updates(7, 3, 1),
          random_updates(200, 1000, 0),
          random_updates(5000, 5000, 64),
          random_updates(8000, 300, 0),
          random_updates(12001, 50, 1),
          random_updates(9000, 1, 0),
          random_updates(9000, 20000, 2),
          random_updates(9000, 70, 1, 12, "f64_f64_strict"),
          random_updates(5000, 40, 4, 12, "f16_f32_strict"),
          random_updates(5000, 40, 4, 12, "bf16_f32_strict"),
          random_updates(5000, 4, 0, 8, "f16_f16_strict"),
          random_updates(5000, 4, 0, 8, "bf16_bf16_strict"),
          laid_out(random_updates(10007, 97, 0), "_adjacent"),
          laid_out(random_updates(10007, 97, 0), "_spread_wide"),
          laid_out(random_updates(1001, 501, 0), "_pairs"),
          random_updates(900, 30, 0, 12, "f32_f32_strict", 3),
          random_updates(6000, 2, 1, 12, "f32_f32_strict", 5),
          random_updates(60, 17, 0, 12, "f64_f64_strict", 300),
          random_updates(100, 9, 0, 12, "bf16_bf16_strict", 65),
          laid_out(random_updates(300, 20, 0, 12, "f16_f32_strict", 33), "_adjacent"),
          histogram(3000, 37, "f32_f32_strict"),
          histogram(500, 4096, "f16_f16_strict"),
          histogram(1, 3, "f64_f64_strict")};
}

TEST(ScatterAdd, EveryAlgorithmMeetsTheExactAndTheRoundingBound) {
  DeviceConfiguration configuration;
  configuration.threads = 3;
  const auto device = make_cpu_device(configuration);
  ASSERT_TRUE(device.has_value());
  ASSERT_TRUE((*device)->activate().has_value());
  const char* problems[] = {"scatter_add/n1_bins1_hot0/f32_f32_strict/vector",
                            "scatter_add/n1000_bins7_hot4/f64_f64_strict/vector",
                            "scatter_add/n5000_bins30000_hot0/f32_f32_strict/vector",
                            "scatter_add/n20000_bins512_hot1_cancelling/f32_f32_strict/vector",
                            "scatter_add/n5011_bins16_hot16_uniform/f16_f32_strict/vector",
                            "scatter_add/n5011_bins16_hot0_adjacent_wide/bf16_f32_strict/vector",
                            "scatter_add/n3000_bins100_hot0_spread/f16_f16_strict/vector",
                            "scatter_add/n9000_bins4_hot0_uniform/bf16_bf16_strict/vector",
                            "scatter_add/n3000_bins100_hot0_zipf/f32_f32_strict/vector",
                            "index_add/n300_bins20_d33/f32_f32_strict/vector",
                            "index_add/n300_bins20_d5_hot2_wide/bf16_f32_strict/vector",
                            "weighted_histogram/n4000_bins50_uniform/f32_f32_strict/vector",
                            "weighted_histogram/n4000_bins50/f16_f32_strict/vector"};
  for (const char* id : problems)
    for (InputFill fill : {InputFill::exact, InputFill::rounding, InputFill::wide}) {
      const auto problem = parse_problem_id(id);
      ASSERT_TRUE(problem.has_value()) << id;
      testing::verify_all(*testing::operation_named(problem->op), *problem, **device, fill);
    }
}

/// By-construction algorithms follow their definition, written down independently, on every thread count.
void expect_bits(const char* algorithm, double (*sum)(const Updates&, const std::vector<double>&)) {
  for (const Updates& updates : typical()) {
    const auto expected = expected_bits(updates, [&](const std::vector<double>& x) { return sum(updates, x); });
    for (int threads : {1, 2, 3, 4, 7}) {
      std::string error;
      EXPECT_EQ(scatter_bits(updates, algorithm, threads, error), expected) << updates.problem() << algorithm << ", " << threads << " threads";
      ASSERT_EQ(error, "") << updates.problem() << algorithm;
    }
  }
}
TEST(ScatterAdd, SerialIsTheIndexOrder) { expect_bits("fixed_order:serial", index_order); }
TEST(ScatterAdd, OwnerScanIsTheIndexOrder) { expect_bits("fixed_order:owner_scan", index_order); }
TEST(ScatterAdd, PartitionInOrderIsTheIndexOrder) { expect_bits("fixed_order:partition_in_order", index_order); }
TEST(ScatterAdd, SortInOrderIsTheIndexOrder) { expect_bits("fixed_order:sort_in_order", index_order); }
TEST(ScatterAdd, SortTreeIsTheFixedTree) { expect_bits("fixed_order:sort_tree", fixed_tree); }
TEST(ScatterAdd, CompensatedIsNeumaiersSum) { expect_bits("fixed_order:compensated", compensated); }
TEST(ScatterAdd, SuperaccumulatorIsCorrectlyRounded) { expect_bits("order_independent:superaccumulator", exact); }

TEST(ScatterAdd, F64AccumulatorRoundsOnceAndIsRefusedWhereItIsNothingNew) {
  for (const Updates& updates : typical()) {
    std::string error;
    const auto bits = scatter_bits(updates, "fixed_order:f64_accumulator", 3, error);
    if (bin_type(updates.types) == DataType::f64) {
      EXPECT_NE(error.find("sort_in_order"), std::string::npos) << error;
      continue;
    }
    EXPECT_EQ(bits, expected_bits(updates, [](const std::vector<double>& x) { return static_cast<double>(static_cast<float>(in_order<double>(x))); }))
        << updates.problem();
  }
}

TEST(ScatterAdd, OrderIndependentOnesDoNotSeeTheOrder) {
  std::mt19937 random(5);
  for (Updates updates : {random_updates(5000, 100, 0), random_updates(5000, 30, 2, 200), random_updates(300, 400, 1)})
    for (const char* algorithm : {"order_independent:superaccumulator", "order_independent:fixed_point"}) {
      std::string error;
      const auto first = scatter_bits(updates, algorithm, 1, error);
      ASSERT_EQ(error, "");
      for (int order = 0; order < 4; ++order) {
        const auto seed = random();
        std::shuffle(updates.values.begin(), updates.values.end(), std::mt19937(seed));
        std::shuffle(updates.indices.begin(), updates.indices.end(), std::mt19937(seed));
        EXPECT_EQ(scatter_bits(updates, algorithm, 2 + order, error), first) << updates.problem() << algorithm;
        ASSERT_EQ(error, "");
      }
    }
}

TEST(ScatterAdd, ZerosInfinitiesAndNaNsHaveOneResult) {
  const double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  for (const char* types : {"f32_f32_strict", "f64_f64_strict", "f16_f16_strict", "bf16_f32_strict"}) {
    Updates updates;
    updates.types = types;
    updates.bins = 6;  // bin 5 stays empty
    updates.values = {-0.0, infinity, 1.0, infinity, -infinity, nan, 2.0, 1.0, -1.0};
    updates.indices = {0, 1, 1, 2, 2, 3, 3, 4, 4};
    Updates finished = updates;  // what the bins hold at the end: one value each
    finished.values = {0.0, infinity, nan, nan, 0.0, 0.0};
    finished.indices = {0, 1, 2, 3, 4, 5};
    const auto expected = expected_bits(finished, [](const std::vector<double>& x) { return x[0]; });
    for (const char* algorithm : {"fixed_order:serial", "fixed_order:owner_scan", "fixed_order:partition_in_order", "fixed_order:sort_in_order",
                                  "fixed_order:sort_tree", "fixed_order:compensated", "fixed_order:f64_accumulator", "order_independent:superaccumulator",
                                  "order_independent:fixed_point"}) {
      std::string error;
      const auto bits = scatter_bits(updates, algorithm, 2, error);
      if (error.empty()) {
        EXPECT_EQ(bits, expected) << updates.problem() << algorithm;
      } else {
        EXPECT_EQ(bin_type(types), DataType::f64) << error;  // the two that do not exist there
      }
    }
  }
}

TEST(ScatterAdd, PartialsInThreadOrderRepeatAndDependOnTheNumberOfThreads) {
  for (const Updates& updates : {random_updates(20000, 20, 4), random_updates(3000, 4, 0, 12, "f32_f32_strict", 6)}) {
    std::string error;
    const auto three = scatter_bits(updates, "openmp:thread_partials_in_order", 3, error);
    ASSERT_EQ(error, "");
    for (int run = 0; run < 3; ++run) EXPECT_EQ(scatter_bits(updates, "openmp:thread_partials_in_order", 3, error), three);
    EXPECT_NE(scatter_bits(updates, "openmp:thread_partials_in_order", 2, error), three);
  }
}

TEST(ScatterAdd, ContendedAtomicsGiveMoreThanOneResult) {
  for (const char* types : {"f32_f32_strict", "bf16_bf16_strict"}) {
    const Updates updates = random_updates(100000, 4, 1, 12, types);
    std::set<std::vector<std::uint64_t>> results;
    std::string error;
    for (int run = 0; run < 40 && results.size() < 2; ++run) results.insert(scatter_bits(updates, "openmp:atomic", 4, error));
    ASSERT_EQ(error, "");
    if (results.size() < 2) GTEST_SKIP() << "40 runs on " << available_cores() << " cores gave one result: nothing ran at the same time";
    EXPECT_GE(results.size(), 2u);
  }
}

/// Why `pairs` is the worst case for detection: every order of two updates has the same bits, so atomics in it look as if
/// they were deterministic; with three there are values whose orders differ.
TEST(ScatterAdd, TwoUpdatesCannotShowAnOrderAndThreeCan) {
  const Updates pairs = laid_out(random_updates(4000, 2000, 0), "_pairs");
  Updates swapped = pairs;
  for (std::size_t i = 0; i < swapped.values.size(); i += 2) std::swap(swapped.values[i], swapped.values[i + 1]);
  ASSERT_NE(pairs.values, swapped.values);
  std::string error;
  for (const char* algorithm : {"fixed_order:serial", "openmp:atomic", "fixed_order:sort_tree"}) {
    const auto bits = scatter_bits(pairs, algorithm, 1, error);
    EXPECT_EQ(scatter_bits(swapped, algorithm, 1, error), bits) << algorithm;
    EXPECT_EQ(scatter_bits(swapped, algorithm, 4, error), bits) << algorithm;
    ASSERT_EQ(error, "");
  }
  Updates three;
  three.values = {1, 0x1p-24, 0x1p-24};
  three.indices = {0, 0, 0};
  const auto forwards = scatter_bits(three, "openmp:atomic", 1, error);
  std::reverse(three.values.begin(), three.values.end());
  EXPECT_NE(scatter_bits(three, "openmp:atomic", 1, error), forwards);  // 1 against 1 + 2^-23
  ASSERT_EQ(error, "");
}

}  // namespace
}  // namespace detbench
