#include "kernels/cublas/lt_search.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

namespace detbench::cublas {
namespace {

/// A library of made-up algorithms: accepts what `accepts` says and keeps count of what it was asked.
class FakeLibrary final : public LtSource {
 public:
  std::map<int, LtCapabilities> algorithms;
  std::vector<LtProposal> proposals;
  std::function<bool(const LtConfiguration&)> accepts = [](const LtConfiguration&) { return true; };
  std::function<std::size_t(const LtConfiguration&)> workspace = [](const LtConfiguration& c) { return c.split_k > 1 ? std::size_t{1} << 20 : 0; };
  std::vector<LtConfiguration> asked;
  bool heuristics_fail = false;

  Result<std::vector<int>> ids() override {
    std::vector<int> ids;
    for (const auto& [id, ignored] : algorithms) ids.push_back(id);
    return ids;
  }
  Result<LtCapabilities> capabilities(int id) override {
    if (algorithms.count(id) == 0) return unsupported("no such algorithm");
    return algorithms.at(id);
  }
  Result<std::vector<LtProposal>> heuristics(int most) override {
    EXPECT_EQ(most, 32);
    if (heuristics_fail) return unsupported("no heuristic for this product");
    return proposals;
  }
  LtVerdict check(const LtConfiguration& configuration) override {
    asked.push_back(configuration);
    if (!accepts(configuration)) return {Reason{"refused", Reason::Kind::unsupported}};
    return {std::nullopt, workspace(configuration), 1.5};
  }
};

LtCapabilities rich() {
  LtCapabilities can;
  can.tiles = {15, 20}, can.stages = {7, 8, 9}, can.split_k = true, can.scheme_mask = 1 | 2, can.most_swizzle = 1, can.most_custom = 2;
  can.inner_shapes = {0, 1}, can.cluster_shapes = {0, 2, 3};
  return can;
}

AlgorithmSearch search_of(std::vector<Tier> tiers) {
  AlgorithmSearch search;
  search.tiers = std::move(tiers);
  return search;
}

void expect_well_formed(const std::vector<LtConfiguration>& configurations, std::uint32_t mask) {
  for (const auto& c : configurations) {
    const auto scheme = static_cast<std::uint32_t>(c.scheme);
    EXPECT_EQ(c.split_k == 1, scheme == 0) << format_configuration(c);
    EXPECT_EQ(scheme & ~mask, 0u) << format_configuration(c);
  }
}

TEST(LtSearch, CombinationsPairSplitsWithSchemesAndAreAllDifferent) {
  const auto can = rich();
  // 1 without a split, and 2, 3, 4, 8, 16 parts by two schemes each.
  const std::uint64_t expected = 2 * 3 * (1 + 5 * 2) * 2 * 3 * 2 * 3;
  ASSERT_EQ(count_combinations(can), expected);
  std::vector<LtConfiguration> all;
  for (std::uint64_t i = 0; i < expected; ++i) all.push_back(combination(5, can, i));
  expect_well_formed(all, can.scheme_mask);
  EXPECT_EQ(std::set<LtConfiguration>(all.begin(), all.end()).size(), expected);
  std::set<int> splits;
  for (const auto& c : all) splits.insert(c.split_k);
  EXPECT_EQ(splits, (std::set<int>{1, 2, 3, 4, 8, 16}));
}

TEST(LtSearch, EmptyListsMeanUndefinedAndNoMaskMeansNoSplit) {
  LtCapabilities can;
  EXPECT_EQ(count_combinations(can), 1u);
  EXPECT_EQ(combination(3, can, 0), (LtConfiguration{3}));
  can.split_k = true;  // a library that splits but names no scheme
  EXPECT_EQ(count_combinations(can), 1u);
  can.split_k = false, can.scheme_mask = 7;
  EXPECT_EQ(count_combinations(can), 1u);
  can.cluster_shapes = {4};  // the library's own choice, 0, is always among them
  EXPECT_EQ(count_combinations(can), 2u);
}

TEST(LtSearch, HugeCountsSaturate) {
  LtCapabilities can = rich();
  can.tiles.assign(1 << 20, 1), can.stages.assign(1 << 20, 1), can.most_custom = (1 << 20) - 1, can.cluster_shapes.assign(1 << 10, 0);
  EXPECT_EQ(count_combinations(can), std::uint64_t{1} << 62);
}

TEST(LtSearch, T0IsEachIdAtItsDefaultsOrAtTheFirstTileThatIsTaken) {
  FakeLibrary library;
  library.algorithms = {{1, rich()}, {2, rich()}, {3, rich()}, {4, {}}};
  library.accepts = [](const LtConfiguration& c) { return c.id == 1 || (c.id == 2 && c.tile == 20 && c.stages == 8); };
  const auto found = find_candidates(library, search_of({Tier::t0}));
  ASSERT_TRUE(found) << found.error().text;
  ASSERT_EQ(found->size(), 4u);
  EXPECT_EQ((*found)[0].configuration, (LtConfiguration{1}));
  EXPECT_EQ((*found)[1].configuration, (LtConfiguration{2, 20, 8}));
  for (const auto i : {0u, 1u}) EXPECT_FALSE((*found)[i].unsupported);
  // An id that takes nothing is a row with the reason, not a missing row.
  for (const auto i : {2u, 3u}) {
    ASSERT_TRUE((*found)[i].unsupported);
    EXPECT_EQ((*found)[i].unsupported->kind, Reason::Kind::unsupported);
    EXPECT_NE((*found)[i].unsupported->text.find("refused"), std::string::npos);
  }
  for (const auto& candidate : *found) EXPECT_EQ(candidate.tier, Tier::t0);
}

TEST(LtSearch, TheHeuristicsComeFirstAndNothingComesTwice) {
  FakeLibrary library;
  library.algorithms = {{1, rich()}, {2, rich()}};
  const LtConfiguration split{2, 15, 7, 4, ReductionScheme::inplace};
  library.proposals = {{split, {}, {std::nullopt, 64, 0.5}},
                       {{1}, {}, {std::nullopt, 0, 1}},
                       {split, {}, {std::nullopt, 64, 0.5}},
                       {split, "ab", {std::nullopt, 64, 0.5}},
                       {{2, 99}, {}, {Reason{"misaligned", Reason::Kind::unsupported}}}};
  const auto found = find_candidates(library, search_of({Tier::t0, Tier::t1}));
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 4u);
  EXPECT_EQ((*found)[0].configuration, split);
  EXPECT_EQ((*found)[0].tier, Tier::t1);
  EXPECT_EQ((*found)[0].workspace_bytes, 64u);
  EXPECT_EQ((*found)[1].configuration, (LtConfiguration{1}));
  EXPECT_EQ((*found)[1].tier, Tier::t0) << "the lowest tier that finds it";
  EXPECT_EQ((*found)[2].configuration, split);
  EXPECT_EQ((*found)[2].bytes, "ab") << "bytes that no attribute says are another algorithm";
  EXPECT_EQ((*found)[3].configuration, (LtConfiguration{2}));
}

TEST(LtSearch, T2ChangesOneThingAtATimeAroundEachProposal) {
  FakeLibrary library;
  library.algorithms = {{2, rich()}};
  const LtConfiguration centre{2, 15, 7, 4, ReductionScheme::inplace};
  library.proposals = {{centre, {}, {}}};
  const auto found = find_candidates(library, search_of({Tier::t2}));
  ASSERT_TRUE(found);
  // One other tile, two other stages, ten other splits (none, and nine of 5 x 2), one swizzle, two custom options, one
  // inner and two cluster shapes.
  EXPECT_EQ(found->size(), 1u + 2 + 10 + 1 + 2 + 1 + 2);
  std::set<LtConfiguration> distinct;
  std::vector<LtConfiguration> all;
  for (const auto& candidate : *found) {
    const auto& c = candidate.configuration;
    EXPECT_EQ(candidate.tier, Tier::t2);
    const int changes = (c.tile != centre.tile) + (c.stages != centre.stages) + (c.split_k != centre.split_k || c.scheme != centre.scheme) +
                        (c.swizzle != 0) + (c.custom != 0) + (c.inner_shape != 0) + (c.cluster_shape != 0);
    EXPECT_EQ(changes, 1) << format_configuration(c);
    distinct.insert(c);
    all.push_back(c);
  }
  EXPECT_EQ(distinct.size(), found->size());
  expect_well_formed(all, rich().scheme_mask);
}

TEST(LtSearch, T2GoesAroundTheDefaultsWhereNoHeuristicAnswers) {
  FakeLibrary library;
  library.algorithms = {{2, rich()}};
  library.heuristics_fail = true;
  const auto found = find_candidates(library, search_of({Tier::t2}));
  ASSERT_TRUE(found);
  EXPECT_GT(found->size(), 10u);
}

TEST(LtSearch, T3IsExhaustiveWhereThereAreFewAndASeededSampleWhereNot) {
  FakeLibrary library;
  library.algorithms = {{2, rich()}};
  auto search = search_of({Tier::t3});
  const auto total = count_combinations(rich());
  search.exhaustive_limit = static_cast<std::uint32_t>(total);
  const auto whole = find_candidates(library, search);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->size(), total);

