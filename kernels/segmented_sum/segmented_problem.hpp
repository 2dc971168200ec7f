// What a segmented sum asks, and the shape that every algorithm for it has.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "kernels/reduction/distribution.hpp"
#include "kernels/reduction/isa.hpp"
#include "kernels/reduction/summands.hpp"
#include "kernels/segmented_sum/segments.hpp"
#include "kernels/simple_operation.hpp"

namespace detbench::segmented_sum {

struct SegmentedProblem {
  std::int64_t n = 0, segments = 0;
  bool skewed = false;
  DataType stored = DataType::f32, accumulator = DataType::f32;
  reduction::Distribution distribution = reduction::Distribution::centred;

  TensorSpec src() const;
  TensorSpec cuts() const;
  TensorSpec dst() const;
  /// The longest segment there can be, whatever the cuts.
  std::int64_t longest() const { return skewed || segments == 1 ? n : (n + segments - 1) / segments; }
  /// The most parts that one segment can reach into, whatever the cuts, where the vector is cut into parts of `part` elements
  /// from its first on; not `even`: into parts of at least as many, wherever they begin. Never too few, and exact where
  /// segments and even parts fit into each other.
  std::int64_t most_parts_of(std::int64_t part, bool even = true) const {
    const std::int64_t length = longest();
    if (even && !skewed && n % segments == 0) {
      if (part % length == 0) return 1;
      if (length % part == 0) return length / part;
    }
    // The first element may be the last of its part.
    return std::min((length + part - 2) / part + 1, (n + part - 1) / part);
  }
};
/// Errors name the part that is wrong.
Result<SegmentedProblem> parse_segmented(const Problem& problem);

/// One run over elements stored as S.
template <class S>
struct Call {
  using Sum = decltype(reduction::widened(S{}));
  const S* x;
  Segments segments;
  Sum* out;         ///< one for each segment
  reduction::Isa isa;
  void* workspace;  ///< 64-byte aligned
  void* stream;     ///< cudaStream_t, or nullptr on a CPU
};

/// Calls f with a value of the stored type.
template <class F>
decltype(auto) with_stored(DataType stored, F&& f) {
  switch (stored) {
    case DataType::f64: return f(double{});
    case DataType::f16: return f(reduction::F16Bits{});
    case DataType::bf16: return f(reduction::Bf16Bits{});
    default: return f(float{});
  }
}

/// Tensors, and what takes any element's address.
SimplePlanParts parts_of(const SegmentedProblem& problem);

template <class S>
Call<S> call_of(const SegmentedProblem& p, reduction::Isa isa, std::span<const Tensor> in, std::span<const Tensor> out, Region workspace, void* stream) {
  return {static_cast<const S*>(in[0].region.data),
          {p.n, p.segments, p.skewed, static_cast<const std::int64_t*>(in[1].region.data)},
          static_cast<typename Call<S>::Sum*>(out[0].region.data),
          isa,
          workspace.data,
          stream};
}

/// Parts that run `Run::run(const Call<S>&)` on a CPU, for every stored type.
template <class Run>
SimplePlanParts cpu_parts(const SegmentedProblem& problem, reduction::Isa isa, std::size_t workspace_bytes) {
  SimplePlanParts parts = parts_of(problem);
  parts.workspace_bytes = workspace_bytes;
  parts.notes["isa"] = std::string(to_text(isa));
  with_stored(problem.stored, [&](auto stored) {
    using S = decltype(stored);
    parts.run = [problem, isa](std::span<const Tensor> in, std::span<const Tensor> out, Region workspace) {
      Run::run(call_of<S>(problem, isa, in, out, workspace, nullptr));
    };
  });
  return parts;
}
/// The same on a GPU: Run::run(const Call<S>&) gives a Status.
template <class Run>
SimplePlanParts cuda_parts(const SegmentedProblem& problem, std::size_t workspace_bytes) {
  SimplePlanParts parts = parts_of(problem);
  parts.workspace_bytes = workspace_bytes;
  with_stored(problem.stored, [&](auto stored) {
    using S = decltype(stored);
    parts.launch = [problem](std::span<const Tensor> in, std::span<const Tensor> out, Region workspace, void* stream) {
      return Run::run(call_of<S>(problem, {}, in, out, workspace, stream));
    };
  });
  return parts;
}

/// A parsed problem made into parts.
using MakeSegmented = Result<SimplePlanParts> (*)(const SegmentedProblem&, reduction::Isa);
/// An algorithm in fixed order or without one: one name and one claim on both kinds of device.
SimpleAlgorithm by_construction(std::string name, std::string why, MakeSegmented on_cpu, Result<SimplePlanParts> (*on_gpu)(const SegmentedProblem&));

/// Elements of a window on a CPU: 32 chunks, which stay in a core's second-level cache.
inline constexpr std::int64_t cpu_window = 65536;
/// On a GPU a warp takes one chunk.
inline constexpr std::int64_t cuda_window = 2048;

// The CPU's ways by name, with a given instruction set, which cannot change the bits of those that claim them.
Result<SimplePlanParts> segment_tree(const SegmentedProblem& problem, reduction::Isa isa);
Result<SimplePlanParts> row_in_order(const SegmentedProblem& problem, reduction::Isa isa);
Result<SimplePlanParts> kahan(const SegmentedProblem& problem, reduction::Isa isa);
Result<SimplePlanParts> f64_accumulator(const SegmentedProblem& problem, reduction::Isa isa);
Result<SimplePlanParts> exact_window(const SegmentedProblem& problem, reduction::Isa isa);
Result<SimplePlanParts> superaccumulator(const SegmentedProblem& problem, reduction::Isa isa);
// A GPU's; a reason where the build has no CUDA.
Result<SimplePlanParts> cuda_segment_tree(const SegmentedProblem& problem);
Result<SimplePlanParts> cuda_row_in_order(const SegmentedProblem& problem);
Result<SimplePlanParts> cuda_exact_window(const SegmentedProblem& problem);

// One per provider; the absent twins answer with the reason.
std::unique_ptr<Provider> make_openmp_provider();
std::unique_ptr<Provider> make_fixed_order_provider();
std::unique_ptr<Provider> make_order_independent_provider();
std::unique_ptr<Provider> make_cuda_atomic_provider();
std::unique_ptr<Provider> make_cub_provider();

}  // namespace detbench::segmented_sum
