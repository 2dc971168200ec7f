#include "models/policies.hpp"

#include <gtest/gtest.h>

#include <set>

#include "kernels/convolution/legacy_cudnn_table.hpp"
#include "models/framework_rules.hpp"
#include "models/mobilenet_v2.hpp"
#include "models/planner.hpp"

namespace detbench {
namespace {

/// A GPU by name only: selections are made without running anything.
class NamedGpu final : public Device {
 public:
  NamedGpu() : host_(*make_cpu_device()) {}
  DeviceKind kind() const override { return DeviceKind::cuda; }
  std::string name() const override { return "a GPU by name"; }
  const DeviceConfiguration& configuration() const override { return host_->configuration(); }
  Status activate() override { return {}; }
  Result<std::unique_ptr<Buffer>> allocate(std::size_t bytes, std::size_t element_bytes) override { return host_->allocate(bytes, element_bytes); }
  Result<std::unique_ptr<Stream>> make_stream(int priority) override { return host_->make_stream(priority); }
  Result<std::unique_ptr<Event>> make_event() override { return host_->make_event(); }
  Result<Digest> digest(std::span<const Tensor> tensors, Stream& stream) override { return host_->digest(tensors, stream); }
  Status fill(const Tensor& tensor, const FillSpec& spec, Stream& stream) override { return host_->fill(tensor, spec, stream); }
  Status poison(Region region, Poison poison, std::uint64_t seed, Stream& stream) override { return host_->poison(region, poison, seed, stream); }
  Status copy_to_host(void* target, Region source, Stream& stream) override { return host_->copy_to_host(target, source, stream); }
  Status copy_from_host(Region target, const void* source, Stream& stream) override { return host_->copy_from_host(target, source, stream); }
  Status copy(Region target, Region source, Stream& stream) override { return host_->copy(target, source, stream); }
  Status evict_caches(Stream& stream) override { return host_->evict_caches(stream); }

 private:
  std::unique_ptr<Device> host_;
};

struct NoPlan final : Plan {
  const std::vector<TensorSpec>& inputs() const override { return none; }
  const std::vector<TensorSpec>& outputs() const override { return none; }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor>, std::span<const Tensor>, Region, Stream&) override { return failure("never run"); }
  explicit NoPlan(bool resets) : resets_(resets) {}
  bool needs_reset() const override { return resets_; }
  std::vector<TensorSpec> none;
  bool resets_;
};

/// Which algorithms (name alone or id) exist; the rest fails when planned. `listed` are offered, in that order.
struct Answers {
  std::string provider;
  std::vector<Algorithm> listed;
  std::set<std::string> broken;  ///< ids that are offered or asked for and cannot be planned
  bool plans_unlisted = true;
  bool needs_reset = false;
};

class ScriptedProvider final : public Provider {
 public:
  explicit ScriptedProvider(Answers answers) : answers_(std::move(answers)) {}
  std::string_view name() const override { return answers_.provider; }
  Result<std::vector<Offer>> offers(const Problem&, Device&) const override {
    std::vector<Offer> offers;
    for (const auto& algorithm : answers_.listed) offers.push_back({algorithm, std::nullopt});
    return offers;
  }
  Result<std::unique_ptr<Plan>> plan(const Problem&, const Algorithm& algorithm, Device&) const override {
    const auto id = algorithm_id(algorithm);
    bool known = answers_.plans_unlisted;
    for (const auto& listed : answers_.listed) known |= algorithm_id(listed) == id;
    if (!known || answers_.broken.contains(id)) return unsupported(id + " does not run here");
    return std::make_unique<NoPlan>(answers_.needs_reset);
  }

 private:
  Answers answers_;
};

class ScriptedOperation final : public Operation {
 public:
  ScriptedOperation(std::string op, std::vector<Answers> answers) : op_(std::move(op)) {
    for (auto& a : answers) providers_.push_back(std::make_unique<ScriptedProvider>(std::move(a)));
  }
  std::string_view op() const override { return op_; }
  Status check(const Problem&) const override { return {}; }
  Cost cost(const Problem&) const override { return {}; }
  const std::vector<std::unique_ptr<Provider>>& providers() const override { return providers_; }
  Result<FillSpec> fill(const Problem&, const TensorSpec&, const Inputs&) const override { return failure("never filled"); }
  Result<std::unique_ptr<Reference>> reference(const Problem&, const Inputs&) const override { return failure("never checked"); }

