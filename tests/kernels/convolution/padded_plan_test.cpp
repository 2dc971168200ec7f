// The frame around a convolution with equal pads: which memory it hands on. What is copied is pad_test.cpp's affair.
#include "kernels/convolution/padded_plan.hpp"

#include <gtest/gtest.h>

#include "shapes.hpp"

namespace detbench {
namespace {

class RecordedOp final : public Op {
 public:
  Status enqueue() override { return failure("nothing here computes"); }
};

struct Record {
  std::vector<Tensor> inputs, outputs;
  Region workspace;
};

class RecordingPlan final : public Plan {
 public:
  RecordingPlan(const ConvolutionProblem& p, Record& record) : tensors_(tensors_of(p)), record_(record) {}
  const std::vector<TensorSpec>& inputs() const override { return tensors_.inputs; }
  const std::vector<TensorSpec>& outputs() const override { return tensors_.outputs; }
  std::size_t workspace_bytes() const override { return 1000; }
  std::size_t alignment_bytes() const override { return 8; }
  int sm_count_target() const override { return 66; }
  std::map<std::string, std::string> notes() const override { return {{"engine", "1"}}; }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, Stream&) override {
    record_ = {{inputs.begin(), inputs.end()}, {outputs.begin(), outputs.end()}, workspace};
    return std::make_unique<RecordedOp>();
  }

 private:
  ConvolutionTensors tensors_;
  Record& record_;
};

TEST(PaddedPlan, HandsOnThePaddedImageInFrontOfTheInnerWorkspace) {
  auto device = make_cpu_device().value();
  auto stream = device->make_stream().value();
  int padded = 0;
  for (auto p : testing::small_shapes())
    for (const auto direction : all_directions)
      for (const auto storage : {DataType::f32, DataType::f16}) {
        p.direction = direction, p.types.storage = storage;
        const auto form = symmetric_form(p);
        if (!form.by_hand.any()) continue;
        ++padded;
        Record record;
        const auto plan = make_padded_plan(p, form, std::make_unique<RecordingPlan>(form.problem, record));
        const auto asked = tensors_of(p);
        EXPECT_EQ(plan->workspace_bytes(), form.workspace_bytes() + 1000);
        EXPECT_EQ(plan->alignment_bytes(), 8u);
        EXPECT_EQ(plan->sm_count_target(), 66);
        EXPECT_EQ(plan->notes().at("engine"), "1");
        EXPECT_TRUE(plan->notes().contains("padded"));
        std::vector<std::vector<std::byte>> memory;
        const auto tensors = [&](const std::vector<TensorSpec>& specs) {
          std::vector<Tensor> made;
          for (const auto& spec : specs) {
            memory.emplace_back(spec.bytes());
            made.push_back({spec, {memory.back().data(), memory.back().size()}});
          }
          return made;
        };
        const auto in = tensors(plan->inputs()), out = tensors(plan->outputs());
        memory.emplace_back(plan->workspace_bytes());
        const Region workspace{memory.back().data(), memory.back().size()};
        EXPECT_FALSE(plan->bind(in, out, {workspace.data, workspace.bytes - 1}, *stream));
        EXPECT_FALSE(plan->bind(out, in, workspace, *stream));
        ASSERT_TRUE(plan->bind(in, out, workspace, *stream));
        const bool crop = direction == Direction::dgrad;
        const auto& replaced = crop ? record.outputs[0] : record.inputs[0];
        EXPECT_EQ(replaced.region.data, workspace.data);
        EXPECT_EQ(replaced.region.bytes, form.workspace_bytes());
        EXPECT_EQ(replaced.spec.shape, form.problem.src_shape());
        EXPECT_GE(replaced.region.bytes, replaced.spec.bytes());
        EXPECT_EQ(record.inputs[1].region.data, in[1].region.data);
        EXPECT_EQ((crop ? record.inputs[0] : record.outputs[0]).region.data, (crop ? in[0] : out[0]).region.data);
        EXPECT_EQ(static_cast<std::byte*>(record.workspace.data), static_cast<std::byte*>(workspace.data) + form.workspace_bytes());
        EXPECT_EQ(record.workspace.bytes, 1000u);
      }
  EXPECT_GE(padded, 6);
}

}  // namespace
}  // namespace detbench
