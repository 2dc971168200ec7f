// A scatter-add in a fixed order on CUDA: a stable radix sort by bin (CUB's is stable, so its result is unique), then
// each bin's values in the tree of segment_sum.hpp, the CPU's bits.
#include <cub/device/device_radix_sort.cuh>

#include "kernels/reduction/cuda_kernels.hpp"
#include "kernels/scatter_add/cuda_scatters.hpp"
#include "kernels/scatter_add/segment_sum.hpp"

namespace detbench::scatter_add {
namespace {

using reduction::block_threads;
using reduction::checked;
using reduction::chunk_elements;
using reduction::launched;

constexpr int long_threads = 1024;  ///< threads that share the chunks of one long bin

__global__ void __launch_bounds__(block_threads)
    find_bins(const std::int32_t* __restrict__ indices, std::int64_t n, std::int32_t bins, std::int32_t hot,
              std::uint32_t* __restrict__ keys) {
  const std::int64_t step = std::int64_t{gridDim.x} * block_threads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * block_threads + threadIdx.x; i < n; i += step)
    keys[i] = static_cast<std::uint32_t>(target_bin(indices[i], bins, hot));
}

/// begins[bin] for every bin, empty ones included: the update that opens a new bin writes for all bins since the last.
__global__ void __launch_bounds__(block_threads) find_begins(const std::uint32_t* __restrict__ keys, std::int64_t n,
                                                             std::int32_t bins, std::uint32_t* __restrict__ begins) {
  const std::int64_t step = std::int64_t{gridDim.x} * block_threads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * block_threads + threadIdx.x; i <= n; i += step) {
    const std::int64_t first = i == 0 ? 0 : std::int64_t{keys[i - 1]} + 1, last = i == n ? bins : std::int64_t{keys[i]};
    for (std::int64_t bin = first; bin <= last; ++bin) begins[bin] = static_cast<std::uint32_t>(i);
  }
}

/// The sum of one chunk by a warp; lane 0's.
__device__ __forceinline__ float chunk_by_warp(const float* __restrict__ values, std::int64_t count) {
  return reduction::warp_sum(sum_own_lanes(values, count, threadIdx.x % 32));
}

/// A warp per bin of at most one chunk; longer ones are left to sum_long_bins.
__global__ void __launch_bounds__(block_threads)
    sum_short_bins(const float* __restrict__ sorted, const std::uint32_t* __restrict__ begins, std::int32_t bins,
                   float* out) {
  const std::int64_t bin = (std::int64_t{blockIdx.x} * block_threads + threadIdx.x) / 32;
  if (bin >= bins) return;
  const std::int64_t begin = begins[bin], count = begins[bin + 1] - begin;
  if (count > chunk_elements) return;
  const float tree = chunk_by_warp(sorted + begin, count);
  if (threadIdx.x % 32 == 0) out[bin] = count > 0 ? finish_bin(tree) : 0.0f;
}

/// A block looks at every gridDim-th bin, so that neighbouring hot bins fall to different blocks, and sums its long
/// ones: 32 chunks at a time, one per warp, joined in order by one thread.
__global__ void __launch_bounds__(long_threads)
    sum_long_bins(const float* __restrict__ sorted, const std::uint32_t* __restrict__ begins, std::int32_t bins,
                  float* out) {
  __shared__ std::int32_t found[long_threads];
  __shared__ int found_count;
  __shared__ float chunk_sums[long_threads / 32];
  if (threadIdx.x == 0) found_count = 0;
  __syncthreads();
  const std::int64_t bin = blockIdx.x + std::int64_t{threadIdx.x} * gridDim.x;
  // The order in the list is a race, and decides only which bin is summed first.
  if (bin < bins && begins[bin + 1] - begins[bin] > chunk_elements)
    found[atomicAdd(&found_count, 1)] = static_cast<std::int32_t>(bin);
  __syncthreads();
  constexpr int warps = long_threads / 32;
  const int warp = threadIdx.x / 32;
  for (int k = 0; k < found_count; ++k) {
    const std::int64_t begin = begins[found[k]], count = begins[found[k] + 1] - begin;
    const std::int64_t chunks = (count + chunk_elements - 1) / chunk_elements;
    reduction::PairJoiner<float> joiner;  // thread 0's
    for (std::int64_t first = 0; first < chunks; first += warps) {
      const std::int64_t chunk = first + warp, at = chunk * chunk_elements;
      if (chunk < chunks) {
        const float sum = chunk_by_warp(sorted + begin + at, count - at < chunk_elements ? count - at : chunk_elements);
        if (threadIdx.x % 32 == 0) chunk_sums[warp] = sum;
      }
      __syncthreads();
      if (threadIdx.x == 0)
        for (std::int64_t i = 0; i < warps && first + i < chunks; ++i) joiner.add(chunk_sums[i]);
      __syncthreads();
    }
    if (threadIdx.x == 0) out[found[k]] = finish_bin(joiner.root());
  }
}