  search.exhaustive_limit = static_cast<std::uint32_t>(total) - 1;
  search.sample = 50;
  const auto names = [&](std::uint64_t seed) {
    search.seed = seed;
    const auto found = find_candidates(library, search).value();
    std::vector<std::string> names;
    std::vector<LtConfiguration> all;
    for (const auto& candidate : found) names.push_back(format_configuration(candidate.configuration)), all.push_back(candidate.configuration);
    expect_well_formed(all, rich().scheme_mask);
    EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
    return names;
  };
  const auto first = names(1);
  EXPECT_EQ(first.size(), 50u);
  EXPECT_EQ(names(1), first);
  EXPECT_NE(names(2), first);
  // Every value of every knob turns up.
  std::set<std::uint32_t> tiles, stages, customs, inner, cluster;
  search.sample = 200;
  const auto sampled = find_candidates(library, search).value();
  for (const auto& candidate : sampled) {
    const auto& c = candidate.configuration;
    tiles.insert(c.tile), stages.insert(c.stages), customs.insert(c.custom), inner.insert(c.inner_shape), cluster.insert(c.cluster_shape);
  }
  EXPECT_EQ(tiles, (std::set<std::uint32_t>{15, 20}));
  EXPECT_EQ(stages, (std::set<std::uint32_t>{7, 8, 9}));
  EXPECT_EQ(customs, (std::set<std::uint32_t>{0, 1, 2}));
  EXPECT_EQ(inner, (std::set<std::uint32_t>{0, 1}));
  EXPECT_EQ(cluster, (std::set<std::uint32_t>{0, 2, 3}));
}

TEST(LtSearch, RefusedConfigurationsAreAskedForOnceTheirNumberIsBounded) {
  FakeLibrary library;
  library.algorithms = {{2, rich()}};
  library.accepts = [](const LtConfiguration&) { return false; };
  auto search = search_of({Tier::t3});
  search.exhaustive_limit = 300, search.sample = 64;
  const auto found = find_candidates(library, search);
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->empty());
  EXPECT_LE(library.asked.size(), 300u + 7u) << "t0's own questions apart, no more than the limit";
}

TEST(LtSearch, WorkspaceOverTheCapIsARowWithTheReason) {
  FakeLibrary library;
  library.algorithms = {{2, rich()}};
  library.proposals = {{{2, 15, 7, 4, ReductionScheme::compute_type}, {}, {std::nullopt, std::size_t{1} << 31, 1}}};
  const auto found = find_candidates(library, search_of({Tier::t1}));
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 1u);
  ASSERT_TRUE((*found)[0].unsupported);
  EXPECT_NE((*found)[0].unsupported->text.find("2147483648"), std::string::npos);
}

}  // namespace
}  // namespace detbench::cublas
