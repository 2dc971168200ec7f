#include "bench/core/stressors.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <thread>

namespace detbench {
namespace {

/// Threads of this process.
int thread_count() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("Threads:", 0) == 0) return std::stoi(line.substr(8));
  return -1;
}

class CpuStressors : public testing::Test {
 protected:
  std::unique_ptr<Device> device_ = *make_cpu_device({.threads = 1});
  std::vector<std::unique_ptr<Stressor>> stressors_ = make_stressors(*device_);
};

TEST_F(CpuStressors, WorkWhileRunningAndStopWhenTold) {
  ASSERT_EQ(stressors_.size(), 3u);
  const int before = thread_count();
  for (const auto& stressor : stressors_) {
    EXPECT_EQ(stressor->work(), 0u);
    EXPECT_FALSE(stressor->running());
    ASSERT_TRUE(stressor->start(1, 5.0)) << stressor->name();
    EXPECT_TRUE(stressor->running());
    EXPECT_GT(stressor->work(), 0u);
    EXPECT_GT(thread_count(), before);
    stressor->stop();
    stressor->stop();
    EXPECT_FALSE(stressor->running());
    EXPECT_EQ(thread_count(), before);
    const auto done = stressor->work();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_EQ(stressor->work(), done);
  }
}

TEST_F(CpuStressors, StopByThemselvesAndCanBeStartedAgain) {
  for (const auto& stressor : stressors_) {
    ASSERT_TRUE(stressor->start(1, 0.03)) << stressor->name();
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (stressor->running() && std::chrono::steady_clock::now() < patience) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_FALSE(stressor->running());
    const auto first = stressor->work();
    ASSERT_TRUE(stressor->start(2, 5.0));
    EXPECT_GT(stressor->work(), first);
  }  // left running: the destructor has to end them
}

}  // namespace
}  // namespace detbench
