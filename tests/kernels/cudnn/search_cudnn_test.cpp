#include <algorithm>
#include <set>

#include "graphs.hpp"
#include "kernels/cudnn/knob_sweep.hpp"

namespace detbench {
namespace {

using cudnn::Candidate;
using cudnn::Configuration;
using cudnn::HeuristicMode;
using cudnn::Support;
using testing::Cudnn;
using testing::dense_3x3;
using testing::depthwise_3x3;
using testing::graph_of;

AlgorithmSearch tiers(std::vector<Tier> wanted) {
  AlgorithmSearch search;
  search.tiers = std::move(wanted);
  return search;
}

TEST_F(Cudnn, HeuristicsRankValidConfigurations) {
  for (const auto direction : testing::directions) {
    const auto graph = graph_of(dense_3x3(direction));
    for (const auto mode : cudnn::all_heuristic_modes) {
      const auto ranked = cudnn::propose(graph, target(), mode);
      ASSERT_TRUE(ranked) << ranked.error().text;
      EXPECT_FALSE(ranked->empty()) << cudnn::to_text(mode);
      for (const auto& configuration : *ranked) {
        const auto checked = cudnn::check(cudnn::describe_engine(graph, target(), configuration.engine), configuration);
        EXPECT_EQ(checked.support, Support::valid) << cudnn::to_text(configuration) << ": " << checked.reason;
      }
      EXPECT_EQ(*ranked, *cudnn::propose(graph, target(), mode)) << "asked twice";
    }
  }
}

TEST_F(Cudnn, HeuristicsOfADense3x3) {
  if (!is_9_19() || cudnn::driver_library_present()) GTEST_SKIP() << "lists of cuDNN 9.19 without the driver's library";
  const auto engines = [&](Direction direction, DataType type, HeuristicMode mode) {
    std::vector<std::int64_t> ids;
    const auto ranked = cudnn::propose(graph_of(dense_3x3(direction, type)), target(), mode).value();
    for (const auto& configuration : ranked) ids.push_back(configuration.engine);
    return ids;
  };
  using Ids = std::vector<std::int64_t>;
  EXPECT_EQ(engines(Direction::forward, DataType::f16, HeuristicMode::fallback), (Ids{1, 28, 0}));
  EXPECT_EQ(engines(Direction::dgrad, DataType::f16, HeuristicMode::fallback), (Ids{1, 25, 0}));
  EXPECT_EQ(engines(Direction::dgrad, DataType::bf16, HeuristicMode::fallback), (Ids{25, 0}));
  EXPECT_EQ(engines(Direction::wgrad, DataType::f16, HeuristicMode::fallback), (Ids{1, 20, 0}));
  EXPECT_EQ(engines(Direction::forward, DataType::f16, HeuristicMode::a).size(), 40u);
  EXPECT_EQ(engines(Direction::forward, DataType::f32, HeuristicMode::a).size(), 36u);
}

// The trap: below 16 bytes mode A is empty and says so with success.
TEST_F(Cudnn, SmallAlignmentsEmptyTheHeuristics) {
  DeviceConfiguration odd;
  odd.offset_bytes = 2;
  for (const auto direction : testing::directions) {
    const auto graph = graph_of(dense_3x3(direction), odd);
    const auto ranked = cudnn::propose(graph, target(), HeuristicMode::a);
    ASSERT_TRUE(ranked) << ranked.error().text;
    EXPECT_TRUE(!is_9_19() || ranked->empty());
    EXPECT_FALSE(cudnn::propose(graph, target(), HeuristicMode::fallback)->empty());
  }
}

TEST_F(Cudnn, T0IsEveryEngineAtItsOwnKnobs) {
  for (const auto direction : testing::directions) {
    const auto graph = graph_of(dense_3x3(direction));
    const auto found = cudnn::search(graph, target(), tiers({Tier::t0}));
    ASSERT_TRUE(found) << found.error().text;
    const auto engines = finalized(graph);
    ASSERT_EQ(found->candidates.size(), engines.size());
    for (std::size_t i = 0; i < engines.size(); ++i) {
      const auto& candidate = found->candidates[i];
      EXPECT_EQ(candidate.configuration, (Configuration{engines[i].index, {}}));
      EXPECT_EQ(candidate.tiers, std::vector{Tier::t0});
      EXPECT_EQ(candidate.reason.empty(), candidate.support == Support::valid);
      EXPECT_EQ(found->engine_of(candidate).notes, engines[i].notes);
    }
  }
}

TEST_F(Cudnn, T1KeepsRanksAndComesFirst) {
  const auto graph = graph_of(dense_3x3(Direction::forward));
  const auto found = cudnn::search(graph, target(), {});
  ASSERT_TRUE(found) << found.error().text;
  const auto a = cudnn::propose(graph, target(), HeuristicMode::a).value();
  std::set<Configuration> seen;
  for (const auto& candidate : found->candidates) EXPECT_TRUE(seen.insert(candidate.configuration).second) << cudnn::to_text(candidate.configuration);
  ASSERT_FALSE(a.empty());
  EXPECT_EQ(found->candidates[0].configuration, a[0]);
  EXPECT_EQ(found->candidates[0].ranks.front(), (cudnn::Ranked{HeuristicMode::a, 1}));
  for (const auto mode : cudnn::all_heuristic_modes) {
    int rank = 0;
    const auto proposed = cudnn::propose(graph, target(), mode).value();
    for (const auto& configuration : proposed) {
      ++rank;
      const auto at = std::find_if(found->candidates.begin(), found->candidates.end(), [&](const Candidate& c) { return c.configuration == configuration; });
      ASSERT_NE(at, found->candidates.end());
      EXPECT_NE(std::find(at->tiers.begin(), at->tiers.end(), Tier::t1), at->tiers.end());
      EXPECT_TRUE(std::any_of(at->ranks.begin(), at->ranks.end(), [&](const auto& r) { return r.mode == mode && r.rank <= rank; }));
    }
  }
  const auto notes = cudnn::notes_of(*found, found->candidates[0]);
  EXPECT_EQ(notes.at("heuristics").substr(0, 3), "A:1");
  EXPECT_EQ(notes.at("support"), "valid");
  EXPECT_TRUE(notes.contains("workspace_bytes"));
  EXPECT_TRUE(notes.contains("numerical_notes"));
}

TEST_F(Cudnn, T2ChangesExactlyOneKnobOfAProposal) {
  for (const auto& p : {depthwise_3x3(Direction::wgrad), dense_3x3(Direction::dgrad, DataType::f32)}) {
    const auto graph = graph_of(p);
    std::set<Configuration> proposed;
    for (const auto mode : cudnn::all_heuristic_modes) {
      const auto ranked = cudnn::propose(graph, target(), mode).value();
      proposed.insert(ranked.begin(), ranked.end());
    }
    const auto found = cudnn::search(graph, target(), tiers({Tier::t2}));
    ASSERT_TRUE(found) << found.error().text;
    EXPECT_GT(found->candidates.size(), 20u);
    for (const auto& candidate : found->candidates) {
      EXPECT_EQ(candidate.support, Support::valid) << cudnn::to_text(candidate.configuration);
      EXPECT_EQ(candidate.tiers, std::vector{Tier::t2});
      const auto& knobs = candidate.configuration.knobs;
      EXPECT_TRUE(std::any_of(proposed.begin(), proposed.end(), [&](const Configuration& from) {
        if (from.engine != candidate.configuration.engine) return false;
        int changed = 0;
        for (const auto& [type, value] : knobs) changed += !from.knobs.contains(type) || from.knobs.at(type) != value;
        return changed == 1 && from.knobs.size() <= knobs.size();
      })) << cudnn::to_text(candidate.configuration);
    }
  }
}

// The ranges of the two nondeterministic engines are small, and all of them valid.
TEST_F(Cudnn, T3IsExhaustiveWhereThereAreFew) {
  if (!is_9_19()) GTEST_SKIP() << "engine ids of cuDNN 9.19, this is " << *cudnn_version();
  for (const auto& [direction, id, count] : {std::tuple{Direction::dgrad, 25, 6u}, {Direction::wgrad, 20, 18u}}) {
    const auto engine = cudnn::describe_engine(graph_of(dense_3x3(direction)), target(), id);
    const auto [sweep, drawn] = cudnn::sweep_knobs(engine, {});
    EXPECT_TRUE(sweep.exhaustive);
    EXPECT_FALSE(sweep.ladder);
    EXPECT_EQ(sweep.tried, count);
    EXPECT_EQ(sweep.valid, count);
    EXPECT_EQ(drawn.size(), count);
    EXPECT_EQ(std::set<Configuration>(drawn.begin(), drawn.end()).size(), count);
    EXPECT_EQ(cudnn::to_text(sweep), "all " + std::to_string(count) + " combinations tried, " + std::to_string(count) + " valid");
  }
}

TEST_F(Cudnn, T3DrawsValidOnesTheSameForTheSameSeed) {
  const auto graph = graph_of(dense_3x3(Direction::forward));
  AlgorithmSearch how = tiers({Tier::t3});
  how.sample = 12;
  int thin = 0, differing = 0;
  for (const auto& engine : finalized(graph)) {
    if (engine.has_behaviour(CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION)) continue;
    const auto [sweep, drawn] = cudnn::sweep_knobs(engine, how);
    EXPECT_EQ(sweep.drawn, drawn.size());
    EXPECT_TRUE(sweep.exhaustive || drawn.size() <= how.sample);
    EXPECT_TRUE(std::is_sorted(drawn.begin(), drawn.end()) || sweep.exhaustive);
    for (const auto& configuration : drawn) {
      const auto checked = cudnn::check(engine, configuration);
      EXPECT_EQ(checked.support, Support::valid) << cudnn::to_text(configuration) << ": " << checked.reason;
      EXPECT_EQ(configuration.knobs.size(), engine.knobs.size());
    }
    EXPECT_EQ(cudnn::sweep_knobs(engine, how).second, drawn) << engine.index;
    if (sweep.exhaustive || sweep.valid <= how.sample) continue;
    ++thin;
    auto other = how;
    other.seed = 2;
    differing += cudnn::sweep_knobs(engine, other).second != drawn;
  }
  EXPECT_GT(thin, 0);
  EXPECT_GT(differing, 0) << "another seed, another draw";
}

// Setting one knob after the other finds what trying everything finds, in a fraction of the tries.
TEST_F(Cudnn, T3KnobByKnobReachesWhatTryingAllReaches) {
  if (!is_9_19()) GTEST_SKIP() << "engine ids of cuDNN 9.19, this is " << *cudnn_version();
  for (const auto& [direction, id] : {std::pair{Direction::forward, 22}, {Direction::forward, 38}, {Direction::wgrad, 24}, {Direction::wgrad, 37}}) {
    const auto engine = cudnn::describe_engine(graph_of(dense_3x3(direction)), target(), id);
    AlgorithmSearch all, thin;
    all.exhaustive_limit = 1'000'000;
    thin.exhaustive_limit = 1, thin.sample = 1'000'000;
    const auto [tried, everything] = cudnn::sweep_knobs(engine, all);
    const auto [searched, reached] = cudnn::sweep_knobs(engine, thin);
    EXPECT_TRUE(tried.exhaustive && searched.complete && !searched.exhaustive);
    EXPECT_EQ(std::set<Configuration>(everything.begin(), everything.end()), std::set<Configuration>(reached.begin(), reached.end())) << id;
    EXPECT_FALSE(everything.empty()) << id;
    EXPECT_LT(searched.tried * 2, tried.tried) << id;
  }
}

TEST_F(Cudnn, T3LeavesWhatIsUnknownAlone) {
  if (cudnn::driver_library_present()) GTEST_SKIP() << "libcuda.so.1 is here";
  int unknown = 0;
  for (const auto& engine : finalized(graph_of(dense_3x3(Direction::forward)))) {
    if (cudnn::check(engine, {engine.index, {}}).support != Support::unknown) continue;
    const auto [sweep, drawn] = cudnn::sweep_knobs(engine, {});
    EXPECT_TRUE(sweep.unknown);
    EXPECT_TRUE(drawn.empty());
    EXPECT_NE(cudnn::to_text(sweep).find("not known"), std::string::npos);
    ++unknown;
  }
  EXPECT_GT(unknown, 0);
}

TEST_F(Cudnn, T3IsPartOfTheSearchAndSaysHowFarItWent) {
  auto how = tiers({Tier::t0, Tier::t3});
  how.sample = 4;
  const auto found = cudnn::search(graph_of(depthwise_3x3(Direction::wgrad)), target(), how);
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_EQ(found->sweeps.size(), found->engines.size());
  int from_t3 = 0;
  for (const auto& candidate : found->candidates) {
    if (candidate.tiers.back() != Tier::t3) continue;
    ++from_t3;
    EXPECT_EQ(candidate.support, Support::valid);
    EXPECT_NE(cudnn::notes_of(*found, candidate).at("knob_search").find(" combinations "), std::string::npos);
  }
  EXPECT_GT(from_t3, 20);
}

TEST(KnobValues, GoOverTheRangeOrALadder) {
  using Values = std::vector<std::int64_t>;
  bool ladder = true;
  EXPECT_EQ(cudnn::knob_values({CUDNN_KNOB_TYPE_TILE_SIZE, 0, 4, 1}, &ladder), (Values{0, 1, 2, 3, 4}));
  EXPECT_FALSE(ladder);
  EXPECT_EQ(cudnn::knob_values({CUDNN_KNOB_TYPE_SPLIT_K, 1, 2048, 1}, &ladder), (Values{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048}));
  EXPECT_TRUE(ladder);
  EXPECT_EQ(cudnn::knob_values({CUDNN_KNOB_TYPE_SPLIT_K_BUF, 0, 2047, 1}), (Values{0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2047}));
  EXPECT_EQ(cudnn::knob_values({CUDNN_KNOB_TYPE_KERNEL_CFG, 0, 263, 1}).size(), 264u);
  EXPECT_EQ(cudnn::knob_values({CUDNN_KNOB_TYPE_TILE_M, 0, 5000, 1}, &ladder).back(), 5000);
  EXPECT_TRUE(ladder);
  EXPECT_EQ(cudnn::knob_values({CUDNN_KNOB_TYPE_STAGES, 3, 9, 3}), (Values{3, 6, 9}));
  EXPECT_EQ(cudnn::knob_values({CUDNN_KNOB_TYPE_SPLIT_K, 1, 1, 1}), (Values{1}));
}

}  // namespace
}  // namespace detbench
