#include <random>

#include "graphs.hpp"
#include "kernels/problem.hpp"

namespace detbench {
namespace {

using cudnn::Configuration;
using cudnn::Support;
using testing::Cudnn;
using testing::dense_3x3;
using testing::graph_of;

TEST(Configurations, HaveOneText) {
  EXPECT_EQ(cudnn::to_text(Configuration{0, {}}), "eng0");
  EXPECT_EQ(cudnn::to_text(Configuration{20, {{CUDNN_KNOB_TYPE_USE_TEX, 0}, {CUDNN_KNOB_TYPE_TILE_SIZE, 3}}}), "eng20[TILE_SIZE=3;USE_TEX=0]");
  // By name, not by number: KBLOCK is 5 and SPLIT_K 0.
  EXPECT_EQ(cudnn::to_text(Configuration{24, {{CUDNN_KNOB_TYPE_SPLIT_K, 4}, {CUDNN_KNOB_TYPE_KBLOCK, 3}}}), "eng24[KBLOCK=3;SPLIT_K=4]");
  const auto any_order = cudnn::parse_configuration("eng20[USE_TEX=0;TILE_SIZE=3]");
  ASSERT_TRUE(any_order);
  EXPECT_EQ(cudnn::to_text(*any_order), "eng20[TILE_SIZE=3;USE_TEX=0]");
  EXPECT_EQ(cudnn::parse_configuration("eng3[KNOB_50=7]")->knobs, (std::map<int, std::int64_t>{{50, 7}}));
}

TEST(Configurations, OtherTextsAreRefusedInOneLine) {
  for (const char* text : {"", "eng", "20", "eng-1", "eng020", "eng1.5", "engine20", "eng20[", "eng20]", "eng20[]", "eng20[TILE_SIZE]",
                           "eng20[TILE_SIZE=]", "eng20[TILE_SIZE=x]", "eng20[TILE_SIZE=3;]", "eng20[TILE_SIZE=3;TILE_SIZE=4]", "eng20[NO_KNOB=1]",
                           "eng20[TILE_SIZE=3]x", "eng20[TILE_SIZE=3", "eng99999999999999999999", "eng20[TILE_SIZE=03]", "eng20[;TILE_SIZE=3]", "ENG20"}) {
    const auto parsed = cudnn::parse_configuration(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().kind, Reason::Kind::invalid_input);
    EXPECT_EQ(parsed.error().text.find('\n'), std::string::npos);
    EXPECT_NE(parsed.error().text.find("eng20["), std::string::npos) << "shows the form";
  }
}

// Every engine, every knob, random values: text -> configuration -> text, and through a case name.
TEST_F(Cudnn, EveryConfigurationGoesThroughItsName) {
  std::mt19937_64 random(7);
  for (const auto direction : testing::directions) {
    const auto p = dense_3x3(direction);
    for (const auto& engine : finalized(graph_of(p)))
      for (int round = 0; round < 20; ++round) {
        Configuration configuration{engine.index, {}};
        for (const auto& knob : engine.knobs)
          if (random() % 3 != 0)
            configuration.knobs[knob.type] = knob.minimum + knob.stride * static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(knob.count()));
        const auto text = cudnn::to_text(configuration);
        const auto parsed = cudnn::parse_configuration(text);
        ASSERT_TRUE(parsed) << text << ": " << parsed.error().text;
        EXPECT_EQ(*parsed, configuration) << text;
        const auto id = case_id(to_problem(p), {"cudnn_graph", text, {}, {}});
        const auto read = parse_case_id(id);
        ASSERT_TRUE(read) << id << ": " << read.error().text;
        EXPECT_EQ(read->algorithm.name, text);
        EXPECT_EQ(case_id(read->problem, read->algorithm), id);
      }
  }
}

TEST_F(Cudnn, AConfigurationIsJudgedByTheLibrary) {
  const auto graph = graph_of(dense_3x3(Direction::wgrad));
  for (const auto& engine : finalized(graph)) {
    const auto checked = cudnn::check(engine, {engine.index, {}});
    EXPECT_EQ(checked.reason.empty(), checked.support == Support::valid) << engine.index;
    EXPECT_EQ(static_cast<bool>(checked.descriptor), checked.support == Support::valid) << engine.index;
    EXPECT_EQ(cudnn::check_quickly(engine, {engine.index, {}}), checked.status) << engine.index;
    EXPECT_GE(checked.workspace_bytes, 0);
    // A knob that the engine lacks, and one out of its range.
    const auto foreign = cudnn::check(engine, {engine.index, {{CUDNN_KNOB_TYPE_WINO_TILE, 1}}});
    EXPECT_EQ(foreign.support, Support::unsupported) << engine.index;
    for (const auto& knob : engine.knobs)
      for (const auto value : {knob.minimum - 1, knob.maximum + 1}) {
        const auto outside = cudnn::check(engine, {engine.index, {{knob.type, value}}});
        EXPECT_EQ(outside.support, Support::unsupported) << engine.index;
        EXPECT_NE(outside.reason.find(cudnn::knob_name(knob.type)), std::string::npos);
      }
  }
  const auto none = cudnn::describe_engine(graph, target(), 100000);
  EXPECT_EQ(cudnn::check(none, {100000, {}}).support, Support::unsupported);
}

TEST_F(Cudnn, RuntimeCompiledEnginesAreUnknownWithoutTheDriversLibrary) {
  if (cudnn::driver_library_present()) GTEST_SKIP() << "libcuda.so.1 is here";
  int compiled = 0;
  for (const auto direction : testing::directions)
    for (const auto& engine : finalized(graph_of(dense_3x3(direction)))) {
      const auto checked = cudnn::check(engine, {engine.index, {}});
      if (!engine.has_behaviour(CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION)) {
        EXPECT_NE(checked.support, Support::unknown) << engine.index << ": " << checked.reason;
        continue;
      }
      if (checked.support == Support::unsupported) continue;  // refused for the shape
      EXPECT_EQ(checked.support, Support::unknown) << engine.index;
      EXPECT_EQ(checked.status, CUDNN_STATUS_NOT_SUPPORTED_RUNTIME_PREREQUISITE_MISSING);
      EXPECT_NE(checked.reason.find("libcuda.so.1"), std::string::npos);
      ++compiled;
    }
  EXPECT_GE(compiled, 6);
}

TEST_F(Cudnn, WorkspacesOfTheNondeterministicEngines) {
  if (!is_9_19()) GTEST_SKIP() << "engine ids of cuDNN 9.19, this is " << *cudnn_version();
  const auto workspace = [&](const ConvolutionProblem& p, std::int64_t id) {
    const auto checked = cudnn::check(cudnn::describe_engine(graph_of(p), target(), id), {id, {}});
    EXPECT_EQ(checked.support, Support::valid) << checked.reason;
    return checked.workspace_bytes;
  };
  EXPECT_EQ(workspace(dense_3x3(Direction::wgrad), 20), 0);
  EXPECT_EQ(workspace(dense_3x3(Direction::dgrad), 25), 25'763'856);
  EXPECT_EQ(workspace(dense_3x3(Direction::dgrad, DataType::f16, "nchw"), 25), 0);
  EXPECT_EQ(workspace(dense_3x3(Direction::wgrad), 1), 147'760);
  EXPECT_EQ(workspace(dense_3x3(Direction::forward), 2), 128'524'304);
  // An explicit split of the sum changes it.
  const auto engine = cudnn::describe_engine(graph_of(dense_3x3(Direction::wgrad)), target(), 33);
  EXPECT_EQ(cudnn::check(engine, {33, {}}).workspace_bytes, 147'584);
  EXPECT_EQ(cudnn::check(engine, {33, {{CUDNN_KNOB_TYPE_SPLIT_K, 4}}}).workspace_bytes, 589'952);
}

}  // namespace
}  // namespace detbench
