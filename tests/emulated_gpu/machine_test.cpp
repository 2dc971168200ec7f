// How threads run on the emulated GPU: they part and meet, wait for each other, share memory; and what it refuses.
#include "tests/emulated_gpu/machine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <thread>

#include "tests/emulated_gpu/machine_runner.hpp"

namespace detbench::emulated {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::Eq;
using testing::HasSubstr;
using testing::Pair;
using Kind = Fault::Kind;
using Words = std::vector<std::uint32_t>;

/// %d1 = the address of this thread's word, %r0 its number in the grid.
const std::string own_word =
    "ld.param.u64 %d0, [p0];\nmov.u32 %r0, %tid.x;\nmov.u32 %r1, %ntid.x;\nmov.u32 %r2, %ctaid.x;\nmad.lo.u32 %r0, %r2, %r1, %r0;\nmad.wide.u32 %d1, %r0, 4, %d0;\n";

Conditions threads(std::uint32_t block, std::uint32_t grid = 1, Schedule schedule = {}) {
  Conditions conditions;
  conditions.block.x = block;
  conditions.grid.x = grid;
  conditions.schedule = schedule;
  return conditions;
}

const std::vector<Schedule> schedules = {{}, {.order = Schedule::Order::reversed, .quantum = 3}, {.order = Schedule::Order::random, .seed = 1, .quantum = 7}, {.order = Schedule::Order::random, .seed = 2, .quantum = 1}};

TEST(Machine, EveryThreadOfEveryBlockKnowsItsPlace) {
  for (const Schedule& schedule : schedules) {
    Conditions conditions;
    conditions.grid = {3, 2, 2};
    conditions.block = {5, 3, 4};
    conditions.schedule = schedule;
    Words words(720, 0);
    run_on(words,
           "ld.param.u64 %d0, [p0];\nmov.u32 %r0, %ctaid.z;\nmov.u32 %r1, %nctaid.y;\nmov.u32 %r2, %ctaid.y;\nmad.lo.u32 %r0, %r0, %r1, %r2;\n"
           "mov.u32 %r1, %nctaid.x;\nmov.u32 %r2, %ctaid.x;\nmad.lo.u32 %r0, %r0, %r1, %r2;\n"
           "mov.u32 %r1, %ntid.z;\nmov.u32 %r2, %tid.z;\nmad.lo.u32 %r0, %r0, %r1, %r2;\nmov.u32 %r1, %ntid.y;\nmov.u32 %r2, %tid.y;\nmad.lo.u32 %r0, %r0, %r1, %r2;\n"
           "mov.u32 %r1, %ntid.x;\nmov.u32 %r2, %tid.x;\nmad.lo.u32 %r0, %r0, %r1, %r2;\nmad.wide.u32 %d1, %r0, 4, %d0;\natom.global.add.u32 %r3, [%d1], 1;",
           conditions);
    EXPECT_THAT(words, Each(Eq(1u)));
  }
}

TEST(Machine, LanesThatPartedMeetAgain) {
  // Each lane goes around as often as its number says, half of them on another way; then all are together for a ballot.
  Words words(64);
  run_on(words, own_word + "mov.u32 %r3, 0;\nmov.u32 %r4, %laneid;\nand.b32 %r5, %r4, 1;\nsetp.eq.u32 %p1, %r5, 0;\nadd.u32 %r7, %r4, 1;\n"
                           "$loop:\n@%p1 bra $even;\nadd.u32 %r3, %r3, 3;\nbra.uni $join;\n$even:\nadd.u32 %r3, %r3, 5;\n$join:\n"
                           "sub.u32 %r7, %r7, 1;\nsetp.ne.u32 %p2, %r7, 0;\n@%p2 bra $loop;\nactivemask.b32 %r8;\nsetp.eq.u32 %p3, %r8, -1;\n@!%p3 add.u32 %r3, %r3, 100000;\nst.global.u32 [%d1], %r3;",
         threads(64));
  for (std::uint32_t i = 0; i < 64; ++i) EXPECT_THAT(words[i], Eq((i % 32 + 1) * (i % 2 == 0 ? 5 : 3)));
}

TEST(Machine, GuardsAndTables) {
  Words words(32);
  run_on(words, own_word + "mov.u32 %r3, 7;\nrem.u32 %r4, %r0, 3;\ntargets: .branchtargets $a, $b, $c;\nbrx.idx %r4, targets;\n"
                           "$a:\nmov.u32 %r3, 10;\nbra.uni $end;\n$b:\nmov.u32 %r3, 20;\nbra.uni $end;\n$c:\nmov.u32 %r3, 30;\n$end:\n"
                           "setp.ge.u32 %p1, %r0, 16;\n@%p1 add.u32 %r3, %r3, 1;\nsetp.eq.u32 %p2, %r0, 31;\n@%p2 ret;\nst.global.u32 [%d1], %r3;");
  for (std::uint32_t i = 0; i < 31; ++i) EXPECT_THAT(words[i], Eq((i % 3 + 1) * 10 + (i >= 16 ? 1 : 0)));
  EXPECT_THAT(words[31], Eq(0u));
}

TEST(Machine, LanesSpinOnALockThatAnotherLaneHolds) {
  // The spinning loop lies below the critical section: without turns its lanes would run forever.
  Words words(3, 0);
  run_on(words, "ld.param.u64 %d0, [p0];\n$again:\natom.global.cas.b32 %r1, [%d0], 0, 1;\nsetp.ne.u32 %p1, %r1, 0;\n@%p1 bra $again;\n"
                "ld.volatile.global.u32 %r2, [%d0+4];\nadd.u32 %r2, %r2, 1;\nst.volatile.global.u32 [%d0+4], %r2;\nmembar.gl;\natom.global.exch.b32 %r3, [%d0], 0;",
         threads(64, 2));
  EXPECT_THAT(words, ElementsAre(0, 128, 0));
}

TEST(Machine, BlocksWaitForEachOther) {
  // Block 0 waits until block 1 has run, and counts blocks that were ready.
  for (const Schedule& schedule : schedules) {
    Words words(2, 0);
    run_on(words, "ld.param.u64 %d0, [p0];\nmov.u32 %r0, %ctaid.x;\nsetp.ne.u32 %p1, %r0, 0;\n@%p1 bra $signal;\n$wait:\nnanosleep.u32 20;\nld.volatile.global.u32 %r1, [%d0];\nsetp.lt.u32 %p2, %r1, 64;\n@%p2 bra $wait;\n"
                  "atom.global.add.u32 %r2, [%d0+4], %r1;\nret;\n$signal:\natom.global.add.u32 %r2, [%d0], 1;",
           threads(32, 3, schedule));
    EXPECT_THAT(words, ElementsAre(64, 32 * 64));
  }
}

TEST(Machine, SeesWhatTheHostWritesMeanwhile) {
  Words words(32, 0);
  ListedMemory memory;
  const std::uintptr_t pointer = memory.add(words);
  Launch launch{std::make_shared<Program>(ptx::Module::parse(kernel_text(1, "ld.param.u64 %d0, [p0];\n$wait:\nld.volatile.global.u32 %r1, [%d0];\nsetp.eq.u32 %p2, %r1, 0;\n@%p2 bra $wait;\nst.global.u32 [%d0+4], %r1;"))), "f", {}, {}, 0, {}};
  launch.parameters.resize(8);
  std::memcpy(launch.parameters.data(), &pointer, 8);
  emulated::Run run(std::move(launch), {}, {}, memory);
  EXPECT_FALSE(run.advance(1000));
  EXPECT_FALSE(run.advance(1000));
  std::thread([&] { std::atomic_ref(words[0]).store(9); }).join();
  EXPECT_TRUE(run.advance(1000));
  EXPECT_THAT(words[1], Eq(9u));
}

TEST(Machine, ABarrierOrdersTheBlock) {
  // Reverse 256 words through shared memory, many times; the order of warps does not matter.
  for (const Schedule& schedule : schedules) {
    Words words(256);
    std::iota(words.begin(), words.end(), 0u);
    run_on(words, ".shared .align 4 .b8 buffer[1024];\n" + own_word + "mov.u32 %r9, 5;\nld.global.u32 %r3, [%d1];\nmov.u32 %r4, buffer;\nshl.b32 %r5, %r0, 2;\nadd.u32 %r5, %r5, %r4;\nsub.u32 %r6, 255, %r0;\nshl.b32 %r6, %r6, 2;\nadd.u32 %r6, %r6, %r4;\n"
                  "$loop:\nst.shared.u32 [%r5], %r3;\nbar.sync 0;\nld.shared.u32 %r3, [%r6];\nbar.sync 0;\nadd.u32 %r3, %r3, 1000;\nsub.u32 %r9, %r9, 1;\nsetp.ne.u32 %p1, %r9, 0;\n@%p1 bra $loop;\nst.global.u32 [%d1], %r3;",
           threads(256, 1, schedule));
    for (std::uint32_t i = 0; i < 256; ++i) ASSERT_THAT(words[i], Eq(255 - i + 5000));
  }
}

TEST(Machine, BarriersCountThoseWhoAreLeftAndGatherVotes) {
  Words words(96, 7);
  run_on(words, own_word + "setp.ge.u32 %p1, %r0, 70;\n@%p1 ret;\nsetp.eq.u32 %p2, %r0, 69;\nbar.red.or.pred %p3, 0, %p2;\nbar.red.and.pred %p4, 0, %p2;\nbar.red.popc.u32 %r5, 0, !%p2;\n"
                           "selp.u32 %r3, 100, 0, %p3;\n@%p4 add.u32 %r3, %r3, 1000;\nadd.u32 %r3, %r3, %r5;\nst.global.u32 [%d1], %r3;",
         threads(96));
  EXPECT_THAT(Words(words.begin(), words.begin() + 70), Each(Eq(169u)));
  EXPECT_THAT(Words(words.begin() + 70, words.end()), Each(Eq(7u)));
}

TEST(Machine, BarriersOfSomeWarps) {
  // Two pairs of warps, each with its own barrier; one more warp arrives without waiting.
  Words words(160);
  run_on(words, ".shared .align 4 .b8 buffer[640];\n" + own_word + "mov.u32 %r4, buffer;\nshl.b32 %r5, %r0, 2;\nadd.u32 %r5, %r5, %r4;\nshr.u32 %r6, %r0, 6;\nadd.u32 %r6, %r6, 1;\nst.shared.u32 [%r5], %r0;\n"
                "setp.ge.u32 %p1, %r0, 128;\n@%p1 bra $fifth;\nbarrier.sync %r6, 64;\nxor.b32 %r7, %r0, 63;\nshl.b32 %r7, %r7, 2;\nadd.u32 %r7, %r7, %r4;\nld.shared.u32 %r8, [%r7];\nst.global.u32 [%d1], %r8;\nret;\n$fifth:\nbar.arrive 3, 64;\nst.global.u32 [%d1], 5;",
         threads(160));
  for (std::uint32_t i = 0; i < 128; ++i) EXPECT_THAT(words[i], Eq(i ^ 63));
  EXPECT_THAT(words[159], Eq(5u));
}

TEST(Machine, ShufflesWithinSegments) {
  const auto shuffled = [](const std::string& mode, int by, int clamp) {
    Words words(32);
    run_on(words, own_word + "shfl.sync." + mode + ".b32 %r3|%p1, %r0, " + std::to_string(by) + ", " + std::to_string(clamp) + ", -1;\n@!%p1 add.u32 %r3, %r3, 100;\nst.global.u32 [%d1], %r3;");
    return words;
  };
  const int segments_of_8 = (32 - 8) << 8;
  for (std::uint32_t i = 0; i < 32; ++i) {
    EXPECT_THAT(shuffled("down", 3, 31)[i], Eq(i + 3 < 32 ? i + 3 : i + 100));
    EXPECT_THAT(shuffled("down", 3, segments_of_8 | 7)[i], Eq(i % 8 + 3 < 8 ? i + 3 : i + 100));
    EXPECT_THAT(shuffled("up", 2, 0)[i], Eq(i >= 2 ? i - 2 : i + 100));
    EXPECT_THAT(shuffled("up", 2, segments_of_8)[i], Eq(i % 8 >= 2 ? i - 2 : i + 100));
    EXPECT_THAT(shuffled("bfly", 5, 31)[i], Eq(i ^ 5));
    EXPECT_THAT(shuffled("idx", 6, segments_of_8 | 7)[i], Eq(i / 8 * 8 + 6));
  }
}

TEST(Machine, VotesMatchesAndReductions) {
  Words words(5 * 32);
  run_on(words, own_word + "rem.u32 %r3, %r0, 3;\nsetp.eq.u32 %p1, %r3, 0;\nvote.sync.ballot.b32 %r4, %p1, -1;\nst.global.u32 [%d1], %r4;\n"
                           "match.any.sync.b32 %r5, %r3, -1;\nst.global.u32 [%d1+128], %r5;\nredux.sync.add.s32 %r6, %r0, -1;\nst.global.u32 [%d1+256], %r6;\n"
                           "neg.s32 %r7, %r0;\nredux.sync.min.s32 %r8, %r7, -1;\nst.global.u32 [%d1+384], %r8;\n"
                           "vote.sync.any.pred %p2, %p1, -1;\nvote.sync.all.pred %p3, %p1, -1;\nselp.u32 %r9, 1, 0, %p2;\n@%p3 add.u32 %r9, %r9, 2;\nst.global.u32 [%d1+512], %r9;");
  constexpr std::uint32_t third = 0x49249249;  // every third bit
  for (std::uint32_t i = 0; i < 32; ++i) {
    EXPECT_THAT(words[i], Eq(third));
    EXPECT_THAT(words[32 + i], Eq(third << (i % 3)));
    EXPECT_THAT(words[64 + i], Eq(496u));
    EXPECT_THAT(words[96 + i], Eq(static_cast<std::uint32_t>(-31)));
    EXPECT_THAT(words[128 + i], Eq(1u));
  }
}

TEST(Machine, LanesWaitForThoseTheyName) {
  // The odd lanes come to the shuffle by a longer way; two halves shuffle under their own masks.
  Words words(32);
  run_on(words, own_word + "and.b32 %r3, %r0, 1;\nsetp.eq.u32 %p1, %r3, 0;\nmov.u32 %r4, %r0;\nsetp.lt.u32 %p2, %r0, 16;\nselp.u32 %r6, 0xffff, 0xffff0000, %p2;\n@%p1 bra $together;\nbra.uni $far;\n"
                           "$together:\nshfl.sync.bfly.b32 %r5, %r4, 1, 31, %r6;\nst.global.u32 [%d1], %r5;\nret;\n$far:\nadd.u32 %r4, %r4, 1000;\nbra.uni $together;");
  for (std::uint32_t i = 0; i < 32; ++i) EXPECT_THAT(words[i], Eq((i ^ 1) + (i % 2 == 0 ? 1000 : 0)));
}

TEST(Machine, MemoryOfEveryKind) {
  Words words(64);
  const std::string variables = ".global .align 4 .b8 table[16] = {1,0,0,0, 2,0,0,0, 3,0,0,0, 4,0,0,0};\n.const .align 4 .u32 factor = 10;\n.shared .align 8 .b8 common[64];\n.extern .shared .align 16 .b8 rest[];\n";
  Conditions conditions = threads(32);
  conditions.dynamic_shared_bytes = 256;
  run_on(words, ".local .align 8 .b8 depot[16];\n.reg .b64 %SPL;\n" + own_word +
                    "and.b32 %r3, %r0, 3;\nmov.u64 %d2, table;\nmad.wide.u32 %d3, %r3, 4, %d2;\nld.global.u32 %r4, [%d3];\nld.const.u32 %r5, [factor];\nmul.lo.u32 %r4, %r4, %r5;\n"
                    // through local memory, as bytes and generically
                    "mov.u64 %SPL, depot;\nst.local.u32 [%SPL+8], %r4;\nld.local.u8 %h1, [%SPL+8];\ncvt.u32.u16 %r6, %h1;\ncvta.local.u64 %d4, %SPL;\nld.u32 %r7, [%d4+8];\nadd.u32 %r6, %r6, %r7;\nisspacep.local %p1, %d4;\nisspacep.shared %p2, %d4;\n@%p1 add.u32 %r6, %r6, 1000;\n@%p2 add.u32 %r6, %r6, 5000;\n"
                    // through the launch's shared memory, as a vector, and generically
                    "mov.u32 %r8, rest;\nshl.b32 %r9, %r0, 3;\nadd.u32 %r8, %r8, %r9;\nst.shared.v2.u32 [%r8], {%r6, %r0};\ncvt.u64.u32 %d5, %r8;\ncvta.shared.u64 %d6, %d5;\nld.v2.u32 {%r10, %r11}, [%d6];\nadd.u32 %r10, %r10, %r11;\nst.global.u32 [%d1], %r10;\nisspacep.shared %p3, %d6;\nselp.u32 %r12, 1, 0, %p3;\nst.global.u32 [%d1+128], %r12;",
         conditions, variables);
  for (std::uint32_t i = 0; i < 32; ++i) {
    EXPECT_THAT(words[i], Eq((i % 4 + 1) * 20 + 1000 + i));
    EXPECT_THAT(words[32 + i], Eq(1u));
  }
}

TEST(Machine, LoadsExtendAndVectorsHaveParts) {
  std::vector<std::uint8_t> bytes(64);
  for (std::size_t i = 0; i < 64; ++i) bytes[i] = static_cast<std::uint8_t>(0xf8 + i);
  run_on(bytes, "ld.param.u64 %d0, [p0];\nld.global.s8 %r1, [%d0+2];\nld.global.u8 %r2, [%d0+2];\nld.global.v4.u16 {%h1, _, %h2, %h3}, [%d0+8];\nld.global.nc.v2.f64 {%g1, %g2}, [%d0+16];\n"
                "add.u32 %r1, %r1, %r2;\nst.global.u32 [%d0], %r1;\nst.global.v2.u16 [%d0+4], {%h3, %h2};\nst.global.v2.f64 [%d0+32], {%g2, %g1};\nmov.b32 %r3, {%h1, %h2};\nst.global.u32 [%d0+48], %r3;",
         threads(1));
  const auto word = [&](std::size_t at) { std::uint32_t w; std::memcpy(&w, &bytes[at], 4); return w; };
  EXPECT_THAT(word(0), Eq(0xfau + 0xfffffffau));
  EXPECT_THAT(word(4), Eq(0x05040706u));
  EXPECT_THAT(word(32), Eq(0x13121110u));
  EXPECT_THAT(word(40), Eq(0x0b0a0908u));
  EXPECT_THAT(word(48), Eq(0x05040100u));
}

TEST(Machine, AtomicsOfEveryKind) {
  Words words(16, 0);
  words[3] = 0xffffffff;
  words[8] = 0x3c003c00;  // two halves of 1
  words[10] = 5;
  run_on(words, own_word + "atom.global.add.u32 %r3, [%d0], %r0;\nred.global.max.u32 [%d0+4], %r0;\natom.global.min.s32 %r3, [%d0+8], -5;\natom.global.and.b32 %r3, [%d0+12], 0xff;\nred.global.or.b32 [%d0+16], %r0;\n"
                           "mov.f32 %f1, 0f3E800000;\natom.global.add.f32 %f2, [%d0+20], %f1;\nmov.f64 %g1, 0d3FE0000000000000;\natom.global.add.f64 %g2, [%d0+24], %g1;\n"
                           "mov.u32 %r4, 0x3c000000;\natom.global.add.noftz.f16x2 %r5, [%d0+32], %r4;\natom.global.inc.u32 %r6, [%d0+36], 9;\natom.global.dec.u32 %r6, [%d0+40], 6;\n"
                           "mov.f32 %f3, 0f00000001;\natom.global.add.f32 %f4, [%d0+44], %f3;\ncvt.u64.u32 %d2, %r0;\natom.global.add.u64 %d3, [%d0+48], %d2;");
  EXPECT_THAT(words[0], Eq(496u));
  EXPECT_THAT(words[1], Eq(31u));
  EXPECT_THAT(words[2], Eq(static_cast<std::uint32_t>(-5)));
  EXPECT_THAT(words[3], Eq(0xffu));
  EXPECT_THAT(words[4], Eq(31u));
  EXPECT_THAT(std::bit_cast<float>(words[5]), Eq(8.0f));
  double sum;
  std::memcpy(&sum, &words[6], 8);
  EXPECT_THAT(sum, Eq(16.0));
  EXPECT_THAT(words[8], Eq(0x50203c00u));  // 33 above, 1 below
  EXPECT_THAT(words[9], Eq(32u % 10));
  EXPECT_THAT(words[10], Eq((5 + 7 * 32 - 32) % 7u));
  EXPECT_THAT(words[11], Eq(0u)) << "additions to f32 in global memory flush subnormal numbers";
  EXPECT_THAT(words[12], Eq(496u));
}

TEST(Machine, TheOrderOfAdditionsFollowsTheSeed) {
  // Sums of numbers far apart in size: their bits depend on the order, and each seed keeps its own.
  const auto sum = [](const Schedule& schedule) {
    std::vector<float> values(257, 0.f);
    std::mt19937 random(1);
    for (std::size_t i = 1; i < values.size(); ++i) values[i] = std::ldexp(static_cast<float>(random() % 1000), static_cast<int>(random() % 24));
    run_on(values, own_word + "ld.global.f32 %f1, [%d1+4];\natom.global.add.f32 %f2, [%d0], %f1;", threads(64, 4, schedule));
    return values[0];
  };
  std::set<float> sums;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const Schedule schedule{.order = Schedule::Order::random, .seed = seed, .quantum = 3};
    const float first = sum(schedule);
    EXPECT_THAT(sum(schedule), Eq(first));
    sums.insert(first);
  }
  EXPECT_GT(sums.size(), 1u);
}

