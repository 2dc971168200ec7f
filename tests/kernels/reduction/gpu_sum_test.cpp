// Sums and dot products on a GPU, where there is one: every row against the exact answer, and those of fixed_order and
// order_independent bit for bit against the CPU's row of the same name.
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "gpu_answers.hpp"
#include "kernels/reduction/sum.hpp"
#include "verify_all.hpp"

namespace detbench {
namespace {

constexpr const char* all_types[] = {"f32_f32_strict", "f64_f64_strict", "f16_f32_strict", "bf16_f32_strict"};

using testing::answer;
using testing::Bytes;

class GpuSums : public ::testing::Test {
 protected:
  void SetUp() override {
    auto device = make_cuda_device();
    if (!device) GTEST_SKIP() << "no CUDA device: " << device.error().text;
    device_ = std::move(*device);
    cpu_ = std::move(*make_cpu_device());
    operations_.push_back(make_sum_operation());
    operations_.push_back(make_dot_operation());
  }

  /// Every row of fixed_order and order_independent on the GPU, at every alignment, against the CPU's.
  void expect_cpu_bits(const Operation& operation, const Problem& problem, const Bytes* given = nullptr) {
    int compared = 0;
    for (const char* provider : {"fixed_order", "order_independent"}) {
      const auto offers = operation.find_provider(provider)->offers(problem, *device_);
      ASSERT_TRUE(offers.has_value()) << offers.error().text;
      for (const Offer& offer : *offers) {
        if (offer.unsupported) continue;
        const std::string algorithm = offer.algorithm.provider + ":" + offer.algorithm.name;
        const auto expected = answer(operation, problem, algorithm, *cpu_, given);
        ASSERT_TRUE(expected.has_value()) << algorithm << " on the CPU: " << expected.error().text;
        for (const std::size_t offset : {std::size_t{0}, std::size_t{1}, std::size_t{8}}) {
          DeviceConfiguration shifted;
          shifted.offset_bytes = offset;  // rounded up to the element's size
          const auto device = offset == 0 ? nullptr : std::move(*make_cuda_device(shifted));
          const auto found = answer(operation, problem, algorithm, device ? *device : *device_, given);
          ASSERT_TRUE(found.has_value()) << algorithm << ": " << found.error().text;
          EXPECT_EQ(*found, *expected) << problem_id(problem) << "/" << algorithm << " at offset " << offset;
          ++compared;
        }
      }
    }
    EXPECT_GE(compared, 3 * 8) << "five or six orders and three exact or binned sums, at three addresses";
  }

  std::unique_ptr<Device> device_, cpu_;
  std::vector<std::unique_ptr<Operation>> operations_;
};

/// CUB, cuBLAS, cuDNN's legacy reduction and the atomics included.
TEST_F(GpuSums, EveryAlgorithmMeetsTheExactAndTheRoundingBound) {
  ASSERT_TRUE(device_->activate().has_value());
  for (const auto& operation : operations_)
    for (const char* types : all_types)
      for (const char* n : {"n1", "n2047", "n65537", "n1000003_uniform", "n65536_wide", "n65536_cancelling"})
        for (const InputFill fill : {InputFill::exact, InputFill::rounding})
          testing::verify_providers(*operation, {std::string(operation->op()), n, types, "vector"}, *device_, fill,
                                    [](std::string_view provider) { return provider != "cudnn_graph"; });
}

/// Apart and for one length, because cuDNN compiles each of its ten configurations when it is planned.
TEST_F(GpuSums, CudnnGraphsMeetTheExactBound) {
  for (const char* types : all_types)
    testing::verify_providers(*operations_[0], {"sum", "n65536", types, "vector"}, *device_, InputFill::exact,
                              [](std::string_view provider) { return provider == "cudnn_graph"; });
}

TEST_F(GpuSums, FixedOrdersAndExactSumsGiveTheCpusBits) {
  for (const auto& operation : operations_)
    for (const char* types : all_types)
      for (const char* n : {"n1", "n2", "n5", "n64", "n2047", "n2048", "n2049", "n32768", "n32769_wide", "n100001_cancelling", "n1048583", "n1048583_uniform"})
        expect_cpu_bits(*operation, {std::string(operation->op()), n, types, "vector"});
}

/// 5000 elements of one value with another in the middle, or of one alone.
template <class T>
Bytes given_values(T value, T middle) {
  std::vector<T> values(5000, value);
  values[2500] = middle;
  Bytes bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

template <class T>
std::vector<Bytes> special_inputs() {
  using Limits = std::numeric_limits<T>;
  return {given_values(-T(0), -T(0)),           given_values(-T(0), T(0)),
          given_values(T(1), Limits::infinity()), given_values(Limits::infinity(), -Limits::infinity()),
          given_values(T(1), Limits::quiet_NaN()), given_values(Limits::denorm_min(), -Limits::denorm_min()),
          given_values(Limits::max(), Limits::max()), given_values(Limits::max(), Limits::denorm_min())};
}

TEST_F(GpuSums, SpecialValuesHaveTheCpusBits) {
  for (const auto& operation : operations_) {
    for (const Bytes& given : special_inputs<float>())
      expect_cpu_bits(*operation, {std::string(operation->op()), "n5000", "f32_f32_strict", "vector"}, &given);
    for (const Bytes& given : special_inputs<double>())
      expect_cpu_bits(*operation, {std::string(operation->op()), "n5000", "f64_f64_strict", "vector"}, &given);
    // Every pattern of 16 bits that 5000 elements reach, infinities and NaNs among them, in both formats.
    std::vector<std::uint16_t> patterns(5000);
    for (std::size_t i = 0; i < patterns.size(); ++i) patterns[i] = static_cast<std::uint16_t>(i * 13 + 7);
    Bytes given(patterns.size() * 2);
    for (const bool finite : {true, false}) {
      // Without exponent bit 14 nothing is infinite.
      if (finite)
        for (auto& pattern : patterns) pattern = static_cast<std::uint16_t>(pattern & ~0x4000u);
      else
        for (std::size_t i = 0; i < patterns.size(); ++i) patterns[i] = static_cast<std::uint16_t>(i * 13 + 7);
      std::memcpy(given.data(), patterns.data(), given.size());
      for (const char* types : {"f16_f32_strict", "bf16_f32_strict"})
        expect_cpu_bits(*operation, {std::string(operation->op()), "n5000", types, "vector"}, &given);
    }
  }
}

TEST_F(GpuSums, FixedOrdersRepeatAndLastBlockIsTwoPass) {
  const Problem problem{"sum", "n3000001", "f32_f32_strict", "vector"};
  const auto two_pass = answer(*operations_[0], problem, "fixed_order:two_pass", *device_);
  ASSERT_TRUE(two_pass.has_value()) << two_pass.error().text;
  for (int run = 0; run < 10; ++run) {
    const auto last_block = answer(*operations_[0], problem, "fixed_order:last_block", *device_);
    ASSERT_TRUE(last_block.has_value()) << last_block.error().text;
    ASSERT_EQ(*last_block, *two_pass) << "run " << run;
  }
}

}  // namespace
}  // namespace detbench