 private:
  std::string op_;
  std::vector<std::unique_ptr<Provider>> providers_;
};

Algorithm arm(std::string provider, std::string name, Guarantee guarantee) {
  Algorithm algorithm;
  algorithm.provider = std::move(provider);
  algorithm.name = std::move(name);
  algorithm.claim.guarantee = guarantee;
  return algorithm;
}

/// A network of every shape that matters here: a stem that Keras pads on one side, depthwise, pointwise.
Network network() { return *make_mobilenet_v2(0.35, 96, 10); }

/// cuDNN answers convolutions by any name but `broken`; everything else is answered by a library without a claim and by ours.
Registry gpu_registry(std::set<std::string> broken = {}, bool claimed = true) {
  Registry registry;
  std::set<std::string> ops;
  for (const auto& problem : posed_problems(network(), 8, "f32_f32_strict")) ops.insert(problem.op);
  ops.insert({"bias_grad", "max_pool_bwd"});
  for (const auto& op : ops) {
    std::vector<Answers> answers{{"cudnn_legacy", {}, broken, true}};
    if (!is_convolution_op(op)) {
      answers = {{"cudnn_legacy", {arm("cudnn_legacy", "first", Guarantee::not_guaranteed)}, {}, true},
                 {"fixed_order", {arm("fixed_order", "ours", claimed ? Guarantee::gpu_to_gpu : Guarantee::not_guaranteed)}, {}, false}};
      if (op == "bias_grad") answers.push_back({"cuda", {}, {}, true});
    }
    registry.add(std::make_unique<ScriptedOperation>(op, std::move(answers)));
  }
  return registry;
}

std::set<std::string> algorithms_of(const Selection& selection, const std::string& op) {
  std::set<std::string> ids;
  for (const auto& [key, rule] : selection.all_rules())
    if (std::get<0>(key) == op) ids.insert(algorithm_id(rule.algorithm));
  return ids;
}

TEST(Policies, PyTorchPinsOneAlgorithmPerDirection) {
  NamedGpu gpu;
  const auto selection = built_in_selection("framework_default_deterministic", network(), 8, "f32_f32_strict", gpu_registry(), gpu);
  ASSERT_TRUE(selection) << selection.error().text;
  // Where Keras pads one side of a stride-2 layer alone, zeros are added by hand; the algorithm is the same.
  EXPECT_EQ(algorithms_of(*selection, "conv_fwd"),
            (std::set<std::string>{"cudnn_legacy:implicit_precomp_gemm@math=fma", "cudnn_legacy:pad+implicit_precomp_gemm@math=fma"}));
  EXPECT_EQ(algorithms_of(*selection, "conv_dgrad"), (std::set<std::string>{"cudnn_legacy:algo_1@math=fma", "cudnn_legacy:pad+algo_1@math=fma"}));
  EXPECT_EQ(algorithms_of(*selection, "conv_wgrad"), (std::set<std::string>{"cudnn_legacy:algo_1@math=fma", "cudnn_legacy:pad+algo_1@math=fma"}));
  // A library that claims nothing is passed over.
  EXPECT_EQ(algorithms_of(*selection, "dense_fwd"), (std::set<std::string>{"fixed_order:ours"}));
  EXPECT_EQ(selection->demand, "run_to_run");
  EXPECT_EQ(selection->activation_layout, "nhwc");
}

TEST(Policies, MathFollowsTheTypes) {
  for (const auto& [types, math] : {std::pair{"f32_f32_tf32", "default"}, {"bf16_f32_strict", "tensor_op"}}) {
    const auto wishes = pytorch_wishes({"conv_fwd", "mb1_g1_ic8_ih8_iw8_oc8_kh3_kw3_sh1_sw1_pt1_pb1_pl1_pr1_dh1_dw1", types, "nhwc"});
    ASSERT_EQ(wishes.size(), 1U);
    EXPECT_EQ(algorithm_id(wishes[0].algorithm), std::string("cudnn_legacy:implicit_precomp_gemm@math=") + math);
  }
}

TEST(Policies, EveryWishForAConvolutionIsAnArmOfTheLegacyTable) {
  for (const auto& problem : posed_problems(network(), 8, "bf16_f32_strict")) {
    if (!is_convolution_op(problem.op)) continue;
    const auto parsed = parse_convolution(problem);
    ASSERT_TRUE(parsed) << parsed.error().text;
    for (auto* const wishes : {pytorch_wishes, tensorflow_wishes})
      for (const auto& wish : wishes(problem)) {
        const auto arm = legacy::parse_arm(parsed->direction, wish.algorithm);
        ASSERT_TRUE(arm) << arm.error().text;
        ASSERT_NE(arm->row, nullptr);
        EXPECT_FALSE(arm->row->documented_nondeterministic) << wish.algorithm.name;
      }
  }
}

TEST(Policies, TensorFlowTakesTheFirstOfItsListThatWorks) {
  NamedGpu gpu;
  const auto registry = gpu_registry({"cudnn_legacy:implicit_precomp_gemm@math=fma", "cudnn_legacy:implicit_gemm@math=fma"});
  const auto selection = built_in_selection("first_workable_deterministic", network(), 8, "f32_f32_strict", registry, gpu);
  ASSERT_TRUE(selection) << selection.error().text;
  const auto forward = algorithms_of(*selection, "conv_fwd");
  EXPECT_TRUE(forward.contains("cudnn_legacy:gemm@math=fma"));
  EXPECT_FALSE(forward.contains("cudnn_legacy:implicit_gemm@math=fma"));
  // Pinned is pinned: the same failure leaves PyTorch's policy without an answer, and the reason says where.
  const auto pinned = built_in_selection("framework_default_deterministic", network(), 8, "f32_f32_strict", registry, gpu);
  ASSERT_FALSE(pinned);
  EXPECT_EQ(pinned.error().kind, Reason::Kind::unsupported);
  for (const char* part : {"framework_default_deterministic", "conv_fwd/", "implicit_precomp_gemm"}) EXPECT_NE(pinned.error().text.find(part), std::string::npos) << pinned.error().text;
}

TEST(Policies, TfCudnnSpeaksAboutConvolutionAndMaxPoolAlone) {
  NamedGpu gpu;
  const auto selection = built_in_selection("tf_cudnn_deterministic", network(), 8, "f32_f32_strict", gpu_registry(), gpu);
  ASSERT_TRUE(selection) << selection.error().text;
  EXPECT_EQ(algorithms_of(*selection, "dense_fwd"), (std::set<std::string>{"cudnn_legacy:first"}));
  EXPECT_TRUE(algorithms_of(*selection, "conv_wgrad").contains("cudnn_legacy:algo_1@math=fma"));
  EXPECT_EQ(selection->demand, "none");
  const Problem bias{"bias_grad", "mb8_c10_h1_w1", "f32_f32_strict", "nhwc"}, pool{"max_pool_bwd", "mb8", "f32_f32_strict", "nhwc"};
  EXPECT_EQ(tf_cudnn_wishes(bias).front().algorithm.name, "block_atomic");
  ASSERT_EQ(tf_cudnn_wishes(pool).size(), 1U);
  EXPECT_EQ(tf_cudnn_wishes(pool).front().algorithm.name, "max_deterministic");
  EXPECT_TRUE(tensorflow_wishes(bias).front().claimed);
}

// A library's gradient that only reset() makes right is no choice for a step while another provider answers.
TEST(Policies, WhatNeedsAResetIsPassedOver) {
  NamedGpu gpu;
  for (const bool other : {true, false}) {
    Registry registry;
    for (const auto& problem : posed_problems(network(), 8, "f32_f32_strict")) {
      if (registry.find(problem.op) != nullptr) continue;
      std::vector<Answers> answers{{"cudnn_legacy", {arm("cudnn_legacy", "kept", Guarantee::run_to_run)}, {}, true, true}};
      if (other) answers.push_back({"fixed_order", {arm("fixed_order", "ours", Guarantee::gpu_to_gpu)}, {}, false});
      registry.add(std::make_unique<ScriptedOperation>(problem.op, std::move(answers)));
    }
    const auto selection = built_in_selection("library_heuristic", network(), 8, "f32_f32_strict", registry, gpu);
    ASSERT_TRUE(selection) << selection.error().text;
    EXPECT_EQ(algorithms_of(*selection, "dense_wgrad"), (std::set<std::string>{other ? "fixed_order:ours" : "cudnn_legacy:kept"}));
  }
}

TEST(Policies, AStrictPolicyNamesTheOpItCannotMeet) {
  NamedGpu gpu;
  const auto refused = built_in_selection("first_workable_deterministic", network(), 8, "f32_f32_strict", gpu_registry({}, false), gpu);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text.find("cannot be met by batch_norm"), std::string::npos) << refused.error().text;
  EXPECT_NE(refused.error().text.find("claims nothing"), std::string::npos) << refused.error().text;
}

