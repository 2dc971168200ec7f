// Surveys of a library that misbehaves, and the problems that are posed to one.
#include "bench/catalog/survey.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "bench/catalog/questions.hpp"
#include "synthetic.hpp"

namespace detbench::catalog {
namespace {

using ::testing::HasSubstr;
using testing::problem;

IsolationSettings settings_for(double timeout_s = 30) {
  IsolationSettings settings;
  settings.jobs = 2;
  settings.timeout_s = timeout_s;
  return settings;
}

std::vector<Entry> posed(const std::vector<Problem>& problems) {
  std::vector<Entry> entries;
  for (const auto& p : problems) entries.push_back({p, {"net:layer"}, "", {}, {}});
  return entries;
}

[[noreturn]] void fault() {
  std::signal(SIGSEGV, SIG_DFL);
  raise(SIGSEGV);
  _exit(99);
}

/// A library of 4 engines that does what `at` says at each step.
Oracle library(std::function<void(const Problem&, const std::string& step)> at) {
  Oracle oracle;
  oracle.describe = [](const std::string& arch) -> Result<TargetFacts> { return TargetFacts{"9.99.0", arch, "no GPU", false, DriverLibrary::absent}; };
  oracle.ask = [at](const Problem& p, const std::string&, const SkippedSteps& skipped, const Announce& announce) -> Result<Entry> {
    Entry entry;
    entry.problem = p;
    const auto take = [&](const std::string& step) {
      if (skipped.contains(step)) return false;
      announce(step);
      at(p, step);
      return true;
    };
    take("graph");
    for (std::int64_t id = 0; id < 4; ++id) {
      auto e = testing::engine(id);
      if (!take(engine_step(id))) e = testing::refused(id, skipped.at(engine_step(id))), e.status = EngineStatus::crashed;
      entry.engines.push_back(std::move(e));
    }
    for (auto mode : all_heuristic_modes) {
      Ranking r{mode, "", {"eng0"}};
      if (!take(heuristic_step(mode))) r = {mode, skipped.at(heuristic_step(mode)), {}};
      entry.rankings.push_back(std::move(r));
    }
    return entry;
  };
  return oracle;
}

TEST(Survey, AsksEveryProblemAndSaysWhomItAsked) {
  const auto asked = survey(posed({problem("conv_fwd"), problem("conv_dgrad"), problem("conv_wgrad")}), "sm_90", "three", settings_for(), library([](auto&&...) {}));
  ASSERT_TRUE(asked) << asked.error().text;
  const auto& c = asked->catalog;
  EXPECT_FALSE(asked->interrupted);
  EXPECT_EQ(c.cudnn_version, "9.99.0");
  EXPECT_EQ(c.arch, "sm_90");
  EXPECT_EQ(c.source, "three");
  EXPECT_EQ(c.driver, DriverLibrary::absent);
  ASSERT_EQ(c.entries.size(), 3U);
  EXPECT_EQ(c.entries[1].problem.op, "conv_dgrad");
  for (const auto& e : c.entries) {
    EXPECT_EQ(e.used_by, std::vector<std::string>{"net:layer"}) << "the library's answer does not replace what was asked";
    EXPECT_EQ(e.engines.size(), 4U);
    EXPECT_EQ(e.rankings.size(), 3U);
  }
}

TEST(Survey, ALethalEngineIsRecordedAndTheRestOfItsProblemAnswered) {
  const auto asked = survey(posed({problem("conv_fwd"), problem("conv_dgrad")}), "sm_90", "", settings_for(), library([](const Problem& p, const std::string& step) {
                              if (p.op == "conv_dgrad" && (step == "engine 2" || step == "heuristic B")) fault();
                            }));
  ASSERT_TRUE(asked) << asked.error().text;
  const auto& good = asked->catalog.entries[0];
  const auto& bad = asked->catalog.entries[1];
  EXPECT_TRUE(good.failure.empty());
  EXPECT_EQ(good.find_engine(2)->status, EngineStatus::valid);
  EXPECT_TRUE(bad.failure.empty()) << bad.failure;
  EXPECT_EQ(bad.find_engine(2)->status, EngineStatus::crashed);
  EXPECT_THAT(bad.find_engine(2)->reason, HasSubstr("signal 11"));
  EXPECT_EQ(bad.find_engine(3)->status, EngineStatus::valid);
  EXPECT_THAT(bad.find_ranking(HeuristicMode::b)->reason, HasSubstr("signal 11"));
  EXPECT_EQ(bad.find_ranking(HeuristicMode::fallback)->picks.size(), 1U);
}

TEST(Survey, AHangIsRecordedToo) {
  const auto asked = survey(posed({problem("conv_fwd"), problem("conv_dgrad")}), "sm_90", "", settings_for(2), library([](const Problem& p, const std::string& step) {
                              if (p.op == "conv_fwd" && step == "heuristic A") std::this_thread::sleep_for(std::chrono::minutes(10));
                            }));
  ASSERT_TRUE(asked) << asked.error().text;
  EXPECT_THAT(asked->catalog.entries[0].find_ranking(HeuristicMode::a)->reason, HasSubstr("no answer within 2 s"));
  EXPECT_EQ(asked->catalog.entries[0].find_ranking(HeuristicMode::b)->picks.size(), 1U);
  EXPECT_TRUE(asked->catalog.entries[1].failure.empty());
}

TEST(Survey, AProblemThatAlwaysKillsEndsAsAFailure) {
  const auto asked = survey(posed({problem("conv_fwd"), problem("conv_dgrad")}), "sm_90", "", settings_for(), library([](const Problem& p, const std::string&) {
                              if (p.op == "conv_fwd") fault();
                            }));
  ASSERT_TRUE(asked) << asked.error().text;
  EXPECT_THAT(asked->catalog.entries[0].failure, HasSubstr("signal 11"));
  EXPECT_TRUE(asked->catalog.entries[1].failure.empty());
  EXPECT_EQ(asked->catalog.entries[1].engines.size(), 4U);
}

TEST(Survey, AReasonInsteadOfAnAnswerIsKept) {
  auto oracle = library([](auto&&...) {});
  oracle.ask = [](const Problem&, const std::string&, const SkippedSteps&, const Announce&) -> Result<Entry> { return failure("no such tensor"); };
  const auto asked = survey(posed({problem()}), "sm_90", "", settings_for(), oracle);
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->catalog.entries[0].failure, "no such tensor");
}

TEST(Survey, WithoutALibraryThereIsNoCatalog) {
  auto oracle = library([](auto&&...) {});
  oracle.describe = [](const std::string&) -> Result<TargetFacts> { return unsupported("no cuDNN here; install it"); };
  const auto absent = survey(posed({problem()}), "sm_90", "", settings_for(), oracle);
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().kind, Reason::Kind::unsupported);
  EXPECT_EQ(absent.error().text, "no cuDNN here; install it");
  oracle.describe = [](const std::string&) -> Result<TargetFacts> { fault(); };
  const auto lethal = survey(posed({problem()}), "sm_90", "", settings_for(), oracle);
  ASSERT_FALSE(lethal);
  EXPECT_EQ(lethal.error().kind, Reason::Kind::failed);
  EXPECT_THAT(lethal.error().text, HasSubstr("signal 11"));
}

