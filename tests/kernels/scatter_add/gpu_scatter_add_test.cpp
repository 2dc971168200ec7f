// The CUDA scatter-adds on a GPU, where there is one: each against the reference, two with the CPU's bits.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "scatter_runner.hpp"
#include "tests/kernels/reduction/verify_all.hpp"

namespace detbench {
namespace {

using testing::scatter_bits;
using testing::Updates;

class GpuScatterAdd : public ::testing::Test {
 protected:
  void SetUp() override {
    auto device = make_cuda_device();
    if (!device) GTEST_SKIP() << "no CUDA device: " << device.error().text;
    device_ = std::move(*device);
    ASSERT_TRUE(device_->activate().has_value());
  }
  std::unique_ptr<Device> device_;
};

TEST_F(GpuScatterAdd, EveryAlgorithmMeetsTheExactAndTheRoundingBound) {
  const auto operation = make_scatter_add_operation();
  for (const char* shape :
       {"n1_bins1_hot0", "n1000_bins7_hot4", "n5000_bins70000_hot0", "n400000_bins512_hot1", "n1048576_bins65536_hot0"})
    for (InputFill fill : {InputFill::exact, InputFill::rounding, InputFill::wide})
      testing::verify_all(*operation, {"scatter_add", shape, "f32_f32_strict", "vector"}, *device_, fill);
}

TEST_F(GpuScatterAdd, SortTreeAndOrderIndependentGiveTheCpusBits) {
  const struct {
    std::size_t n;
    std::int32_t bins, hot;
  } shapes[] = {{1, 1, 0},      {7, 3, 1},      {200, 1000, 0},      {40000, 300, 0},
                {70001, 50, 1}, {300000, 1, 0}, {1000000, 40000, 32}};
  for (const auto& shape : shapes) {
    std::mt19937_64 random(shape.n);
    Updates updates;
    updates.bins = shape.bins;
    updates.hot = shape.hot;
    for (std::size_t i = 0; i < shape.n; ++i) {
      updates.values.push_back(std::ldexp(static_cast<float>(static_cast<std::int64_t>(random()) >> 38),
                                          -30 + static_cast<int>(random() % 40)));
      updates.indices.push_back(static_cast<std::int32_t>(
          random() % static_cast<std::uint64_t>(shape.hot > 0 ? 2 * shape.bins : shape.bins)));
    }
    std::string error;
    const std::pair<const char*, const char*> pairs[] = {
        {"fixed_order:sort_tree", "cuda_fixed:sort_tree"},
        {"order_independent:superaccumulator", "cuda_fixed:order_independent"}};
    for (const auto& [on_cpu, on_gpu] : pairs) {
      const auto expected = scatter_bits(updates, on_cpu, 2, error);
      ASSERT_EQ(error, "");
      EXPECT_EQ(scatter_bits(updates, on_gpu, 1, error, DeviceKind::cuda), expected) << updates.problem() << on_gpu;
      ASSERT_EQ(error, "");
    }
  }
}

}  // namespace
}  // namespace detbench
