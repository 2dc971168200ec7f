// What the scopes need of a GPU: graphs, pools, green contexts, loads that end by themselves. Skipped with the reason
// where there is no CUDA backend. Every test is bounded in time.
#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include "kernels/device/device.hpp"
#include "kernels/device/launch_gate.hpp"
#include "kernels/device/sm_partition.hpp"
#include "kernels/device/stress.hpp"

namespace detbench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

class CudaScopesTest : public testing::Test {
 protected:
  void SetUp() override {
    auto device = make_cuda_device();
    if (!device) GTEST_SKIP() << device.error().text;
    device_ = std::move(*device);
    ASSERT_TRUE(device_->activate());
    stream_ = std::move(*device_->make_stream());
  }
  std::vector<unsigned char> read(Device& device, Stream& stream, Region region) {
    std::vector<unsigned char> bytes(region.bytes);
    const Status status = device.copy_to_host(bytes.data(), region, stream);
    EXPECT_TRUE(status) << status.error().text;
    return bytes;
  }
  std::unique_ptr<Device> device_;
  std::unique_ptr<Stream> stream_;
};

TEST_F(CudaScopesTest, AGraphRunsWhatWasCapturedAsOftenAsItIsAsked) {
  const auto a = *device_->allocate(4096), b = *device_->allocate(4096);
  ASSERT_TRUE(device_->poison(a->region(), Poison::random, 3, *stream_));
  const auto expected = read(*device_, *stream_, a->region());
  ASSERT_TRUE(device_->poison(b->region(), Poison::zero, 0, *stream_));
  ASSERT_TRUE(stream_->wait());

  ASSERT_TRUE(stream_->begin_capture());
  ASSERT_TRUE(device_->copy(b->region(), a->region(), *stream_));
  auto work = stream_->end_capture();
  ASSERT_TRUE(work) << work.error().text;
  EXPECT_EQ(read(*device_, *stream_, b->region()), std::vector<unsigned char>(4096, 0));  // captured, not run

  for (int round = 0; round < 3; ++round) {
    if (round == 2) {
      ASSERT_TRUE((*work)->instantiate());
    }
    ASSERT_TRUE(device_->poison(b->region(), Poison::zero, 0, *stream_));
    ASSERT_TRUE((*work)->enqueue(*stream_));
    ASSERT_TRUE(stream_->wait());
    EXPECT_EQ(read(*device_, *stream_, b->region()), expected);
  }
}

TEST_F(CudaScopesTest, ASpoiledCaptureIsAReasonAndLeavesTheStreamUsable) {
  ASSERT_TRUE(stream_->begin_capture());
  EXPECT_FALSE(stream_->wait());  // not allowed while capturing
  EXPECT_FALSE(stream_->end_capture());
  EXPECT_TRUE(stream_->wait());
  EXPECT_TRUE(device_->usable());
  ASSERT_TRUE(stream_->begin_capture());
  EXPECT_TRUE(stream_->end_capture());  // an empty graph is one too
}

TEST_F(CudaScopesTest, ThePoolGivesBackUsedMemory) {
  auto pooled = make_cuda_device({.allocator = Allocator::pool});
  if (!pooled) GTEST_SKIP() << pooled.error().text;
  const auto stream = *(*pooled)->make_stream();
  std::set<void*> addresses;
  for (int round = 0; round < 4; ++round) {
    const auto buffer = (*pooled)->allocate(1 << 20);
    ASSERT_TRUE(buffer) << buffer.error().text;
    ASSERT_TRUE((*pooled)->poison((*buffer)->region(), Poison::random, 5, *stream));
    EXPECT_EQ((*buffer)->damaged_guard(), std::nullopt);
    addresses.insert((*buffer)->region().data);
  }
  EXPECT_LT(addresses.size(), 4u);
}