TEST(Machine, NamesTheGPU) {
  Words words(64, 99);
  Conditions conditions = threads(1, 64);
  conditions.shape.multiprocessors = 3;
  conditions.shape.blocks_per_multiprocessor = 2;
  run_on(words, own_word + "mov.u32 %r3, %smid;\nmov.u32 %r4, %nsmid;\nmad.lo.u32 %r3, %r4, 10, %r3;\nst.global.u32 [%d1], %r3;", conditions);
  EXPECT_THAT(std::set<std::uint32_t>(words.begin(), words.end()), ElementsAre(30, 31, 32));
}

TEST(Machine, SaysWhatAKernelNeeds) {
  const auto module = ptx::Module::parse(".version 9.0\n.target sm_90\n.address_size 64\n.global .align 4 .u32 counter = 3;\n.const .align 4 .b8 table[12];\n"
                                         ".visible .entry f(.param .u8 a, .param .align 16 .b8 b[20], .param .u64 c, .param .f32 d)\n.maxntid 96, 2, 1\n{\n.shared .align 8 .b8 s[100];\n.local .align 8 .b8 depot[24];\n.reg .b32 %r<4>;\n"
                                         "ld.param.f32 %r1, [d];\nst.shared.u32 [s], %r1;\nret;\n}\n");
  Program program(module);
  const Program::Attributes& attributes = program.attributes("f");
  EXPECT_THAT(attributes.parameter_offsets, ElementsAre(0, 16, 40, 48));
  EXPECT_THAT(attributes.parameter_sizes, ElementsAre(1, 20, 8, 4));
  EXPECT_THAT(attributes.parameter_bytes, Eq(52u));
  EXPECT_THAT(attributes.static_shared_bytes, Eq(100u));
  EXPECT_THAT(attributes.local_bytes, Eq(24u));
  EXPECT_THAT(attributes.constant_bytes, Eq(12u));
  EXPECT_THAT(attributes.max_threads_per_block, Eq(192));
  ASSERT_THAT(program.variable("counter").size(), Eq(4u));
  EXPECT_THAT(static_cast<int>(program.variable("counter")[0]), Eq(3));
  EXPECT_TRUE(program.variable("none").empty());
  EXPECT_THROW(program.attributes("g"), Fault);
}

