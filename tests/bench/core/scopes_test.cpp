// The scopes that only a GPU or a batch has, over fakes: a device that captures and can be divided, an op in a batch.
#include <gmock/gmock.h>

#include <chrono>
#include <set>
#include <thread>

#include "bench/core/batch.hpp"
#include "bench/core/capture.hpp"
#include "bench/core/probe.hpp"
#include "tests/bench/core/fakes.hpp"

namespace detbench {
namespace {

using testing::HasSubstr;

ProbeSettings gpu_settings() {
  ProbeSettings settings;
  settings.repeat = 4;
  settings.load = 0;  // stressors of a GPU need one
  settings.configurations = 2;
  return settings;
}

ArmReport probe_on_gpu(const FakeOperation& operation, std::shared_ptr<const bool> lost = nullptr, const ProbeSettings& settings = gpu_settings()) {
  ReferenceCache references;
  return probe_arm(operation, fake_problem, fake_algorithm(), settings,
                   [lost](const DeviceConfiguration& c) { return FakeGpu::make(c, lost); }, references);
}

std::vector<std::string> names_of(const ScopeResult& result) {
  std::vector<std::string> names;
  for (const auto& stage : result.stages) names.push_back(stage.name);
  return names;
}

TEST(GpuScopes, LoadingKernelsMakesNoArmSlow) {
  bool loaded = false;
  const FakeOperation operation([&loaded](FakeRun&) -> Status {
    if (!std::exchange(loaded, true)) std::this_thread::sleep_for(std::chrono::milliseconds(300));
    return {};
  });
  auto settings = gpu_settings();
  settings.slow_limit_s = 0.2;
  const auto report = probe_on_gpu(operation, nullptr, settings);
  EXPECT_EQ(report.status, RunStatus::ok) << report.reason;
  EXPECT_TRUE(loaded);
  EXPECT_FALSE(report.slow);
  EXPECT_LT(report.first_run_s, 0.2);
}

TEST(GpuScopes, AnHonestOpShowsNoDifferenceInAny) {
  const auto report = probe_on_gpu(FakeOperation({}, {.has_batch = true, .heeds_sm_count_target = true}));
  EXPECT_EQ(report.status, RunStatus::ok) << report.reason;
  for (const auto scope : {Scope::repeat, Scope::placement, Scope::partition, Scope::capture, Scope::batch}) {
    const auto& result = scope_of(report, scope);
    EXPECT_EQ(result.verdict, ScopeVerdict::no_difference) << to_text(scope) << ": " << result.reason;
    for (const auto& stage : result.stages) EXPECT_GE(stage.runs, 2u) << stage.name << ": " << stage.unavailable;
  }
  EXPECT_EQ(names_of(scope_of(report, Scope::partition)),
            (std::vector<std::string>{"sm_target=66", "green_context=72", "sm_target=131", "green_context=40"}));
  EXPECT_EQ(names_of(scope_of(report, Scope::capture)), (std::vector<std::string>{"replay", "reinstantiated"}));
  EXPECT_EQ(scope_of(report, Scope::capture).stages[0].runs, 4u);  // as often as `repeat`
  EXPECT_EQ(names_of(scope_of(report, Scope::batch)), (std::vector<std::string>{"batch=65,position=1", "batch=128,position=64"}));
}

TEST(Capture, AReplayThatDiffersIsFoundWithItsWitness) {
  const auto report = probe_on_gpu(FakeOperation([](FakeRun& run) -> Status {
    if (run.replayed) flip_last_bit(run.dst[17]);
    return {};
  }));
  const auto& capture = scope_of(report, Scope::capture);
  EXPECT_EQ(capture.verdict, ScopeVerdict::differs);
  ASSERT_TRUE(capture.witness);
  EXPECT_EQ(capture.witness->stage, "replay");
  EXPECT_EQ(capture.witness->element, 17u);
  EXPECT_EQ(capture.witness->differing, 1u);
  EXPECT_FALSE(capture.bound);
  for (const auto scope : {Scope::repeat, Scope::placement})
    EXPECT_EQ(scope_of(report, scope).verdict, ScopeVerdict::no_difference) << to_text(scope);
}

TEST(Capture, ASecondInstantiationIsAStageOfItsOwn) {
  const auto report = probe_on_gpu(FakeOperation([](FakeRun& run) -> Status {
    if (run.instantiation == 2 && run.replayed) flip_last_bit(run.dst[3]);
    return {};
  }));
  const auto& capture = scope_of(report, Scope::capture);
  EXPECT_EQ(capture.verdict, ScopeVerdict::differs);
  EXPECT_EQ(capture.witness->stage, "reinstantiated");
  EXPECT_EQ(capture.stages[0].differing_runs, 0u);
}

TEST(Capture, WhatCannotBeCapturedSaysSoAndTheArmGoesOn) {
  const auto report = probe_on_gpu(FakeOperation({}, {.has_batch = true, .not_capturable = "allocates while it runs"}));
  EXPECT_EQ(report.status, RunStatus::ok) << report.reason;
  const auto& capture = scope_of(report, Scope::capture);
  EXPECT_EQ(capture.verdict, ScopeVerdict::untested);
  EXPECT_EQ(capture.reason, "replay: cannot be captured: allocates while it runs");
  EXPECT_EQ(scope_of(report, Scope::batch).verdict, ScopeVerdict::no_difference);
}

TEST(Capture, IsNotApplicableOnACpu) {
  const auto device = *make_cpu_device({.threads = 1});
  const auto stream = *device->make_stream();
  const auto can = can_capture(*stream);
  ASSERT_FALSE(can);
  EXPECT_EQ(can.error().kind, Reason::Kind::unsupported);
}

TEST(Partition, OnAGpuTargetsChangeThePlanAndGreenContextsDoNot) {
  FakeOperation operation([](FakeRun& run) -> Status {
    if (run.planned.sm_count_target == 131) flip_last_bit(run.dst[1]);
    return {};
  }, {.heeds_sm_count_target = true});
  const auto report = probe_on_gpu(operation);
  const auto& partition = scope_of(report, Scope::partition);
  EXPECT_EQ(partition.verdict, ScopeVerdict::differs);
  EXPECT_EQ(partition.witness->stage, "sm_target=131");
  EXPECT_EQ(partition.distinct, 2u);
  for (const auto& stage : partition.stages) EXPECT_EQ(stage.differing_runs, stage.name == "sm_target=131" ? 2u : 0u) << stage.name;
}

TEST(Partition, ATargetThatIsPassedOverIsNoTest) {
  const auto report = probe_on_gpu(FakeOperation{});
  const auto& partition = scope_of(report, Scope::partition);
  EXPECT_EQ(partition.verdict, ScopeVerdict::no_difference);
  EXPECT_EQ(partition.runs, 2u);  // the green contexts alone
  EXPECT_EQ(partition.stages[0].unavailable, "this algorithm takes no SM-count target");
}

TEST(Placement, OnAGpuKeepsToWhatTheArmDeclares) {
  const auto report = probe_on_gpu(FakeOperation([](FakeRun& run) -> Status {
    if (reinterpret_cast<std::uintptr_t>(run.src) % 16 != 0) flip_last_bit(run.dst[0]);
    return {};
  }));
  EXPECT_EQ(scope_of(report, Scope::placement).verdict, ScopeVerdict::no_difference);
  EXPECT_THAT(scope_of(report, Scope::placement).stages[0].name, testing::StartsWith("align=16,allocator=plain,gaps="));
  EXPECT_THAT(scope_of(report, Scope::placement).stages[1].name, testing::StartsWith("align=256,allocator=pool,gaps="));

  const auto any_address = probe_on_gpu(FakeOperation([](FakeRun& run) -> Status {
    const auto address = reinterpret_cast<std::uintptr_t>(run.src);
    if (address % sizeof(float) != 0) return failure("a float cannot lie at " + std::to_string(address));
    if (address % 16 != 0) flip_last_bit(run.dst[0]);
    return {};
  }, {.alignment_bytes = 2}));
  const auto& placement = scope_of(any_address, Scope::placement);
  EXPECT_EQ(placement.verdict, ScopeVerdict::differs) << placement.reason;
  EXPECT_THAT(placement.stages[0].name, testing::StartsWith("align=2,"));  // where a float moves on to its own 4
}

TEST(Placement, TheOrderOfAllocationIsShuffled) {
  std::set<bool> src_first;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    // Gaps are counted by allocation, so equal addresses modulo the allocator show who came first.
    FakeBench bench({}, {}, {}, {.threads = 1, .placement_seed = seed});
    ASSERT_TRUE(bench.op->run());
    src_first.insert(bench.op->inputs()[0].region.data < bench.op->outputs()[0].region.data);
    EXPECT_EQ(bench.op->inputs()[0].spec.role, "src");
    EXPECT_EQ(bench.op->outputs()[0].spec.role, "dst");
  }
  EXPECT_EQ(src_first.size(), 2u);
}

TEST(GpuScopes, ADeviceThatIsLostEndsTheRow) {
  const auto lost = std::make_shared<bool>(false);
  FakeOperation operation([&lost](FakeRun& run) -> Status {
    if (run.planned.multiprocessors != 40) return {};
    *lost = true;
    return failure("an illegal address was used");
  });
  const auto report = probe_on_gpu(operation, lost);
  EXPECT_EQ(report.status, RunStatus::crashed);
  EXPECT_EQ(report.reason, "green_context=40 left the device unusable: an illegal address was used");
  EXPECT_EQ(scope_of(report, Scope::capture).verdict, ScopeVerdict::not_measured);
}

TEST(Batch, ASplitThatDependsOnTheBatchIsFoundWithItsWitness) {
  FakeOperation operation([](FakeRun& run) -> Status {
    if (run.n == 128)
      for (std::int64_t i = 0; i < run.n; ++i) flip_last_bit(run.dst[i]);
    return {};
  }, {.has_batch = true});
  for (const bool gpu : {false, true}) {
    ReferenceCache references;
    const auto report = gpu ? probe_on_gpu(operation)
                            : probe_arm(operation, fake_problem, fake_algorithm(), gpu_settings(), make_fake_device, references);
    const auto& batch = scope_of(report, Scope::batch);
    EXPECT_EQ(batch.verdict, ScopeVerdict::differs) << batch.reason;
    ASSERT_TRUE(batch.witness);
    EXPECT_EQ(batch.witness->stage, "batch=128,position=64");
    EXPECT_EQ(batch.witness->elements, 64u);
    EXPECT_EQ(batch.witness->differing, 64u);
    EXPECT_EQ(batch.stages[0].differing_runs, 0u);
    EXPECT_EQ(scope_of(report, Scope::repeat).verdict, ScopeVerdict::no_difference);
  }
}

TEST(Batch, ASampleThatTakesFromItsNeighbourIsFound) {
  // Right at both ends of the batch, so that the baseline is right.
  FakeOperation operation([](FakeRun& run) -> Status {
    for (std::int64_t i = 64; i < run.n; ++i) run.dst[i] = run.src[i] + run.src[i - 1];
    return {};
  }, {.has_batch = true});
  const auto report = probe_on_gpu(operation);
  EXPECT_EQ(scope_of(report, Scope::batch).verdict, ScopeVerdict::differs);
}

TEST(Batch, AWriteOutsideInTheLargerBatchIsFound) {
  FakeOperation operation([](FakeRun& run) -> Status {
    if (run.n == 65) reinterpret_cast<unsigned char*>(run.dst + run.n)[3] = 0;
    return {};
  }, {.has_batch = true});
  const auto report = probe_on_gpu(operation);
  EXPECT_EQ(report.status, RunStatus::incorrect);
  EXPECT_THAT(report.reason, HasSubstr("writes outside its memory in batch=65,position=1"));
}

TEST(Batch, ConfigurationsAreDistinctAndHoldTheSamples) {
  using C = BatchConfiguration;
  EXPECT_EQ(batch_configurations(8, 4), (std::vector<C>{{9, 1}, {16, 8}, {11, 2}, {16, 1}}));
  for (std::int64_t size = 1; size < 40; ++size) {
    const auto list = batch_configurations(size, 6);
    EXPECT_EQ(list.size(), 6u) << size;
    for (std::size_t i = 0; i < list.size(); ++i) {
      EXPECT_GE(list[i].position, 0);
      EXPECT_LE(list[i].position + size, list[i].batch);
      EXPECT_GT(list[i].batch, size);
      for (std::size_t j = 0; j < i; ++j) EXPECT_NE(list[i], list[j]) << size;
    }
  }
  EXPECT_TRUE(batch_configurations(8, 0).empty());
}

TEST(Batch, SlicesAreViewsWhereSamplesLieApart) {
  const Shape shape{4, 3, 2, 5};
  std::vector<float> memory(4 * 3 * 2 * 16);
  const auto tensor = [&](MemoryLayout layout) {
    return Tensor{{"src", DataType::f32, shape, std::move(layout)}, {memory.data(), memory.size() * sizeof(float)}};
  };
  for (const auto* name : {"nhwc", "nchw", "nchw16c"}) {
    const auto whole = tensor(*activation_layout(shape, name));
    const auto part = slice_of(whole, {1, 2});
    ASSERT_TRUE(part) << name << ": " << part.error().text;
    EXPECT_EQ(part->spec.shape, (Shape{2, 3, 2, 5}));
    for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<float>(i);
    for (std::int64_t i = 0; i < 60; ++i) EXPECT_EQ(element_as_double(*part, i), element_as_double(whole, i + 30)) << name;
    EXPECT_EQ(part->region.bytes, part->spec.bytes());
    EXPECT_EQ(part->spec.layout.elements * 2, whole.spec.layout.elements);
  }
  EXPECT_FALSE(slice_of(tensor(canonical_layout(shape)), {3, 2}));
  EXPECT_FALSE(slice_of(tensor(canonical_layout(shape)), {-1, 2}));
  const auto mixed = slice_of(tensor(permuted_layout(shape, {1, 0, 2, 3})), {1, 2});
  ASSERT_FALSE(mixed);
  EXPECT_THAT(mixed.error().text, HasSubstr("does not keep samples apart"));
}

TEST(Configurations, GpuPartitionsAreTargetsAndGreenContextsByTurns) {
  const auto names = [](std::uint32_t count, MultiprocessorLimits limits) {
    std::vector<std::string> list;
    for (const auto& c : partition_configurations({}, count, limits)) list.push_back(stage_name({}, c, DeviceKind::cuda));
    return list;
  };
  EXPECT_EQ(names(1, {132, 8, 8}), (std::vector<std::string>{"sm_target=66", "green_context=72"}));
  EXPECT_TRUE(names(0, {132, 8, 8}).empty());
  // Without partitions one stage remains to carry the driver's reason.
  EXPECT_EQ(names(2, {132, 0, 0}), (std::vector<std::string>{"sm_target=66", "green_context=66", "sm_target=131"}));
}

TEST(Configurations, GpuPlacementsRunThroughThePermittedAlignments) {
  const auto alignments = [](std::size_t declared, std::uint32_t count) {
    std::vector<std::size_t> list;
    for (const auto& c : gpu_placements({}, count, 7, declared)) {
      list.push_back(c.offset_bytes);
      EXPECT_NE(c.placement_seed, 0u);
    }
    return list;
  };
  EXPECT_EQ(alignments(16, 6), (std::vector<std::size_t>{16, 256, 32, 64, 128, 16}));
  EXPECT_EQ(alignments(1, 8), (std::vector<std::size_t>{2, 256, 4, 8, 16, 32, 64, 128}));
  EXPECT_EQ(alignments(256, 2), (std::vector<std::size_t>{256, 256}));
  EXPECT_EQ(alignments(512, 1), (std::vector<std::size_t>{512}));
  const auto list = gpu_placements({}, 4, 7, 16);
  EXPECT_EQ(list[0].allocator, Allocator::plain);
  EXPECT_EQ(list[1].allocator, Allocator::pool);
}

TEST(Configurations, TheOptionAlignDeclaresAnAlignment) {
  FakeBench bench({}, {.alignment_bytes = 16});
  auto algorithm = fake_algorithm();
  EXPECT_EQ(declared_alignment(bench.op->plan(), algorithm), 16u);
  for (const auto& [text, expected] : std::map<std::string, std::size_t>{{"4", 4}, {"32", 32}, {"3", 16}, {"4x", 16}, {"", 16}}) {
    algorithm.options["align"] = text;
    EXPECT_EQ(declared_alignment(bench.op->plan(), algorithm), expected) << text;
  }
}

}  // namespace
}  // namespace detbench
