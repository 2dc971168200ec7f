// What a scatter-add asks, and the shape that every algorithm for it has.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/reduction/table_provider.hpp"
#include "kernels/tensor/host_device.hpp"

namespace detbench::scatter_add {

struct ScatterProblem {
  std::int64_t n = 0;
  std::int32_t bins = 0, hot = 0;
  /// Indices are drawn from 0 .. index_limit()-1.
  std::int64_t index_limit() const { return hot > 0 ? std::int64_t{2} * bins : bins; }
};
/// Errors name the part that is wrong.
Result<ScatterProblem> parse_scatter(const Problem& problem);

/// The bin that an index names (scatter_add.hpp). `hot` is a power of two wherever an index can reach `bins`.
DETBENCH_HOST_DEVICE constexpr std::int32_t target_bin(std::int32_t index, std::int32_t bins, std::int32_t hot) {
  return index < bins ? index : (index - bins) & (hot - 1);
}

/// One run.
struct ScatterCall {
  const float* values;
  const std::int32_t* indices;
  float* out;  ///< `bins` of them
  std::int64_t n;
  std::int32_t bins, hot;
  int threads;      ///< CPU threads to use
  void* workspace;  ///< 64-byte aligned
  void* stream;     ///< cudaStream_t, or nullptr on a CPU

  std::int32_t bin_of(std::int64_t update) const { return target_bin(indices[update], bins, hot); }
};

struct ScatterAlgorithm {
  std::string name = {};
  Claim claim = {};
  Status (*run)(const ScatterCall&) = nullptr;
  /// A reason of kind `unsupported` where the workspace would be unreasonable; null: none needed.
  Result<std::size_t> (*workspace_bytes)(const ScatterProblem&, int threads) = nullptr;
};
reduction::TableRow scatter_row(ScatterAlgorithm algorithm);

// One per provider; the absent twins answer with the reason.
std::unique_ptr<Provider> make_openmp_scatters();
std::unique_ptr<Provider> make_fixed_order_scatters();
std::unique_ptr<Provider> make_order_independent_scatters();
std::unique_ptr<Provider> make_cuda_atomic_scatters();
std::unique_ptr<Provider> make_cuda_fixed_scatters();

/// Refuses a workspace above 1 GiB: a benchmark of one operation should not take a machine's memory.
Result<std::size_t> within_workspace_limit(std::size_t bytes);
/// Bytes of one exact accumulator per bin.
Result<std::size_t> accumulators_bytes(const ScatterProblem& problem, int threads);

}  // namespace detbench::scatter_add