TEST(Faults, AccessesOutsideOfMemory) {
  EXPECT_THAT(fault_of("ld.param.u64 %d0, [p0];\nld.global.u32 %r1, [%d0+4096];"), Pair(Kind::illegal_address, AllOf(HasSubstr("f, PTX line 13, block (0, 0, 0), thread (0, 0, 0)"), HasSubstr("4 bytes"))));
  EXPECT_THAT(fault_of(own_word + "setp.eq.u32 %p1, %r0, 9;\n@%p1 st.global.u32 [%d0+-4], %r0;").second, HasSubstr("thread (9, 0, 0)"));
  EXPECT_THAT(fault_of("ld.param.u64 %d0, [p0];\nld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%d0+8];").first, Kind::misaligned_address);
  EXPECT_THAT(fault_of("ld.param.u64 %d0, [p0];\nld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%d0+4096];").first, Kind::illegal_address);
  EXPECT_THAT(fault_of("ld.param.u64 %d0, [p0];\nst.global.u32 [%d0+2], 1;").first, Kind::misaligned_address);
  EXPECT_THAT(fault_of(".shared .align 4 .b8 s[64];\nmov.u32 %r1, s;\nld.shared.u32 %r2, [%r1+64];").first, Kind::illegal_address);
  EXPECT_THAT(fault_of(".shared .align 4 .b8 s[64];\nmov.u32 %r1, s;\nld.shared.u32 %r2, [%r1+-4];").first, Kind::illegal_address);
  EXPECT_THAT(fault_of("mov.u64 %d0, 0;\natom.global.add.u32 %r1, [%d0], 1;").first, Kind::illegal_address);
  EXPECT_THAT(fault_of(".local .align 8 .b8 l[8];\nmov.u64 %d0, l;\nst.local.u64 [%d0+8], %d0;").first, Kind::illegal_address);
}

