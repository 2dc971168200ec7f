// What the kernels of cuda.cu do for the fixed order, run by the host one thread after the other, against the CPU's
// algorithm: the same functions, so the same bits on a GPU but for what a compiler could do to them.
#include "kernels/normalization/order.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "kernels/normalization/element_walk.hpp"
#include "kernels/normalization/geometry.hpp"
#include "kernels/tensor/product_sums.hpp"
#include "tests/kernels/normalization/case_runner.hpp"

namespace detbench {
namespace {

using namespace normalization;
using reduction::channel_lanes;
using reduction::channel_slots;
using reduction::channel_threads;

constexpr float epsilon = batch_norm_epsilon;

TEST(BatchNormOrder, ChunksCoverAllPixelsAndAreFew) {
  for (std::int64_t pixels : {1, 2, 127, 128, 129, 1568, 32767, 32768, 32769, 401408, 1605632, 12345678}) {
    EXPECT_LE(chunk_count(pixels), most_chunks) << pixels;
    EXPECT_EQ(chunk_pixels_of(pixels) % lanes, 0);
    std::int64_t covered = 0;
    for (std::int64_t k = 0; k < chunk_count(pixels); ++k) {
      EXPECT_EQ(k * chunk_pixels_of(pixels), covered);
      EXPECT_GT(chunk_end(k, pixels), covered);
      covered = chunk_end(k, pixels);
    }
    EXPECT_EQ(covered, pixels);
  }
}

struct Visits {
  std::vector<int>* times;
  std::vector<std::int64_t>* channels;
  std::int64_t constants(std::int64_t channel) const { return channel; }
  void operator()(std::int64_t channel, std::int64_t at) const {
    ++(*times)[static_cast<std::size_t>(at)];
    (*channels)[static_cast<std::size_t>(at)] = channel;
  }
};

template <bool ChannelsLast>
void expect_every_element_once(const reduction::ChannelMemory& memory, std::int64_t warps) {
  const auto elements = static_cast<std::size_t>(memory.pixels * memory.channels);
  std::vector<int> times(elements);
  std::vector<std::int64_t> channels(elements, -1);
  for (std::int64_t warp = 0; warp < warps; ++warp)
    for (int lane = 0; lane < 32; ++lane) visit_for_thread<ChannelsLast>(memory, warp, warps, lane, Visits{&times, &channels});
  for (std::int64_t pixel = 0; pixel < memory.pixels; ++pixel)
    for (std::int64_t channel = 0; channel < memory.channels; ++channel) {
      const auto at = static_cast<std::size_t>(memory.offset<ChannelsLast>(pixel, channel));
      ASSERT_EQ(times[at], 1) << "pixel " << pixel << " channel " << channel << " with " << warps << " warps";
      ASSERT_EQ(channels[at], channel);
    }
}

TEST(BatchNormElements, EveryElementIsVisitedOnceWithItsChannelsConstants) {
  for (const reduction::ChannelMemory& memory :
       {reduction::ChannelMemory{1, 1, 1}, {98, 49, 37}, {3 * 1025, 1025, 3}, {300, 1, 70}, {2500, 2500, 5}, {12, 3, 96}})
    for (std::int64_t extra : {0, 1, 2, 5, 64}) {
      expect_every_element_once<true>(memory, fewest_warps<true>(memory) + extra);
      expect_every_element_once<false>(memory, fewest_warps<false>(memory) + extra);
    }
}

/// Calls lane_sum(chunk, channel, lane) for every thread of every block and meet(chunk, channel, sum) for every slot.
template <bool ChannelsLast, class LaneSum, class Meet>
void for_blocks(const reduction::ChannelMemory& memory, LaneSum lane_sum, Meet meet) {
  const std::int64_t chunks = chunk_count(memory.pixels);
  for (std::int64_t block = 0; block < reduction::chunk_blocks<ChannelsLast>(chunks, memory.channels); ++block) {
    float shared[channel_lanes][channel_slots] = {};
    for (int thread = 0; thread < channel_threads; ++thread) {
      const int lane = reduction::lane_of_thread<ChannelsLast>(thread), slot = reduction::slot_of_thread<ChannelsLast>(thread);
      const auto work = reduction::slot_work<ChannelsLast>(block, slot, chunks, memory.channels);
      if (work.channel < memory.channels) shared[lane][slot] = lane_sum(work.chunk, work.channel, lane);
    }
    for (int slot = 0; slot < channel_slots; ++slot) {
      const auto work = reduction::slot_work<ChannelsLast>(block, slot, chunks, memory.channels);
      if (work.channel < memory.channels) meet(work.chunk, work.channel, reduction::fold_channel_lanes(&shared[0][slot], channel_slots));
    }
  }
}

template <bool ChannelsLast, class Stored>
class GpuSimulation {
 public:
  using Word = typename Stored::Word;
  explicit GpuSimulation(const BatchNormProblem& problem) : p(problem), memory{p.pixels(), p.height * p.width, p.channels} {}

