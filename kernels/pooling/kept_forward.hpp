// A backward pass with the forward pass whose answers it takes: reset() runs the forward, untimed, and leaves what a training
// step would have kept in the workspace.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "kernels/simple_operation.hpp"

namespace detbench::pooling {

class KeptForwardPlan final : public Plan {
 public:
  /// `inputs` are the operation's own. Either plan finds each of its inputs by role: among these, then among the forward's
  /// outputs.
  KeptForwardPlan(std::vector<TensorSpec> inputs, std::unique_ptr<Plan> forward, std::unique_ptr<Plan> backward)
      : inputs_(std::move(inputs)), forward_(std::move(forward)), backward_(std::move(backward)) {}
  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return backward_->outputs(); }
  std::size_t workspace_bytes() const override { return kept_bytes() + std::max(forward_->workspace_bytes(), backward_->workspace_bytes()); }
  int sm_count_target() const override { return backward_->sm_count_target(); }
  bool needs_reset() const override { return true; }
  std::map<std::string, std::string> notes() const override { return backward_->notes(); }

  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, Stream& stream) override {
    if (auto s = matches_specs(inputs, inputs_, "inputs"); !s) return tl::unexpected(s.error());
    if (workspace.bytes < workspace_bytes())
      return invalid_input("the plan wants a workspace of " + std::to_string(workspace_bytes()) + " bytes, got " + std::to_string(workspace.bytes));
    std::vector<Tensor> known(inputs.begin(), inputs.end()), kept;
    auto* next = static_cast<std::byte*>(workspace.data);
    for (const TensorSpec& spec : forward_->outputs()) {
      kept.push_back({spec, {next, spec.bytes()}});
      known.push_back(kept.back());
      next += align_up(spec.bytes());
    }
    const Region scratch{next, workspace.bytes - kept_bytes()};
    auto forward = bind_by_role(*forward_, known, kept, scratch, stream);
    if (!forward) return forward;
    auto backward = bind_by_role(*backward_, known, outputs, scratch, stream);
    if (!backward) return backward;
    return std::make_unique<FunctionOp>([op = std::shared_ptr<Op>(std::move(*backward))] { return op->enqueue(); },
                                        [op = std::shared_ptr<Op>(std::move(*forward))] { return op->enqueue(); });
  }

 private:
  static std::size_t align_up(std::size_t bytes) { return (bytes + 255) / 256 * 256; }
  std::size_t kept_bytes() const {
    std::size_t bytes = 0;
    for (const TensorSpec& spec : forward_->outputs()) bytes += align_up(spec.bytes());
    return bytes;
  }
  static Result<std::unique_ptr<Op>> bind_by_role(Plan& plan, const std::vector<Tensor>& known, std::span<const Tensor> outputs, Region scratch,
                                                  Stream& stream) {
    std::vector<Tensor> inputs;
    for (const TensorSpec& spec : plan.inputs()) {
      const auto found = std::find_if(known.begin(), known.end(), [&](const Tensor& t) { return t.spec.role == spec.role; });
      if (found == known.end()) return failure("a backward pass asks for '" + spec.role + "', which its forward pass does not keep");
      inputs.push_back({spec, found->region});
    }
    return plan.bind(inputs, outputs, scratch, stream);
  }
  std::vector<TensorSpec> inputs_;
  std::unique_ptr<Plan> forward_, backward_;
};

}  // namespace detbench::pooling
