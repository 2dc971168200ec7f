// Optimizers on a GPU, where there is one: the CPU's bits, by launches and captured.
#include "tests/kernels/device_runner.hpp"
#include "tests/kernels/optimizer/optimizer_runs.hpp"

namespace detbench {
namespace {

class GpuOptimizers : public testing::OnGpu {};

TEST_F(GpuOptimizers, EveryArmIsAcceptedAndHasTheCpusBits) {
  for (const auto& operation : make_optimizer_operations())
    for (const char* shape : {"n1", "n7_lr0.5", "n1000003_wd0.01"})
      for (const auto fill : {InputFill::rounding, InputFill::wide}) {
        const Problem problem{std::string(operation->op()), shape, "f32_f32_strict", "vector"};
        EXPECT_EQ(testing::verify_offers(*operation, problem, {fill, 5}, *device_), 1);
        testing::expect_cpu_bits(*operation, problem, "fixed_order:elementwise", {fill, 5}, *device_);
      }
}

TEST_F(GpuOptimizers, OneLaunchUpdatesEveryTensor) {
  for (const auto& [name, spec] : testing::every_optimizer())
    for (const std::int32_t finite : {1, 0}) {
      testing::Update update{spec, {3, 20001, 1, 8192, 17}, {true, false, true, true, false}, {0.1, 0.05}, 5, 1024.0f, finite};
      testing::expect_cpu_bytes(*device_, testing::run_of(update, true), name);
      update.loss_scale.reset();
      auto run = testing::run_of(update);
      run.runs = 3;
      testing::expect_cpu_bytes(*device_, run, name);
    }
}

}  // namespace
}  // namespace detbench
