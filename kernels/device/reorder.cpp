#include "kernels/device/reorder.hpp"

#include <cstring>

#include "kernels/device/onednn.hpp"

namespace detbench {
namespace {

constexpr std::size_t alignment = 64;
std::size_t aligned(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

/// Offset of an element = sum over dimensions of table[d][index[d]]: strides and inner blocks alike depend on one index
/// each, so a layout of any kind is a sum of tables.
using OffsetTables = std::array<std::vector<std::int64_t>, max_rank>;

OffsetTables tables_of(const TensorSpec& spec) {
  OffsetTables tables;
  for (std::size_t d = 0; d < max_rank; ++d) {
    const std::int64_t size = d < spec.shape.size() ? spec.shape[d] : 1;
    tables[d].assign(static_cast<std::size_t>(size), 0);
    if (d >= spec.shape.size()) continue;
    std::array<std::int64_t, max_rank> index{};
    for (std::int64_t i = 0; i < size; ++i) {
      index[d] = i;
      tables[d][static_cast<std::size_t>(i)] = spec.layout.offset(index.data());
    }
  }
  return tables;
}

template <class Word>
void copy_elements(const OffsetTables& from, const OffsetTables& to, const Word* source, Word* target) {
  const auto n0 = static_cast<std::int64_t>(from[0].size()), n1 = static_cast<std::int64_t>(from[1].size());
#pragma omp parallel for collapse(2) schedule(static)
  for (std::int64_t i0 = 0; i0 < n0; ++i0)
    for (std::int64_t i1 = 0; i1 < n1; ++i1)
      for (std::size_t i2 = 0; i2 < from[2].size(); ++i2)
        for (std::size_t i3 = 0; i3 < from[3].size(); ++i3) {
          const std::int64_t f = from[0][i0] + from[1][i1] + from[2][i2] + from[3][i3];
          const std::int64_t t = to[0][i0] + to[1][i1] + to[2][i2] + to[3][i3];
          for (std::size_t i4 = 0; i4 < from[4].size(); ++i4) target[t + to[4][i4]] = source[f + from[4][i4]];
        }
}

class ReorderOp final : public Op {
 public:
  ReorderOp(const OffsetTables& from, const OffsetTables& to, Tensor source, Tensor target)
      : from_(from), to_(to), source_(std::move(source)), target_(std::move(target)) {}
  Status enqueue() override {
    // Only a padded target has elements that the copy does not write.
    if (target_.spec.layout.elements != element_count(target_.spec.shape))
      std::memset(target_.region.data, 0, target_.spec.bytes());
    switch (size_of(target_.spec.type)) {
      case 1: run<std::uint8_t>(); break;
      case 2: run<std::uint16_t>(); break;
      case 4: run<std::uint32_t>(); break;
      default: run<std::uint64_t>(); break;
    }
    return {};
  }

 private:
  template <class Word>
  void run() {
    copy_elements(from_, to_, static_cast<const Word*>(source_.region.data), static_cast<Word*>(target_.region.data));
  }
  OffsetTables from_, to_;
  Tensor source_, target_;
};

class ReorderPlan final : public Plan {
 public:
  ReorderPlan(TensorSpec from, TensorSpec to) : inputs_{std::move(from)}, outputs_{std::move(to)} {}
  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region,
                                   Stream&) override {
    if (inputs.size() != 1 || outputs.size() != 1) return failure("a reorder has one input and one output");
    return std::make_unique<ReorderOp>(tables_of(inputs_[0]), tables_of(outputs_[0]), inputs[0], outputs[0]);
  }
  std::map<std::string, std::string> notes() const override { return {{"implementation", "own"}}; }

 private:
  std::vector<TensorSpec> inputs_, outputs_;
};

Status check_pair(const TensorSpec& from, const TensorSpec& to, Device& device) {
  if (from.shape != to.shape || from.type != to.type)
    return failure("a reorder keeps shape and type: " + from.role + " and " + to.role + " differ");
  if (from.shape.size() > max_rank) return unsupported("a reorder of more than five dimensions");
  if (device.kind() != DeviceKind::cpu) return unsupported("reorders between layouts run on the CPU only");
  return {};
}

class SequenceOp final : public Op {
 public:
  SequenceOp(std::vector<std::unique_ptr<Op>> steps, std::size_t inner) : steps_(std::move(steps)), inner_(inner) {}
  Status enqueue() override {
    for (auto& step : steps_)
      if (auto status = step->enqueue(); !status) return status;
    return {};
  }
  Status reset() override { return steps_[inner_]->reset(); }

