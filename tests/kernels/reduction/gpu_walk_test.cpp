// The CUDA grids played through on the host, with the functions of the kernels themselves (cuda_walk.hpp): whoever takes which
// summand, at whatever address, and in whatever order blocks run, the CPU's bits come out.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>

#include "gpu_answers.hpp"
#include "kernels/reduction/cuda_bins.hpp"
#include "kernels/reduction/cuda_walk.hpp"
#include "kernels/reduction/cuda_window.hpp"
#include "kernels/reduction/grid_shares.hpp"
#include "kernels/reduction/sum.hpp"

namespace detbench {
namespace {

using namespace reduction;
using testing::answer;
using testing::Bytes;

/// __shfl_down_sync: every thread reads before any writes; who has no partner in his group reads himself.
template <class Node>
void add_from_below(std::vector<Node>& threads, int distance, int width) {
  const auto before = threads;
  for (int t = 0; t < static_cast<int>(threads.size()); ++t) {
    const int partner = t + distance;
    threads[static_cast<std::size_t>(t)] += before[static_cast<std::size_t>(partner / width == t / width ? partner : t)];
  }
}

/// block_sum() of 256 threads.
template <class A>
A block_total(std::vector<A> threads) {
  for (int distance = 16; distance > 0; distance /= 2) add_from_below(threads, distance, 32);
  std::vector<A> warps(32, absent_value<A>());
  for (std::size_t w = 0; w < threads.size() / 32; ++w) warps[w] = threads[w * 32];
  for (int distance = 16; distance > 0; distance /= 2) add_from_below(warps, distance, 32);
  return warps[0];
}

std::vector<int> shuffled(int count, std::mt19937_64& random) {
  std::vector<int> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), random);
  return order;
}

/// two_pass and last_block.
template <class Source>
typename Source::Accumulator played_shares(const Source& source, std::int64_t n, bool wide, std::mt19937_64& random) {
  using A = typename Source::Accumulator;
  const int blocks = occupied_share_blocks(n);
  std::vector<A> partials(share_blocks, absent_value<A>());
  for (const int block : shuffled(blocks, random)) {
    std::vector<A> threads;
    for (int t = 0; t < share_block_threads; ++t)
      threads.push_back(strided_share(source, n, wide, std::int64_t{block} * share_block_threads + t, share_lanes / 4));
    partials[static_cast<std::size_t>(block)] = block_total(threads);
  }
  std::vector<A> threads;
  for (std::size_t t = 0; t < share_block_threads; ++t) {
    PlainLane<A> lanes[4];
    for (std::size_t i = 0; i < 4; ++i) lanes[i].sum = partials[4 * t + i];
    threads.push_back(fold_lanes_of_thread(lanes));
  }
  return canonical_nan(block_total(threads));
}

