// Every fused arm that a GPU is offered, against fp64.
#include <gtest/gtest.h>

#include "fused_shapes.hpp"
#include "kernels/fused_convolution/operation.hpp"
#include "tests/kernels/convolution/legacy_device_runner.hpp"

namespace detbench {
namespace {

struct Case {
  FusedPattern pattern;
  DataType storage;
  bool tf32;
  std::string layout;
};

class FusedOnGpu : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    auto device = make_cuda_device();
    if (!device) GTEST_SKIP() << "no CUDA device: " << device.error().text;
    device_ = std::move(*device);
    ASSERT_TRUE(device_->activate());
  }
  std::unique_ptr<Device> device_;
};

TEST_P(FusedOnGpu, EveryArmAgreesWithFp64) {
  const auto& c = GetParam();
  auto operations = make_fused_convolution_operations();
  const auto& operation = operations[c.pattern == FusedPattern::stats ? 1 : 0];
  int ran = 0;
  // Channels in multiples of 8, as tensor-core engines want them, beside the shapes that nothing fits.
  auto problems = testing::small_fused(c.pattern, c.storage, c.layout);
  for (const std::size_t kernel : {1, 3}) {
    auto p = problems[1];
    p.ic = 32, p.oc = 64, p.ih = p.iw = 14;
    p.kh = p.kw = static_cast<std::int64_t>(kernel);
    p.pt = p.pb = p.pl = p.pr = p.kh / 2;
    problems.push_back(p);
  }
  for (auto& p : problems) {
    p.types.tf32 = c.tf32;
    const auto problem = to_problem(p);
    for (const auto fill : {InputFill::exact, InputFill::rounding}) {
      const auto reference = operation->reference(problem, {fill, 5});
      ASSERT_TRUE(reference) << reference.error().text;
      for (const auto& provider : operation->providers()) {
        const auto offers = provider->offers(problem, *device_);
        ASSERT_TRUE(offers) << offers.error().text;
        for (const auto& offer : *offers) {
          const auto id = case_id(problem, offer.algorithm);
          if (offer.unsupported) {
            EXPECT_FALSE(offer.unsupported->text.empty()) << id;
            continue;
          }
          const auto found = testing::verify_once(*device_, *operation, problem, offer.algorithm, {fill, 5}, **reference,
                                                  fill == InputFill::exact ? Poison::nan_pattern : Poison::random);
          if (!found) {
            ADD_FAILURE() << id << ": " << found.error().text;
            continue;
          }
          EXPECT_TRUE(found->passed) << id << ": " << found->reason;
          ++ran;
        }
      }
    }
  }
  RecordProperty("ran", ran);
}

INSTANTIATE_TEST_SUITE_P(Cases, FusedOnGpu,
                         ::testing::ValuesIn([] {
                           std::vector<Case> cases;
                           for (const auto pattern : all_fused_patterns)
                             for (const char* layout : {"nhwc", "nchw"}) {
                               for (const bool tf32 : {false, true}) cases.push_back({pattern, DataType::f32, tf32, layout});
                               for (const auto storage : {DataType::f16, DataType::bf16}) cases.push_back({pattern, storage, false, layout});
                             }
                           return cases;
                         }()),
                         [](const auto& info) {
                           return std::string(op_name(info.param.pattern)) + "_" +
                                  (info.param.tf32 ? "tf32" : std::string(to_text(info.param.storage))) + "_" + info.param.layout;
                         });

}  // namespace
}  // namespace detbench
