// The same networks in fp64, slow and plain: what the train step is held against. It shares the description of the
// network and no code of the kernels.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/optimizer/optimizer.hpp"
#include "models/network.hpp"

namespace detbench {

/// Parameters in the order of Network::parameters(), canonical; moving mean and variance per batch norm.
struct ReferenceState {
  std::vector<std::vector<double>> parameters, velocities, moving;
  double loss = 0;
};

class ReferenceNetwork {
 public:
  /// Images (N,H,W,C) canonical, labels (N).
  ReferenceNetwork(const Network& network, std::int64_t batch, std::vector<double> images, std::vector<std::int32_t> labels);

  double loss(const std::vector<std::vector<double>>& parameters);
  /// Gradients of all parameters; returns the loss. The batch's statistics are those of this call.
  double gradients(const std::vector<std::vector<double>>& parameters, std::vector<std::vector<double>>& gradients);
  /// One step of SGD with momentum, moving statistics included.
  void step(ReferenceState& state, const SgdRates& rates);
  /// Velocities 0, moving means 0, moving variances 1.
  ReferenceState initial_state(std::vector<std::vector<double>> parameters) const;

 private:
  using Values = std::vector<double>;
  void forward(const std::vector<Values>& parameters);
  std::int64_t count(const ImageSize& s) const { return batch_ * s.height * s.width * s.channels; }

  const Network network_;
  const std::int64_t batch_;
  std::vector<std::int32_t> labels_;
  std::vector<int> first_parameter_;         ///< by layer
  std::vector<Values> tensors_;              ///< 0: images; i + 1: output of layer i
  std::vector<Values> means_, variances_;    ///< by layer
  Values softmax_;
  double loss_ = 0;
};

}  // namespace detbench
