// What cudnn_graph offers for convolutions: the real library, no GPU.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <thread>

#include "kernels/convolution/graph_cudnn.hpp"
#include "kernels/convolution/operation.hpp"
#include "kernels/convolution/pad.hpp"
#include "kernels/cudnn/version.hpp"
#include "shapes.hpp"
#include "tests/kernels/cudnn/graphs.hpp"

namespace detbench {
namespace {

using testing::dense_3x3;
using testing::one_sided;

class GraphConvolution : public testing::Cudnn {
 protected:
  std::vector<Offer> offers(const ConvolutionProblem& p, const AlgorithmSearch& search = {}) const {
    auto found = convolution_offers(p, target(), search);
    EXPECT_TRUE(found) << found.error().text;
    return found.value_or(std::vector<Offer>{});
  }
  static const Offer* find(const std::vector<Offer>& offers, const std::string& name) {
    const auto at = std::find_if(offers.begin(), offers.end(), [&](const Offer& o) { return o.algorithm.name == name; });
    return at == offers.end() ? nullptr : &*at;
  }
};

std::vector<ProductTypes> all_types(Direction direction) {
  std::vector<ProductTypes> types{{DataType::f32, false}, {DataType::f32, true}, {DataType::f16, false}, {DataType::bf16, false}};
  if (direction == Direction::wgrad)
    for (const auto narrow : {DataType::f16, DataType::bf16}) types.push_back({narrow, false, narrow});
  return types;
}

TEST_F(GraphConvolution, AnswersEveryShapeTypeAndLayoutWithNamesThatGoThroughAnId) {
  for (auto p : testing::small_shapes())
    for (const auto direction : all_directions)
      for (const auto& types : all_types(direction))
        for (const char* layout : {"nhwc", "nchw"}) {
          p.direction = direction, p.types = types, p.layout = layout;
          const auto problem = to_problem(p);
          const auto all = offers(p, {.tiers = {Tier::t0}});
          EXPECT_FALSE(all.empty()) << problem_id(problem);
          std::set<std::string> names;
          for (const auto& offer : all) {
            const auto id = case_id(problem, offer.algorithm);
            EXPECT_TRUE(names.insert(id).second) << id << " is offered twice";
            const auto read = parse_case_id(id);
            ASSERT_TRUE(read) << id << ": " << read.error().text;
            EXPECT_EQ(case_id(read->problem, read->algorithm), id);
            if (!offer.unsupported) continue;
            EXPECT_FALSE(offer.unsupported->text.empty()) << id;
            EXPECT_EQ(offer.unsupported->text.find('\n'), std::string::npos) << id;
          }
        }
}

TEST_F(GraphConvolution, StrictF32RefusesEnginesWithLessPrecision) {
  for (const auto direction : all_directions) {
    auto p = dense_3x3(direction, DataType::f32);
    const auto strict = offers(p);
    p.types.tf32 = true;
    const auto tf32 = offers(p);
    int refused = 0, runnable = 0, tensor_cores = 0;
    const auto noted = [](const Offer& offer, const char* note) { return offer.notes.at("numerical_notes").find(note) != std::string::npos; };
    for (const auto& offer : strict) {
      if (offer.algorithm.name.starts_with("pick:")) continue;
      if (noted(offer, "TENSOR_CORE") || noted(offer, "DOWN_CONVERT_INPUTS")) {
        ASSERT_TRUE(offer.unsupported) << offer.algorithm.name;
        EXPECT_TRUE(offer.unsupported->text.starts_with("lower precision than asked")) << offer.unsupported->text;
        ++refused;
      } else {
        runnable += !offer.unsupported;
      }
    }
    EXPECT_GT(refused, 5) << op_name(direction);
    EXPECT_GT(runnable, 1) << op_name(direction);
    for (const auto& offer : tf32) {
      if (offer.algorithm.name.starts_with("pick:") || offer.unsupported) continue;
      EXPECT_FALSE(noted(offer, "DOWN_CONVERT_INPUTS")) << offer.algorithm.name;
      EXPECT_FALSE(noted(offer, "REDUCED_PRECISION_REDUCTION")) << offer.algorithm.name;
      tensor_cores += noted(offer, "TENSOR_CORE");
    }
    EXPECT_GT(tensor_cores, 5) << op_name(direction);
  }
}

// An engine that is refused is one row, not one for each proposal of the heuristics.
TEST_F(GraphConvolution, ARefusedEngineIsOneRow) {
  std::multiset<std::string> engines;
  for (const auto& offer : offers(dense_3x3(Direction::forward, DataType::f32)))
    if (offer.unsupported && offer.unsupported->text.starts_with("lower precision")) engines.insert(offer.algorithm.name.substr(0, offer.algorithm.name.find('[')));
  EXPECT_FALSE(engines.empty());
  for (const auto& name : engines) EXPECT_EQ(engines.count(name), 1u) << name;
}

TEST_F(GraphConvolution, ClaimsFollowTheNoteOfNondeterminism) {
  for (const auto direction : all_directions)
    for (const auto& offer : offers(dense_3x3(direction))) {
      const auto& claim = offer.algorithm.claim;
      if (offer.algorithm.name.starts_with("pick:") && offer.unsupported) continue;
      const bool noted = offer.notes.at("numerical_notes").find("NONDETERMINISTIC") != std::string::npos;
      EXPECT_EQ(claim.guarantee, noted ? Guarantee::not_guaranteed : Guarantee::run_to_run) << offer.algorithm.name;
      EXPECT_EQ(claim.source, "cuDNN " + *cudnn_version() + ": engine " + (noted ? "with" : "without") + " the NONDETERMINISTIC note");
      for (const auto scope : {Scope::repeat, Scope::process, Scope::load, Scope::placement}) EXPECT_EQ(claim.covers(scope), !noted);
      for (const auto scope : {Scope::partition, Scope::capture, Scope::batch, Scope::machine}) EXPECT_FALSE(claim.covers(scope));
      EXPECT_TRUE(offer.algorithm.sum_of_products || noted == false) << "no transform on sm_90";
    }
  if (!is_9_19()) return;
  const auto dgrad = offers(dense_3x3(Direction::dgrad)), wgrad = offers(dense_3x3(Direction::wgrad));
  ASSERT_TRUE(find(dgrad, "eng25") && find(wgrad, "eng20"));
  EXPECT_FALSE(find(dgrad, "eng25")->unsupported);
  EXPECT_EQ(find(dgrad, "eng25")->algorithm.claim.guarantee, Guarantee::not_guaranteed);
  EXPECT_EQ(find(wgrad, "eng20")->algorithm.claim.guarantee, Guarantee::not_guaranteed);
  // They add up in 16 bits and may err by that; the engines without the note may not.
  EXPECT_EQ(find(wgrad, "eng20")->algorithm.bound_constant, 0x1p13);
  EXPECT_EQ(find(wgrad, "eng1")->algorithm.bound_constant, 1.0);
  const auto bf16 = offers(dense_3x3(Direction::wgrad, DataType::bf16));
  EXPECT_EQ(find(bf16, "eng20")->algorithm.bound_constant, 0x1p16);
}

TEST_F(GraphConvolution, WinogradIsNoSumOfProducts) {
  if (!is_9_19()) GTEST_SKIP() << "engine ids of cuDNN 9.19, this is " << *cudnn_version();
  const auto ampere = *cudnn::Target::of_architecture("sm_80");
  const auto found = convolution_offers(dense_3x3(Direction::forward), ampere, {.tiers = {Tier::t0}}).value();
  const auto* winograd = find(found, "eng12");
  ASSERT_NE(winograd, nullptr);
  EXPECT_NE(winograd->notes.at("numerical_notes").find("WINOGRAD"), std::string::npos);
  EXPECT_FALSE(winograd->algorithm.sum_of_products);
  EXPECT_GE(winograd->algorithm.bound_constant, 8);
  EXPECT_EQ(find(offers(dense_3x3(Direction::forward), {.tiers = {Tier::t0}}), "eng12"), nullptr) << "not on sm_90";
}

TEST_F(GraphConvolution, WhatWantsMoreThanTheCapSaysHowMuch) {
  AlgorithmSearch search;
  search.workspace_cap_bytes = 1000;
  int capped = 0;
  for (const auto& offer : offers(dense_3x3(Direction::dgrad), search)) {
    if (!offer.notes.contains("workspace_bytes") || offer.algorithm.name.starts_with("pick:")) continue;
    const auto bytes = std::stoll(offer.notes.at("workspace_bytes"));
    EXPECT_EQ(offer.unsupported.has_value(), bytes > 1000) << offer.algorithm.name;
    if (bytes <= 1000) continue;
    EXPECT_NE(offer.unsupported->text.find(std::to_string(bytes)), std::string::npos);
    ++capped;
  }
  EXPECT_GT(capped, 0);
}

// A stride-2 layer as Keras pads it: engines that take no unequal pads are arms with the zeros added by hand.
TEST_F(GraphConvolution, UnequalPadsAreAddedByHandWhereAnEngineWantsThemEqual) {
  for (const auto direction : all_directions) {
    const auto p = one_sided(direction);
    ASSERT_TRUE(symmetric_form(p).by_hand.any());
    const auto all = offers(p);
    std::set<std::string> direct, by_hand;
    for (const auto& offer : all) {
      const auto name = offer.algorithm.name;
      EXPECT_FALSE(name.starts_with("sym+"));
      if (name.starts_with("pick:") || offer.unsupported) continue;
      if (name.starts_with("pad+")) {
        by_hand.insert(name.substr(4, name.find('[') - 4));
        EXPECT_GE(std::stoull(offer.notes.at("workspace_bytes")), symmetric_form(p).workspace_bytes());
      } else {
        direct.insert(name.substr(0, name.find('[')));
      }
    }
    for (const auto& engine : by_hand) EXPECT_FALSE(direct.contains(engine)) << engine << " takes the pads as they are";
    if (!is_9_19()) continue;
    EXPECT_TRUE(direct.contains("eng0"));
    if (direction == Direction::forward) {
      EXPECT_EQ(by_hand, (std::set<std::string>{"eng1", "eng2", "eng28"}));
    }
    if (direction == Direction::dgrad) {
      EXPECT_TRUE(by_hand.contains("eng25")) << "the nondeterministic engine refuses unequal pads";
    }
    if (direction == Direction::wgrad) {
      EXPECT_TRUE(direct.contains("eng20"));
    }
  }
}

TEST_F(GraphConvolution, EqualPadsThatGiveTheSameSumsNeedNoCopy) {
  auto p = one_sided(Direction::forward);
  p.pt = p.pl = 1, p.pb = p.pr = 0;  // one row more at the bottom makes no further output
  ASSERT_FALSE(symmetric_form(p).by_hand.any());
  const auto all = offers(p, {.tiers = {Tier::t0}});
  int restated = 0;
  for (const auto& offer : all) {
    EXPECT_FALSE(offer.algorithm.name.starts_with("pad+"));
    restated += offer.algorithm.name.starts_with("sym+");
  }
  EXPECT_TRUE(!is_9_19() || restated > 0);
}

TEST_F(GraphConvolution, PicksSayWhatTheyWouldTake) {
  for (const auto type : {DataType::f32, DataType::f16})
    for (const auto direction : all_directions) {
      const auto p = dense_3x3(direction, type);
      const auto all = offers(p);
      const auto graph = testing::graph_of(p);
      for (const auto mode : cudnn::all_heuristic_modes) {
        const auto* offer = find(all, cudnn::pick_name(mode));
        ASSERT_NE(offer, nullptr);
        const auto picked = cudnn::pick(graph, target(), mode, convolution_rules(p, {}));
        ASSERT_EQ(picked.has_value(), !offer->unsupported) << cudnn::pick_name(mode);
        if (!picked) {
          EXPECT_EQ(picked.error().text, offer->unsupported->text);
          continue;
        }
        EXPECT_EQ(offer->notes.at("selected"), cudnn::to_text(*picked));
        const auto* selected = find(all, offer->notes.at("selected"));
        ASSERT_NE(selected, nullptr);
        EXPECT_FALSE(selected->unsupported) << "a refused configuration was picked";
        EXPECT_EQ(cudnn::parse_pick_name(offer->algorithm.name), mode);
      }
    }
  EXPECT_FALSE(cudnn::parse_pick_name("pick:heur_mode_c"));
}

TEST_F(GraphConvolution, TheFirstOfferIsTheLibrarysFirstChoice) {
  const auto p = dense_3x3(Direction::forward);
  const auto all = offers(p);
  const auto first = cudnn::propose(testing::graph_of(p), target(), cudnn::HeuristicMode::a).value().front();
  EXPECT_EQ(all.front().algorithm.name, cudnn::to_text(first));
  EXPECT_EQ(all.front().notes.at("heuristics").substr(0, 3), "A:1");
}

TEST_F(GraphConvolution, ThreadsThatAskAtOnceGetTheSameAnswers) {
  const auto names = [&] {
    std::vector<std::string> all;
    for (const auto direction : all_directions) {
      const auto graph = testing::graph_of(dense_3x3(direction, DataType::f32));
      const auto found = convolution_offers(dense_3x3(direction, DataType::f32), target(), {}).value();
      for (const auto& offer : found) all.push_back(offer.algorithm.name + (offer.unsupported ? ": " + offer.unsupported->text : ""));
      for (const auto& engine : finalized(graph)) {
        if (engine.has_behaviour(CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION)) continue;
        const auto plan = cudnn::build_execution_plan(cudnn::check(engine, {engine.index, {}}), target());
        all.push_back(plan ? plan->json : "no plan");
      }
    }
    return all;
  };
  const auto alone = names();
  std::vector<std::vector<std::string>> together(4);
  std::vector<std::thread> threads;
  for (auto& own : together) threads.emplace_back([&] { own = names(); });
  for (auto& thread : threads) thread.join();
  for (const auto& own : together) EXPECT_EQ(own, alone);
}

// A row of a search that went further replays with the claim and the bound it had.
TEST_F(GraphConvolution, ANamedConfigurationHasTheRowThatASearchWouldGiveIt) {
  for (const auto& p : {dense_3x3(Direction::wgrad), one_sided(Direction::forward), one_sided(Direction::dgrad)}) {
    const auto all = offers(p, {.tiers = {Tier::t0, Tier::t1}});
    for (const auto& offer : all) {
      if (offer.algorithm.name.starts_with("pick:")) continue;
      const auto named = convolution_offer(p, target(), offer.algorithm.name, {});
      ASSERT_TRUE(named) << offer.algorithm.name << ": " << named.error().text;
      EXPECT_EQ(named->algorithm.name, offer.algorithm.name);
      EXPECT_EQ(named->algorithm.claim.guarantee, offer.algorithm.claim.guarantee);
      EXPECT_EQ(named->algorithm.claim.source, offer.algorithm.claim.source);
      EXPECT_EQ(named->algorithm.bound_constant, offer.algorithm.bound_constant);
      EXPECT_EQ(named->unsupported.has_value(), offer.unsupported.has_value()) << offer.algorithm.name;
      EXPECT_EQ(named->notes.at("numerical_notes"), offer.notes.at("numerical_notes"));
    }
  }
  const auto p = dense_3x3(Direction::wgrad);
  EXPECT_FALSE(convolution_offer(p, target(), "eng20[TILE=1]", {}));
  EXPECT_FALSE(convolution_offer(p, target(), "pad+eng1", {})) << "its pads are equal";
  const auto absent = convolution_offer(p, target(), "eng100000", {});
  ASSERT_TRUE(absent);
  EXPECT_TRUE(absent->unsupported);
}

// 16-bit gradients are what cuDNN writes; of f32 ones next to no engine knows.
TEST_F(GraphConvolution, WeightGradientsIn16BitsHaveManyMoreEngines) {
  const auto runnable = [&](const ConvolutionProblem& p) {
    const auto all = offers(p, {.tiers = {Tier::t0}});
    return std::count_if(all.begin(), all.end(), [](const Offer& offer) { return !offer.unsupported; });
  };
  auto p = dense_3x3(Direction::wgrad, DataType::bf16);
  const auto narrow = runnable(p);
  p.types.weight_gradient = DataType::f32;
  EXPECT_GT(narrow, 10);
  EXPECT_LE(runnable(p), 2);
}

TEST_F(GraphConvolution, ABlockedLayoutIsRefusedWithAReason) {
  auto p = dense_3x3(Direction::forward);
  p.layout = "blocked";
  const auto found = convolution_offers(p, target(), {});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, Reason::Kind::unsupported);
}

TEST_F(GraphConvolution, OffersTheReasonOnACpuAndRefusesNonsenseNames) {
  auto device = make_cpu_device();
  ASSERT_TRUE(device);
  const auto provider = make_cudnn_graph_convolution();
  const auto problem = to_problem(dense_3x3(Direction::forward));
  const auto all = provider->offers(problem, **device);
  ASSERT_TRUE(all) << all.error().text;
  ASSERT_EQ(all->size(), 1u);
  EXPECT_EQ(case_id(problem, all->front().algorithm), problem_id(problem) + "/cudnn_graph:any");
  EXPECT_TRUE(all->front().unsupported);
  const auto kind = [&](const std::string& name, Options options = {}) {
    const auto plan = provider->plan(problem, {"cudnn_graph", name, std::move(options), {}}, **device);
    EXPECT_FALSE(plan) << name;
    EXPECT_EQ(plan.error().text.find('\n'), std::string::npos) << name;
    return plan.error().kind;
  };
  for (const char* name : {"eng20", "eng20[TILE_SIZE=3]", "pick:heur_mode_a", "pad+eng1"}) EXPECT_EQ(kind(name), Reason::Kind::unsupported) << name;
  for (const char* name : {"", "any", "eng", "eng20[TILE=3]", "pick:heur_mode_c", "pick:", "plan7"}) EXPECT_EQ(kind(name), Reason::Kind::invalid_input) << name;
  EXPECT_EQ(kind("eng20", {{"ws", "1"}}), Reason::Kind::invalid_input);
}

}  // namespace
}  // namespace detbench
