// Every CPU strategy that has one result by construction, for every source of summands: against its order written down
// plainly (order_models.hpp), on all instruction sets and numbers of threads, at sizes around every edge.
#include <gtest/gtest.h>

#include <random>

#include "kernels/reduction/binned_sum.hpp"
#include "kernels/reduction/fixed_order_sums.hpp"
#include "kernels/reduction/order_independent_sums.hpp"
#include "kernels/reduction/superaccumulator.hpp"
#include "order_models.hpp"

namespace detbench {
namespace {

using namespace reduction;
using testing::BigFixed;

/// Random values of a stored type with exponents over `spread` binades.
template <class S>
S random_value(std::mt19937_64& random, int spread) {
  const int exponent = static_cast<int>(random() % static_cast<unsigned>(spread)) - spread / 2;
  const double fraction = 1 + static_cast<double>(random() >> 12) * 0x1p-52, sign = random() & 1 ? -1 : 1;
  const double value = sign * std::ldexp(fraction, exponent);
  if constexpr (std::is_floating_point_v<S>)
    return static_cast<S>(value);
  else if constexpr (std::is_same_v<S, F16Bits>)
    return {f16_from_float(static_cast<float>(value))};
  else
    return {bf16_from_float(static_cast<float>(value))};
}

/// n of them; long vectors repeat themselves with a period that no order has.
template <class S>
std::vector<S> random_values(std::size_t n, int spread, std::mt19937_64& random) {
  constexpr std::size_t period = 70001;
  std::vector<S> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = i < period ? random_value<S>(random, spread) : values[i - period];
  return values;
}

/// Summands in memory of their own.
template <class Source>
struct Data;
template <class S>
struct Data<Elements<S>> {
  std::vector<S> x;
  Data(std::size_t n, int spread, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    x = random_values<S>(n, spread, random);
  }
  Elements<S> source() const { return {x.data()}; }
  void shuffle(std::mt19937_64& random) { std::shuffle(x.begin(), x.end(), random); }
};
template <class S>
struct Data<Products<S>> {
  std::vector<S> x, y;
  Data(std::size_t n, int spread, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    x = random_values<S>(n, spread, random);
    y = random_values<S>(n, spread, random);
  }
  Products<S> source() const { return {x.data(), y.data()}; }
  void shuffle(std::mt19937_64& random) {
    for (std::size_t i = x.size(); i > 1; --i) {
      const std::size_t j = random() % i;
      std::swap(x[i - 1], x[j]);
      std::swap(y[i - 1], y[j]);
    }
  }
};

/// Runs an algorithm of fixed_order_sums.hpp or order_independent_sums.hpp on what the workspace held before: rubbish.
template <class Source>
typename Source::Accumulator run(const SumAlgorithm& algorithm, const Source& source, std::size_t n, int threads, Isa isa) {
  using A = typename Source::Accumulator;
  SumProblem problem;
  problem.n = static_cast<std::int64_t>(n);
  problem.is_dot = Source::is_product;
  problem.accumulator = sizeof(A) == 8 ? DataType::f64 : DataType::f32;
  using S = typename Source::Stored;
  problem.stored = std::is_same_v<S, F16Bits> ? DataType::f16 : std::is_same_v<S, Bf16Bits> ? DataType::bf16 : problem.accumulator;
  std::vector<std::max_align_t> workspace(*algorithm.workspace_bytes(problem, threads) / sizeof(std::max_align_t) + 5);
  std::memset(workspace.data(), 0xA5, workspace.size() * sizeof(std::max_align_t));
  void* aligned = workspace.data();
  std::size_t room = workspace.size() * sizeof(std::max_align_t);
  std::align(64, 1, aligned, room);
  A sum = 12345;
  const auto function = std::get<SumFunction<Source>>(algorithm.run);
  EXPECT_TRUE(function({source, problem.n, &sum, threads, isa, aligned, nullptr}).has_value());
  return sum;
}

template <class Source>
void expect_bits(const SumAlgorithm& algorithm, const Source& source, std::size_t n, typename Source::Accumulator expected,
                 int threads, Isa isa) {
  const auto sum = run(algorithm, source, n, threads, isa);
  EXPECT_EQ(bits_of(sum), bits_of(expected)) << algorithm.name << ", n " << n << ", " << threads << " threads, "
                                             << to_text(isa) << ": " << sum << " instead of " << expected;
}
/// On every instruction set. Threads have a test of their own: vectors shorter than a piece are one thread's anyway, and
/// more threads than cores take long.
template <class Source>
void expect_everywhere(const SumAlgorithm& algorithm, const Source& source, std::size_t n, typename Source::Accumulator expected) {
  for (Isa isa : available_isas()) expect_bits(algorithm, source, n, expected, 1, isa);
}

template <class Source>
std::vector<typename Source::Accumulator> summands(const Source& source, std::size_t n) {
  std::vector<typename Source::Accumulator> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = source.at(static_cast<std::int64_t>(i));
  return values;
}
/// Doubles whose sum is the exact sum of the summands; each summand's first one is its nearest double.
template <class Source>
std::vector<double> exact_terms(const Source& source, std::size_t n) {
  std::vector<double> terms;
  for (std::size_t i = 0; i < n; ++i) {
    if constexpr (has_wide<Source>) {
      terms.push_back(source.wide(static_cast<std::int64_t>(i)));
    } else if constexpr (Source::is_product) {
      // The product in long double pieces, so that no fused operation is involved.
      const double x = source.x[i], y = source.y[i], high = x * y;
      const double x1 = static_cast<float>(x), x2 = x - x1, y1 = static_cast<float>(y), y2 = y - y1;
      const long double rest = ((static_cast<long double>(x1) * y1 - high) + static_cast<long double>(x1) * y2) +
                               static_cast<long double>(x2) * y1 + static_cast<long double>(x2) * y2;
      terms.push_back(high);
      terms.push_back(static_cast<double>(rest));
    } else {
      terms.push_back(source.x[i]);
    }
  }
  return terms;
}
template <class Source>
typename Source::Accumulator exact_sum_of(const Source& source, std::size_t n) {
  BigFixed total;
  for (double term : exact_terms(source, n)) total.add(term);
  return testing::nearest<typename Source::Accumulator>(total);
}
template <class Source>
typename Source::Accumulator binned_sum_of(const Source& source, std::size_t n) {
  using Grid = BinGrid<binned_type<Source>>;
  const auto terms = exact_terms(source, n);
  double largest = 0;
  for (double term : terms) largest = std::max(largest, std::abs(term));
  return testing::binned_model<typename Source::Accumulator>(terms, largest, Grid::width, Grid::first_unit, Grid::top_bins);
}

template <class Source>
class Strategies : public ::testing::Test {};
using Sources = ::testing::Types<Elements<float>, Elements<double>, Elements<F16Bits>, Elements<Bf16Bits>, Products<float>,
                                 Products<double>, Products<F16Bits>, Products<Bf16Bits>>;
TYPED_TEST_SUITE(Strategies, Sources);

constexpr std::size_t edges[] = {1, 2, 63, 64, 65, 2047, 2048, 2049, 4097, 65535, 65536, 65537};
constexpr std::size_t grid_edges[] = {(1u << 20) - 1, 1u << 20, (1u << 20) + 1};

SumAlgorithm (*const all_strategies[])() = {fixed_tree_sum,      two_pass_sum,     last_block_sum, kahan_sum,           neumaier_sum,
                                            f64_accumulator_sum, exact_window_sum, binned_sum,     superaccumulator_sum};

/// Four pieces and a bit, so that every number of threads shares them out otherwise.
TYPED_TEST(Strategies, TheNumberOfThreadsCannotBeSeen) {
  using Source = TypeParam;
  const std::size_t n = 4 * piece_elements + 2049;
  const Data<Source> data(n, 12, 4);
  for (auto* strategy : all_strategies) {
    const SumAlgorithm algorithm = strategy();
    if (std::get<SumFunction<Source>>(algorithm.run) == nullptr) continue;
    const auto expected = run(algorithm, data.source(), n, 1, best_isa());
    for (int threads : {2, 3, 4, 7}) expect_bits(algorithm, data.source(), n, expected, threads, best_isa());
  }
}

TYPED_TEST(Strategies, FixedTreesFollowTheirDefinitions) {
  using Source = TypeParam;
  using A = typename Source::Accumulator;
  for (std::size_t n : edges) {
    const Data<Source> data(n, 12, n);
    const Source source = data.source();
    const auto values = summands(source, n);
    expect_everywhere(fixed_tree_sum(), source, n, testing::plain_tree(values));
    expect_everywhere(kahan_sum(), source, n, testing::compensated_tree<A>(values, testing::kahan_lane<A>));
    expect_everywhere(neumaier_sum(), source, n, testing::compensated_tree<A>(values, testing::neumaier_lane<A>));
    if constexpr (has_wide<Source>)
      expect_everywhere(f64_accumulator_sum(), source, n, static_cast<A>(testing::plain_tree(exact_terms(source, n))));
  }
}

TYPED_TEST(Strategies, TwoPassAndLastBlockHaveTheOrderOfOneGrid) {
  using Source = TypeParam;
  for (std::size_t n : {1u, 1023u, 1025u, 4095u, 4097u, 65537u}) {
    const Data<Source> data(n, 12, 100 + n);
    const auto expected = testing::grid_order(summands(data.source(), n));
    expect_everywhere(two_pass_sum(), data.source(), n, expected);
    expect_everywhere(last_block_sum(), data.source(), n, expected);
  }
}

/// More rows than one: where the grid's lanes have a second and a fifth summand. f32 and products of f64 stand for all.
TEST(GridOrder, LongVectorsGoRoundTheGrid) {
  const auto check = []<class Source>(Source*, std::size_t n) {
    const Data<Source> data(n, 12, n);
    const auto expected = testing::grid_order(summands(data.source(), n));
    expect_everywhere(two_pass_sum(), data.source(), n, expected);
    expect_everywhere(last_block_sum(), data.source(), n, expected);
  };
  for (std::size_t n : grid_edges) check(static_cast<Elements<float>*>(nullptr), n);
  check(static_cast<Elements<float>*>(nullptr), (5u << 20) + 4099);
  check(static_cast<Products<F16Bits>*>(nullptr), (1u << 20) + 1);
}

TYPED_TEST(Strategies, ExactSumsAreCorrectlyRoundedWhateverTheSpread) {
  using Source = TypeParam;
  for (int spread : {1, 12, 30})  // 30 binades: narrow and sliced windows, and single deposits for products of f64
    for (std::size_t n : {1u, 65u, 2047u, 2048u, 4100u, 20000u}) {
      if (n > 5000 && spread != 12) continue;
      const Data<Source> data(n, spread, n + static_cast<std::size_t>(spread));
      const auto expected = exact_sum_of(data.source(), n);
      expect_everywhere(exact_window_sum(), data.source(), n, expected);
      expect_everywhere(superaccumulator_sum(), data.source(), n, expected);
    }
}

TYPED_TEST(Strategies, BinnedSumsAreTheirSlicesAndIgnoreTheOrder) {
  using Source = TypeParam;
  using A = typename Source::Accumulator;
  std::mt19937_64 random(9);
  for (int spread : {1, 12, 30})
    for (std::size_t n : {1u, 65u, 2047u, 2048u, 4100u, 20000u}) {
      if (n > 5000 && spread != 30) continue;
      Data<Source> data(n, spread, n + static_cast<std::size_t>(spread));
      const A expected = binned_sum_of(data.source(), n);
      expect_everywhere(binned_sum(), data.source(), n, expected);
      data.shuffle(random);
      expect_everywhere(binned_sum(), data.source(), n, expected);
      // The published bound: n * max * 2^(-W (K-1)), and half a unit for the last rounding.
      double largest = 0;
      for (A value : summands(data.source(), n)) largest = std::max(largest, std::abs(static_cast<double>(value)));
      const A exact = exact_sum_of(data.source(), n);
      const double unit = std::abs(static_cast<double>(std::nextafter(exact, std::numeric_limits<A>::infinity()) - exact));
      // A product of f64 is two deposits.
      EXPECT_LE(std::abs(static_cast<double>(expected) - static_cast<double>(exact)),
                2.0 * static_cast<double>(n) * largest * std::ldexp(1.0, -2 * BinGrid<binned_type<Source>>::width) + unit);
    }
}

/// The largest and smallest numbers of f32 and f64, where scaling must neither overflow nor lose a bit.
template <class T>
void expect_binned(const std::vector<T>& values, T expected, const char* what) {
  for (Isa isa : available_isas()) {
    const Elements<T> source{values.data()};
    EXPECT_EQ(bits_of(run(binned_sum(), source, values.size(), values.size() > 65536 ? 3 : 1, isa)), bits_of(expected)) << what << ", " << to_text(isa);
  }
}
template <class T>
void check_binned_extremes() {
  using Limits = std::numeric_limits<T>;
  const T huge = Limits::max(), tiny = Limits::denorm_min(), infinity = Limits::infinity(), nan = Limits::quiet_NaN();
  const std::size_t many = 5000;
  const auto padded = [&](std::vector<T> values, T filling) {
    values.resize(many, filling);
    return values;
  };
  expect_binned<T>({-T(0), -T(0)}, -T(0), "only -0");
  expect_binned<T>(std::vector<T>(many, -T(0)), -T(0), "many -0");
  expect_binned<T>(padded({T(0)}, -T(0)), T(0), "+0 among -0");
  expect_binned<T>({T(1), T(-1)}, T(0), "cancellation to +0");
  expect_binned<T>({huge, huge, -huge}, huge, "overflow in the middle is not overflow");
  expect_binned<T>(padded({huge, huge}, T(0)), infinity, "overflow");
  expect_binned<T>(padded({huge, -huge, T(1)}, T(0)), T(0), "what lies far below the largest is dropped");
  expect_binned<T>(std::vector<T>(many, tiny), tiny * static_cast<T>(many), "denormals are exact");
  expect_binned<T>(std::vector<T>(4096, Limits::min() / 2), Limits::min() * 2048, "denormals become normal");
  expect_binned<T>(padded({-infinity}, T(3)), -infinity, "infinity");
  expect_binned<T>(padded({-infinity, infinity}, T(3)), nan, "both infinities");
  expect_binned<T>(padded({-nan, infinity}, T(3)), nan, "NaN is canonical");
  // The largest summand may come last, in another thread's piece: what was binned before was binned for less.
  std::vector<T> late(200000, T(1));
  late.back() = std::ldexp(T(1), BinGrid<T>::width + 2);
  expect_binned<T>(late, T(199999) + late.back(), "the largest comes last");
}
TEST(BinnedSums, Extremes) {
  check_binned_extremes<float>();
  check_binned_extremes<double>();
}

/// A GPU's way, played through: lanes of one element each that are emptied in any order, tops of their own.
TEST(BinnedSums, LanesWithTopsOfTheirOwnMeetInAnyOrder) {
  const Data<Elements<float>> data(5000, 40, 77);
  const float expected = binned_sum_of(data.source(), data.x.size());
  std::mt19937_64 random(1);
  for (int round = 0; round < 3; ++round) {
    std::vector<std::size_t> blocks(50);
    for (std::size_t b = 0; b < blocks.size(); ++b) blocks[b] = b;
    std::shuffle(blocks.begin(), blocks.end(), random);
    std::int64_t state[BinnedSlots<float>::slots] = {};
    const auto add = [&](int slot, std::int64_t amount) { state[slot] += amount; };
    for (std::size_t block : blocks) {
      float largest = 0;
      for (std::size_t i = block * 100; i < block * 100 + 100; ++i) largest = std::max(largest, std::abs(data.x[i]));
      const int top = top_bin(largest);
      mark_top<float>(top, add);
      BinnedLane<float> lane;
      for (std::size_t i = block * 100; i < block * 100 + 100; ++i) lane.deposit(data.x[i] * bin_scale<float>(top));
      for (int k = 0; k < kept_bins; ++k) add_growth(top, k, lane.growth(k), add);
    }
    state[BinnedSlots<float>::not_negative_zero_slot] = 1;
    EXPECT_EQ(bits_of(rounded_bins<float, float>(state)), bits_of(expected)) << round;
  }
}

/// Infinities, NaN and zeros, for which order and compensation have their rules.
TYPED_TEST(Strategies, ZerosKeepTheirSignAndNaNsAreCanonical) {
  using Source = TypeParam;
  using A = typename Source::Accumulator;
  using S = typename Source::Stored;
  std::vector<SumAlgorithm> algorithms;
  for (auto* strategy : all_strategies)
    if (std::get<SumFunction<Source>>(strategy().run) != nullptr) algorithms.push_back(strategy());
  const auto stored = [](float value) {
    if constexpr (std::is_floating_point_v<S>)
      return static_cast<S>(value);
    else if constexpr (std::is_same_v<S, F16Bits>)
      return S{f16_from_float(value)};
    else
      return S{bf16_from_float(value)};
  };
  const float infinity = std::numeric_limits<float>::infinity();
  for (std::size_t n : {3u, 5000u}) {
    Data<Source> data(n, 1, 1);
    std::fill(data.x.begin(), data.x.end(), stored(-0.0f));
    if constexpr (Source::is_product) std::fill(data.y.begin(), data.y.end(), stored(1.0f));
    for (const SumAlgorithm& algorithm : algorithms) expect_everywhere(algorithm, data.source(), n, -A(0));
    data.x[1] = stored(0.0f);
    for (const SumAlgorithm& algorithm : algorithms) expect_everywhere(algorithm, data.source(), n, A(0));
    data.x[0] = stored(infinity), data.x[2] = stored(-infinity);
    for (const SumAlgorithm& algorithm : algorithms)
      expect_everywhere(algorithm, data.source(), n, std::numeric_limits<A>::quiet_NaN());
  }
}

/// Products that leave the accumulator's range are exact where exactness is promised.
TEST(DotProducts, ExactOnesNeitherOverflowNorUnderflow) {
  const std::vector<float> x = {0x1p100f, 0x1p-100f, 0x1p100f, 3.0f}, y = {0x1p100f, 0x1p-100f, -0x1p100f, 5.0f};
  const Products<float> source{x.data(), y.data()};
  for (const SumAlgorithm& algorithm : {exact_window_sum(), superaccumulator_sum()})
    EXPECT_EQ(run(algorithm, source, 4, 2, best_isa()), 15.0f) << algorithm.name;
  const std::vector<double> u = {0x1p1000, 0x1p-800, -0x1p1000, 0x1p-800}, v = {0x1p1000, 0x1p-600, 0x1p1000, 0x1p-274};
  const Products<double> wide{u.data(), v.data()};
  for (const SumAlgorithm& algorithm : {exact_window_sum(), superaccumulator_sum()})
    EXPECT_EQ(run(algorithm, wide, 4, 2, best_isa()), 0x1p-1074) << algorithm.name;
}

}  // namespace
}  // namespace detbench
