// What the device reads about the machine: control groups, caches, the floating-point environment.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cfenv>
#include <filesystem>
#include <fstream>
#include <thread>

#include <unistd.h>

#include "kernels/device/cores.hpp"
#include "kernels/device/cpu_cache.hpp"
#include "kernels/device/floating_point.hpp"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace detbench {
namespace {

namespace fs = std::filesystem;

class MachineFiles : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::temp_directory_path() / ("detbench_machine_" + std::to_string(::getpid()) +
                                         testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }
  void write(const fs::path& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  fs::path root_;
};

using CgroupQuota = MachineFiles;

TEST_F(CgroupQuota, Version2TakesTheSmallestOfTheGroupAndItsParents) {
  write("self", "0::/a/b\n");
  EXPECT_EQ(cgroup_cpu_quota(root_ / "cg", root_ / "self"), std::nullopt);
  write("cg/a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(cgroup_cpu_quota(root_ / "cg", root_ / "self"), std::nullopt);
  write("cg/a/cpu.max", "250000 100000\n");
  EXPECT_EQ(cgroup_cpu_quota(root_ / "cg", root_ / "self"), 2.5);
  write("cg/a/b/cpu.max", "400000 100000\n");
  EXPECT_EQ(cgroup_cpu_quota(root_ / "cg", root_ / "self"), 2.5);
  write("cg/a/b/cpu.max", "50000 100000\n");
  EXPECT_EQ(cgroup_cpu_quota(root_ / "cg", root_ / "self"), 0.5);
}

TEST_F(CgroupQuota, ContainersSeeTheirOwnGroupAsTheRoot) {
  write("self", "0::/\n");
  write("cg/cpu.max", "300000 100000\n");
  EXPECT_EQ(cgroup_cpu_quota(root_ / "cg", root_ / "self"), 3.0);
}

TEST_F(CgroupQuota, Version1) {
  write("self", "12:memory:/x\n4:cpu,cpuacct:/docker/y\n");
  write("cg/cpu/docker/y/cpu.cfs_quota_us", "150000\n");
  write("cg/cpu/docker/y/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cgroup_cpu_quota(root_ / "cg", root_ / "self"), 1.5);
  write("cg/cpu/docker/y/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(cgroup_cpu_quota(root_ / "cg", root_ / "self"), std::nullopt);
}

TEST_F(CgroupQuota, NonsenseIsNoQuota) {
  write("self", "garbage\n\n::\n");
  write("cg/cpu.max", "abc\n");
  EXPECT_EQ(cgroup_cpu_quota(root_ / "cg", root_ / "self"), std::nullopt);
  EXPECT_EQ(cgroup_cpu_quota(root_ / "missing", root_ / "missing"), std::nullopt);
}

using Caches = MachineFiles;

TEST_F(Caches, SharedCachesCountOnceAndInstructionCachesNot) {
  for (int cpu = 0; cpu < 4; ++cpu) {
    const fs::path base = "cpu" + std::to_string(cpu);
    const auto cache = [&](int index, const char* level, const char* type, const std::string& shared,
                           const char* size) {
      const fs::path folder = base / "cache" / ("index" + std::to_string(index));
      write(folder / "level", level);
      write(folder / "type", type);
      write(folder / "shared_cpu_list", shared + "\n");
      write(folder / "size", size);
    };
    cache(0, "1", "Data", std::to_string(cpu), "48K\n");
    cache(1, "1", "Instruction", std::to_string(cpu), "32K\n");
    cache(2, "2", "Unified", std::to_string(cpu), "1M\n");
    cache(3, "3", "Unified", cpu < 2 ? "0-1" : "2-3", "32768K\n");
  }
  write("cpufreq/none", "");
  EXPECT_EQ(total_cache_bytes(root_), 4 * (48u << 10) + 4 * (1u << 20) + 2 * (32u << 20));
}

TEST_F(Caches, NothingKnownIsZero) {
  EXPECT_EQ(total_cache_bytes(root_), 0u);
  EXPECT_EQ(total_cache_bytes(root_ / "missing"), 0u);
}

TEST(FloatingPoint, TheDefaultEnvironmentIsGood) {
  const Status status = check_floating_point_environment();
  EXPECT_TRUE(status) << status.error().text;
}

TEST(FloatingPoint, WhatIsSetIsNamed) {
  std::thread([] {  // the environment belongs to a thread
    std::fesetround(FE_UPWARD);
    EXPECT_THAT(check_floating_point_environment().error().text, testing::HasSubstr("rounding other than to nearest"));
    std::fesetround(FE_TONEAREST);
    EXPECT_TRUE(check_floating_point_environment());
#if defined(__x86_64__)
    const unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8000u);
    EXPECT_THAT(check_floating_point_environment().error().text, testing::HasSubstr("FTZ"));
    _mm_setcsr(before | 0x0040u);
    EXPECT_THAT(check_floating_point_environment().error().text, testing::HasSubstr("DAZ"));
    _mm_setcsr(before | 0x8040u);
    EXPECT_THAT(check_floating_point_environment().error().text,
                testing::AllOf(testing::HasSubstr("FTZ"), testing::HasSubstr("DAZ")));
    _mm_setcsr(before);
    EXPECT_TRUE(check_floating_point_environment());
#endif
  })
      .join();
}

}  // namespace
}  // namespace detbench
