// Dropout inside a train step on a GPU, where there is one: the CPU's bits, by launches and captured.
#include "tests/kernels/device_runner.hpp"
#include "tests/kernels/dropout/step_dropout_runs.hpp"

namespace detbench {
namespace {

class GpuStepDropout : public testing::OnGpu {};

TEST_F(GpuStepDropout, HasTheCpusBits) {
  for (const DataType type : {DataType::f32, DataType::f16, DataType::bf16})
    for (const bool whole : {false, true})
      for (const std::int32_t step : {0, 5})
        for (const auto& [samples, elements] : {std::pair{1, 1}, {7, 1025}, {33, 20001}})
          testing::expect_cpu_bytes(*device_, testing::step_dropout_run({samples, elements, 0.3, whole, 11, "drop"}, type, step),
                                    std::string(to_text(type)) + (whole ? " whole " : " ") + std::to_string(samples) + " x " + std::to_string(elements));
}

}  // namespace
}  // namespace detbench
