#include "models/training.hpp"

#include <algorithm>
#include <chrono>

#include "kernels/training/loss_scale.hpp"

namespace detbench {
namespace {

using Clock = std::chrono::steady_clock;
double seconds(Clock::duration d) { return std::chrono::duration<double>(d).count(); }

tl::unexpected<Reason> in_op(const OpInfo& info, const Reason& reason) { return tl::unexpected(Reason{info.layer + " " + info.op + ": " + reason.text, reason.kind}); }

/// What a step keeps beside the tensors that its caller sees, in the order in which the program wants them.
std::vector<TensorSpec> state_of(const TrainProgram& p) {
  std::vector<TensorSpec> specs{p.rates_spec, p.loss, p.step};
  specs.insert(specs.end(), p.scaling.begin(), p.scaling.end());
  return specs;
}
std::size_t aligned_state_bytes(const TensorSpec& spec) { return (spec.bytes() + 63) / 64 * 64; }

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

}  // namespace

std::string_view to_text(Execution execution) {
  switch (execution) {
    case Execution::streams: return "streams";
    case Execution::graph: return "graph";
    case Execution::streams_graph: return "streams_graph";
    case Execution::launches: break;
  }
  return "launches";
}

std::optional<Execution> parse_execution(std::string_view text) {
  for (auto execution : all_executions)
    if (to_text(execution) == text) return execution;
  return std::nullopt;
}

Status TrainStepOp::run_ops() {
  const bool ordered = streams_.size() > 1;
  if (ordered) {
    if (auto s = stream_.record(*begun_); !s) return s;
    if (auto s = side_->wait_for(*begun_); !s) return s;
  }
  for (std::size_t i = 0; i < ops_.size(); ++i) {
    auto& bound = ops_[i];
    for (int other : bound.waits_for)
      if (auto s = streams_[bound.stream]->wait_for(*done_[other]); !s) return s;
    if (auto s = bound.op->enqueue(); !s) return in_op(*bound.info, s.error());
    if (done_[i])
      if (auto s = streams_[bound.stream]->record(*done_[i]); !s) return s;
  }
  if (!ordered) return {};
  if (auto s = side_->record(*side_done_); !s) return s;
  return stream_.wait_for(*side_done_);
}

Status TrainStepOp::run_observed() {
  const bool events = device_.kind() != DeviceKind::cpu;
  for (auto& bound : ops_) {
    auto& stream = *streams_[bound.stream];
    const auto begin = Clock::now();
    if (events)
      if (auto s = stream.record(*timer_begin_); !s) return s;
    if (auto s = bound.op->enqueue(); !s) return in_op(*bound.info, s.error());
    double elapsed_s = seconds(Clock::now() - begin);
    if (events) {
      if (auto s = stream.record(*timer_end_); !s) return s;
      if (auto s = stream.wait(); !s) return in_op(*bound.info, s.error());
      auto between = timer_end_->seconds_since(*timer_begin_);
      if (!between) return tl::unexpected(between.error());
      elapsed_s = *between;
    }
    observer_->after({*bound.info, bound.outputs, elapsed_s});
  }
  return {};
}

Status TrainStepOp::step() {
  if (observer_) return run_observed();
  return graph_ ? graph_->enqueue(stream_) : run_ops();
}

Status TrainStepOp::enqueue() {
  for (int k = 0; k < steps_; ++k) {
    if (auto s = step(); !s) return s;
    const Region slot{static_cast<float*>(losses_.region.data) + k, sizeof(float)};
    if (auto s = device_.copy(slot, current_loss_.region, stream_); !s) return s;
  }
  return {};
}

Result<double> TrainStepOp::current_loss() {
  float loss = 0;
  if (auto s = device_.copy_to_host(&loss, current_loss_.region, stream_); !s) return tl::unexpected(s.error());
  return static_cast<double>(loss);
}

Status TrainStepOp::reset() {
  const auto constant = [&](const Tensor& tensor, double value) { return device_.fill(tensor, FillSpec{FillSpec::Kind::constant, 0, "", value, 1, 1.0}, stream_); };
  for (std::size_t p = 0; p < initial_.size(); ++p) {
    const std::size_t bytes = initial_[p].spec.bytes();
    if (auto s = device_.copy({parameters_[p].region.data, bytes}, {initial_[p].region.data, bytes}, stream_); !s) return s;
  }
  for (const auto& slot : slots_)
    if (auto s = constant(slot, 0); !s) return s;
  for (std::size_t m = 0; m < moving_.size(); ++m)  // mean, variance, mean, variance, ...
    if (auto s = constant(moving_[m], m % 2 == 0 ? 0 : 1); !s) return s;
  if (!scaling_.empty())
    if (auto s = constant(scaling_[0], initial_loss_scale); !s) return s;
  const std::int32_t zero = 0;
  for (const auto* counter : {&step_, scaling_.empty() ? nullptr : &scaling_[1]})
    if (counter != nullptr)
      if (auto s = device_.copy_from_host(counter->region, &zero, stream_); !s) return s;
  return device_.copy_from_host(rates_.region, program_->rates.data(), stream_);
}

Status TrainStepOp::prepare_execution(Execution execution) {
  done_.resize(ops_.size());
  const auto event = [&](std::unique_ptr<Event>& target) -> Status {
    auto made = device_.make_event();
    if (!made) return tl::unexpected(made.error());
    target = std::move(*made);
    return {};
  };
  for (auto* e : {&begun_, &side_done_, &timer_begin_, &timer_end_})
    if (auto s = event(*e); !s) return s;
  for (const auto& bound : ops_)
    for (int other : bound.waits_for)
      if (!done_[other])
        if (auto s = event(done_[other]); !s) return s;
  if (execution != Execution::graph && execution != Execution::streams_graph) return {};
  if (device_.kind() == DeviceKind::cpu) return unsupported("a CPU captures no graph of launches");
  // Kernels and library plans load when they first run, which a capture does not allow. What the tensors hold now does
  // not matter: reset() comes before the first step that counts.
  if (auto s = run_ops(); !s) return s;
  if (auto s = stream_.wait(); !s) return s;
  if (auto s = stream_.begin_capture(); !s) return s;
  const auto enqueued = run_ops();
  auto captured = stream_.end_capture();
  if (!enqueued) return enqueued;
  if (!captured) return tl::unexpected(captured.error());
  graph_ = std::move(*captured);
  return {};
}

TrainStepPlan::TrainStepPlan(TrainProgram program, int steps, Device& device, Execution execution)
    : program_(std::make_shared<const TrainProgram>(std::move(program))), steps_(steps), device_(device), execution_(execution) {
  const auto& p = *program_;
  inputs_ = {p.images, p.labels};
  inputs_.insert(inputs_.end(), p.parameters.begin(), p.parameters.end());
  outputs_ = {{"loss", DataType::f32, {steps_}, canonical_layout({steps_})}};
  for (const auto* list : {&p.parameters, &p.slots, &p.moving}) outputs_.insert(outputs_.end(), list->begin(), list->end());
}

/// The arena, then the step's small state, each on a cache line of its own.
std::size_t TrainStepPlan::workspace_bytes() const {
  std::size_t bytes = program_->program.arena_bytes();
  for (const auto& spec : state_of(*program_)) bytes += aligned_state_bytes(spec);
  return bytes;
}

std::size_t TrainStepPlan::memory_bytes() const {
  std::size_t bytes = workspace_bytes();
  for (const auto* specs : {&inputs_, &outputs_})
    for (const auto& s : *specs) bytes += s.bytes();
  return bytes;
}

std::map<std::string, std::string> TrainStepPlan::notes() const {
  const auto infos = ops();
  const auto reorders = std::count_if(infos.begin(), infos.end(), [](const OpInfo& i) { return i.op == "reorder"; });
  return {{"ops", std::to_string(infos.size())},
          {"reorders", std::to_string(reorders)},
          {"fallbacks", std::to_string(program_->fallbacks)},
          {"arena_bytes", std::to_string(program_->program.arena_bytes())},
          {"arena_bytes_unshared", std::to_string(program_->program.unshared_bytes())},
          {"memory_bytes", std::to_string(memory_bytes())}};
}

Result<std::unique_ptr<Op>> TrainStepPlan::bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, Stream& stream) {
  if (inputs.size() != inputs_.size() || outputs.size() != outputs_.size())
    return invalid_input("a train step wants " + std::to_string(inputs_.size()) + " inputs and " + std::to_string(outputs_.size()) + " outputs, got " +
                         std::to_string(inputs.size()) + " and " + std::to_string(outputs.size()));
  for (const auto& [tensors, specs] : {std::pair{inputs, &inputs_}, {outputs, &outputs_}})
    for (std::size_t i = 0; i < tensors.size(); ++i)
      if (tensors[i].region.bytes < (*specs)[i].bytes()) return invalid_input("'" + (*specs)[i].role + "' is smaller than its " + std::to_string((*specs)[i].bytes()) + " bytes");
  if (workspace.bytes < workspace_bytes()) return invalid_input("a train step wants a workspace of " + std::to_string(workspace_bytes()) + " bytes, got " + std::to_string(workspace.bytes));
  const auto& p = *program_;
  std::unique_ptr<TrainStepOp> op(new TrainStepOp(device_, stream));
  op->program_ = program_;
  op->steps_ = steps_;
  op->images_ = inputs[0], op->labels_ = inputs[1];
  op->losses_ = outputs[0];
  auto* at = static_cast<std::byte*>(workspace.data) + p.program.arena_bytes();
  std::vector<Tensor> state;
  for (const auto& spec : state_of(p)) {
    state.push_back({spec, {at, spec.bytes()}});
    at += aligned_state_bytes(spec);
  }
  op->rates_ = state[0], op->current_loss_ = state[1], op->step_ = state[2];
  op->scaling_.assign(state.begin() + 3, state.end());
  op->initial_.assign(inputs.begin() + 2, inputs.end());
  auto output = outputs.begin() + 1;
  for (const auto& [target, specs] : {std::pair{&op->parameters_, &p.parameters}, {&op->slots_, &p.slots}, {&op->moving_, &p.moving}}) {
    target->assign(output, output + static_cast<std::ptrdiff_t>(specs->size()));
    output += static_cast<std::ptrdiff_t>(specs->size());
  }
  std::vector<Tensor> externals{inputs[0], inputs[1]};
  externals.insert(externals.end(), state.begin(), state.end());
  externals.insert(externals.end(), outputs.begin() + 1, outputs.end());
  op->streams_ = {&stream};
  if (p.streams > 1) {
    auto side = device_.make_stream();
    if (!side) return tl::unexpected(side.error());
    op->side_ = std::move(*side);
    op->streams_.push_back(op->side_.get());
  }
  auto bound = p.program.bind(externals, {workspace.data, p.program.arena_bytes()}, op->streams_);
  if (!bound) return tl::unexpected(bound.error());
  op->ops_ = std::move(*bound);
  op->memory_bytes_ = memory_bytes();
  if (auto s = op->prepare_execution(execution_); !s) return tl::unexpected(s.error());
  return op;
}

Status fits_in_memory(std::size_t needed, Device& device) {
  const auto available = device.available_memory_bytes();
  if (!available || needed <= *available) return {};
  const auto mib = [](std::uint64_t bytes) { return std::to_string((bytes + (1U << 20) - 1) >> 20) + " MiB"; };
  return failure("needs " + mib(needed) + ", " + mib(*available) + " are left on this device: " + mib(needed - *available) + " too little", Reason::Kind::out_of_memory);
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
      auto loss = op.current_loss();
      if (!loss) return tl::unexpected(loss.error());
      profile.loss.push_back(*loss);
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
