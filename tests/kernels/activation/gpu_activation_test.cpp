// Element-by-element operations on a GPU, where there is one: the arms that must never differ.
#include "kernels/activation/activation.hpp"
#include "tests/kernels/device_runner.hpp"

namespace detbench {
namespace {

class GpuActivation : public testing::OnGpu {};

TEST_F(GpuActivation, EveryArmIsAcceptedAndOursHasTheCpusBits) {
  for (const auto& operation : make_activation_operations())
    for (const std::int64_t n : {1, 7, 4099, 1000000})
      for (const auto fill : {InputFill::exact, InputFill::rounding, InputFill::wide}) {
        if (fill == InputFill::exact && !operation->has_exact_fill()) continue;
        const Problem problem = vector_problem(std::string(operation->op()), n);
        EXPECT_GE(testing::verify_offers(*operation, problem, {fill, 5}, *device_), 1);
        testing::expect_cpu_bits(*operation, problem, "fixed_order:elementwise", {fill, 5}, *device_);
      }
}

}  // namespace
}  // namespace detbench
