// The fixed tree on CUDA: fixed_tree.hpp says which lane adds what, in the same functions that the CPU and the tests
// use. A block sums the 16 chunks of a tile at once and joins them; the tiles' sums are joined by a second launch. The
// grid only decides who takes which tile.
#include "kernels/reduction/cuda_kernels.hpp"
#include "kernels/reduction/cuda_sums.hpp"

namespace detbench::reduction {
namespace {

constexpr int tile_chunks = chunks_per_block(block_threads);
static_assert((tile_chunks & (tile_chunks - 1)) == 0, "a tile must be a node of the tree");
constexpr int join_threads = 1024;

DETBENCH_HOST_DEVICE constexpr std::int64_t tile_count(std::int64_t n) {
  return (chunk_count(n) + tile_chunks - 1) / tile_chunks;
}

template <class T, bool Wide>
__global__ void __launch_bounds__(block_threads)
    sum_tiles(const T* __restrict__ x, std::int64_t n, T* __restrict__ tile_sums) {
  __shared__ T chunk_sums[2][tile_chunks];
  const LaneOwner owner = lane_owner(threadIdx.x);
  const auto load = [&](std::int64_t index, T(&values)[lanes_per_thread]) { load4<Wide>(x, index, values); };
  const auto load_at_end = [&](std::int64_t index, T(&values)[lanes_per_thread]) { load4_at_end(x, index, n, values); };
  int buffer = 0;  // alternates, so that one barrier per tile is enough
  for (std::int64_t tile = blockIdx.x; tile < tile_count(n); tile += gridDim.x, buffer ^= 1) {
    T sums[lanes_per_thread];
    const std::int64_t chunk = tile * tile_chunks + owner.chunk_of_block;
    if ((tile + 1) * tile_chunks * chunk_elements <= n)
      sum_owned_lanes(chunk, owner.first_lane, load, sums);
    else
      sum_owned_lanes(chunk, owner.first_lane, load_at_end, sums);
#pragma unroll
    for (int stride = lane_count / 2; stride >= lanes_per_thread; stride /= 2)
#pragma unroll
      for (int i = 0; i < lanes_per_thread; ++i)
        sums[i] += __shfl_down_sync(full_warp, sums[i], threads_apart(stride), threads_per_chunk);
    if (owner.first_lane == 0) chunk_sums[buffer][owner.chunk_of_block] = fold_owned_lanes(sums);
    __syncthreads();
    // Chunks beyond the end hold absent_value(), which joins like a missing neighbour.
    if (threadIdx.x == 0) {
      T nodes[tile_chunks];
#pragma unroll
      for (int i = 0; i < tile_chunks; ++i) nodes[i] = chunk_sums[buffer][i];
#pragma unroll
      for (int count = tile_chunks; count > 1; count /= 2)
#pragma unroll
        for (int i = 0; i < count / 2; ++i) nodes[i] = nodes[2 * i] + nodes[2 * i + 1];
      tile_sums[tile] = nodes[0];
    }
  }
}

/// One block. Thread t joins the aligned run of 2^k tiles t * 2^k ..., with 2^k * 1024 >= tiles, so its root is a node
/// of the tree; then neighbours join, level by level.
template <class T>
__global__ void __launch_bounds__(join_threads)
    join_tiles(const T* __restrict__ tile_sums, std::int64_t tiles, T* sum) {
  __shared__ T roots[join_threads];
  std::int64_t run = 1;
  while (run * join_threads < tiles) run *= 2;
  const std::int64_t first = threadIdx.x * run, last = first + run < tiles ? first + run : tiles;
  T root = absent_value<T>();
  if (first < last) {
    PairJoiner<T> joiner;
    for (std::int64_t tile = first; tile < last; ++tile) joiner.add(tile_sums[tile]);
    root = joiner.root();
  }
  roots[threadIdx.x] = root;
  for (int distance = 1; distance < join_threads; distance *= 2) {
    __syncthreads();
    const int node = threadIdx.x * 2 * distance;
    if (node < join_threads) roots[node] += roots[node + distance];
  }
  if (threadIdx.x == 0) *sum = canonical_nan(roots[0]);
}

template <class T>
Status fixed_tree(const SumCall<T>& call) {
  const std::int64_t tiles = tile_count(call.n);
  const auto grid = filling_grid(tiles);
  if (!grid) return tl::unexpected(grid.error());
  const auto stream = static_cast<cudaStream_t>(call.stream);
  T* tile_sums = static_cast<T*>(call.workspace);
  if (is_aligned_to_16(call.x))
    sum_tiles<T, true><<<*grid, block_threads, 0, stream>>>(call.x, call.n, tile_sums);
  else
    sum_tiles<T, false><<<*grid, block_threads, 0, stream>>>(call.x, call.n, tile_sums);
  if (auto status = launched("fixed_tree, tiles"); !status) return status;
  join_tiles<T><<<1, join_threads, 0, stream>>>(tile_sums, tiles, call.sum);
  return launched("fixed_tree, join");
}

Result<std::size_t> tile_sums_bytes(const SumProblem& problem, int) {
  return static_cast<std::size_t>(tile_count(problem.n)) * size_of(problem.type);
}

}  // namespace

TableRow cuda_fixed_tree_row() {
  return sum_row({"fixed_tree", claim_by_construction("fixed lanes, chunks and tree, the CPU's"), fixed_tree<float>,
                  fixed_tree<double>, tile_sums_bytes});
}

}  // namespace detbench::reduction
