// Train steps and inference on a GPU, held against the CPU backend and against each other.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstring>

#include "models/catalog.hpp"
#include "models/data/procedural.hpp"
#include "models/inference.hpp"
#include "models/initializers.hpp"
#include "models/small_residual.hpp"
#include "models/train_step.hpp"
#include "models/trainer.hpp"
#include "models/training.hpp"
#include "tests/kernels/device_runner.hpp"
#include "tests/models/committed_bits.hpp"

namespace detbench {
namespace {

using testing::BoundCase;
const Inputs inputs{InputFill::rounding, 1};

std::unique_ptr<Operation> operation_of(const Problem& problem) {
  auto all = make_train_step_operations({});
  for (auto& operation : make_inference_operations({})) all.push_back(std::move(operation));
  for (auto& operation : all)
    if (operation->op() == problem.op) return std::move(operation);
  return nullptr;
}

class GpuTrainStep : public testing::OnGpu {
 protected:
  /// Sixteen bytes in hex; a failure otherwise.
  std::string digest(const StepProblem& step, const Algorithm& algorithm, Device& device) {
    const auto problem = to_problem(step);
    EXPECT_TRUE(device.activate());
    const auto text = testing::digest_of(*operation_of(problem), problem, algorithm_id(algorithm), inputs, device);
    EXPECT_TRUE(text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string::npos)
        << case_id(problem, algorithm) << " on " << device.name() << ": " << text;
    return text;
  }
  void expect_cpu_bits(const StepProblem& step, const Algorithm& algorithm) {
    const auto expected = digest(step, algorithm, *cpu_);
    EXPECT_EQ(digest(step, algorithm, *device_), expected) << case_id(to_problem(step), algorithm);
  }
  std::unique_ptr<Device> cpu_ = std::move(make_cpu_device().value());
};
using GpuInference = GpuTrainStep;
using GpuWholeTraining = GpuTrainStep;

Algorithm network_arm(const char* policy, Options options) { return {"network", policy, std::move(options), {}}; }

// --- each op of one step, so that a difference has a name

template <class Bits>
void unify_nans_as(std::vector<std::byte>& bytes, Bits infinity) {
  for (std::size_t at = 0; at + sizeof(Bits) <= bytes.size(); at += sizeof(Bits)) {
    Bits bits;
    std::memcpy(&bits, &bytes[at], sizeof bits);
    if (static_cast<Bits>(bits << 1) > static_cast<Bits>(infinity << 1)) bits = static_cast<Bits>(~Bits{0} >> 1);
    std::memcpy(&bytes[at], &bits, sizeof bits);
  }
}

/// Where gradients in f16 overflow, infinities meet, and a NaN that arithmetic makes has the sign and payload of the machine that
/// made it: negative on x86, positive on a GPU. Loss scaling skips such a step, so that none of it reaches the weights.
void unify_nans(DataType type, std::vector<std::byte>& bytes) {
  if (type == DataType::f32) unify_nans_as<std::uint32_t>(bytes, 0x7f800000);
  if (type == DataType::f16) unify_nans_as<std::uint16_t>(bytes, 0x7c00);
  if (type == DataType::bf16) unify_nans_as<std::uint16_t>(bytes, 0x7f80);
}

/// One step on any device, seen op by op.
class SeenStep final : public StepObserver {
 public:
  struct Seen {
    std::string op;
    std::vector<std::string> roles;
    std::vector<Digest> digests;
  };
  SeenStep(const Network& network, std::int64_t batch, const std::string& types, Device& device) : device_(device) { status = run(network, batch, types); }
  void after(const StepEvent& event) override {
    Seen& now = seen.emplace_back(Seen{event.info.phase + " " + event.info.layer + " " + event.info.op + " " + event.info.problem + " " + event.info.algorithm, {}, {}});
    for (const auto& tensor : event.outputs) {
      std::vector<std::byte> bytes(tensor.spec.bytes());
      if (auto s = device_.copy_to_host(bytes.data(), {tensor.region.data, bytes.size()}, *stream_); !s) status = s;
      if (auto s = stream_->wait(); !s) status = s;
      unify_nans(tensor.spec.type, bytes);
      const Tensor copy{tensor.spec, {bytes.data(), bytes.size()}};
      now.roles.push_back(tensor.spec.role);
      now.digests.push_back(digest_on_host({&copy, 1}));
    }
    timed += event.elapsed_s > 0;
  }
  Status status;
  std::vector<Seen> seen;
  std::size_t timed = 0;

