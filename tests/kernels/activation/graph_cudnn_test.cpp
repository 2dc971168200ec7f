// What cuDNN's graph API says to element-by-element operations on an H200 that need not be there.
#include "kernels/activation/graph_cudnn.hpp"

#include <gtest/gtest.h>

#include "kernels/activation/activation.hpp"
#include "kernels/cudnn/offers.hpp"
#include "kernels/cudnn/search.hpp"

namespace detbench {
namespace {

using activation::Kind;

TEST(PointwiseGraphs, AreStatedAndListed) {
  if (auto library = cudnn::library(); !library) GTEST_SKIP() << library.error().text;
  const auto target = cudnn::Target::of_architecture("sm_90");
  ASSERT_TRUE(target) << target.error().text;
  const Shape shape{100352};
  SimplePlanParts specs;
  for (const char* role : {"a", "b"}) specs.inputs.push_back({role, DataType::f32, shape, canonical_layout(shape)});
  specs.outputs.push_back({"out", DataType::f32, shape, canonical_layout(shape)});
  for (const Kind kind : {Kind{Activation::relu, false}, {Activation::relu, true}, {Activation::relu6, false}, {Activation::relu6, true}, {Activation::swish, false},
                          {Activation::swish, true}, {Activation::sigmoid, false}, {Activation::sigmoid, true}, {Activation::none, false}}) {
    auto graph = activation::pointwise_graph(kind, specs, 16);
    ASSERT_TRUE(graph) << to_text(kind.activation) << ": " << graph.error().text;
    EXPECT_EQ(graph->inputs.size(), kind.has_two_inputs() ? 2u : 1u);
    EXPECT_EQ(graph->alignments.size(), graph->inputs.size() + 1);
    const auto found = cudnn::search(graph->graph, *target, {});
    ASSERT_TRUE(found) << found.error().text;
    EXPECT_FALSE(found->engines.empty()) << to_text(kind.activation) << kind.backward;
    for (const auto& candidate : found->candidates) {
      const Offer offer = cudnn::make_offer(*found, candidate, {});
      const auto parsed = parse_case_id("x/y1/f32/z/" + algorithm_id(offer.algorithm));
      ASSERT_TRUE(parsed) << offer.algorithm.name;
      EXPECT_EQ(algorithm_id(parsed->algorithm), algorithm_id(offer.algorithm));
    }
  }
}

}  // namespace
}  // namespace detbench
