// The provider cudnn_legacy: what it says without a GPU, and on one every arm against fp64.
#include <gtest/gtest.h>

#include <set>

#include "kernels/convolution/legacy_cudnn.hpp"
#include "kernels/convolution/operation.hpp"
#include "kernels/convolution/pad.hpp"
#include "kernels/cudnn/version.hpp"
#include "legacy_device_runner.hpp"
#include "shapes.hpp"

namespace detbench {
namespace {

TEST(LegacyProvider, OffersOneRowWithTheReasonOnACpu) {
  auto device = make_cpu_device();
  ASSERT_TRUE(device);
  for (auto p : testing::small_shapes()) {
    const auto offers = make_cudnn_legacy_convolution()->offers(to_problem(p), **device);
    ASSERT_TRUE(offers) << offers.error().text;
    ASSERT_EQ(offers->size(), 1u);
    ASSERT_TRUE(offers->front().unsupported);
    EXPECT_FALSE(offers->front().unsupported->text.empty());
    EXPECT_EQ(offers->front().algorithm.provider, "cudnn_legacy");
    EXPECT_EQ(offers->front().algorithm.name, "any");
  }
}

TEST(LegacyProvider, RefusesToPlanOnACpuAndNamesWhatIsWrong) {
  auto device = make_cpu_device();
  ASSERT_TRUE(device);
  const auto provider = make_cudnn_legacy_convolution();
  const auto shapes = testing::small_shapes();
  for (const auto& [shape, name] : std::vector<std::pair<std::size_t, std::string>>{
           {1, "implicit_gemm"}, {1, "pad+implicit_gemm"}, {5, "implicit_gemm"}, {1, "algo_0"}}) {
    const auto plan = provider->plan(to_problem(shapes[shape]), {"cudnn_legacy", name, {{"math", "fma"}}, {}}, **device);
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().text.find('\n'), std::string::npos);
  }
}

struct Case {
  Direction direction;
  std::string layout;
  DataType storage;
  bool tf32;
  friend std::ostream& operator<<(std::ostream& out, const Case& c) {
    return out << op_name(c.direction) << ' ' << c.layout << ' ' << to_text(c.storage) << (c.tf32 ? " tf32" : "");
  }
};

class LegacyOnGpu : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    auto device = make_cuda_device();
    if (!device) GTEST_SKIP() << "no CUDA device: " << device.error().text;
    if (const auto version = cudnn_version(); !version) GTEST_SKIP() << version.error().text;
    device_ = std::move(*device);
    ASSERT_TRUE(device_->activate());
  }
  std::unique_ptr<Device> device_;
};

/// Dense, depthwise, grouped, dilated, stride 2 with pads on one side: whatever the library's query calls possible runs,
/// stays within its buffers and agrees with fp64; names go to plans and back.
TEST_P(LegacyOnGpu, EveryArmAgreesWithFp64) {
  const auto& c = GetParam();
  const auto operation = make_convolution_operation(c.direction);
  int ran = 0, refused_at_run = 0;
  for (auto p : testing::small_shapes()) {
    p.direction = c.direction, p.layout = c.layout;
    p.types.storage = c.storage, p.types.tf32 = c.tf32;
    if (c.direction == Direction::wgrad) p.types.weight_gradient = c.storage;  // what this API wants
    const auto problem = to_problem(p);
    const auto offers = make_cudnn_legacy_convolution()->offers(problem, *device_);
    ASSERT_TRUE(offers) << offers.error().text;
    std::set<std::string> ids;
    for (const auto fill : {InputFill::exact, InputFill::rounding}) {
      const auto reference = operation->reference(problem, {fill, 5});
      ASSERT_TRUE(reference) << reference.error().text;
      for (const auto& offer : *offers) {
        const auto id = case_id(problem, offer.algorithm);
        if (fill == InputFill::exact) {
          EXPECT_TRUE(ids.insert(id).second) << id << " is offered twice";
        }
        if (offer.unsupported) {
          EXPECT_FALSE(offer.unsupported->text.empty()) << id;
          continue;
        }
        const auto read = parse_case_id(id);
        ASSERT_TRUE(read) << id;
        const auto found = testing::verify_once(*device_, *operation, problem, offer.algorithm, {fill, 5}, **reference,
                                                fill == InputFill::exact ? Poison::nan_pattern : Poison::random);
        // A pick whose rows are all refused says so, and the query may allow what the call then does not support: a row of its
        // own in a sweep. Anything else has to run.
        if (!found && found.error().kind == Reason::Kind::unsupported) {
          ++refused_at_run;
          continue;
        }
        if (!found) {
          ADD_FAILURE() << id << ": " << found.error().text;
          ASSERT_TRUE(device_->usable()) << "after " << id;
          continue;
        }
        EXPECT_TRUE(found->passed) << id << ": " << found->reason;
        ++ran;
      }
    }
  }
  RecordProperty("ran", ran);
  RecordProperty("refused_at_run", refused_at_run);
  // In f32 there is an algorithm for every shape; 16-bit data have gaps, but not everywhere.
  EXPECT_GE(ran, c.storage == DataType::f32 ? 2 * 12 : 2);
}

