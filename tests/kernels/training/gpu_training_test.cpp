// The train step's small ops on a GPU, where there is one: the CPU's bits, by launches and captured.
#include "tests/kernels/device_runner.hpp"
#include "tests/kernels/training/training_runs.hpp"

namespace detbench {
namespace {

using testing::expect_cpu_bytes;
using testing::one;

class GpuTraining : public testing::OnGpu {};

TEST_F(GpuTraining, CountersAndScalesHaveTheCpusBits) {
  for (const std::int32_t finite : {0, 1}) {
    expect_cpu_bytes(*device_, {[](Device& d) { return plan_update_loss_scale(3, d); }, {one(finite)}, {}, {one(1024.0f), one(1)}, 5}, "loss scale");
    expect_cpu_bytes(*device_, {[](Device& d) { return plan_advance_step(d, true); }, {one(finite)}, {}, {one(7)}, 2}, "step if finite");
  }
  expect_cpu_bytes(*device_, {[](Device& d) { return plan_advance_step(d); }, {}, {}, {one(41)}, 3}, "step");
}

TEST_F(GpuTraining, FiniteChecksFindWhatTheCpuFinds) {
  const std::vector<std::int64_t> elements{1, 20001, 2048};
  expect_cpu_bytes(*device_, testing::finite_run(elements, -1, 0, 0), "finite");
  for (const auto& [where, at] : {std::pair{0, 0}, {1, 2047}, {1, 2048}, {1, 20000}, {2, 2047}})
    for (const float bad : {NAN, -std::numeric_limits<float>::infinity()}) expect_cpu_bytes(*device_, testing::finite_run(elements, where, at, bad), "not finite");
}

TEST_F(GpuTraining, MovingStatisticsOfManyLayersHaveTheCpusBits) {
  auto run = testing::moving_run({32, 1, 5000, 7}, 0.99);
  run.runs = 3;
  expect_cpu_bytes(*device_, run, "moving statistics");
}

TEST_F(GpuTraining, CastsAndRescalesHaveTheCpusBits) {
  const float scale = 0.3f;
  for (const DataType from : {DataType::f32, DataType::f16, DataType::bf16}) {
    for (const DataType to : {DataType::f32, DataType::f16, DataType::bf16})
      for (const float* given : {static_cast<const float*>(nullptr), &scale})
        expect_cpu_bytes(*device_, testing::cast_run(100001, from, to, given), std::string(to_text(from)) + " to " + std::string(to_text(to)));
    expect_cpu_bytes(*device_, testing::rescale_run(4099, 1.0 / 127.5, -1.0, from), "rescale");
  }
}

}  // namespace
}  // namespace detbench
