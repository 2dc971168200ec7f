// The kernels around product_tile.hpp, which says what a block does and why in that order.
#include <type_traits>

#include "kernels/device/cuda_check.hpp"
#include "kernels/matmul/cuda_products.hpp"
#include "kernels/matmul/product_tile.hpp"

namespace detbench::products {
namespace {

/// One block for each multiprocessor of an H100 or H200.
constexpr std::int64_t enough_blocks = 132;

/// Where a finished part goes: to a place of its own in `out`, which then holds all parts one after the other (a product that
/// is not split has one, and that may have a bias), or into the f32 sum that all parts share.
enum class Join { keep_apart, add_atomically };

template <class In, class Out, Join join, int Tile, bool ATransposed, bool BTransposed>
__global__ void __launch_bounds__(threads)
    multiply_tiles(const typename In::Stored* __restrict__ a, const typename In::Stored* __restrict__ b, const float* __restrict__ bias,
                   typename Out::Stored* __restrict__ out, const TileGrid grid) {
  using Block = products::Block<Tile>;
  __shared__ typename Block::Staged rows, columns;
  const int thread = static_cast<int>(threadIdx.x);
  const TilePlace place = place_of(grid, blockIdx.x, Tile);
  typename Block::Sums sums = {};
  for (std::int64_t k0 = place.first; k0 < place.last; k0 += depth) {
    Block::template stage_rows<In, ATransposed>(thread, grid, place, k0, a, rows);
    Block::template stage_columns<In, BTransposed>(thread, grid, place, k0, b, columns);
    __syncthreads();
    Block::add_staged(thread, place, k0, rows, columns, sums);
    __syncthreads();
  }
  Block::finish(thread, grid, place, sums, [&](std::int64_t i, std::int64_t j, float sum) {
    if constexpr (join == Join::add_atomically) atomicAdd(out + i * grid.n + j, sum);
    else out[(place.part * grid.m + i) * grid.n + j] = Out::narrow(bias != nullptr ? sum + bias[j] : sum);
  });
}

template <class Out>
__global__ void __launch_bounds__(threads) join_parts(const float* partials, std::int64_t parts, const float* __restrict__ bias,
                                                      typename Out::Stored* out, std::int64_t elements, std::int64_t n) {
  for (std::int64_t e = std::int64_t{blockIdx.x} * threads + threadIdx.x; e < elements; e += std::int64_t{gridDim.x} * threads)
    out[e] = joined_parts<Out>(partials, parts, elements, bias, e, n);
}

__global__ void __launch_bounds__(threads) widen(const float* __restrict__ narrow, double* __restrict__ wide, std::int64_t elements) {
  for (std::int64_t e = std::int64_t{blockIdx.x} * threads + threadIdx.x; e < elements; e += std::int64_t{gridDim.x} * threads) wide[e] = narrow[e];
}

__global__ void __launch_bounds__(threads)
    round_sums(const double* __restrict__ sums, const float* __restrict__ bias, float* __restrict__ out, std::int64_t elements, std::int64_t n) {
  for (std::int64_t e = std::int64_t{blockIdx.x} * threads + threadIdx.x; e < elements; e += std::int64_t{gridDim.x} * threads)
    out[e] = static_cast<float>(bias != nullptr ? sums[e] + bias[e % n] : sums[e]);
}

unsigned grid_for(std::int64_t elements) {
  const std::int64_t blocks = (elements + threads - 1) / threads;
  return static_cast<unsigned>(blocks < 65536 ? blocks : 65536);
}

template <class In>
__global__ void __launch_bounds__(threads)
    sum_columns(const typename In::Stored* __restrict__ x, std::int64_t rows, std::int64_t columns, float* __restrict__ out) {
  const std::int64_t j = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (j >= columns) return;
  float sum = 0;
  for (std::int64_t i = 0; i < rows; ++i) sum += In::widen(x[i * columns + j]);
  out[j] = sum;
}

template <class F>
Status with_type(DataType type, F&& f) {
  switch (type) {
    case DataType::f32: return f(F32{});
    case DataType::f16: return f(F16{});
    case DataType::bf16: return f(Bf16{});
    default: return invalid_input("our CUDA matrix products have no type " + std::string(to_text(type)));
  }
}

template <class In, class Out, Join join, int Tile, bool ATransposed, bool BTransposed>
Status launch_tiles(const Call& call, std::int64_t chunk, const float* bias, void* out) {
  const auto& g = call.gemm;
  const TileGrid grid = grid_of(g.m, g.n, g.k, chunk, Tile);
  if (grid.blocks() > 0x7FFFFFFF)
    return unsupported("the product has " + std::to_string(grid.blocks()) + " tiles, a grid has at most 2^31 - 1 blocks");
  multiply_tiles<In, Out, join, Tile, ATransposed, BTransposed><<<static_cast<unsigned>(grid.blocks()), threads, 0, static_cast<cudaStream_t>(call.stream)>>>(
      static_cast<const typename In::Stored*>(call.a), static_cast<const typename In::Stored*>(call.b), bias, static_cast<typename Out::Stored*>(out), grid);
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

template <class In, class Out, Join join>
Status enqueue_tiles(const Call& call, std::int64_t chunk, const float* bias, void* out) {
  const auto& g = call.gemm;
  // Large tiles read each operand less often, small ones waste less of a small output and make more blocks; the bits are
  // the same.
  const std::int64_t large_tiles = grid_of(g.m, g.n, g.k, chunk, 128).blocks();
  const auto sized = [&](auto a_transposed, auto b_transposed) {
    constexpr bool at = decltype(a_transposed)::value, bt = decltype(b_transposed)::value;
    if (g.m <= 32 || g.n <= 32) return launch_tiles<In, Out, join, 32, at, bt>(call, chunk, bias, out);
    if (g.m < 128 || g.n < 128 || large_tiles < enough_blocks) return launch_tiles<In, Out, join, 64, at, bt>(call, chunk, bias, out);
    return launch_tiles<In, Out, join, 128, at, bt>(call, chunk, bias, out);
  };
  if (g.a_transposed) return g.b_transposed ? sized(std::true_type{}, std::true_type{}) : sized(std::true_type{}, std::false_type{});
  return g.b_transposed ? sized(std::false_type{}, std::true_type{}) : sized(std::false_type{}, std::false_type{});
}

Status enqueue_join(const float* partials, std::int64_t parts, const float* bias, void* out, DataType output, std::int64_t m, std::int64_t n,
                    void* stream) {
  const std::int64_t elements = m * n;
  return with_type(output, [&](auto type) -> Status {
    using Out = decltype(type);
    join_parts<Out><<<grid_for(elements), threads, 0, static_cast<cudaStream_t>(stream)>>>(
        partials, parts, bias, static_cast<typename Out::Stored*>(out), elements, n);
    DETBENCH_CUDA_TRY(cudaGetLastError());
    return {};
  });
}

}  // namespace

Status enqueue_direct(const Call& call) {
  return with_type(call.gemm.input, [&](auto in) -> Status {
    using In = decltype(in);
    const std::int64_t whole = call.gemm.k;
    if (call.output == DataType::f32) return enqueue_tiles<In, F32, Join::keep_apart>(call, whole, call.bias, call.out);
    if (call.output == call.gemm.input) return enqueue_tiles<In, In, Join::keep_apart>(call, whole, call.bias, call.out);
    return invalid_input("our CUDA matrix products store f32 or the inputs' type");
  });
}

std::size_t split_atomic_bytes(const cublas::Gemm& gemm, DataType output, bool bias) {
  return output == DataType::f32 && !bias ? 0 : sizeof(float) * static_cast<std::size_t>(gemm.m * gemm.n);
}

Status enqueue_split_atomic(const Call& call) {
  const auto& g = call.gemm;
  const bool in_place = split_atomic_bytes(g, call.output, call.bias != nullptr) == 0;
  auto* sums = static_cast<float*>(in_place ? call.out : call.workspace);
  DETBENCH_CUDA_TRY(cudaMemsetAsync(sums, 0, sizeof(float) * static_cast<std::size_t>(g.m * g.n), static_cast<cudaStream_t>(call.stream)));
  const auto status = with_type(g.input, [&](auto in) { return enqueue_tiles<decltype(in), F32, Join::add_atomically>(call, call.chunk, nullptr, sums); });
  if (!status || in_place) return status;
  return enqueue_join(sums, 1, call.bias, call.out, call.output, g.m, g.n, call.stream);
}

std::size_t split_fixed_bytes(const cublas::Gemm& gemm, std::int64_t chunk) {
  return sizeof(float) * static_cast<std::size_t>(gemm.m * gemm.n) * static_cast<std::size_t>(parts_of(gemm.k, chunk));
}

Status enqueue_split_fixed(const Call& call) {
  const auto& g = call.gemm;
  auto* partials = static_cast<float*>(call.workspace);
  const auto status = with_type(g.input, [&](auto in) { return enqueue_tiles<decltype(in), F32, Join::keep_apart>(call, call.chunk, nullptr, partials); });
  if (!status) return status;
  return enqueue_join(partials, parts_of(g.k, call.chunk), call.bias, call.out, call.output, g.m, g.n, call.stream);
}

Status enqueue_add_bias(const float* sums, const float* bias, void* out, DataType output, std::int64_t m, std::int64_t n, void* stream) {
  return enqueue_join(sums, 1, bias, out, output, m, n, stream);
}

Status enqueue_widen(const float* narrow, double* wide, std::int64_t elements, void* stream) {
  widen<<<grid_for(elements), threads, 0, static_cast<cudaStream_t>(stream)>>>(narrow, wide, elements);
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

Status enqueue_round(const double* sums, const float* bias, float* out, std::int64_t m, std::int64_t n, void* stream) {
  round_sums<<<grid_for(m * n), threads, 0, static_cast<cudaStream_t>(stream)>>>(sums, bias, out, m * n, n);
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

Status enqueue_column_sums(const void* x, DataType type, std::int64_t rows, std::int64_t columns, float* out, void* stream) {
  return with_type(type, [&](auto in) -> Status {
    using In = decltype(in);
    sum_columns<In><<<static_cast<unsigned>((columns + threads - 1) / threads), threads, 0, static_cast<cudaStream_t>(stream)>>>(
        static_cast<const typename In::Stored*>(x), rows, columns, out);
    DETBENCH_CUDA_TRY(cudaGetLastError());
    return {};
  });
}

}  // namespace detbench::products
