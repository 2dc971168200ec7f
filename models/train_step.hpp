// The train step of every network as operations like any other: op "train_step_mobilenet_v2", problem
// "alpha0.35_px96_mb8_classes1000/f32_f32_strict/nhwc" (models/step_problem.hpp), provider "network", one algorithm per
// policy: "network:fastest_observed:partition@steps=3". enqueue() performs `steps` steps from where the state stands, so
// reset() then enqueue() gives the bits after k steps; a time per step is the time divided by k.
//
// Options, each with its default left out of the recorded facts but not of the name: steps=3; exec=launches|streams|graph|
// streams_graph (launches); optimizer=sgd|rmsprop|adam (sgd with momentum 0.9; Keras's rates); ls, label smoothing (0);
// regularized=0|1 (1): dropout and drop-connect.
//
// Inputs: images, labels, initial parameters (Keras's initializers from Philox streams). Outputs in METHOD section 11's
// order: the loss of each step, parameters, slots, moving statistics.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/op.hpp"
#include "kernels/selection/selection.hpp"
#include "models/step_problem.hpp"
#include "models/training.hpp"

namespace detbench {

/// Steps per enqueue() when the option "steps" is not given; 3 let a difference grow through weights, slots and statistics.
inline constexpr int default_train_steps = 3;

/// Policies that are made from measurements. Their selections are asked for when a case is offered or planned; a policy
/// that cannot be had now (nothing was measured) is offered as unsupported with the reason.
struct PolicySource {
  std::vector<std::string> names;  ///< "fastest", "fastest_observed:run_to_run", ...
  std::function<Result<Selection>(const std::string& policy, const Network& network, std::int64_t batch, const std::string& types, Device& device)> select;
};

/// The selection of a policy for a network: built in (models/policies.hpp) or from `source`.
Result<Selection> select_policy(const std::string& policy, const PolicySource& source, const Network& network, std::int64_t batch, const std::string& types,
                                const Registry& kernels, Device& device);
/// Built-in policies and those of `source`, in the order in which reports list them.
std::vector<std::string> policy_names(const PolicySource& source);

/// How a network's images are filled: uniform in [-1, 1) as preprocess_input makes them, or in [-128, 128) where the
/// network's first layer scales images of bytes.
FillSpec image_fill(const Network& network, std::uint64_t seed);

/// What a train step's options say.
struct TrainStepOptions {
  int steps = default_train_steps;
  Execution execution = Execution::launches;
  TrainingSpec spec;
};
/// Masks come from seed 1 whatever the inputs' seed: a plan is made without knowing its inputs.
Result<TrainStepOptions> parse_train_step_options(const Options& options, const std::string& types);

/// One operation per family of models. `kernels` answers the ops; nullptr: make_network_registry().
///
/// What verification can say. A train step amplifies roundings: an element next to a kink of ReLU6 that falls to the other
/// side changes its gradient by all of it, and batch norm over few pixels spreads that (facts: 0.1 % of the gradient's norm
/// from summation order alone; measured here: 0.002 to 1 % in the first update, and up to a half after three). So no bound
/// follows from unit roundoffs, and after several steps the weights say nothing about correctness. Held against the fp64
/// network are: the first loss, which is the forward alone; the second loss, which is the first update as the loss sees it;
/// and, with steps=1, all parameters. Everything must be finite. That the single ops are right is verified where each is
/// swept; that their gradients fit together is what this shows (tests/models/train_step_test.cpp breaks one and looks).
/// Networks of more than reference_macs multiply-adds in a forward pass are only checked for finite numbers.
std::vector<std::unique_ptr<Operation>> make_train_step_operations(const PolicySource& source, std::shared_ptr<const Registry> kernels = nullptr);

/// The fp64 network takes about a second per 10^9 of these and pass; 2 * 10^10 are a minute.
inline constexpr double reference_macs = 2e10;

struct TrainStepTolerance {
  double first_loss = 1e-3;   ///< |loss_0 - ref_0| / ref_0
  double second_loss = 0.25;  ///< |loss_1 - ref_1| / |ref_0 - ref_1|
  double update = 0.05;       ///< ||w_1 - ref_1|| / ||ref_1 - w_0||, over all parameters together
};
/// By types: strict f32; TF32 multiplies with 10 bits of mantissa, 16-bit storage rounds every activation.
TrainStepTolerance train_step_tolerance(const std::string& types);

}  // namespace detbench