  std::size_t place(std::int64_t chunk, std::int64_t channel) const { return static_cast<std::size_t>(chunk * p.channels + channel); }
  float load(const void* x, std::int64_t at) const { return Stored::load(static_cast<const Word*>(x)[at]); }

  void forward(const void* x, const float* gamma, const float* beta, Word* y, float* mean, float* variance) const {
    std::vector<float> sums(static_cast<std::size_t>(chunk_count(p.pixels()) * p.channels)), squares = sums;
    const auto range = [&](std::int64_t k) { return std::pair{k * chunk_pixels_of(p.pixels()), chunk_end(k, p.pixels())}; };
    const auto loading = [&](std::int64_t at) { return load(x, at); };
    for_blocks<ChannelsLast>(
        memory,
        [&](std::int64_t k, std::int64_t c, int lane) {
          float sum = 0.0f;
          reduction::for_lane<ChannelsLast>(memory, range(k).first, range(k).second, c, lane, loading, [&](float v) { sum += v; });
          return sum;
        },
        [&](std::int64_t k, std::int64_t c, float sum) { sums[place(k, c)] = sum; });
    for_blocks<ChannelsLast>(
        memory,
        [&](std::int64_t k, std::int64_t c, int lane) {
          const float center = sums[place(k, c)] / static_cast<float>(range(k).second - range(k).first);
          float square = 0.0f;
          reduction::for_lane<ChannelsLast>(memory, range(k).first, range(k).second, c, lane, loading, [&](float v) {
            const float distance = v - center;
            square += distance * distance;
          });
          return square;
        },
        [&](std::int64_t k, std::int64_t c, float square) { squares[place(k, c)] = square; });
    for (std::int64_t c = 0; c < p.channels; ++c) {
      const auto s = meet_statistics(p.pixels(), [&](std::int64_t k) { return sums[place(k, c)]; }, [&](std::int64_t k) { return squares[place(k, c)]; });
      mean[c] = s.mean, variance[c] = s.variance;
    }
    inference(x, gamma, beta, mean, variance, y);
  }

  void inference(const void* x, const float* gamma, const float* beta, const float* mean, const float* variance, Word* y) const {
    for (std::int64_t c = 0; c < p.channels; ++c) {
      const Affine affine = affine_of(gamma[c], beta[c], mean[c], variance[c], epsilon);
      for (std::int64_t pixel = 0; pixel < p.pixels(); ++pixel) {
        const std::int64_t at = memory.offset<ChannelsLast>(pixel, c);
        const float value = load(x, at) * affine.scale + affine.shift;
        y[at] = Stored::store(with_activation(p.activation, [&](auto is) { return activated<decltype(is)::value>(value); }));
      }
    }
  }