/// The fixed tree on so many blocks.
template <class Lane, class Source>
typename Source::Accumulator played_tree(const Source& source, std::int64_t n, bool wide, int grid, std::mt19937_64& random) {
  using Node = typename Lane::Node;
  std::vector<Node> tile_nodes(static_cast<std::size_t>(tile_count(n)));
  for (const int block : shuffled(grid, random))
    for (std::int64_t tile = block; tile < tile_count(n); tile += grid) {
      std::vector<Node> threads[lanes_per_thread];
      for (int t = 0; t < tile_threads; ++t) {
        const LaneOwner owner = lane_owner(t);
        const std::int64_t chunk = tile * tile_chunks + owner.chunk_of_block;
        Lane lanes[lanes_per_thread];
        if (wide && (tile + 1) * tile_elements <= n)
          add_whole_chunk(source, chunk, owner.first_lane, lanes);
        else
          add_any_chunk(source, n, chunk, owner.first_lane, lanes);
        for (int i = 0; i < lanes_per_thread; ++i) threads[i].push_back(lanes[i].node());
      }
      for (int stride = lane_count / 2; stride >= lanes_per_thread; stride /= 2)
        for (auto& lane : threads) add_from_below(lane, threads_apart(stride), threads_per_chunk);
      std::vector<Node> chunks(32, absent_value<Node>());
      for (std::size_t c = 0; c < tile_chunks; ++c) {
        const std::size_t t = c * threads_per_chunk;
        const Node own[lanes_per_thread] = {threads[0][t], threads[1][t], threads[2][t], threads[3][t]};
        chunks[c] = fold_owned_lanes(own);
      }
      for (int distance = 1; distance < tile_chunks; distance *= 2) add_from_below(chunks, distance, 32);
      tile_nodes[static_cast<std::size_t>(tile)] = chunks[0];
    }
  // The join: 1024 threads, each an aligned run of tiles.
  constexpr std::int64_t join_threads = 1024;
  const std::int64_t tiles = tile_count(n);
  std::int64_t run = 1;
  while (run * join_threads < tiles) run *= 2;
  std::vector<Node> roots(join_threads, absent_value<Node>());
  for (std::int64_t t = 0; t * run < tiles; ++t) {
    PairJoiner<Node> joiner;
    for (std::int64_t tile = t * run; tile < std::min(tiles, (t + 1) * run); ++tile) joiner.add(tile_nodes[static_cast<std::size_t>(tile)]);
    roots[static_cast<std::size_t>(t)] = joiner.root();
  }
  for (std::size_t distance = 1; distance < join_threads; distance *= 2)
    for (std::size_t node = 0; node < join_threads; node += 2 * distance) roots[node] += roots[node + distance];
  return canonical_nan(static_cast<typename Source::Accumulator>(value_of_node(roots[0])));
}

template <class S>
struct Stored;
template <>
struct Stored<float> {
  static constexpr const char* types = "f32_f32_strict";
  static float of(double value) { return static_cast<float>(value); }
};
template <>
struct Stored<double> {
  static constexpr const char* types = "f64_f64_strict";
  static double of(double value) { return value; }
};
template <>
struct Stored<F16Bits> {
  static constexpr const char* types = "f16_f32_strict";
  static F16Bits of(double value) { return {f16_from_float(static_cast<float>(value))}; }
};

/// Full mantissas over a dozen exponents.
template <class S>
std::vector<S> random_values(std::size_t n) {
  std::mt19937_64 random(n);
  std::vector<S> values(n);
  for (S& value : values)
    value = Stored<S>::of(std::ldexp(static_cast<double>(static_cast<std::int64_t>(random()) >> 10), -60 + static_cast<int>(random() % 12)));
  return values;
}

