// The CUDA sums on a GPU, where there is one: each against the exact sum, and the two that are the CPU's bit for bit.
#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "sum_runner.hpp"
#include "verify_all.hpp"

namespace detbench {
namespace {

using testing::sum_bits;
using testing::SumRunner;

class GpuSums : public ::testing::Test {
 protected:
  void SetUp() override {
    auto device = make_cuda_device();
    if (!device) GTEST_SKIP() << "no CUDA device: " << device.error().text;
    device_ = std::move(*device);
  }
  std::unique_ptr<Device> device_;
};

template <class T>
std::vector<T> random_values(std::size_t n, int spread) {
  std::mt19937_64 random(n + static_cast<std::size_t>(spread));
  std::vector<T> values(n);
  for (T& value : values)
    value = std::ldexp(static_cast<T>(static_cast<std::int64_t>(random()) >> 10),
                       -80 + static_cast<int>(random() % static_cast<unsigned>(spread)));
  return values;
}

TEST_F(GpuSums, EveryAlgorithmMeetsTheExactAndTheRoundingBound) {
  ASSERT_TRUE(device_->activate().has_value());
  const auto sum = make_sum_operation();
  for (const char* types : {"f32_f32_strict", "f64_f64_strict"})
    for (const char* n : {"n1", "n2", "n63", "n65", "n2047", "n2049", "n65537", "n4000003"})
      for (InputFill fill : {InputFill::exact, InputFill::rounding, InputFill::wide})
        testing::verify_all(*sum, {"sum", n, types, "vector"}, *device_, fill);
}

template <class T>
void expect_cpu_bits(const std::vector<T>& values, const std::string& what) {
  const std::pair<const char*, const char*> pairs[] = {
      {"fixed_order:fixed_tree", "cuda_fixed:fixed_tree"},
      {"order_independent:superaccumulator", "cuda_fixed:order_independent"}};
  for (const auto& [on_cpu, on_gpu] : pairs) {
    std::string error;
    const auto expected = sum_bits(values, on_cpu, 2, error);
    ASSERT_EQ(error, "");
    EXPECT_EQ(sum_bits(values, on_gpu, 1, error, DeviceKind::cuda), expected) << on_gpu << ", " << what;
    ASSERT_EQ(error, "");
    DeviceConfiguration odd;  // not aligned to 16 bytes: the kernels' narrow loads
    odd.offset_bytes = sizeof(T);
    SumRunner runner(odd, values.size(), testing::sum_types<T>, on_gpu, DeviceKind::cuda);
    ASSERT_EQ(runner.error(), "");
    ASSERT_TRUE(runner.set(values));
    EXPECT_EQ(runner.bits<T>(), expected) << on_gpu << " at an odd address, " << what;
  }
}

template <class T>
void expect_cpu_bits_for_type() {
  for (std::size_t n : {1u, 2u, 5u, 2047u, 2048u, 2049u, 32768u, 32769u, 3000001u})
    for (int spread : {1, 20, 60})
      expect_cpu_bits(random_values<T>(n, spread), std::to_string(n) + " elements, spread " + std::to_string(spread));
  using Limits = std::numeric_limits<T>;
  const std::vector<std::vector<T>> special = {
      std::vector<T>(5000, -T(0)),   {-T(0), T(0)},
      {Limits::infinity(), T(1)},    {Limits::infinity(), -Limits::infinity()},
      {Limits::quiet_NaN(), T(1)},   std::vector<T>(5000, Limits::denorm_min()),
      {Limits::max(), Limits::max()}};
  for (const auto& values : special)
    expect_cpu_bits(values, "special values beginning with " + std::to_string(values[0]));
}

TEST_F(GpuSums, FixedTreeAndOrderIndependentGiveTheCpusBits) {
  expect_cpu_bits_for_type<float>();
  expect_cpu_bits_for_type<double>();
}

TEST_F(GpuSums, FixedOrdersRepeatAndLastBlockIsTwoPass) {
  const auto values = random_values<float>(5000001, 12);
  std::string error;
  const auto two_pass = sum_bits(values, "cuda_fixed:two_pass", 1, error, DeviceKind::cuda);
  ASSERT_EQ(error, "");
  SumRunner runner({}, values.size(), "f32_f32_strict", "cuda_fixed:last_block", DeviceKind::cuda);
  ASSERT_EQ(runner.error(), "");
  ASSERT_TRUE(runner.set(values));
  for (int run = 0; run < 20; ++run) ASSERT_EQ(runner.bits<float>(), two_pass) << "run " << run;
}

}  // namespace
}  // namespace detbench
