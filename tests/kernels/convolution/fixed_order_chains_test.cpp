// The GPU's chains, walked on the CPU result by result: the same functions that its kernels call, held to the bits of the
// CPU's runner.
#include "kernels/convolution/fixed_order_chains.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "kernels/convolution/operation.hpp"
#include "kernels/convolution/reference.hpp"
#include "runner.hpp"
#include "shapes.hpp"

namespace detbench {
namespace {

using namespace fixed_order;

template <class In, class Out>
std::vector<typename Out::Stored> walk(const ConvolutionProblem& problem, const void* first, const void* second) {
  const auto p = ChainShape::of(problem);
  const auto *a = static_cast<const typename In::Stored*>(first), *b = static_cast<const typename In::Stored*>(second);
  const auto elements = element_count(tensors_of(problem).outputs[0].shape);
  std::vector<typename Out::Stored> out;
  std::vector<float> parts;
  if (problem.direction == Direction::wgrad)
    for (std::int64_t chunk = 0; chunk < p.chunks; ++chunk)
      for (std::int64_t i = 0; i < elements; ++i) parts.push_back(wgrad_part<In>(p, a, b, chunk, i));
  for (std::int64_t i = 0; i < elements; ++i) {
    const float value = problem.direction == Direction::forward ? forward_result<In>(p, a, b, i)
                        : problem.direction == Direction::dgrad ? dgrad_result<In>(p, a, b, i)
                                                                : joined_chunks(parts.data(), p.chunks, elements, i);
    out.push_back(Out::narrow(value));
  }
  return out;
}

template <class In, class Out>
void expect_the_cpus_bits(const ConvolutionProblem& p) {
  const auto problem = to_problem(p);
  const auto operation = make_convolution_operation(p.direction);
  for (auto fill : {InputFill::rounding, InputFill::wide}) {
    SCOPED_TRACE(problem_id(problem) + (fill == InputFill::wide ? " wide" : ""));
    const Inputs inputs{fill, 21};
    std::vector<std::vector<std::byte>> memory;
    for (const auto& spec : tensors_of(p).inputs) {
      memory.emplace_back(spec.bytes());
      ASSERT_TRUE(fill_on_host({spec, {memory.back().data(), spec.bytes()}}, *convolution_fill(p, spec, inputs)));
    }
    const Algorithm algorithm{"fixed_order", p.direction == Direction::wgrad ? "chunked64" : "direct", {}, {}};
    const auto expected = testing::run(*operation, problem, algorithm, inputs);
    ASSERT_TRUE(expected) << expected.error().text;
    const auto got = walk<In, Out>(p, memory[0].data(), memory[1].data());
    const auto& region = expected->outputs[0].region;
    ASSERT_EQ(region.bytes, got.size() * sizeof(got[0]));
    EXPECT_EQ(std::memcmp(region.data, got.data(), region.bytes), 0);
  }
}

TEST(FixedOrderChains, HaveTheCpusBits) {
  for (auto direction : all_directions)
    for (auto p : testing::small_shapes()) {
      p.direction = direction;
      expect_the_cpus_bits<F32, F32>(p);
      const bool wgrad = direction == Direction::wgrad;
      p.types.storage = DataType::f16, p.types.weight_gradient = wgrad ? DataType::f16 : DataType::f32;
      expect_the_cpus_bits<F16, F16>(p);
      p.types.storage = DataType::bf16, p.types.weight_gradient = DataType::f32;
      if (wgrad) expect_the_cpus_bits<Bf16, F32>(p);
      else expect_the_cpus_bits<Bf16, Bf16>(p);
    }
}

}  // namespace
}  // namespace detbench
