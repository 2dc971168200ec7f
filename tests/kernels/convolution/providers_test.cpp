#include <gtest/gtest.h>

#include <set>

#include "kernels/convolution/operation.hpp"
#include "kernels/device/onednn.hpp"
#include "runner.hpp"
#include "shapes.hpp"

namespace detbench {
namespace {

struct Case {
  Direction direction;
  std::string layout;
  DataType storage = DataType::f32;
  DataType weight_gradient = DataType::f32;
};
std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << op_name(c.direction) << " " << c.layout << " " << to_text(ProductTypes{c.storage, false, c.weight_gradient});
}

class EveryAlgorithm : public ::testing::TestWithParam<Case> {};

// Every offer that is not refused runs, stays within its buffers, and agrees with fp64: exactly on small integers, within
// the a-priori bound on full mantissas; also with the workspace and outputs poisoned in three ways.
TEST_P(EveryAlgorithm, AgreesWithFp64) {
  const auto operation = make_convolution_operation(GetParam().direction);
  auto device = make_cpu_device();
  ASSERT_TRUE(device) << device.error().text;
  ASSERT_TRUE((*device)->activate());
  int ran = 0;
  for (auto p : testing::small_shapes()) {
    p.direction = GetParam().direction;
    p.layout = GetParam().layout;
    p.types.storage = GetParam().storage;
    p.types.weight_gradient = GetParam().weight_gradient;
    const auto problem = to_problem(p);
    ASSERT_TRUE(operation->check(problem));
    for (const auto fill : {InputFill::exact, InputFill::rounding}) {
      const auto reference = operation->reference(problem, {fill, 5});
      ASSERT_TRUE(reference) << reference.error().text;
      for (const auto& provider : operation->providers()) {
        const auto offers = provider->offers(problem, **device);
        ASSERT_TRUE(offers) << offers.error().text;
        ASSERT_FALSE(offers->empty());
        std::set<std::string> names;
        for (const auto& offer : *offers) {
          const auto id = case_id(problem, offer.algorithm);
          EXPECT_TRUE(names.insert(id).second) << id << " is offered twice";
          EXPECT_TRUE(parse_case_id(id)) << id;
          if (offer.unsupported) {
            EXPECT_FALSE(offer.unsupported->text.empty());
            continue;
          }
          SCOPED_TRACE(id);
          const auto run = testing::run(*operation, problem, offer.algorithm, {fill, 5}, 2,
                                        fill == InputFill::exact ? Poison::nan_pattern : Poison::random);
          ASSERT_TRUE(run) << run.error().text;
          EXPECT_TRUE(run->guards_intact);
          const auto verification = (*reference)->check(offer.algorithm, run->outputs);
          ASSERT_TRUE(verification) << verification.error().text;
          EXPECT_TRUE(verification->passed) << verification->reason;
          EXPECT_GT(verification->checked, 0u);
          ++ran;
        }
      }
    }
  }
  EXPECT_GE(ran, 2 * 12);  // fixed_order alone answers every shape
}

INSTANTIATE_TEST_SUITE_P(F32, EveryAlgorithm,
                         ::testing::ValuesIn([] {
                           std::vector<Case> cases;
                           for (auto direction : all_directions)
                             for (const char* layout : {"nhwc", "nchw", "blocked"}) cases.push_back({direction, layout});
                           return cases;
                         }()),
                         [](const auto& info) {
                           return std::string(op_name(info.param.direction)) + "_" + info.param.layout;
                         });

INSTANTIATE_TEST_SUITE_P(Bf16, EveryAlgorithm,
                         ::testing::Values(Case{Direction::forward, "nhwc", DataType::bf16},
                                           Case{Direction::forward, "blocked", DataType::bf16},
                                           Case{Direction::dgrad, "nhwc", DataType::bf16},
                                           Case{Direction::wgrad, "nhwc", DataType::bf16},
                                           Case{Direction::wgrad, "blocked", DataType::bf16},
                                           Case{Direction::wgrad, "nhwc", DataType::bf16, DataType::bf16},
                                           Case{Direction::wgrad, "blocked", DataType::bf16, DataType::bf16}),
                         [](const auto& info) {
                           return std::string(op_name(info.param.direction)) + "_" + info.param.layout +
                                  (info.param.weight_gradient == DataType::f32 ? "" : "_dwbf16");
                         });

TEST(OnednnConvolution, OffersTheImplementationsByName) {
  if (!onednn_version()) GTEST_SKIP() << onednn_absent_reason;
  auto device = make_cpu_device();
  ASSERT_TRUE(device);
  const auto provider = make_onednn_convolution();
  ConvolutionProblem p = testing::small_shapes()[3];
  p.ic = 64, p.oc = 64, p.ih = p.iw = 12;
  const auto names = [&](const std::string& layout) {
    p.layout = layout;
    std::set<std::string> names;
    const auto offers = provider->offers(to_problem(p), **device);
    EXPECT_TRUE(offers);
    for (const auto& offer : *offers) names.insert(algorithm_id(offer.algorithm));
    return names;
  };
  const auto plain = names("nchw"), blocked = names("blocked");
  // Twice the same list: the walk over implementations must not depend on earlier walks or on primitives created since.
  EXPECT_EQ(names("blocked"), blocked);
  EXPECT_TRUE(plain.contains("onednn:ref:any"));
  EXPECT_TRUE(blocked.contains("onednn:ref:any"));
  if (__builtin_cpu_supports("avx512f")) {
    EXPECT_TRUE(blocked.contains("onednn:jit:avx512_core"));
    EXPECT_FALSE(plain.contains("onednn:jit:avx512_core"));
    EXPECT_TRUE(plain.contains("onednn:jit:avx512_core@formats=any"));
    // oneDNN 3 has no Winograd for CPUs any more.
    EXPECT_EQ(blocked.contains("onednn:jit_wino_4x3:avx512_core"), onednn_version()->starts_with("2."));
  }
}

TEST(OnednnConvolution, RefusesNamesAndOptionsThatItDoesNotKnow) {
  if (!onednn_version()) GTEST_SKIP() << onednn_absent_reason;
  auto device = make_cpu_device();
  ASSERT_TRUE(device);
  const auto provider = make_onednn_convolution();
  const auto problem = to_problem(testing::small_shapes()[1]);
  for (const auto& [name, options] : std::vector<std::pair<std::string, Options>>{
           {"jit:avx9000", {}}, {"ref:any", {{"formats", "every"}}}, {"ref:any", {{"speed", "high"}}}}) {
    const auto plan = provider->plan(problem, {"onednn", name, options, {}}, **device);
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().text.find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace detbench
