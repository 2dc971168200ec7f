#include "models/inference_plan.hpp"

#include <cstring>

#include "kernels/tensor/compare.hpp"

namespace detbench {
namespace {

std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

class InferenceOp final : public Op {
 public:
  InferenceOp(Device& device, Stream& stream, std::shared_ptr<const FoldedNetwork> folded) : device_(device), stream_(stream), folded_(std::move(folded)) {}
  Status enqueue() override {
    for (auto& bound : ops)
      if (auto s = bound.op->enqueue(); !s) return tl::unexpected(Reason{bound.info->layer + " " + bound.info->op + ": " + s.error().text, s.error().kind});
    return {};
  }
  /// Folds on the host, whatever the device: the same bits everywhere.
  Status reset() override {
    if (!folded_) return {};
    std::vector<std::vector<float>> given, statistics;
    for (const auto& [from, to] : {std::pair{&parameters, &given}, {&moving, &statistics}})
      for (const auto& tensor : *from) {
        auto values = to_host(tensor);
        if (!values) return tl::unexpected(values.error());
        to->push_back(std::move(*values));
      }
    for (std::size_t p = 0; p < folded.size(); ++p)
      if (auto s = from_host(folded[p], folded_values(*folded_, p, given, statistics)); !s) return s;
    return {};
  }

  std::shared_ptr<const InferenceProgram> program;
  std::vector<BoundOp> ops;
  std::vector<Tensor> parameters, moving, folded;

 private:
  Result<std::vector<float>> to_host(const Tensor& tensor) {
    std::vector<std::byte> memory(tensor.spec.bytes()), canonical;
    if (auto s = device_.copy_to_host(memory.data(), {tensor.region.data, memory.size()}, stream_); !s) return tl::unexpected(s.error());
    gather_canonical({tensor.spec, {memory.data(), memory.size()}}, canonical);
    std::vector<float> values(canonical.size() / sizeof(float));
    std::memcpy(values.data(), canonical.data(), canonical.size());
    return values;
  }
  Status from_host(const Tensor& tensor, const std::vector<float>& values) {
    std::vector<float> memory(static_cast<std::size_t>(tensor.spec.layout.elements), 0.0f);  // padding is zero
    const auto& shape = tensor.spec.shape;
    std::vector<std::int64_t> index(shape.size(), 0);
    for (float value : values) {
      memory[static_cast<std::size_t>(tensor.spec.layout.offset(index.data()))] = value;
      for (std::size_t d = shape.size(); d-- > 0 && ++index[d] == shape[d];) index[d] = 0;
    }
    return device_.copy_from_host({tensor.region.data, tensor.spec.bytes()}, memory.data(), stream_);
  }
  Device& device_;
  Stream& stream_;
  std::shared_ptr<const FoldedNetwork> folded_;
};

}  // namespace

InferencePlan::InferencePlan(InferenceProgram program, std::shared_ptr<const FoldedNetwork> folded, const Network& network, Device& device)
    : program_(std::make_shared<const InferenceProgram>(std::move(program))), folded_(std::move(folded)), device_(device) {
  inputs_ = {program_->images};
  if (!folded_) {
    inputs_.insert(inputs_.end(), program_->parameters.begin(), program_->parameters.end());
    inputs_.insert(inputs_.end(), program_->moving.begin(), program_->moving.end());
    parameters_ = program_->parameters.size();
  } else {
    const auto plain = [](std::string role, Shape shape) { return TensorSpec{std::move(role), DataType::f32, shape, canonical_layout(shape)}; };
    for (const auto& p : network.parameters()) inputs_.push_back(plain(p.name, p.shape));
    parameters_ = inputs_.size() - 1;
    for (const auto& l : network.layers)
      if (l.kind == LayerKind::batch_norm)
        for (const char* role : {"/moving_mean", "/moving_variance"}) inputs_.push_back(plain(l.name + role, {l.out.channels}));
  }
  outputs_ = {program_->logits};
}

std::map<std::string, std::string> InferencePlan::notes() const {
  std::size_t reorders = 0;
  const auto infos = program_->program.infos();
  for (const auto& info : infos) reorders += info.op == "reorder";
  return {{"ops", std::to_string(infos.size())}, {"reorders", std::to_string(reorders)}, {"fallbacks", std::to_string(program_->fallbacks)},
          {"arena_bytes", std::to_string(program_->program.arena_bytes())}, {"memory_bytes", std::to_string(memory_bytes())}};
}

std::size_t InferencePlan::memory_bytes() const {
  std::size_t bytes = workspace_bytes();
  for (const auto* specs : {&inputs_, &outputs_})
    for (const auto& s : *specs) bytes += s.bytes();
  return bytes;
}

Result<std::unique_ptr<Op>> InferencePlan::bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, Stream& stream) {
  if (inputs.size() != inputs_.size() || outputs.size() != 1)
    return invalid_input("inference wants " + std::to_string(inputs_.size()) + " inputs and 1 output, got " + std::to_string(inputs.size()) + " and " + std::to_string(outputs.size()));
  if (workspace.bytes < workspace_bytes()) return invalid_input("inference wants a workspace of " + std::to_string(workspace_bytes()) + " bytes, got " + std::to_string(workspace.bytes));
  auto op = std::make_unique<InferenceOp>(device_, stream, folded_);
  op->program = program_;
  const auto parameters = inputs.subspan(1, parameters_), moving = inputs.subspan(1 + parameters_);
  op->parameters.assign(parameters.begin(), parameters.end());
  op->moving.assign(moving.begin(), moving.end());
  std::vector<Tensor> externals{inputs[0], outputs[0]};
  if (folded_) {
    auto* at = static_cast<std::byte*>(workspace.data) + program_->program.arena_bytes();
    for (const auto& spec : program_->parameters) {
      op->folded.push_back({spec, {at, spec.bytes()}});
      at += aligned(spec.bytes());
    }
    externals.insert(externals.end(), op->folded.begin(), op->folded.end());
  } else {
    externals.insert(externals.end(), inputs.begin() + 1, inputs.end());
  }
  Stream* const streams[] = {&stream};
  auto bound = program_->program.bind(externals, {workspace.data, program_->program.arena_bytes()}, streams);
  if (!bound) return tl::unexpected(bound.error());
  op->ops = std::move(*bound);
  return op;
}

std::size_t InferencePlan::folded_bytes() const {
  std::size_t bytes = 0;
  if (folded_)
    for (const auto& spec : program_->parameters) bytes += aligned(spec.bytes());
  return bytes;
}

}  // namespace detbench