TEST(Policies, CudnnsPoliciesHaveNoMeaningOnACpu) {
  const auto cpu = *make_cpu_device();
  const auto registry = make_network_registry();
  for (const auto& policy : built_in_policies()) {
    const auto selection = built_in_selection(policy.name, network(), 8, "f32_f32_strict", *registry, *cpu);
    const bool everywhere = policy.name == "fixed_order" || policy.name == "library_heuristic";
    EXPECT_EQ(selection.has_value(), everywhere) << policy.name << (selection ? "" : ": " + selection.error().text);
    if (!everywhere) EXPECT_EQ(selection.error().kind, Reason::Kind::unsupported);
    else EXPECT_EQ(selection->name, policy.name);
  }
  EXPECT_EQ(built_in_selection("fastest", network(), 8, "f32_f32_strict", *registry, *cpu).error().kind, Reason::Kind::invalid_input);
}

TEST(Policies, FixedOrderCoversEveryOpOfANetworkAndRefusesTensorCores) {
  const auto cpu = *make_cpu_device();
  const auto registry = make_network_registry();
  const auto selection = built_in_selection("fixed_order", network(), 8, "f32_f32_strict", *registry, *cpu);
  ASSERT_TRUE(selection) << selection.error().text;
  for (const auto& problem : posed_problems(network(), 8, "f32_f32_strict")) {
    if (registry->find(problem.op) == nullptr) continue;
    const auto* rule = selection->find(problem);
    ASSERT_NE(rule, nullptr) << problem.op;
    EXPECT_EQ(rule->algorithm.provider, "fixed_order");
    EXPECT_EQ(rule->layout, problem.layout) << problem.op;
  }
  const auto tf32 = built_in_selection("fixed_order", network(), 8, "f32_f32_tf32", *registry, *cpu);
  ASSERT_FALSE(tf32);
  EXPECT_EQ(tf32.error().kind, Reason::Kind::unsupported);
}

