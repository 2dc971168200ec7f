// Fused convolutions as cuDNN graphs, asked about sm_90 without a GPU.
#include "kernels/fused_convolution/graph_cudnn.hpp"

#include <gtest/gtest.h>

#include <set>

#include "fused_shapes.hpp"
#include "kernels/cudnn/target.hpp"

namespace detbench {
namespace {

FusedConvolutionProblem pointwise(FusedPattern pattern, DataType storage, const char* layout) {
  FusedConvolutionProblem p;
  p.mb = 32, p.ic = 96, p.ih = p.iw = 28, p.oc = 192;
  p.pattern = pattern;
  p.types.storage = storage;
  p.layout = layout;
  return p;
}

TEST(FusedGraphs, StateEveryProblem) {
  if (const auto library = cudnn::library(); !library) GTEST_SKIP() << library.error().text;
  for (const auto pattern : all_fused_patterns)
    for (const auto storage : {DataType::f32, DataType::f16, DataType::bf16})
      for (const char* layout : {"nhwc", "nchw"})
        for (const auto& p : testing::small_fused(pattern, storage, layout)) {
          const auto stated = state_fused_convolution(p);
          ASSERT_TRUE(stated) << problem_id(to_problem(p)) << ": " << stated.error().text;
          EXPECT_EQ(stated->input_uids.size(), stated->inputs.size());
          EXPECT_EQ(stated->output_uids.size(), stated->outputs.size());
          EXPECT_EQ(stated->alignments.size(), stated->inputs.size() + stated->outputs.size());
        }
}

std::vector<Offer> offers_of(const FusedConvolutionProblem& p) {
  const auto target = cudnn::Target::of_architecture("sm_90");
  EXPECT_TRUE(target);
  AlgorithmSearch search;
  search.tiers = {Tier::t0};
  const auto offers = fused_convolution_offers(p, *target, search);
  EXPECT_TRUE(offers) << offers.error().text;
  return offers ? *offers : std::vector<Offer>{};
}

TEST(FusedGraphs, OfferEnginesWithNamesThatGoBack) {
  if (const auto library = cudnn::library(); !library) GTEST_SKIP() << library.error().text;
  for (const auto pattern : all_fused_patterns) {
    const auto p = pointwise(pattern, DataType::f16, "nhwc");
    const auto offers = offers_of(p);
    std::set<std::string> ids;
    for (const auto& offer : offers) {
      const auto id = case_id(to_problem(p), offer.algorithm);
      EXPECT_TRUE(ids.insert(id).second) << id;
      const auto read = parse_case_id(id);
      ASSERT_TRUE(read) << id;
      EXPECT_TRUE(cudnn::parse_configuration(read->algorithm.name)) << id;
      RecordProperty(std::string(op_name(pattern)) + "_" + offer.algorithm.name, offer.unsupported ? offer.unsupported->text : "valid");
    }
    EXPECT_FALSE(offers.empty()) << op_name(pattern);
  }
}

/// What was found device-less with cuDNN 9.19: one precompiled engine generates statistics, on tensor cores, in NHWC. Engines
/// that are compiled at run time need a driver to be judged, so that only refusals are demanded of them.
TEST(FusedGraphs, StatisticsExistInNhwcOnTensorCoresOnly) {
  if (const auto library = cudnn::library(); !library) GTEST_SKIP() << library.error().text;
  const auto valid = [](const std::vector<Offer>& offers) {
    std::set<std::string> names;
    for (const auto& offer : offers)
      if (!offer.unsupported) names.insert(offer.algorithm.name);
    return names;
  };
  EXPECT_TRUE(valid(offers_of(pointwise(FusedPattern::stats, DataType::f16, "nhwc"))).contains("eng2"));
  EXPECT_TRUE(valid(offers_of(pointwise(FusedPattern::stats, DataType::f16, "nchw"))).empty());
  EXPECT_TRUE(valid(offers_of(pointwise(FusedPattern::stats, DataType::f32, "nhwc"))).empty());
}

TEST(FusedGraphs, OfferWhatEachHeuristicsModeWouldPick) {
  if (const auto library = cudnn::library(); !library) GTEST_SKIP() << library.error().text;
  const auto p = pointwise(FusedPattern::stats, DataType::f16, "nhwc");
  const auto offers = fused_convolution_offers(p, *cudnn::Target::of_architecture("sm_90"), {});
  ASSERT_TRUE(offers) << offers.error().text;
  std::set<std::string> picks, all;
  for (const auto& offer : *offers) {
    all.insert(offer.algorithm.name);
    if (!offer.algorithm.name.starts_with("pick:")) continue;
    picks.insert(offer.algorithm.name);
    if (!offer.unsupported) {
      EXPECT_TRUE(all.contains(offer.notes.at("selected"))) << offer.algorithm.name;
    }
  }
  EXPECT_EQ(picks.size(), 4u);
}

}  // namespace
}  // namespace detbench
