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

/// Engines that some configuration of the problem names, whether or not they can be judged without a driver.
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

}  // namespace
}  // namespace detbench
