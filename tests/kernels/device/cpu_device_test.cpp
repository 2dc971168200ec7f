#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>
#include <sched.h>

#include <cmath>
#include <cstring>
#include <set>
#include <thread>

#include "kernels/device/device.hpp"
#include "kernels/device/guard.hpp"

#ifdef __SANITIZE_ADDRESS__
// AddressSanitizer ends the program on requests that no machine can meet, unless told to refuse them as malloc does.
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }
#endif

namespace detbench {
namespace {

std::unique_ptr<Device> device_with(const DeviceConfiguration& configuration = {}) {
  auto device = make_cpu_device(configuration);
  EXPECT_TRUE(device) << device.error().text;
  return std::move(*device);
}

char* start_of(const Buffer& buffer) { return static_cast<char*>(buffer.region().data); }

TEST(CpuDevice, BuffersStartWhereTheConfigurationSays) {
  for (const std::size_t alignment : {1u, 4u, 64u, 4096u, 1u << 21}) {
    for (const std::size_t offset : {0u, 2u, 4u, 60u, 1028u}) {
      for (const std::uint64_t seed : {0u, 1u, 2u}) {
        const auto device = device_with({0, alignment, offset, seed});
        for (const std::size_t bytes : {0u, 1u, 1000u, 100000u}) {
          const auto buffer = device->allocate(bytes);
          ASSERT_TRUE(buffer);
          EXPECT_EQ((reinterpret_cast<std::uintptr_t>(start_of(**buffer)) - offset) % alignment, 0u);
          EXPECT_EQ((*buffer)->region().bytes, bytes);
          std::memset(start_of(**buffer), 0x5A, bytes);  // every byte is ours
          EXPECT_EQ((*buffer)->damaged_guard(), std::nullopt);
        }
      }
    }
  }
}

TEST(CpuDevice, PlacementSeedsMoveBuffersAgainstEachOther) {
  std::set<std::ptrdiff_t> distances;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const auto device = device_with({0, 4096, 0, seed});
    const auto a = *device->allocate(1 << 20), b = *device->allocate(1 << 20);
    distances.insert(start_of(*b) - start_of(*a));
  }
  EXPECT_GE(distances.size(), 4u);
}

TEST(CpuDevice, EveryDamagedGuardByteIsFound) {
  const auto device = device_with({0, 64, 4, 0});
  const auto buffer = *device->allocate(1000);
  char* start = start_of(*buffer);
  const auto guard = static_cast<std::ptrdiff_t>(guard_bytes);
  EXPECT_GE(guard, 4096);
  for (std::ptrdiff_t at = -guard; at < 1000 + guard; ++at) {
    if (at >= 0 && at < 1000) continue;
    const char before = start[at];
    start[at] = static_cast<char>(before ^ 1);
    ASSERT_EQ(buffer->damaged_guard(), at);
    start[at] = before;
  }
  EXPECT_EQ(buffer->damaged_guard(), std::nullopt);
  // Constants that kernels write by mistake: a zone of any 8 bytes of them cannot pass.
  for (int value = 0; value < 256; ++value) {
    std::vector<char> saved(start + 1000, start + 1008);
    std::memset(start + 1000, value, 8);
    EXPECT_NE(buffer->damaged_guard(), std::nullopt) << value;
    std::memcpy(start + 1000, saved.data(), 8);
  }
}

TEST(CpuDevice, NoMemoryIsAReason) {
  const auto device = device_with();
  for (const std::size_t bytes : {std::size_t{1} << 46, SIZE_MAX, SIZE_MAX / 2, SIZE_MAX - 8192}) {
    const auto buffer = device->allocate(bytes);
    ASSERT_FALSE(buffer) << bytes;
    EXPECT_EQ(buffer.error().kind, Reason::Kind::out_of_memory);
    EXPECT_THAT(buffer.error().text, testing::HasSubstr(std::to_string(bytes)));
  }
}

TEST(CpuDevice, BadConfigurationsAreRefused) {
  using testing::HasSubstr;
  EXPECT_THAT(make_cpu_device({-1, 64, 0, 0}).error().text, HasSubstr("threads -1"));
  EXPECT_THAT(make_cpu_device({1, 48, 0, 0}).error().text, HasSubstr("alignment_bytes 48 is not a power of two"));
  EXPECT_THAT(make_cpu_device({1, 0, 0, 0}).error().text, HasSubstr("alignment_bytes 0"));
  EXPECT_THAT(make_cpu_device({1, 64, std::size_t{1} << 40, 0}).error().text, HasSubstr("offset_bytes"));
  EXPECT_EQ(make_cpu_device({-1, 64, 0, 0}).error().kind, Reason::Kind::invalid_input);
}

TEST(CpuDevice, ActivateSetsTheThreads) {
  const int before = omp_get_max_threads();
  for (const int threads : {1, 3, 5}) {
    const auto device = device_with({threads, 4096, 0, 0});
    EXPECT_EQ(device->configuration().threads, threads);
    ASSERT_TRUE(device->activate());
    EXPECT_EQ(omp_get_max_threads(), threads);
  }
  const auto device = device_with();
  EXPECT_EQ(device->configuration().threads, available_cores());
  omp_set_num_threads(before);
  EXPECT_EQ(device->kind(), DeviceKind::cpu);
  EXPECT_FALSE(device->name().empty());
}

TEST(CpuDevice, CoresFollowTheAffinityMask) {
  cpu_set_t all;
  ASSERT_EQ(sched_getaffinity(0, sizeof all, &all), 0);
  EXPECT_LE(available_cores(), CPU_COUNT(&all));
  EXPECT_GE(available_cores(), 1);
  int first = 0;
  while (!CPU_ISSET(first, &all)) ++first;
  std::thread([&] {  // a mask belongs to a thread
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    EXPECT_EQ(available_cores(), 1);
  })
      .join();
}

TEST(CpuDevice, PoisonOverwritesEveryByteAndNoMore) {
  const auto device = device_with({0, 64, 3, 0});  // an odd address
  const auto stream = *device->make_stream();
  for (const std::size_t bytes : {1u, 7u, 8u, 1001u, 1u << 20}) {
    const auto buffer = *device->allocate(bytes);
    const auto* at = reinterpret_cast<unsigned char*>(start_of(*buffer));
    std::memset(start_of(*buffer), 0x11, bytes);
    ASSERT_TRUE(device->poison(buffer->region(), Poison::nan_pattern, 1, *stream));
    for (std::size_t i = 0; i < bytes; ++i) ASSERT_EQ(at[i], 0xFF);
    ASSERT_TRUE(device->poison(buffer->region(), Poison::zero, 1, *stream));
    for (std::size_t i = 0; i < bytes; ++i) ASSERT_EQ(at[i], 0);
    ASSERT_TRUE(device->poison(buffer->region(), Poison::random, 1, *stream));
    const std::vector<unsigned char> one(at, at + bytes);
    ASSERT_TRUE(device->poison(buffer->region(), Poison::random, 2, *stream));
    const std::vector<unsigned char> two(at, at + bytes);
    ASSERT_TRUE(device->poison(buffer->region(), Poison::random, 1, *stream));
    EXPECT_EQ(std::vector<unsigned char>(at, at + bytes), one);
    if (bytes > 8) {
      EXPECT_NE(one, two);
      std::vector<int> counts(256);
      for (const unsigned char byte : one) ++counts[byte];
      const double expected = static_cast<double>(bytes) / 256;
      for (std::size_t i = 0; i < counts.size() && bytes > 100000; ++i)
        EXPECT_NEAR(counts[i], expected, 6 * std::sqrt(expected)) << i;
    }
    EXPECT_EQ(buffer->damaged_guard(), std::nullopt);
  }
  // The pattern is a NaN in every floating-point format.
  float f;
  double d;
  const std::uint64_t ones = ~std::uint64_t{0};
  std::memcpy(&f, &ones, sizeof f);
  std::memcpy(&d, &ones, sizeof d);
  EXPECT_TRUE(std::isnan(f) && std::isnan(d));
}

TEST(CpuDevice, FillsAndDigestsAtAnyAddress) {
  const FillSpec fill{FillSpec::Kind::normal, 1, "x", 1, 1, 1};
  std::set<Digest> seen;
  for (const std::size_t offset : {0u, 4u, 20u, 1u}) {
    const auto device = device_with({0, 64, offset, offset});
    const auto stream = *device->make_stream();
    const TensorSpec spec{"x", DataType::f32, {5000}, canonical_layout({5000})};
    const auto buffer = *device->allocate(spec.bytes());
    const Tensor tensor{spec, buffer->region()};
    ASSERT_TRUE(device->fill(tensor, fill, *stream));
    seen.insert(*device->digest({&tensor, 1}, *stream));
    EXPECT_EQ(buffer->damaged_guard(), std::nullopt);
    const Tensor short_one{spec, {buffer->region().data, spec.bytes() - 1}};
    EXPECT_THAT(device->digest({&short_one, 1}, *stream).error().text,
                testing::HasSubstr("needs 20000 bytes, its memory has 19999"));
  }
  EXPECT_EQ(seen.size(), 1u);
}

TEST(CpuDevice, CopiesAndRefusesUnequalSizes) {
  const auto device = device_with();
  const auto stream = *device->make_stream();
  const auto a = *device->allocate(100), b = *device->allocate(100), c = *device->allocate(99);
  std::vector<char> in(100), out(100);
  for (int i = 0; i < 100; ++i) in[i] = static_cast<char>(i);
  ASSERT_TRUE(device->copy_from_host(a->region(), in.data(), *stream));
  ASSERT_TRUE(device->copy(b->region(), a->region(), *stream));
  ASSERT_TRUE(device->copy_to_host(out.data(), b->region(), *stream));
  EXPECT_EQ(in, out);
  EXPECT_EQ(device->copy(c->region(), a->region(), *stream).error().text, "cannot copy 100 bytes into 99");
}

TEST(CpuDevice, EventsMeasureTime) {
  const auto device = device_with();
  const auto stream = *device->make_stream(), other = *device->make_stream(-1);
  EXPECT_EQ(stream->native(), nullptr);
  const auto begin = *device->make_event(), end = *device->make_event();
  EXPECT_FALSE(end->seconds_since(*begin));
  ASSERT_TRUE(stream->record(*begin));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  ASSERT_TRUE(other->record(*end));
  ASSERT_TRUE(stream->wait());
  EXPECT_GE(*end->seconds_since(*begin), 0.02);
  EXPECT_LT(*end->seconds_since(*begin), 10);
  EXPECT_EQ(*begin->seconds_since(*end), -*end->seconds_since(*begin));
}

TEST(CpuDevice, EvictionRunsAndLeavesBuffersAlone) {
  const auto device = device_with();
  const auto stream = *device->make_stream();
  const auto buffer = *device->allocate(1 << 16);
  std::memset(start_of(*buffer), 7, 1 << 16);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(device->evict_caches(*stream));
  EXPECT_EQ(buffer->damaged_guard(), std::nullopt);
  EXPECT_EQ(start_of(*buffer)[12345], 7);
}

}  // namespace
}  // namespace detbench
