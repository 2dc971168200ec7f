// The same networks in fp64, slow and plain: what the train step is held against. It shares the description of the
// network and no code of the kernels; of dropout it shares the random numbers, because masks are part of the question.
#pragma once

#include <cstdint>
#include <vector>

#include "models/network.hpp"
#include "models/training_spec.hpp"

namespace detbench {

/// Parameters in the order of Network::parameters(), canonical; slots slot-major (all first slots, then all second ones,
/// in the order of optimizer_slot_names), none before the first step; moving mean and variance per batch norm.
struct ReferenceState {
  std::vector<std::vector<double>> parameters, slots, moving;
  std::int64_t steps = 0;  ///< done so far
  double loss = 0;         ///< of the last step, before its update
};

/// What each dropout layer multiplies by: 0 or 1/(1-rate) per element (N,H,W,C), by layer; empty: nothing is dropped.
using DropoutFactors = std::vector<std::vector<double>>;
/// The factors of a step, counted from 0: element i is dropped when word i % 4 of Philox(i / 4, call = step) under the key of
/// the layer's stream ("dropout/<layer>", "drop_connect/<layer>"; models/seeds.hpp) lies below floor(rate 2^32); with
/// whole_samples i is the sample's number. What stays is multiplied by 1 / (1 - rate) rounded to f32.
DropoutFactors dropout_factors(const Network& network, std::int64_t batch, const Seeds& seeds, std::int64_t step);

class ReferenceNetwork {
 public:
  /// Images (N,H,W,C) canonical, labels (N).
  ReferenceNetwork(const Network& network, std::int64_t batch, std::vector<double> images, std::vector<std::int32_t> labels);

  /// For loss() and gradients(); step() takes both from its spec. At first nothing is smoothed and nothing dropped.
  void set_label_smoothing(double smoothing) { smoothing_ = smoothing; }
  void set_dropout(DropoutFactors factors) { factors_ = std::move(factors); }

  double loss(const std::vector<std::vector<double>>& parameters);
  /// Gradients of all parameters; returns the loss. The batch's statistics are those of this call.
  double gradients(const std::vector<std::vector<double>>& parameters, std::vector<std::vector<double>>& gradients);
  /// What inference makes of the images: logits (N,K) with the moving statistics, nothing dropped.
  const std::vector<double>& logits(const ReferenceState& state);
  /// What a layer made in the last call, (N,H,W,C).
  const std::vector<double>& output(int layer) const { return tensors_[layer + 1]; }

  /// One step of training as the spec says, in fp64 whatever its types: label smoothing, dropout, weight decay, optimizer
  /// (formulas of kernels/optimizer/optimizer.hpp), moving statistics.
  void step(ReferenceState& state, const TrainingSpec& spec);
  /// The loss that the next step() would report.
  double next_loss(const ReferenceState& state, const TrainingSpec& spec);
  /// Moving means 0, moving variances 1.
  ReferenceState initial_state(std::vector<std::vector<double>> parameters) const;

 private:
  using Values = std::vector<double>;
  /// `moving` nullptr: training, with the batch's statistics.
  void forward(const std::vector<Values>& parameters, const std::vector<Values>* moving = nullptr);
  void forward_batch_norm(std::size_t layer, const Values& gamma, const Values& beta, const Values* moving);
  void forward_loss(std::size_t layer);
  void backward_batch_norm(std::size_t layer, const Values& gamma, const Values& beta, const Values& dy, Values& dgamma, Values& dbeta, Values* dx);
  void prepare(const TrainingSpec& spec, std::int64_t step);
  void update(ReferenceState& state, const std::vector<Values>& gradients, const TrainingSpec& spec) const;
  std::int64_t count(const ImageSize& s) const { return batch_ * s.height * s.width * s.channels; }

  const Network network_;
  const std::int64_t batch_;
  std::vector<std::int32_t> labels_;
  double smoothing_ = 0;
  DropoutFactors factors_;
  std::vector<int> first_parameter_;         ///< by layer
  std::vector<Values> tensors_;              ///< 0: images; i + 1: output of layer i
  std::vector<Values> means_, variances_;    ///< by layer
  Values softmax_;
  double loss_ = 0;
};

}  // namespace detbench
