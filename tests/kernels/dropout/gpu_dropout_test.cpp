// Dropout on a GPU, where there is one.
#include "kernels/dropout/dropout.hpp"
#include "tests/kernels/device_runner.hpp"

namespace detbench {
namespace {

using testing::BoundCase;
class GpuDropout : public testing::OnGpu {};

TEST_F(GpuDropout, EveryArmIsAcceptedAndOursHasTheCpusBits) {
  const auto operations = make_dropout_operations();
  for (const bool backward : {false, true})
    for (const std::int64_t n : {1, 7, 1000003})
      for (const char* p : {"0", "0.2", "0.5"}) {
        const Problem problem = dropout_problem(backward, n, p, 7);
        EXPECT_GE(testing::verify_offers(*operations[backward], problem, {}, *device_), 1);
        testing::expect_cpu_bits(*operations[backward], problem, "fixed_order:philox", {}, *device_);
      }
}

/// Which elements of a run of cuDNN's are zero.
std::vector<bool> zeros(const Operation& operation, const Problem& problem, Device& device, int runs) {
  std::vector<bool> zero;
  auto bound = BoundCase::make(operation, problem, *operation.find_provider("cudnn_legacy"), {"cudnn_legacy", "seeded", {}, {}}, {}, device);
  EXPECT_TRUE(bound) << bound.error().text;
  if (!bound) return zero;
  for (int run = 0; run < runs; ++run) EXPECT_TRUE((*bound)->run());  // each run resets first
  const auto outputs = (*bound)->host_outputs();
  EXPECT_TRUE(outputs);
  if (!outputs) return zero;
  const auto* values = static_cast<const float*>((*outputs)[0].region.data);
  for (std::size_t i = 0; i < (*outputs)[0].region.bytes / sizeof(float); ++i) zero.push_back(values[i] == 0);
  return zero;
}

TEST_F(GpuDropout, ResetGivesCudnnItsMaskBackAndBackwardHasTheForwards) {
  const auto operations = make_dropout_operations();
  const Problem forward = dropout_problem(false, 100003, "0.3", 5), backward = dropout_problem(true, 100003, "0.3", 5);
  const auto offers = operations[0]->find_provider("cudnn_legacy")->offers(forward, *device_).value();
  if (offers[0].unsupported) GTEST_SKIP() << offers[0].unsupported->text;
  const auto once = zeros(*operations[0], forward, *device_, 1);
  EXPECT_EQ(once, zeros(*operations[0], forward, *device_, 3));
  EXPECT_EQ(once, zeros(*operations[1], backward, *device_, 2));
  EXPECT_NE(once, zeros(*operations[0], dropout_problem(false, 100003, "0.3", 6), *device_, 1));
}

}  // namespace
}  // namespace detbench
