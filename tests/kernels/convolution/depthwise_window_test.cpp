// The GPU's depthwise kernels, walked on the CPU block by block and thread by thread: the same functions that run there, held
// to the bits of the CPU's runner.
#include "kernels/convolution/depthwise_window.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "kernels/convolution/operation.hpp"
#include "kernels/convolution/reference.hpp"
#include "runner.hpp"

namespace detbench {
namespace {

using namespace fixed_order;

struct Case {
  ConvolutionProblem p;
  std::vector<std::vector<std::byte>> memory;
  testing::Run expected;
  Case(const ConvolutionProblem& problem, InputFill fill) : p(problem) {
    const Inputs inputs{fill, 22};
    for (const auto& spec : tensors_of(p).inputs) {
      memory.emplace_back(spec.bytes());
      EXPECT_TRUE(fill_on_host({spec, {memory.back().data(), spec.bytes()}}, *convolution_fill(p, spec, inputs)));
    }
    const auto operation = make_convolution_operation(p.direction);
    const auto offers = operation->find_provider("fixed_order")->offers(to_problem(p), **make_cpu_device());
    auto run = testing::run(*operation, to_problem(p), offers->front().algorithm, inputs);
    EXPECT_TRUE(run) << run.error().text;
    if (run) expected = std::move(*run);
  }
  void expect_equal(const void* got) const {
    EXPECT_EQ(std::memcmp(got, expected.outputs[0].region.data, expected.outputs[0].spec.bytes()), 0);
  }
};

template <class In, class Window>
void expect_gather(const Case& c, std::int64_t most_blocks) {
  using Work = DepthwiseGather<In, Window>;
  std::vector<typename In::Stored> out(c.expected.outputs[0].spec.bytes() / sizeof(typename In::Stored));
  std::memset(out.data(), 0xFF, out.size() * sizeof(out[0]));  // NaN: what no thread writes shows
  const auto work = Work::of(c.p, c.memory[0].data(), c.memory[1].data(), out.data(), std::is_same_v<In, F32>, most_blocks);
  EXPECT_LE(work.blocks(), most_blocks + work.tiles);
  for (std::int64_t block = 0; block < work.blocks(); ++block) {
    alignas(16) typename Work::Filters filters;
    for (auto& line : filters) std::fill(std::begin(line), std::end(line), __builtin_nanf(""));
    for (int thread = 0; thread < Work::threads; ++thread) work.stage(block, thread, filters);
    for (int thread = 0; thread < Work::threads; ++thread) work.walk(block, thread, filters);
  }
  c.expect_equal(out.data());
}

template <class In, int K, int Stride>
void expect_sums(const Case& c) {
  const auto work = DepthwiseSums<In, K, Stride>::of(c.p, c.memory[0].data(), c.memory[1].data());
  const std::int64_t size = work.p.weights(), chunks = work.p.chunks;
  std::vector<int> puts(static_cast<std::size_t>(chunks * size));
  std::vector<float> parts(puts.size()), out;
  for (std::int64_t i = 0; i < work.size(); ++i)
    work.walk(i, [&](std::int64_t weight, std::int64_t chunk, float sum) {
      parts[static_cast<std::size_t>(chunk * size + weight)] = sum;
      ++puts[static_cast<std::size_t>(chunk * size + weight)];
    });
  EXPECT_TRUE(std::ranges::all_of(puts, [](int count) { return count == 1; }));
  for (std::int64_t i = 0; i < size; ++i) out.push_back(joined_chunks(parts.data(), chunks, size, i));
  c.expect_equal(out.data());
}

template <class In, int K, int Stride>
void expect_the_cpus_bits(const ConvolutionProblem& p, InputFill fill) {
  SCOPED_TRACE(problem_id(to_problem(p)));
  ASSERT_TRUE(fits_depthwise(p));
  const Case c(p, fill);
  for (std::int64_t most_blocks : {3, 1000}) switch (p.direction) {
      case Direction::forward: expect_gather<In, DepthwiseWindow<K, Stride, false>>(c, most_blocks); break;
      case Direction::dgrad:
        p.pl % 2 == 0 || Stride == 1 ? expect_gather<In, DepthwiseWindow<K, Stride, true, 0>>(c, most_blocks)
                                     : expect_gather<In, DepthwiseWindow<K, Stride, true, 1>>(c, most_blocks);
        break;
      default: expect_sums<In, K, Stride>(c);
    }
}

template <class In>
void expect_every_window(ConvolutionProblem p, DataType type, InputFill fill) {
  p.types.storage = type;
  for (int k : {3, 5})
    for (int stride : {1, 2})
      for (auto [before, after] : {std::pair{0, 0}, {0, 1}, {1, 0}, {k / 2, k / 2}, {k - 1, 1}}) {
        p.kh = p.kw = k, p.sh = p.sw = stride, p.pt = p.pl = before, p.pb = p.pr = after;
        if (p.ih + before + after < k || p.iw + before + after < k) continue;
        if (k == 3) stride == 1 ? expect_the_cpus_bits<In, 3, 1>(p, fill) : expect_the_cpus_bits<In, 3, 2>(p, fill);
        else stride == 1 ? expect_the_cpus_bits<In, 5, 1>(p, fill) : expect_the_cpus_bits<In, 5, 2>(p, fill);
      }
}

class DepthwiseThreads : public ::testing::TestWithParam<Direction> {};

TEST_P(DepthwiseThreads, HaveTheCpusBits) {
  for (auto [channels, height, width] : {std::tuple{4, 3, 3}, {8, 7, 10}, {20, 9, 17}, {260, 6, 5}}) {
    ConvolutionProblem p;
    p.direction = GetParam();
    p.mb = 3, p.g = p.ic = p.oc = channels, p.ih = height, p.iw = width;
    for (auto fill : {InputFill::rounding, InputFill::wide}) expect_every_window<F32>(p, DataType::f32, fill);
    expect_every_window<F16>(p, DataType::f16, InputFill::rounding);
    expect_every_window<Bf16>(p, DataType::bf16, InputFill::rounding);
  }
}

TEST_P(DepthwiseThreads, SeveralChunksHaveTheCpusBits) {
  if (GetParam() != Direction::wgrad) GTEST_SKIP() << "only a weight gradient has chunks";
  ConvolutionProblem p;
  p.direction = GetParam();
  p.mb = 5, p.g = p.ic = p.oc = 37, p.ih = 41, p.iw = 43;
  ASSERT_GT(wgrad_chunks(p), 3);
  expect_every_window<F32>(p, DataType::f32, InputFill::rounding);
}

INSTANTIATE_TEST_SUITE_P(Directions, DepthwiseThreads, ::testing::ValuesIn(all_directions),
                         [](const auto& info) { return std::string(op_name(info.param)); });

}  // namespace
}  // namespace detbench
