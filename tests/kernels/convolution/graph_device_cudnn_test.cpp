// The provider cudnn_graph on a GPU: every arm against fp64, replay, targets, alignment, capture, threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "kernels/convolution/graph_cudnn.hpp"
#include "kernels/convolution/operation.hpp"
#include "legacy_device_runner.hpp"
#include "shapes.hpp"
#include "tests/kernels/cudnn/graphs.hpp"

namespace detbench {
namespace {

struct Case {
  Direction direction;
  std::string layout;
  ProductTypes types;
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << op_name(c.direction) << " " << c.layout << " " << to_text(c.types); }
std::string name_of(const Case& c) { return std::string(op_name(c.direction)) + "_" + c.layout + "_" + to_text(c.types); }

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const auto direction : all_directions)
    for (const char* layout : {"nhwc", "nchw"}) {
      for (const auto& types : {ProductTypes{DataType::f32, false}, ProductTypes{DataType::f32, true}}) cases.push_back({direction, layout, types});
      for (const auto narrow : {DataType::f16, DataType::bf16})
        cases.push_back({direction, layout, {narrow, false, direction == Direction::wgrad ? narrow : DataType::f32}});
    }
  return cases;
}

template <class Parameter>
class OnGpu : public ::testing::TestWithParam<Parameter> {
 protected:
  void SetUp() override {
    if (auto library = cudnn::library(); !library) GTEST_SKIP() << library.error().text;
    auto device = make_cuda_device();
    if (!device) GTEST_SKIP() << device.error().text;
    device_ = std::move(*device);
    ASSERT_TRUE(device_->activate());
  }
  /// Runs every arm that is offered; what the library takes back when the plan is built is counted, what it computes wrongly
  /// fails.
  void run_all(const ConvolutionProblem& p, const AlgorithmSearch& search, std::initializer_list<InputFill> fills) {
    const auto problem = to_problem(p);
    const auto operation = make_convolution_operation(p.direction, search);
    const auto* provider = operation->find_provider("cudnn_graph");
    const auto offers = provider->offers(problem, *device_);
    ASSERT_TRUE(offers) << offers.error().text;
    for (const auto fill : fills) {
      const auto reference = operation->reference(problem, {fill, 5});
      ASSERT_TRUE(reference) << reference.error().text;
      for (const auto& offer : *offers) {
        if (offer.unsupported) continue;
        const auto id = case_id(problem, offer.algorithm);
        // Kernels that are compiled at run time cost up to seconds: once is enough.
        const bool compiled = offer.notes.at("behaviour_notes").find("RUNTIME_COMPILATION") != std::string::npos;
        if (compiled && fills.size() > 1 && fill == InputFill::exact) continue;
        const auto found = testing::verify_once(*device_, *operation, problem, offer.algorithm, {fill, 5}, **reference,
                                                fill == InputFill::exact ? Poison::nan_pattern : Poison::random);
        if (!found && found.error().kind == Reason::Kind::unsupported) {
          ++taken_back_;
          continue;
        }
        if (!found) {
          ADD_FAILURE() << id << ": " << found.error().text;
          ASSERT_TRUE(device_->usable()) << "after " << id;
          continue;
        }
        EXPECT_TRUE(found->passed) << id << ": " << found->reason;
        ++ran_;
      }
    }
  }
  std::unique_ptr<Device> device_;
  int ran_ = 0, taken_back_ = 0;
};

class GraphOnGpu : public OnGpu<Case> {};

TEST_P(GraphOnGpu, EveryEngineAgreesWithFp64) {
  for (auto p : testing::small_shapes()) {
    p.direction = GetParam().direction, p.layout = GetParam().layout, p.types = GetParam().types;
    run_all(p, {.tiers = {Tier::t0}}, {InputFill::exact, InputFill::rounding});
  }
  EXPECT_GE(ran_, 24);
  EXPECT_LE(taken_back_, ran_) << "most of what is called valid should build";
}

TEST_P(GraphOnGpu, EveryProposalAgreesWithFp64) {
  for (const int shape : {0, 5}) {  // a dense stem and a depthwise layer, both padded on one side only
    auto p = testing::small_shapes()[static_cast<std::size_t>(shape)];
    p.direction = GetParam().direction, p.layout = GetParam().layout, p.types = GetParam().types;
    run_all(p, {.tiers = {Tier::t1}}, {InputFill::rounding});
  }
  EXPECT_GE(ran_, 2);
}

