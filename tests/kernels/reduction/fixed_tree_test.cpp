// The fixed tree against its definition written down naively, and the CUDA grid played through on the host.
#include "kernels/reduction/fixed_tree.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "kernels/reduction/isa.hpp"
#include "kernels/reduction/lane_sums.hpp"
#include "order_models.hpp"
#include "sum_runner.hpp"

namespace detbench {
namespace {

using namespace reduction;
using testing::bits_of_value;
using testing::sum_bits;

/// One CUDA launch: blocks in a random order, each with a stride of the grid over the tiles, then the block that joins
/// the tiles. Uses the kernels' own index functions.
template <class T>
T emulated_grid(const std::vector<T>& x, int grid, int block_threads, std::mt19937_64& random) {
  const auto n = static_cast<std::int64_t>(x.size());
  const int chunks_at_once = chunks_per_block(block_threads);
  const std::int64_t tiles = (chunk_count(n) + chunks_at_once - 1) / chunks_at_once;
  std::vector<T> tile_sums(static_cast<std::size_t>(tiles), T(1e30));
  std::vector<int> blocks(static_cast<std::size_t>(grid));
  std::iota(blocks.begin(), blocks.end(), 0);
  std::shuffle(blocks.begin(), blocks.end(), random);
  const auto at = [&](std::int64_t index) { return index < n ? x[static_cast<std::size_t>(index)] : absent_value<T>(); };
  for (int block : blocks)
    for (std::int64_t tile = block; tile < tiles; tile += grid) {
      std::vector<T> chunk_sums(static_cast<std::size_t>(chunks_at_once));
      std::vector<std::array<T, lanes_per_thread>> owned(static_cast<std::size_t>(block_threads));
      for (int thread = 0; thread < block_threads; ++thread) {
        const LaneOwner owner = lane_owner(thread);
        for (int i = 0; i < lanes_per_thread; ++i) {
          PlainLane<T> lane;
          for (int row = 0; row < chunk_rows; ++row)
            lane.add(at(element_index(tile * chunks_at_once + owner.chunk_of_block, row, owner.first_lane + i)));
          owned[static_cast<std::size_t>(thread)][static_cast<std::size_t>(i)] = lane.node();
        }
      }
      // __shfl_down_sync inside groups of 16 threads: every thread reads before any writes.
      for (int stride = lane_count / 2; stride >= lanes_per_thread; stride /= 2) {
        const auto before = owned;
        for (int thread = 0; thread < block_threads; ++thread) {
          const int partner = thread + threads_apart(stride);
          const int source = partner / threads_per_chunk == thread / threads_per_chunk ? partner : thread;
          for (int i = 0; i < lanes_per_thread; ++i)
            owned[static_cast<std::size_t>(thread)][static_cast<std::size_t>(i)] +=
                before[static_cast<std::size_t>(source)][static_cast<std::size_t>(i)];
        }
      }
      for (int thread = 0; thread < block_threads; thread += threads_per_chunk) {
        T sums[lanes_per_thread];
        std::copy(owned[static_cast<std::size_t>(thread)].begin(), owned[static_cast<std::size_t>(thread)].end(), sums);
        chunk_sums[static_cast<std::size_t>(lane_owner(thread).chunk_of_block)] = fold_owned_lanes(sums);
      }
      tile_sums[static_cast<std::size_t>(tile)] = join_pairs(chunk_sums.data(), chunks_at_once);
    }
  PairJoiner<T> joiner;
  for (T sum : tile_sums) joiner.add(sum);
  return canonical_nan(joiner.root());
}

template <class T>
std::vector<T> random_values(std::size_t n, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<T> values(n);
  for (T& value : values)
    value =
        std::ldexp(static_cast<T>(static_cast<std::int64_t>(random()) >> 10), -60 + static_cast<int>(random() % 12));
  return values;
}

template <class T>
class FixedTree : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(FixedTree, Types);

TYPED_TEST(FixedTree, FollowsItsDefinitionOnEveryThreadCountAndInstructionSet) {
  using T = TypeParam;
  for (std::size_t n : {1u, 2u, 64u, 65u, 2047u, 2048u, 2049u, 65535u, 65536u, 65537u, 333333u}) {
    const auto values = random_values<T>(n, n);
    const auto expected = bits_of_value(testing::plain_tree(values));
    std::string error;
    for (int threads : n > 65536 ? std::vector<int>{1, 2, 3, 4, 8} : std::vector<int>{1})
      for (Isa isa : available_isas()) {
        EXPECT_EQ(sum_bits(values, "fixed_order:fixed_tree@isa=" + std::string(to_text(isa)), threads, error), expected)
            << n << " elements, " << threads << " threads, " << to_text(isa);
        EXPECT_EQ(error, "");
      }
  }
}

TYPED_TEST(FixedTree, EveryCudaGridAndBlockSizeGivesTheCpusBits) {
  using T = TypeParam;
  std::mt19937_64 random(21);
  for (std::size_t n : {1u, 63u, 2048u, 2049u, 40000u, 100001u}) {
    const auto values = random_values<T>(n, 100 + n);
    std::string error;
    const auto cpu = sum_bits(values, "fixed_order:fixed_tree", 3, error);
    ASSERT_EQ(error, "");
    for (int block_threads : {32, 64, 128, 256, 512, 1024})
      for (int grid : {1, 2, 3, 7, 132})
        EXPECT_EQ(bits_of_value(emulated_grid(values, grid, block_threads, random)), cpu)
            << n << " elements, grid " << grid << ", block " << block_threads;
  }
}

TYPED_TEST(FixedTree, SumsOfZerosInfinitiesAndNaNsHaveTheSameBitsEverywhere) {
  using T = TypeParam;
  const T infinity = std::numeric_limits<T>::infinity();
  std::mt19937_64 random(22);
  const std::vector<std::vector<T>> inputs = {std::vector<T>(3000, -T(0)),
                                              {-T(0), T(0), -T(0)},
                                              {T(1), infinity},
                                              {infinity, -infinity, T(1)},
                                              {T(1), -std::numeric_limits<T>::quiet_NaN()}};
  for (const auto& values : inputs) {
    std::string error;
    const auto cpu = sum_bits(values, "fixed_order:fixed_tree", 2, error);
    EXPECT_EQ(bits_of_value(emulated_grid(values, 3, 64, random)), cpu);
  }
  std::string error;
  EXPECT_EQ(sum_bits(inputs[0], "fixed_order:fixed_tree", 2, error), bits_of_value(-T(0)));
  EXPECT_EQ(sum_bits(inputs[3], "fixed_order:fixed_tree", 2, error),
            bits_of_value(std::numeric_limits<T>::quiet_NaN()));
}

TYPED_TEST(FixedTree, TheThreeFormsOfTheTreeAgree) {
  using T = TypeParam;
  for (std::size_t count = 1; count < 300; ++count) {
    const auto leaves = random_values<T>(count, count);
    const auto expected = bits_of_value(testing::joined_tree(leaves, 0, count, [](T a, T b) { return a + b; }));
    PairJoiner<T> joiner;
    for (T leaf : leaves) joiner.add(leaf);
    EXPECT_EQ(bits_of_value(joiner.root()), expected) << count;
    auto nodes = leaves;
    EXPECT_EQ(bits_of_value(join_pairs(nodes.data(), static_cast<std::int64_t>(count))), expected) << count;
  }
}

/// Orders matter for these inputs: else equality above would prove nothing.
TYPED_TEST(FixedTree, AnotherOrderGivesOtherBits) {
  using T = TypeParam;
  const auto values = random_values<T>(100001, 3);
  std::string error;
  const auto tree = sum_bits(values, "fixed_order:fixed_tree", 2, error);
  EXPECT_NE(tree, sum_bits(values, "fixed_order:two_pass", 2, error));
  auto reversed = values;
  std::reverse(reversed.begin(), reversed.end());
  EXPECT_NE(tree, sum_bits(reversed, "fixed_order:fixed_tree", 2, error));
}

}  // namespace
}  // namespace detbench
