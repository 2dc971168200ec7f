// What cuDNN's graph API says to pooling on an H200 that need not be there.
#include "kernels/pooling/graph_cudnn.hpp"

#include <gtest/gtest.h>

#include "kernels/cudnn/offers.hpp"
#include "kernels/cudnn/search.hpp"

namespace detbench {
namespace {

using namespace pooling;

const std::string shape = "mb32_c96_ih56_iw56_kh3_kw3_sh2_sw2_pt1_pb1_pl1_pr1";

/// The graph's engines and heuristics on sm_90; the reason where there is no library.
Result<cudnn::SearchResult> ask(WindowOp op, const char* layout) {
  auto target = cudnn::Target::of_architecture("sm_90");
  if (!target) return tl::unexpected(target.error());
  const auto problem = parse_window_problem({std::string(to_text(op)), is_maximum(op) ? shape : shape + "_ip0", "f32_f32_strict", layout});
  if (!problem) return tl::unexpected(problem.error());
  auto graph = resample_graph(*problem, 16);
  if (!graph) return tl::unexpected(graph.error());
  return cudnn::search(graph->graph, *target, {});
}

TEST(ResampleGraphs, AreStatedAndHaveEngines) {
  if (auto library = cudnn::library(); !library) GTEST_SKIP() << library.error().text;
  for (const WindowOp op : all_window_ops)
    for (const char* layout : {"nhwc", "nchw"}) {
      const auto found = ask(op, layout);
      ASSERT_TRUE(found) << to_text(op) << " " << layout << ": " << found.error().text;
      EXPECT_FALSE(found->engines.empty()) << to_text(op) << " " << layout;
      std::string list;
      for (const auto& candidate : found->candidates) {
        const Offer offer = cudnn::make_offer(*found, candidate, {});
        list += " " + offer.algorithm.name + "=" + std::string(cudnn::to_text(candidate.support));
        const auto parsed = parse_case_id("x/y1/f32/z/" + algorithm_id(offer.algorithm));
        ASSERT_TRUE(parsed) << offer.algorithm.name;
        EXPECT_EQ(algorithm_id(parsed->algorithm), algorithm_id(offer.algorithm));
        EXPECT_TRUE(cudnn::parse_configuration(offer.algorithm.name));
      }
      RecordProperty(std::string(to_text(op)) + "_" + layout, list);
    }
}

// The library crashes while it lists engines for a maximum's gradient in channels-last layout without an index of winners, so
// the graph has to give one, beside the forward's answer, which the planes' engine reads.
TEST(ResampleGraphs, AMaximumsGradientTakesWhatTheForwardKept) {
  if (auto library = cudnn::library(); !library) GTEST_SKIP() << library.error().text;
  for (const char* window : {"kh3_kw3", "kh12_kw12"}) {
    const std::string text = std::string("mb2_c8_ih16_iw16_") + window + "_sh2_sw2_pt1_pb1_pl1_pr1";
    const auto problem = parse_window_problem({"max_pool_bwd", text, "f32_f32_strict", "nhwc"}).value();
    const auto graph = resample_graph(problem, 16);
    ASSERT_TRUE(graph) << graph.error().text;
    std::vector<std::string> roles;
    for (const auto& spec : graph->inputs) roles.push_back(spec.role);
    EXPECT_EQ(roles, (std::vector<std::string>{"src", "diff_dst", "dst", "winners"}));
    EXPECT_EQ(graph->inputs[3].type, std::string(window) == "kh3_kw3" ? DataType::u8 : DataType::i32);
  }
}

}  // namespace
}  // namespace detbench
