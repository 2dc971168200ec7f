// Updates sorted by bin on CUDA: what the fixed orders share. Included by .cu files alone.
#pragma once

#include "kernels/scatter_add/cuda_updates.hpp"

namespace detbench::scatter_add {

/// The sorted updates, as kernels take them by value. A bin's updates lie in the order of their numbers.
struct SortedUpdates {
  const std::uint32_t* payloads;  ///< values widened to f32, as bits; or numbers of updates
  const std::uint32_t* begins;    ///< bins + 1: where each bin's begin
  bool are_numbers;

  /// Value number i of the bin that begins at `begin`, in a column.
  template <class T>
  __device__ __forceinline__ T value(const ScatterCall& call, std::uint32_t begin, std::int64_t i, std::int64_t column) const {
    const std::uint32_t payload = __ldg(payloads + begin + i);
    if constexpr (sizeof(T) == 4)
      if (!are_numbers) return __uint_as_float(payload);
    return value_at<T>(call, std::int64_t{payload} * call.width + column);
  }
};

/// Enqueues a stable sort of the updates by bin into the call's workspace.
Result<SortedUpdates> sort_updates(const ScatterCall& call);
Result<std::size_t> sort_bytes(const ScatterProblem& problem, int threads);

/// The rows whose bins are walked through in order, by one thread each.
std::vector<ScatterAlgorithm> cuda_in_order();

}  // namespace detbench::scatter_add
