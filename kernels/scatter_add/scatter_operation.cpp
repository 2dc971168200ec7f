#include <new>

#include "kernels/reduction/sums_reference.hpp"
#include "kernels/scatter_add/scatter_add.hpp"
#include "kernels/scatter_add/strategies.hpp"
#include "kernels/tensor/float_formats.hpp"

namespace detbench {
namespace {

using scatter_add::Kind;
using scatter_add::ScatterProblem;

/// A tensor of the problem in host memory, as the fill gives it.
Result<std::vector<std::byte>> filled_bytes(const TensorSpec& spec, const FillSpec& fill) {
  std::vector<std::byte> bytes;
  try {
    bytes.resize(spec.bytes());
  } catch (const std::bad_alloc&) {
    return failure("the reference needs " + std::to_string(spec.bytes() >> 20) + " MiB of host memory", Reason::Kind::out_of_memory);
  }
  if (auto status = fill_on_host({spec, {bytes.data(), bytes.size()}}, fill); !status) return tl::unexpected(status.error());
  return bytes;
}

double value_at(const std::byte* bytes, DataType type, std::int64_t i) {
  switch (type) {
    case DataType::f64: return reinterpret_cast<const double*>(bytes)[i];
    case DataType::f16: return float_from_f16(reinterpret_cast<const std::uint16_t*>(bytes)[i]);
    case DataType::bf16: return float_from_bf16(reinterpret_cast<const std::uint16_t*>(bytes)[i]);
    default: return reinterpret_cast<const float*>(bytes)[i];
  }
}

/// Bins of 16 bits that every addition rounds stop growing where a value falls below half a unit of the sum: their errors
/// all have one sign, and only the bound for the worst case, K u sum|x|, holds.
class RoundedEachTime final : public Reference {
 public:
  explicit RoundedEachTime(std::unique_ptr<Reference> inner) : inner_(std::move(inner)) {}
  Result<Verification> check(const Algorithm& algorithm, std::span<const Tensor> outputs) const override {
    Algorithm loose = algorithm;
    if (loose.claim.guarantee == Guarantee::not_guaranteed) loose.bound_constant = 0x1p30;
    return inner_->check(loose, outputs);
  }

 private:
  std::unique_ptr<Reference> inner_;
};

class ScatterOperation final : public Operation {
 public:
  explicit ScatterOperation(Kind kind) : kind_(kind) {
    providers_.push_back(scatter_add::make_openmp_scatters());
    providers_.push_back(scatter_add::make_fixed_order_scatters());
    providers_.push_back(scatter_add::make_order_independent_scatters());
    providers_.push_back(scatter_add::make_cuda_atomic_scatters());
  }

  std::string_view op() const override { return to_text(kind_); }

  Status check(const Problem& problem) const override {
    if (const auto parsed = parse(problem); !parsed) return tl::unexpected(parsed.error());
    return {};
  }

  Cost cost(const Problem& problem) const override {
    const auto parsed = parse(problem);
    if (!parsed) return {};
    Cost cost{static_cast<double>(parsed->values()), static_cast<double>(output_spec(*parsed).bytes())};
    for (const TensorSpec& spec : input_specs(*parsed)) cost.bytes += static_cast<double>(spec.bytes());
    return cost;
  }

  const std::vector<std::unique_ptr<Provider>>& providers() const override { return providers_; }

  Result<FillSpec> fill(const Problem& problem, const TensorSpec& input, const Inputs& inputs) const override {
    const auto parsed = parse(problem);
    if (!parsed) return tl::unexpected(parsed.error());
    return input_fill(*parsed, input.role, inputs);
  }

  Result<std::unique_ptr<Reference>> reference(const Problem& problem, const Inputs& inputs) const override {
    const auto parsed = parse(problem);
    if (!parsed) return tl::unexpected(parsed.error());
    const auto specs = input_specs(*parsed);
    std::vector<std::vector<std::byte>> memory;
    for (const TensorSpec& spec : specs) {
      const auto how = input_fill(*parsed, spec.role, inputs);
      if (!how) return tl::unexpected(how.error());
      auto bytes = filled_bytes(spec, *how);
      if (!bytes) return tl::unexpected(bytes.error());
      memory.push_back(std::move(*bytes));
    }
    auto targets = scatter_add::make_targets(parsed->n, parsed->bins, parsed->hot, parsed->layout);
    if (parsed->has_samples()) targets.samples = reinterpret_cast<const float*>(memory[1].data());
    else targets.indices = reinterpret_cast<const std::int32_t*>(memory[1].data());
    std::vector<reduction::ReferenceSum> sums(static_cast<std::size_t>(parsed->outputs()));
    for (std::int64_t update = 0; update < parsed->n; ++update) {
      const std::int64_t first = target_of(targets, update) * parsed->width;
      for (std::int64_t j = 0; j < parsed->width; ++j)
        sums[static_cast<std::size_t>(first + j)].add(value_at(memory[0].data(), parsed->stored, update * parsed->width + j));
    }
    auto reference = reduction::make_sums_reference(inputs, parsed->bin, std::move(sums));
    if (size_of(parsed->bin) == 2) reference = std::make_unique<RoundedEachTime>(std::move(reference));
    return reference;
  }

 private:
  Result<ScatterProblem> parse(const Problem& problem) const {
    if (problem.op != op()) return invalid_input("'" + problem.op.substr(0, 60) + "' is not the operation " + std::string(op()));
    return scatter_add::parse_scatter(problem);
  }

  Kind kind_;
  std::vector<std::unique_ptr<Provider>> providers_;
};

}  // namespace

std::unique_ptr<Operation> make_scatter_add_operation() { return std::make_unique<ScatterOperation>(Kind::scatter_add); }
std::unique_ptr<Operation> make_index_add_operation() { return std::make_unique<ScatterOperation>(Kind::index_add); }
std::unique_ptr<Operation> make_weighted_histogram_operation() { return std::make_unique<ScatterOperation>(Kind::weighted_histogram); }

}  // namespace detbench
