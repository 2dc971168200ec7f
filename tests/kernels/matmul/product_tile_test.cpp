// The CUDA kernels' blocks, walked on the CPU thread by thread: the same functions that the GPU runs, held to the bits of
// the CPU's own products.
#include "kernels/matmul/product_tile.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <vector>

#include "kernels/matmul/matmul_operation.hpp"
#include "kernels/matmul/matmul_reference.hpp"
#include "kernels/matmul/product_providers.hpp"
#include "tests/kernels/convolution/runner.hpp"

namespace detbench {
namespace {

using namespace products;

/// Every part's sums of a grid, as join = keep_apart leaves them in the workspace; counts who wrote where.
template <class In, int Tile, bool ATransposed, bool BTransposed>
std::vector<float> walk(const TileGrid& grid, const typename In::Stored* a, const typename In::Stored* b, std::vector<int>& writes) {
  using Block = products::Block<Tile>;
  std::vector<float> partials(static_cast<std::size_t>(parts_of(grid.k, grid.chunk) * grid.m * grid.n));
  writes.assign(partials.size(), 0);
  struct Thread {
    typename Block::Sums sums = {};
  };
  for (std::int64_t block = 0; block < grid.blocks(); ++block) {
    const auto place = place_of(grid, block, Tile);
    std::vector<Thread> owners(threads);
    typename Block::Staged rows, columns;
    for (std::int64_t k0 = place.first; k0 < place.last; k0 += depth) {
      for (auto* staged : {&rows, &columns})
        for (auto& line : *staged)
          for (float& value : line) value = __builtin_nanf("");  // what no thread stages must not be used
      for (int thread = 0; thread < threads; ++thread) {
        Block::template stage_rows<In, ATransposed>(thread, grid, place, k0, a, rows);
        Block::template stage_columns<In, BTransposed>(thread, grid, place, k0, b, columns);
      }
      for (int thread = 0; thread < threads; ++thread) Block::add_staged(thread, place, k0, rows, columns, owners[static_cast<std::size_t>(thread)].sums);
    }
    for (int thread = 0; thread < threads; ++thread)
      Block::finish(thread, grid, place, owners[static_cast<std::size_t>(thread)].sums, [&](std::int64_t i, std::int64_t j, float sum) {
        const auto at = static_cast<std::size_t>((place.part * grid.m + i) * grid.n + j);
        partials[at] = sum;
        ++writes[at];
      });
  }
  return partials;
}

template <class In, int Tile, bool ATransposed, bool BTransposed>
void expect_the_cpus_bits(DataType type, std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t chunk, InputFill fill) {
  MatmulProblem p;
  p.mb = m, p.n = n, p.k = k, p.types.storage = type, p.a_transposed = ATransposed, p.b_transposed = BTransposed;
  const auto problem = to_problem(p);
  SCOPED_TRACE(problem_id(problem) + " tile " + std::to_string(Tile) + " chunk " + std::to_string(chunk));
  const Inputs inputs{fill, 6};
  const auto operation = make_matmul_operation();
  const auto expected = testing::run(*operation, problem, {"fixed_order", split_name("split_k_fixed", chunk), {}, {}}, inputs);
  ASSERT_TRUE(expected) << expected.error().text;
  std::vector<std::vector<std::byte>> memory;
  for (const auto& spec : tensors_of(p).inputs) {
    memory.emplace_back(spec.bytes());
    ASSERT_TRUE(fill_on_host({spec, {memory.back().data(), memory.back().size()}}, *matmul_fill(p, spec, inputs)));
  }
  const auto grid = grid_of(m, n, k, chunk, Tile);
  std::vector<int> writes;
  const auto partials = walk<In, Tile, ATransposed, BTransposed>(grid, reinterpret_cast<const typename In::Stored*>(memory[0].data()),
                                                                reinterpret_cast<const typename In::Stored*>(memory[1].data()), writes);
  EXPECT_EQ(std::set<int>(writes.begin(), writes.end()), (std::set<int>{1})) << "every sum is written by one thread";
  std::vector<typename In::Stored> joined(static_cast<std::size_t>(m * n));
  for (std::int64_t e = 0; e < m * n; ++e)
    joined[static_cast<std::size_t>(e)] = joined_parts<In>(partials.data(), parts_of(k, chunk), m * n, nullptr, e, n);
  EXPECT_EQ(std::memcmp(joined.data(), expected->outputs[0].region.data, joined.size() * sizeof joined[0]), 0);
}

template <class In, int Tile>
void expect_every_layout(DataType type, std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t chunk, InputFill fill) {
  expect_the_cpus_bits<In, Tile, false, false>(type, m, n, k, chunk, fill);
  expect_the_cpus_bits<In, Tile, false, true>(type, m, n, k, chunk, fill);
  expect_the_cpus_bits<In, Tile, true, false>(type, m, n, k, chunk, fill);
  expect_the_cpus_bits<In, Tile, true, true>(type, m, n, k, chunk, fill);
}

TEST(ProductTile, AGridOfBlocksHasTheCpusBits) {
  expect_every_layout<F32, 32>(DataType::f32, 33, 17, 300, 300, InputFill::rounding);
  expect_every_layout<F32, 32>(DataType::f32, 33, 17, 300, 100, InputFill::rounding);
  expect_every_layout<F32, 64>(DataType::f32, 70, 100, 37, 7, InputFill::rounding);
  expect_every_layout<F32, 64>(DataType::f32, 64, 128, 64, 32, InputFill::rounding);
  expect_every_layout<F32, 32>(DataType::f32, 1, 1, 1, 1, InputFill::rounding);
  expect_every_layout<F32, 64>(DataType::f32, 65, 63, 50, 48, InputFill::wide);
}

TEST(ProductTile, NarrowStorageHasTheCpusBits) {
  expect_every_layout<F16, 32>(DataType::f16, 33, 17, 300, 100, InputFill::rounding);
  expect_every_layout<Bf16, 64>(DataType::bf16, 70, 65, 50, 20, InputFill::rounding);
}

TEST(ProductTile, TheTilesSizeChangesNothing) {
  expect_the_cpus_bits<F32, 32, true, false>(DataType::f32, 100, 70, 90, 40, InputFill::wide);
  expect_the_cpus_bits<F32, 64, true, false>(DataType::f32, 100, 70, 90, 40, InputFill::wide);
  expect_every_layout<F32, 128>(DataType::f32, 130, 129, 90, 40, InputFill::wide);
}

TEST(ProductTile, AnUnderflowToMinusZeroIsKept) {
  // One product, -2^-100 * 2^-100, underflows to -0; a product of staged zeros after it would make +0 of that.
  const float a[] = {-0x1p-100f}, b[] = {0x1p-100f};
  std::vector<int> writes;
  const auto partials = walk<F32, 32, false, false>(grid_of(1, 1, 1, 1, 32), a, b, writes);
  EXPECT_EQ(float_bits(partials[0]), 0x80000000u);
}

TEST(ProductTile, ABiasIsAddedLast) {
  const float partials[] = {0x1p24f, 0, 1, 0, -0x1p24f, 0}, bias[] = {0.5f, 3};
  EXPECT_EQ(joined_parts<F32>(partials, 3, 2, bias, 0, 2), 0.5f);  // (2^24 + 1) - 2^24 is 0 in f32
  EXPECT_EQ(joined_parts<F32>(partials, 3, 2, nullptr, 1, 2), 0.0f);
  EXPECT_EQ(joined_parts<F32>(partials, 3, 2, bias, 1, 2), 3.0f);
}

}  // namespace
}  // namespace detbench