TEST(Faults, WhatTheMachineDoesNotKnow) {
  EXPECT_THAT(fault_of("sin.approx.f32 %f1, %f2;"), Pair(Kind::unsupported, AllOf(HasSubstr("sin.approx.f32"), HasSubstr("PTX line 12"))));
  for (const char* body : {"add.rz.f32 %f1, %f2, %f3;", "ex2.approx.ftz.f32 %f1, %f2;", "add.f16 %h1, %h2, %h3;", "mov.u32 %r1, %clock64;", "div.approx.f32 %f1, %f1, %f1;", "ld.global.v8.f32 {%f1,%f1,%f1,%f1,%f1,%f1,%f1,%f1}, [%d0];",
                           "add.u32 %d1, %d1, %d1;", "cvt.f32.s32 %f1, %r1;", "ld.shared::cluster.u32 %r1, [%r2];", "prmt.b32.f4e %r1, %r2, %r3, %r4;", "shfl.down.b32 %r1, %r2, 1, 31;"}) {
    EXPECT_THAT(fault_of(body).first, Kind::unsupported) << body;
  }
}

TEST(Faults, ThreadsThatWaitForever) {
  EXPECT_THAT(fault_of("mov.u32 %r0, %tid.x;\nsetp.lt.u32 %p1, %r0, 32;\n@%p1 bar.sync 1, 64;", threads(64)), Pair(Kind::illegal_instruction, HasSubstr("32 of")));
  EXPECT_THAT(fault_of("mov.u32 %r0, %tid.x;\nsetp.lt.u32 %p1, %r0, 16;\n@%p1 bra $a;\nbar.warp.sync -1;\nret;\n$a:\nbar.warp.sync -1;").second, HasSubstr("waits forever for other threads of its warp"));
  EXPECT_THAT(fault_of("trap;"), Pair(Kind::illegal_instruction, HasSubstr("trapped")));
}

