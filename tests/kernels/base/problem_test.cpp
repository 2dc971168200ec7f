#include "kernels/claim.hpp"
#include "kernels/problem.hpp"

#include <gtest/gtest.h>

#include <random>

namespace detbench {
namespace {

TEST(CaseName, RoundTripsOverRandomCases) {
  std::mt19937 random(7);
  const std::string part = "abcdefghijklmnopqrstuvwxyz0123456789_", name = part + ":[]=;+-";
  auto text = [&](const std::string& letters) {
    std::string t = "a";
    for (unsigned n = random() % 12; n-- > 0;) t += letters[random() % letters.size()];
    return t;
  };
  for (int i = 0; i < 2000; ++i) {
    const Problem problem{text(part), text(part), text(part), text(part)};
    Algorithm algorithm{text(part), text(name), {}, {}};
    for (unsigned n = random() % 4; n-- > 0;) algorithm.options[text(part)] = text(part);
    const auto id = case_id(problem, algorithm);
    const auto back = parse_case_id(id);
    ASSERT_TRUE(back) << id << ": " << back.error().text;
    EXPECT_EQ(back->problem, problem);
    EXPECT_EQ(case_id(back->problem, back->algorithm), id);
  }
}

TEST(CaseName, RefusesNonsenseInOneLineThatNamesIt) {
  for (const char* bad : {"", "/", "a/b/c/d", "a/b/c/d/e", "a/b/c/d/p:", "a/b/c/d/:x", "a/b/c/d/p:x@", "a/b/c/d/p:x@k",
                          "a/b/c/d/p:x@k=1,k=2", "a//c/d/p:x", "a/b c/c/d/p:x", "a/b/c/d/p:x/y"}) {
    const auto parsed = parse_case_id(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_EQ(parsed.error().kind, Reason::Kind::invalid_input);
    EXPECT_EQ(parsed.error().text.find('\n'), std::string::npos);
    EXPECT_NE(parsed.error().text.find("provider:algorithm"), std::string::npos);
  }
}

TEST(Shape, ReadsNamedFieldsWithinBounds) {
  const std::vector<FieldBounds> fields{{"mb", 1, 100}, {"ih", 1, 100}};
  EXPECT_EQ(read_shape("mb8_ih96", fields).value(), (std::vector<std::int64_t>{8, 96}));
  for (const char* bad : {"mb8", "ih96_mb8", "mb0_ih96", "mb8_ih101", "mb8_ih", "mb8_ih9.5", "mb99999999999999999999_ih1", "8_ih96"})
    EXPECT_FALSE(read_shape(bad, fields)) << bad;
}

TEST(Scopes, ListsAreReadBackAndNonsenseIsRefused) {
  EXPECT_EQ(*parse_scopes("load,repeat,load"), (std::vector{Scope::repeat, Scope::load}));
  EXPECT_TRUE(parse_scopes("")->empty());
  EXPECT_EQ(format_scopes(*parse_scopes("batch,capture")), "capture,batch");
  for (const char* bad : {"repeat,", ",", "everything", "machine", "repeat;load"}) {
    const auto scopes = parse_scopes(bad);
    ASSERT_FALSE(scopes) << bad;
    EXPECT_EQ(scopes.error().kind, Reason::Kind::invalid_input);
  }
}

}  // namespace
}  // namespace detbench