INSTANTIATE_TEST_SUITE_P(Directions, LegacyOnGpu,
                         ::testing::ValuesIn([] {
                           std::vector<Case> cases;
                           for (const auto direction : all_directions)
                             for (const char* layout : {"nhwc", "nchw"}) {
                               for (const bool tf32 : {false, true}) cases.push_back({direction, layout, DataType::f32, tf32});
                               for (const auto storage : {DataType::f16, DataType::bf16}) cases.push_back({direction, layout, storage, false});
                             }
                           return cases;
                         }()),
                         [](const auto& info) {
                           return std::string(op_name(info.param.direction)) + "_" + info.param.layout + "_" +
                                  (info.param.tf32 ? "tf32" : std::string(to_text(info.param.storage)));
                         });

class LegacyFactsOnGpu : public LegacyOnGpu {};

TEST_P(LegacyFactsOnGpu, PicksSayWhatTheyChoseAndWhere) {
  auto p = testing::small_shapes()[3];
  p.direction = GetParam().direction;
  const auto operation = make_convolution_operation(p.direction);
  const auto problem = to_problem(p);
  for (const char* name : {"pick:get_v7", "pick:find_ex"}) {
    const Algorithm algorithm{"cudnn_legacy", name, {{"math", "fma"}, {"ws", "268435456"}}, {}, false, 8};
    const auto plan = make_cudnn_legacy_convolution()->plan(problem, algorithm, *device_);
    EXPECT_TRUE(plan) << name << ": " << plan.error().text;
    if (!plan) continue;
    const auto notes = (*plan)->notes();
    for (const char* key : {"selected", "selected_determinism", "selected_documented", "selected_workspace_bytes", "selection_rows", "selection_ranking",
                            "selection_free_memory_bytes", "selection_total_memory_bytes", "selection_load_average"})
      EXPECT_TRUE(notes.contains(key)) << name << " lacks " << key;
    EXPECT_EQ(notes.contains("selected_time_s"), std::string(name) == "pick:find_ex");
    // What was chosen is an arm of its own and gives the same bits.
    const auto selected = parse_case_id(problem_id(problem) + "/cudnn_legacy:" + notes.at("selected"));
    ASSERT_TRUE(selected) << notes.at("selected");
    Digest digests[2];
    int i = 0;
    for (const auto& arm : {algorithm, selected->algorithm}) {
      auto run = testing::DeviceRun::make(*device_, *operation, problem, arm, {InputFill::rounding, 5});
      ASSERT_TRUE(run) << run.error().text;
      ASSERT_TRUE((*run)->poison(Poison::nan_pattern));
      ASSERT_TRUE((*run)->once());
      digests[i++] = *(*run)->digest();
    }
    if (notes.at("selected_documented") == "run_to_run" && std::string(name) == "pick:get_v7") {
      EXPECT_EQ(digests[0], digests[1]);
    }
  }
}

