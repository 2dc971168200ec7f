// Every fused arm that a GPU is offered, against fp64.
#include <gtest/gtest.h>

#include "fused_shapes.hpp"
#include "kernels/fused_convolution/operation.hpp"
#include "tests/kernels/convolution/legacy_device_runner.hpp"
#include "tests/kernels/device_runner.hpp"

namespace detbench {
namespace {

struct Case {
  FusedPattern pattern;
  DataType storage;
  bool tf32;
  std::string layout;
  friend std::ostream& operator<<(std::ostream& out, const Case& c) {
    return out << op_name(c.pattern) << ' ' << to_text(c.storage) << (c.tf32 ? " tf32 " : " ") << c.layout;
  }
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

/// Runs every arm that is offered; what the library takes back when the plan is built is no error. Returns how many ran.
int verify_all(Device& device, const FusedConvolutionProblem& p, const AlgorithmSearch& search) {
  const auto operations = make_fused_convolution_operations(search);
  const auto& operation = *operations[p.pattern == FusedPattern::stats ? 1 : 0];
  const auto problem = to_problem(p);
  int ran = 0;
  for (const auto fill : {InputFill::exact, InputFill::rounding}) {
    const auto reference = operation.reference(problem, {fill, 5});
    EXPECT_TRUE(reference) << reference.error().text;
    if (!reference) return ran;
    for (const auto& provider : operation.providers()) {
      const auto offers = provider->offers(problem, device);
      EXPECT_TRUE(offers) << offers.error().text;
      if (!offers) continue;
      for (const auto& offer : *offers) {
        const auto id = case_id(problem, offer.algorithm);
        if (offer.unsupported) {
          EXPECT_FALSE(offer.unsupported->text.empty()) << id;
          continue;
        }
        // Kernels that are compiled at run time cost up to seconds: once is enough.
        const auto notes = offer.notes.find("behaviour_notes");
        const bool compiled = notes != offer.notes.end() && notes->second.find("RUNTIME_COMPILATION") != std::string::npos;
        if (compiled && fill == InputFill::exact) continue;
        const auto found =
            testing::verify_once(device, operation, problem, offer.algorithm, {fill, 5}, **reference, fill == InputFill::exact ? Poison::nan_pattern : Poison::random);
        if (!found && found.error().kind == Reason::Kind::unsupported) continue;
        if (!found) {
          ADD_FAILURE() << id << ": " << found.error().text;
          if (!device.usable()) return ran;
          continue;
        }
        EXPECT_TRUE(found->passed) << id << ": " << found->reason;
        ++ran;
      }
    }
  }
  return ran;
}

TEST_P(FusedOnGpu, EveryArmAgreesWithFp64) {
  const auto& c = GetParam();
  int ran = 0;
  auto problems = testing::small_fused(c.pattern, c.storage, c.layout);
  const auto pointwise = problems[1];
  for (auto& p : problems) {
    p.types.tf32 = c.tf32;
    ran += verify_all(*device_, p, {.tiers = {Tier::t0}});
    ASSERT_TRUE(device_->usable());
  }
  // Channels in multiples of 8, as tensor-core engines want them, beside the shapes that nothing fits.
  for (const std::int64_t kernel : {1, 3}) {
    auto p = pointwise;
    p.types.tf32 = c.tf32;
    p.ic = 32, p.oc = 64, p.ih = p.iw = 14;
    p.kh = p.kw = kernel;
    p.pt = p.pb = p.pl = p.pr = kernel / 2;
    ran += verify_all(*device_, p, {});
    ASSERT_TRUE(device_->usable());
  }
  RecordProperty("ran", ran);
}

TEST_P(FusedOnGpu, FixedOrderHasTheCpusBits) {
  const auto& c = GetParam();
  if (c.tf32) GTEST_SKIP() << "fixed_order has no TF32";
  const auto operations = make_fused_convolution_operations({});
  const auto& operation = *operations[c.pattern == FusedPattern::stats ? 1 : 0];
  const std::string algorithm = c.pattern == FusedPattern::stats ? "fixed_order:direct+chunks512" : "fixed_order:direct";
  auto problems = testing::small_fused(c.pattern, c.storage, c.layout);
  auto several_chunks = problems[1];
  several_chunks.mb = 5, several_chunks.ih = several_chunks.iw = 28;
  problems.push_back(several_chunks);
  for (const auto& p : problems)
    for (const auto fill : {InputFill::exact, InputFill::rounding}) testing::expect_cpu_bits(operation, to_problem(p), algorithm, {fill, 5}, *device_);
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
