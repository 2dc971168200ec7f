#include "bench/core/probe.hpp"

#include <gmock/gmock.h>
#include <omp.h>

#include <new>
#include <set>
#include <stdexcept>
#include <thread>

#include "tests/bench/core/fakes.hpp"

namespace detbench {
namespace {

using testing::HasSubstr;

ProbeSettings small_settings() {
  ProbeSettings settings;
  settings.repeat = 8;
  settings.load = 2;
  settings.configurations = 2;
  settings.base.threads = 2;
  settings.load_limit_s = 0.5;
  return settings;
}

ArmReport probe_fake(const FakeOperation& operation, const ProbeSettings& settings = small_settings(),
                     Algorithm algorithm = fake_algorithm()) {
  ReferenceCache references;
  return probe_arm(operation, fake_problem, algorithm, settings, make_fake_device, references);
}

TEST(Probe, AnHonestOpShowsNoDifferenceInAnyScope) {
  const auto report = probe_fake(FakeOperation{});
  EXPECT_EQ(report.status, RunStatus::ok) << report.reason;
  EXPECT_EQ(report.exact_equal, true);
  ASSERT_TRUE(report.verification);
  EXPECT_TRUE(report.verification->passed);
  EXPECT_NE(report.output_digest, Digest{});
  EXPECT_NE(report.input_digest, Digest{});
  EXPECT_FALSE(report.slow);
  std::vector<Scope> scopes;
  for (const auto& result : report.agreement) {
    scopes.push_back(result.scope);
    if (result.scope == Scope::capture || result.scope == Scope::batch) {
      EXPECT_EQ(result.verdict, ScopeVerdict::not_applicable) << to_text(result.scope) << ": " << result.reason;
      EXPECT_FALSE(result.reason.empty());
      continue;
    }
    EXPECT_EQ(result.verdict, ScopeVerdict::no_difference) << to_text(result.scope) << ": " << result.reason;
    EXPECT_EQ(result.bound.has_value(), is_sampling(result.scope));
    EXPECT_EQ(result.distinct, 1u);
    EXPECT_FALSE(result.witness);
  }
  EXPECT_EQ(scopes, (std::vector<Scope>{Scope::repeat, Scope::load, Scope::placement, Scope::partition, Scope::capture, Scope::batch}));
  const auto& load = scope_of(report, Scope::load);
  ASSERT_EQ(load.stages.size(), 3u);
  EXPECT_EQ(load.stages[0].name, "spinners");
  EXPECT_EQ(load.stages[1].name, "memory_traffic");
  EXPECT_EQ(load.stages[2].name, "atomic_traffic");
  for (const auto& stage : scope_of(report, Scope::partition).stages) EXPECT_EQ(stage.runs, 2u);
}

TEST(Probe, RecordsTheRangeOfErrorsWhereOutputsAreFew) {
  const Behaviour behaviour = [](FakeRun& run) -> Status {
    // From the third run on, which only `repeat` makes: the exact fill is tried under three poisons.
    for (std::uint32_t i = 0; run.call >= 3 && i < run.call % 4; ++i) flip_last_bit(run.dst[i]);
    return {};
  };
  const auto few = probe_fake(FakeOperation(behaviour));
  ASSERT_EQ(few.status, RunStatus::ok) << few.reason;
  ASSERT_TRUE(few.accuracy);
  EXPECT_EQ(few.accuracy->error_ulp, 0) << "of the baseline";
  EXPECT_EQ(few.accuracy->error_ulp_min, 0);
  EXPECT_EQ(few.accuracy->error_ulp_max, 3);
  FakeTraits traits;
  traits.n = 65;
  const auto many = probe_fake(FakeOperation(behaviour, traits));
  ASSERT_TRUE(many.accuracy);
  EXPECT_EQ(many.accuracy->error_ulp, 0);
  EXPECT_FALSE(many.accuracy->error_ulp_min);
  EXPECT_FALSE(many.accuracy->error_ulp_max);
}

TEST(Probe, CatchesRunSevenInRepeatAlone) {
  FakeOperation operation([](FakeRun& run) -> Status {
    if (run.call == 7) flip_last_bit(run.dst[23]);  // the verified run is run 0
    return {};
  });
  const auto report = probe_fake(operation);
  EXPECT_EQ(report.status, RunStatus::ok) << report.reason;
  const auto& repeat = scope_of(report, Scope::repeat);
  EXPECT_EQ(repeat.verdict, ScopeVerdict::differs);
  EXPECT_EQ(repeat.runs, 8u);
  EXPECT_EQ(repeat.distinct, 2u);
  ASSERT_TRUE(repeat.witness);
  EXPECT_EQ(repeat.witness->run, 7u);
  EXPECT_EQ(repeat.witness->element, 23u);
  EXPECT_FALSE(repeat.bound);
  for (const auto scope : {Scope::load, Scope::placement, Scope::partition})
    EXPECT_EQ(scope_of(report, scope).verdict, ScopeVerdict::already_differs);
}

TEST(Probe, CatchesAPartitionThatIsBoundWhenThePlanIsMade) {
  // Like oneDNN: the thread count at creation decides, the one around enqueue() does not.
  FakeOperation operation([](FakeRun& run) -> Status {
    if (run.planned.threads != 2) flip_last_bit(run.dst[run.planned.threads]);
    return {};
  });
  const auto report = probe_fake(operation);
  EXPECT_EQ(scope_of(report, Scope::repeat).verdict, ScopeVerdict::no_difference);
  EXPECT_EQ(scope_of(report, Scope::load).verdict, ScopeVerdict::no_difference);
  EXPECT_EQ(scope_of(report, Scope::placement).verdict, ScopeVerdict::no_difference);
  const auto& partition = scope_of(report, Scope::partition);
  EXPECT_EQ(partition.verdict, ScopeVerdict::differs);
  EXPECT_EQ(partition.distinct, 3u);
  ASSERT_TRUE(partition.witness);
  EXPECT_EQ(partition.witness->stage, "threads=1");
  EXPECT_EQ(partition.witness->element, 1u);
}

TEST(Probe, CatchesAThreadCountThatIsReadAtEnqueue) {
  FakeOperation operation([](FakeRun& run) -> Status {
    if (omp_get_max_threads() == 4) flip_last_bit(run.dst[0]);
    return {};
  });
  const auto report = probe_fake(operation);
  const auto& partition = scope_of(report, Scope::partition);
  EXPECT_EQ(partition.verdict, ScopeVerdict::differs);
  EXPECT_EQ(partition.witness->stage, "threads=4");
  EXPECT_EQ(omp_get_max_threads(), 2);  // the base configuration is in force again
}

TEST(Probe, CatchesAPlacementInItsScopeAlone) {
  FakeOperation operation([](FakeRun& run) -> Status {
    if (reinterpret_cast<std::uintptr_t>(run.src) % 64 != 0) flip_last_bit(run.dst[6]);
    return {};
  });
  const auto report = probe_fake(operation);
  EXPECT_EQ(scope_of(report, Scope::placement).verdict, ScopeVerdict::differs);
  EXPECT_EQ(scope_of(report, Scope::placement).witness->element, 6u);
  for (const auto scope : {Scope::repeat, Scope::load, Scope::partition})
    EXPECT_EQ(scope_of(report, scope).verdict, ScopeVerdict::no_difference) << to_text(scope);
}

TEST(Probe, SaysWhereAnAlgorithmDoesNotExist) {
  FakeOperation operation({}, {.exists = [](const DeviceConfiguration& c) {
    return c.threads == 1 ? Status(unsupported("needs two threads")) : Status{};
  }});
  const auto report = probe_fake(operation);
  EXPECT_EQ(report.status, RunStatus::ok);
  const auto& partition = scope_of(report, Scope::partition);
  EXPECT_EQ(partition.verdict, ScopeVerdict::no_difference);
  EXPECT_EQ(partition.runs, 1u);
  ASSERT_EQ(partition.stages.size(), 2u);
  EXPECT_EQ(partition.stages[0].name, "threads=1");
  EXPECT_EQ(partition.stages[0].unavailable, "needs two threads");
  EXPECT_EQ(partition.stages[0].runs, 0u);
}

TEST(Probe, TurnsFailuresIntoStatusesWithReasons) {
  const auto failing = [](Status status) { return [status](FakeRun&) -> Status { return status; }; };
  const auto memory = probe_fake(FakeOperation(failing(failure("needs 9 GiB", Reason::Kind::out_of_memory))));
  EXPECT_EQ(memory.status, RunStatus::out_of_memory);
  EXPECT_EQ(memory.reason, "needs 9 GiB");
  EXPECT_EQ(probe_fake(FakeOperation(failing(unsupported("no f16")))).status, RunStatus::unsupported);
  EXPECT_EQ(probe_fake(FakeOperation(failing(failure("launch failed")))).status, RunStatus::crashed);
  for (const auto& result : memory.agreement) EXPECT_EQ(result.verdict, ScopeVerdict::not_measured);
  EXPECT_EQ(memory.agreement.size(), 6u);

  FakeOperation absent({}, {.exists = [](const DeviceConfiguration&) { return Status(unsupported("not built")); }});
  EXPECT_EQ(probe_fake(absent).status, RunStatus::unsupported);
  auto stranger = fake_algorithm();
  stranger.provider = "nobody";
  EXPECT_THAT(probe_fake(FakeOperation{}, small_settings(), stranger).reason, HasSubstr("no provider 'nobody'"));
}

TEST(Probe, NeverThrows) {
  EXPECT_EQ(probe_fake(FakeOperation([](FakeRun&) -> Status { throw std::bad_alloc(); })).status, RunStatus::out_of_memory);
  const auto thrown = probe_fake(FakeOperation([](FakeRun&) -> Status { throw std::runtime_error("lost"); }));
  EXPECT_EQ(thrown.status, RunStatus::crashed);
  EXPECT_EQ(thrown.reason, "threw: lost");
  EXPECT_EQ(probe_fake(FakeOperation([](FakeRun&) -> Status { throw 7; })).status, RunStatus::crashed);
  // Thrown in the middle of a stress: the stressors must not outlive it.
  const auto late = probe_fake(FakeOperation([](FakeRun& run) -> Status {
    if (run.call == 9) throw std::runtime_error("late");
    return {};
  }));
  EXPECT_EQ(late.status, RunStatus::crashed);
  EXPECT_EQ(scope_of(late, Scope::repeat).verdict, ScopeVerdict::no_difference);
  EXPECT_EQ(scope_of(late, Scope::load).verdict, ScopeVerdict::not_measured);
}

TEST(Probe, AThrowInOneConfigurationCostsThatConfiguration) {
  const auto report = probe_fake(FakeOperation([](FakeRun& run) -> Status {
    if (run.planned.threads == 4) throw std::runtime_error("only two");
    return {};
  }));
  EXPECT_EQ(report.status, RunStatus::ok);
  EXPECT_EQ(scope_of(report, Scope::partition).stages[1].unavailable, "threw: only two");
  EXPECT_EQ(scope_of(report, Scope::partition).verdict, ScopeVerdict::no_difference);
}

TEST(Probe, IncorrectEndsTheRow) {
  const auto wrong = probe_fake(FakeOperation([](FakeRun& run) -> Status {
    run.dst[1] += 1.0f;
    return {};
  }));
  EXPECT_EQ(wrong.status, RunStatus::incorrect);
  EXPECT_THAT(wrong.reason, HasSubstr("exact fill: dst[1] is"));
  EXPECT_EQ(wrong.exact_equal, false);
  EXPECT_FALSE(wrong.verification);
  for (const auto& result : wrong.agreement) EXPECT_EQ(result.verdict, ScopeVerdict::not_measured);

  // Small integers have zeros in the low bits that this op drops, so only the rounding fill shows it.
  const auto imprecise = probe_fake(FakeOperation([](FakeRun& run) -> Status {
    for (std::int64_t i = 0; i < run.n; ++i) {
      std::uint32_t bits;
      std::memcpy(&bits, &run.dst[i], sizeof bits);
      bits &= 0xFFFFE000u;
      std::memcpy(&run.dst[i], &bits, sizeof bits);
    }
    return {};
  }));
  EXPECT_EQ(imprecise.status, RunStatus::incorrect);
  EXPECT_THAT(imprecise.reason, HasSubstr("rounding fill: dst["));
  EXPECT_EQ(imprecise.exact_equal, true);
}

TEST(Probe, TheExactFillIsNotDemandedOfTransforms) {
  auto transform = fake_algorithm();
  transform.sum_of_products = false;
  const auto report = probe_fake(FakeOperation([](FakeRun& run) -> Status {
    flip_last_bit(run.dst[1]);
    return {};
  }), small_settings(), transform);
  EXPECT_EQ(report.status, RunStatus::ok) << report.reason;
  EXPECT_FALSE(report.exact_equal);
  EXPECT_TRUE(report.verification);

  // The poisons are then applied with the rounding fill.
  const auto sloppy = probe_fake(FakeOperation([](FakeRun& run) -> Status {
    for (std::int64_t i = 1; i < run.n; ++i) run.dst[i] = 2 * run.src[i];
    return {};
  }, {.fills_dst = false, .exact_fill = false}));
  EXPECT_EQ(sloppy.status, RunStatus::incorrect);
  EXPECT_THAT(sloppy.reason, HasSubstr("1 of 64 elements never written, the first is element 0"));
}

TEST(Probe, FindsAWriteOutsideInOneConfigurationAlone) {
  const auto report = probe_fake(FakeOperation([](FakeRun& run) -> Status {
    if (run.planned.threads == 4) reinterpret_cast<unsigned char*>(run.dst + run.n)[0] = 7;
    return {};
  }));
  EXPECT_EQ(report.status, RunStatus::incorrect);
  EXPECT_EQ(report.reason, "writes outside its memory in threads=4: output dst: byte 0 behind its end was overwritten");
}

TEST(Probe, FindsInputsThatAreNotRestored) {
  const auto report = probe_fake(FakeOperation([](FakeRun& run) -> Status {
    if (run.call == 3) const_cast<float*>(run.src)[0] += 1.0f;
    return {};
  }));
  EXPECT_EQ(report.status, RunStatus::incorrect);
  EXPECT_THAT(report.reason, HasSubstr("changes its inputs in repeat"));
}

TEST(Probe, SlowArmsRunTwice) {
  auto settings = small_settings();
  settings.slow_limit_s = 1e-9;
  const auto report = probe_fake(FakeOperation{}, settings);
  EXPECT_TRUE(report.slow);
  EXPECT_EQ(scope_of(report, Scope::repeat).runs, 2u);
  for (const auto& stage : scope_of(report, Scope::load).stages) EXPECT_EQ(stage.runs, 2u);
}

TEST(Probe, AProfileMayLeaveScopesOut) {
  auto settings = small_settings();
  settings.load = settings.configurations = 0;
  const auto report = probe_fake(FakeOperation{}, settings);
  EXPECT_EQ(report.status, RunStatus::ok);
  EXPECT_EQ(scope_of(report, Scope::load).verdict, ScopeVerdict::not_measured);
  EXPECT_EQ(scope_of(report, Scope::partition).reason, "the profile leaves it out");

  settings = small_settings();
  settings.load = 0;
  settings.left_out = {Scope::placement, Scope::batch};
  const auto chosen = probe_fake(FakeOperation({}, {.has_batch = true}), settings);
  EXPECT_EQ(scope_of(chosen, Scope::placement).verdict, ScopeVerdict::not_measured);
  EXPECT_EQ(scope_of(chosen, Scope::batch).reason, "the profile leaves it out");
  EXPECT_EQ(scope_of(chosen, Scope::partition).verdict, ScopeVerdict::no_difference);
}

TEST(Probe, NotesOutputsOfZeros) {
  const auto report = probe_fake(FakeOperation([](FakeRun& run) -> Status {
    for (std::int64_t i = 0; i < run.n; ++i) run.dst[i] *= 0;
    return {};
  }, {.exact_fill = false}));
  EXPECT_EQ(report.status, RunStatus::incorrect);  // zeros are wrong here, and the row says so first
  EXPECT_EQ(probe_fake(FakeOperation{}).notes.count("nearly_all_zeros"), 0u);
}

TEST(References, AreComputedOncePerProblemAndFill) {
  FakeOperation operation;
  ReferenceCache cache;
  const auto first = cache.get(operation, fake_problem, {InputFill::exact, 1});
  EXPECT_EQ(*cache.get(operation, fake_problem, {InputFill::exact, 1}), *first);
  EXPECT_EQ(operation.references_made, 1);
  cache.get(operation, fake_problem, {InputFill::rounding, 1});
  cache.get(operation, fake_problem, {InputFill::exact, 2});
  EXPECT_EQ(operation.references_made, 3);
  auto other = fake_problem;
  other.shape = "n65";
  cache.get(operation, other, {InputFill::exact, 1});
  cache.get(operation, fake_problem, {InputFill::exact, 1});
  EXPECT_EQ(operation.references_made, 5);
}

TEST(RunOnce, GivesTheDigestOfTheProbeAndTheBytesWhenAsked) {
  FakeOperation operation;
  const auto report = probe_fake(operation);
  const auto device = make_cpu_device({.threads = 2});
  const auto with = run_once(operation, fake_problem, fake_algorithm(), {}, **device, true);
  ASSERT_TRUE(with) << with.error().text;
  EXPECT_EQ(with->digest, report.output_digest);
  ASSERT_EQ(with->outputs.size(), 1u);
  EXPECT_EQ(with->outputs[0].size(), 64 * sizeof(float));
  EXPECT_TRUE(run_once(operation, fake_problem, fake_algorithm(), {}, **device, false)->outputs.empty());
}

TEST(Configurations, PartitionsAreDistinctAndNeverTheBaseline) {
  const auto threads = [](int base, std::uint32_t count) {
    std::vector<int> list;
    for (const auto& c : partition_configurations({.threads = base}, count)) list.push_back(c.threads);
    return list;
  };
  EXPECT_EQ(threads(2, 5), (std::vector<int>{1, 4, 3, 5, 8}));
  EXPECT_EQ(threads(16, 3), (std::vector<int>{1, 8, 15}));
  EXPECT_TRUE(threads(2, 0).empty());
  for (int base = 1; base < 70; ++base) {
    const auto list = threads(base, 12);
    EXPECT_EQ(std::set<int>(list.begin(), list.end()).size(), 12u) << base;
    for (const int t : list) {
      EXPECT_GE(t, 1);
      EXPECT_NE(t, base);
    }
  }
}

TEST(Configurations, PlacementsMoveAndKeepSixteenBytes) {
  const auto list = placement_configurations({}, 6, 1);
  ASSERT_EQ(list.size(), 6u);
  std::set<std::uint64_t> seeds;
  for (const auto& c : list) {
    EXPECT_EQ(c.offset_bytes % 16, 0u);
    EXPECT_NE(c.placement_seed, 0u);
    seeds.insert(c.placement_seed);
    EXPECT_TRUE(make_cpu_device(c));
  }
  EXPECT_EQ(seeds.size(), 6u);
  EXPECT_NE(list[0].offset_bytes % 64, 0u);
}

TEST(Claims, OnlyADifferenceInsideTheCoverageBreaksOne) {
  const Claim claim{Guarantee::run_to_run, "manual 1.0", {Scope::repeat, Scope::process}};
  const auto with = [](std::vector<std::pair<Scope, ScopeVerdict>> verdicts) {
    std::vector<ScopeResult> results;
    for (const auto& [scope, verdict] : verdicts) {
      ScopeResult result;
      result.scope = scope;
      result.verdict = verdict;
      results.push_back(result);
    }
    return results;
  };
  EXPECT_EQ(judge_claim({}, with({{Scope::repeat, ScopeVerdict::differs}})), ClaimVerdict::none);
  EXPECT_EQ(judge_claim(claim, with({{Scope::repeat, ScopeVerdict::differs}})), ClaimVerdict::broken);
  EXPECT_EQ(judge_claim(claim, with({{Scope::repeat, ScopeVerdict::no_difference}, {Scope::partition, ScopeVerdict::differs}})), ClaimVerdict::held_in_n);
  EXPECT_EQ(judge_claim(claim, with({{Scope::repeat, ScopeVerdict::no_difference}, {Scope::process, ScopeVerdict::differs}})), ClaimVerdict::broken);
  EXPECT_EQ(judge_claim(claim, with({{Scope::repeat, ScopeVerdict::untested}})), ClaimVerdict::untested);
  EXPECT_EQ(judge_claim(claim, with({{Scope::repeat, ScopeVerdict::untested}, {Scope::process, ScopeVerdict::no_difference}})), ClaimVerdict::held_in_n);
  EXPECT_EQ(judge_claim(claim, {}), ClaimVerdict::untested);
}

}  // namespace
}  // namespace detbench