 private:
  Status run(const Network& network, std::int64_t batch, const std::string& types) {
    if (auto s = device_.activate(); !s) return s;
    auto made = device_.make_stream();
    if (!made) return tl::unexpected(made.error());
    stream_ = std::move(*made);
    TrainingSpec spec;
    spec.types = types;
    auto program = plan_train_program(network, batch, fixed_order_selection(), spec, *make_network_registry(), device_);
    if (!program) return tl::unexpected(program.error());
    TrainStepPlan plan(std::move(*program), 1, device_);
    const auto take = [&](const TensorSpec& tensor) -> Result<Tensor> {
      auto buffer = device_.allocate(tensor.bytes());
      if (!buffer) return tl::unexpected(buffer.error());
      buffers_.push_back(std::move(*buffer));
      return Tensor{tensor, buffers_.back()->region()};
    };
    const auto parameters = network.parameters();
    std::vector<Tensor> given, made_outputs;
    for (std::size_t i = 0; i < plan.inputs().size(); ++i) {
      FillSpec fill = image_fill(network, 1);
      if (i == 1) fill = {FillSpec::Kind::index, 1, "labels", 1.0, network.classes, 1.0};
      if (i >= 2) fill = initial_fill(network, parameters[i - 2], 1);
      auto tensor = take(plan.inputs()[i]);
      if (!tensor) return tl::unexpected(tensor.error());
      if (auto s = device_.fill(*tensor, fill, *stream_); !s) return s;
      given.push_back(*tensor);
    }
    for (const auto& output : plan.outputs()) {
      auto tensor = take(output);
      if (!tensor) return tl::unexpected(tensor.error());
      made_outputs.push_back(*tensor);
    }
    const auto bytes = static_cast<std::int64_t>(plan.workspace_bytes());
    auto workspace = take({"workspace", DataType::u8, {bytes}, canonical_layout({bytes})});
    if (!workspace) return tl::unexpected(workspace.error());
    auto bound = plan.bind(given, made_outputs, workspace->region, *stream_);
    if (!bound) return tl::unexpected(bound.error());
    auto& op = dynamic_cast<TrainStepOp&>(**bound);
    if (auto s = op.reset(); !s) return s;
    op.observe(this);
    if (auto s = op.step(); !s) return s;
    return stream_->wait();
  }
  Device& device_;
  std::unique_ptr<Stream> stream_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
};

TEST_F(GpuTrainStep, EveryOpOfAFixedOrderStepHasTheCpusBits) {
  for (const auto& [model, pixels, batch] : {std::tuple{"mobilenet_v2_alpha0.35", 32, 4}, {"efficientnet_b0", 32, 2}, {"small_cnn", 28, 8}, {"small_dense", 1, 8}})
    for (const char* types : {"f32_f32_strict", "bf16_f32_strict", "f16_f32_strict"}) {
      const auto network = make_network(model, pixels, 10).value();
      const SeenStep there(network, batch, types, *cpu_), here(network, batch, types, *device_);
      ASSERT_TRUE(there.status) << model << " " << types << ": " << there.status.error().text;
      ASSERT_TRUE(here.status) << model << " " << types << ": " << here.status.error().text;
      ASSERT_EQ(here.seen.size(), there.seen.size());
      EXPECT_EQ(here.timed, here.seen.size());  // from event to event, nothing takes no time
      int told = 0;
      for (std::size_t i = 0; i < here.seen.size() && told < 5; ++i) {  // what comes later differs because of the first ones
        ASSERT_EQ(here.seen[i].op, there.seen[i].op) << model << " " << types;
        for (std::size_t o = 0; o < here.seen[i].digests.size(); ++o)
          if (here.seen[i].digests[o] != there.seen[i].digests[o]) {
            ADD_FAILURE() << model << " " << types << ", op " << i << ", " << here.seen[i].op << ": '" << here.seen[i].roles[o] << "' differs";
            ++told;
          }
      }
    }
}

// --- whole steps

TEST_F(GpuTrainStep, FixedOrderHasTheCpusBitsAfterThreeSteps) {
  for (const StepProblem& step : {StepProblem{"mobilenet_v2_alpha0.35", 32, 8, 10}, {"efficientnet_b0", 32, 4, 10}, {"small_cnn", 28, 8, 10}, {"small_dense", 1, 8, 10}})
    for (const char* optimizer : {"sgd", "rmsprop", "adam"}) expect_cpu_bits(step, network_arm("fixed_order", {{"optimizer", optimizer}, {"steps", "3"}}));
  expect_cpu_bits({"small_cnn", 28, 8, 10}, network_arm("fixed_order", {{"ls", "0.1"}, {"regularized", "0"}, {"steps", "3"}}));
}

TEST_F(GpuTrainStep, ThreeStepsGiveTheCommittedDigestInEveryExecution) {
  for (auto execution : all_executions)
    EXPECT_EQ(digest({"mobilenet_v2_alpha0.35", 96, 8, 1000}, network_arm("fixed_order", {{"exec", std::string(to_text(execution))}, {"steps", "3"}}), *device_),
              testing::committed_digest)
        << to_text(execution);
}

TEST_F(GpuTrainStep, FixedOrderHasTheCpusBitsInMixedPrecision) {
  for (const char* types : {"bf16_f32_strict", "f16_f32_strict"})
    for (const StepProblem& step : {StepProblem{"mobilenet_v2_alpha0.35", 32, 4, 10, types}, {"efficientnet_b0", 32, 2, 10, types}, {"small_cnn", 28, 8, 10, types}})
      expect_cpu_bits(step, network_arm("fixed_order", {{"steps", "3"}}));
}

TEST_F(GpuTrainStep, EveryExecutionGivesTheSameBits) {
  for (const char* types : {"f32_f32_strict", "f16_f32_strict"})
    for (const StepProblem& step : {StepProblem{"mobilenet_v2_alpha0.35", 32, 8, 10, types}, {"efficientnet_b0", 32, 4, 10, types}, {"small_cnn", 28, 8, 10, types}}) {
      const auto expected = digest(step, network_arm("fixed_order", {{"steps", "4"}}), *device_);
      for (int again = 0; again < 3; ++again)  // an order of streams that is wrong shows only now and then
        for (const char* execution : {"streams", "graph", "streams_graph"})
          EXPECT_EQ(digest(step, network_arm("fixed_order", {{"exec", execution}, {"steps", "4"}}), *device_), expected) << problem_id(to_problem(step)) << " " << execution;
    }
}

/// The losses of `steps` steps on one batch, from the beginning on.
std::vector<float> losses(const StepProblem& step, const char* policy, const char* execution, int steps, Device& device) {
  const auto problem = to_problem(step);
  const auto operation = operation_of(problem);
  auto bound = BoundCase::make(*operation, problem, *operation->providers()[0], network_arm(policy, {{"exec", execution}, {"steps", std::to_string(steps)}}), inputs, device);
  EXPECT_TRUE(bound) << problem_id(problem) << " " << policy << ": " << bound.error().text;
  if (!bound) return {};
  const auto done = (*bound)->run();
  EXPECT_TRUE(done) << problem_id(problem) << " " << policy << ": " << done.error().text;
  const auto outputs = done ? (*bound)->host_outputs() : Result<std::vector<Tensor>>(tl::unexpected(done.error()));
  if (!outputs) return {};
  const auto* values = static_cast<const float*>(outputs->front().region.data);
  return {values, values + steps};
}

void expect_training(const char* types, Device& device) {
  for (const StepProblem& step : {StepProblem{"small_cnn", 28, 8, 10, types}, {"mobilenet_v2_alpha0.35", 64, 8, 10, types}, {"efficientnet_b0", 64, 8, 10, types}})
    for (const char* policy : {"fixed_order", "library_heuristic"}) {
      const auto loss = losses(step, policy, "graph", 24, device);
      ASSERT_EQ(loss.size(), 24U);
      EXPECT_LT(loss[23], 0.9f * loss[0]) << problem_id(to_problem(step)) << " " << policy;  // with f16 after some skipped steps
    }
}
TEST_F(GpuTrainStep, TrainsInBfloat16) { expect_training("bf16_f32_strict", *device_); }
TEST_F(GpuTrainStep, TrainsInHalfPrecision) { expect_training("f16_f32_strict", *device_); }

TEST_F(GpuTrainStep, AProfileListsEveryOpWithItsTime) {
  auto program = plan_train_program(make_network("small_cnn", 28, 10).value(), 8, fixed_order_selection(), {}, *make_network_registry(), *device_, 2);
  ASSERT_TRUE(program) << program.error().text;
  TrainStepPlan plan(std::move(*program), 1, *device_, Execution::streams);
  const auto stream = std::move(device_->make_stream().value());
  std::vector<std::unique_ptr<Buffer>> buffers;
  const auto take = [&](const TensorSpec& spec) {
    buffers.push_back(std::move(device_->allocate(spec.bytes()).value()));
    const Tensor tensor{spec, buffers.back()->region()};
    EXPECT_TRUE(device_->poison(tensor.region, Poison::zero, 0, *stream));
    return tensor;
  };
  std::vector<Tensor> given, made;
  for (const auto& spec : plan.inputs()) given.push_back(take(spec));
  for (const auto& spec : plan.outputs()) made.push_back(take(spec));
  const auto bytes = static_cast<std::int64_t>(plan.workspace_bytes());
  const auto workspace = take({"workspace", DataType::u8, {bytes}, canonical_layout({bytes})});
  auto bound = plan.bind(given, made, workspace.region, *stream);
  ASSERT_TRUE(bound) << bound.error().text;
  const auto profile = profile_step(dynamic_cast<TrainStepOp&>(**bound), 3);
  ASSERT_TRUE(profile) << profile.error().text;
  EXPECT_EQ(profile->ops.size(), plan.ops().size());
  for (const auto& op : profile->ops) EXPECT_GT(op.elapsed_s, 0) << op.layer << " " << op.op;
  EXPECT_LE(profile->op_s, profile->step_s);
  EXPECT_NEAR(profile->loss[0], std::log(10.0), 1e-5);  // all weights are zero: every class is as likely
}

// --- inference

TEST_F(GpuInference, FixedOrderHasTheCpusBits) {
  for (const char* types : {"f32_f32_strict", "bf16_f32_strict", "f16_f32_strict"})
    for (const char* model : {"mobilenet_v2_alpha0.35", "efficientnet_b0", "efficientnet_lite0"})
      for (const char* norm : {"separate", "folded"}) expect_cpu_bits({model, 32, 4, 10, types, false}, network_arm("fixed_order", {{"bn", norm}}));
  expect_cpu_bits({"small_cnn", 28, 4, 10, "f32_f32_strict", false}, network_arm("fixed_order", {}));
}

// --- policies against the network in fp64, a test each: choosing among cuDNN's algorithms takes its time

class GpuPolicies : public GpuTrainStep, public ::testing::WithParamInterface<const char*> {
 protected:
  /// What the policy cannot do here says why; the library's own choice has no such excuse.
  void expect_agreement(const StepProblem& step, Options options) {
    const auto problem = to_problem(step);
    const auto operation = operation_of(problem);
    const auto algorithm = network_arm(GetParam(), std::move(options));
    const auto name = case_id(problem, algorithm);
    auto bound = BoundCase::make(*operation, problem, *operation->providers()[0], algorithm, inputs, *device_);
    if (!bound && bound.error().kind == Reason::Kind::unsupported && std::string_view(GetParam()) != "library_heuristic") {
      std::printf("%s: %s\n", name.c_str(), bound.error().text.c_str());
      return;
    }
    ASSERT_TRUE(bound) << name << ": " << bound.error().text;
    const auto done = (*bound)->run();
    ASSERT_TRUE(done) << name << ": " << done.error().text;
    const auto outputs = (*bound)->host_outputs();
    ASSERT_TRUE(outputs) << name << ": " << outputs.error().text;
    const auto reference = operation->reference(problem, inputs);
    ASSERT_TRUE(reference) << name << ": " << reference.error().text;
    const auto found = (*reference)->check(algorithm, *outputs);
    ASSERT_TRUE(found) << name << ": " << found.error().text;
    EXPECT_TRUE(found->passed) << name << ": " << found->reason;
  }
};

TEST_P(GpuPolicies, TrainInF32) {
  for (const char* execution : {"launches", "streams_graph"}) expect_agreement({"mobilenet_v2_alpha0.35", 64, 4, 20}, {{"exec", execution}, {"steps", "3"}});
}
TEST_P(GpuPolicies, TrainWithTf32) { expect_agreement({"mobilenet_v2_alpha0.35", 64, 4, 20, "f32_f32_tf32"}, {{"exec", "graph"}, {"steps", "3"}}); }
TEST_P(GpuPolicies, TrainEfficientNet) { expect_agreement({"efficientnet_b0", 64, 4, 10}, {{"exec", "graph"}, {"steps", "3"}}); }
TEST_P(GpuPolicies, Infer) {
  for (const char* types : {"f32_f32_strict", "f32_f32_tf32", "bf16_f32_strict", "f16_f32_strict"}) expect_agreement({"mobilenet_v2_alpha0.35", 64, 2, 10, types, false}, {});
  expect_agreement({"mobilenet_v2_alpha0.35", 64, 2, 10, "bf16_f32_strict", false}, {{"bn", "folded"}});
}
INSTANTIATE_TEST_SUITE_P(Cudnns, GpuPolicies,
                         ::testing::Values("library_heuristic", "framework_default_deterministic", "first_workable_deterministic", "tf_cudnn_deterministic"),
                         [](const auto& info) { return std::string(info.param); });

// --- a training from data to predictions

TEST_F(GpuWholeTraining, FixedOrderEndsWithTheCpusWeightsAndPredictions) {
  const std::shared_ptr<const Dataset> data = std::move(*make_procedural_dataset({{20, 20, 3}, 6, 96, 1, 32}));
  const auto train = [&](Device& device, Execution execution) {
    TrainerSpec spec;
    spec.batch = 16;
    spec.training.learning_rates = {0.05};
    spec.augmentation.horizontal_flip = true;
    spec.execution = execution;
    return train_network(*make_small_residual(20, 6), data, *split_stratified(*data, 0.25, 1), fixed_order_selection(), spec, *make_network_registry(), device);
  };
  const auto expected = train(*cpu_, Execution::launches);
  ASSERT_TRUE(expected) << expected.error().text;
  for (auto execution : all_executions) {
    const auto trained = train(*device_, execution);
    ASSERT_TRUE(trained) << to_text(execution) << ": " << trained.error().text;
    EXPECT_EQ(trained->weights_digest, expected->weights_digest) << to_text(execution);
    EXPECT_EQ(trained->loss, expected->loss) << to_text(execution);
    EXPECT_EQ(trained->predictions, expected->predictions) << to_text(execution);
  }
}

}  // namespace
}  // namespace detbench
