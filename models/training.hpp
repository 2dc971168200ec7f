// The train step as an op: forward, loss, backward, moving statistics, optimizer; and the observer that sees every op of
// it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/planner.hpp"

namespace detbench {

/// One op of a step, just done. References hold during the call.
struct StepEvent {
  const OpInfo& info;
  std::span<const Tensor> outputs;
  double elapsed_s;  ///< of its enqueue() alone; on a GPU from event to event
};

class StepObserver {
 public:
  virtual ~StepObserver() = default;
  virtual void after(const StepEvent& event) = 0;
};

/// How the ops of a step reach the device. Whether they agree bit for bit is measured, not assumed.
enum class Execution {
  launches,       ///< one after the other, on one stream
  streams,        ///< gradients of weights on a second stream, ordered by events where memory demands it
  graph,          ///< one CUDA graph, captured from launches
  streams_graph,  ///< one CUDA graph, captured from streams
};
inline constexpr Execution all_executions[] = {Execution::launches, Execution::streams, Execution::graph, Execution::streams_graph};
std::string_view to_text(Execution execution);
std::optional<Execution> parse_execution(std::string_view text);
/// Streams that memory has to be planned for.
constexpr int streams_of(Execution execution) { return execution == Execution::streams || execution == Execution::streams_graph ? 2 : 1; }

/// k steps on the same images and labels per enqueue(). Weights, slots and moving statistics go on from where the last
/// enqueue() left them; reset() puts them at the beginning: the plan's initial parameters, zero slots, moving means 0 and
/// variances 1, step 0, the loss scale at its start. Whoever bound the op may overwrite images and labels between steps.
class TrainStepOp final : public Op {
 public:
  Status enqueue() override;
  Status reset() override;
  /// One step, whatever k is.
  Status step();

  /// Called after every op of every step from now on, which then runs launch by launch, each op waited for; nullptr: none,
  /// which costs one branch per step.
  void observe(StepObserver* observer) { observer_ = observer; }
  /// The loss of the last step, before its update. Waits for the device.
  Result<double> current_loss();
  int steps() const { return steps_; }
  std::int64_t batch() const { return images_.spec.shape[0]; }
  const Tensor& images() const { return images_; }
  const Tensor& labels() const { return labels_; }
  std::span<const Tensor> parameters() const { return parameters_; }
  std::span<const Tensor> moving() const { return moving_; }
  Stream& stream() { return stream_; }
  /// Everything the step holds: arena, parameters, slots, statistics, images.
  std::size_t memory_bytes() const { return memory_bytes_; }
  std::size_t op_count() const { return ops_.size(); }

 private:
  friend class TrainStepPlan;
  TrainStepOp(Device& device, Stream& stream) : device_(device), stream_(stream) {}
  Status prepare_execution(Execution execution);
  Status run_ops();
  Status run_observed();
  Device& device_;
  Stream& stream_;
  std::shared_ptr<const TrainProgram> program_;
  std::unique_ptr<Stream> side_;                 ///< the second stream
  std::vector<Stream*> streams_;
  std::vector<BoundOp> ops_;
  std::vector<std::unique_ptr<Event>> done_;     ///< by op; null where no other stream waits for it
  std::unique_ptr<Event> begun_, side_done_, timer_begin_, timer_end_;
  std::unique_ptr<CapturedWork> graph_;
  Tensor images_, labels_, losses_;
  Tensor rates_, current_loss_, step_;
  std::vector<Tensor> scaling_;
  std::vector<Tensor> initial_, parameters_, slots_, moving_;
  int steps_ = 1;
  std::size_t memory_bytes_ = 0;
  StepObserver* observer_ = nullptr;
};

/// Inputs: images, labels, one initial tensor per parameter. Outputs, in METHOD section 11's order: "loss", one number per
/// step of an enqueue(), each before that step's update; parameters, slots, moving statistics. The workspace is the arena
/// and the step's small state.
class TrainStepPlan final : public Plan {
 public:
  TrainStepPlan(TrainProgram program, int steps, Device& device, Execution execution = Execution::launches);
  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }
  std::size_t workspace_bytes() const override;
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, Stream& stream) override;
  /// Counts: "ops", "reorders", "fallbacks"; and bytes: "arena_bytes", "arena_bytes_unshared", "memory_bytes".
  std::map<std::string, std::string> notes() const override;
  std::vector<OpInfo> ops() const { return program_->program.infos(); }
  const TrainProgram& program() const { return *program_; }
  /// Inputs, outputs and workspace: what a step needs, known before anything is allocated.
  std::size_t memory_bytes() const;

 private:
  std::shared_ptr<const TrainProgram> program_;
  std::vector<TensorSpec> inputs_, outputs_;
  int steps_;
  Device& device_;
  Execution execution_;
};

/// A reason of kind `out_of_memory` when `needed` bytes are more than the device has left, saying both and by how much.
Status fits_in_memory(std::size_t needed, Device& device);

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
