#include "models/matmul_problems.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "kernels/matmul/matmul_operation.hpp"
#include "models/catalog.hpp"
#include "models/mobilenet_v2.hpp"

namespace detbench {
namespace {

const LayerProblem* find(const std::vector<LayerProblem>& all, const std::string& id) {
  const auto at = std::find_if(all.begin(), all.end(), [&](const LayerProblem& p) { return problem_id(p.problem) == id; });
  return at == all.end() ? nullptr : &*at;
}

TEST(MatmulProblems, AreTheNetworksOneByOneConvolutionsAndItsClassifier) {
  const auto network = make_mobilenet_v2(1.0, 224, 1000).value();
  const auto problems = matmul_problems(network, 32, "f32_f32_strict");
  const auto operation = make_matmul_operation();
  std::set<std::string> ids;
  std::size_t uses = 0;
  for (const auto& p : problems) {
    EXPECT_TRUE(operation->check(p.problem)) << problem_id(p.problem);
    EXPECT_TRUE(ids.insert(problem_id(p.problem)).second);
    uses += p.layers.size();
  }
  // 16 expansions, 17 projections, the last 1x1 convolution and the classifier, three passes each.
  EXPECT_EQ(uses, (16u + 17 + 1 + 1) * 3);
  // Table 2 of Sandler et al. 2018: 32 -> 16 at 112x112, 16 -> 96 at 112x112, 320 -> 1280 at 7x7, 1280 -> 1000.
  for (const char* id : {"matmul/m401408_n16_k32/f32_f32_strict/nt", "matmul/m401408_n32_k16/f32_f32_strict/nn", "matmul/m16_n32_k401408/f32_f32_strict/tn",
                         "matmul/m401408_n96_k16/f32_f32_strict/nt", "matmul/m1568_n1280_k320/f32_f32_strict/nt", "matmul/m32_n1000_k1280/f32_f32_strict/nt",
                         "matmul/m32_n1280_k1000/f32_f32_strict/nn", "matmul/m1000_n1280_k32/f32_f32_strict/tn"})
    EXPECT_NE(find(problems, id), nullptr) << id;
  // Blocks 7, 8 and 9 project 384 channels to 64 at 14x14.
  const auto* shared = find(problems, "matmul/m6272_n64_k384/f32_f32_strict/nt");
  ASSERT_NE(shared, nullptr);
  EXPECT_EQ(shared->layers.size(), 3u);
}

// Squeeze-excite's products have as many rows as the batch has images.
TEST(MatmulProblems, HoldSqueezeExcite) {
  const auto problems = matmul_problems(make_network("efficientnet_b0", 224, 1000).value(), 32, "f32_f32_strict");
  for (const char* id : {"matmul/m32_n28_k672/f32_f32_strict/nt", "matmul/m32_n672_k28/f32_f32_strict/nt", "matmul/m28_n672_k32/f32_f32_strict/tn"})
    EXPECT_NE(find(problems, id), nullptr) << id;
}

TEST(SplitKProblems, AreDistinctWellFormedAndLong) {
  const auto operation = make_matmul_operation();
  const auto problems = split_k_problems("bf16_f32_strict");
  EXPECT_GE(problems.size(), 10u);
  for (const auto& p : problems) {
    const auto parsed = parse_matmul(p.problem);
    ASSERT_TRUE(parsed) << parsed.error().text;
    EXPECT_TRUE(operation->check(p.problem));
    EXPECT_GT(parsed->k, parsed->mb) << problem_id(p.problem);
    EXPECT_GT(parsed->k, parsed->n) << problem_id(p.problem);
    EXPECT_EQ(p.layers.size(), 1u);
  }
  EXPECT_NE(find(problems, "matmul/m32_n16_k401408/bf16_f32_strict/tn"), nullptr);
}

}  // namespace
}  // namespace detbench