 private:
  std::vector<std::unique_ptr<Op>> steps_;
  std::size_t inner_;
};

class WithReorders final : public Plan {
 public:
  static Result<std::unique_ptr<Plan>> make(std::unique_ptr<Plan> inner, std::vector<TensorSpec> inputs,
                                            std::vector<TensorSpec> outputs, Device& device) {
    auto plan = std::unique_ptr<WithReorders>(new WithReorders);
    plan->before_.resize(inputs.size());
    plan->after_.resize(outputs.size());
    std::string moved;
    const auto add = [&](std::unique_ptr<Plan>& place, const TensorSpec& from, const TensorSpec& to) -> Status {
      if (same_layout(from, to)) return {};
      auto reorder = plan_reorder(from, to, device);
      if (!reorder) return tl::unexpected(reorder.error());
      place = std::move(*reorder);
      moved += (moved.empty() ? "" : "+") + from.role;
      return {};
    };
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (auto status = add(plan->before_[i], inputs[i], inner->inputs()[i]); !status) return tl::unexpected(status.error());
    for (std::size_t i = 0; i < outputs.size(); ++i)
      if (auto status = add(plan->after_[i], inner->outputs()[i], outputs[i]); !status) return tl::unexpected(status.error());
    if (moved.empty()) return inner;
    plan->reorders_ = moved;
    plan->inner_ = std::move(inner);
    plan->inputs_ = std::move(inputs);
    plan->outputs_ = std::move(outputs);
    return plan;
  }

  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }
  std::size_t workspace_bytes() const override {
    // Steps run one after another, so one scratch area serves all; the copies live beside it.
    std::size_t bytes = scratch_bytes();
    for (std::size_t i = 0; i < before_.size(); ++i)
      if (before_[i]) bytes += aligned(inner_->inputs()[i].bytes());
    for (std::size_t i = 0; i < after_.size(); ++i)
      if (after_[i]) bytes += aligned(inner_->outputs()[i].bytes());
    return bytes;
  }
  std::map<std::string, std::string> notes() const override {
    auto notes = inner_->notes();
    notes["reorders"] = reorders_;
    return notes;
  }

  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace,
                                   Stream& stream) override {
    if (workspace.bytes < workspace_bytes())
      return failure("the workspace holds " + std::to_string(workspace.bytes) + " bytes, the plan needs " +
                     std::to_string(workspace_bytes()));
    auto* memory = static_cast<std::byte*>(workspace.data);
    const Region scratch{memory, scratch_bytes()};
    memory += scratch.bytes;
    const auto take = [&](const TensorSpec& spec) {
      Tensor tensor{spec, {memory, spec.bytes()}};
      memory += aligned(spec.bytes());
      return tensor;
    };
    std::vector<Tensor> inner_inputs(inputs.begin(), inputs.end()), inner_outputs(outputs.begin(), outputs.end());
    std::vector<std::unique_ptr<Op>> steps;
    const auto add = [&](Plan& plan, std::span<const Tensor> in, std::span<const Tensor> out) -> Status {
      auto op = plan.bind(in, out, scratch, stream);
      if (!op) return tl::unexpected(op.error());
      steps.push_back(std::move(*op));
      return {};
    };
    for (std::size_t i = 0; i < before_.size(); ++i) {
      if (!before_[i]) continue;
      inner_inputs[i] = take(inner_->inputs()[i]);
      if (auto status = add(*before_[i], inputs.subspan(i, 1), {&inner_inputs[i], 1}); !status)
        return tl::unexpected(status.error());
    }
    for (std::size_t i = 0; i < after_.size(); ++i)
      if (after_[i]) inner_outputs[i] = take(inner_->outputs()[i]);
    const auto inner_step = steps.size();
    if (auto status = add(*inner_, inner_inputs, inner_outputs); !status) return tl::unexpected(status.error());
    for (std::size_t i = 0; i < after_.size(); ++i)
      if (after_[i])
        if (auto status = add(*after_[i], {&inner_outputs[i], 1}, outputs.subspan(i, 1)); !status)
          return tl::unexpected(status.error());
    return std::make_unique<SequenceOp>(std::move(steps), inner_step);
  }

 private:
  std::size_t scratch_bytes() const {
    std::size_t bytes = inner_->workspace_bytes();
    for (const auto* plans : {&before_, &after_})
      for (const auto& plan : *plans)
        if (plan) bytes = std::max(bytes, plan->workspace_bytes());
    return aligned(bytes);
  }
  std::unique_ptr<Plan> inner_;
  std::vector<TensorSpec> inputs_, outputs_;
  std::vector<std::unique_ptr<Plan>> before_, after_;  ///< null where the layouts agree
  std::string reorders_;
};

}  // namespace

bool same_layout(const TensorSpec& a, const TensorSpec& b) {
  return a.type == b.type && a.shape == b.shape && (a.layout == b.layout || (a.is_canonical() && b.is_canonical()));
}

Result<std::unique_ptr<Plan>> plan_own_reorder(const TensorSpec& from, const TensorSpec& to, Device& device) {
  if (auto status = check_pair(from, to, device); !status) return tl::unexpected(status.error());
  return std::make_unique<ReorderPlan>(from, to);
}

Result<std::unique_ptr<Plan>> plan_reorder(const TensorSpec& from, const TensorSpec& to, Device& device) {
  if (auto status = check_pair(from, to, device); !status) return tl::unexpected(status.error());
  if (auto plan = plan_onednn_reorder(from, to, device); plan) return plan;
  return std::make_unique<ReorderPlan>(from, to);
}

Result<std::unique_ptr<Plan>> plan_with_reorders(std::unique_ptr<Plan> inner, std::vector<TensorSpec> inputs,
                                                 std::vector<TensorSpec> outputs, Device& device) {
  if (inner->inputs().size() != inputs.size() || inner->outputs().size() != outputs.size())
    return failure("a plan with " + std::to_string(inner->inputs().size()) + " inputs was given layouts for " +
                   std::to_string(inputs.size()));
  return WithReorders::make(std::move(inner), std::move(inputs), std::move(outputs), device);
}

}  // namespace detbench
