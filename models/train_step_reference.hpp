// What a train step is held against: the fp64 network with the same optimizer, the same label smoothing and the same masks.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "kernels/op.hpp"
#include "models/reference_network.hpp"
#include "models/train_step.hpp"

namespace detbench {

/// The inputs of a step in canonical order and fp64.
struct StepInputs {
  std::vector<double> images;
  std::vector<std::int32_t> labels;
  std::vector<std::vector<double>> parameters;
};

class TrainStepReference final : public Reference {
 public:
  TrainStepReference(Network network, StepProblem problem, StepInputs inputs)
      : network_(std::move(network)), problem_(std::move(problem)), inputs_(std::move(inputs)) {}
  Result<Verification> check(const Algorithm& algorithm, std::span<const Tensor> outputs) const override;

 private:
  /// One fp64 step and the loss after it.
  struct Answer {
    ReferenceState after;
    double first_loss = 0, second_loss = 0, update = 0;
  };
  const Answer& answer(const TrainingSpec& spec) const;
  const Network network_;
  const StepProblem problem_;
  const StepInputs inputs_;
  mutable std::map<std::string, Answer> answers_;  ///< by the options that change it; made when first asked for
};

}  // namespace detbench