TEST(Faults, ShufflesFromLanesThatAreNotThere) {
  const std::string half = "mov.u32 %r0, %tid.x;\nsetp.ge.u32 %p1, %r0, 16;\n@%p1 ret;\n";
  EXPECT_THAT(fault_of(half + "shfl.sync.down.b32 %r1, %r0, 8, 31, -1;"), Pair(Kind::illegal_instruction, HasSubstr("reads lane 16")));
  EXPECT_THAT(fault_of("mov.u32 %r0, %tid.x;\nshfl.sync.bfly.b32 %r1, %r0, 1, 31, 0xff;").second, HasSubstr("not among those it names"));
  Words words(32);
  run_on(words, half + "shfl.sync.idx.b32 %r1, %r0, 3, 31, -1;");  // exited lanes are not waited for
}

/// The kernel of one race: what warp 0 does, a barrier or none, what the others do, on shared words `s`.
std::string race(const std::string& first, const std::string& others, bool barrier) {
  return ".shared .align 8 .b8 s[256];\nmov.u32 %r0, %tid.x;\nand.b32 %r1, %r0, 31;\nshl.b32 %r1, %r1, 2;\nmov.u32 %r2, s;\nadd.u32 %r2, %r2, %r1;\nsetp.lt.u32 %p1, %r0, 32;\n@!%p1 bra $others;\n" + first +
         (barrier ? "\nbar.sync 0;\nret;\n$others:\nbar.sync 0;\n" : "\nret;\n$others:\n") + others;
}