Questions questions(const std::vector<std::string>& filter = {}) {
  Questions q;
  q.filter = *Filter::parse(filter);
  return q;
}

TEST(Questions, AreTheDistinctConvolutionsOfTheModel) {
  auto q = questions();
  q.types = {"f32"};
  const auto entries = pose(q);
  ASSERT_TRUE(entries) << entries.error().text;
  // 30 distinct convolutions of 52; the images need no gradient, so the stem has no dgrad.
  std::map<std::string, std::size_t> problems, layers;
  for (const auto& e : *entries) {
    ++problems[e.problem.op];
    layers[e.problem.op] += e.used_by.size();
    EXPECT_EQ(e.problem.types, "f32_f32_tf32");
    EXPECT_EQ(e.problem.shape.rfind("mb128_", 0), 0U);
  }
  EXPECT_EQ(problems, (std::map<std::string, std::size_t>{{"conv_fwd", 30}, {"conv_dgrad", 29}, {"conv_wgrad", 30}}));
  EXPECT_EQ(layers["conv_fwd"], 52U);
  q.types = {"f16", "bf16"};
  q.layouts = {"nhwc", "nchw"};
  EXPECT_EQ(pose(q)->size(), 4 * 89U);
  EXPECT_EQ(source_of(q), "mobilenet_v2 alpha 1.0, 224 px, batch 128, padding same");
}

