// Keras's optimizers (keras/src/optimizers/{sgd,rmsprop,adam}.py): one op that updates all parameters of a network.
// With g the gradient, w the weights, r the learning rate; slots start at zero:
//   sgd      momentum 0: w -= g*r. Else v = v*momentum - g*r; w += v, or with nesterov w += v*momentum - g*r
//   rmsprop  v = rho*v + (1-rho)*g^2; step = r*g / sqrt(v + epsilon); centered: a = rho*a + (1-rho)*g, and the root is that of
//            v - a^2 + epsilon; momentum > 0: m = momentum*m + step, w -= m; else w -= step
//   adam     m += (g - m)*(1-beta1); v += (g^2 - v)*(1-beta2); amsgrad: u = max(u, v), which then stands for v;
//            w -= m*alpha / (sqrt(v) + epsilon), alpha = r*sqrt(1 - beta2^t)/(1 - beta1^t) in step t = 1, 2, ...
// Weight decay, where it is set: w -= (w*decay)*r before the update. All in f32, every operation rounded, in the order of
// update.hpp; constants are Python floats in Keras: computed in f64, rounded to f32 once.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/op.hpp"

namespace detbench {

struct OptimizerSpec {
  enum Kind { sgd, rmsprop, adam };
  Kind kind = sgd;
  double momentum = 0;     ///< sgd, rmsprop
  bool nesterov = false;   ///< sgd with momentum
  double rho = 0.9;        ///< rmsprop
  double epsilon = 1e-7;   ///< rmsprop, adam; above 0
  double beta1 = 0.9, beta2 = 0.999;  ///< adam
  bool centered = false;   ///< rmsprop
  bool amsgrad = false;    ///< adam
  double weight_decay = 0;
};

/// The reason when a number lies outside its range.
Status check(const OptimizerSpec& spec);

/// State per weight. Names in the order in which plans take them: sgd "velocity"; rmsprop "velocity", "momentum",
/// "average_gradient"; adam "momentum", "velocity", "velocity_hat"; those that the spec has.
std::vector<std::string> optimizer_slot_names(const OptimizerSpec& spec);
int optimizer_slots(const OptimizerSpec& spec);

/// Two numbers per step: the learning rate and, for adam, alpha (else the learning rate again). Powers of f32(beta) by
/// repeated multiplication in f64, rounded to f32; then r * sqrt(1 - p2) / (1 - p1) in f32 from left to right, as Keras has
/// it. Keras's own powers are those of its backend's f32 library: a few units in the last place apart.
std::vector<float> rate_table(const OptimizerSpec& spec, const std::vector<double>& learning_rates);

/// All parameters in one op. `elements` counts padding too: memory is taken as it lies, and padding that is zero in
/// gradient, weights and slots stays zero. Every tensor is a vector. `decayed`: which tensors weight decay is for.
/// Inputs: gradients (n), weights (n), slots (slot-major: all first slots, then all second ones), `rates` f32
/// [2*table_steps] from rate_table(), `step` i32 [1], the index into it; a step past the table uses its last entry; and if
/// `loss_scaled` `loss_scale` f32 [1], by which gradients are divided, and `finite` i32 [1]: where it is 0, weights and slots
/// stay as they are. Outputs: weights, slots; they may be the inputs' memory.
Result<std::unique_ptr<Plan>> plan_optimizer(const std::vector<std::int64_t>& elements, const std::vector<bool>& decayed, const OptimizerSpec& spec,
                                             bool loss_scaled, std::int64_t table_steps, Device& device);

/// The swept operations sgd_momentum, rmsprop and adam: one vector, one step.
///   (gradient, weights, slots) -> (weights, slots)
/// Shape "n1677128", then what differs from the defaults, in this order: lr (learning rate: 0.01; rmsprop and adam 0.001), m
/// (momentum: 0.9; rmsprop 0), nesterov (0 or 1), rho, eps, betaone, betatwo, t (adam: the step, 1 to 100000), centered, amsgrad
/// (0 or 1), wd (weight decay): "n1677128_lr0.016_m0.9_eps0.001". Types f32_f32_strict, layout "vector".
std::vector<std::unique_ptr<Operation>> make_optimizer_operations();

/// What sgd_momentum is swept with where its shape says nothing else.
struct SgdRates {
  double learning_rate = 0.01;  ///< Keras's default
  double momentum = 0.9;
};

}  // namespace detbench
