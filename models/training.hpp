// The train step as an op: forward, loss, backward, SGD with momentum, moving statistics; and the observer that sees
// every op of it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "models/planner.hpp"

namespace detbench {

/// One op of a step, just done. References hold during the call.
struct StepEvent {
  const OpInfo& info;
  std::span<const Tensor> outputs;
  double elapsed_s;  ///< of its enqueue() alone
};

class StepObserver {
 public:
  virtual ~StepObserver() = default;
  virtual void after(const StepEvent& event) = 0;
};

/// k steps on the same images and labels per enqueue(). Weights, velocities and moving statistics go on from where the
/// last enqueue() left them; reset() puts them at the beginning: the plan's initial parameters, zero velocities, moving
/// means 0 and variances 1.
class TrainStepOp final : public Op {
 public:
  Status enqueue() override;
  Status reset() override;
  /// One step, whatever k is.
  Status step();

  /// Called after every op of every step from now on; nullptr: none, which costs one branch per op.
  void observe(StepObserver* observer) { observer_ = observer; }
  /// The loss of the last step, before its update; NaN where reading it would wait for a device.
  double current_loss() const;
  int steps() const { return steps_; }
  std::int64_t batch() const { return images_.spec.shape[0]; }
  /// Everything the step holds: arena, parameters, velocities, statistics, images.
  std::size_t memory_bytes() const { return memory_bytes_; }
  std::size_t op_count() const { return ops_.size(); }

 private:
  friend class TrainStepPlan;
  TrainStepOp(Device& device, Stream& stream) : device_(device), stream_(stream) {}
  Device& device_;
  Stream& stream_;
  std::shared_ptr<const TrainProgram> program_;
  std::vector<BoundOp> ops_;
  Tensor images_, losses_;
  Region current_loss_;
  std::vector<Tensor> initial_, parameters_, velocities_, moving_;
  int steps_ = 1;
  std::size_t memory_bytes_ = 0;
  StepObserver* observer_ = nullptr;
};

/// Inputs: images, labels, one initial tensor per parameter. Outputs, in METHOD section 11's order: "loss", one number per
/// step of an enqueue(), each before that step's update; parameters, velocities, moving statistics. The workspace is the
/// arena and the current step's loss.
class TrainStepPlan final : public Plan {
 public:
  TrainStepPlan(TrainProgram program, int steps, Device& device);
  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }
  std::size_t workspace_bytes() const override;
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, Stream& stream) override;
  /// Counts: "ops", "reorders", "fallbacks", "arena_bytes", "arena_bytes_unshared".
  std::map<std::string, std::string> notes() const override;
  std::vector<OpInfo> ops() const { return program_->program.infos(); }

 private:
  std::shared_ptr<const TrainProgram> program_;
  std::vector<TensorSpec> inputs_, outputs_;
  int steps_;
  Device& device_;
};

/// One op with its median time over the observed steps.
struct OpTime {
  std::string phase, layer, op, problem, algorithm;
  double elapsed_s = 0;
};

/// A step seen op by op.
struct StepProfile {
  std::uint32_t steps = 0;         ///< observed
  double step_s = 0;               ///< median of whole steps under the observer
  double op_s = 0;                 ///< median over the steps of the sum of their ops' times
  double reorder_s = 0;            ///< of `ops`, the reorders
  double images_per_s = 0;         ///< at step_s
  std::uint64_t memory_bytes = 0;
  std::vector<double> loss;        ///< of each observed step, from the beginning on
  std::vector<OpTime> ops;         ///< in the order of the step
  /// Share of a step spent outside the ops' own enqueue().
  double overhead() const { return step_s > 0 ? 1 - op_s / step_s : 0; }
};

/// Resets, runs one step to warm up, resets, observes `steps` steps (at least 1), and resets again.
Result<StepProfile> profile_step(TrainStepOp& op, std::uint32_t steps);

}  // namespace detbench
