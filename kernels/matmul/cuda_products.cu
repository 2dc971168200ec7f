// Tiles of outputs, one block each. A thread owns whole outputs and walks their products in ascending k, alone: no two
// threads ever share a sum inside a part, so neither the tile's size nor the grid can change a bit, and the chain is the
// one that the CPU's fixed_order walks. Products beyond the end of a part are not computed at all: fma(0, 0, acc) would turn
// a -0, which an underflow can leave, into +0.
#include <type_traits>

#include "kernels/device/cuda_check.hpp"
#include "kernels/matmul/cuda_products.hpp"
#include "kernels/tensor/float_formats.hpp"

namespace detbench::products {
namespace {

constexpr int side = 16;            // a block is side x side threads
constexpr int depth = 16;           // products that are staged at a time
constexpr int threads = side * side;

struct F32 {
  using Stored = float;
  static __device__ __forceinline__ float widen(float value) { return value; }
  static __device__ __forceinline__ float narrow(float value) { return value; }
};
struct F16 {
  using Stored = std::uint16_t;
  static __device__ __forceinline__ float widen(std::uint16_t bits) { return float_from_f16(bits); }
  static __device__ __forceinline__ std::uint16_t narrow(float value) { return f16_from_float(value); }
};
struct Bf16 {
  using Stored = std::uint16_t;
  static __device__ __forceinline__ float widen(std::uint16_t bits) { return float_from_bf16(bits); }
  static __device__ __forceinline__ std::uint16_t narrow(float value) { return bf16_from_float(value); }
};

/// Where a finished part goes.
enum class Join { store, add_atomically, keep_apart };

struct Shape {
  std::int64_t m, n, k, chunk;
  std::int64_t row_tiles, column_tiles;
};

/// `Tile` outputs a side; thread (x, y) owns rows y * Each + r and columns x + side * c of the tile.
template <class In, class Out, Join join, int Tile, bool ATransposed, bool BTransposed>
__global__ void __launch_bounds__(threads)
    multiply_tiles(const typename In::Stored* __restrict__ a, const typename In::Stored* __restrict__ b, const float* __restrict__ bias,
                   typename Out::Stored* __restrict__ out, float* __restrict__ partials, const Shape s) {
  constexpr int each = Tile / side;
  // One column more than a tile: neighbours in k, which one warp writes, then lie in different banks.
  __shared__ float rows[depth][Tile + 1], columns[depth][Tile + 1];
  const int thread = threadIdx.x, x = thread % side, y = thread / side;
  const std::int64_t tile = blockIdx.x % (s.row_tiles * s.column_tiles), part = blockIdx.x / (s.row_tiles * s.column_tiles);
  const std::int64_t i0 = tile / s.column_tiles * Tile, j0 = tile % s.column_tiles * Tile;
  const std::int64_t first = part * s.chunk, last = first + s.chunk < s.k ? first + s.chunk : s.k;
  float sums[each][each] = {};
  for (std::int64_t k0 = first; k0 < last; k0 += depth) {
    // Neighbouring threads read neighbouring memory, whichever way the matrix lies.
#pragma unroll
    for (int e = thread; e < Tile * depth; e += threads) {
      const int i = ATransposed ? e % Tile : e / depth, k = ATransposed ? e / Tile : e % depth;
      const bool inside = i0 + i < s.m && k0 + k < last;
      const std::int64_t at = ATransposed ? (k0 + k) * s.m + i0 + i : (i0 + i) * s.k + k0 + k;
      rows[k][i] = inside ? In::widen(a[at]) : 0.0f;
    }
#pragma unroll
    for (int e = thread; e < Tile * depth; e += threads) {
      const int j = BTransposed ? e / depth : e % Tile, k = BTransposed ? e % depth : e / Tile;
      const bool inside = j0 + j < s.n && k0 + k < last;
      const std::int64_t at = BTransposed ? (j0 + j) * s.k + k0 + k : (k0 + k) * s.n + j0 + j;
      columns[k][j] = inside ? In::widen(b[at]) : 0.0f;
    }
    __syncthreads();
    const auto step = [&](int k) {
      float left[each], right[each];
#pragma unroll
      for (int r = 0; r < each; ++r) left[r] = rows[k][y * each + r];
#pragma unroll
      for (int c = 0; c < each; ++c) right[c] = columns[k][x + side * c];
#pragma unroll
      for (int r = 0; r < each; ++r)
#pragma unroll
        for (int c = 0; c < each; ++c) sums[r][c] = __fmaf_rn(left[r], right[c], sums[r][c]);
    };
    if (k0 + depth <= last) {
#pragma unroll
      for (int k = 0; k < depth; ++k) step(k);
    } else {
      for (int k = 0; k < static_cast<int>(last - k0); ++k) step(k);
    }
    __syncthreads();
  }
#pragma unroll
  for (int r = 0; r < each; ++r)
#pragma unroll
    for (int c = 0; c < each; ++c) {
      const std::int64_t i = i0 + y * each + r, j = j0 + x + side * c;
      if (i >= s.m || j >= s.n) continue;
      if constexpr (join == Join::store) out[i * s.n + j] = Out::narrow(bias != nullptr ? sums[r][c] + bias[j] : sums[r][c]);
      else if constexpr (join == Join::add_atomically) atomicAdd(partials + i * s.n + j, sums[r][c]);
      else partials[(part * s.m + i) * s.n + j] = sums[r][c];
    }
}

/// out = bias + (partial 0 + partial 1 + ...), the parts in ascending k: the order that a reader would write down, and
/// the one that a CPU can follow without knowing the grid. The bias comes last, as in a product that is not split.
template <class Out>
__global__ void __launch_bounds__(threads) join_parts(const float* partials, std::int64_t parts, const float* __restrict__ bias,
                                                      typename Out::Stored* out, std::int64_t elements, std::int64_t n) {
  for (std::int64_t e = std::int64_t{blockIdx.x} * threads + threadIdx.x; e < elements; e += std::int64_t{gridDim.x} * threads) {
    float sum = partials[e];
    for (std::int64_t part = 1; part < parts; ++part) sum += partials[part * elements + e];
    out[e] = Out::narrow(bias != nullptr ? sum + bias[e % n] : sum);
  }
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
Status launch_tiles(const Call& call, float* partials) {
  const auto& g = call.gemm;
  const std::int64_t chunk = join == Join::store ? g.k : call.chunk;
  const Shape shape{g.m, g.n, g.k, chunk, (g.m + Tile - 1) / Tile, (g.n + Tile - 1) / Tile};
  const std::int64_t blocks = shape.row_tiles * shape.column_tiles * parts_of(g.k, chunk);
  if (blocks > 0x7FFFFFFF) return unsupported("the product has " + std::to_string(blocks) + " tiles, a grid has at most 2^31 - 1 blocks");
  multiply_tiles<In, Out, join, Tile, ATransposed, BTransposed><<<static_cast<unsigned>(blocks), threads, 0, static_cast<cudaStream_t>(call.stream)>>>(
      static_cast<const typename In::Stored*>(call.a), static_cast<const typename In::Stored*>(call.b), call.bias,
      static_cast<typename Out::Stored*>(call.out), partials, shape);
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

template <class In, class Out, Join join>
Status enqueue_tiles(const Call& call, float* partials) {
  const auto& g = call.gemm;
  // Small outputs waste less of a small tile; the bits are the same.
  const auto sized = [&](auto a_transposed, auto b_transposed) {
    constexpr bool at = decltype(a_transposed)::value, bt = decltype(b_transposed)::value;
    return g.m <= 32 || g.n <= 32 ? launch_tiles<In, Out, join, 32, at, bt>(call, partials) : launch_tiles<In, Out, join, 64, at, bt>(call, partials);
  };
  if (g.a_transposed) return g.b_transposed ? sized(std::true_type{}, std::true_type{}) : sized(std::true_type{}, std::false_type{});
  return g.b_transposed ? sized(std::false_type{}, std::true_type{}) : sized(std::false_type{}, std::false_type{});
}

Status enqueue_join(const float* partials, std::int64_t parts, const float* bias, void* out, DataType output, std::int64_t m, std::int64_t n,
                    void* stream) {
  const std::int64_t elements = m * n, blocks = (elements + threads - 1) / threads;
  return with_type(output, [&](auto type) -> Status {
    using Out = decltype(type);
    join_parts<Out><<<static_cast<unsigned>(blocks < 65536 ? blocks : 65536), threads, 0, static_cast<cudaStream_t>(stream)>>>(
        partials, parts, bias, static_cast<typename Out::Stored*>(out), elements, n);
    DETBENCH_CUDA_TRY(cudaGetLastError());
    return {};
  });
}

}  // namespace

Status enqueue_direct(const Call& call) {
  return with_type(call.gemm.input, [&](auto in) -> Status {
    using In = decltype(in);
    if (call.output == DataType::f32) return enqueue_tiles<In, F32, Join::store>(call, nullptr);
    if (call.output == call.gemm.input) return enqueue_tiles<In, In, Join::store>(call, nullptr);
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
  const auto status = with_type(g.input, [&](auto in) { return enqueue_tiles<decltype(in), F32, Join::add_atomically>(call, sums); });
  if (!status || in_place) return status;
  return enqueue_join(sums, 1, call.bias, call.out, call.output, g.m, g.n, call.stream);
}

std::size_t split_fixed_bytes(const cublas::Gemm& gemm, std::int64_t chunk) {
  return sizeof(float) * static_cast<std::size_t>(gemm.m * gemm.n) * static_cast<std::size_t>(parts_of(gemm.k, chunk));
}

Status enqueue_split_fixed(const Call& call) {
  const auto& g = call.gemm;
  auto* partials = static_cast<float*>(call.workspace);
  const auto status = with_type(g.input, [&](auto in) { return enqueue_tiles<decltype(in), F32, Join::keep_apart>(call, partials); });
  if (!status) return status;
  return enqueue_join(partials, parts_of(g.k, call.chunk), call.bias, call.out, call.output, g.m, g.n, call.stream);
}

Status enqueue_add_bias(const float* sums, const float* bias, void* out, DataType output, std::int64_t m, std::int64_t n, void* stream) {
  return enqueue_join(sums, 1, bias, out, output, m, n, stream);
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
