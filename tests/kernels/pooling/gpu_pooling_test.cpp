// Pooling on a GPU, where there is one.
#include "kernels/pooling/pooling.hpp"
#include "kernels/pooling/window_problem.hpp"
#include "tests/kernels/device_runner.hpp"

namespace detbench {
namespace {

class GpuPooling : public testing::OnGpu {};

bool is_backward_op(const std::string& op) { return op.ends_with("_bwd"); }

/// Plans of the graph API are compiled at run time, each in a good part of a second, so not every problem asks for them.
auto all_but_graphs(bool graphs) {
  return [graphs](std::string_view provider) { return graphs || provider != "cudnn_graph"; };
}

const char* const shapes[] = {"mb4_c64_ih57_iw43_kh3_kw3_sh2_sw2_pt1_pb1_pl1_pr1", "mb2_c5_ih9_iw7_kh3_kw3_sh2_sw2_pt0_pb1_pl0_pr1",
                              "mb3_c16_ih8_iw8_kh2_kw2_sh2_sw2_pt0_pb0_pl0_pr0",   "mb2_c33_ih11_iw13_kh3_kw3_sh1_sw1_pt1_pb1_pl1_pr1",
                              "mb1_c1_ih1_iw1_kh1_kw1_sh1_sw1_pt0_pb0_pl0_pr0",    "mb2_c3_ih9_iw9_kh2_kw3_sh4_sw5_pt0_pb0_pl0_pr0"};

TEST_F(GpuPooling, EveryArmIsAcceptedAndOursHasTheCpusBits) {
  for (const auto& operation : make_pooling_operations()) {
    const std::string op(operation->op());
    if (op.starts_with("global")) continue;
    for (const char* shape : shapes)
      for (const char* layout : {"nhwc", "nchw"})
        for (const auto fill : {InputFill::exact, InputFill::rounding}) {
          if (fill == InputFill::exact && !operation->has_exact_fill()) continue;
          const Problem problem{op, std::string(shape) + (op.starts_with("avg") ? "_ip0" : ""), "f32_f32_strict", layout};
          const bool graphs = fill == InputFill::rounding && (shape == shapes[0] || shape == shapes[1]);
          EXPECT_GE(testing::verify_offers(*operation, problem, {fill, 5}, *device_, all_but_graphs(graphs)), 1);
          if (op == "max_pool_bwd") {
            testing::expect_cpu_bits(*operation, problem, "fixed_order:gather", {fill, 5}, *device_);
            testing::expect_cpu_bits(*operation, problem, "fixed_order:gather[winners=kept]", {fill, 5}, *device_);
          } else {
            testing::expect_cpu_bits(*operation, problem, is_backward_op(op) ? "fixed_order:gather" : "fixed_order:windows", {fill, 5}, *device_);
          }
        }
  }
}

TEST_F(GpuPooling, GlobalAveragesAreAcceptedAndOursHasTheCpusBits) {
  const auto operations = make_pooling_operations();
  struct Size {
    std::int64_t n, c, h, w;
  };
  for (const bool backward : {false, true})
    for (const Size& s : {Size{2, 37, 3, 3}, {1, 1, 1, 1}, {3, 130, 7, 5}, {2, 1280, 7, 7}, {1, 19, 112, 112}})
      for (const char* layout : {"nhwc", "nchw", "nchw16c", "nchw8c", "blocked"}) {
        const Problem problem = global_avg_pool_problem(backward, s.n, s.c, s.h, s.w, layout);
        EXPECT_GE(testing::verify_offers(*operations[backward], problem, {InputFill::rounding, 5}, *device_, all_but_graphs(s.c > 100)), 1);
        testing::expect_cpu_bits(*operations[backward], problem, "fixed_order:lanes", {InputFill::rounding, 5}, *device_);
      }
}

// The runner itself, where there is no GPU.
TEST(DeviceRunner, HoldsTheCpusArmsAgainstTheReference) {
  const auto cpu = std::move(make_cpu_device().value());
  ASSERT_TRUE(cpu->activate());
  for (const auto& operation : make_pooling_operations()) {
    const std::string op(operation->op());
    if (op.starts_with("global")) continue;
    const Problem problem{op, std::string(shapes[1]) + (op.starts_with("avg") ? "_ip0" : ""), "f32_f32_strict", "nhwc"};
    EXPECT_GE(testing::verify_offers(*operation, problem, {}, *cpu), op == "max_pool_bwd" ? 2 : 1);
    testing::expect_cpu_bits(*operation, problem, is_backward_op(op) ? "fixed_order:gather" : "fixed_order:windows", {}, *cpu);
  }
}

// Windows that do not overlap hand every element at most one gradient: nothing can meet in another order.
TEST_F(GpuPooling, SeparateWindowsCannotRace) {
  for (const auto& operation : make_pooling_operations()) {
    if (operation->op() != "max_pool_bwd") continue;
    const Problem problem{"max_pool_bwd", "mb8_c64_ih56_iw56_kh2_kw2_sh2_sw2_pt0_pb0_pl0_pr0", "f32_f32_strict", "nhwc"};
    EXPECT_EQ(testing::digest_of(*operation, problem, "cuda_atomic:scatter", {}, *device_),
              testing::digest_of(*operation, problem, "fixed_order:gather", {}, *device_));
  }
}

}  // namespace
}  // namespace detbench
