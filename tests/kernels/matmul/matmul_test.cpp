#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <set>

#include "kernels/device/ordered_products.hpp"
#include "kernels/matmul/matmul_operation.hpp"
#include "kernels/matmul/matmul_reference.hpp"
#include "kernels/matmul/product_providers.hpp"
#include "kernels/tensor/float_formats.hpp"
#include "tests/kernels/convolution/runner.hpp"

namespace detbench {
namespace {

std::vector<MatmulProblem> small_problems(DataType storage = DataType::f32) {
  std::vector<MatmulProblem> problems;
  for (const auto& [m, n, k] : {std::tuple{1, 1, 1}, {2, 17, 5}, {8, 64, 10}, {33, 5, 70}, {40, 37, 300}, {3, 1, 1500}})
    for (const bool a_transposed : {false, true})
      for (const bool b_transposed : {false, true}) {
        MatmulProblem p;
        p.mb = m, p.n = n, p.k = k, p.types.storage = storage, p.a_transposed = a_transposed, p.b_transposed = b_transposed;
        problems.push_back(p);
      }
  return problems;
}

Algorithm fixed_order(const std::string& name, Options options = {}) { return {"fixed_order", name, std::move(options), {}}; }

/// The orders stated in matmul_fixed_order.cpp, from their text alone; logical a (M,K) and b (K,N).
std::vector<float> naive(const MatmulProblem& p, const std::vector<float>& a, const std::vector<float>& b, std::int64_t chunk) {
  std::vector<float> out;
  for (std::int64_t i = 0; i < p.mb; ++i)
    for (std::int64_t j = 0; j < p.n; ++j) {
      float total = 0;
      for (std::int64_t first = 0; first < p.k; first += chunk) {
        float acc = 0;
        for (std::int64_t x = first; x < std::min(first + chunk, p.k); ++x)
          acc = std::fmaf(a[static_cast<std::size_t>(i * p.k + x)], b[static_cast<std::size_t>(x * p.n + j)], acc);
        total = first == 0 ? acc : total + acc;
      }
      out.push_back(total);
    }
  return out;
}

TEST(MatmulProblem, TextRoundTripsAndNonsenseIsRefusedInOneLine) {
  MatmulProblem p;
  p.mb = 32, p.n = 16, p.k = 401408, p.a_transposed = true;
  EXPECT_EQ(problem_id(to_problem(p)), "matmul/m32_n16_k401408/f32_f32_strict/tn");
  for (const auto& problem : small_problems(DataType::bf16)) EXPECT_EQ(parse_matmul(to_problem(problem)).value(), problem);
  for (const auto& bad : {Problem{"dense_fwd", "m8_n4_k4", "f32_f32_strict", "nn"}, Problem{"matmul", "m8_n4", "f32_f32_strict", "nn"},
                          Problem{"matmul", "m0_n4_k4", "f32_f32_strict", "nn"}, Problem{"matmul", "m8_n4_k4", "f32", "nn"},
                          Problem{"matmul", "m8_n4_k4", "f32_f32_strict", "n"}, Problem{"matmul", "m8_n4_k4", "f32_f32_strict", "rowmajor"},
                          Problem{"matmul", "m16777216_n16777216_k1", "f32_f32_strict", "nn"}}) {
    const auto parsed = parse_matmul(bad);
    ASSERT_FALSE(parsed) << problem_id(bad);
    EXPECT_EQ(parsed.error().kind, Reason::Kind::invalid_input);
    EXPECT_EQ(parsed.error().text.find('\n'), std::string::npos);
  }
}

TEST(Matmul, TransposedMatricesHoldTheSameLogicalValues) {
  const auto tensors = tensors_of(small_problems()[7]);  // 2 x 17 x 5, tt
  const std::int64_t index[] = {1, 3};
  EXPECT_EQ(tensors.inputs[0].layout.offset(index), 3 * 2 + 1);
  EXPECT_EQ(tensors.inputs[1].layout.offset(index), 3 * 5 + 1);
  EXPECT_EQ(tensors.outputs[0].layout.offset(index), 1 * 17 + 3);
}

TEST(Matmul, EveryAlgorithmAgreesWithFp64) {
  auto device = make_cpu_device();
  ASSERT_TRUE(device);
  ASSERT_TRUE((*device)->activate());
  const auto operation = make_matmul_operation();
  for (auto storage : {DataType::f32, DataType::f16, DataType::bf16}) {
    int ran = 0;
    for (const auto& p : small_problems(storage))
      for (const auto fill : {InputFill::exact, InputFill::rounding}) {
        const auto problem = to_problem(p);
        const auto reference = operation->reference(problem, {fill, 5});
        ASSERT_TRUE(reference) << reference.error().text;
        for (const auto& provider : operation->providers()) {
          const auto offers = provider->offers(problem, **device);
          ASSERT_TRUE(offers) << offers.error().text;
          ASSERT_FALSE(offers->empty()) << provider->name();
          std::set<std::string> names;
          for (const auto& offer : *offers) {
            const auto id = case_id(problem, offer.algorithm);
            SCOPED_TRACE(id);
            EXPECT_TRUE(names.insert(id).second) << "offered twice";
            EXPECT_TRUE(parse_case_id(id));
            if (offer.unsupported) {
              EXPECT_FALSE(offer.unsupported->text.empty());
              continue;
            }
            const auto run = testing::run(*operation, problem, offer.algorithm, {fill, 5}, 2,
                                          fill == InputFill::exact ? Poison::nan_pattern : Poison::random);
            ASSERT_TRUE(run) << run.error().text;
            EXPECT_TRUE(run->guards_intact);
            const auto verification = (*reference)->check(offer.algorithm, run->outputs);
            ASSERT_TRUE(verification) << verification.error().text;
            EXPECT_TRUE(verification->passed) << verification->reason;
            ++ran;
          }
        }
      }
    EXPECT_GE(ran, 6 * 4 * 2 + 2 * 4 * 2);  // fixed_order: every problem directly, the two long ones split too
  }
}

TEST(Matmul, FixedOrderHasTheBitsOfTheStatedOrderWhateverRunsIt) {
  const auto operation = make_matmul_operation();
  for (const auto storage : {DataType::f32, DataType::f16, DataType::bf16})
    for (const auto& p : small_problems(storage)) {
      // Every layout is seen, each type with one or two of them: widening and transposing are one copy.
      if (p.a_transposed != (storage != DataType::bf16) && p.b_transposed != (storage == DataType::bf16)) continue;
      const auto problem = to_problem(p);
      SCOPED_TRACE(problem_id(problem));
      const Inputs inputs{InputFill::rounding, 6};
      std::vector<std::vector<float>> values;
      for (const auto& spec : tensors_of(p).inputs) values.push_back(filled_values(spec.type, spec.shape, *matmul_fill(p, spec, inputs)).value());
      for (const std::int64_t chunk : {std::int64_t{0}, std::int64_t{7}, std::int64_t{256}}) {
        const auto expected = naive(p, values[0], values[1], chunk == 0 ? p.k : chunk);
        const auto name = chunk == 0 ? "direct" : split_name("split_k_fixed", chunk);
        const auto expect_equal = [&](const Options& options, int threads) {
          const auto run = testing::run(*operation, problem, fixed_order(name, options), inputs, threads);
          ASSERT_TRUE(run) << run.error().text;
          const void* data = run->outputs[0].region.data;
          for (std::size_t i = 0; i < expected.size(); ++i) {
            if (storage == DataType::f32) {
              ASSERT_EQ(std::bit_cast<std::uint32_t>(static_cast<const float*>(data)[i]), std::bit_cast<std::uint32_t>(expected[i])) << name << i;
            } else {
              const auto narrow = storage == DataType::f16 ? f16_from_float(expected[i]) : bf16_from_float(expected[i]);
              ASSERT_EQ(static_cast<const std::uint16_t*>(data)[i], narrow) << name << i;
            }
          }
        };
        for (int threads : {1, 3}) expect_equal({}, threads);
        for (auto set : all_instruction_sets)
          if (cpu_has(set) && storage == DataType::f32) expect_equal({{"isa", std::string(to_text(set))}}, 2);
      }
    }
}

TEST(Matmul, SplittingChangesBitsAndTheLayoutDoesNot) {
  const auto operation = make_matmul_operation();
  MatmulProblem p;
  p.mb = 40, p.n = 37, p.k = 3000;
  const Inputs inputs{InputFill::rounding, 6};
  const auto digest = [&](const std::string& name) { return testing::run(*operation, to_problem(p), fixed_order(name), inputs).value().digest; };
  const auto direct = digest("direct"), split = digest("split_k_fixed[CHUNK=1024]");
  EXPECT_NE(direct, split);
  EXPECT_NE(split, digest("split_k_fixed[CHUNK=256]"));
  EXPECT_EQ(direct, digest("split_k_fixed[CHUNK=3000]"));
  p.a_transposed = p.b_transposed = true;
  EXPECT_EQ(digest("direct"), direct);
  EXPECT_EQ(digest("split_k_fixed[CHUNK=1024]"), split);
}

// Parts are alike in both arms: on one thread, which meets them in ascending order, atomics give the fixed order's bits.
TEST(Matmul, AtomicsDifferInHowPartsMeetAlone) {
  const auto operation = make_matmul_operation();
  for (const auto storage : {DataType::f32, DataType::bf16})
    for (const auto& p : small_problems(storage)) {
      const auto problem = to_problem(p);
      const auto digest = [&](const char* provider, const std::string& name) {
        const auto run = testing::run(*operation, problem, {provider, name, {}, {}}, {}, 1);
        EXPECT_TRUE(run) << run.error().text;
        return run ? to_hex(run->digest) : run.error().text;
      };
      EXPECT_EQ(digest("openmp", "split_k_atomic[CHUNK=7]"), digest("fixed_order", "split_k_fixed[CHUNK=7]")) << problem_id(problem);
    }
  const auto run = testing::run(*operation, to_problem(small_problems()[16]), {"openmp", "split_k_atomic[CHUNK=64]", {}, {}}, {}).value();
  EXPECT_EQ(run.notes.at("contention"), "5");  // 300 products
}

TEST(Matmul, ALostPartIsCaught) {
  MatmulProblem p;
  p.mb = 5, p.n = 6, p.k = 1300;
  const Inputs inputs{InputFill::rounding, 6};
  const auto operation = make_matmul_operation();
  const auto reference = operation->reference(to_problem(p), inputs).value();
  auto run = testing::run(*operation, to_problem(p), fixed_order("split_k_fixed[CHUNK=1024]"), inputs).value();
  ASSERT_TRUE(reference->check(fixed_order("direct"), run.outputs)->passed);
  auto* c = static_cast<float*>(run.outputs[0].region.data);
  c[7] += 1e-2f;
  const auto verification = reference->check(fixed_order("direct"), run.outputs).value();
  EXPECT_FALSE(verification.passed);
  EXPECT_NE(verification.reason.find("c["), std::string::npos) << verification.reason;
}

TEST(Matmul, RefusesWhatItDoesNotKnowWithAReason) {
  auto device = make_cpu_device();
  ASSERT_TRUE(device);
  const auto operation = make_matmul_operation();
  const auto problem = to_problem(small_problems()[4]);
  for (const auto& algorithm : {fixed_order("chunked"), fixed_order("direct", {{"isa", "mmx"}}), fixed_order("direct", {{"threads", "3"}}),
                                fixed_order("split_k_fixed[CHUNK=0]"), fixed_order("split_k_fixed[CHUNK=010]"), fixed_order("split_k_atomic[CHUNK=256]"),
                                fixed_order("split_k_fixed"), Algorithm{"onednn", "jit:avx9000", {}, {}}, Algorithm{"cublas", "default", {}, {}},
                                Algorithm{"cublaslt", "algo1", {}, {}}, Algorithm{"cuda", "split_k_fixed[CHUNK=256]", {}, {}}}) {
    const auto plan = operation->find_provider(algorithm.provider)->plan(problem, algorithm, **device);
    ASSERT_FALSE(plan) << algorithm_id(algorithm);
    EXPECT_FALSE(plan.error().text.empty());
    EXPECT_EQ(plan.error().text.find('\n'), std::string::npos);
  }
  auto tf32 = problem;
  tf32.types = "f32_f32_tf32";
  ASSERT_TRUE(operation->check(tf32));
  for (const auto& provider : operation->providers()) {
    const auto offers = provider->offers(tf32, **device);
    ASSERT_TRUE(offers) << offers.error().text;
    for (const auto& offer : *offers) EXPECT_TRUE(offer.unsupported) << provider->name();
  }
  EXPECT_FALSE(operation->check({"dense_fwd", "mb8_ic4_oc4", "f32_f32_strict", "rowmajor"}));
}

}  // namespace
}  // namespace detbench
