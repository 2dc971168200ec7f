// The train step as an operation like any other: op "train_step_mobilenet_v2", problem
// "alpha0.35_px96_mb8_classes1000/f32_f32_strict/nhwc" (the layout of the images), provider "network", one algorithm per
// policy: "network:fastest_observed:partition@steps=3". enqueue() performs `steps` steps from where the state stands, so
// reset() then enqueue() gives the bits after k steps; a time per step is the time divided by k.
//
// Inputs: images, labels, initial parameters (glorot_uniform from Philox streams). Outputs in METHOD section 11's order:
// the loss of each step, parameters, velocities, moving statistics.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/op.hpp"
#include "kernels/selection/selection.hpp"

namespace detbench {

struct TrainStepProblem {
  double alpha = 1.0;
  std::int64_t pixels = 224, batch = 8, classes = 1000;
};
Problem to_problem(const TrainStepProblem& problem);
Result<TrainStepProblem> parse_train_step(const Problem& problem);

/// Steps per enqueue() when the option "steps" is not given; 3 let a difference grow through weights, slots and statistics.
inline constexpr int default_train_steps = 3;

/// Policies that are made from measurements. Their selections are asked for when a case is offered or planned; a policy
/// that cannot be had now (nothing was measured) is offered as unsupported with the reason.
struct PolicySource {
  std::vector<std::string> names;  ///< "fastest", "fastest_observed:run_to_run", ...
  std::function<Result<Selection>(const std::string& policy)> select;
};

/// The policies of `source`, and the two that need no measurement: "library_heuristic" and "fixed_order".
/// `kernels` answers the ops; nullptr: make_network_registry().
///
/// What verification can say. A train step amplifies roundings: an element next to a kink of ReLU6 that falls to the other
/// side changes its gradient by all of it, and batch norm over few pixels spreads that (facts: 0.1 % of the gradient's norm
/// from summation order alone; measured here: 0.002 to 1 % in the first update, and up to a half after three). So no bound
/// follows from unit roundoffs, and after several steps the weights say nothing about correctness. Held against the fp64
/// network are: the first loss, which is the forward alone; the second loss, which is the first update as the loss sees it;
/// and, with steps=1, all parameters. Everything must be finite. That the single ops are right is verified where each is
/// swept; that their gradients fit together is what this shows (tests/models/train_step_test.cpp breaks one and looks).
std::unique_ptr<Operation> make_train_step_operation(PolicySource source, std::shared_ptr<const Registry> kernels = nullptr);

struct TrainStepTolerance {
  double first_loss = 1e-4;   ///< |loss_0 - ref_0| / ref_0
  double second_loss = 0.25;  ///< |loss_1 - ref_1| / |ref_0 - ref_1|
  double update = 0.05;       ///< ||w_1 - ref_1|| / ||ref_1 - w_0||, over all parameters together
};
inline constexpr TrainStepTolerance train_step_tolerance{};

}  // namespace detbench