/// Where things lie in the workspace; every part starts at a multiple of 256 bytes past
/// its begin. Also made from a null workspace, for the sizes alone.
struct Space {
  std::uint32_t *keys, *sorted_keys, *begins;
  float* sorted;
  void* temporary;
  std::size_t temporary_bytes, bytes;
};

int key_bits(std::int32_t bins) {
  int bits = 1;
  while ((std::int64_t{1} << bits) < bins) ++bits;
  return bits;
}

Result<Space> space_for(std::int64_t n, std::int32_t bins, void* workspace) {
  Space space{};
  const std::uint32_t* keys = nullptr;
  const float* values = nullptr;
  if (auto s = checked(cub::DeviceRadixSort::SortPairs(nullptr, space.temporary_bytes, keys, space.keys, values,
                                                       space.sorted, n, 0, key_bits(bins)),
                       "cub::DeviceRadixSort::SortPairs, size");
      !s)
    return tl::unexpected(s.error());
  std::size_t used = 0;
  const auto take = [&](std::size_t bytes) {
    void* at = reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(workspace) + used);
    used += (bytes + 255) / 256 * 256;
    return at;
  };
  const std::size_t per_update = static_cast<std::size_t>(n) * 4;
  space.keys = static_cast<std::uint32_t*>(take(per_update));
  space.sorted_keys = static_cast<std::uint32_t*>(take(per_update));
  space.sorted = static_cast<float*>(take(per_update));
  space.begins = static_cast<std::uint32_t*>(take((static_cast<std::size_t>(bins) + 1) * 4));
  space.temporary = take(space.temporary_bytes);
  space.bytes = used;
  return space;
}

Result<std::size_t> sort_bytes(const ScatterProblem& problem, int) {
  const auto space = space_for(problem.n, problem.bins, nullptr);
  if (!space) return tl::unexpected(space.error());
  return space->bytes;
}

Status sort_tree(const ScatterCall& call) {
  const auto space = space_for(call.n, call.bins, call.workspace);
  if (!space) return tl::unexpected(space.error());
  const auto grid = reduction::filling_grid((call.n + block_threads) / block_threads);
  if (!grid) return tl::unexpected(grid.error());
  const auto stream = static_cast<cudaStream_t>(call.stream);
  find_bins<<<*grid, block_threads, 0, stream>>>(call.indices, call.n, call.bins, call.hot, space->keys);
  if (auto s = launched("sort_tree, bins"); !s) return s;
  std::size_t temporary_bytes = space->temporary_bytes;
  if (auto s =
          checked(cub::DeviceRadixSort::SortPairs(space->temporary, temporary_bytes, space->keys, space->sorted_keys,
                                                  call.values, space->sorted, call.n, 0, key_bits(call.bins), stream),
                  "cub::DeviceRadixSort::SortPairs");
      !s)
    return s;
  find_begins<<<*grid, block_threads, 0, stream>>>(space->sorted_keys, call.n, call.bins, space->begins);
  if (auto s = launched("sort_tree, begins"); !s) return s;
  const auto short_grid = static_cast<unsigned>((std::int64_t{call.bins} * 32 + block_threads - 1) / block_threads);
  sum_short_bins<<<short_grid, block_threads, 0, stream>>>(space->sorted, space->begins, call.bins, call.out);
  if (auto s = launched("sort_tree, short bins"); !s) return s;
  const auto long_grid = static_cast<unsigned>((std::int64_t{call.bins} + long_threads - 1) / long_threads);
  sum_long_bins<<<long_grid, long_threads, 0, stream>>>(space->sorted, space->begins, call.bins, call.out);
  return launched("sort_tree, long bins");
}

}  // namespace

std::unique_ptr<Provider> make_cuda_fixed_scatters() {
  std::vector<reduction::TableRow> rows;
  rows.push_back(scatter_row({"sort_tree",
                              reduction::claim_by_construction("stable sort by bin, fixed tree in each bin, the CPU's"),
                              sort_tree, sort_bytes}));
  rows.push_back(cuda_order_independent_row());
  return reduction::make_table_provider("cuda_fixed", DeviceKind::cuda, std::move(rows));
}

}  // namespace detbench::scatter_add
