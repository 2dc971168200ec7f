// The GPU against the host: the same fills, digests, poison and guards, bit for bit. Skipped with the reason where
// there is no CUDA backend; the first test runs everywhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "kernels/device/device.hpp"
#include "kernels/device/guard.hpp"
#include "kernels/device/poison.hpp"
#include "tests/kernels/tensor/host_tensor.hpp"

namespace detbench {
namespace {

TEST(CudaBackend, AnswersWithADeviceOrTheReason) {
  const auto device = make_cuda_device();
  if (device) {
    EXPECT_EQ((*device)->kind(), DeviceKind::cuda);
    EXPECT_FALSE((*device)->name().empty());
    return;
  }
  EXPECT_EQ(device.error().kind, Reason::Kind::unsupported);
  EXPECT_THAT(device.error().text, testing::StartsWith("no CUDA backend here: "));
  EXPECT_EQ(device.error().text.find('\n'), std::string::npos);
}

class CudaDeviceTest : public testing::Test {
 protected:
  void SetUp() override {
    auto device = make_cuda_device({0, 256, 0, 0});
    if (!device) GTEST_SKIP() << device.error().text;
    device_ = std::move(*device);
    ASSERT_TRUE(device_->activate());
    stream_ = std::move(*device_->make_stream());
  }
  std::vector<std::byte> read(Region region) {
    std::vector<std::byte> bytes(region.bytes);
    const Status status = device_->copy_to_host(bytes.data(), region, *stream_);
    EXPECT_TRUE(status) << status.error().text;
    return bytes;
  }
  std::unique_ptr<Device> device_;
  std::unique_ptr<Stream> stream_;
};

TEST_F(CudaDeviceTest, FillsHaveTheHostsBitsOverTypesLayoutsSizesAndAddresses) {
  using Kind = FillSpec::Kind;
  for (const DataType type :
       {DataType::f32, DataType::f64, DataType::f16, DataType::bf16, DataType::i32, DataType::i64, DataType::u8}) {
    for (const Kind kind : {Kind::constant, Kind::integers, Kind::uniform, Kind::normal, Kind::truncated_normal, Kind::wide, Kind::index}) {
      const FillSpec fill{kind, 3, "conv_fwd/src", kind == Kind::constant ? 3 : 0.75, 10, 0.4};
      for (const Shape& shape : std::vector<Shape>{{1}, {100003}, {2, 13, 5, 37}, {2, 19, 3, 3, 21}}) {
        for (const MemoryLayout& layout : sample_layouts(shape)) {
          HostTensor host(type, shape, layout);
          randomize(host.memory, 1);
          if (!fill_on_host(host.tensor, fill)) continue;  // this kind does not exist for this type
          const auto buffer = *device_->allocate(host.memory.size());
          const Tensor tensor{host.tensor.spec, buffer->region()};
          ASSERT_TRUE(device_->poison(tensor.region, Poison::nan_pattern, 0, *stream_));
          const Status filled = device_->fill(tensor, fill, *stream_);
          ASSERT_TRUE(filled) << filled.error().text;
          ASSERT_EQ(read(tensor.region), host.memory)
              << to_text(type) << " kind " << static_cast<int>(kind) << " " << describe_layout(host.tensor.spec);
          EXPECT_EQ(buffer->damaged_guard(), std::nullopt);
        }
      }
    }
  }
}

TEST_F(CudaDeviceTest, DigestsAreTheHostsOverTypesLayoutsSizesAndAddresses) {
  for (const std::size_t offset : {0u, 16u, 8u, 4u, 2u, 1u}) {
    const auto device = *make_cuda_device({0, 256, offset, 0});
    for (const DataType type : {DataType::u8, DataType::bf16, DataType::f32, DataType::f64}) {
      for (const Shape& shape : std::vector<Shape>{
               {0}, {1}, {1023}, {4096}, {4097}, {1000003}, {2, 13, 15, 37}, {4, 28, 28, 96}, {2, 19, 3, 3, 21}}) {
        for (const MemoryLayout& layout : sample_layouts(shape)) {
          HostTensor host(type, shape, layout);
          randomize(host.memory, 2);
          const auto buffer = *device->allocate(host.memory.size());
          const Tensor tensor{host.tensor.spec, buffer->region()};
          ASSERT_TRUE(device->copy_from_host(tensor.region, host.memory.data(), *stream_));
          const auto digest = device->digest({&tensor, 1}, *stream_);
          ASSERT_TRUE(digest) << digest.error().text;
          ASSERT_EQ(to_hex(*digest), to_hex(digest_on_host({&host.tensor, 1})))
              << to_text(type) << " " << describe_layout(host.tensor.spec) << " offset " << offset;
        }
      }
    }
  }
}

TEST_F(CudaDeviceTest, DigestOfSeveralTensorsKeepsTheirOrder) {
  HostTensor a(DataType::f32, {5000}), b(DataType::f64, {33});
  randomize(a.memory, 1);
  randomize(b.memory, 2);
  const auto buffer_a = *device_->allocate(a.memory.size()), buffer_b = *device_->allocate(b.memory.size());
  ASSERT_TRUE(device_->copy_from_host(buffer_a->region(), a.memory.data(), *stream_));
  ASSERT_TRUE(device_->copy_from_host(buffer_b->region(), b.memory.data(), *stream_));
  const std::vector<Tensor> host{a.tensor, b.tensor},
      device{{a.tensor.spec, buffer_a->region()}, {b.tensor.spec, buffer_b->region()}};
  EXPECT_EQ(*device_->digest(device, *stream_), digest_on_host(host));
  const std::vector<Tensor> none;
  EXPECT_EQ(*device_->digest(none, *stream_), digest_on_host(none));
}

TEST_F(CudaDeviceTest, PoisonHasTheHostsBytesAndKeepsToTheRegion) {
  for (const std::size_t offset : {0u, 4u, 3u}) {
    const auto device = *make_cuda_device({0, 256, offset, 0});
    for (const std::size_t bytes : {0u, 1u, 7u, 8u, 1001u, 1u << 20}) {
      const auto buffer = *device->allocate(bytes);
      for (const Poison poison : {Poison::nan_pattern, Poison::zero, Poison::random}) {
        ASSERT_TRUE(device->poison(buffer->region(), poison, 9, *stream_));
        std::vector<std::byte> expected(bytes);
        poison_on_host({expected.data(), bytes}, poison, 9);
        EXPECT_EQ(read(buffer->region()), expected);
      }
      EXPECT_EQ(buffer->damaged_guard(), std::nullopt);
    }
  }
}

TEST_F(CudaDeviceTest, DamagedGuardsAreFound) {
  const auto buffer = *device_->allocate(1000);
  char* start = static_cast<char*>(buffer->region().data);
  EXPECT_EQ(buffer->damaged_guard(), std::nullopt);
  for (const std::ptrdiff_t at :
       {std::ptrdiff_t{-4096}, std::ptrdiff_t{-1}, std::ptrdiff_t{1000}, std::ptrdiff_t{1000 + 4095}}) {
    const auto position = static_cast<std::size_t>(at < 0 ? at + 4096 : at - 1000);
    const unsigned char good = guard_byte(position), bad = good ^ 1u;
    ASSERT_TRUE(device_->copy_from_host({start + at, 1}, &bad, *stream_));
    EXPECT_EQ(buffer->damaged_guard(), at);
    ASSERT_TRUE(device_->copy_from_host({start + at, 1}, &good, *stream_));
  }
  EXPECT_EQ(buffer->damaged_guard(), std::nullopt);
}

TEST_F(CudaDeviceTest, NoMemoryIsAReasonAndLeavesTheDeviceUsable) {
  const auto buffer = device_->allocate(std::size_t{1} << 46);
  ASSERT_FALSE(buffer);
  EXPECT_EQ(buffer.error().kind, Reason::Kind::out_of_memory);
  EXPECT_TRUE(device_->allocate(1000));
}

TEST_F(CudaDeviceTest, StreamsEventsAndEviction) {
  const auto high = *device_->make_stream(-100), low = *device_->make_stream(100);  // clamped to what there is
  EXPECT_NE(stream_->native(), nullptr);
  const auto begin = *device_->make_event(), end = *device_->make_event();
  ASSERT_TRUE(high->record(*begin));
  ASSERT_TRUE(device_->evict_caches(*high));
  ASSERT_TRUE(high->record(*end));
  ASSERT_TRUE(high->wait());
  EXPECT_GT(*end->seconds_since(*begin), 0);
  EXPECT_LT(*end->seconds_since(*begin), 1);
  const auto cpu = *make_cpu_device();
  const auto cpu_event = *cpu->make_event();
  EXPECT_FALSE(low->record(*cpu_event));
  EXPECT_FALSE(end->seconds_since(*cpu_event));
}

TEST_F(CudaDeviceTest, CopiesWithinTheDevice) {
  HostTensor t(DataType::u8, {12345});
  randomize(t.memory, 5);
  const auto a = *device_->allocate(12345), b = *device_->allocate(12345), c = *device_->allocate(12344);
  ASSERT_TRUE(device_->copy_from_host(a->region(), t.memory.data(), *stream_));
  ASSERT_TRUE(device_->copy(b->region(), a->region(), *stream_));
  EXPECT_EQ(read(b->region()), t.memory);
  EXPECT_FALSE(device_->copy(c->region(), a->region(), *stream_));
}

}  // namespace
}  // namespace detbench
