// What stands between a problem and a GPU library: whether the one product that it is turned into is the right one.
#include "kernels/matmul/product.hpp"

#include <gtest/gtest.h>

#include "kernels/matmul/matmul_problem.hpp"
#include "kernels/matmul/reference.hpp"

namespace detbench {
namespace {

/// The product on values in memory order, as kernels and libraries read them.
std::vector<double> multiply(const cublas::Gemm& g, const std::vector<float>& a, const std::vector<float>& b) {
  std::vector<double> out;
  for (std::int64_t i = 0; i < g.m; ++i)
    for (std::int64_t j = 0; j < g.n; ++j) {
      double sum = 0;
      for (std::int64_t x = 0; x < g.k; ++x)
        sum += static_cast<double>(a[static_cast<std::size_t>(g.a_transposed ? x * g.m + i : i * g.k + x)]) *
               b[static_cast<std::size_t>(g.b_transposed ? j * g.k + x : x * g.n + j)];
      out.push_back(sum);
    }
  return out;
}

TEST(Product, IsTheDenseLayerInEveryPass) {
  for (const auto pass : all_dense_passes) {
    DenseProblem p;
    p.mb = 3, p.ic = 5, p.oc = 7, p.pass = pass;
    const auto product = parse_product(to_problem(p));
    ASSERT_TRUE(product) << product.error().text;
    std::vector<std::vector<float>> values;
    std::vector<const float*> pointers;
    for (const auto& spec : product->inputs) values.push_back(filled_values(spec.type, spec.shape, *dense_fill(p, spec, {InputFill::rounding, 9})).value());
    for (const auto& v : values) pointers.push_back(v.data());
    auto out = multiply(product->gemm, values[static_cast<std::size_t>(product->a)], values[static_cast<std::size_t>(product->b)]);
    ASSERT_EQ(static_cast<std::int64_t>(out.size()), element_count(product->outputs[0].shape));
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (product->bias >= 0) out[i] += values[static_cast<std::size_t>(product->bias)][i % static_cast<std::size_t>(product->gemm.n)];
      EXPECT_NEAR(out[i], dense_output(p, pointers, 0, static_cast<std::int64_t>(i)).value, 1e-12) << op_name(pass) << i;
    }
    EXPECT_EQ(product->column_sums >= 0, pass == DensePass::wgrad);
    if (product->column_sums < 0) continue;
    const auto& summed = values[static_cast<std::size_t>(product->column_sums)];
    for (std::int64_t j = 0; j < product->gemm.m; ++j) {
      double sum = 0;
      for (std::int64_t i = 0; i < product->gemm.k; ++i) sum += summed[static_cast<std::size_t>(i * product->gemm.m + j)];
      EXPECT_NEAR(sum, dense_output(p, pointers, 1, j).value, 1e-12) << j;
    }
  }
}

TEST(Product, ABiasIsRoundedToANarrowTypeOnce) {
  for (const char* types : {"f32_f32_strict", "f32_f32_tf32", "f16_f32_strict", "bf16_f32_strict"}) {
    const bool narrow = std::string(types).find("f32_f32") != 0;
    const auto forward = parse_product({"dense_fwd", "mb3_ic5_oc7", types, "rowmajor"}).value();
    EXPECT_EQ(forward.gemm.output, DataType::f32);
    EXPECT_EQ(forward.needs_scratch(), narrow) << types;
    EXPECT_EQ(forward.scratch_bytes(), narrow ? 3u * 7 * 4 : 0u);
    const auto backward = parse_product({"dense_dgrad", "mb3_ic5_oc7", types, "rowmajor"}).value();
    EXPECT_EQ(backward.gemm.output, backward.outputs[0].type);
    EXPECT_FALSE(backward.needs_scratch());
    const auto gradient = parse_product({"dense_wgrad", "mb3_ic5_oc7", types, "rowmajor"}).value();
    EXPECT_EQ(gradient.gemm.output, DataType::f32);
    EXPECT_FALSE(gradient.needs_scratch());
  }
}

TEST(Product, IsTheMatrixProductAsItLies) {
  for (const bool a_transposed : {false, true})
    for (const bool b_transposed : {false, true}) {
      MatmulProblem p;
      p.mb = 2, p.n = 3, p.k = 4, p.a_transposed = a_transposed, p.b_transposed = b_transposed;
      const auto product = parse_product(to_problem(p)).value();
      EXPECT_EQ(product.gemm, (cublas::Gemm{2, 3, 4, a_transposed, b_transposed, DataType::f32, DataType::f32, false}));
      EXPECT_EQ(product.inputs.size(), 2u);
      EXPECT_LT(product.bias, 0);
      EXPECT_LT(product.column_sums, 0);
    }
  EXPECT_FALSE(parse_product({"conv_fwd", "mb3_ic5_oc7", "f32_f32_strict", "rowmajor"}));
}

TEST(Product, DeclaresTheAlignmentThatEveryBufferHas) {
  const auto alignment = [](std::size_t alignment_bytes, std::size_t offset_bytes, const char* types = "f32_f32_strict") {
    DeviceConfiguration configuration;
    configuration.alignment_bytes = alignment_bytes, configuration.offset_bytes = offset_bytes;
    return declared_alignment(configuration, parse_product({"matmul", "m2_n3_k4", types, "nn"}).value());
  };
  EXPECT_EQ(alignment(4096, 0), 4096u);
  EXPECT_EQ(alignment(256, 0), 256u);
  EXPECT_EQ(alignment(4096, 16), 16u);
  EXPECT_EQ(alignment(4096, 20), 4u);
  EXPECT_EQ(alignment(1 << 20, 0), 4096u);
  // No element straddles its own alignment.
  EXPECT_EQ(alignment(4096, 2), 4u);
  EXPECT_EQ(alignment(4096, 2, "f16_f32_strict"), 2u);
  EXPECT_EQ(alignment(4096, 18, "bf16_f32_strict"), 2u);
}

}  // namespace
}  // namespace detbench
