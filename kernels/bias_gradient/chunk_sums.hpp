// One chunk of pixels on a CPU, in the order of order.hpp: what every CPU algorithm here computes alike, so that they
// differ in how chunks meet, which is what is under test.
#pragma once

#include "kernels/bias_gradient/bias_gradient.hpp"
#include "kernels/reduction/isa.hpp"
#include "kernels/simple_operation.hpp"

namespace detbench::bias_gradient {

/// Channels that are summed together.
inline constexpr std::int64_t group_channels = 16;
constexpr std::int64_t group_count(std::int64_t channels) { return (channels + group_channels - 1) / group_channels; }

/// One run on a CPU.
struct Call {
  const void* diff_dst;
  float* diff_bias;  ///< {channels}
  float* partials;   ///< workspace: {chunks, channels}, where asked for
  BiasGradientProblem problem;
  reduction::Isa isa;

  std::int64_t chunks() const;
  /// A task is one chunk of one group of channels, all groups of a chunk in a row.
  std::int64_t tasks() const { return chunks() * group_count(problem.channels); }
};

/// The task's chunk, its channels, and their sums over the chunk.
struct ChunkSums {
  std::int64_t chunk, channel, width;
  float sums[group_channels];
};
ChunkSums sum_chunk(const Call& call, std::int64_t task);

/// A plan's parts; `keeps_partials` asks for the workspace of Call::partials. `run` may use the OpenMP threads in force.
Result<SimplePlanParts> make_parts(const Problem& problem, reduction::Isa isa, bool keeps_partials, void (*run)(const Call&));

/// fixed_order:chunk_tree with a given instruction set, which cannot change its bits.
Result<SimplePlanParts> make_fixed_order_parts(const Problem& problem, reduction::Isa isa);

/// fixed_order:chunk_tree on a GPU; empty where the build has no CUDA.
MakeParts cuda_fixed_order();

}  // namespace detbench::bias_gradient
