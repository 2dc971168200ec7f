#include "bench/core/verify.hpp"

#include <gmock/gmock.h>

#include "bench/core/random.hpp"
#include "tests/bench/core/fakes.hpp"

namespace detbench {
namespace {

using testing::HasSubstr;

/// Verifies a fake against its reference with the given fill.
VerifyOutcome verify_fake(FakeBench& bench, InputFill fill = InputFill::rounding) {
  const auto reference = bench.operation.reference(fake_problem, {fill, 1});
  auto outcome = verify(*bench.op, bench.store, fake_algorithm(), reference->get(), {});
  EXPECT_TRUE(outcome) << outcome.error().text;
  return outcome ? *outcome : VerifyOutcome{};
}

TEST(Verify, PassesAnHonestOp) {
  FakeBench bench({});
  const auto outcome = verify_fake(bench);
  EXPECT_EQ(outcome.incorrect, "");
  EXPECT_FALSE(outcome.varies);
  ASSERT_TRUE(outcome.verification);
  EXPECT_TRUE(outcome.verification->passed);
}

TEST(Verify, FindsAnUnwrittenElement) {
  FakeBench bench([](FakeRun& run) -> Status {
    for (std::int64_t i = 0; i < run.n; ++i)
      if (i != 17) run.dst[i] = 2 * run.src[i];
    return {};
  }, {.fills_dst = false});
  EXPECT_EQ(verify_fake(bench).incorrect, "output dst: 1 of 64 elements never written, the first is element 17");
}

TEST(Verify, FindsAnUnwrittenElementOfAnOpThatVaries) {
  FakeBench bench([](FakeRun& run) -> Status {
    for (std::int64_t i = 0; i < run.n; ++i)
      if (i != 5) run.dst[i] = 2 * run.src[i];
    if (run.call % 2 == 1) flip_last_bit(run.dst[9]);
    return {};
  }, {.fills_dst = false});
  EXPECT_EQ(verify_fake(bench).incorrect, "output dst: 1 of 64 elements never written, the first is element 5");
}

TEST(Verify, FindsAnOpThatAccumulatesIntoWhatWasThere) {
  FakeBench bench([](FakeRun& run) -> Status {
    for (std::int64_t i = 0; i < run.n; ++i) run.dst[i] += 2 * run.src[i];
    return {};
  }, {.fills_dst = false});
  EXPECT_THAT(verify_fake(bench).incorrect, HasSubstr("reads memory it did not write"));
}

TEST(Verify, FindsAnOpThatReadsItsWorkspaceFirst) {
  FakeBench bench([](FakeRun& run) -> Status {
    std::uint32_t word;
    std::memcpy(&word, run.workspace, sizeof word);
    // Only the last bit of one element is touched, within any rounding bound: the poisons alone can show it.
    if (word == 0) flip_last_bit(run.dst[3]);
    return {};
  }, {.workspace_bytes = 256});
  EXPECT_THAT(verify_fake(bench).incorrect, HasSubstr("reads memory it did not write"));
}

TEST(Verify, DoesNotAccuseAnOpThatVariesByItself) {
  // In every way to vary: rarely, half the time, always, and by turns.
  for (int kind = 0; kind < 4; ++kind)
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      auto random = std::make_shared<SeededRandom>(seed, "verify_test");
      FakeBench bench([random, kind](FakeRun& run) -> Status {
        const bool flip = kind == 0 ? random->below(20) == 0 : kind == 1 ? random->below(2) == 0 : kind == 2 || run.call % 2 == 1;
        if (flip) flip_last_bit(run.dst[kind == 2 ? run.call % 64 : 11]);
        return {};
      });
      EXPECT_EQ(verify_fake(bench).incorrect, "") << "kind " << kind << " seed " << seed;
    }
}

TEST(Verify, FindsAWriteBehindAnOutputWithItsOffset) {
  FakeBench bench([](FakeRun& run) -> Status {
    reinterpret_cast<unsigned char*>(run.dst + run.n)[12] ^= 1;
    return {};
  });
  EXPECT_EQ(verify_fake(bench).incorrect, "writes outside its memory: output dst: byte 12 behind its end was overwritten");
}

TEST(Verify, FindsAWriteBeforeAnInputAndBehindTheWorkspace) {
  FakeBench before([](FakeRun& run) -> Status {
    const_cast<float*>(run.src)[-1] = 0.5f;
    return {};
  });
  EXPECT_THAT(verify_fake(before).incorrect, HasSubstr("input src: byte 4 before its start was overwritten"));
  FakeBench behind([](FakeRun& run) -> Status {
    static_cast<unsigned char*>(run.workspace)[100] ^= 1;
    return {};
  }, {.workspace_bytes = 100}, {}, {.threads = 1, .offset_bytes = 16});
  EXPECT_THAT(verify_fake(behind).incorrect, HasSubstr("workspace: byte 0 behind its end was overwritten"));
}

TEST(Verify, TheExactFillDemandsEquality) {
  FakeBench bench([](FakeRun& run) -> Status {
    flip_last_bit(run.dst[2]);
    return {};
  }, {}, {InputFill::exact, 1});
  EXPECT_THAT(verify_fake(bench, InputFill::exact).incorrect, HasSubstr("dst[2] is"));
  FakeBench rounding([](FakeRun& run) -> Status {
    flip_last_bit(run.dst[2]);
    return {};
  });
  EXPECT_EQ(verify_fake(rounding).incorrect, "");
}

TEST(Verify, TheRoundingFillHasABound) {
  FakeBench bench([](FakeRun& run) -> Status {
    run.dst[40] *= 1.001f;
    return {};
  });
  EXPECT_THAT(verify_fake(bench).incorrect, HasSubstr("dst[40] is"));
}

TEST(Verify, AWrongNumberInOneRunOnlyIsStillWrong) {
  FakeBench bench([](FakeRun& run) -> Status {
    if (run.call == 1) run.dst[40] *= 1.001f;
    return {};
  });
  EXPECT_THAT(verify_fake(bench).incorrect, HasSubstr("dst[40] is"));
}

TEST(Verify, WorkspaceKeepsItsAlignmentInEveryPlacement) {
  for (const std::size_t offset : {0u, 16u, 32u, 48u}) {
    const auto device = make_cpu_device({.threads = 1, .offset_bytes = offset, .placement_seed = 3});
    const auto stream = (*device)->make_stream();
    TensorStore store(**device, **stream);
    const auto region = store.workspace(1000);
    ASSERT_TRUE(region);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(region->data) % 64, 0u) << offset;
    EXPECT_EQ(region->bytes, 1000u);
    const auto smaller = store.workspace(10);
    EXPECT_EQ(smaller->data, region->data);
    EXPECT_EQ(store.workspace(0)->data, nullptr);
  }
}

TEST(TensorStore, SharesEqualInputsAndKeepsOthersApart) {
  const auto device = make_cpu_device({.threads = 1});
  const auto stream = (*device)->make_stream();
  TensorStore store(**device, **stream);
  TensorSpec spec{"src", DataType::f32, {1, 2, 2, 32}, canonical_layout({1, 2, 2, 32})};
  FillSpec fill;
  fill.kind = FillSpec::Kind::uniform;
  fill.stream = "a";
  const auto first = store.input(spec, fill), again = store.input(spec, fill), second = store.input(spec, fill, 1);
  EXPECT_EQ(first->region.data, again->region.data);
  EXPECT_NE(first->region.data, second->region.data);  // equal tensors of one plan
  auto other_layout = spec;
  other_layout.layout = *activation_layout(spec.shape, "nchw");
  EXPECT_NE(store.input(other_layout, fill)->region.data, first->region.data);
  fill.scale = 2;
  EXPECT_NE(store.input(spec, fill)->region.data, first->region.data);
  EXPECT_EQ(store.output(spec)->region.data, store.output(spec)->region.data);
  EXPECT_EQ(store.bytes(), 5 * spec.bytes());
  EXPECT_FALSE(store.damaged_guard());
}

}  // namespace
}  // namespace detbench
