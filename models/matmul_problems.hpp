// The plain matrix products that networks come down to: 1x1 convolutions and the classifier, and products with a long k.
#pragma once

#include <string>
#include <vector>

#include "models/problems.hpp"

namespace detbench {

/// The products of every 1x1 convolution of one group and stride 1, and of every dense layer, in all three passes. With
/// pixels = batch * height * width (a dense layer: pixels = batch), weights as they are kept (output channels in rows):
///   forward  m = pixels, n = oc, k = ic, layout "nt";
///   dgrad    m = pixels, n = ic, k = oc, layout "nn" (left out where no parameter lies in front of the layer);
///   wgrad    m = oc, n = ic, k = pixels, layout "tn".
/// Distinct ones in the order of the network; `layers` are the layer's name and the pass: "block1.project/wgrad".
std::vector<LayerProblem> matmul_problems(const Network& network, std::int64_t batch, const std::string& types);

/// Small outputs, long sums, layout "tn": where a library splits k, so where the order of a sum is at stake. The weight
/// gradients of MobileNetV2's 1x1 convolutions at 224 pixels and batch 32, and shapes between them and a dot product.
/// `layers` says what each one is.
std::vector<LayerProblem> split_k_problems(const std::string& types);

}  // namespace detbench