template <class A>
Bytes bytes_of(A value) {
  Bytes bytes(sizeof value);
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

/// The CPU's answer by name, both factors the same for a dot.
template <class S>
Bytes on_cpu(bool is_dot, const std::vector<S>& values, const std::string& algorithm) {
  const auto operation = is_dot ? make_dot_operation() : make_sum_operation();
  Bytes given(values.size() * sizeof(S));
  std::memcpy(given.data(), values.data(), given.size());
  DeviceConfiguration two;
  two.threads = 2;
  const auto device = make_cpu_device(two);
  const auto found = answer(*operation, {is_dot ? "dot" : "sum", "n" + std::to_string(values.size()), Stored<S>::types, "vector"}, algorithm, **device, &given);
  EXPECT_TRUE(found.has_value()) << algorithm << ": " << found.error().text;
  return found.value_or(Bytes{});
}

template <class Source>
void expect_played(const std::vector<typename Source::Stored>& values) {
  using A = typename Source::Accumulator;
  const auto n = static_cast<std::int64_t>(values.size());
  Source source{};
  source.x = values.data();
  if constexpr (Source::is_product) source.y = values.data();
  std::mt19937_64 random(5);
  const auto expect = [&](const char* algorithm, const auto& play) {
    const Bytes expected = on_cpu(Source::is_product, values, algorithm);
    for (const bool wide : {true, false})
      EXPECT_EQ(bytes_of(play(wide)), expected) << algorithm << ", " << n << " of " << Stored<typename Source::Stored>::types << (wide ? ", wide" : "");
  };
  expect("fixed_order:two_pass", [&](bool wide) { return played_shares(source, n, wide, random); });
  expect("fixed_order:fixed_tree", [&](bool wide) { return played_tree<PlainLane<A>>(source, n, wide, 7, random); });
  expect("fixed_order:kahan", [&](bool wide) { return played_tree<KahanLane<A>>(source, n, wide, 3, random); });
  expect("fixed_order:neumaier", [&](bool wide) { return played_tree<NeumaierLane<A>>(source, n, wide, 132, random); });
  if constexpr (has_wide<Source>)
    expect("fixed_order:f64_accumulator", [&](bool wide) { return played_tree<WideLane>(source, n, wide, 1, random); });
}

/// exact_window: warps of 32 threads over windows, in any order, shares joined in any order.
template <class Source>
typename Source::Accumulator played_windows(const Source& source, std::int64_t n, bool wide, std::mt19937_64& random, int (&fits)[3]) {
  using R = register_of<Source>;
  using Slots = Superaccumulator<R>;
  std::vector<std::int64_t> slots(Slots::slots, 0);
  const auto add = [&](int slot, std::int64_t amount) { slots[static_cast<std::size_t>(slot)] += amount; };
  for (const int window : shuffled(static_cast<int>((n + window_elements - 1) / window_elements), random)) {
    const std::int64_t first = std::int64_t{window} * window_elements;
    std::vector<std::array<StoredFour<Source>, window_rows>> warp(32);
    WindowRange<Source> range;
    for (int lane = 0; lane < 32; ++lane)
      for (int row = 0; row < window_rows; ++row) {
        auto& four = warp[static_cast<std::size_t>(lane)][static_cast<std::size_t>(row)];
        if (wide && first + window_elements <= n)
          four.load(source, first + window_element(lane, row));
        else
          four.load_any(source, first + window_element(lane, row), n);
        for (int k = 0; k < 4; ++k) observe_four(range, four, k);
      }
    const WindowFit fit = window_fit(range);
    ++fits[static_cast<int>(fit)];
    if (fit == WindowFit::none || range.all_zero()) {
      for (std::int64_t i = first; i < std::min(n, first + window_elements); ++i) deposit_summand(source, i, add);
      continue;
    }
    SlicedSum sum, lost;
    for (const int lane : shuffled(32, random)) {
      SlicedSum own, own_lost;
      sum_share<Source>(
          [&](auto&& visit) {
            for (const auto& four : warp[static_cast<std::size_t>(lane)])
              for (int k = 0; k < 4; ++k) visit(four, k);
          },
          fit, window_slicer(range), own, own_lost);
      sum.high += own.high, sum.low += own.low;
      lost.high += own_lost.high, lost.low += own_lost.low;
    }
    for (const double part : {sum.high, sum.low, lost.high, lost.low}) deposit<R>(part, add);
  }
  add(Slots::not_negative_zero_slot, 1);
  return rounded_sum<R>(slots.data());
}

/// binned: so many warps of 32 threads over batches, each emptied into the bins when its own time comes.
template <class Source>
typename Source::Accumulator played_bins(const Source& source, std::int64_t n, bool wide, int warps, int (&emptied)[2]) {
  using A = binned_type<Source>;
  using Slots = BinnedSlots<A>;
  constexpr int fours = fours_in_flight<Source>, per_summand = deposits_per_summand<Source>, count = fours * 4 * per_summand;
  constexpr std::int64_t batch_elements = std::int64_t{fours} * 4 * 32;
  std::vector<std::int64_t> slots(Slots::slots, 0);
  const auto add = [&](int slot, std::int64_t amount) { slots[static_cast<std::size_t>(slot)] += amount; };
  for (int warp = 0; warp < warps; ++warp) {
    std::vector<ThreadBins<A>> threads(32);
    const auto empty = [&] {
      if (threads[0].deposits == 0) return;
      ++emptied[threads[0].deposits + count > deposits_before_emptying<A> ? 1 : 0];
      for (auto& thread : threads) {
        for (int k = 0; k < kept_bins; ++k) add_units<A>(thread.top, k, static_cast<std::int64_t>(thread.lane.growth(k)), add);
        thread.lane = {}, thread.deposits = 0;
      }
      mark_top<A>(threads[0].top, add);
    };
    for (std::int64_t first = warp * batch_elements; first < n; first += warps * batch_elements) {
      std::vector<std::array<A, count>> values(32);
      std::uint32_t largest = 0;
      for (int lane = 0; lane < 32; ++lane)
        for (int row = 0; row < fours; ++row) {
          StoredFour<Source> four;
          const std::int64_t i = first + row * 128 + lane * 4;
          if (wide && first + batch_elements <= n)
            four.load(source, i);
          else
            four.load_any(source, i, n);
          for (int k = 0; k < 4; ++k) {
            A* const place = values[static_cast<std::size_t>(lane)].data() + (row * 4 + k) * per_summand;
            binned_values<Source>(four, k, place);
            largest = std::max(largest, magnitude_word(*place));
          }
        }
      if (goes_one_by_one<A>(largest) && largest != 0) {
        for (auto& own : values)
          for (const A value : own) deposit_alone<A>(value, add);
        continue;
      }
      if (threads[0].must_be_emptied(largest, count)) empty();
      for (std::size_t lane = 0; lane < 32; ++lane) {
        A own[count];
        std::copy(values[lane].begin(), values[lane].end(), own);
        threads[lane].raise_top(largest);
        threads[lane].deposit(own);
      }
    }
    empty();
  }
  for (std::int64_t i = 0; i < n; ++i) {
    StoredFour<Source> one;
    one.load_any(source, i, i + 1);
    A summand[per_summand];
    binned_values<Source>(one, 0, summand);
    if (bits_of(summand[0]) != bits_of(-A(0))) add(Slots::not_negative_zero_slot, 1);
  }
  return rounded_bins<A, typename Source::Accumulator>(slots.data());
}

template <class Source>
class CudaWalk : public ::testing::Test {};
using Sources = ::testing::Types<Elements<float>, Elements<double>, Elements<F16Bits>, Products<float>, Products<double>>;
TYPED_TEST_SUITE(CudaWalk, Sources);

TYPED_TEST(CudaWalk, EveryGridGivesTheCpusBits) {
  for (const std::size_t n : {1u, 63u, 2049u, 32768u, 65539u, 100001u}) expect_played<TypeParam>(random_values<typename TypeParam::Stored>(n));
}

TYPED_TEST(CudaWalk, WindowsOfEverySpreadGiveTheExactSum) {
  using S = typename TypeParam::Stored;
  std::mt19937_64 random(9);
  int fits[3] = {};
  for (const int spread : {1, 12, 30, 45})
    for (const std::size_t n : {100u, 6144u, 9001u}) {
      std::vector<S> values(n);
      for (S& value : values) {
        const double magnitude = 1 + static_cast<double>(random() >> 12) * 0x1p-52;
        value = Stored<S>::of(std::ldexp(random() % 2 == 0 ? magnitude : -magnitude, -static_cast<int>(random() % static_cast<unsigned>(spread))));
      }
      TypeParam source{};
      source.x = values.data();
      if constexpr (TypeParam::is_product) source.y = values.data();
      const Bytes expected = on_cpu(TypeParam::is_product, values, "order_independent:superaccumulator");
      for (const bool wide : {true, false})
        EXPECT_EQ(bytes_of(played_windows(source, static_cast<std::int64_t>(n), wide, random, fits)), expected) << n << ", spread " << spread;
    }
  EXPECT_GT(fits[static_cast<int>(can_be_narrow<TypeParam> ? WindowFit::narrow : WindowFit::sliced)], 0) << "the fast path was never taken";
}

/// Magnitudes that grow along the vector, so that top bins rise; zeros, an infinity; numbers of which a magnitude word shows
/// nothing; and enough summands for full lanes.
TYPED_TEST(CudaWalk, BinsOfEveryWarpGiveTheCpusBits) {
  using S = typename TypeParam::Stored;
  std::mt19937_64 random(10);
  int emptied[2] = {};
  for (const std::size_t n : {1u, 100u, 9001u, 120007u})
    for (const int kind : {0, 1, 2, 3}) {
      auto values = random_values<S>(n);
      for (std::size_t i = 0; i < n && kind > 0; ++i)
        values[i] = Stored<S>::of(std::ldexp(static_cast<double>(widened(values[i])), static_cast<int>(i * 40 / n) - 30));
      if (kind == 2) {
        std::fill(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(n / 2), S{});
        if (n > 1000) values[n - 500] = Stored<S>::of(std::numeric_limits<double>::infinity());
      }
      if (kind == 3)
        for (S& value : values) value = Stored<S>::of(std::ldexp(static_cast<double>(widened(value)), TypeParam::is_product ? -530 : -1060));
      TypeParam source{};
      source.x = values.data();
      if constexpr (TypeParam::is_product) source.y = values.data();
      const Bytes expected = on_cpu(TypeParam::is_product, values, "order_independent:binned");
      for (const bool wide : {true, false})
        for (const int warps : {1, 3})
          EXPECT_EQ(bytes_of(played_bins(source, static_cast<std::int64_t>(n), wide, warps, emptied)), expected) << n << ", kind " << kind << ", warps " << warps;
    }
  EXPECT_GT(emptied[0], 0);
  EXPECT_GT(emptied[1], 0) << "no lane was ever full";
}

/// More than one round of the grid of shares, none of them a whole batch of loads; and several batches.
TEST(CudaShares, RoundsOfTheWholeGridGiveTheCpusBits) {
  std::mt19937_64 random(6);
  for (const std::size_t n : {std::size_t{2} << 20, (std::size_t{3} << 20) + 6, (std::size_t{9} << 20) + 1027}) {
    const auto values = random_values<float>(n);
    const auto expected = on_cpu(false, values, "fixed_order:last_block");
    for (const bool wide : {true, false})
      EXPECT_EQ(bytes_of(played_shares(Elements<float>{values.data()}, static_cast<std::int64_t>(n), wide, random)), expected) << n;
  }
}

/// A lane that remembers.
struct Recorder {
  using Summand = double;
  static constexpr bool is_wide = false;
  std::vector<double> seen;
  void add(double value) { seen.push_back(value); }
};

/// A thread's walk by itself: whatever its batches, it meets its fours in order and once.
TEST(CudaShares, ThreadsTakeEverySummandOnceAndInOrder) {
  for (const std::int64_t n : {0, 1, 3, 4, 5, 1000, 1027, 4096})
    for (const std::int64_t threads : {1, 7, 32, 256})
      for (const bool wide : {true, false}) {
        std::vector<double> values(static_cast<std::size_t>(n));
        std::iota(values.begin(), values.end(), 0.0);
        std::int64_t met = 0;
        for (std::int64_t thread = 0; thread < threads; ++thread) {
          Recorder lanes[4];
          add_strided(Elements<double>{values.data()}, n, wide, thread, threads, lanes);
          for (std::int64_t k = 0; k < 4; ++k)
            for (std::size_t i = 0; i < lanes[k].seen.size(); ++i, ++met)
              ASSERT_EQ(lanes[k].seen[i], static_cast<double>((thread + static_cast<std::int64_t>(i) * threads) * 4 + k)) << n << " " << threads;
        }
        EXPECT_EQ(met, n);
      }
}

}  // namespace
}  // namespace detbench
