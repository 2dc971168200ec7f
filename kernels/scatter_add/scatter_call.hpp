// The shape that every algorithm of this folder has: what one run gets, and the row that an algorithm is.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/reduction/table_provider.hpp"
#include "kernels/scatter_add/scatter_problem.hpp"

namespace detbench::scatter_add {

/// One run.
struct ScatterCall {
  Targets targets;
  const void* values;  ///< n rows of `width`
  void* out;           ///< `bins` rows of `width`
  DataType stored, bin;
  std::int64_t n, width;
  std::int32_t bins;
  Divider by_width;  ///< number of a value or output -> number of its row
  int threads;      ///< CPU threads to use
  void* workspace;  ///< 64-byte aligned
  void* stream;     ///< cudaStream_t, or nullptr on a CPU

  std::int64_t outputs() const { return bins * width; }
};

struct ScatterAlgorithm {
  std::string name = {};
  Claim claim = {};
  Status (*run)(const ScatterCall&) = nullptr;
  /// Null: none needed. A reason of kind `unsupported` where the workspace would be unreasonable.
  Result<std::size_t> (*workspace_bytes)(const ScatterProblem&, int threads) = nullptr;
  /// Null: every problem. Else an empty text, or the reason why the algorithm does not exist for this one.
  std::string (*missing)(const ScatterProblem&) = nullptr;
  /// Most partial sums that meet in one bin in an order that may vary; null: as many as the bin has updates.
  std::int64_t (*most_partials)(const ScatterProblem&, int threads) = nullptr;
};
reduction::TableRow scatter_row(DeviceKind kind, ScatterAlgorithm algorithm);

/// Refuses a workspace above 1 GiB: a benchmark of one operation should not take a machine's memory. Several vectors
/// of n on large problems are the inputs' own size, so that up to three times the inputs are offered too.
Result<std::size_t> within_workspace_limit(const ScatterProblem& problem, std::size_t bytes);

/// Cuts a workspace into parts that begin at multiples of 64 bytes; from a null workspace it gives the sizes alone.
class Carver {
 public:
  explicit Carver(void* workspace) : at_(reinterpret_cast<std::uintptr_t>(workspace)), begin_(at_) {}
  template <class T>
  T* take(std::int64_t count) {
    auto* part = reinterpret_cast<T*>(at_);
    at_ += (static_cast<std::size_t>(count) * sizeof(T) + 63) / 64 * 64;
    return part;
  }
  std::size_t bytes() const { return at_ - begin_; }

 private:
  std::uintptr_t at_, begin_;
};

}  // namespace detbench::scatter_add