TEST(Questions, PaddingIsKerassOrPyTorchs) {
  auto q = questions({"layer:Conv1", "op:conv_fwd", "dtype:f32"});
  auto entries = pose(q);
  ASSERT_TRUE(entries) << entries.error().text;
  ASSERT_EQ(entries->size(), 1U);
  EXPECT_THAT((*entries)[0].problem.shape, HasSubstr("pt0_pb1_pl0_pr1"));
  q.padding = Padding::symmetric;
  entries = pose(q);
  ASSERT_TRUE(entries);
  EXPECT_THAT((*entries)[0].problem.shape, HasSubstr("pt1_pb1_pl1_pr1"));
}

TEST(Questions, AnIdIsAskedAsItStands) {
  const std::string id = "conv_wgrad/mb4_g1_ic64_ih56_iw56_oc64_kh3_kw3_sh1_sw1_pt1_pb1_pl1_pr1_dh1_dw1/f32_f32_strict/nchw";
  const auto entries = pose(questions({id}));
  ASSERT_TRUE(entries) << entries.error().text;
  ASSERT_EQ(entries->size(), 1U);
  EXPECT_EQ(problem_id((*entries)[0].problem), id);
  EXPECT_TRUE((*entries)[0].used_by.empty());
}

TEST(Questions, NonsenseIsRefusedInOneLine) {
  const auto refuses = [](auto change, const std::vector<std::string>& filter, const std::string& mention) {
    auto q = questions(filter);
    change(q);
    const auto entries = pose(q);
    ASSERT_FALSE(entries) << mention;
    EXPECT_EQ(entries.error().kind, Reason::Kind::invalid_input);
    EXPECT_THAT(entries.error().text, HasSubstr(mention));
    EXPECT_EQ(entries.error().text.find('\n'), std::string::npos);
  };
  const auto as_is = [](Questions&) {};
  refuses([](Questions& q) { q.model = "resnet50"; }, {}, "mobilenet_v2 is");
  refuses([](Questions& q) { q.types = {"f8"}; }, {}, "f32, f16 and bf16 are");
  refuses([](Questions& q) { q.layouts = {"blocked"}; }, {}, "nhwc and nchw are");
  refuses([](Questions& q) { q.pixels = 31; }, {}, "32 to 4096");
  refuses([](Questions& q) { q.alpha = -1; }, {}, "alpha");
  refuses([](Questions& q) { q.batch = 0; }, {}, "batch of 0");
  refuses(as_is, {"layer:no_such_layer"}, "layer:no_such_layer");
  refuses(as_is, {"provider:cudnn_graph"}, "every engine");
  refuses(as_is, {"layer:Conv1", "algorithm:eng20*"}, "every engine");
  refuses(as_is, {"sum/n4096/f32_f32_strict/vector"}, "no convolution");
  refuses(as_is, {"conv_fwd/mb1_g1_ic3_ih8_iw8_oc8_kh3_kw3_sh1_sw1_pt1_pb1_pl1_pr1_dh1_dw1/f32_f32_strict/blocked"}, "blocked");
  EXPECT_FALSE(parse_padding("valid"));
}

}  // namespace
}  // namespace detbench::catalog
