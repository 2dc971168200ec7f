// Whole networks as problems: "train_step_<model>" and "inference_<model>".
//   train_step_mobilenet_v2/alpha0.35_px96_mb8_classes1000/f32_f32_strict/nhwc
//   train_step_efficientnet_b0/px224_mb32_classes1000/bf16_f32_strict/nhwc
// MobileNetV2 has its alpha in the shape, every other model its variant in the op. The layout is that of the images, which
// are f32 whatever the types. Types: f32_f32_strict, f32_f32_tf32, bf16_f32_strict, f16_f32_strict.
#pragma once

#include <string>
#include <vector>

#include "kernels/problem.hpp"
#include "models/network.hpp"

namespace detbench {

struct StepProblem {
  std::string model = "mobilenet_v2_alpha1.0";  ///< of models/catalog.hpp
  std::int64_t pixels = 224, batch = 8, classes = 1000;
  std::string types = "f32_f32_strict";
  bool training = true;
  bool operator==(const StepProblem&) const = default;
};

Problem to_problem(const StepProblem& problem);
/// Refuses models, sizes and types that cannot be, naming what can.
Result<StepProblem> parse_step_problem(const Problem& problem);
Result<Network> network_of(const StepProblem& problem);

/// "mobilenet_v2" and the other models' own names: the ops are these behind "train_step_" and "inference_".
std::vector<std::string> model_families();

}  // namespace detbench