INSTANTIATE_TEST_SUITE_P(Cases, GraphOnGpu, ::testing::ValuesIn(all_cases()), [](const auto& info) { return name_of(info.param); });

class GraphFactsOnGpu : public OnGpu<Direction> {
 protected:
  static ConvolutionProblem dense(Direction direction) {
    auto p = testing::small_shapes()[3];
    p.direction = direction, p.mb = 4, p.ic = p.oc = 32, p.ih = p.iw = 16;
    p.types.storage = DataType::f16;
    if (direction == Direction::wgrad) p.types.weight_gradient = DataType::f16;
    return p;
  }
};

TEST_P(GraphFactsOnGpu, AnyValidConfigurationRunsByNameOfferedOrNot) {
  const auto p = dense(GetParam());
  const auto problem = to_problem(p);
  const auto operation = make_convolution_operation(p.direction, {.tiers = {Tier::t0}});
  const auto target = cudnn::target_of(*device_);
  ASSERT_TRUE(target) << target.error().text;
  const auto reference = operation->reference(problem, {InputFill::rounding, 5});
  ASSERT_TRUE(reference);
  AlgorithmSearch thin{.tiers = {Tier::t3}, .sample = 2};
  const auto found = convolution_offers(p, *target, thin, device_->configuration());
  ASSERT_TRUE(found) << found.error().text;
  int ran = 0;
  for (const auto& offer : *found) {
    if (offer.unsupported) continue;
    const auto verified = testing::verify_once(*device_, *operation, problem, offer.algorithm, {InputFill::rounding, 5}, **reference);
    if (!verified && verified.error().kind == Reason::Kind::unsupported) continue;
    if (!verified) {
      ADD_FAILURE() << algorithm_id(offer.algorithm) << ": " << verified.error().text;
      ASSERT_TRUE(device_->usable()) << "after " << algorithm_id(offer.algorithm);
      continue;
    }
    EXPECT_TRUE(verified->passed) << algorithm_id(offer.algorithm) << ": " << verified->reason;
    ++ran;
  }
  EXPECT_GT(ran, 5);
}

TEST_P(GraphFactsOnGpu, PlansSayWhatTheyAre) {
  const auto problem = to_problem(dense(GetParam()));
  const auto provider = make_cudnn_graph_convolution();
  const auto plan = provider->plan(problem, {"cudnn_graph", "pick:heur_mode_a", {}, {}}, *device_);
  ASSERT_TRUE(plan) << plan.error().text;
  const auto notes = (*plan)->notes();
  for (const char* key : {"selected", "engine", "plan_json", "numerical_notes", "behaviour_notes"}) EXPECT_TRUE(notes.contains(key)) << key;
  const auto named = provider->plan(problem, {"cudnn_graph", notes.at("selected"), {}, {}}, *device_);
  ASSERT_TRUE(named) << named.error().text;
  EXPECT_EQ((*named)->notes().at("plan_json"), notes.at("plan_json"));
  const auto again = cudnn::replay_execution_plan(notes.at("plan_json"), *cudnn::target_of(*device_));
  ASSERT_TRUE(again) << again.error().text;
  EXPECT_EQ(again->json, notes.at("plan_json"));
  EXPECT_EQ(static_cast<std::size_t>(again->workspace_bytes), (*plan)->workspace_bytes());
}

