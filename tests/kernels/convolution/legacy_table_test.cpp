// cuDNN's legacy convolution algorithms as data: names, claims, math types and picks, without cuDNN.
#include <gtest/gtest.h>

#include <set>

#include "kernels/convolution/legacy_cudnn_table.hpp"

namespace detbench::legacy {
namespace {

ConvolutionTypes types_of(DataType storage, bool tf32 = false) {
  ConvolutionTypes types;
  types.storage = storage;
  types.tf32 = tf32;
  return types;
}

TEST(LegacyTable, HasEveryAlgorithmOnceByValueAndName) {
  const std::pair<Direction, std::size_t> counts[] = {{Direction::forward, 8}, {Direction::dgrad, 6}, {Direction::wgrad, 7}};
  std::size_t all = 0;
  for (const auto& [direction, count] : counts) {
    const auto rows = algorithms_of(direction);
    ASSERT_EQ(rows.size(), count);
    std::set<std::string> names;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(rows[i].direction, direction);
      EXPECT_EQ(rows[i].value, static_cast<int>(i));  // ascending without gaps, so each value once
      EXPECT_TRUE(names.insert(rows[i].name).second) << rows[i].name;
    }
    all += count;
  }
  EXPECT_EQ(all_algorithms().size(), all);
}

// The developer guide's list: backward data ALGO_0, backward filter ALGO_0 and ALGO_3, and no forward algorithm.
TEST(LegacyTable, KnowsTheDocumentedNondeterministicOnes) {
  std::set<std::string> listed;
  for (const auto& row : all_algorithms())
    if (row.documented_nondeterministic) listed.insert(std::string(op_name(row.direction)) + ":" + row.name);
  EXPECT_EQ(listed, (std::set<std::string>{"conv_dgrad:algo_0", "conv_wgrad:algo_0", "conv_wgrad:algo_3"}));
}

TEST(LegacyTable, ClaimsWhatTheListSaysAndNoMore) {
  for (const auto& row : all_algorithms()) {
    Arm arm;
    arm.row = &row;
    const auto algorithm = to_algorithm(arm, "9.19.0");
    EXPECT_NE(algorithm.claim.source.find("9.19.0"), std::string::npos);
    EXPECT_EQ(algorithm.claim.guarantee == Guarantee::run_to_run, !row.documented_nondeterministic);
    EXPECT_EQ(algorithm.claim.covers(Scope::repeat), !row.documented_nondeterministic);
    EXPECT_FALSE(algorithm.claim.covers(Scope::machine));
    EXPECT_FALSE(algorithm.claim.covers(Scope::batch));
    EXPECT_EQ(algorithm.sum_of_products, !row.transform);
    EXPECT_EQ(algorithm.bound_constant > 1, row.transform);
  }
  // Sums made in f16 are held to the roundoff of f16.
  Arm half;
  half.row = &all_algorithms()[0];
  half.half_compute = true;
  EXPECT_EQ(to_algorithm(half, "9.19.0").bound_constant, 0x1p-11 / 0x1p-24);
  Arm pick;
  pick.choice = Choice::find_ex;
  EXPECT_EQ(to_algorithm(pick, "9.19.0").claim.source, "");
  EXPECT_FALSE(to_algorithm(pick, "9.19.0").sum_of_products);
}

std::vector<Arm> arms_of(Direction direction) {
  std::vector<Arm> arms;
  for (const bool pad : {false, true})
    for (const auto math : all_math) {
      for (const auto& row : algorithms_of(direction))
        for (const bool half : {false, true}) arms.push_back({pad, Choice::named, &row, math, half, 0, false});
      for (const auto choice : {Choice::get_v7, Choice::find_ex})
        for (const bool deterministic : {false, true}) arms.push_back({pad, choice, nullptr, math, false, std::size_t{1} << 30, deterministic});
    }
  return arms;
}

TEST(LegacyArms, GoToTheirNamesAndBack) {
  const Problem problem{"conv_fwd", "mb1_g1_ic3_ih8_iw8_oc4_kh3_kw3_sh2_sw2_pt0_pb1_pl0_pr1_dh1_dw1", "f32_f32_strict", "nhwc"};
  for (const auto direction : all_directions) {
    std::set<std::string> ids;
    for (const auto& arm : arms_of(direction)) {
      const auto algorithm = to_algorithm(arm, "9.19.0");
      const auto id = case_id(problem, algorithm);
      EXPECT_TRUE(ids.insert(id).second) << id;
      const auto read = parse_case_id(id);
      ASSERT_TRUE(read) << id << ": " << read.error().text;
      EXPECT_EQ(case_id(read->problem, read->algorithm), id);
      const auto back = parse_arm(direction, read->algorithm);
      ASSERT_TRUE(back) << back.error().text;
      EXPECT_EQ(*back, arm) << id;
    }
  }
  EXPECT_EQ(algorithm_id(to_algorithm({true, Choice::named, &algorithms_of(Direction::forward)[1], Math::fma, false, 0, false}, "")),
            "cudnn_legacy:pad+implicit_precomp_gemm@math=fma");
}

TEST(LegacyArms, RefuseWhatDoesNotExistInOneLine) {
  for (const auto& [name, options] : std::vector<std::pair<std::string, Options>>{
           {"algo_0", {{"math", "fma"}}},  // a backward algorithm
           {"implicit_gemm", {}},
           {"implicit_gemm", {{"math", "tf32"}}},
           {"implicit_gemm", {{"math", "fma"}, {"ws", "5"}}},
           {"implicit_gemm", {{"math", "fma"}, {"speed", "high"}}},
           {"implicit_gemm", {{"math", "fma"}, {"compute", "f32"}}},  // the default is not written
           {"pick:get_v7", {{"math", "fma"}, {"compute", "f16"}, {"ws", "5"}}},
           {"0", {{"math", "fma"}}},
           {"pick:find", {{"math", "fma"}, {"ws", "5"}}},
           {"pick:find_ex", {{"math", "fma"}}},
           {"pick:find_ex", {{"math", "fma"}, {"ws", "1GiB"}}},
           {"pick:find_ex", {{"math", "fma"}, {"ws", "05"}}},  // another way to write ws=5: one case, one name
           {"pick:find_ex", {{"math", "fma"}, {"ws", "5"}, {"rows", "any"}}}}) {
    const auto arm = parse_arm(Direction::forward, {"cudnn_legacy", name, options, {}});
    ASSERT_FALSE(arm) << name;
    EXPECT_EQ(arm.error().text.find('\n'), std::string::npos);
    EXPECT_EQ(arm.error().kind, Reason::Kind::invalid_input);
  }
}

// Every math type belongs to exactly one of the two f32 problems on a GPU with TF32, and each problem's usual one fits it.
TEST(LegacyMath, KeepsStrictAndTf32Apart) {
  const auto strict = types_of(DataType::f32), tf32 = types_of(DataType::f32, true);
  for (const auto math : all_math) EXPECT_NE(math_misfit(strict, math, 9).has_value(), math_misfit(tf32, math, 9).has_value());
  EXPECT_FALSE(math_misfit(strict, Math::fma, 9));
  // Before TF32, default math is strict; converting data to f16 never is.
  EXPECT_FALSE(math_misfit(strict, Math::default_math, 7));
  EXPECT_FALSE(math_misfit(strict, Math::tensor_op, 7));
  EXPECT_TRUE(math_misfit(strict, Math::tensor_op_allow_conversion, 7));
  for (const auto math : all_math) EXPECT_TRUE(math_misfit(tf32, math, 7));
  for (const auto storage : {DataType::f16, DataType::bf16})
    for (const auto math : all_math) EXPECT_FALSE(math_misfit(types_of(storage), math, 9));
  for (const auto& types : {strict, tf32, types_of(DataType::f16), types_of(DataType::bf16)})
    EXPECT_FALSE(math_misfit(types, usual_math(types), 9));
}

TEST(LegacyPicks, TakeTheFirstRowThatMayBeTaken) {
  const int fma = static_cast<int>(Math::fma), standard = static_cast<int>(Math::default_math);
  const std::vector<PerfRow> rows{{7, false, 1e-5, 10, true, fma},    {6, true, 2e-5, 5000, true, fma},
                                  {1, true, 3e-5, 100, true, standard}, {0, true, 4e-5, 100, false, fma},
                                  {2, true, 5e-5, 100, true, fma}};
  const auto strict = types_of(DataType::f32);
  Arm arm{false, Choice::find_ex, nullptr, Math::fma, false, 1000, false};
  EXPECT_EQ(choose_row(rows, arm, strict, 9)->algorithm, 0);
  EXPECT_EQ(choose_row(rows, arm, types_of(DataType::f32, true), 9)->algorithm, 1);
  arm.deterministic_rows_only = true;
  EXPECT_EQ(choose_row(rows, arm, strict, 9)->algorithm, 2);
  arm.workspace_cap_bytes = 5000;
  EXPECT_EQ(choose_row(rows, arm, strict, 9)->algorithm, 6);
  arm.workspace_cap_bytes = 50;
  const auto none = choose_row(rows, arm, strict, 9);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, Reason::Kind::unsupported);
  EXPECT_NE(none.error().text.find("1 failed, 4 want more workspace"), std::string::npos) << none.error().text;
  EXPECT_EQ(ranking_text(Direction::forward, rows, 2), "winograd@math=fma 2e-05 s, implicit_precomp_gemm@math=default 3e-05 s");
  const std::vector<PerfRow> unknown{{99, true, -1, 0, true, fma}};
  EXPECT_EQ(ranking_text(Direction::forward, unknown, 5), "algorithm 99 math 3");
  EXPECT_EQ(perf_struct_determinism(rows, 0, Math::fma), "non_deterministic");
  EXPECT_EQ(perf_struct_determinism(rows, 1, Math::default_math), "deterministic");
  EXPECT_EQ(perf_struct_determinism(rows, 1, Math::fma), "unlisted");
}

}  // namespace
}  // namespace detbench::legacy
