#include <cmath>
#include <cstring>
#include <new>

#include "kernels/arithmetic_rate/chains.hpp"
#include "kernels/arithmetic_rate/fma_rate.hpp"
#include "kernels/simple_operation.hpp"
#include "kernels/tensor/product_sums.hpp"

namespace detbench {
namespace {

using namespace arithmetic_rate;

constexpr std::int64_t most_chains = std::int64_t{1} << 30, most_steps = std::int64_t{1} << 20;
constexpr const char* types = "f32_f32_strict";

std::vector<TensorSpec> vector(const char* role, std::int64_t n) { return {{role, DataType::f32, {n}, canonical_layout({n})}}; }

FillSpec source_fill(const Inputs& inputs) {
  FillSpec fill;
  fill.kind = FillSpec::Kind::uniform;
  fill.seed = inputs.seed;
  fill.stream = "fma_rate/src";
  return fill;
}

/// Chains one by one through the C library's fma, which has nothing in common with what is verified. All of them would
/// take as long as a whole comparison, so it is a sample; what is right in some is right in all, for no chain has code
/// of its own, and unwritten ones show under the poisons.
class ChainsReference final : public Reference {
 public:
  ChainsReference(const FmaRateProblem& problem, const std::vector<float>& source, std::uint64_t seed)
      : problem_(problem), indices_(sample_outputs({problem.chains}, checked_output_limit(problem.chains, problem.steps), seed)), results_(indices_.size()) {
#pragma omp parallel for schedule(static)
    for (std::size_t i = 0; i < indices_.size(); ++i) {
      float x = source[static_cast<std::size_t>(indices_[i])];
      for (std::int64_t step = 0; step < problem_.steps; ++step) x = std::fma(x, x, addend);
      results_[i] = x;
    }
  }

  Result<Verification> check(const Algorithm&, std::span<const Tensor> outputs) const override {
    if (auto same = matches_specs(outputs, vector("dst", problem_.chains), "outputs"); !same) return tl::unexpected(same.error());
    const auto* values = static_cast<const float*>(outputs[0].region.data);
    Verification found;
    found.outputs = static_cast<std::uint64_t>(problem_.chains);
    found.checked = indices_.size();
    double error_squares = 0, squares = 0;
    for (std::size_t i = 0; i < indices_.size(); ++i) {
      const float got = values[indices_[i]], expected = results_[i];
      error_squares += (double{got} - expected) * (double{got} - expected);
      squares += double{expected} * expected;
      if (std::memcmp(&got, &expected, sizeof got) == 0) continue;
      found.max_ulp = std::max(found.max_ulp, ulp_distance(DataType::f32, std::bit_cast<std::uint32_t>(got), std::bit_cast<std::uint32_t>(expected)));
      found.bound_ratio = 2;
      if (found.reason.empty())
        found.reason = "dst[" + std::to_string(indices_[i]) + "] is " + std::to_string(got) + ", should be " + std::to_string(expected) + " to the last bit";
    }
    found.relative_l2 = squares > 0 ? std::sqrt(error_squares / squares) : 0;
    found.passed = found.reason.empty();
    return found;
  }

 private:
  FmaRateProblem problem_;
  std::vector<std::int64_t> indices_;
  std::vector<float> results_;
};

Result<SimplePlanParts> parts_of(const Problem& problem) {
  const auto parsed = parse_fma_rate(problem);
  if (!parsed) return tl::unexpected(parsed.error());
  SimplePlanParts parts;
  parts.inputs = vector("src", parsed->chains);
  parts.outputs = vector("dst", parsed->chains);
  parts.alignment_bytes = sizeof(float);
  return parts;
}

Result<SimplePlanParts> cpu_parts(const Problem& problem) {
  auto parts = parts_of(problem);
  if (!parts) return parts;
  const auto p = *parse_fma_rate(problem);
  const auto& kernel = widest_chains();
  parts->notes["instruction_set"] = std::string(to_text(kernel.set));
  parts->run = [p, &kernel](std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region) {
    run_chains(kernel, static_cast<const float*>(inputs[0].region.data), static_cast<float*>(outputs[0].region.data), p.chains, p.steps);
  };
  return parts;
}

Result<SimplePlanParts> cuda_parts(const Problem& problem) {
  if (const auto present = cuda_present(); !present) return tl::unexpected(present.error());
  auto parts = parts_of(problem);
  if (!parts) return parts;
  const auto p = *parse_fma_rate(problem);
  parts->launch = [p](std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region, void* stream) {
    return cuda_chains(inputs[0].region.data, outputs[0].region.data, p.chains, p.steps, stream);
  };
  return parts;
}

class FmaRateOperation final : public SimpleOperation {
 public:
  FmaRateOperation() : SimpleOperation("fma_rate") {
    add_provider(std::make_unique<FixedOrderProvider>("chains", cpu_parts, false, cuda_parts));
    set_batch_field("n");
  }
  Result<FillSpec> fill(const Problem&, const TensorSpec& input, const Inputs& inputs) const override {
    if (input.role != "src") return invalid_input("fma_rate has no input '" + input.role + "'");
    return source_fill(inputs);
  }
  /// Every fill poses the same chains, which are verified to the last bit.
  bool has_exact_fill() const override { return false; }
  Result<std::unique_ptr<Reference>> reference(const Problem& problem, const Inputs& inputs) const override {
    const auto parsed = parse_fma_rate(problem);
    if (!parsed) return tl::unexpected(parsed.error());
    const auto source = filled_values(DataType::f32, {parsed->chains}, source_fill(inputs));
    if (!source) return tl::unexpected(source.error());
    return std::make_unique<ChainsReference>(*parsed, *source, inputs.seed);
  }

 protected:
  Result<SimpleCase> describe(const Problem& problem) const override {
    const auto parsed = parse_fma_rate(problem);
    if (!parsed) return tl::unexpected(parsed.error());
    return SimpleCase{vector("src", parsed->chains), vector("dst", parsed->chains), {parsed->flops(), 8.0 * static_cast<double>(parsed->chains)}, {}};
  }
};

}  // namespace

Result<FmaRateProblem> parse_fma_rate(const Problem& problem) {
  if (problem.op != "fma_rate") return invalid_input("'" + problem.op.substr(0, 60) + "' is not fma_rate");
  if (problem.types != types) return invalid_input(std::string("types of fma_rate are ") + types + ", not '" + problem.types.substr(0, 60) + "'");
  if (problem.layout != "vector") return invalid_input("layout of fma_rate is vector, not '" + problem.layout.substr(0, 60) + "'");
  const auto fields = read_shape(problem.shape, {{"n", 1, most_chains}, {"k", 1, most_steps}});
  if (!fields) return tl::unexpected(fields.error());
  return FmaRateProblem{(*fields)[0], (*fields)[1]};
}

Problem fma_rate_problem(std::int64_t chains, std::int64_t steps) {
  return {"fma_rate", format_shape({{"n", std::to_string(chains)}, {"k", std::to_string(steps)}}), types, "vector"};
}

std::unique_ptr<Operation> make_fma_rate_operation() { return std::make_unique<FmaRateOperation>(); }

}  // namespace detbench
