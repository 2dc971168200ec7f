// `sort_tree` on CUDA: each bin's values in the tree of segment_sum.hpp, the CPU's bits. Short bins are summed by one
// thread, those of up to a chunk by one warp, longer ones by a block; who sums a bin cannot show.
#include <algorithm>

#include "kernels/scatter_add/cuda_sorted.hpp"
#include "kernels/scatter_add/segment_sum.hpp"

namespace detbench::scatter_add {
namespace {

using reduction::chunk_elements;

constexpr int long_threads = 1024;  ///< threads that share the chunks of one long bin

/// One output: a column of a bin, and its values.
struct Place {
  std::uint32_t begin;
  std::int64_t count, column;
};
__device__ __forceinline__ Place place_of(const ScatterCall& call, const SortedUpdates& sorted, std::int64_t output) {
  const std::int64_t bin = call.by_width.quotient(output);
  const std::uint32_t begin = __ldg(sorted.begins + bin);
  return {begin, std::int64_t{__ldg(sorted.begins + bin + 1)} - begin, output - bin * call.width};
}

/// The sum of one chunk of a bin by a warp; lane 0's.
template <class T>
__device__ __forceinline__ T chunk_by_warp(const ScatterCall& call, const SortedUpdates& sorted, const Place& place, std::int64_t first) {
  const std::int64_t left = place.count - first;
  return reduction::warp_sum(sum_own_lanes<T>(left < chunk_elements ? left : chunk_elements, threadIdx.x % 32, [&](std::int64_t i) {
    return sorted.value<T>(call, place.begin, first + i, place.column);
  }));
}

/// A warp takes `per_warp` neighbouring outputs. Each lane sums its own where few values meet; the others are summed one after
/// the other by all lanes together; those above a chunk are left to sum_long.
template <class T>
__global__ void __launch_bounds__(block_threads) sum_short(ScatterCall call, SortedUpdates sorted, int per_warp) {
  const int lane = threadIdx.x % 32;
  const std::int64_t outputs = std::int64_t{call.bins} * call.width, step = step_of_grid() / 32 * per_warp;
  for (std::int64_t first = first_of_grid() / 32 * per_warp; first < outputs; first += step) {
    const std::int64_t output = first + lane;
    const bool present = lane < per_warp && output < outputs;
    Place place{0, 0, 0};
    if (present) place = place_of(call, sorted, output);
    if (place.count <= few_updates) {
      T lanes[few_updates];
#pragma unroll
      for (int i = 0; i < few_updates; ++i) lanes[i] = i < place.count ? sorted.value<T>(call, place.begin, i, place.column) : reduction::absent_value<T>();
      if (present) put_sum(call, finish_bin(fold_eight(lanes)), output);
    }
    for (std::uint32_t rest = __ballot_sync(reduction::full_warp, place.count > few_updates && place.count <= chunk_elements); rest != 0; rest &= rest - 1) {
      const int owner = __ffs(static_cast<int>(rest)) - 1;
      const Place shared{__shfl_sync(reduction::full_warp, place.begin, owner), __shfl_sync(reduction::full_warp, place.count, owner),
                         __shfl_sync(reduction::full_warp, place.column, owner)};
      const T tree = chunk_by_warp<T>(call, sorted, shared, 0);
      if (lane == 0) put_sum(call, finish_bin(tree), first + owner);
    }
  }
}

/// A block looks at every gridDim-th output, so that neighbouring hot bins fall to different blocks, and sums the long
/// ones: 32 chunks at a time, one per warp, joined in order by one thread.
template <class T>
__global__ void __launch_bounds__(long_threads) sum_long(ScatterCall call, SortedUpdates sorted) {
  __shared__ std::int64_t found[long_threads];
  __shared__ int found_count;
  __shared__ T chunk_sums[long_threads / 32];
  if (threadIdx.x == 0) found_count = 0;
  __syncthreads();
  const std::int64_t output = blockIdx.x + std::int64_t{threadIdx.x} * gridDim.x;
  // The order in the list is a race, and decides only which output is summed first.
  if (output < std::int64_t{call.bins} * call.width && place_of(call, sorted, output).count > chunk_elements)
    found[atomicAdd(&found_count, 1)] = output;
  __syncthreads();
  constexpr int warps = long_threads / 32;
  const int warp = threadIdx.x / 32;
  for (int k = 0; k < found_count; ++k) {
    const Place place = place_of(call, sorted, found[k]);
    const std::int64_t chunks = reduction::chunk_count(place.count);
    reduction::PairJoiner<T> joiner;  // thread 0's
    for (std::int64_t first = 0; first < chunks; first += warps) {
      if (first + warp < chunks) {
        const T sum = chunk_by_warp<T>(call, sorted, place, (first + warp) * chunk_elements);
        if (threadIdx.x % 32 == 0) chunk_sums[warp] = sum;
      }
      __syncthreads();
      if (threadIdx.x == 0)
        for (std::int64_t i = 0; i < warps && first + i < chunks; ++i) joiner.add(chunk_sums[i]);
      __syncthreads();
    }
    if (threadIdx.x == 0) put_sum(call, finish_bin(joiner.root()), found[k]);
  }
}

template <class T>
Status sort_and_sum(const ScatterCall& call) {
  const auto sorted = sort_updates(call);
  if (!sorted) return tl::unexpected(sorted.error());
  const auto blocks = reduction::filling_grid(call.outputs());
  if (!blocks) return tl::unexpected(blocks.error());
  const int per_warp = outputs_per_warp(call.outputs(), std::int64_t{*blocks} * (block_threads / 32));
  if (auto s = on_filling_grid(call, (call.outputs() + per_warp - 1) / per_warp * 32, "sort_tree, short bins", [&](int grid, cudaStream_t stream) {
        sum_short<T><<<grid, block_threads, 0, stream>>>(call, *sorted, per_warp);
      });
      !s)
    return s;
  if (call.n <= chunk_elements) return {};  // no bin can be long
  // Two blocks per multiprocessor, so that few long bins are summed side by side, or as many as see every output.
  const auto filling = reduction::filling_grid(4 * call.outputs());
  if (!filling) return tl::unexpected(filling.error());
  const auto grid = static_cast<unsigned>(std::max<std::int64_t>(*filling / 4, (call.outputs() + long_threads - 1) / long_threads));
  sum_long<T><<<grid, long_threads, 0, static_cast<cudaStream_t>(call.stream)>>>(call, *sorted);
  return launched("sort_tree, long bins");
}

Status sort_tree_on_cuda(const ScatterCall& call) { return call.bin == DataType::f64 ? sort_and_sum<double>(call) : sort_and_sum<float>(call); }

}  // namespace

std::vector<ScatterAlgorithm> cuda_fixed_order() {
  std::vector<ScatterAlgorithm> algorithms{
      {"sort_tree", reduction::claim_by_construction("stable sort by bin, fixed tree in each bin"), sort_tree_on_cuda, sort_bytes}};
  for (auto& algorithm : cuda_in_order()) algorithms.push_back(std::move(algorithm));
  return algorithms;
}

}  // namespace detbench::scatter_add
