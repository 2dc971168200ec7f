// Names, options and claims of the arms of cuBLAS and cuBLASLt, without either library.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "kernels/matmul/cublas_arms.hpp"
#include "kernels/matmul/lt_arms.hpp"

namespace detbench {
namespace {

const Problem some_problem{"matmul", "m8_n8_k8", "f32_f32_strict", "nn"};

cublas::Gemm gemm_of(DataType storage, bool tf32 = false) { return {8, 8, 8, false, false, storage, storage, tf32}; }

/// What a worker gets: name and options only.
Algorithm through_its_id(const Algorithm& algorithm) {
  const auto parsed = parse_case_id(case_id(some_problem, algorithm));
  EXPECT_TRUE(parsed) << parsed.error().text;
  return parsed->algorithm;
}

TEST(CublasArms, EveryArmRoundTripsThroughItsCaseName) {
  for (const auto& gemm : {gemm_of(DataType::f32), gemm_of(DataType::f32, true), gemm_of(DataType::f16), gemm_of(DataType::bf16)})
    for (const int capability : {75, 90, 100}) {
      std::set<std::string> ids;
      const auto arms = cublas_arms(gemm, capability);
      EXPECT_EQ(arms[0], CublasArm{});
      for (const auto& arm : arms) {
        const auto algorithm = to_algorithm(arm, gemm, "13.1.0");
        EXPECT_TRUE(ids.insert(algorithm_id(algorithm)).second) << algorithm_id(algorithm);
        const auto back = parse_cublas_arm(through_its_id(algorithm));
        ASSERT_TRUE(back) << back.error().text;
        EXPECT_EQ(*back, arm) << algorithm_id(algorithm);
      }
      EXPECT_EQ(ids.count("cublas:default@config=:4096:8"), 1u);
      EXPECT_EQ(ids.count("cublas:default@workspace=none"), 1u);
      EXPECT_EQ(ids.count("cublas:default@streams=4"), 1u);
      EXPECT_EQ(ids.count("cublas:algo5"), capability < 80 ? 1u : 0u) << "ignored by the library from 8.0 on";
      EXPECT_EQ(ids.count("cublas:default@math=bf16x9"), gemm.input == DataType::f32 && !gemm.tf32 ? 1u : 0u);
      EXPECT_EQ(ids.count("cublas:default@math=fixed_point_f64"), gemm.input == DataType::f32 && !gemm.tf32 ? 1u : 0u);
      EXPECT_EQ(ids.count("cublas:default@math=no_reduced_reduction"), gemm.input != DataType::f32 ? 1u : 0u);
    }
}

TEST(CublasArms, ClaimsAreTheDocumentations) {
  const auto claim = [](auto change) {
    CublasArm arm;
    change(arm);
    return to_algorithm(arm, gemm_of(DataType::f32), "13.1.0").claim;
  };
  const std::vector<Scope> quiet{Scope::repeat, Scope::process}, loaded{Scope::repeat, Scope::process, Scope::load};
  const auto plain = claim([](CublasArm&) {});
  EXPECT_EQ(plain.guarantee, Guarantee::run_to_run);
  EXPECT_EQ(plain.source, "cuBLAS documentation 2.1.4, library 13.1.0");
  EXPECT_EQ(plain.coverage, quiet);
  EXPECT_EQ(claim([](CublasArm& a) { a.workspace_bytes = 0; }).coverage, loaded);
  EXPECT_EQ(claim([](CublasArm& a) { a.config = ":16:8"; }).coverage, loaded);
  EXPECT_EQ(claim([](CublasArm& a) { a.math = CublasArm::Math::f64; }).coverage, quiet);
  EXPECT_EQ(claim([](CublasArm& a) { a.streams = 4, a.workspace_bytes = 1 << 25; }).coverage, loaded);
  for (const auto& none : {claim([](CublasArm& a) { a.streams = 2; }), claim([](CublasArm& a) { a.math = CublasArm::Math::bf16x9; }),
                           claim([](CublasArm& a) { a.math = CublasArm::Math::fixed_point_f64; }),
                           claim([](CublasArm& a) { a.atomics = true; }), claim([](CublasArm& a) { a.algorithm = CublasArm::autotune; })}) {
    EXPECT_EQ(none.guarantee, Guarantee::not_guaranteed);
    EXPECT_TRUE(none.source.empty());
    EXPECT_TRUE(none.coverage.empty());
  }
}

TEST(CublasArms, ANarrowOutputMayBeReducedInItsOwnType) {
  EXPECT_EQ(to_algorithm(CublasArm{}, gemm_of(DataType::f32), "13.1.0").bound_constant, 1.0);
  EXPECT_EQ(to_algorithm(CublasArm{}, gemm_of(DataType::f16), "13.1.0").bound_constant, 8192.0);
  EXPECT_EQ(to_algorithm(CublasArm{}, gemm_of(DataType::bf16), "13.1.0").bound_constant, 65536.0);
  CublasArm strict;
  strict.math = CublasArm::Math::no_reduced_reduction;
  EXPECT_EQ(to_algorithm(strict, gemm_of(DataType::f16), "13.1.0").bound_constant, 1.0);
}

TEST(CublasArms, RefusesOtherSpellings) {
  for (const auto& [name, options] : std::vector<std::pair<std::string, Options>>{{"gemm", {}},
                                                                                  {"algo24", {}},
                                                                                  {"algo99", {}},
                                                                                  {"algo16_tensor_op", {}},
                                                                                  {"default", {{"workspace", "4MB"}}},
                                                                                  {"default", {{"workspace", "0MiB"}}},
                                                                                  {"default", {{"workspace", "04MiB"}}},
                                                                                  {"default", {{"workspace", "4"}}},
                                                                                  {"default", {{"config", "4096:8"}}},
                                                                                  {"default", {{"config", ":4096"}}},
                                                                                  {"default", {{"config", ":4096:"}}},
                                                                                  {"default", {{"config", ""}}},
                                                                                  {"default", {{"streams", "1"}}},
                                                                                  {"default", {{"streams", "33"}}},
                                                                                  {"default", {{"streams", "02"}}},
                                                                                  {"default", {{"atomics", "on"}}},
                                                                                  {"default", {{"math", "fast"}}},
                                                                                  {"default", {{"ws", "4MiB"}}},
                                                                                  {"default", {{"config", ":16:8"}, {"workspace", "4MiB"}}}}) {
    const auto parsed = parse_cublas_arm({"cublas", name, options, {}});
    ASSERT_FALSE(parsed) << name;
    EXPECT_EQ(parsed.error().kind, Reason::Kind::invalid_input);
    EXPECT_EQ(parsed.error().text.find('\n'), std::string::npos);
  }
  EXPECT_EQ(parse_cublas_arm({"cublas", "default", {{"config", ":4096:2:16:8"}}, {}})->config, ":4096:2:16:8");
}

TEST(LtArms, RoundTripThroughTheirCaseNames) {
  const LtArm plain{{21, 20, 16, 4, cublas::ReductionScheme::inplace}, {}, 0, false};
  const LtArm emulated{{21}, {}, 0, true};
  const LtArm exact{{66, 0, 0, 2, cublas::ReductionScheme::compute_type}, std::string(120, '0') + "89abcdef", 130100, false};
  for (const auto& arm : {plain, emulated, exact}) {
    const auto algorithm = to_algorithm(arm, gemm_of(DataType::f16), "13.1.0");
    const auto back = parse_lt_arm(through_its_id(algorithm));
    ASSERT_TRUE(back) << back.error().text;
    EXPECT_EQ(*back, arm) << algorithm_id(algorithm);
  }
  EXPECT_EQ(algorithm_id(to_algorithm(plain, gemm_of(DataType::f32), "13.1.0")), "cublaslt:algo21[TILE_ID=20;STAGES_ID=16;SPLITK=4;SCHEME=INPLACE]");
}

TEST(LtArms, ClaimsCoverLoadBecauseTheWorkspaceIsTheirOwn) {
  const auto claim = to_algorithm(LtArm{{21}, {}, 0, false}, gemm_of(DataType::f32), "13.1.0").claim;
  EXPECT_EQ(claim.guarantee, Guarantee::run_to_run);
  EXPECT_EQ(claim.coverage, (std::vector<Scope>{Scope::repeat, Scope::process, Scope::load}));
  EXPECT_EQ(to_algorithm(LtArm{{21}, {}, 0, true}, gemm_of(DataType::f32), "13.1.0").claim.guarantee, Guarantee::not_guaranteed);
}

TEST(LtArms, RefuseOtherSpellings) {
  const std::string digits(128, 'a');
  for (const auto& options : {Options{{"compute", "f32"}}, Options{{"bytes", digits}}, Options{{"bytes", "130100:" + digits.substr(1)}},
                              Options{{"bytes", "130100:" + digits.substr(1) + "g"}}, Options{{"bytes", "0:" + digits}}, Options{{"ws", "3"}}}) {
    const auto parsed = parse_lt_arm({"cublaslt", "algo21", options, {}});
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().text.find('\n'), std::string::npos);
  }
  EXPECT_FALSE(parse_lt_arm({"cublaslt", "heuristic0", {}, {}}));
}

}  // namespace
}  // namespace detbench
