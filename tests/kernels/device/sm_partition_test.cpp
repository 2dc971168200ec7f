#include "kernels/device/sm_partition.hpp"

#include <gtest/gtest.h>

#include <set>

#include "kernels/device/placement.hpp"

namespace detbench {
namespace {

constexpr MultiprocessorLimits h200{132, 8, 8}, a100{108, 4, 2}, undivided{132, 0, 0};

TEST(SmPartition, RoundsUpToWhatTheDriverMakes) {
  EXPECT_EQ(round_partition(h200, 1), 8);
  EXPECT_EQ(round_partition(h200, 8), 8);
  EXPECT_EQ(round_partition(h200, 9), 16);
  EXPECT_EQ(round_partition(h200, 66), 72);
  EXPECT_EQ(round_partition(h200, 128), 128);
  EXPECT_EQ(round_partition(h200, 129), 0);  // 136 are not there
  EXPECT_EQ(round_partition(h200, 0), 0);
  EXPECT_EQ(round_partition(h200, -4), 0);
  EXPECT_EQ(round_partition(a100, 3), 4);
  EXPECT_EQ(round_partition(a100, 55), 56);
  EXPECT_EQ(round_partition(undivided, 64), 0);
  EXPECT_EQ(round_partition({}, 1), 0);
}

TEST(SmPartition, SizesAreDistinctPossibleAndSmallerThanTheGpu) {
  EXPECT_EQ(partition_sizes(h200, 5), (std::vector<int>{72, 40, 8, 104, 128}));
  for (const auto& limits : {h200, a100, MultiprocessorLimits{16, 8, 8}, MultiprocessorLimits{8, 8, 8}, MultiprocessorLimits{20, 2, 2}}) {
    const auto sizes = partition_sizes(limits, 100);
    EXPECT_EQ(std::set<int>(sizes.begin(), sizes.end()).size(), sizes.size());
    for (const int size : sizes) {
      EXPECT_EQ(round_partition(limits, size), size);
      EXPECT_LT(size, limits.count);
      EXPECT_GE(size, limits.smallest_partition);
    }
  }
  EXPECT_TRUE(partition_sizes(undivided, 3).empty());
  EXPECT_TRUE(partition_sizes({8, 8, 8}, 3).empty());
  EXPECT_TRUE(partition_sizes(h200, 0).empty());
}

TEST(SmPartition, TargetsNeverAreTheGpusOwnCount) {
  EXPECT_EQ(sm_count_targets(h200, 4), (std::vector<int>{66, 131, 33, 99}));
  EXPECT_EQ(sm_count_targets({2, 0, 0}, 9), (std::vector<int>{1}));
  EXPECT_TRUE(sm_count_targets({1, 0, 0}, 3).empty());
  for (const int target : sm_count_targets(h200, 200)) {
    EXPECT_GT(target, 0);
    EXPECT_LT(target, 132);
  }
  EXPECT_EQ(sm_count_targets(h200, 200).size(), 131u);
}

TEST(LoadRoom, LeavesAMultiprocessorOfEveryClusterAndHalfTheMemory) {
  constexpr std::size_t sm_bytes = 233472, block_bytes = 232448;  // sm_90
  for (int count = 1; count <= 200; ++count)
    for (const double share : {-1.0, 0.0, 0.3, 1.0, 7.0}) {
      const auto room = leave_room(count, sm_bytes, block_bytes, 2048, share, share);
      EXPECT_LE(room.blocks, count - (count + 7) / 8) << count;
      EXPECT_GE(room.blocks, count >= 2 ? 1 : 0) << count;
      EXPECT_LE(room.shared_bytes, sm_bytes / 2);
      EXPECT_EQ(room.shared_bytes % 128, 0u);
      EXPECT_LE(room.threads, 512);
    }
  EXPECT_EQ(leave_room(132, sm_bytes, block_bytes, 2048, 1, 1).blocks, 115);
  EXPECT_EQ(leave_room(132, sm_bytes, block_bytes, 2048, 1, 1).threads, 256);
  EXPECT_EQ(leave_room(1, sm_bytes, block_bytes, 2048, 1, 1).blocks, 0);
  EXPECT_EQ(leave_room(132, sm_bytes, 49152, 2048, 0.5, 1).shared_bytes, 49152u);
  int kept = 0;
  for (unsigned sm = 0; sm < 132; ++sm) kept += keeps_free(sm);
  EXPECT_EQ(kept, 17);  // as many as the count leaves
}

TEST(Placement, ATensorBeginsAtAMultipleOfItsElement) {
  DeviceConfiguration configuration;
  configuration.offset_bytes = 2;
  for (const auto& [element, offset] : {std::pair<std::size_t, std::size_t>{1, 2}, {2, 2}, {4, 4}, {8, 8}, {16, 16}}) {
    const auto placement = place(configuration, 1000, element, 0);
    ASSERT_TRUE(placement);
    EXPECT_EQ(placement->start(12345) % 4096, offset) << element;
  }
  configuration.offset_bytes = 256;
  EXPECT_EQ(place(configuration, 1000, 4, 0)->start(1) % 4096, 256u);
  configuration.alignment_bytes = 1;
  configuration.offset_bytes = 0;
  EXPECT_EQ(place(configuration, 1000, 8, 0)->start(12345) % 8, 0u);
  EXPECT_FALSE(place(configuration, 1000, 3, 0));
  EXPECT_FALSE(place(configuration, 1000, 0, 0));
  EXPECT_FALSE(place(configuration, 1000, 128, 0));
}

TEST(CpuDevice, RefusesWhatOnlyAGpuHas) {
  for (const auto& configuration : {DeviceConfiguration{.allocator = Allocator::pool}, DeviceConfiguration{.sm_count_target = 4},
                                    DeviceConfiguration{.multiprocessors = 8}}) {
    const auto device = make_cpu_device(configuration);
    ASSERT_FALSE(device);
    EXPECT_EQ(device.error().kind, Reason::Kind::unsupported);
    EXPECT_EQ(device.error().text.find('\n'), std::string::npos);
  }
  const auto device = *make_cpu_device();
  EXPECT_EQ(device->multiprocessors().count, 0);
  EXPECT_TRUE(device->usable());
}

}  // namespace
}  // namespace detbench
