#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <set>

#include "kernels/device/onednn.hpp"
#include "kernels/device/ordered_products.hpp"
#include "kernels/matmul/operation.hpp"
#include "kernels/matmul/reference.hpp"
#include "tests/kernels/convolution/runner.hpp"

namespace detbench {
namespace {

std::vector<DenseProblem> small_problems(DensePass pass, DataType storage = DataType::f32) {
  std::vector<DenseProblem> problems;
  for (const auto& [mb, ic, oc] : {std::tuple{1, 1, 1}, {2, 17, 5}, {8, 64, 10}, {5, 33, 70}, {40, 100, 37}, {3, 320, 1}}) {
    DenseProblem p;
    p.mb = mb, p.ic = ic, p.oc = oc, p.pass = pass, p.types.storage = storage;
    problems.push_back(p);
  }
  return problems;
}

const Algorithm fixed_order{"fixed_order", "direct", {}, {}};

/// The orders stated in fixed_order.cpp, from its text alone; `chunk`: products of a part, whose sums are added in order.
std::vector<std::vector<float>> naive(const DenseProblem& p, const std::vector<std::vector<float>>& in, std::int64_t chunk) {
  const auto at = [](const std::vector<float>& v, std::int64_t i) { return v[static_cast<std::size_t>(i)]; };
  const auto chain = [&](std::int64_t terms, auto&& a, auto&& b) {
    float total = 0;
    for (std::int64_t first = 0; first < terms; first += chunk) {
      float acc = 0;
      for (std::int64_t i = first; i < std::min(first + chunk, terms); ++i) acc = std::fmaf(a(i), b(i), acc);
      total = first == 0 ? acc : total + acc;
    }
    return total;
  };
  std::vector<std::vector<float>> out(p.pass == DensePass::wgrad ? 2 : 1);
  if (p.pass == DensePass::forward)
    for (std::int64_t n = 0; n < p.mb; ++n)
      for (std::int64_t k = 0; k < p.oc; ++k)
        out[0].push_back(chain(p.ic, [&](auto c) { return at(in[1], k * p.ic + c); }, [&](auto c) { return at(in[0], n * p.ic + c); }) + at(in[2], k));
  if (p.pass == DensePass::dgrad)
    for (std::int64_t n = 0; n < p.mb; ++n)
      for (std::int64_t c = 0; c < p.ic; ++c)
        out[0].push_back(chain(p.oc, [&](auto k) { return at(in[0], n * p.oc + k); }, [&](auto k) { return at(in[1], k * p.ic + c); }));
  if (p.pass == DensePass::wgrad)
    for (std::int64_t k = 0; k < p.oc; ++k) {
      for (std::int64_t c = 0; c < p.ic; ++c)
        out[0].push_back(chain(p.mb, [&](auto n) { return at(in[1], n * p.oc + k); }, [&](auto n) { return at(in[0], n * p.ic + c); }));
      float sum = 0;
      for (std::int64_t n = 0; n < p.mb; ++n) sum += at(in[1], n * p.oc + k);
      out[1].push_back(sum);
    }
  return out;
}

TEST(DenseProblem, TextRoundTripsAndNonsenseIsRefusedInOneLine) {
  DenseProblem p;
  p.mb = 8, p.ic = 1280, p.oc = 1000, p.pass = DensePass::wgrad;
  EXPECT_EQ(problem_id(to_problem(p)), "dense_wgrad/mb8_ic1280_oc1000/f32_f32_strict/rowmajor");
  EXPECT_EQ(parse_dense(to_problem(p)).value(), p);
  for (const auto& bad : {Problem{"dense_up", "mb8_ic4_oc4", "f32_f32_strict", "rowmajor"},
                          Problem{"dense_fwd", "mb8_ic4", "f32_f32_strict", "rowmajor"},
                          Problem{"dense_fwd", "mb0_ic4_oc4", "f32_f32_strict", "rowmajor"},
                          Problem{"dense_fwd", "mb8_ic4_oc4", "f32", "rowmajor"},
                          Problem{"dense_fwd", "mb8_ic4_oc4", "f32_f32_strict", "nhwc"},
                          Problem{"dense_fwd", "mb16777216_ic16777216_oc4", "f32_f32_strict", "rowmajor"}}) {
    const auto parsed = parse_dense(bad);
    ASSERT_FALSE(parsed) << problem_id(bad);
    EXPECT_EQ(parsed.error().kind, Reason::Kind::invalid_input);
    EXPECT_EQ(parsed.error().text.find('\n'), std::string::npos);
  }
}

TEST(Dense, EveryAlgorithmAgreesWithFp64) {
  auto device = make_cpu_device();
  ASSERT_TRUE(device);
  ASSERT_TRUE((*device)->activate());
  for (auto pass : all_dense_passes)
    for (auto storage : {DataType::f32, DataType::f16, DataType::bf16}) {
      const auto operation = make_dense_operation(pass);
      int ran = 0;
      for (auto p : small_problems(pass, storage))
        for (const char* layout : {"rowmajor", "blocked"})
          for (const auto fill : {InputFill::exact, InputFill::rounding}) {
            p.layout = layout;
            const auto problem = to_problem(p);
            const auto reference = operation->reference(problem, {fill, 5});
            ASSERT_TRUE(reference) << reference.error().text;
            for (const auto& provider : operation->providers()) {
              const auto offers = provider->offers(problem, **device);
              ASSERT_TRUE(offers) << offers.error().text;
              std::set<std::string> names;
              for (const auto& offer : *offers) {
                const auto id = case_id(problem, offer.algorithm);
                SCOPED_TRACE(id);
                EXPECT_TRUE(names.insert(id).second) << "offered twice";
                EXPECT_TRUE(parse_case_id(id));
                if (offer.unsupported) continue;
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
      EXPECT_GE(ran, 6 * 2 * 2);  // fixed_order alone answers every problem
    }
}

TEST(Dense, FixedOrderHasTheBitsOfTheStatedOrderWhateverRunsIt) {
  for (auto pass : all_dense_passes) {
    const auto operation = make_dense_operation(pass);
    for (const auto& p : small_problems(pass)) {
      const auto problem = to_problem(p);
      SCOPED_TRACE(problem_id(problem));
      const Inputs inputs{InputFill::rounding, 6};
      std::vector<std::vector<float>> values;
      for (const auto& spec : tensors_of(p).inputs)
        values.push_back(filled_values(spec.type, spec.shape, *dense_fill(p, spec, inputs)).value());
      const auto direct = naive(p, values, 1 << 20), split = naive(p, values, 7);
      const auto expect_equal = [&](const Options& options, int threads, const std::vector<std::vector<float>>& expected, const char* name) {
        const Algorithm algorithm{"fixed_order", name, options, {}};
        const auto run = testing::run(*operation, problem, algorithm, inputs, threads);
        ASSERT_TRUE(run) << run.error().text;
        for (std::size_t o = 0; o < expected.size(); ++o) {
          const auto* got = static_cast<const float*>(run->outputs[o].region.data);
          for (std::size_t i = 0; i < expected[o].size(); ++i)
            ASSERT_EQ(std::bit_cast<std::uint32_t>(got[i]), std::bit_cast<std::uint32_t>(expected[o][i])) << i;
        }
      };
      for (int threads : {1, 2, 3, 4, 8}) expect_equal({}, threads, direct, "direct"), expect_equal({}, threads, split, "split_k_fixed[CHUNK=7]");
      for (auto set : all_instruction_sets)
        if (cpu_has(set)) {
          const Options isa{{"isa", std::string(to_text(set))}};
          expect_equal(isa, 2, direct, "direct"), expect_equal(isa, 2, split, "split_k_fixed[CHUNK=7]");
        }
    }
  }
}

TEST(Dense, AWrongBiasOrALostSampleIsCaught) {
  auto p = small_problems(DensePass::wgrad)[2];
  const Inputs inputs{InputFill::rounding, 6};
  const auto operation = make_dense_operation(p.pass);
  const auto reference = operation->reference(to_problem(p), inputs).value();
  auto run = testing::run(*operation, to_problem(p), fixed_order, inputs).value();
  ASSERT_TRUE(reference->check(fixed_order, run.outputs)->passed);
  auto* bias = static_cast<float*>(run.outputs[1].region.data);
  bias[3] += 1e-4f;
  const auto verification = reference->check(fixed_order, run.outputs).value();
  EXPECT_FALSE(verification.passed);
  EXPECT_NE(verification.reason.find("diff_bias[3]"), std::string::npos) << verification.reason;

  auto fewer = p;
  fewer.mb -= 1;  // element i of a fill does not depend on the shape: the same first samples
  auto lost = testing::run(*operation, to_problem(fewer), fixed_order, inputs).value();
  EXPECT_FALSE(reference->check(fixed_order, lost.outputs)->passed);
}

TEST(Dense, RefusesWhatItDoesNotKnowWithAReason) {
  auto device = make_cpu_device();
  ASSERT_TRUE(device);
  const auto operation = make_dense_operation(DensePass::forward);
  const auto problem = to_problem(small_problems(DensePass::forward)[1]);
  for (const auto& algorithm : {Algorithm{"fixed_order", "chunked", {}, {}}, Algorithm{"fixed_order", "direct", {{"isa", "mmx"}}, {}},
                                Algorithm{"reference", "direct_f32", {}, {}}, Algorithm{"onednn", "jit:avx9000", {}, {}}}) {
    const auto plan = operation->find_provider(algorithm.provider)->plan(problem, algorithm, **device);
    ASSERT_FALSE(plan) << algorithm_id(algorithm);
    EXPECT_EQ(plan.error().text.find('\n'), std::string::npos);
  }
  EXPECT_FALSE(operation->check(to_problem(small_problems(DensePass::dgrad)[1])));
}

}  // namespace
}  // namespace detbench
