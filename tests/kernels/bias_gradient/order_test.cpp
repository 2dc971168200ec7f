// The index arithmetic that CPU and GPU share, against plain loops: what the kernels of cuda.cu do, thread by thread.
#include "kernels/bias_gradient/order.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

#include "kernels/bias_gradient/chunk_sums.hpp"
#include "tests/kernels/normalization/case_runner.hpp"

namespace detbench {
namespace {

using namespace reduction;

struct Sizes {
  std::int64_t images, plane, channels;
};
const Sizes sizes[] = {{1, 1, 1}, {2, 49, 37}, {3, 81, 5}, {300, 1, 33}, {5, 3, 64}, {1, 1000, 2}, {7, 130, 31}, {2, 12544, 3}};

template <bool ChannelsLast>
void expect_walks_to_visit_plain_offsets(const Sizes& s) {
  const ChannelMemory memory{s.images * s.plane, s.plane, s.channels};
  for (std::int64_t channel = 0; channel < s.channels; channel += 3)
    for (std::int64_t first = 0; first < memory.pixels; first += 97)
      for (int lane = 0; lane < channel_lanes; ++lane) {
        const std::int64_t last = std::min<std::int64_t>(first + 250, memory.pixels);
        std::vector<std::int64_t> expected, visited;
        for (std::int64_t n = 0, pixel = 0; n < s.images; ++n)
          for (std::int64_t i = 0; i < s.plane; ++i, ++pixel)
            if (pixel >= first && pixel < last && (pixel - first) % channel_lanes == lane)
              expected.push_back(ChannelsLast ? (n * s.plane + i) * s.channels + channel : (n * s.channels + channel) * s.plane + i);
        for_lane<ChannelsLast>(memory, first, last, channel, lane, [](std::int64_t offset) { return offset; },
                               [&](std::int64_t offset) { visited.push_back(offset); });
        ASSERT_EQ(visited, expected) << s.images << " x " << s.plane << " x " << s.channels << " from " << first << " lane " << lane;
      }
}

TEST(ChannelChunks, LanesVisitEveryEighthPixelInOrder) {
  for (const auto& s : sizes) {
    if (s.plane > 1000) continue;
    expect_walks_to_visit_plain_offsets<true>(s);
    expect_walks_to_visit_plain_offsets<false>(s);
  }
}

template <bool ChannelsLast>
void expect_slots_to_cover(std::int64_t chunks, std::int64_t channels) {
  std::vector<int> seen(static_cast<std::size_t>(chunks * channels));
  for (std::int64_t block = 0; block < chunk_blocks<ChannelsLast>(chunks, channels); ++block)
    for (int slot = 0; slot < channel_slots; ++slot) {
      const SlotWork work = slot_work<ChannelsLast>(block, slot, chunks, channels);
      if (work.channel >= channels) continue;
      ASSERT_TRUE(work.chunk >= 0 && work.chunk < chunks && work.channel >= 0);
      ++seen[static_cast<std::size_t>(work.chunk * channels + work.channel)];
    }
  for (int times : seen) ASSERT_EQ(times, 1) << chunks << " chunks of " << channels << " channels";
}

TEST(ChannelChunks, BlocksCoverEveryChunkOfEveryChannelOnce) {
  for (std::int64_t chunks : {1, 2, 31, 32, 33, 257})
    for (std::int64_t channels : {1, 2, 31, 32, 33, 96, 130}) {
      expect_slots_to_cover<true>(chunks, channels);
      expect_slots_to_cover<false>(chunks, channels);
    }
}

template <bool ChannelsLast>
void expect_threads_to_be_slots_and_lanes() {
  std::vector<int> seen(channel_threads);
  for (int thread = 0; thread < channel_threads; ++thread) {
    const int lane = lane_of_thread<ChannelsLast>(thread), slot = slot_of_thread<ChannelsLast>(thread);
    ASSERT_TRUE(lane >= 0 && lane < channel_lanes && slot >= 0 && slot < channel_slots);
    ++seen[static_cast<std::size_t>(lane * channel_slots + slot)];
  }
  for (int times : seen) ASSERT_EQ(times, 1);
}
TEST(ChannelChunks, EveryThreadIsOneLaneOfOneSlot) {
  expect_threads_to_be_slots_and_lanes<true>();
  expect_threads_to_be_slots_and_lanes<false>();
}

TEST(BiasGradientOrder, RunsAreNodesOfTheTreeOverChunks) {
  std::mt19937 random(3);
  for (std::int64_t chunks : {1, 2, 3, 127, 128, 129, 255, 256, 257, 300, 1000, 1568, 5000}) {
    const std::int64_t stride = 3;
    std::vector<float> partials(static_cast<std::size_t>(chunks * stride));
    for (float& p : partials) p = std::ldexp(static_cast<float>(static_cast<int>(random() >> 8)) - 8388608.0f, static_cast<int>(random() % 20));
    std::vector<float> nodes;
    for (std::int64_t i = 0; i < chunks; ++i) nodes.push_back(partials[static_cast<std::size_t>(i * stride + 1)]);
    const float expected = join_pairs(nodes.data(), chunks);
    float roots[bias_gradient::join_runs];
    for (int run = 0; run < bias_gradient::join_runs; ++run) roots[run] = bias_gradient::join_run(partials.data() + 1, stride, chunks, run);
    for (int distance = 1; distance < bias_gradient::join_runs; distance *= 2)
      for (int run = 0; run < bias_gradient::join_runs; run += 2 * distance) roots[run] += roots[run + distance];
    EXPECT_EQ(float_bits(roots[0]), float_bits(expected)) << chunks;
  }
}

/// The two kernels of the fixed order, run by the host one thread after the other.
template <bool ChannelsLast, class Stored>
std::vector<float> as_on_a_gpu(const void* x, const BiasGradientProblem& p) {
  const ChannelMemory memory{p.pixels(), p.height * p.width, p.channels};
  const std::int64_t chunks = bias_gradient::chunk_count(p.pixels());
  std::vector<float> partials(static_cast<std::size_t>(chunks * p.channels)), sums(static_cast<std::size_t>(p.channels));
  for (std::int64_t block = 0; block < chunk_blocks<ChannelsLast>(chunks, p.channels); ++block) {
    float lanes[channel_lanes][channel_slots];
    for (int thread = 0; thread < channel_threads; ++thread) {
      const int lane = lane_of_thread<ChannelsLast>(thread), slot = slot_of_thread<ChannelsLast>(thread);
      const auto work = slot_work<ChannelsLast>(block, slot, chunks, p.channels);
      if (work.channel < p.channels)
        lanes[lane][slot] = bias_gradient::lane_sum<ChannelsLast, Stored>(static_cast<const typename Stored::Word*>(x), memory, work.chunk, work.channel, lane);
    }
    for (int slot = 0; slot < channel_slots; ++slot) {
      const auto work = slot_work<ChannelsLast>(block, slot, chunks, p.channels);
      if (work.channel < p.channels)
        partials[static_cast<std::size_t>(work.chunk * p.channels + work.channel)] = fold_channel_lanes(&lanes[0][slot], channel_slots);
    }
  }
  for (std::int64_t channel = 0; channel < p.channels; ++channel) {
    float roots[bias_gradient::join_runs];
    for (int run = 0; run < bias_gradient::join_runs; ++run) roots[run] = bias_gradient::join_run(partials.data() + channel, p.channels, chunks, run);
    for (int distance = 1; distance < bias_gradient::join_runs; distance *= 2)
      for (int run = 0; run < bias_gradient::join_runs; run += 2 * distance) roots[run] += roots[run + distance];
    sums[static_cast<std::size_t>(channel)] = canonical_nan(roots[0]);
  }
  return sums;
}

template <bool ChannelsLast>
std::vector<float> as_on_a_gpu(const void* x, const BiasGradientProblem& p) {
  switch (p.types.storage) {
    case DataType::f16: return as_on_a_gpu<ChannelsLast, StoredF16>(x, p);
    case DataType::bf16: return as_on_a_gpu<ChannelsLast, StoredBf16>(x, p);
    default: return as_on_a_gpu<ChannelsLast, StoredF32>(x, p);
  }
}

TEST(BiasGradientOrder, TheKernelsThreadsGiveTheCpusBits) {
  const auto operation = make_bias_gradient_operation();
  const auto device = std::move(*make_cpu_device());
  for (const char* shape : {"mb1_c1_h1_w1", "mb2_c37_h9_w9", "mb3_c64_h16_w15", "mb40_c5_h33_w7"})
    for (const char* types : {"f32_f32_strict", "f16_f32_strict", "bf16_f32_strict"})
      for (const char* layout : {"nhwc", "nchw"}) {
        const Problem problem{"bias_grad", shape, types, layout};
        const auto p = parse_bias_gradient(problem).value();
        const auto run = testing::run_case(*operation, problem, {"fixed_order", "chunk_tree", {}, {}}, *device, {InputFill::rounding, 9});
        ASSERT_TRUE(run) << run.error().text;
        const auto spec = p.diff_dst();
        std::vector<std::byte> x(spec.bytes());
        const auto fill = operation->fill(problem, spec, {InputFill::rounding, 9});
        ASSERT_TRUE(fill_on_host({spec, {x.data(), x.size()}}, *fill));
        const auto sums = p.channels_last ? as_on_a_gpu<true>(x.data(), p) : as_on_a_gpu<false>(x.data(), p);
        EXPECT_EQ(std::memcmp(sums.data(), run->memory[0].data(), run->memory[0].size()), 0) << problem_id(problem);
      }
}

}  // namespace
}  // namespace detbench
