// The CUDA algorithms on a GPU, where there is one: each against the reference; those of fixed order and without order with
// the CPU's bits under the same names.
#include <gtest/gtest.h>

#include "scatter_runner.hpp"
#include "tests/kernels/reduction/verify_all.hpp"

namespace detbench {
namespace {

using testing::random_updates;
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
  for (const char* id :
       {"scatter_add/n1_bins1_hot0/f32_f32_strict/vector", "scatter_add/n1000_bins7_hot4/f64_f64_strict/vector",
        "scatter_add/n5000_bins70000_hot0/f16_f32_strict/vector", "scatter_add/n400000_bins512_hot1/f32_f32_strict/vector",
        "scatter_add/n300000_bins65536_hot0_cancelling/f32_f32_strict/vector", "scatter_add/n30000_bins100_hot0_adjacent_wide/bf16_f32_strict/vector",
        "scatter_add/n30000_bins100_hot0_spread/f16_f16_strict/vector", "scatter_add/n30000_bins20000_hot0_pairs/bf16_bf16_strict/vector",
        "scatter_add/n30000_bins100_hot0_zipf_uniform/f32_f32_strict/vector", "index_add/n3000_bins50_d33/f32_f32_strict/vector",
        "index_add/n3000_bins50_d64_adjacent/bf16_f32_strict/vector", "index_add/n3000_bins50_d64_hot2/f64_f64_strict/vector",
        "weighted_histogram/n40000_bins500_uniform/f32_f32_strict/vector"})
    for (InputFill fill : {InputFill::exact, InputFill::rounding, InputFill::wide}) {
      const auto problem = parse_problem_id(id);
      ASSERT_TRUE(problem.has_value()) << id;
      const auto operation = testing::operation_named(problem->op);
      testing::verify_all(*operation, *problem, *device_, fill);
    }
}

TEST_F(GpuScatterAdd, FixedOrdersAndIntegersGiveTheCpusBits) {
  std::vector<Updates> cases{random_updates(1, 1, 0),
                             random_updates(7, 3, 1),
                             random_updates(200, 1000, 0),
                             random_updates(40000, 300, 0),
                             random_updates(60001, 50, 1),
                             random_updates(60000, 1, 0),
                             random_updates(1000000, 40000, 32),
                             random_updates(50000, 70, 1, 12, "f64_f64_strict"),
                             random_updates(20000, 40, 4, 12, "f16_f32_strict"),
                             random_updates(20000, 40, 4, 8, "f16_f16_strict"),
                             random_updates(20000, 40, 4, 12, "bf16_bf16_strict"),
                             random_updates(9000, 30, 1, 12, "f32_f32_strict", 33),
                             random_updates(9000, 300, 0, 12, "bf16_f32_strict", 64),
                             random_updates(900, 30, 0, 12, "f64_f64_strict", 5)};
  for (const char* words : {"_adjacent", "_spread"}) {
    Updates laid_out = random_updates(100003, 999, 0);
    laid_out.words = words;
    std::fill(laid_out.indices.begin(), laid_out.indices.end(), 0);
    cases.push_back(laid_out);
  }
  Updates histogram = random_updates(50000, 1000, 0);
  histogram.op = "weighted_histogram";
  for (std::int64_t i = 0; i < histogram.n(); ++i) histogram.samples.push_back(static_cast<float>(i * 7919 % 50000) / 25000.0f - 1.0f);
  cases.push_back(histogram);
  for (const Updates& updates : cases)
    for (const char* algorithm : {"fixed_order:sort_tree", "fixed_order:sort_in_order", "fixed_order:f64_accumulator", "fixed_order:compensated",
                                  "order_independent:superaccumulator", "order_independent:fixed_point"}) {
      std::string on_cpu, on_gpu;
      const auto expected = scatter_bits(updates, algorithm, 2, on_cpu), found = scatter_bits(updates, algorithm, 1, on_gpu, DeviceKind::cuda);
      EXPECT_EQ(found, expected) << updates.problem() << algorithm;
      EXPECT_EQ(on_gpu, on_cpu);  // both run, or both lack it for the same reason
    }
}

}  // namespace
}  // namespace detbench
