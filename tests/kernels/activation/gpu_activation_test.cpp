// Element-by-element operations on a GPU, where there is one: the arms that must never differ.
#include "kernels/activation/activation.hpp"
#include "tests/kernels/device_runner.hpp"

namespace detbench {
namespace {

class GpuActivation : public testing::OnGpu {};

TEST_F(GpuActivation, EveryArmIsAcceptedAndOursHasTheCpusBits) {
  for (const auto& operation : make_activation_operations())
    for (const char* types : {"f32_f32_strict", "f16_f32_strict", "bf16_f32_strict"})
      for (const std::int64_t n : {1, 7, 4099, 1000000})
        for (const auto fill : {InputFill::exact, InputFill::rounding, InputFill::wide}) {
          if (fill == InputFill::exact && !operation->has_exact_fill()) continue;
          const Problem problem = vector_problem(std::string(operation->op()), n, types);
          // Plans of the graph API are compiled at run time, each in a good part of a second, so not every problem asks for them.
          const bool graphs = fill == InputFill::rounding && n == 4099;
          EXPECT_GE(testing::verify_offers(*operation, problem, {fill, 5}, *device_,
                                           [graphs](std::string_view provider) { return graphs || provider != "cudnn_graph"; }), 1);
          testing::expect_cpu_bits(*operation, problem, "fixed_order:elementwise", {fill, 5}, *device_);
        }
}

}  // namespace
}  // namespace detbench
