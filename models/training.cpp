#include "models/training.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>

namespace detbench {
namespace {

using Clock = std::chrono::steady_clock;
double seconds(Clock::duration d) { return std::chrono::duration<double>(d).count(); }

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

}  // namespace

Status TrainStepOp::step() {
  if (!observer_) {
    for (auto& bound : ops_)
      if (auto s = bound.op->enqueue(); !s) return tl::unexpected(Reason{bound.info->layer + " " + bound.info->op + ": " + s.error().text, s.error().kind});
    return {};
  }
  for (auto& bound : ops_) {
    const auto begin = Clock::now();
    if (auto s = bound.op->enqueue(); !s) return tl::unexpected(Reason{bound.info->layer + " " + bound.info->op + ": " + s.error().text, s.error().kind});
    observer_->after({*bound.info, bound.outputs, seconds(Clock::now() - begin)});
  }
  return {};
}

Status TrainStepOp::enqueue() {
  for (int k = 0; k < steps_; ++k) {
    if (auto s = step(); !s) return s;
    const Region slot{static_cast<float*>(losses_.region.data) + k, sizeof(float)};
    if (auto s = device_.copy(slot, current_loss_, stream_); !s) return s;
  }
  return {};
}

double TrainStepOp::current_loss() const {
  // On a CPU the step is done and its loss can be read at once; elsewhere reading would wait for the device.
  float loss = std::numeric_limits<float>::quiet_NaN();
  if (device_.kind() == DeviceKind::cpu) std::memcpy(&loss, current_loss_.data, sizeof loss);
  return static_cast<double>(loss);
}

Status TrainStepOp::reset() {
  const auto constant = [](double value) { return FillSpec{FillSpec::Kind::constant, 0, "", value, 1, 1.0}; };
  for (std::size_t p = 0; p < initial_.size(); ++p) {
    const std::size_t bytes = initial_[p].spec.bytes();
    if (auto s = device_.copy({parameters_[p].region.data, bytes}, {initial_[p].region.data, bytes}, stream_); !s) return s;
  }
  for (const auto& v : velocities_)
    if (auto s = device_.fill(v, constant(0), stream_); !s) return s;
  for (std::size_t m = 0; m < moving_.size(); ++m)  // mean, variance, mean, variance, ...
    if (auto s = device_.fill(moving_[m], constant(m % 2 == 0 ? 0 : 1), stream_); !s) return s;
  return {};
}

TrainStepPlan::TrainStepPlan(TrainProgram program, int steps, Device& device)
    : program_(std::make_shared<const TrainProgram>(std::move(program))), steps_(steps), device_(device) {
  const auto& p = *program_;
  inputs_ = {p.images, p.labels};
  inputs_.insert(inputs_.end(), p.parameters.begin(), p.parameters.end());
  outputs_ = {{"loss", DataType::f32, {steps_}, canonical_layout({steps_})}};
  for (const auto* list : {&p.parameters, &p.velocities, &p.moving}) outputs_.insert(outputs_.end(), list->begin(), list->end());
}

/// The arena, then one cache line for the scalar loss.
std::size_t TrainStepPlan::workspace_bytes() const { return program_->program.arena_bytes() + 64; }

std::map<std::string, std::string> TrainStepPlan::notes() const {
  const auto infos = ops();
  const auto reorders = std::count_if(infos.begin(), infos.end(), [](const OpInfo& i) { return i.op == "reorder"; });
  return {{"ops", std::to_string(infos.size())},
          {"reorders", std::to_string(reorders)},
          {"fallbacks", std::to_string(program_->fallbacks)},
          {"arena_bytes", std::to_string(program_->program.arena_bytes())},
          {"arena_bytes_unshared", std::to_string(program_->program.unshared_bytes())}};
}

Result<std::unique_ptr<Op>> TrainStepPlan::bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, Stream& stream) {
  if (inputs.size() != inputs_.size() || outputs.size() != outputs_.size())
    return invalid_input("a train step wants " + std::to_string(inputs_.size()) + " inputs and " + std::to_string(outputs_.size()) + " outputs, got " +
                         std::to_string(inputs.size()) + " and " + std::to_string(outputs.size()));
  for (const auto& [tensors, specs] : {std::pair{inputs, &inputs_}, {outputs, &outputs_}})
    for (std::size_t i = 0; i < tensors.size(); ++i)
      if (tensors[i].region.bytes < (*specs)[i].bytes()) return invalid_input("'" + (*specs)[i].role + "' is smaller than its " + std::to_string((*specs)[i].bytes()) + " bytes");
  if (workspace.bytes < workspace_bytes()) return invalid_input("a train step wants a workspace of " + std::to_string(workspace_bytes()) + " bytes, got " + std::to_string(workspace.bytes));
  std::unique_ptr<TrainStepOp> op(new TrainStepOp(device_, stream));
  op->program_ = program_;
  op->steps_ = steps_;
  op->images_ = inputs[0];
  op->losses_ = outputs[0];
  op->current_loss_ = {static_cast<std::byte*>(workspace.data) + program_->program.arena_bytes(), sizeof(float)};
  const std::size_t n = program_->parameters.size();
  op->initial_.assign(inputs.begin() + 2, inputs.end());
  op->parameters_.assign(outputs.begin() + 1, outputs.begin() + 1 + static_cast<std::ptrdiff_t>(n));
  op->velocities_.assign(outputs.begin() + 1 + static_cast<std::ptrdiff_t>(n), outputs.begin() + 1 + static_cast<std::ptrdiff_t>(2 * n));
  op->moving_.assign(outputs.begin() + 1 + static_cast<std::ptrdiff_t>(2 * n), outputs.end());
  std::vector<Tensor> externals{inputs[0], inputs[1], {program_->loss, op->current_loss_}};
  externals.insert(externals.end(), outputs.begin() + 1, outputs.end());
  auto bound = program_->program.bind(externals, workspace, stream);
  if (!bound) return tl::unexpected(bound.error());
  op->ops_ = std::move(*bound);
  op->memory_bytes_ = workspace_bytes();
  for (const auto* specs : {&inputs_, &outputs_})
    for (const auto& s : *specs) op->memory_bytes_ += s.bytes();
  return op;
}

