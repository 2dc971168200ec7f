// The header for other people's programs reads what we write, and refuses what we refuse.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <fstream>

#include "kernels/selection/detbench_policy.hpp"
#include "kernels/selection/selection.hpp"

namespace detbench {
namespace {

Selection written() {
  Selection s;
  s.name = "fastest_observed:run_to_run", s.demand = "run_to_run", s.target = {{"cudnn", "9.19.0"}, {"backend", "cuda"}};
  const auto rule = [&](const char* op, const char* shape, const char* provider, const char* name, Options options = {}) {
    s.set({op, shape, "f32_f32_strict", ""}, {"nhwc", {provider, name, std::move(options), {}}});
  };
  detbench_policy::Convolution layer;
  layer.direction = detbench_policy::Direction::filter_gradient;
  rule("conv_wgrad", layer.shape().c_str(), "cudnn_graph", "eng20[SPLIT_K=-1;TILE_SIZE=3]", {{"ws", "256MiB"}, {"align", "16"}});
  rule("conv_fwd", "mb2", "cudnn_graph", "pad+eng0");
  rule("conv_fwd", "mb3", "cudnn_graph", "pick:heur_mode_a");
  rule("conv_dgrad", "mb2", "cudnn_legacy", "pad+algo_1", {{"math", "fma"}});
  rule("conv_dgrad", "mb3", "cudnn_legacy", "pick:get_v7", {{"math", "fma"}, {"ws", "1"}});
  s.set_default("dense_fwd", {"rowmajor", {"fixed_order", "direct", {}, {}}});
  return s;
}

detbench_policy::Policy read(const Selection& selection) {
  std::string error;
  const auto policy = detbench_policy::Policy::parse(write_selection(selection), error);
  EXPECT_TRUE(policy) << error;
  return policy.value_or(detbench_policy::Policy());
}

TEST(PolicyReader, ReadsEveryRuleThatTheWriterWrites) {
  const auto selection = written();
  const auto policy = read(selection);
  EXPECT_EQ(policy.name(), selection.name);
  EXPECT_EQ(policy.demand(), selection.demand);
  EXPECT_EQ(policy.activation_layout(), selection.activation_layout);
  EXPECT_EQ(policy.target(), selection.target);
  ASSERT_EQ(policy.rules().size(), selection.rules());
  for (const auto& [key, rule] : selection.all_rules()) {
    const auto* found = policy.find(std::get<0>(key), std::get<1>(key), std::get<2>(key));
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->layout, rule.layout);
    EXPECT_EQ(found->provider, rule.algorithm.provider);
    EXPECT_EQ(found->algorithm, rule.algorithm.name);
    EXPECT_EQ(found->options, rule.algorithm.options);
  }
  ASSERT_NE(policy.find("dense_fwd", "mb9", "f32_f32_strict"), nullptr);
  EXPECT_EQ(policy.find("dense_fwd", "mb9", "f32_f32_strict")->provider, "fixed_order");
  EXPECT_EQ(policy.find("conv_fwd", "mb9", "f32_f32_strict"), nullptr);
}

TEST(PolicyReader, ATypedLayerFindsItsEngineAndKnobs) {
  const auto policy = read(written());
  detbench_policy::Convolution layer;
  EXPECT_EQ(policy.find(layer), nullptr) << "another direction is another problem";
  layer.direction = detbench_policy::Direction::filter_gradient;
  const auto* rule = policy.find(layer);
  ASSERT_NE(rule, nullptr);
  const auto engine = rule->cudnn_engine();
  ASSERT_TRUE(engine);
  EXPECT_EQ(engine->index, 20);
  EXPECT_EQ(engine->knobs, (std::map<std::string, std::int64_t>{{"SPLIT_K", -1}, {"TILE_SIZE", 3}}));
  EXPECT_EQ(rule->options.at("ws"), "256MiB");
  EXPECT_FALSE(rule->cudnn_legacy());
  // The name is detbench's own.
  EXPECT_TRUE(parse_problem_id(layer.op() + "/" + layer.shape() + "/" + layer.types + "/nhwc"));
}

TEST(PolicyReader, PrefixesAndPicksAreToldApart) {
  const auto policy = read(written());
  const auto padded = policy.find("conv_fwd", "mb2", "f32_f32_strict")->cudnn_engine();
  ASSERT_TRUE(padded);
  EXPECT_EQ(padded->input, "pad+");
  EXPECT_EQ(padded->index, 0);
  EXPECT_TRUE(padded->knobs.empty());
  EXPECT_FALSE(policy.find("conv_fwd", "mb3", "f32_f32_strict")->cudnn_engine());
  const auto legacy = policy.find("conv_dgrad", "mb2", "f32_f32_strict")->cudnn_legacy();
  ASSERT_TRUE(legacy);
  EXPECT_EQ(legacy->algorithm, "algo_1");
  EXPECT_EQ(legacy->math, "fma");
  EXPECT_TRUE(legacy->pad_by_hand);
  EXPECT_FALSE(policy.find("conv_dgrad", "mb3", "f32_f32_strict")->cudnn_legacy());
}

TEST(PolicyReader, OddEngineNamesAreNoEngines) {
  for (const char* name : {"eng", "engx", "eng1[", "eng1[]x", "eng1[A]", "eng1[A=]", "eng1[=1]", "eng1[A=1;]", "eng1[A=1,B=2]", "engine1", "pad+", ""}) {
    detbench_policy::Rule rule;
    rule.provider = "cudnn_graph", rule.algorithm = name;
    EXPECT_FALSE(rule.cudnn_engine()) << name;
  }
}

TEST(PolicyReader, RefusesWhatTheProgramRefuses) {
  const std::string good = write_selection(written());
  const auto damaged = [&](const std::string& from, const std::string& to) {
    auto text = good;
    text.replace(text.find(from), from.size(), to);
    return text;
  };
  for (const auto& bad : {std::string(), std::string("[]"), good.substr(0, good.size() / 2), std::string(100'000, '['), damaged("detbench-policy", "other"),
                          damaged("\"schema_version\": 1", "\"schema_version\": 2"), damaged("\"rules\"", "\"other\""),
                          damaged("\"algorithm\": \"fixed_order:direct\"", "\"algorithm\": \"fixed_order\""), damaged("\"layout\": \"nhwc\"", "\"layout\": 3")}) {
    std::string error;
    EXPECT_FALSE(detbench_policy::Policy::parse(bad, error)) << bad.substr(0, 200);
    EXPECT_FALSE(error.empty());
    EXPECT_EQ(error.find('\n'), std::string::npos);
    EXPECT_FALSE(read_selection(bad, "test"));
  }
  std::string error;
  EXPECT_FALSE(detbench_policy::Policy::read("/nonexistent/policy.json", error));
  EXPECT_NE(error.find("/nonexistent/policy.json"), std::string::npos);
}

TEST(PolicyReader, TheExampleAnswersFromAFile) {
  const std::string path = testing::TempDir() + "detbench_reader_policy.json";
  std::ofstream(path) << write_selection(written());
  const detbench_policy::Convolution layer;
  const auto run = [](const std::string& command, std::string& out) {
    FILE* pipe = popen((command + " 2>&1").c_str(), "r");
    char chunk[4096];
    while (pipe && fgets(chunk, sizeof chunk, pipe)) out += chunk;
    return pipe ? WEXITSTATUS(pclose(pipe)) : -1;
  };
  std::string out;
  EXPECT_EQ(run(std::string(DETBENCH_EXAMPLE) + " " + path + " conv_wgrad " + layer.shape() + " f32_f32_strict", out), 0) << out;
  for (const char* part : {"engine 20", "CUDNN_KNOB_TYPE_TILE_SIZE = 3", "measured with cudnn 9.19.0"}) EXPECT_NE(out.find(part), std::string::npos) << out;
  out.clear();
  EXPECT_EQ(run(std::string(DETBENCH_EXAMPLE) + " /nonexistent conv_wgrad x f32_f32_strict", out), 2);
  EXPECT_NE(out.find("/nonexistent"), std::string::npos);
  std::remove(path.c_str());
}

TEST(PolicyFile, TwoRulesForOneProblemAreRefused) {
  auto text = write_selection(written());
  const auto begin = text.find("  {\n   \"op\": \"dense_fwd\"");
  ASSERT_NE(begin, std::string::npos);
  const auto rule = text.substr(begin, text.find('}', begin) - begin + 1);
  text.replace(begin, rule.size(), rule + ",\n" + rule);
  const auto read = read_selection(text, "test");
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().text.find("defaults[1]"), std::string::npos) << read.error().text;
}

}  // namespace
}  // namespace detbench
