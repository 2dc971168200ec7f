#include "kernels/reduction/sums_reference.hpp"
#include "kernels/scatter_add/scatter_add.hpp"
#include "kernels/scatter_add/scatter_problem.hpp"

namespace detbench {
namespace {

using scatter_add::ScatterProblem;

FillSpec index_fill(const ScatterProblem& problem, const Inputs& inputs) {
  FillSpec fill;
  fill.kind = FillSpec::Kind::index;
  fill.seed = inputs.seed;
  fill.stream = "scatter_add/indices";
  fill.limit = problem.index_limit();
  return fill;
}

/// All n updates could meet in one bin.
FillSpec value_fill(const ScatterProblem& problem, const Inputs& inputs) {
  return reduction::summand_fill(inputs, "scatter_add/values", DataType::f32, problem.n);
}

class ScatterAddOperation final : public Operation {
 public:
  ScatterAddOperation() {
    providers_.push_back(scatter_add::make_openmp_scatters());
    providers_.push_back(scatter_add::make_fixed_order_scatters());
    providers_.push_back(scatter_add::make_order_independent_scatters());
    providers_.push_back(scatter_add::make_cuda_atomic_scatters());
    providers_.push_back(scatter_add::make_cuda_fixed_scatters());
  }

  std::string_view op() const override { return "scatter_add"; }

  Status check(const Problem& problem) const override {
    if (const auto parsed = scatter_add::parse_scatter(problem); !parsed) return tl::unexpected(parsed.error());
    return {};
  }

  Cost cost(const Problem& problem) const override {
    const auto parsed = scatter_add::parse_scatter(problem);
    if (!parsed) return {};
    const double n = static_cast<double>(parsed->n);
    return {n, n * (sizeof(float) + sizeof(std::int32_t)) + static_cast<double>(parsed->bins) * sizeof(float)};
  }

  const std::vector<std::unique_ptr<Provider>>& providers() const override { return providers_; }

  Result<FillSpec> fill(const Problem& problem, const TensorSpec& input, const Inputs& inputs) const override {
    const auto parsed = scatter_add::parse_scatter(problem);
    if (!parsed) return tl::unexpected(parsed.error());
    if (input.role == "values") return value_fill(*parsed, inputs);
    if (input.role == "indices") return index_fill(*parsed, inputs);
    return invalid_input("a scatter_add has no input '" + input.role + "'; it has values and indices");
  }

  Result<std::unique_ptr<Reference>> reference(const Problem& problem, const Inputs& inputs) const override {
    const auto parsed = scatter_add::parse_scatter(problem);
    if (!parsed) return tl::unexpected(parsed.error());
    const auto values = reduction::filled<float>(DataType::f32, parsed->n, value_fill(*parsed, inputs));
    if (!values) return tl::unexpected(values.error());
    const auto indices = reduction::filled<std::int32_t>(DataType::i32, parsed->n, index_fill(*parsed, inputs));
    if (!indices) return tl::unexpected(indices.error());
    std::vector<reduction::ReferenceSum> sums(static_cast<std::size_t>(parsed->bins));
    for (std::size_t i = 0; i < values->size(); ++i)
      sums[static_cast<std::size_t>(scatter_add::target_bin((*indices)[i], parsed->bins, parsed->hot))].add(
          (*values)[i]);
    return reduction::make_sums_reference(inputs, DataType::f32, std::move(sums));
  }

 private:
  std::vector<std::unique_ptr<Provider>> providers_;
};

}  // namespace

std::unique_ptr<Operation> make_scatter_add_operation() { return std::make_unique<ScatterAddOperation>(); }

}  // namespace detbench
