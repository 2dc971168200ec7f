// Runs train steps in tests: any network under any selection, memory poisoned first.
#pragma once

#include "kernels/tensor/compare.hpp"
#include "models/initializers.hpp"
#include "models/train_step.hpp"
#include "tests/kernels/plan_runner.hpp"
#include "tests/models/small_networks.hpp"

namespace detbench::testing {

class StepRunner {
 public:
  StepRunner(const Network& network, std::int64_t batch, const Selection& selection, int steps, int threads, std::uint64_t seed,
             Poison poison = Poison::nan_pattern, const TrainingSpec& spec = {})
      : runner_(threads), registry_(make_network_registry()) {
    auto program = plan_train_program(network, batch, selection, spec, *registry_, runner_.device());
    if (!program) {
      error = program.error().text;
      return;
    }
    plan_ = std::make_unique<TrainStepPlan>(std::move(*program), steps, runner_.device());
    const auto parameters = network.parameters();
    for (std::size_t i = 0; i < plan_->inputs().size(); ++i) {
      FillSpec fill = image_fill(network, seed);
      if (i == 1) fill = {FillSpec::Kind::index, seed, "labels", 1.0, network.classes, 1.0};
      if (i >= 2) fill = initial_fill(network, parameters[i - 2], seed);
      inputs.push_back(runner_.filled(plan_->inputs()[i], fill));
    }
    for (const auto& spec : plan_->outputs()) {
      outputs.push_back(runner_.allocate(spec));
      EXPECT_TRUE(runner_.device().poison(outputs.back().region, poison, 1, runner_.stream()));
    }
    const auto bytes = static_cast<std::int64_t>(plan_->workspace_bytes());
    const auto arena = runner_.allocate({"workspace", DataType::u8, {bytes}, canonical_layout({bytes})});
    EXPECT_TRUE(runner_.device().poison(arena.region, poison, 2, runner_.stream()));
    auto bound = plan_->bind(inputs, outputs, arena.region, runner_.stream());
    if (!bound) {
      error = bound.error().text;
      return;
    }
    op_ = std::move(*bound);
  }
  TrainStepOp& op() { return dynamic_cast<TrainStepOp&>(*op_); }
  const TrainStepPlan& plan() const { return *plan_; }
  Digest digest() { return runner_.device().digest(outputs, runner_.stream()).value(); }
  std::vector<float> values(const Tensor& tensor) const {
    std::vector<std::byte> bytes;
    gather_canonical(tensor, bytes);
    const auto* begin = reinterpret_cast<const float*>(bytes.data());
    return {begin, begin + bytes.size() / sizeof(float)};
  }
  const Tensor& output(const std::string& role) const {
    for (const auto& t : outputs)
      if (t.spec.role == role) return t;
    throw std::runtime_error("no output " + role);
  }

  std::string error;  ///< empty when it can run
  std::vector<Tensor> inputs, outputs;

 private:
  PlanRunner runner_;
  std::shared_ptr<const Registry> registry_;
  std::unique_ptr<TrainStepPlan> plan_;
  std::unique_ptr<Op> op_;
};

}  // namespace detbench::testing
