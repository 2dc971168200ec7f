#include "kernels/convolution/padded_plan.hpp"

#include <algorithm>

#include "kernels/simple_operation.hpp"

namespace detbench {
namespace {

class PaddedOp final : public Op {
 public:
  PaddedOp(bool crop, Padding padding, Tensor image, Region padded, void* stream, std::unique_ptr<Op> inner)
      : crop_(crop), padding_(padding), image_(std::move(image)), padded_(padded), stream_(stream), inner_(std::move(inner)) {}
  Status enqueue() override {
    if (!crop_)
      if (auto s = enqueue_pad(image_.spec, padding_, image_.region.data, padded_.data, stream_); !s) return s;
    if (auto s = inner_->enqueue(); !s || !crop_) return s;
    return enqueue_crop(image_.spec, padding_, padded_.data, image_.region.data, stream_);
  }

 private:
  bool crop_;
  Padding padding_;
  Tensor image_;
  Region padded_;
  void* stream_;
  std::unique_ptr<Op> inner_;
};

class PaddedPlan final : public Plan {
 public:
  PaddedPlan(const ConvolutionProblem& asked, const SymmetricForm& form, std::unique_ptr<Plan> inner)
      : tensors_(tensors_of(asked)), form_(form), inner_(std::move(inner)), crop_(asked.direction == Direction::dgrad) {}
  const std::vector<TensorSpec>& inputs() const override { return tensors_.inputs; }
  const std::vector<TensorSpec>& outputs() const override { return tensors_.outputs; }
  std::size_t workspace_bytes() const override { return form_.workspace_bytes() + inner_->workspace_bytes(); }
  std::size_t alignment_bytes() const override { return inner_->alignment_bytes(); }
  int sm_count_target() const override { return inner_->sm_count_target(); }
  std::map<std::string, std::string> notes() const override {
    auto notes = inner_->notes();
    const auto& p = form_.by_hand;
    notes["padded"] = "top " + std::to_string(p.top) + ", bottom " + std::to_string(p.bottom) + ", left " + std::to_string(p.left) +
                      ", right " + std::to_string(p.right);
    return notes;
  }

  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, Stream& stream) override {
    if (auto s = matches_specs(inputs, tensors_.inputs, "inputs"); !s) return tl::unexpected(s.error());
    if (auto s = matches_specs(outputs, tensors_.outputs, "outputs"); !s) return tl::unexpected(s.error());
    if (workspace.bytes < workspace_bytes())
      return invalid_input("the plan wants a workspace of " + std::to_string(workspace_bytes()) + " bytes, got " + std::to_string(workspace.bytes));
    std::vector<Tensor> in(inputs.begin(), inputs.end()), out(outputs.begin(), outputs.end());
    // src is input 0 of a forward pass and of a weight gradient, diff_src output 0 of the other.
    auto& replaced = crop_ ? out[0] : in[0];
    const Tensor image = replaced;
    const Region padded{workspace.data, form_.workspace_bytes()};
    replaced = {crop_ ? inner_->outputs()[0] : inner_->inputs()[0], padded};
    const Region rest{static_cast<std::byte*>(workspace.data) + padded.bytes, workspace.bytes - padded.bytes};
    auto inner = inner_->bind(in, out, rest, stream);
    if (!inner) return inner;
    return std::make_unique<PaddedOp>(crop_, form_.by_hand, image, padded, stream.native(), std::move(*inner));
  }

 private:
  ConvolutionTensors tensors_;
  SymmetricForm form_;
  std::unique_ptr<Plan> inner_;
  bool crop_;
};

}  // namespace

std::unique_ptr<Plan> make_padded_plan(const ConvolutionProblem& asked, const SymmetricForm& form, std::unique_ptr<Plan> inner) {
  return std::make_unique<PaddedPlan>(asked, form, std::move(inner));
}

}  // namespace detbench