  void backward(const void* x, const void* dy, const float* mean, const float* variance, const float* gamma, const float* beta, Word* dx,
                float* diff_gamma, float* diff_beta) const {
    const auto affine = [&](std::int64_t c) { return affine_of(gamma[c], p.activation != Activation::none ? beta[c] : 0.0f, mean[c], variance[c], epsilon); };
    const auto gradient = [&](std::int64_t c, std::int64_t at) {
      const float d = load(dy, at);
      const float y = load(x, at) * affine(c).scale + affine(c).shift;
      return with_activation(p.activation, [&](auto is) { return through<decltype(is)::value>(d, y); });
    };
    std::vector<float> sums(static_cast<std::size_t>(chunk_count(p.pixels()) * p.channels)), products = sums;
    for (int which : {0, 1})
      for_blocks<ChannelsLast>(
          memory,
          [&](std::int64_t k, std::int64_t c, int lane) {
            float sum = 0.0f;
            reduction::for_lane<ChannelsLast>(memory, k * chunk_pixels_of(p.pixels()), chunk_end(k, p.pixels()), c, lane,
                                              [&](std::int64_t at) { return at; }, [&](std::int64_t at) {
                                                const float d = gradient(c, at);
                                                sum += which == 0 ? d : d * (load(x, at) - mean[c]);
                                              });
            return sum;
          },
          [&](std::int64_t k, std::int64_t c, float sum) { (which == 0 ? sums : products)[place(k, c)] = sum; });
    for (std::int64_t c = 0; c < p.channels; ++c) {
      float sum = 0.0f, product = 0.0f;
      for (std::int64_t k = 0; k < chunk_count(p.pixels()); ++k) sum += sums[place(k, c)], product += products[place(k, c)];
      const Gradients g = gradients_of(sum, product, inverse_deviation(variance[c], epsilon), p.pixels());
      diff_gamma[c] = g.diff_gamma, diff_beta[c] = g.diff_beta;
      for (std::int64_t pixel = 0; pixel < p.pixels(); ++pixel) {
        const std::int64_t at = memory.offset<ChannelsLast>(pixel, c);
        dx[at] = Stored::store(source_gradient(load(x, at), gradient(c, at), mean[c], affine(c).scale, g.offset, g.slope));
      }
    }
  }

  BatchNormProblem p;
  reduction::ChannelMemory memory;
};

template <bool ChannelsLast, class Stored>
void expect_the_cpus_bits(const Operation& operation, const Problem& problem, const testing::CaseRun& cpu) {
  const auto p = parse_batch_norm(problem).value();
  const auto specs = batch_norm_specs(p, p.layout).value();
  std::vector<std::vector<std::byte>> in, out;
  for (const auto& spec : specs.inputs) {
    in.emplace_back(spec.bytes());
    const auto fill = operation.fill(problem, spec, {InputFill::rounding, 9});
    ASSERT_TRUE(fill && fill_on_host({spec, {in.back().data(), in.back().size()}}, *fill));
  }
  for (const auto& spec : specs.outputs) out.emplace_back(spec.bytes());
  const auto values = [&](std::size_t i) { return reinterpret_cast<const float*>(in[i].data()); };
  const auto results = [&](std::size_t i) { return reinterpret_cast<float*>(out[i].data()); };
  const GpuSimulation<ChannelsLast, Stored> gpu(p);
  auto* first = reinterpret_cast<typename Stored::Word*>(out[0].data());
  if (p.backward)
    gpu.backward(in[0].data(), in[1].data(), values(2), values(3), values(4), p.activation != Activation::none ? values(5) : nullptr, first, results(1), results(2));
  else if (p.inference)
    gpu.inference(in[0].data(), values(1), values(2), values(3), values(4), first);
  else
    gpu.forward(in[0].data(), values(1), values(2), first, results(1), results(2));
  for (std::size_t i = 0; i < out.size(); ++i)
    EXPECT_EQ(std::memcmp(out[i].data(), cpu.memory[i].data(), out[i].size()), 0) << problem_id(problem) << " " << specs.outputs[i].role;
}

TEST(BatchNormOrder, TheKernelsThreadsGiveTheCpusBits) {
  const auto device = std::move(*make_cpu_device());
  for (const auto& operation : make_batch_norm_operations())
    for (const char* shape : {"mb1_c1_h1_w1", "mb3_c37_h9_w9", "mb4_c33_h24_w24", "mb200_c5_h2_w1"})
      for (const char* types : {"f32_f32_strict", "f16_f32_strict", "bf16_f32_strict"})
        for (const char* layout : {"nhwc", "nchw"}) {
          const Problem problem{std::string(operation->op()), shape, types, layout};
          const auto run = testing::run_case(*operation, problem, {"fixed_order", "chunks", {}, {}}, *device, {InputFill::rounding, 9});
          ASSERT_TRUE(run) << run.error().text;
          const bool last = std::string(layout) == "nhwc";
          const auto check = [&]<class Stored>(Stored) {
            last ? expect_the_cpus_bits<true, Stored>(*operation, problem, *run) : expect_the_cpus_bits<false, Stored>(*operation, problem, *run);
          };
          if (types[0] == 'b') check(reduction::StoredBf16{});
          else if (types[1] == '1') check(reduction::StoredF16{});
          else check(reduction::StoredF32{});
        }
}

}  // namespace
}  // namespace detbench
