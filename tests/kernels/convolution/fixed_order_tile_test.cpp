// The GPU's tiles, walked on the CPU block by block and thread by thread: the same functions that its kernels call, held to
// the bits of the CPU's runner, with every result written once.
#include "kernels/convolution/fixed_order_tiles.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <type_traits>

#include "kernels/convolution/operation.hpp"
#include "kernels/convolution/reference.hpp"
#include "runner.hpp"
#include "shapes.hpp"

namespace detbench {
namespace {

using namespace fixed_order;

/// Forwards to a Work and counts what is put.
template <class Work>
struct Counted : Work {
  std::vector<int>* puts;
  void put(const typename Work::Place& at, const typename Work::RowPlace& row, int r, int c, float value) const {
    Work::put(at, row, r, c, value);
    if constexpr (requires { row.image; }) {
      if (row.image >= 0 && at.first_column + c < this->width()) ++(*puts)[static_cast<std::size_t>(row.target + at.first_column + c)];
    } else if (at.first_row + r < this->p.ocg && at.first_column + c < this->p.icg) {
      const auto& p = this->p;
      const std::int64_t k = at.group * p.ocg + at.first_row + r;
      ++(*puts)[static_cast<std::size_t>(at.chunk * p.weights() + ((k * p.kh + at.r) * p.kw + at.s) * p.icg + at.first_column + c)];
    }
  }
};

/// What the kernel does (fixed_order_tiles.inl), with every phase run for all threads before the next.
template <class Shape, int Vector, class Work>
void walk(const Work& work) {
  using Thread = TileThread<Work, Shape, Vector>;
  for (std::int64_t block = 0; block < work.blocks(); ++block) {
    auto shared = std::make_unique<typename Thread::Shared>();
    const auto place = work.place(block, Shape::rows, Shape::columns);
    std::vector<Thread> threads(Shape::threads);
    const auto all = [&](const auto& phase) {
      for (int thread = 0; thread < Shape::threads; ++thread) phase(threads[static_cast<std::size_t>(thread)], thread);
    };
    const auto poison = [&](int half) {  // what no thread stages must not be used
      for (auto& line : shared->rows[half]) std::fill(std::begin(line), std::end(line), __builtin_nanf(""));
      for (auto& line : shared->columns[half]) std::fill(std::begin(line), std::end(line), __builtin_nanf(""));
    };
    all([&](Thread&, int thread) { Thread::find_rows(thread, work, place, *shared); });
    if (place.links > 0) {
      poison(0);
      all([&](Thread& own, int thread) { own.fetch(thread, work, place, *shared, 0), own.stage(thread, *shared, 0); });
    }
    int half = 0;
    for (std::int32_t first = 0; first < place.links; first += stage_depth, half ^= 1) {
      const bool more = place.links - first > stage_depth;
      if (more) all([&](Thread& own, int thread) { own.fetch(thread, work, place, *shared, first + stage_depth); });
      all([&](Thread& own, int thread) { own.multiply(thread, *shared, half, place.links - first); });
      poison(half ^ 1);
      if (more) all([&](Thread& own, int thread) { own.stage(thread, *shared, half ^ 1); });
    }
    all([&](Thread& own, int thread) { own.finish(thread, work, place, *shared); });
  }
}

struct Case {
  ConvolutionProblem p;
  std::vector<std::vector<std::byte>> memory;  ///< inputs, at multiples of 16 as an allocator gives them
  testing::Run expected;
  std::int64_t elements = 0;