TEST_F(CudaScopesTest, GreenContextsHaveTheSizeAskedForAndKeepToIt) {
  const auto limits = device_->multiprocessors();
  EXPECT_GT(limits.count, 0);
  const auto sizes = partition_sizes(limits, 3);
  if (sizes.empty()) GTEST_SKIP() << "this driver divides no GPU";
  for (const int size : sizes) {
    auto part = make_cuda_device({.multiprocessors = size});
    if (!part) GTEST_SKIP() << part.error().text;
    // A driver may round up once more, by what it does not tell.
    const int made = (*part)->configuration().multiprocessors;
    EXPECT_GE(made, size);
    EXPECT_LE(made, size + 8);
    ASSERT_TRUE((*part)->activate());
    const auto stream = *(*part)->make_stream();
    const auto recorder = ScheduleRecorder::make(**part, *stream, 16 * limits.count);
    ASSERT_TRUE(recorder) << recorder.error().text;
    const auto schedule = (*recorder)->record();
    ASSERT_TRUE(schedule) << schedule.error().text;
    const std::set<std::uint32_t> used(schedule->multiprocessor.begin(), schedule->multiprocessor.end());
    // Two more are allowed once device-side launches are loaded (cuda.h).
    EXPECT_LE(used.size(), static_cast<std::size_t>(made + 2));
    EXPECT_GE(used.size(), static_cast<std::size_t>(std::min(size, 4)));
    // Memory is the primary context's, so both may use it.
    const auto buffer = *(*part)->allocate(1000);
    ASSERT_TRUE((*part)->poison(buffer->region(), Poison::random, 1, *stream));
    ASSERT_TRUE(stream->wait());  // the device's own stream does not wait for this one
    EXPECT_EQ(read(**part, *stream, buffer->region()), read(*device_, *stream_, buffer->region()));
  }
  const auto whole = (*ScheduleRecorder::make(*device_, *stream_, 16 * limits.count))->record();
  ASSERT_TRUE(whole);
  // More than the first part, which is half of it, and what a driver may add to a part.
  EXPECT_GT(std::set<std::uint32_t>(whole->multiprocessor.begin(), whole->multiprocessor.end()).size(),
            static_cast<std::size_t>(sizes[0] + std::min(10, limits.count / 4)));
}

TEST_F(CudaScopesTest, RefusesWhatTheGpuDoesNotHave) {
  const int count = device_->multiprocessors().count;
  EXPECT_FALSE(make_cuda_device({.sm_count_target = count + 1}));
  EXPECT_FALSE(make_cuda_device({.sm_count_target = -1}));
  EXPECT_FALSE(make_cuda_device({.multiprocessors = count + 1}));
  EXPECT_TRUE(make_cuda_device({.sm_count_target = count}));
}

TEST_F(CudaScopesTest, BuffersBeginWhereThePlacementSays) {
  for (const std::size_t offset : {2u, 4u, 8u, 16u, 32u, 64u, 128u, 256u})
    for (const auto allocator : {Allocator::plain, Allocator::pool}) {
      const auto device = make_cuda_device({.offset_bytes = offset, .placement_seed = 3, .allocator = allocator});
      if (!device) continue;  // no pools
      for (const std::size_t element : {2u, 4u}) {
        const auto buffer = (*device)->allocate(1000, element);
        ASSERT_TRUE(buffer) << buffer.error().text;
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>((*buffer)->region().data) % 4096, std::max(offset, element));
        EXPECT_EQ((*buffer)->damaged_guard(), std::nullopt);
      }
    }
}

TEST_F(CudaScopesTest, LoadsWorkLeaveRoomAndEndWhenTold) {
  const auto recorder = *ScheduleRecorder::make(*device_, *stream_, device_->multiprocessors().count);
  for (const auto kind : {GpuLoadKind::spinners, GpuLoadKind::atomic_traffic, GpuLoadKind::memory_traffic}) {
    const auto load = make_gpu_load(kind);
    ASSERT_TRUE(load) << load.error().text;
    EXPECT_EQ((*load)->work(), 0u);
    EXPECT_FALSE((*load)->running());
    ASSERT_TRUE((*load)->start(1, 5.0));
    const auto begun = Clock::now();
    while ((*load)->work() == 0 && seconds_since(begun) < 1) std::this_thread::yield();
    EXPECT_GT((*load)->work(), 0u);
    EXPECT_TRUE((*load)->running());
    // Another kernel gets through meanwhile, and quickly: that is the room.
    const auto schedule = recorder->record();
    ASSERT_TRUE(schedule) << schedule.error().text;
    EXPECT_LT(seconds_since(begun), 2.0);
    EXPECT_TRUE((*load)->running());
    const auto stopping = Clock::now();
    (*load)->stop();
    (*load)->stop();
    EXPECT_LT(seconds_since(stopping), 0.5);
    EXPECT_FALSE((*load)->running());
    const auto done = (*load)->work();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_EQ((*load)->work(), done);
  }
}