TEST_P(LegacyFactsOnGpu, CapturesIntoAGraphWithItsPadding) {
  auto p = testing::padded_by_hand();
  p.direction = GetParam().direction;
  ASSERT_TRUE(symmetric_form(p).by_hand.any());
  const auto operation = make_convolution_operation(p.direction);
  const auto problem = to_problem(p);
  const auto offers = make_cudnn_legacy_convolution()->offers(problem, *device_);
  ASSERT_TRUE(offers);
  int captured_arms = 0;
  std::string refused;
  for (const Offer& offer : *offers) {
    if (offer.unsupported || !offer.algorithm.claim.covers(Scope::repeat) || !offer.algorithm.name.starts_with("pad+")) continue;
    const auto id = algorithm_id(offer.algorithm);
    auto run = testing::DeviceRun::make(*device_, *operation, problem, offer.algorithm, {InputFill::rounding, 5});
    if (!run) continue;  // EveryArmAgreesWithFp64 judges that
    EXPECT_TRUE((*run)->plan().notes().contains("padded")) << id;
    ASSERT_TRUE((*run)->poison(Poison::nan_pattern)) << id;
    if (!(*run)->once()) {  // and that
      ASSERT_TRUE(device_->usable()) << "after " << id;
      continue;
    }
    const auto launched = *(*run)->digest();
    auto& stream = (*run)->stream();
    ASSERT_TRUE(stream.begin_capture()) << id;
    const auto enqueued = (*run)->op().enqueue();
    auto captured = stream.end_capture();
    if (!enqueued || !captured) {  // not every algorithm permits it
      refused += id + ": " + (enqueued ? captured.error().text : enqueued.error().text) + "; ";
      continue;
    }
    ASSERT_TRUE((*run)->poison(Poison::zero)) << id;
    ASSERT_TRUE((*captured)->enqueue(stream)) << id;
    ASSERT_TRUE(stream.wait()) << id;
    EXPECT_EQ(*(*run)->digest(), launched) << id;
    ++captured_arms;
  }
  EXPECT_GT(captured_arms, 0) << refused;
}

TEST_P(LegacyFactsOnGpu, HonoursTheWorkspaceCapInOffers) {
  auto p = testing::small_shapes()[3];
  p.direction = GetParam().direction;
  AlgorithmSearch search;
  search.workspace_cap_bytes = 0;
  const auto capped = make_cudnn_legacy_convolution(search)->offers(to_problem(p), *device_);
  const auto all = make_cudnn_legacy_convolution()->offers(to_problem(p), *device_);
  ASSERT_TRUE(capped && all);
  ASSERT_EQ(capped->size(), all->size());
  for (std::size_t i = 0; i < all->size(); ++i) {
    const auto& algorithm = (*all)[i].algorithm;
    if ((*all)[i].unsupported || algorithm.name.starts_with("pick:")) continue;
    const auto plan = make_cudnn_legacy_convolution()->plan(to_problem(p), algorithm, *device_);
    ASSERT_TRUE(plan) << plan.error().text;
    EXPECT_EQ((*capped)[i].unsupported.has_value(), (*plan)->workspace_bytes() > 0) << algorithm_id(algorithm);
  }
}

INSTANTIATE_TEST_SUITE_P(Directions, LegacyFactsOnGpu,
                         ::testing::Values(Case{Direction::forward, "nhwc", DataType::f32, false},
                                           Case{Direction::dgrad, "nhwc", DataType::f32, false},
                                           Case{Direction::wgrad, "nhwc", DataType::f32, false}),
                         [](const auto& info) { return std::string(op_name(info.param.direction)); });

}  // namespace
}  // namespace detbench
