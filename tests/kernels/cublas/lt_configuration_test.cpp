#include "kernels/cublas/lt_configuration.hpp"

#include <gtest/gtest.h>

#include <random>

#include "kernels/problem.hpp"

namespace detbench::cublas {
namespace {

TEST(LtConfiguration, NamesSayWhatDiffersFromTheDefaults) {
  EXPECT_EQ(format_configuration({21}), "algo21");
  EXPECT_EQ(format_configuration({21, 20, 16, 4, ReductionScheme::inplace}), "algo21[TILE_ID=20;STAGES_ID=16;SPLITK=4;SCHEME=INPLACE]");
  EXPECT_EQ(format_configuration({0, 0, 0, 1, ReductionScheme::none, 1, 2, 3, 4}), "algo0[SWIZZLE=1;CUSTOM=2;INNER_ID=3;CLUSTER_ID=4]");
  EXPECT_EQ(format_configuration({66, 0, 0, 2, ReductionScheme::compute_type}), "algo66[SPLITK=2;SCHEME=COMPUTE_TYPE]");
  EXPECT_EQ(format_configuration({66, 0, 0, 2, ReductionScheme::output_type}), "algo66[SPLITK=2;SCHEME=OUTPUT_TYPE]");
}

TEST(LtConfiguration, NamesRoundTripAloneAndInACaseName) {
  std::mt19937 random(7);
  const auto some = [&](int most) { return random() % 2 == 0 ? 0u : static_cast<unsigned>(random() % static_cast<unsigned>(most + 1)); };
  const ReductionScheme schemes[] = {ReductionScheme::none, ReductionScheme::inplace, ReductionScheme::compute_type, ReductionScheme::output_type};
  for (int i = 0; i < 2000; ++i) {
    const LtConfiguration c{static_cast<int>(some(99)), some(700), some(60), static_cast<std::int32_t>(1 + some(31)), schemes[some(3)],
                            some(1), some(40), static_cast<std::uint16_t>(some(4)), static_cast<std::uint16_t>(some(51))};
    const auto name = format_configuration(c);
    const auto parsed = parse_configuration(name);
    ASSERT_TRUE(parsed) << parsed.error().text;
    EXPECT_EQ(*parsed, c) << name;
    const Problem problem{"matmul", "m8_n8_k8", "f32_f32_strict", "nn"};
    const auto id = case_id(problem, {"cublaslt", name, {}, {}});
    const auto back = parse_case_id(id);
    ASSERT_TRUE(back) << back.error().text;
    EXPECT_EQ(back->algorithm.name, name);
  }
}

TEST(LtConfiguration, RefusesEverySpellingButOne) {
  for (const char* name : {"", "algo", "algo-1", "algoX", "21", "algo021", "algo21[]", "algo21[TILE_ID=20", "algo21[TILE_ID=0]", "algo21[SPLITK=1]",
                           "algo21[SCHEME=NONE]", "algo21[STAGES_ID=16;TILE_ID=20]", "algo21[TILE_ID=20;TILE_ID=20]", "algo21[TILE_ID=20;]",
                           "algo21[TILE_ID=+20]", "algo21[TILE_ID=]", "algo21[COLOUR=3]", "algo21[SCHEME=ATOMIC]", "algo21[INNER_ID=65536]",
                           "algo21[TILE_ID=20]x", "algo99999999999", "algo21[SPLITK]"}) {
    const auto parsed = parse_configuration(name);
    ASSERT_FALSE(parsed) << name;
    EXPECT_EQ(parsed.error().kind, Reason::Kind::invalid_input);
    EXPECT_EQ(parsed.error().text.find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace detbench::cublas
