// Softmax and cross-entropy on a GPU, where there is one.
#include "kernels/loss/loss.hpp"
#include "kernels/loss/softmax.hpp"
#include "tests/kernels/device_runner.hpp"

namespace detbench {
namespace {

class GpuRows : public testing::OnGpu {};

TEST_F(GpuRows, EverySoftmaxIsAcceptedAndOursHasTheCpusBits) {
  for (const auto& operation : make_softmax_operations())
    for (const auto& [n, k] : {std::pair{128, 1000}, {1, 1}, {3, 2}, {17, 37}, {5, 33}, {2, 100003}})
      for (const auto fill : {InputFill::rounding, InputFill::wide}) {
        const Problem problem = softmax_problem(std::string(operation->op()), n, k);
        EXPECT_GE(testing::verify_offers(*operation, problem, {fill, 5}, *device_), 1);
        testing::expect_cpu_bits(*operation, problem, "fixed_order:lanes", {fill, 5}, *device_);
      }
}

TEST_F(GpuRows, CrossEntropyIsAcceptedAndOursHasTheCpusBits) {
  const auto operation = make_softmax_cross_entropy_operation();
  for (const auto& [n, k] : {std::pair{8, 1000}, {1, 1}, {3, 2}, {517, 37}, {33, 10}})
    for (const auto fill : {InputFill::rounding, InputFill::wide})
      for (const double smoothing : {0.0, 0.1}) {
        const Problem problem = softmax_cross_entropy_problem(n, k, smoothing);
        EXPECT_EQ(testing::verify_offers(*operation, problem, {fill, 5}, *device_), 2);
        testing::expect_cpu_bits(*operation, problem, "fixed_order:lanes", {fill, 5}, *device_);
      }
}

}  // namespace
}  // namespace detbench
