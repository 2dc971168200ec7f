#include "kernels/device/load_plan.hpp"

#include <gmock/gmock.h>

#include <set>

#include "kernels/device/stress.hpp"

namespace detbench {
namespace {

constexpr GpuShape h200{132, 233472, 230400, 2048};

TEST(LoadPlan, BurstsLeaveRoomDifferAndCoverTheLimit) {
  for (const auto kind : {GpuLoadKind::spinners, GpuLoadKind::atomic_traffic, GpuLoadKind::memory_traffic})
    for (const double limit_s : {0.001, 0.1, 2.0, 30.0}) {
      const auto bursts = plan_bursts(kind, h200, 7, limit_s);
      ASSERT_FALSE(bursts.empty());
      EXPECT_LE(bursts.size(), most_bursts);
      double covered_s = 0;
      std::set<int> blocks;
      for (const auto& burst : bursts) {
        EXPECT_GE(burst.blocks, 1);
        EXPECT_LE(burst.blocks, kind == GpuLoadKind::spinners ? 115 : 58);
        EXPECT_LE(burst.shared_bytes, h200.shared_bytes_per_multiprocessor / 2);
        EXPECT_LE(burst.threads, 256);
        EXPECT_GT(burst.duration_ns, 0u);
        covered_s += static_cast<double>(burst.duration_ns) * 1e-9;
        blocks.insert(burst.blocks);
      }
      // Drawn durations: where their number is limited, the sum is only about right.
      EXPECT_GE(covered_s, 0.9 * limit_s);
      EXPECT_GT(blocks.size(), bursts.size() > 10 ? 5u : 0u);
    }
}

TEST(LoadPlan, IsSeededAndRefusesATinyGpu) {
  const auto blocks = [](std::uint64_t seed) {
    std::vector<int> list;
    for (const auto& burst : plan_bursts(GpuLoadKind::spinners, h200, seed, 0.2)) list.push_back(burst.blocks);
    return list;
  };
  EXPECT_EQ(blocks(1), blocks(1));
  EXPECT_NE(blocks(1), blocks(2));
  EXPECT_TRUE(plan_bursts(GpuLoadKind::spinners, {1, 65536, 49152, 1024}, 1, 1).empty());
}

TEST(LoadPlan, ShortLoadsStayShort) {
  std::set<int> blocks;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const auto load = plan_short_load(132, seed);
    EXPECT_GE(load.blocks, 1);
    EXPECT_LE(load.blocks, 264);
    EXPECT_EQ(load.threads % 32, 0);
    EXPECT_GE(load.threads, 32);
    EXPECT_LE(load.threads, 256);
    EXPECT_GE(load.rounds, 1);
    EXPECT_LE(load.rounds, 128);
    blocks.insert(load.blocks);
  }
  EXPECT_GT(blocks.size(), 100u);
}

TEST(Schedule, ChangesAreCounted) {
  const BlockSchedule a{{0, 1, 2, 3}, {0, 1, 2, 3}}, b{{0, 1, 3, 2}, {1, 0, 2, 3}};
  const auto change = compare_schedules(a, b);
  EXPECT_EQ(change.blocks, 4);
  EXPECT_EQ(change.moved, 2);
  EXPECT_EQ(change.reordered, 2);
  EXPECT_EQ(compare_schedules(a, a).moved, 0);
  const auto device = *make_cpu_device({.threads = 1});
  const auto stream = *device->make_stream();
  EXPECT_FALSE(ScheduleRecorder::make(*device, *stream, 8));
}

TEST(GpuLoad, AnswersWithALoadOrTheReason) {
  if (make_cuda_device()) GTEST_SKIP() << "there is a GPU; cuda_scopes_test.cpp looks further";
  const auto load = make_gpu_load(GpuLoadKind::spinners);
  ASSERT_FALSE(load);
  EXPECT_FALSE(load.error().text.empty());
  EXPECT_EQ(load.error().text.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace detbench
