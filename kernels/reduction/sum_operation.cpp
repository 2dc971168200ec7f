#include "kernels/reduction/cuda_sums.hpp"
#include "kernels/reduction/sum.hpp"
#include "kernels/reduction/sum_problem.hpp"
#include "kernels/reduction/sums_reference.hpp"

namespace detbench {
namespace {

using reduction::Elements;
using reduction::Products;
using reduction::ReferenceSum;
using reduction::SumProblem;

/// An input tensor as the operation fills it, in host memory.
template <class S>
Result<std::vector<S>> input_values(const SumProblem& sum, const char* role, const Inputs& inputs) {
  const auto fill = reduction::sum_fill(sum, role, inputs);
  if (!fill) return tl::unexpected(fill.error());
  return reduction::filled<S>(sum.stored, sum.n, *fill);
}

template <class S>
Result<ReferenceSum> exact_sum(Elements<S>*, const SumProblem& sum, const Inputs& inputs) {
  const auto x = input_values<S>(sum, "src", inputs);
  if (!x) return tl::unexpected(x.error());
  return ReferenceSum::of(Elements<S>{x->data()}, sum.n);
}

template <class S>
Result<ReferenceSum> exact_sum(Products<S>*, const SumProblem& sum, const Inputs& inputs) {
  const auto x = input_values<S>(sum, "x", inputs), y = input_values<S>(sum, "y", inputs);
  if (!x) return tl::unexpected(x.error());
  if (!y) return tl::unexpected(y.error());
  return ReferenceSum::of(Products<S>{x->data(), y->data()}, sum.n);
}

/// `sum` and `dot` have the same ladder of strategies.
class SumOperation final : public Operation {
 public:
  explicit SumOperation(bool is_dot) : is_dot_(is_dot) {
    providers_.push_back(reduction::make_openmp_sums());
    providers_.push_back(reduction::make_fixed_order_sums());
    providers_.push_back(reduction::make_order_independent_sums());
    providers_.push_back(reduction::make_tbb_sums());
    providers_.push_back(reduction::make_stdpar_sums());
    providers_.push_back(reduction::make_openblas_sums());
    providers_.push_back(reduction::make_cuda_atomic_sums());
    providers_.push_back(reduction::make_cub_sums());
    providers_.push_back(reduction::make_cublas_sums());
    providers_.push_back(reduction::make_cudnn_sums());
    providers_.push_back(reduction::make_cudnn_graph_sums());
  }

  std::string_view op() const override { return is_dot_ ? "dot" : "sum"; }

  Status check(const Problem& problem) const override {
    if (const auto sum = parse(problem); !sum) return tl::unexpected(sum.error());
    return {};
  }

  Cost cost(const Problem& problem) const override {
    const auto sum = parse(problem);
    if (!sum) return {};
    const double n = static_cast<double>(sum->n), operands = is_dot_ ? 2 : 1;
    return {is_dot_ ? 2 * n - 1 : n - 1,
            operands * n * static_cast<double>(size_of(sum->stored)) + static_cast<double>(size_of(sum->accumulator))};
  }

  const std::vector<std::unique_ptr<Provider>>& providers() const override { return providers_; }

  Result<FillSpec> fill(const Problem& problem, const TensorSpec& input, const Inputs& inputs) const override {
    const auto sum = parse(problem);
    if (!sum) return tl::unexpected(sum.error());
    return reduction::sum_fill(*sum, input.role, inputs);
  }

  Result<std::unique_ptr<Reference>> reference(const Problem& problem, const Inputs& inputs) const override {
    const auto sum = parse(problem);
    if (!sum) return tl::unexpected(sum.error());
    const auto total = reduction::with_source(*sum, [&](auto* source) { return exact_sum(source, *sum, inputs); });
    if (!total) return tl::unexpected(total.error());
    return reduction::make_sums_reference(inputs, sum->accumulator, {*total});
  }

 private:
  Result<SumProblem> parse(const Problem& problem) const {
    if (problem.op != op()) return invalid_input("'" + problem.op.substr(0, 60) + "' is not the operation " + std::string(op()));
    return reduction::parse_sum(problem);
  }

  bool is_dot_;
  std::vector<std::unique_ptr<Provider>> providers_;
};

}  // namespace

std::unique_ptr<Operation> make_sum_operation() { return std::make_unique<SumOperation>(false); }
std::unique_ptr<Operation> make_dot_operation() { return std::make_unique<SumOperation>(true); }

}  // namespace detbench