  Case(const ConvolutionProblem& problem, InputFill fill) : p(problem) {
    const Inputs inputs{fill, 21};
    for (const auto& spec : tensors_of(p).inputs) {
      memory.emplace_back(spec.bytes());
      EXPECT_TRUE(fill_on_host({spec, {memory.back().data(), spec.bytes()}}, *convolution_fill(p, spec, inputs)));
    }
    const Algorithm algorithm{"fixed_order", p.direction == Direction::wgrad ? "chunked64" : "direct", {}, {}};
    auto run = testing::run(*make_convolution_operation(p.direction), to_problem(p), algorithm, inputs);
    EXPECT_TRUE(run) << run.error().text;
    if (run) expected = std::move(*run);
    elements = element_count(tensors_of(p).outputs[0].shape);
  }
  template <class Stored>
  void expect_equal(const std::vector<Stored>& got) const {
    const auto* want = static_cast<const Stored*>(expected.outputs[0].region.data);
    std::int64_t differing = 0;
    for (std::size_t i = 0; i < got.size(); ++i) differing += std::memcmp(&got[i], &want[i], sizeof(Stored)) != 0;
    EXPECT_EQ(differing, 0);
  }
};

template <class In, class Shape, int Vector, bool Dgrad>
void expect_gather(const Case& c) {
  std::vector<int> puts(static_cast<std::size_t>(c.elements));
  std::vector<typename In::Stored> out(puts.size());
  const auto pattern = [&](const TapPattern& taps) {
    using Work = Gather<In, Dgrad>;
    const auto work = Work::of(c.p, taps, c.memory[0].data(), c.memory[1].data(), out.data(), std::is_same_v<In, F32>, Shape::rows, Shape::columns);
    walk<Shape, Vector>(Counted<Work>{work, &puts});
  };
  if (!Dgrad) pattern(forward_pattern(c.p));
  for (std::int64_t y = 0; Dgrad && y < std::min(c.p.sh, c.p.ih); ++y)
    for (std::int64_t x = 0; x < std::min(c.p.sw, c.p.iw); ++x) pattern(dgrad_pattern(c.p, y, x));
  EXPECT_TRUE(std::ranges::all_of(puts, [](int count) { return count == 1; }));
  c.expect_equal(out);
}

template <class In, class Shape, int Vector>
void expect_sums(const Case& c) {
  using Work = PixelChains<In>;
  const auto chunks = wgrad_chunks(c.p);
  std::vector<int> puts(static_cast<std::size_t>(chunks * c.elements));
  std::vector<float> parts(puts.size()), out;
  walk<Shape, Vector>(Counted<Work>{Work::of(c.p, c.memory[0].data(), c.memory[1].data(), parts.data(), Shape::rows, Shape::columns), &puts});
  EXPECT_TRUE(std::ranges::all_of(puts, [](int count) { return count == 1; }));
  for (std::int64_t i = 0; i < c.elements; ++i) out.push_back(joined_chunks(parts.data(), chunks, c.elements, i));
  c.expect_equal(out);
}

template <class In, class Shape, int Vector>
void expect_direction(const Case& c) {
  switch (c.p.direction) {
    case Direction::forward: return expect_gather<In, Shape, Vector, false>(c);
    case Direction::dgrad: return expect_gather<In, Shape, Vector, true>(c);
    default: return expect_sums<In, Shape, Vector>(c);
  }
}

template <class In>
void expect_every_tile(ConvolutionProblem p, DataType type, InputFill fill) {
  p.types.storage = type;
  SCOPED_TRACE(problem_id(to_problem(p)));
  ASSERT_TRUE(fits_tiles(p));
  const Case c(p, fill);
  expect_direction<In, Tile32x32, 1>(c);
  expect_direction<In, Tile128x32, 1>(c);
  expect_direction<In, Tile16x16, 1>(c);
  if (!fits_vectors(p)) return;
  expect_direction<In, Tile16x16, 4>(c);
  expect_direction<In, Tile32x32, 4>(c);
  expect_direction<In, Tile128x16, 4>(c);
  expect_direction<In, Tile128x64, 4>(c);
}

class FixedOrderTile : public ::testing::TestWithParam<Direction> {};

TEST_P(FixedOrderTile, SmallShapesHaveTheCpusBits) {
  for (auto p : testing::small_shapes()) {
    p.direction = GetParam();
    if (p.depthwise()) continue;
    for (auto fill : {InputFill::rounding, InputFill::wide}) expect_every_tile<F32>(p, DataType::f32, fill);
    expect_every_tile<F16>(p, DataType::f16, InputFill::rounding);
    expect_every_tile<Bf16>(p, DataType::bf16, InputFill::rounding);
  }
}

TEST_P(FixedOrderTile, LargeTilesHaveTheCpusBits) {
  ConvolutionProblem p;
  p.direction = GetParam();
  p.mb = 2, p.ic = 76, p.oc = 136, p.ih = 9, p.iw = 8;
  Case pointwise(p, InputFill::rounding);
  expect_direction<F32, Tile128x128, 4>(pointwise);
  expect_direction<F32, Tile64x64, 4>(pointwise);
  expect_direction<F32, Tile128x32, 4>(pointwise);
  p.kh = p.kw = 3, p.pb = p.pr = 1, p.sh = p.sw = 2, p.ic = 36;
  Case strided(p, InputFill::rounding);
  expect_direction<F32, Tile128x128, 4>(strided);
  expect_direction<F32, Tile64x64, 4>(strided);
}

INSTANTIATE_TEST_SUITE_P(Directions, FixedOrderTile, ::testing::ValuesIn(all_directions),
                         [](const auto& info) { return std::string(op_name(info.param)); });

TEST(ChooseTile, TakesLargeTilesForManyResultsAndSmallOnesForFew) {
  EXPECT_EQ(choose_tile(1, 100352, 256), TileKind::t128x128);
  EXPECT_EQ(choose_tile(1, 100352, 16), TileKind::t128x16);
  EXPECT_EQ(choose_tile(1, 72, 24), TileKind::t16x16);
}

}  // namespace
}  // namespace detbench