TEST(Policies, ThePlannerTakesWhatTheyChoose) {
  const auto cpu = *make_cpu_device();
  const auto registry = make_network_registry();
  const auto small = make_mobilenet_v2(0.35, 32, 10);
  ASSERT_TRUE(small);
  const auto selection = built_in_selection("fixed_order", *small, 2, "f32_f32_strict", *registry, *cpu);
  ASSERT_TRUE(selection) << selection.error().text;
  for (const auto& problem : posed_problems(*small, 2, "f32_f32_strict")) {
    const auto* operation = registry->find(problem.op);
    if (operation == nullptr) continue;
    const auto* provider = operation->find_provider(selection->find(problem)->algorithm.provider);
    ASSERT_NE(provider, nullptr);
    const auto offers = provider->offers(problem, *cpu);
    ASSERT_TRUE(offers);
    EXPECT_TRUE(provider->plan(problem, offers->front().algorithm, *cpu)) << problem_id(problem);
  }
}

TEST(Policies, ProblemsArePosedOnceAndTheImagesGetNoGradient) {
  const auto problems = posed_problems(network(), 8, "bf16_f32_strict");
  EXPECT_EQ(std::set<Problem>(problems.begin(), problems.end()).size(), problems.size());
  int stem_gradients = 0, narrow = 0;
  for (const auto& problem : problems) {
    stem_gradients += problem.op == "conv_dgrad" && problem.shape.find("_ic3_") != std::string::npos;
    narrow += problem.types == "bf16_f32_strict_dwbf16";
  }
  EXPECT_EQ(stem_gradients, 0);
  EXPECT_GT(narrow, 0);
}

}  // namespace
}  // namespace detbench
