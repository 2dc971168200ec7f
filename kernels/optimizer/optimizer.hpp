// Stochastic gradient descent with momentum, Keras's formula (keras/src/optimizers/sgd.py, 3.16.0; no Nesterov, no decay):
//   v = v*momentum - g*learning_rate;  w = w + v
//   sgd_momentum  gradient, weights, velocity -> weights, velocity (new); outputs may be the memory of the inputs
// Shape "n1677128", types f32_f32_strict, layout "vector". The operation's rates are the recorded defaults below.
#pragma once

#include <memory>
#include <vector>

#include "kernels/op.hpp"

namespace detbench {

struct SgdRates {
  double learning_rate = 0.01;  ///< Keras's default
  double momentum = 0.9;
};

std::unique_ptr<Operation> make_sgd_momentum_operation();

/// Many tensors in one op, so that small ones do not each pay for starting threads. `elements` counts padding too: memory
/// is taken as it lies, and padding that is zero in weights, velocity and gradient stays zero. Inputs: all gradients,
/// then all weights, then all velocities; outputs: all weights, then all velocities. Every tensor is a vector.
std::unique_ptr<Plan> plan_sgd_momentum(const std::vector<std::int64_t>& elements, const SgdRates& rates);

}  // namespace detbench
