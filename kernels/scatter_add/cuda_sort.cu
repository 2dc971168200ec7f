// A stable radix sort of updates by bin: CUB's is stable, so its result is unique, whatever the GPU. Values travel with
// their bins where they fit into 32 bits; rows and f64 values stay where they are and the updates' numbers travel.
#include <cub/device/device_radix_sort.cuh>

#include "kernels/scatter_add/cuda_sorted.hpp"

namespace detbench::scatter_add {
namespace {

bool sorts_numbers(const ScatterCall& call) { return call.width > 1 || call.bin == DataType::f64; }

__global__ void __launch_bounds__(block_threads)
    find_bins(ScatterCall call, bool are_numbers, std::uint32_t* __restrict__ keys, std::uint32_t* __restrict__ payloads) {
  for (std::int64_t i = first_of_grid(); i < call.n; i += step_of_grid()) {
    keys[i] = static_cast<std::uint32_t>(target_of(call.targets, i));
    payloads[i] = are_numbers ? static_cast<std::uint32_t>(i) : __float_as_uint(value_at<float>(call, i));
  }
}

/// begins[bin] for every bin, empty ones included: the update that opens a new bin writes for all bins since the last.
__global__ void __launch_bounds__(block_threads)
    find_begins(const std::uint32_t* __restrict__ keys, std::int64_t n, std::int32_t bins, std::uint32_t* __restrict__ begins) {
  for (std::int64_t i = first_of_grid(); i <= n; i += step_of_grid()) {
    const std::int64_t first = i == 0 ? 0 : std::int64_t{keys[i - 1]} + 1, last = i == n ? bins : std::int64_t{keys[i]};
    for (std::int64_t bin = first; bin <= last; ++bin) begins[bin] = static_cast<std::uint32_t>(i);
  }
}

struct Space {
  std::uint32_t *keys, *sorted_keys, *payloads, *sorted_payloads, *begins;
  std::byte* temporary;
  std::size_t temporary_bytes = 0, bytes = 0;
};

int key_bits(std::int32_t bins) {
  int bits = 1;
  while ((std::int64_t{1} << bits) < bins) ++bits;
  return bits;
}

Status sort(void* temporary, std::size_t& bytes, const Space& space, std::int64_t n, std::int32_t bins, cudaStream_t stream) {
  return checked(cub::DeviceRadixSort::SortPairs(temporary, bytes, const_cast<const std::uint32_t*>(space.keys), space.sorted_keys,
                                                 const_cast<const std::uint32_t*>(space.payloads), space.sorted_payloads, static_cast<int>(n), 0, key_bits(bins), stream),
                 "cub::DeviceRadixSort::SortPairs");
}

/// Also made from a null workspace, for the sizes alone.
Result<Space> space_for(std::int64_t n, std::int32_t bins, void* workspace) {
  Carver carver(workspace);
  Space space{};
  for (auto* part : {&space.keys, &space.sorted_keys, &space.payloads, &space.sorted_payloads}) *part = carver.take<std::uint32_t>(n);
  space.begins = carver.take<std::uint32_t>(std::int64_t{bins} + 1);
  if (auto s = sort(nullptr, space.temporary_bytes, space, n, bins, nullptr); !s) return tl::unexpected(s.error());
  space.temporary = carver.take<std::byte>(static_cast<std::int64_t>(space.temporary_bytes));
  space.bytes = carver.bytes();
  return space;
}

}  // namespace

Result<std::size_t> sort_bytes(const ScatterProblem& problem, int) {
  const auto space = space_for(problem.n, problem.bins, nullptr);
  if (!space) return tl::unexpected(space.error());
  return space->bytes;
}

Result<SortedUpdates> sort_updates(const ScatterCall& call) {
  auto space = space_for(call.n, call.bins, call.workspace);
  if (!space) return tl::unexpected(space.error());
  const auto stream = static_cast<cudaStream_t>(call.stream);
  const bool are_numbers = sorts_numbers(call);
  if (auto s = on_filling_grid(call, call.n, "sort, bins", [&](int grid, cudaStream_t on) {
        find_bins<<<grid, block_threads, 0, on>>>(call, are_numbers, space->keys, space->payloads);
      });
      !s)
    return tl::unexpected(s.error());
  if (auto s = sort(space->temporary, space->temporary_bytes, *space, call.n, call.bins, stream); !s) return tl::unexpected(s.error());
  if (auto s = on_filling_grid(call, call.n + 1, "sort, begins", [&](int grid, cudaStream_t on) {
        find_begins<<<grid, block_threads, 0, on>>>(space->sorted_keys, call.n, call.bins, space->begins);
      });
      !s)
    return tl::unexpected(s.error());
  return SortedUpdates{space->sorted_payloads, space->begins, are_numbers};
}

}  // namespace detbench::scatter_add