namespace {

/// Collects the time of every op of every step.
class Collector final : public StepObserver {
 public:
  void after(const StepEvent& event) override {
    if (steps_.size() == 1) infos_.push_back(&event.info);
    steps_.back().push_back(event.elapsed_s);
  }
  void begin_step(std::size_t ops) { steps_.emplace_back().reserve(ops); }
  const std::vector<std::vector<double>>& steps() const { return steps_; }
  const std::vector<const OpInfo*>& infos() const { return infos_; }

 private:
  std::vector<std::vector<double>> steps_;
  std::vector<const OpInfo*> infos_;
};

}  // namespace

Result<StepProfile> profile_step(TrainStepOp& op, std::uint32_t steps) {
  if (steps == 0) return invalid_input("a profile of 0 steps shows nothing; 1 or more do");
  Collector collector;
  StepProfile profile;
  std::vector<double> step_times, op_sums;
  const auto observed = [&]() -> Status {
    if (auto s = op.reset(); !s) return s;
    if (auto s = op.step(); !s) return s;
    if (auto s = op.reset(); !s) return s;
    op.observe(&collector);
    for (std::uint32_t k = 0; k < steps; ++k) {
      collector.begin_step(op.op_count());
      const auto begin = Clock::now();
      if (auto s = op.step(); !s) return s;
      step_times.push_back(seconds(Clock::now() - begin));
      profile.loss.push_back(op.current_loss());
    }
    return {};
  };
  const auto status = observed();
  op.observe(nullptr);
  if (!status) return tl::unexpected(status.error());
  if (auto s = op.reset(); !s) return tl::unexpected(s.error());
  for (const auto& one : collector.steps()) {
    double sum = 0;
    for (double t : one) sum += t;
    op_sums.push_back(sum);
  }
  for (std::size_t i = 0; i < collector.infos().size(); ++i) {
    std::vector<double> times;
    for (const auto& one : collector.steps()) times.push_back(one[i]);
    const auto& info = *collector.infos()[i];
    profile.ops.push_back({info.phase, info.layer, info.op, info.problem, info.algorithm, median(std::move(times))});
    if (info.op == "reorder") profile.reorder_s += profile.ops.back().elapsed_s;
  }
  profile.steps = steps;
  profile.step_s = median(step_times);
  profile.op_s = median(op_sums);
  profile.images_per_s = static_cast<double>(op.batch()) / profile.step_s;
  profile.memory_bytes = op.memory_bytes();
  return profile;
}

}  // namespace detbench
