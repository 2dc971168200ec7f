#include "kernels/reduction/sum.hpp"

#include "kernels/reduction/sum_problem.hpp"
#include "kernels/reduction/sums_reference.hpp"

namespace detbench {
namespace {

using reduction::SumProblem;

template <class T>
Result<std::unique_ptr<Reference>> reference_for(const SumProblem& sum, const Inputs& inputs, const FillSpec& fill) {
  const auto values = reduction::filled<T>(sum.type, sum.n, fill);
  if (!values) return tl::unexpected(values.error());
  reduction::ReferenceSum total;
  for (T value : *values) total.add(value);
  return reduction::make_sums_reference(inputs, sum.type, {total});
}

class SumOperation final : public Operation {
 public:
  SumOperation() {
    providers_.push_back(reduction::make_openmp_sums());
    providers_.push_back(reduction::make_fixed_order_sums());
    providers_.push_back(reduction::make_order_independent_sums());
    providers_.push_back(reduction::make_tbb_sums());
    providers_.push_back(reduction::make_stdpar_sums());
    providers_.push_back(reduction::make_cuda_atomic_sums());
    providers_.push_back(reduction::make_cuda_fixed_sums());
    providers_.push_back(reduction::make_cub_sums());
  }

  std::string_view op() const override { return "sum"; }

  Status check(const Problem& problem) const override {
    if (const auto sum = reduction::parse_sum(problem); !sum) return tl::unexpected(sum.error());
    return {};
  }

  Cost cost(const Problem& problem) const override {
    const auto sum = reduction::parse_sum(problem);
    if (!sum) return {};
    const double n = static_cast<double>(sum->n);
    return {n - 1, (n + 1) * static_cast<double>(size_of(sum->type))};
  }

  const std::vector<std::unique_ptr<Provider>>& providers() const override { return providers_; }

  Result<FillSpec> fill(const Problem& problem, const TensorSpec& input, const Inputs& inputs) const override {
    const auto sum = reduction::parse_sum(problem);
    if (!sum) return tl::unexpected(sum.error());
    if (input.role != "src") return invalid_input("a sum has no input '" + input.role + "'; it has src");
    return reduction::summand_fill(inputs, "sum/src", sum->type, sum->n);
  }

  Result<std::unique_ptr<Reference>> reference(const Problem& problem, const Inputs& inputs) const override {
    const auto sum = reduction::parse_sum(problem);
    if (!sum) return tl::unexpected(sum.error());
    const FillSpec fill = reduction::summand_fill(inputs, "sum/src", sum->type, sum->n);
    return sum->type == DataType::f64 ? reference_for<double>(*sum, inputs, fill)
                                      : reference_for<float>(*sum, inputs, fill);
  }

 private:
  std::vector<std::unique_ptr<Provider>> providers_;
};

}  // namespace

std::unique_ptr<Operation> make_sum_operation() { return std::make_unique<SumOperation>(); }

}  // namespace detbench
