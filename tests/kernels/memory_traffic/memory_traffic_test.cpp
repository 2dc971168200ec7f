#include "kernels/memory_traffic/memory_traffic.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "kernels/memory_traffic/traffic_kernels.hpp"

namespace detbench {
namespace {

using ::testing::HasSubstr;

/// One run of an algorithm on a device, inputs filled as the operation says, outputs in host memory.
struct Run {
  std::unique_ptr<Plan> plan;
  std::vector<std::unique_ptr<Buffer>> buffers;
  std::vector<Tensor> inputs, outputs;
  std::vector<std::vector<std::byte>> memory;
  std::vector<Tensor> host_outputs;
};

Result<Run> run(const Operation& operation, const Problem& problem, const Algorithm& algorithm, Device& device) {
  Run r;
  auto stream = device.make_stream();
  if (!stream) return tl::unexpected(stream.error());
  if (auto active = device.activate(); !active) return tl::unexpected(active.error());
  const auto* provider = operation.find_provider(algorithm.provider);
  if (!provider) return failure("no provider " + algorithm.provider);
  auto plan = provider->plan(problem, algorithm, device);
  if (!plan) return tl::unexpected(plan.error());
  r.plan = std::move(*plan);
  const auto allocate = [&](const std::vector<TensorSpec>& specs, std::vector<Tensor>& tensors) -> Status {
    for (const auto& spec : specs) {
      auto buffer = device.allocate(spec.bytes(), size_of(spec.type));
      if (!buffer) return tl::unexpected(buffer.error());
      tensors.push_back({spec, (*buffer)->region()});
      r.buffers.push_back(std::move(*buffer));
    }
    return {};
  };
  if (auto s = allocate(r.plan->inputs(), r.inputs); !s) return tl::unexpected(s.error());
  if (auto s = allocate(r.plan->outputs(), r.outputs); !s) return tl::unexpected(s.error());
  for (const auto& input : r.inputs) {
    const auto fill = operation.fill(problem, input.spec, {});
    if (!fill) return tl::unexpected(fill.error());
    if (auto s = device.fill(input, *fill, **stream); !s) return tl::unexpected(s.error());
  }
  for (const auto& output : r.outputs)
    if (auto s = device.poison(output.region, Poison::nan_pattern, 1, **stream); !s) return tl::unexpected(s.error());
  auto op = r.plan->bind(r.inputs, r.outputs, {}, **stream);
  if (!op) return tl::unexpected(op.error());
  if (auto s = (*op)->enqueue(); !s) return tl::unexpected(s.error());
  if (auto s = (*stream)->wait(); !s) return tl::unexpected(s.error());
  for (const auto& output : r.outputs) {
    r.memory.emplace_back(output.region.bytes);
    if (auto s = device.copy_to_host(r.memory.back().data(), output.region, **stream); !s) return tl::unexpected(s.error());
    r.host_outputs.push_back({output.spec, {r.memory.back().data(), r.memory.back().size()}});
    for (const auto& buffer : r.buffers)
      if (buffer->damaged_guard()) return failure("writes outside its memory");
  }
  return r;
}

/// Every algorithm that `device` offers, at sizes around the borders of vectors, pages and shares. Returns how many ran.
int everything_is_right(Device& device, const std::vector<std::int64_t>& sizes) {
  int ran = 0;
  for (const auto& operation : make_memory_traffic_operations())
    for (const std::int64_t bytes : sizes) {
      const auto problem = memory_traffic_problem(operation->op(), bytes);
      EXPECT_TRUE(operation->check(problem));
      const auto reference = operation->reference(problem, {});
      EXPECT_TRUE(reference);
      for (const auto& provider : operation->providers()) {
        const auto offers = provider->offers(problem, device);
        EXPECT_TRUE(offers);
        for (const auto& offer : *offers) {
          if (offer.unsupported) continue;
          const auto name = case_id(problem, offer.algorithm);
          auto result = run(*operation, problem, offer.algorithm, device);
          if (!result) {
            ADD_FAILURE() << name << ": " << result.error().text;
            continue;
          }
          ++ran;
          const auto good = (*reference)->check(offer.algorithm, result->host_outputs);
          EXPECT_TRUE(good && good->passed) << name << ": " << (good ? good->reason : good.error().text);
          // One flipped bit must show, wherever it is: in the last byte where tails are forgotten.
          for (auto* byte : {&result->memory[0].front(), &result->memory[0].back()}) {
            *byte ^= std::byte{1};
            const auto bad = (*reference)->check(offer.algorithm, result->host_outputs);
            EXPECT_TRUE(bad && !bad->passed) << name;
            *byte ^= std::byte{1};
          }
        }
      }
    }
  return ran;
}

TEST(MemoryTraffic, everyCpuAlgorithmMovesEveryByte) {
  for (const int threads : {1, 2, 3, 7}) {
    DeviceConfiguration configuration;
    configuration.threads = threads;
    auto device = make_cpu_device(configuration);
    ASSERT_TRUE(device);
    EXPECT_GE(everything_is_right(**device, {16, 48, 4096, 4096 * 3 + 16, 65536 + 2032}), 5 * 6);
  }
}

TEST(GpuMemoryTraffic, everyAlgorithmMovesEveryByte) {
  auto device = make_cuda_device();
  if (!device) GTEST_SKIP() << device.error().text;
  EXPECT_EQ(everything_is_right(**device, {16, 4096 * 3 + 16, (std::int64_t{1} << 24) + 16, std::int64_t{1} << 27}), 4 * 5);
}

// The sum changes with any word that is left out or read twice, and with nothing else.
TEST(MemoryTraffic, aSumSeesEveryWord) {
  std::vector<std::uint64_t> words(1000);
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = (i + 1) * 0x9E3779B97F4A7C15ull;
  const auto bytes = static_cast<std::int64_t>(words.size() * 8);
  std::uint64_t expected = 0;
  for (const auto word : words) expected += word;
  using memory_traffic::ReadOrder;
  for (const auto order : {ReadOrder::one_stream, ReadOrder::four_streams}) {
    EXPECT_EQ(memory_traffic::word_sum(words.data(), bytes, order), expected);
    for (auto& word : words) {
      word += 1;
      EXPECT_EQ(memory_traffic::word_sum(words.data(), bytes, order), expected + 1);
      word -= 1;
    }
  }
}

TEST(MemoryTraffic, sharesCoverABufferOnce) {
  for (const std::int64_t bytes : {16, 4096, 8208, 1 << 20})
    for (const std::int64_t team : {1, 2, 5, 64}) {
      std::int64_t at = 0;
      for (std::int64_t thread = 0; thread < team; ++thread) {
        const auto share = memory_traffic::share_of(bytes, thread, team);
        EXPECT_EQ(share.first, at);
        EXPECT_LE(share.first, share.last);
        at = share.last;
      }
      EXPECT_EQ(at, bytes);
    }
}

TEST(MemoryTraffic, refusesWhatItDoesNotUnderstand) {
  const auto refused = [](Problem problem, const char* words) {
    const auto parsed = parse_memory_traffic(problem);
    ASSERT_FALSE(parsed);
    EXPECT_THAT(parsed.error().text, HasSubstr(words));
  };
  const auto good = memory_traffic_problem("memory_copy", 1000);
  EXPECT_EQ(problem_id(good), "memory_copy/n1008/f32_f32_strict/vector");
  ASSERT_TRUE(parse_memory_traffic(good));
  EXPECT_EQ(parse_memory_traffic(good)->bytes, 1008);
  refused({"memory_move", "n64", "f32_f32_strict", "vector"}, "memory_move");
  refused({"memory_read", "n64", "f32_f32_strict", "vector"}, "f32_i64_strict");
  refused({"memory_copy", "n64", "f32_f32_strict", "nhwc"}, "vector");
  refused({"memory_copy", "n72", "f32_f32_strict", "vector"}, "try n80");
  refused({"memory_copy", "n0", "f32_f32_strict", "vector"}, "n");
}

TEST(MemoryTraffic, aCopyCountsReadAndWrite) {
  for (const auto& operation : make_memory_traffic_operations())
    EXPECT_EQ(operation->cost(memory_traffic_problem(operation->op(), 1024)).bytes, operation->op() == "memory_copy" ? 2048 : 1024);
}

}  // namespace
}  // namespace detbench