TEST(Races, WarpsThatTouchWordsWithoutABarrier) {
  const std::string store = "st.shared.u32 [%r2], %r0;", load = "ld.shared.u32 %r3, [%r2];", add = "atom.shared.add.u32 %r3, [%r2], 1;";
  const std::string quiet_store = "st.volatile.shared.u32 [%r2], %r0;";
  const std::pair<std::string, std::string> clashes[] = {{store, load}, {load, store}, {store, store}, {add, load}, {store, add}, {load, add}};
  for (const auto& [first, others] : clashes) {
    EXPECT_THAT(fault_of(race(first, others, false), threads(96)), Pair(Kind::race, HasSubstr("races with"))) << first << others;
    Words words(1);
    EXPECT_NO_THROW(run_on(words, race(first, others, true), threads(64))) << first << others;
    EXPECT_NO_THROW(run_on(words, race(first, others, false), threads(96, 1, {.check_races = false})));
  }
  Words words(1);
  for (const auto& [first, others] : {std::pair{load, load}, {add, add}, {quiet_store, load}, {"st.shared.u32 [%r2], 5;", "st.shared.u32 [%r2], 5;"}}) {
    EXPECT_NO_THROW(run_on(words, race(first, others, false), threads(64))) << first << others;
  }
}

TEST(Races, NeighboursInAWordDoNotClash) {
  // Warps write and read alternate halves of the same words.
  Words words(1);
  const std::string halves = ".shared .align 4 .b8 s[256];\nmov.u32 %r0, %tid.x;\nand.b32 %r1, %r0, 31;\nshl.b32 %r1, %r1, 2;\nshr.u32 %r3, %r0, 5;\nshl.b32 %r3, %r3, 1;\nadd.u32 %r1, %r1, %r3;\nmov.u32 %r2, s;\nadd.u32 %r2, %r2, %r1;\ncvt.u16.u32 %h1, %r0;\n"
                             "ld.shared.u16 %h2, [%r2];\nst.shared.u16 [%r2], %h1;\nld.shared.u16 %h2, [%r2];\nst.shared.u16 [%r2], %h2;\nadd.u16 %h2, %h2, 1;\nst.shared.u16 [%r2], %h2;";
  for (const Schedule& schedule : schedules) EXPECT_NO_THROW(run_on(words, halves, threads(64, 1, schedule)));
}

