#include "kernels/selection/selection.hpp"

#include <gtest/gtest.h>

namespace detbench {
namespace {

const Problem wgrad{"conv_wgrad", "mb8_g1", "f32_f32_strict", "nhwc"};

Selection sample() {
  Selection s;
  s.name = "fastest_observed:partition";
  s.demand = "partition";
  s.activation_layout = "blocked";
  s.target = {{"cpu", "some CPU"}, {"threads", "2"}};
  s.set(wgrad, {"blocked", {"onednn", "jit_1x1:avx2", {{"formats", "any"}}, {}}});
  s.set_default("conv_wgrad", {"nhwc", {"fixed_order", "direct", {}, {}}});
  return s;
}

TEST(Selection, TheProblemsRuleWinsOverItsOpsDefault) {
  const auto s = sample();
  ASSERT_NE(s.find(wgrad), nullptr);
  EXPECT_EQ(s.find(wgrad)->algorithm.name, "jit_1x1:avx2");
  auto other = wgrad;
  other.layout = "blocked";
  EXPECT_EQ(s.find(other)->algorithm.name, "jit_1x1:avx2") << "the layout is the rule's answer, not part of the question";
  other.shape = "mb9_g1";
  EXPECT_EQ(s.find(other)->algorithm.provider, "fixed_order");
  other.op = "conv_fwd";
  EXPECT_EQ(s.find(other), nullptr);
}

TEST(Selection, WrittenAndReadItIsTheSame) {
  const auto s = sample();
  const auto text = write_selection(s);
  const auto back = read_selection(text, "memory");
  ASSERT_TRUE(back) << back.error().text;
  EXPECT_EQ(write_selection(*back), text);
  EXPECT_EQ(back->all_rules(), s.all_rules());
  EXPECT_EQ(back->defaults(), s.defaults());
  EXPECT_EQ(back->target, s.target);
}

TEST(Selection, EveryTruncationAndHostileFileIsRefusedWithItsName) {
  const auto text = write_selection(sample());
  for (std::size_t n = 0; n + 2 < text.size(); n += 7) EXPECT_FALSE(read_selection(text.substr(0, n), "cut.json")) << n;
  const auto replaced = [&](const std::string& from, const std::string& to) {
    auto changed = text;
    changed.replace(changed.find(from), from.size(), to);
    return changed;
  };
  const std::pair<std::string, const char*> bad[] = {
      {replaced("\"schema_version\": 1", "\"schema_version\": 2"), "schema_version"},
      {replaced("\"schema_version\": 1", "\"schema_version\": \"1\""), "schema_version"},
      {replaced("detbench-policy", "something-else"), "schema"},
      {replaced("\"activation_layout\": \"blocked\"", "\"activation_layout\": \"diagonal\""), "activation_layout"},
      {replaced("onednn:jit_1x1:avx2@formats=any", "onednn"), "rules[0].algorithm"},
      {replaced("\"shape\": \"mb8_g1\"", "\"shape\": 8"), "rules[0].shape"},
      {std::string(100'000, '['), "JSON"},
      {"[]", "schema"},
  };
  for (const auto& [content, key] : bad) {
    const auto read = read_selection(content, "bad.json");
    ASSERT_FALSE(read) << key;
    EXPECT_NE(read.error().text.find("bad.json"), std::string::npos);
    EXPECT_NE(read.error().text.find(key), std::string::npos) << read.error().text;
    EXPECT_EQ(read.error().text.find('\n'), std::string::npos);
  }
  EXPECT_FALSE(read_selection_file("/nonexistent/policy.json"));
}

}  // namespace
}  // namespace detbench