TEST_P(GraphFactsOnGpu, PicksGiveTheBitsOfWhatTheySelected) {
  const auto p = dense(GetParam());
  const auto problem = to_problem(p);
  const auto operation = make_convolution_operation(p.direction);
  // The bits of one run, and what the plan says of itself.
  const auto bits_of = [&](const std::string& name, Poison poison) -> Result<std::pair<Digest, std::map<std::string, std::string>>> {
    auto run = testing::DeviceRun::make(*device_, *operation, problem, {"cudnn_graph", name, {}, {}}, {InputFill::rounding, 5});
    if (!run) return tl::unexpected(run.error());
    if (auto s = (*run)->poison(poison); !s) return tl::unexpected(s.error());
    if (auto s = (*run)->once(); !s) return tl::unexpected(s.error());
    const auto digest = (*run)->digest();
    if (!digest) return tl::unexpected(digest.error());
    return std::pair{*digest, (*run)->plan().notes()};
  };
  int compared = 0;
  for (const auto mode : cudnn::all_heuristic_modes) {
    const auto picked = bits_of(cudnn::pick_name(mode), Poison::nan_pattern);
    if (!picked && picked.error().kind == Reason::Kind::unsupported) continue;  // this mode proposes nothing here
    EXPECT_TRUE(picked) << cudnn::pick_name(mode) << ": " << picked.error().text;
    if (!picked) continue;
    const auto& notes = picked->second;
    ++compared;
    if (notes.at("numerical_notes").find("NONDETERMINISTIC") != std::string::npos) continue;
    const auto named = bits_of(notes.at("selected"), Poison::zero);
    EXPECT_TRUE(named) << notes.at("selected") << ": " << named.error().text;
    if (!named) continue;
    EXPECT_EQ(named->first, picked->first) << notes.at("selected");
  }
  EXPECT_GT(compared, 0);
}

TEST_P(GraphFactsOnGpu, SmallAlignmentsAreDeclaredAndRun) {
  for (const std::size_t offset : {2, 4, 8}) {
    DeviceConfiguration odd;
    odd.offset_bytes = offset;
    auto device = make_cuda_device(odd);
    ASSERT_TRUE(device) << device.error().text;
    ASSERT_TRUE((*device)->activate());
    device_ = std::move(*device);
    run_all(dense(GetParam()), {.tiers = {Tier::t0}}, {InputFill::rounding});
  }
  EXPECT_GE(ran_, 3);
}

TEST_P(GraphFactsOnGpu, APlanForSixteenBytesRefusesOtherPointers) {
  const auto problem = to_problem(dense(GetParam()));
  const auto plan = make_cudnn_graph_convolution()->plan(problem, {"cudnn_graph", "eng0", {}, {}}, *device_);
  ASSERT_TRUE(plan) << plan.error().text;
  EXPECT_EQ((*plan)->alignment_bytes(), 16u);
  auto stream = *device_->make_stream();
  std::vector<std::unique_ptr<Buffer>> buffers;
  const auto tensors = [&](const std::vector<TensorSpec>& specs, std::size_t shift) {
    std::vector<Tensor> made;
    for (const auto& spec : specs) {
      buffers.push_back(*device_->allocate(spec.bytes() + 16));
      made.push_back({spec, {static_cast<std::byte*>(buffers.back()->region().data) + shift, spec.bytes()}});
    }
    return made;
  };
  buffers.push_back(*device_->allocate(std::max<std::size_t>(64, (*plan)->workspace_bytes())));
  const auto workspace = buffers.back()->region();
  EXPECT_TRUE((*plan)->bind(tensors((*plan)->inputs(), 0), tensors((*plan)->outputs(), 0), workspace, *stream));
  const auto refused = (*plan)->bind(tensors((*plan)->inputs(), 2), tensors((*plan)->outputs(), 0), workspace, *stream);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text.find("multiple of 16"), std::string::npos);
}

TEST_P(GraphFactsOnGpu, SmCountTargetsMakePlansThatRun) {
  const int all = cudnn::target_of(*device_)->multiprocessors();
  DeviceConfiguration fewer;
  fewer.sm_count_target = all / 2;
  auto device = make_cuda_device(fewer);
  ASSERT_TRUE(device) << device.error().text;
  ASSERT_TRUE((*device)->activate());
  const auto p = dense(GetParam());
  const auto problem = to_problem(p);
  const auto operation = make_convolution_operation(p.direction, {.tiers = {Tier::t0}});
  const auto reference = operation->reference(problem, {InputFill::rounding, 5});
  ASSERT_TRUE(reference);
  int took = 0, refused = 0;
  const auto offers = operation->find_provider("cudnn_graph")->offers(problem, *device_);  // of the whole GPU: names are shared
  ASSERT_TRUE(offers);
  for (const auto& offer : *offers) {
    if (offer.unsupported) continue;
    const auto plan = operation->find_provider("cudnn_graph")->plan(problem, offer.algorithm, **device);
    if (!plan) {
      EXPECT_EQ(plan.error().kind, Reason::Kind::unsupported) << plan.error().text;
      ++refused;
      continue;
    }
    EXPECT_EQ((*plan)->sm_count_target(), all / 2);
    const auto verified = testing::verify_once(**device, *operation, problem, offer.algorithm, {InputFill::rounding, 5}, **reference);
    if (!verified) {
      ADD_FAILURE() << algorithm_id(offer.algorithm) << ": " << verified.error().text;
      ASSERT_TRUE((*device)->usable()) << "after " << algorithm_id(offer.algorithm);
      continue;
    }
    EXPECT_TRUE(verified->passed) << algorithm_id(offer.algorithm) << ": " << verified->reason;
    ++took;
  }
  RecordProperty("took_an_sm_count_target", took);
  EXPECT_GT(refused, 0) << "only few engines take a target";
}

