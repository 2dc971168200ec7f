// Folding batch norm into the convolution before it, as every inference engine does: with s = gamma / sqrt(variance + epsilon)
//   kernel'[k, ...] = kernel[k, ...] * s[k],   bias'[k] = beta[k] - mean[k] * s[k]
// all in f32, in this order; an activation that was fused with the batch norm becomes a layer of its own.
#pragma once

#include <span>
#include <vector>

#include "models/network.hpp"

namespace detbench {

/// Where a parameter of a folded network comes from, by index into the lists of the network that was folded.
struct FoldedParameter {
  int source = -1;               ///< parameter: the kernel, or one that is taken as it is
  int gamma = -1;                ///< parameter (beta is the next); -1: taken as it is
  int mean = -1;                 ///< moving statistics (the variance is the next)
  bool bias = false;             ///< the new bias rather than the kernel
};

struct FoldedNetwork {
  Network network;                         ///< without batch norms
  std::vector<FoldedParameter> parameters; ///< in the order of network.parameters()
};

/// Every batch norm has to follow a convolution without bias that nothing else reads; a reason when one does not.
Result<FoldedNetwork> fold_batch_norm(const Network& network);

/// The values of one parameter of the folded network, canonical. `parameters` and `moving` are those of the network that was
/// folded, canonical.
std::vector<float> folded_values(const FoldedNetwork& folded, std::size_t parameter, std::span<const std::vector<float>> parameters,
                                 std::span<const std::vector<float>> moving);

}  // namespace detbench
