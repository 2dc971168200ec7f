// The forward pass of every network as operations like any other: op "inference_mobilenet_v2", problem
// "alpha0.35_px96_mb8_classes1000/f32_f32_strict/nhwc" (models/step_problem.hpp), provider "network", one algorithm per
// policy. Option bn=separate|folded (separate): whether batch norm was folded into the convolutions before the network was
// run. Folding is part of loading the weights: reset() does it, untimed.
//
// Inputs: images, parameters, moving mean and variance per batch norm. Output: logits (N,K) f32. A sample's logits do not
// depend on its batch by definition, so the scope `batch` applies.
#pragma once

#include <memory>
#include <vector>

#include "models/train_step.hpp"

namespace detbench {

/// One operation per family of models. `kernels` answers the ops; nullptr: make_network_registry().
/// Verified against the fp64 network: ||logits - reference|| / ||reference|| within inference_tolerance().
std::vector<std::unique_ptr<Operation>> make_inference_operations(const PolicySource& source, std::shared_ptr<const Registry> kernels = nullptr);

/// Of the relative L2 error of all logits, by types: roundings of some hundred ops one behind the other, without batch
/// statistics that would amplify them. About three times the largest seen: EfficientNet-Lite4 at 32 px (6e-4), Lite0 in bf16
/// (0.22).
double inference_tolerance(const std::string& types);

}  // namespace detbench
