#include <map>
#include <set>

#include "graphs.hpp"

namespace detbench {
namespace {

using testing::Cudnn;
using testing::dense_3x3;
using testing::depthwise_3x3;
using testing::graph_of;
using Ids = std::vector<std::int64_t>;

TEST_F(Cudnn, GlobalCountsBoundTheEngines) {
  for (const auto direction : testing::directions) {
    const auto graph = graph_of(dense_3x3(direction));
    const auto engines = cudnn::describe_engines(graph, target());
    EXPECT_EQ(static_cast<std::int64_t>(engines.size()), graph.engine_count());
    EXPECT_GT(graph.engine_count(), 10);
    for (const auto& engine : engines) {
      EXPECT_EQ(engine.reason.empty(), engine.finalized()) << engine.index;
      EXPECT_TRUE(engine.finalized() || (engine.knobs.empty() && engine.notes.empty()));
      for (const auto& knob : engine.knobs) EXPECT_LE(knob.minimum, knob.maximum) << cudnn::knob_name(knob.type);
    }
    EXPECT_FALSE(cudnn::describe_engine(graph, target(), graph.engine_count()).finalized());
  }
  if (!is_9_19()) return;
  EXPECT_EQ(graph_of(dense_3x3(Direction::forward)).engine_count(), 81);
  EXPECT_EQ(graph_of(dense_3x3(Direction::dgrad)).engine_count(), 85);
  EXPECT_EQ(graph_of(dense_3x3(Direction::wgrad)).engine_count(), 75);
}

// The one nondeterministic engine per backward pass, on every architecture; none forward.
TEST_F(Cudnn, TheNoteOfNondeterminismIsOnTwoEnginesAlone) {
  if (!is_9_19()) GTEST_SKIP() << "engine ids of cuDNN 9.19, this is " << *cudnn_version();
  const std::map<Direction, Ids> expected{{Direction::forward, {}}, {Direction::dgrad, {25}}, {Direction::wgrad, {20}}};
  for (const char* architecture : {"sm_70", "sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120"}) {
    const auto other = *cudnn::Target::of_architecture(architecture);
    for (const auto& problem : {dense_3x3(Direction::forward), dense_3x3(Direction::dgrad), dense_3x3(Direction::wgrad),
                                depthwise_3x3(Direction::dgrad), depthwise_3x3(Direction::wgrad, DataType::f32)}) {
      Ids noted;
      for (const auto& engine : cudnn::describe_engines(graph_of(problem), other))
        if (engine.finalized() && engine.has_note(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC)) noted.push_back(engine.index);
      EXPECT_EQ(noted, expected.at(problem.direction)) << architecture << " " << problem_id(to_problem(problem));
    }
  }
}

TEST_F(Cudnn, NotesInF32GraphsOfADense3x3) {
  if (!is_9_19()) GTEST_SKIP() << "engine ids of cuDNN 9.19, this is " << *cudnn_version();
  struct Row {
    bool tensor_core, down_convert, reduced, runtime;
    Ids forward, dgrad, wgrad;
  };
  const Row rows[] = {
      {false, false, false, false, {0, 1, 2, 28, 57, 70}, {0, 1, 2, 3, 25, 62, 74}, {0, 1, 20, 61, 67}},
      {false, false, false, true, {5, 80}, {6, 84}, {16, 19}},
      {true, false, false, false, {35, 38, 41, 46, 48, 67}, {27, 28, 34, 53, 56, 58, 60, 65, 71, 76}, {22, 23, 25, 30, 34, 38, 40, 46, 48, 50, 68}},
      {true, false, false, true, {71, 72, 79}, {77, 78, 83}, {69, 70, 74}},
      {true, true, false, false, {22, 23, 27, 45, 47, 62}, {22, 23, 24, 40, 43, 46, 49, 57, 59, 64, 67, 73}, {9, 10, 15, 33, 37, 39, 45, 49, 65}},
      {true, true, true, false, {}, {}, {24, 47}},
  };
  for (const auto direction : testing::directions) {
    const auto engines = finalized(graph_of(dense_3x3(direction, DataType::f32)));
    std::set<std::int64_t> listed;
    for (const auto& row : rows) {
      Ids found;
      for (const auto& engine : engines)
        if (engine.has_note(CUDNN_NUMERICAL_NOTE_TENSOR_CORE) == row.tensor_core && engine.has_note(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS) == row.down_convert &&
            engine.has_note(CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION) == row.reduced &&
            engine.has_behaviour(CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION) == row.runtime)
          found.push_back(engine.index);
      EXPECT_EQ(found, direction == Direction::forward ? row.forward : direction == Direction::dgrad ? row.dgrad : row.wgrad) << op_name(direction);
      listed.insert(found.begin(), found.end());
    }
    EXPECT_EQ(listed.size(), engines.size());
  }
}

TEST_F(Cudnn, NotesInF16GraphsOfTheNondeterministicEngines) {
  if (!is_9_19()) GTEST_SKIP() << "engine ids of cuDNN 9.19, this is " << *cudnn_version();
  for (const auto& [direction, id] : {std::pair{Direction::dgrad, 25}, {Direction::wgrad, 20}}) {
    const auto engine = cudnn::describe_engine(graph_of(dense_3x3(direction)), target(), id);
    EXPECT_EQ(cudnn::note_names(engine.notes), "REDUCED_PRECISION_REDUCTION+NONDETERMINISTIC");
    EXPECT_EQ(cudnn::behaviour_names(engine.behaviours), "");
  }
  for (const auto direction : testing::directions)
    for (const auto& engine : finalized(graph_of(dense_3x3(direction))))
      EXPECT_FALSE(engine.has_note(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS)) << engine.index;
}

TEST_F(Cudnn, EnginesThatFinalizeAndTakeTheirOwnKnobs) {
  if (!is_9_19()) GTEST_SKIP() << "engine ids of cuDNN 9.19, this is " << *cudnn_version();
  for (const auto& [direction, engines, valid] : {std::tuple{Direction::forward, 23u, 17u}, {Direction::dgrad, 34u, 27u}, {Direction::wgrad, 32u, 26u}}) {
    const auto found = finalized(graph_of(dense_3x3(direction)));
    EXPECT_EQ(found.size(), engines);
    std::size_t precompiled = 0;
    for (const auto& engine : found)
      precompiled += !engine.has_behaviour(CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION) && cudnn::check(engine, {engine.index, {}}).support == cudnn::Support::valid;
    EXPECT_EQ(precompiled, valid) << op_name(direction);
  }
}

TEST_F(Cudnn, KnobsOfTheNondeterministicEngines) {
  if (!is_9_19()) GTEST_SKIP() << "engine ids of cuDNN 9.19, this is " << *cudnn_version();
  using K = cudnn::Knob;
  EXPECT_EQ(cudnn::describe_engine(graph_of(dense_3x3(Direction::dgrad)), target(), 25).knobs,
            (std::vector<K>{{CUDNN_KNOB_TYPE_TILE_SIZE, 0, 2, 1}, {CUDNN_KNOB_TYPE_USE_TEX, 0, 1, 1}}));
  EXPECT_EQ(cudnn::describe_engine(graph_of(dense_3x3(Direction::wgrad)), target(), 20).knobs,
            (std::vector<K>{{CUDNN_KNOB_TYPE_TILE_SIZE, 0, 8, 1}, {CUDNN_KNOB_TYPE_USE_TEX, 0, 1, 1}}));
}

// Below 16 bytes the library silently knows fewer engines.
TEST_F(Cudnn, SmallAlignmentsCostEngines) {
  const auto counts = [&](std::size_t alignment, DataType type) {
    std::vector<std::size_t> n;
    DeviceConfiguration configuration;
    configuration.alignment_bytes = alignment;
    for (const auto direction : testing::directions) n.push_back(finalized(graph_of(dense_3x3(direction, type), configuration)).size());
    return n;
  };
  using Counts = std::vector<std::size_t>;
  const auto full = counts(16, DataType::f16), two = counts(2, DataType::f16);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_LT(two[i], full[i]);
  EXPECT_EQ(counts(4096, DataType::f16), full) << "16 is declared for everything that is aligned to 16";
  if (!is_9_19()) return;
  EXPECT_EQ(full, (Counts{23, 34, 32}));
  EXPECT_EQ(two, (Counts{13, 18, 17}));
  EXPECT_EQ(counts(8, DataType::f16), (Counts{13, 18, 18}));
  EXPECT_EQ(counts(4, DataType::f32), (Counts{15, 20, 18}));
}

TEST(TensorAlignment, IsWhatTheConfigurationMakesTrue) {
  const auto alignment = [](std::size_t start, std::size_t offset, DataType type) {
    DeviceConfiguration c;
    c.alignment_bytes = start, c.offset_bytes = offset;
    return cudnn::tensor_alignment(c, type);
  };
  EXPECT_EQ(alignment(4096, 0, DataType::f32), 16);
  EXPECT_EQ(alignment(4096, 4, DataType::f32), 4);
  EXPECT_EQ(alignment(4096, 2, DataType::f16), 2);
  EXPECT_EQ(alignment(4096, 2, DataType::f32), 4) << "offsets are rounded up to whole elements";
  EXPECT_EQ(alignment(4096, 24, DataType::f32), 8);
  EXPECT_EQ(alignment(1, 0, DataType::f16), 2);
  EXPECT_EQ(alignment(8, 16, DataType::f16), 8);
}

TEST_F(Cudnn, SmCountTargetsAreTakenByTheHopperEnginesAlone) {
  if (!is_9_19()) GTEST_SKIP() << "engine ids of cuDNN 9.19, this is " << *cudnn_version();
  const std::map<Direction, Ids> takers{{Direction::forward, {62, 67}}, {Direction::dgrad, {67, 71, 73, 76}}, {Direction::wgrad, {65, 68}}};
  for (const auto direction : testing::directions) {
    const auto graph = graph_of(dense_3x3(direction));
    EXPECT_EQ(ids(finalized(graph, 64)), takers.at(direction)) << op_name(direction);
    EXPECT_EQ(ids(finalized(graph, 132)), ids(finalized(graph)));
    // Whether their configurations are valid cannot be said without the GPU, and must not pass for a refusal.
    for (const auto& engine : finalized(graph, 64)) {
      const auto checked = cudnn::check(engine, {engine.index, {}});
      EXPECT_NE(checked.support, cudnn::Support::unsupported) << engine.index << ": " << checked.reason;
      EXPECT_TRUE(checked.support == cudnn::Support::valid || checked.reason.find("without a device") != std::string::npos) << checked.reason;
    }
    for (const auto& engine : cudnn::describe_engines(graph, target(), 133)) EXPECT_FALSE(engine.finalized()) << "more than the GPU has";
  }
}

TEST(Names, AreThoseOfTheHeaderAndStayOneToOne) {
  EXPECT_EQ(cudnn::note_name(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC), "NONDETERMINISTIC");
  EXPECT_EQ(cudnn::note_name(CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP), "STRICT_NAN_PROP");
  EXPECT_EQ(cudnn::note_name(77), "NOTE_77");
  EXPECT_EQ(cudnn::behaviour_name(CUDNN_BEHAVIOR_NOTE_CUBLASLT_DEPENDENCY), "CUBLASLT_DEPENDENCY");
  EXPECT_EQ(cudnn::behaviour_name(9), "BEHAVIOUR_9");
  EXPECT_EQ(cudnn::knob_name(CUDNN_KNOB_TYPE_SPLIT_K_SLC), "SPLIT_K_SLC");
  EXPECT_EQ(cudnn::knob_name(CUDNN_KNOB_TYPE_SWAP_AB), "SWAP_AB");
  std::set<std::string> names;
  for (int type = 0; type < 100; ++type) {
    const auto name = cudnn::knob_name(type);
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_EQ(cudnn::parse_knob_name(name), type);
  }
  for (const char* text : {"", "KNOB_", "KNOB_2", "KNOB_0044", "KNOB_-1", "KNOB_4x", "tile_size", "TILE_SIZE ", "KNOB_99999999999"})
    EXPECT_FALSE(cudnn::parse_knob_name(text)) << text;
}

}  // namespace
}  // namespace detbench