TEST_F(CudaScopesTest, LoadsEndByThemselvesAndCanBeStartedAgain) {
  for (const auto kind : {GpuLoadKind::spinners, GpuLoadKind::atomic_traffic, GpuLoadKind::memory_traffic}) {
    const auto load = *make_gpu_load(kind);
    const auto begun = Clock::now();
    ASSERT_TRUE(load->start(1, 0.05));
    while (load->running() && seconds_since(begun) < 5) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_FALSE(load->running());
    EXPECT_LT(seconds_since(begun), 1.0);
    EXPECT_TRUE(device_->usable());  // waits for the GPU: it too has let go
    EXPECT_LT(seconds_since(begun), 1.0);
    const auto first = load->work();
    EXPECT_GT(first, 0u);
    ASSERT_TRUE(load->start(2, 5.0));
    const auto again = Clock::now();
    while (load->work() == first && seconds_since(again) < 1) std::this_thread::yield();
    EXPECT_GT(load->work(), first);
  }  // left running: the destructor has to end it
  EXPECT_TRUE(device_->usable());
}

TEST_F(CudaScopesTest, ALoadChangesTheSchedule) {
  const int blocks = 8 * device_->multiprocessors().count;
  const auto recorder = *ScheduleRecorder::make(*device_, *stream_, blocks);
  const auto idle = recorder->record();
  ASSERT_TRUE(idle) << idle.error().text;
  // Every block has a ticket of its own.
  EXPECT_EQ(std::set<std::uint32_t>(idle->ticket.begin(), idle->ticket.end()).size(), static_cast<std::size_t>(blocks));
  const auto load = *make_gpu_load(GpuLoadKind::spinners);
  ASSERT_TRUE(load->start(3, 2.0));
  const auto begun = Clock::now();
  while (load->work() == 0 && seconds_since(begun) < 1) std::this_thread::yield();
  int moved = 0, reordered = 0;
  for (int round = 0; round < 5; ++round) {
    const auto loaded = recorder->record();
    ASSERT_TRUE(loaded) << loaded.error().text;
    const auto change = compare_schedules(*idle, *loaded);
    moved += change.moved;
    reordered += change.reordered;
  }
  load->stop();
  EXPECT_GT(moved, 0);
  EXPECT_GT(reordered, 0);
}

TEST_F(CudaScopesTest, AGateHoldsWorkBackUntilItIsOpenedOrItsTimeIsUp) {
  const auto gate = make_launch_gate(*device_);
  ASSERT_TRUE(gate) << gate.error().text;
  const auto begin = *device_->make_event(), end = *device_->make_event();
  for (const bool opened : {false, true, true, false}) {
    ASSERT_TRUE(stream_->record(*begin));
    ASSERT_TRUE((*gate)->close(*stream_, opened ? 5.0 : 0.02));
    ASSERT_TRUE(stream_->record(*end));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    if (opened) (*gate)->open();
    ASSERT_TRUE(stream_->wait());
    EXPECT_EQ((*gate)->gave_up(), !opened);
    const auto held_s = end->seconds_since(*begin);
    ASSERT_TRUE(held_s) << held_s.error().text;
    EXPECT_GT(*held_s, opened ? 0.04 : 0.015);
    EXPECT_LT(*held_s, 2.0);
  }
}

TEST_F(CudaScopesTest, ShortLoadsEnd) {
  const auto begun = Clock::now();
  for (std::uint64_t seed = 0; seed < 50; ++seed)
    ASSERT_TRUE(enqueue_short_load(*stream_, plan_short_load(device_->multiprocessors().count, seed)));
  ASSERT_TRUE(stream_->wait());
  EXPECT_LT(seconds_since(begun), 1.0);
}

}  // namespace
}  // namespace detbench