TEST_P(GraphFactsOnGpu, CapturesIntoAGraphWithItsPadding) {
  auto p = testing::padded_by_hand();
  p.direction = GetParam();
  const auto problem = to_problem(p);
  const auto operation = make_convolution_operation(p.direction, {.tiers = {Tier::t0}});
  const auto offers = operation->find_provider("cudnn_graph")->offers(problem, *device_);
  ASSERT_TRUE(offers);
  int captured_arms = 0, offered_padded = 0, captured_padded = 0;
  for (const auto& offer : *offers) {
    if (offer.unsupported || !offer.algorithm.claim.covers(Scope::repeat)) continue;
    const bool padded = offer.algorithm.name.starts_with("pad+");
    offered_padded += padded ? 1 : 0;
    auto run = testing::DeviceRun::make(*device_, *operation, problem, offer.algorithm, {InputFill::rounding, 5});
    if (!run) continue;  // EveryEngineAgreesWithFp64 judges that
    ASSERT_TRUE((*run)->poison(Poison::nan_pattern)) << algorithm_id(offer.algorithm);
    if (!(*run)->once()) {  // and that
      ASSERT_TRUE(device_->usable()) << "after " << algorithm_id(offer.algorithm);
      continue;
    }
    const auto launched = *(*run)->digest();
    auto& stream = (*run)->stream();
    ASSERT_TRUE(stream.begin_capture());
    const auto enqueued = (*run)->op().enqueue();
    auto captured = stream.end_capture();
    if (!enqueued || !captured) continue;  // not every engine permits it
    ASSERT_TRUE((*run)->poison(Poison::zero));
    ASSERT_TRUE((*captured)->enqueue(stream));
    ASSERT_TRUE(stream.wait());
    EXPECT_EQ(*(*run)->digest(), launched) << algorithm_id(offer.algorithm);
    ++captured_arms;
    captured_padded += padded ? 1 : 0;
  }
  EXPECT_GT(captured_arms, 0);
  if (offered_padded > 0) {
    EXPECT_GT(captured_padded, 0) << "of " << offered_padded;
  }
}

TEST_P(GraphFactsOnGpu, PlansAreBuiltByThreadsAtOnce) {
  const auto problem = to_problem(dense(GetParam()));
  const auto provider = make_cudnn_graph_convolution({.tiers = {Tier::t0}});
  const auto offers = provider->offers(problem, *device_);
  ASSERT_TRUE(offers);
  std::vector<std::string> alone;
  for (const auto& offer : *offers) {
    if (offer.unsupported) continue;
    const auto plan = provider->plan(problem, offer.algorithm, *device_);
    alone.push_back(plan ? (*plan)->notes().at("plan_json") : "");
  }
  constexpr int threads = 4;
  std::vector<std::vector<std::string>> together(threads);
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t)
    workers.emplace_back([&, t] {
      for (const auto& offer : *offers) {
        if (offer.unsupported) continue;
        const auto plan = provider->plan(problem, offer.algorithm, *device_);
        together[static_cast<std::size_t>(t)].push_back(plan ? (*plan)->notes().at("plan_json") : "");
      }
    });
  for (auto& worker : workers) worker.join();
  for (const auto& plans : together) EXPECT_EQ(plans, alone);
}

INSTANTIATE_TEST_SUITE_P(Directions, GraphFactsOnGpu, ::testing::ValuesIn(all_directions), [](const auto& info) { return std::string(op_name(info.param)); });

}  // namespace
}  // namespace detbench