TEST(Races, LanesOfOneWarpAreOrderedByIt) {
  Words words(1);
  EXPECT_NO_THROW(run_on(words, ".shared .align 4 .b8 s[128];\nmov.u32 %r0, %tid.x;\nshl.b32 %r1, %r0, 2;\nmov.u32 %r2, s;\nadd.u32 %r1, %r1, %r2;\nst.shared.u32 [%r1], %r0;\nbar.warp.sync -1;\nxor.b32 %r3, %r1, 4;\nld.shared.u32 %r4, [%r3];\nbar.warp.sync -1;\nst.shared.u32 [%r3], %r4;"));
}

// ---- registers that share places ----------------------------------------------------------------------------------------------

/// A random program over 24 registers with branches both ways, as PTX and as what it computes.
class RandomProgram {
 public:
  explicit RandomProgram(unsigned seed) : random_(seed) {
    for (int i = 0; i < statements; ++i) {
      Statement s;
      s.kind = static_cast<int>(random_() % 8);
      s.d = pick(), s.a = pick(), s.b = pick();
      s.target = static_cast<int>(random_() % (statements + 1));
      s.constant = random_();
      program_.push_back(s);
    }
  }

  std::string text() const {
    std::string t = own_word + ".reg .b32 %v<24>;\n.reg .pred %q;\nmov.u32 %r20, 0;\n";
    for (int i = 0; i < registers; ++i) t += "mad.lo.u32 %v" + std::to_string(i) + ", %r0, " + std::to_string(i * 77 + 1) + ", " + std::to_string(i) + ";\n";
    for (int i = 0; i < statements; ++i) {
      const Statement& s = program_[static_cast<std::size_t>(i)];
      const auto v = [](int n) { return "%v" + std::to_string(n); };
      t += "$s" + std::to_string(i) + ":\n";
      switch (s.kind) {
        case 0: case 1: t += "add.u32 " + v(s.d) + ", " + v(s.a) + ", " + v(s.b) + ";\n"; break;
        case 2: t += "xor.b32 " + v(s.d) + ", " + v(s.a) + ", " + std::to_string(s.constant) + ";\n"; break;
        case 3: t += "mul.lo.u32 " + v(s.d) + ", " + v(s.a) + ", " + v(s.b) + ";\n"; break;
        case 4: t += "setp.lt.u32 %q, " + v(s.a) + ", " + v(s.b) + ";\n@%q mov.u32 " + v(s.d) + ", " + v(s.b) + ";\n"; break;
        default:  // at most 60 branches are taken
          t += "setp.lt.u32 %q, " + v(s.a) + ", " + v(s.b) + ";\nsetp.lt.and.u32 %q, %r20, 60, %q;\n@%q add.u32 %r20, %r20, 1;\n@%q bra $s" + std::to_string(s.target) + ";\n";
      }
    }
    t += "$s" + std::to_string(statements) + ":\nmov.u32 %r21, 0;\n";
    for (int i = 0; i < registers; i += 3) t += "mad.lo.u32 %r21, %r21, 31, %v" + std::to_string(i) + ";\n";
    return t + "st.global.u32 [%d1], %r21;";
  }

