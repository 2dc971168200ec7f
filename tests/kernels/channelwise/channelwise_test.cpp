#include "kernels/channelwise/channelwise.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <set>

#include "kernels/channelwise/order.hpp"
#include "kernels/channelwise/parts.hpp"
#include "tests/kernels/plan_runner.hpp"

namespace detbench {
namespace {

using channelwise::InstructionSet;
using testing::PlanRunner;

const char* const all_ops[] = {"scale_channels_fwd", "scale_channels_bwd", "bias_add"};
const char* const all_types[] = {"f32_f32_strict", "f16_f32_strict", "bf16_f32_strict"};
const char* const all_layouts[] = {"nhwc", "nchw", "nchw16c", "nchw8c"};
// Odd channel counts, more than a group, planes that are no multiple of the lanes, and planes of two chunks.
const char* const shapes[] = {"mb2_c24_h7_w5", "mb3_c37_h9_w9", "mb1_c1_h1_w1", "mb2_c16_h24_w24", "mb2_c144_h3_w3", "mb1_c70_h23_w23", "mb5_c64_h2_w2"};

const Operation& operation_named(std::string_view op) {
  static const auto operations = make_channelwise_operations();
  for (const auto& o : operations)
    if (o->op() == op) return *o;
  throw std::runtime_error(std::string(op));
}

TEST(Channelwise, EveryOfferAgreesWithTheReference) {
  int onednn = 0;
  for (const char* op : all_ops)
    for (const char* shape : shapes)
      for (const char* types : all_types)
        for (const char* layout : all_layouts) {
          const Problem problem{op, shape, types, layout};
          const auto& operation = operation_named(op);
          ASSERT_TRUE(operation.check(problem));
          PlanRunner runner;
          int tried = 0;
          for (const auto& provider : operation.providers()) {
            const auto offers = provider->offers(problem, runner.device());
            ASSERT_TRUE(offers) << offers.error().text;
            for (const auto& offer : *offers) {
              if (offer.unsupported) continue;
              for (auto fill : {InputFill::rounding, InputFill::wide}) {
                const auto found = runner.verify(operation, problem, offer.algorithm, {fill, 7});
                EXPECT_TRUE(found.passed) << case_id(problem, offer.algorithm) << " " << to_text(fill) << ": " << found.reason << " ratio " << found.bound_ratio;
                EXPECT_GT(found.checked, 0u);
              }
              ++tried;
              onednn += offer.algorithm.provider == "onednn";
            }
          }
          EXPECT_GE(tried, 1) << problem_id(problem);
        }
  EXPECT_TRUE(onednn > 0 || operation_named("bias_add").find_provider("onednn")->name() == "onednn");
}

TEST(Channelwise, BitsDoNotDependOnThreadsLayoutOrInstructionSet) {
  for (const char* op : all_ops)
    for (const char* types : all_types)
      for (const char* shape : {"mb3_c37_h9_w9", "mb2_c70_h24_w25"}) {
        std::set<std::string> digests;
        int runs = 0;
        for (int threads : {1, 2, 3, 4})
          for (const char* layout : all_layouts)
            for (auto set : {InstructionSet::baseline, InstructionSet::avx2, InstructionSet::avx512}) {
              if (threads != 2 && set != InstructionSet::baseline) continue;
              const Problem problem{op, shape, types, layout};
              auto parts = channelwise::fixed_order_parts(problem, set);
              if (!parts && parts.error().kind == Reason::Kind::unsupported) continue;
              ASSERT_TRUE(parts) << parts.error().text;
              SimplePlan plan(std::move(*parts));
              PlanRunner runner(threads);
              ASSERT_TRUE(runner.run(plan, operation_named(op), problem, {InputFill::rounding, 3}));
              digests.insert(to_hex(runner.digest()));
              ++runs;
            }
        EXPECT_EQ(digests.size(), 1u) << op << " " << types << " " << shape;
        EXPECT_GE(runs, 16);
      }
}

// What the kernels of cuda.cu do, one virtual thread after the other, written here from order.hpp's sentences.
// Chunks are alike in both arms: on one thread, which meets them in ascending order, atomics give the fixed order's bits.
TEST(Channelwise, AtomicsDifferInHowChunksMeetAlone) {
  const auto& operation = operation_named("scale_channels_bwd");
  for (const char* types : all_types)
    for (const char* layout : all_layouts) {
      const Problem problem{"scale_channels_bwd", "mb2_c70_h40_w40", types, layout};
      PlanRunner runner(1);
      ASSERT_TRUE(runner.verify(operation, problem, {"fixed_order", "chunks512", {}, {}}, {}).passed);
      const auto expected = to_hex(runner.digest());
      EXPECT_TRUE(runner.verify(operation, problem, {"openmp", "chunk_atomic", {}, {}}, {}).passed);
      EXPECT_EQ(to_hex(runner.digest()), expected) << problem_id(problem);
      const auto notes = operation.find_provider("openmp")->plan(problem, {"openmp", "chunk_atomic", {}, {}}, runner.device()).value()->notes();
      EXPECT_EQ(notes.at("contention"), "4");
    }
}

TEST(Channelwise, TheSumsOrderIsTheStatedOne) {
  const std::int64_t images = 2, channels = 5, plane = 25 * 41;  // three chunks, the last one short
  const Problem problem = scale_channels_problem(true, images, channels, 25, 41, "nhwc");
  PlanRunner runner;
  const auto& operation = operation_named("scale_channels_bwd");
  auto plan = operation.find_provider("fixed_order")->plan(problem, {"fixed_order", "chunks512", {}, {}}, runner.device()).value();
  ASSERT_TRUE(runner.run(*plan, operation, problem, {InputFill::rounding, 11}));
  const auto at = [&](std::size_t i) { return static_cast<const float*>(runner.inputs()[i].region.data); };
  const float* found = static_cast<const float*>(runner.outputs()[1].region.data);
  for (std::int64_t n = 0; n < images; ++n)
    for (std::int64_t c = 0; c < channels; ++c) {
      float total = 0.0f;
      for (std::int64_t first = 0; first < plane; first += 512) {
        float lanes[8] = {};
        for (std::int64_t p = first; p < std::min(first + 512, plane); ++p) {
          const std::int64_t i = (n * plane + p) * channels + c;
          lanes[(p - first) % 8] += at(2)[i] * at(0)[i];
        }
        const float sum = ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
        total = first == 0 ? sum : total + sum;
      }
      EXPECT_EQ(total, found[n * channels + c]) << n << " " << c;
    }
}

TEST(Channelwise, AnswersMayLieWhereInputsLie) {
  PlanRunner runner;
  for (const char* op : all_ops)
    for (const char* layout : {"nhwc", "nchw", "nchw16c"}) {
      const Problem problem{op, "mb2_c37_h9_w9", "f32_f32_strict", layout};
      const auto& operation = operation_named(op);
      SimplePlan plan(channelwise::fixed_order_parts(problem, channelwise::best_instruction_set()).value());
      ASSERT_TRUE(runner.run(plan, operation, problem, {InputFill::rounding, 3}));
      const auto expected = runner.digest();
      auto inputs = runner.inputs(), outputs = runner.outputs();
      outputs[0].region = inputs[problem.op == "scale_channels_bwd" ? 2 : 0].region;
      std::vector<std::byte> workspace(plan.workspace_bytes() + 64);
      auto op_in_place = plan.bind(inputs, outputs, {workspace.data(), workspace.size()}, runner.stream());
      ASSERT_TRUE(op_in_place) << op_in_place.error().text;
      ASSERT_TRUE((*op_in_place)->enqueue());
      EXPECT_EQ(to_hex(runner.device().digest(outputs, runner.stream()).value()), to_hex(expected)) << op << " " << layout;
    }
}

TEST(Channelwise, PaddingChannelsStayZero) {
  PlanRunner runner;
  for (const char* op : all_ops) {
    const Problem problem{op, "mb2_c5_h3_w3", "f32_f32_strict", "nchw8c"};
    auto plan = operation_named(op).find_provider("fixed_order")->plan(problem, {"fixed_order", problem.op == "scale_channels_bwd" ? "chunks512" : "elementwise", {}, {}}, runner.device()).value();
    ASSERT_TRUE(runner.run(*plan, operation_named(op), problem, {InputFill::rounding, 3}));
    const float* out = static_cast<const float*>(runner.outputs()[0].region.data);
    for (int i = 0; i < 2 * 9 * 8; ++i)
      if (i % 8 >= 5) {
        EXPECT_EQ(out[i], 0.0f) << op << " " << i;
      }
  }
}

TEST(Channelwise, BatchesAreIndependent) {
  for (const char* op : all_ops) {
    const Problem problem{op, "mb3_c37_h9_w9", "f32_f32_strict", "nhwc"};
    EXPECT_EQ(operation_named(op).batch_size(problem).value(), 3);
    EXPECT_TRUE(operation_named(op).in_batch(problem, 7, 2));
  }
}

TEST(Channelwise, RefusesWhatItDoesNotKnow) {
  const auto reason = [](Problem p) { return parse_channelwise(p).error().text; };
  EXPECT_NE(reason({"scale_channels_fwd", "mb8_c0_h1_w1", "f32_f32_strict", "nhwc"}).find("c0"), std::string::npos);
  EXPECT_NE(reason({"scale_channels_fwd", "mb8_h1_w1", "f32_f32_strict", "nhwc"}).find("mbN_cN_hN_wN"), std::string::npos);
  EXPECT_NE(reason({"bias_add", "mb8_c8_h1_w1", "f32_f32_tf32", "nhwc"}).find("tf32"), std::string::npos);
  EXPECT_NE(reason({"bias_add", "mb8_c8_h1_w1", "f32_f32_strict", "blocked"}).find("blocked"), std::string::npos);
  EXPECT_NE(reason({"bias_add", "mb1048576_c1048576_h65536_w65536", "f32_f32_strict", "nhwc"}).find("2^36"), std::string::npos);
  EXPECT_NE(reason({"scale_rows", "mb8_c8_h1_w1", "f32_f32_strict", "nhwc"}).find("scale_rows"), std::string::npos);
}

}  // namespace
}  // namespace detbench
