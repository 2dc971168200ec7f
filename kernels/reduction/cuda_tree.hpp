// The fixed tree on CUDA for any lane of lane_accumulators.hpp: fixed_tree.hpp says which lane adds what, in the same
// functions that the CPU and the tests use. A block sums the 16 chunks of a tile at once and joins them; the tiles' nodes are
// joined by a second launch. The grid only decides who takes which tile. Included by .cu files alone.
//
// A tile of 32768 summands keeps a block busy for a microsecond or more; its barrier and the four additions of the first warp
// cost some 200 cycles of one warp, while the other seven are already loading the next tile.
#pragma once

#include "kernels/reduction/cuda_summands.hpp"
#include "kernels/reduction/sum_problem.hpp"

namespace detbench::reduction {

static_assert(tile_threads == block_threads);
inline constexpr int join_threads = 1024;

template <class Source, class Lane>
__global__ void __launch_bounds__(block_threads)
    sum_tiles(Source source, std::int64_t n, bool wide, typename Lane::Node* __restrict__ tile_nodes) {
  using Node = typename Lane::Node;
  __shared__ Node chunk_nodes[2][tile_chunks];
  const LaneOwner owner = lane_owner(threadIdx.x);
  int buffer = 0;  // alternates, so that one barrier per tile is enough
  for (std::int64_t tile = blockIdx.x; tile < tile_count(n); tile += gridDim.x, buffer ^= 1) {
    Lane lanes[lanes_per_thread];
    const std::int64_t chunk = tile * tile_chunks + owner.chunk_of_block;
    if (wide && (tile + 1) * tile_elements <= n)
      add_whole_chunk(source, chunk, owner.first_lane, lanes);
    else
      add_any_chunk(source, n, chunk, owner.first_lane, lanes);
    Node nodes[lanes_per_thread];
#pragma unroll
    for (int i = 0; i < lanes_per_thread; ++i) nodes[i] = lanes[i].node();
#pragma unroll
    for (int stride = lane_count / 2; stride >= lanes_per_thread; stride /= 2)
#pragma unroll
      for (int i = 0; i < lanes_per_thread; ++i)
        nodes[i] += from_thread_below(nodes[i], threads_apart(stride), threads_per_chunk);
    if (owner.first_lane == 0) chunk_nodes[buffer][owner.chunk_of_block] = fold_owned_lanes(nodes);
    __syncthreads();
    // Chunks beyond the end hold absent_value(), which joins like a missing neighbour. Lane l of the first warp holds chunk l;
    // after the step of distance d lane 2 d i holds the node of chunks 2 d i .. 2 d (i + 1) - 1.
    if (threadIdx.x < 32) {
      Node node = threadIdx.x < tile_chunks ? chunk_nodes[buffer][threadIdx.x] : absent_value<Node>();
#pragma unroll
      for (int distance = 1; distance < tile_chunks; distance *= 2) node += from_thread_below(node, distance);
      if (threadIdx.x == 0) tile_nodes[tile] = node;
    }
  }
}

/// One block. Thread t joins the aligned run of 2^k tiles t * 2^k ..., with 2^k * 1024 >= tiles, so its root is a node of
/// the tree; then neighbours join, level by level.
template <class Node, class Sum>
__global__ void __launch_bounds__(join_threads)
    join_tiles(const Node* __restrict__ tile_nodes, std::int64_t tiles, Sum* sum) {
  __shared__ Node roots[join_threads];
  std::int64_t run = 1;
  while (run * join_threads < tiles) run *= 2;
  const std::int64_t first = threadIdx.x * run, last = first + run < tiles ? first + run : tiles;
  Node root = absent_value<Node>();
  if (first < last) {
    PairJoiner<Node> joiner;
    for (std::int64_t tile = first; tile < last; ++tile) joiner.add(tile_nodes[tile]);
    root = joiner.root();
  }
  roots[threadIdx.x] = root;
  for (int distance = 1; distance < join_threads; distance *= 2) {
    __syncthreads();
    const int node = threadIdx.x * 2 * distance;
    if (node < join_threads) roots[node] += roots[node + distance];
  }
  if (threadIdx.x == 0) *sum = canonical_nan(static_cast<Sum>(value_of_node(roots[0])));
}

template <class Lane, class Source>
Status tree_sum(const SumCall<Source>& call) {
  using Node = typename Lane::Node;
  const std::int64_t tiles = tile_count(call.n);
  const auto grid = filling_grid(tiles);
  if (!grid) return tl::unexpected(grid.error());
  const auto stream = static_cast<cudaStream_t>(call.stream);
  Node* tile_nodes = static_cast<Node*>(call.workspace);
  sum_tiles<Source, Lane><<<*grid, block_threads, 0, stream>>>(call.source, call.n, loads_wide(call.source), tile_nodes);
  if (auto status = launched("fixed tree, tiles"); !status) return status;
  join_tiles<Node, typename Source::Accumulator><<<1, join_threads, 0, stream>>>(tile_nodes, tiles, call.sum);
  return launched("fixed tree, join");
}

}  // namespace detbench::reduction