  std::uint32_t result(std::uint32_t thread) const {
    std::vector<std::uint32_t> v(registers);
    for (std::uint32_t i = 0; i < registers; ++i) v[i] = thread * (i * 77 + 1) + i;
    std::uint32_t taken = 0;
    for (int at = 0; at < statements;) {
      const Statement& s = program_[static_cast<std::size_t>(at++)];
      const std::uint32_t a = v[static_cast<std::size_t>(s.a)], b = v[static_cast<std::size_t>(s.b)];
      std::uint32_t& d = v[static_cast<std::size_t>(s.d)];
      switch (s.kind) {
        case 0: case 1: d = a + b; break;
        case 2: d = a ^ s.constant; break;
        case 3: d = a * b; break;
        case 4: if (a < b) d = b; break;
        default: if (a < b && taken < 60) ++taken, at = s.target;
      }
    }
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < registers; i += 3) sum = sum * 31 + v[i];
    return sum;
  }

 private:
  static constexpr int statements = 60, registers = 24;
  struct Statement {
    int kind, d, a, b, target;
    std::uint32_t constant;
  };
  int pick() { return static_cast<int>(random_() % registers); }
  std::mt19937 random_;
  std::vector<Statement> program_;
};

TEST(Registers, SharedPlacesNeverMixValues) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    const RandomProgram program(seed);
    Words words(64);
    run_on(words, program.text(), threads(64, 1, schedules[seed % schedules.size()]));
    for (std::uint32_t i = 0; i < 64; ++i) ASSERT_THAT(words[i], Eq(program.result(i))) << "seed " << seed << " thread " << i;
  }
}

}  // namespace
}  // namespace detbench::emulated
