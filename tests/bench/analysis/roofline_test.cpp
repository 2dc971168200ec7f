#include "bench/analysis/roofline.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "bench/analysis/chart_data.hpp"
#include "bench/analysis/findings.hpp"
#include "bench/analysis/reduction_rows.hpp"
#include "tests/bench/records/synthetic/synthetic_result.hpp"

namespace detbench::analysis {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

struct InventedArm {
  const char* algorithm;
  double seconds;
  bool fixed_order = false;
};

void add(ResultFile& file, const std::string& problem, const char* suite, double flops, double bytes, const std::vector<InventedArm>& arms) {
  ComparisonInfo info;
  info.problem = problem;
  info.suite = suite;
  info.blocks = 10;
  info.schedule_seed = 7;
  if (flops > 0) info.flops = flops;
  info.bytes = bytes;
  std::uint32_t position = 0;
  for (const auto& arm : arms) {
    Record r;
    r.id = problem + "/" + arm.algorithm;
    r.suite = suite;
    r.replay = "detbench run '" + r.id + "'";
    r.status = RunStatus::ok;
    if (arm.fixed_order) r.claim = {Guarantee::gpu_to_gpu, "by construction", {all_scopes.begin(), all_scopes.end()}};
    for (const auto scope : {Scope::repeat, Scope::process, Scope::load, Scope::partition}) {
      ScopeResult found;
      found.scope = scope;
      found.runs = 10;
      const bool differs = scope == Scope::partition && !arm.fixed_order;
      found.distinct = differs ? 2 : 1;
      found.verdict = differs ? ScopeVerdict::differs : ScopeVerdict::no_difference;
      r.agreement.push_back(found);
    }
    r.timing = Timing{};
    for (std::uint32_t block = 0; block < info.blocks; ++block) {
      Sample sample;
      sample.block = block;
      sample.position = position;
      sample.elapsed_s = arm.seconds;
      sample.iterations = 1;
      r.timing->samples.push_back(sample);
    }
    ++position;
    file.records.push_back(std::move(r));
  }
  file.comparisons.push_back(std::move(info));
}

constexpr double giga = 1e9;

/// Reading gives 50 GB/s at 64 MiB and 200 GB/s at 64 KiB, multiply-adds 400 GFLOP/s, products of 1024 f32 300 and of bf16 1600 GFLOP/s.
void add_ceilings(ResultFile& file) {
  add(file, "memory_read/n67108864/f32_i64_strict/vector", "ceilings", 0, 67108864, {{"memory_traffic:word_sum", 67108864 / (50 * giga), true}});
  add(file, "memory_read/n65536/f32_i64_strict/vector", "ceilings", 0, 65536, {{"memory_traffic:word_sum", 65536 / (200 * giga), true}});
  add(file, "fma_rate/n1000_k1000/f32_f32_strict/vector", "ceilings", 2e6, 8000, {{"fixed_order:chains", 2e6 / (400 * giga), true}});
  const double flops = 2.0 * 1024 * 1024 * 1024;
  add(file, "matmul/m1024_n1024_k1024/f32_f32_strict/nn", "ceilings", flops, 12582912,
      {{"fixed_order:direct", flops / (100 * giga), true}, {"onednn:jit", flops / (300 * giga)}});
  add(file, "matmul/m1024_n1024_k1024/bf16_f32_strict/nn", "ceilings", flops, 6291456,
      {{"cublas:default", flops / (1600 * giga)}, {"fixed_order:direct", flops / (320 * giga), true}});
  // Not square, so no roof, however fast.
  add(file, "matmul/m1024_n1024_k512/bf16_f32_strict/nn", "matmul", flops / 2, 5e6, {{"cublas:default", flops / 2 / (2000 * giga)}});
}

const std::string wgrad = "conv_wgrad/mb2_g1_ic8_ih8_iw8_oc8_kh3_kw3_sh1_sw1_pt1_pb1_pl1_pr1_dh1_dw1/";

class Roofline : public ::testing::Test {
 protected:
  Roofline() {
    file_.backend = "cpu";
    file_.complete = true;
  }
  void look() { views_ = view_comparisons(files_ = {file_}); }
  Json row(const std::string& part, const std::string& algorithm) {
    for (const auto& r : roofline_rows(views_))
      if (r["replay"].get<std::string>().find(part) != std::string::npos && r["algorithm"] == algorithm) return r;
    ADD_FAILURE() << "no row " << part << " " << algorithm;
    return {};
  }
  ResultFile file_;
  std::vector<ResultFile> files_;
  std::vector<ComparisonView> views_;
};

TEST_F(Roofline, arithmeticCeilingsAreTheFastestArmsOfSquareProductsAndChains) {
  add_ceilings(file_);
  look();
  const auto rates = arithmetic_ceilings(views_, files_[0]);
  ASSERT_EQ(rates.size(), 3u);
  EXPECT_EQ(rates[0].op, "fma_rate");
  EXPECT_NEAR(rates[0].gflop_per_s, 400, 1e-6);
  EXPECT_EQ(rates[1].types, "bf16_f32_strict");
  EXPECT_NEAR(rates[1].gflop_per_s, 1600, 1e-6);
  EXPECT_EQ(rates[2].algorithm, "onednn:jit");
  EXPECT_EQ(rates[2].size, "m1024_n1024_k1024");
  EXPECT_EQ(fma_ceiling(rates), &rates[0]);
  EXPECT_EQ(peak_of(rates, "f32_f32_strict"), &rates[0]);  // faster than the product
  EXPECT_EQ(product_ceiling(rates, "f32_f32_strict"), &rates[2]);
  EXPECT_EQ(peak_of(rates, "bf16_f32_strict_dwbf16"), &rates[1]);
  EXPECT_EQ(peak_of(rates, "f32_f32_tf32"), nullptr);
  // The table has them all.
  int with_gflops = 0, with_bytes = 0;
  for (const auto& r : ceiling_rows(views_, files_)) {
    with_gflops += r["gflop_per_s"].is_number();
    with_bytes += r["gb_per_s"].is_number();
  }
  EXPECT_EQ(with_gflops, 3);
  EXPECT_EQ(with_bytes, 2);
  // None of them is asked what bits cost but the products.
  for (const auto& r : price_rows(views_)) EXPECT_EQ(r["group"], "matmul");
}

TEST_F(Roofline, theLowerOfTwoRoofsBinds) {
  add_ceilings(file_);
  // 4 operations a byte of 50 GB/s: 200 GFLOP/s, below the 400 of arithmetic. 1e8 operations at 160 and 50 GFLOP/s.
  add(file_, wgrad + "f32_f32_strict/nhwc", "convolution", 1e8, 25e6, {{"onednn:jit", 1e8 / (160 * giga)}, {"fixed_order:chunked64", 1e8 / (50 * giga), true}});
  // 100 operations a byte: arithmetic, 1600 for bf16; ours multiply in f32 and have a roof of 400.
  add(file_, wgrad + "bf16_f32_strict_dwbf16/nhwc", "convolution", 25e8, 25e6,
      {{"cudnn_graph:eng1", 25e8 / (1520 * giga)}, {"fixed_order:chunked64", 25e8 / (300 * giga), true}});
  look();
  const auto fastest = row(wgrad + "f32", "onednn:jit"), fixed = row(wgrad + "f32", "fixed_order:chunked64");
  EXPECT_NEAR(fastest["flop_per_byte"].get<double>(), 4, 1e-9);
  EXPECT_NEAR(fastest["roof_gflop_per_s"].get<double>(), 200, 1e-6);
  EXPECT_EQ(fastest["limit"], "memory");
  EXPECT_NEAR(fastest["share"].get<double>(), 0.8, 1e-9);
  EXPECT_THAT(fastest["bound"].get<std::string>(), StartsWith("nearly memory bandwidth: at the roof it takes 500 us of 625"));
  EXPECT_EQ(fastest["role"], "fastest");
  EXPECT_NEAR(fixed["share"].get<double>(), 0.25, 1e-9);
  EXPECT_EQ(fixed["role"], "fastest without a difference, fixed order");
  EXPECT_THAT(fixed["bound"].get<std::string>(), StartsWith("latency, waiting or the kernel itself: at the roof it takes 500 us of 2000"));

  const auto tensor = row("dwbf16", "cudnn_graph:eng1"), ours = row("dwbf16", "fixed_order:chunked64");
  EXPECT_EQ(tensor["limit"], "arithmetic");
  EXPECT_THAT(tensor["roof"].get<std::string>(), HasSubstr("bf16_f32_strict, 1600 GFLOP/s"));
  EXPECT_NEAR(tensor["share"].get<double>(), 0.95, 1e-9);
  EXPECT_EQ(tensor["bound"], "arithmetic");
  EXPECT_TRUE(tensor["fma_share"].is_null());
  EXPECT_NEAR(ours["share"].get<double>(), 300.0 / 1600, 1e-9);
  EXPECT_NEAR(ours["fma_share"].get<double>(), 0.75, 1e-9);
  EXPECT_THAT(ours["bound"].get<std::string>(), StartsWith("fused multiply-adds in f32, at 0.75 of their rate"));
}

TEST_F(Roofline, theBandwidthIsThatOfTheNearestSizeAndSharesMayPassOne) {
  add_ceilings(file_);
  add(file_, wgrad + "f32_f32_strict/nhwc", "convolution", 1e5, 1e5, {{"onednn:jit", 1e5 / (100 * giga)}});
  add(file_, wgrad + "f32_f32_strict/nchw", "convolution", 1e10, 1e7, {{"onednn:wino", 1e10 / (480 * giga)}});
  look();
  EXPECT_NEAR(row("/nhwc", "onednn:jit")["roof_gflop_per_s"].get<double>(), 200, 1e-6);
  const auto winograd = row("/nchw", "onednn:wino");
  EXPECT_NEAR(winograd["share"].get<double>(), 1.2, 1e-9);
  EXPECT_THAT(winograd["bound"].get<std::string>(), StartsWith("fewer operations than counted"));
}

TEST_F(Roofline, typesWithoutAMeasuredRateHaveARoofWhereMemoryBindsAnyway) {
  add_ceilings(file_);
  add(file_, "sum/n8388608/f64_f64_strict/vector", "reduction", 8388608, 67108864, {{"fixed_order:fixed_tree", 67108864 / (25 * giga), true}});
  add(file_, wgrad + "f16_f32_strict/nhwc", "convolution", 25e8, 25e6, {{"onednn:jit", 1e-3}});
  look();
  const auto sum = row("sum/", "fixed_order:fixed_tree");
  EXPECT_EQ(sum["limit"], "memory");
  EXPECT_NEAR(sum["share"].get<double>(), 0.5, 1e-9);
  const auto half = row("f16_f32", "onednn:jit");
  EXPECT_TRUE(half["share"].is_null());
  EXPECT_THAT(half["bound"].get<std::string>(), HasSubstr("arithmetic of these types was not measured"));
}

TEST_F(Roofline, withoutCeilingsThereAreNoRoofsAndItSaysSo) {
  add(file_, wgrad + "f32_f32_strict/nhwc", "convolution", 1e8, 25e6, {{"onednn:jit", 1e-3}, {"fixed_order:chunked64", 2e-3, true}});
  look();
  EXPECT_THAT(roofless(files_, views_), ElementsAre(HasSubstr("No roofs: neither memory_read nor an arithmetic rate was measured")));
  const auto only = row("conv_wgrad", "onednn:jit");
  EXPECT_TRUE(only["share"].is_null());
  EXPECT_THAT(only["bound"].get<std::string>(), HasSubstr("no memory_read"));
  std::map<std::string, int> kinds;
  for (const auto& r : roofline_chart_rows(views_, 12)) ++kinds[r["kind"]];
  EXPECT_EQ(kinds["arm"], 2);
  EXPECT_EQ(kinds["roof"] + kinds["roof_name"], 0);
  EXPECT_EQ(kinds["note"], 2);
  EXPECT_EQ(roofline_sentence(views_, files_[0]), "");
  add_ceilings(file_);
  look();
  EXPECT_THAT(roofless(files_, views_), IsEmpty());
}

TEST_F(Roofline, theChartHoldsPublishedArmsUnderTheirOwnRoofs) {
  add_ceilings(file_);
  add(file_, wgrad + "f32_f32_strict/nhwc", "convolution", 1e8, 25e6,
      {{"onednn:jit", 1e8 / (160 * giga)}, {"fixed_order:chunked64", 1e8 / (50 * giga), true}, {"onednn:gemm", 1e8 / (40 * giga)}});
  look();
  const auto rows = roofline_chart_rows(views_, 12);
  std::map<std::string, std::vector<Json>> of_kind;
  for (const auto& r : rows)
    if (r["panel"] == "conv_wgrad f32_f32_strict") of_kind[r["kind"]].push_back(r);
  ASSERT_EQ(of_kind["arm"].size(), 2u);  // gemm is neither
  ASSERT_EQ(of_kind["span"].size(), 1u);
  EXPECT_NEAR(of_kind["span"][0]["low"].get<double>(), 50, 1e-6);
  EXPECT_NEAR(of_kind["span"][0]["high"].get<double>(), 160, 1e-6);
  // The slope is the largest buffer's and ends where the highest level begins; there is a level for products and one for chains.
  ASSERT_EQ(of_kind["roof"].size(), 6u);
  std::map<std::string, std::pair<double, double>> ends;
  for (const auto& r : of_kind["roof"]) ends[r["roof"]] = {r["flop_per_byte"], r["gflop_per_s"]};
  ASSERT_TRUE(ends.contains("read 50 GB/s"));
  EXPECT_NEAR(ends["read 50 GB/s"].first, 8, 1e-9);
  EXPECT_NEAR(ends["read 50 GB/s"].second, 400, 1e-6);
  EXPECT_NEAR(ends["f32 fma 400 GFLOP/s"].second, 400, 1e-6);
  EXPECT_NEAR(ends["products 300 GFLOP/s"].second, 300, 1e-6);
  EXPECT_EQ(of_kind["note"].size(), 2u);
  EXPECT_EQ(of_kind["note"][0]["name"], "fixed order: median 0.25 of the roof, best 0.25 (fixed_order:chunked64)");
  EXPECT_EQ(of_kind["note"][1]["name"], "fastest: median 0.8 of the roof, best 0.8 (onednn:jit)");
  // Square products stand under the roofs as well; chains are one.
  std::set<std::string> panels;
  for (const auto& r : rows) panels.insert(r["panel"]);
  EXPECT_THAT(panels, ElementsAre("conv_wgrad f32_f32_strict", "matmul bf16_f32_strict", "matmul f32_f32_strict"));
  EXPECT_EQ(roofline_sentence(views_, files_[0]),
            "Of the roof, median of the fastest arms and of those in fixed order: matmul f32_f32_strict 0.75 and 0.25 (1 problem); "
            "matmul bf16_f32_strict 1 and 0.2 (1 problem); conv_wgrad f32_f32_strict 0.8 and 0.25 (1 problem).");
  // Panels with most problems are kept.
  std::set<std::string> kept;
  for (const auto& r : roofline_chart_rows(views_, 1)) kept.insert(r["panel"]);
  EXPECT_THAT(kept, ElementsAre("matmul bf16_f32_strict"));
}

}  // namespace
}  // namespace detbench::analysis
