// The plan and the op behind models/inference.hpp: a forward program, and where batch norm is folded the folding of the
// weights that comes before it.
#pragma once

#include <memory>
#include <vector>

#include "models/fold.hpp"
#include "models/planner.hpp"

namespace detbench {

class InferencePlan final : public Plan {
 public:
  /// `program` runs `folded`'s network, or `network` itself where that is null; inputs are always those of `network`: images,
  /// parameters, moving statistics.
  InferencePlan(InferenceProgram program, std::shared_ptr<const FoldedNetwork> folded, const Network& network, Device& device);
  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }
  std::size_t workspace_bytes() const override { return program_->program.arena_bytes() + folded_bytes(); }
  /// Counts: "ops", "reorders", "fallbacks"; and bytes: "arena_bytes", "memory_bytes".
  std::map<std::string, std::string> notes() const override;
  /// Inputs, outputs and workspace: what a run needs, known before anything is allocated.
  std::size_t memory_bytes() const;
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, Stream& stream) override;

 private:
  std::size_t folded_bytes() const;
  std::shared_ptr<const InferenceProgram> program_;
  std::shared_ptr<const FoldedNetwork> folded_;
  Device& device_;
  std::vector<TensorSpec> inputs_, outputs_;
  std::size_t parameters_ = 0;
};

}  // namespace detbench
