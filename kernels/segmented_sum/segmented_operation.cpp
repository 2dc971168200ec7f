#include "kernels/reduction/sums_reference.hpp"
#include "kernels/segmented_sum/segmented_problem.hpp"
#include "kernels/segmented_sum/segmented_sum.hpp"

namespace detbench {
namespace {

using namespace segmented_sum;

FillSpec cut_fill(const Inputs& inputs) {
  FillSpec fill;
  fill.kind = FillSpec::Kind::index;
  fill.seed = inputs.seed;
  fill.stream = "segmented_sum/cuts";
  fill.limit = cut_limit;
  return fill;
}
FillSpec source_fill(const SegmentedProblem& p, const Inputs& inputs) {
  return reduction::summand_fill(inputs, "segmented_sum/src", p.stored, p.accumulator, p.n, p.longest(), p.distribution);
}

class SegmentedSumOperation final : public Operation {
 public:
  SegmentedSumOperation() {
    providers_.push_back(make_openmp_provider());
    providers_.push_back(make_fixed_order_provider());
    providers_.push_back(make_order_independent_provider());
    providers_.push_back(make_cuda_atomic_provider());
    providers_.push_back(make_cub_provider());
  }

  std::string_view op() const override { return "segmented_sum"; }
  Status check(const Problem& problem) const override {
    if (const auto p = parse_segmented(problem); !p) return tl::unexpected(p.error());
    return {};
  }
  Cost cost(const Problem& problem) const override {
    const auto p = parse_segmented(problem);
    if (!p) return {};
    return {static_cast<double>(p->n), static_cast<double>(p->src().bytes() + p->cuts().bytes() + p->dst().bytes())};
  }
  const std::vector<std::unique_ptr<Provider>>& providers() const override { return providers_; }

  Result<FillSpec> fill(const Problem& problem, const TensorSpec& input, const Inputs& inputs) const override {
    const auto p = parse_segmented(problem);
    if (!p) return tl::unexpected(p.error());
    if (input.role == "src") return source_fill(*p, inputs);
    if (input.role == "cuts") return cut_fill(inputs);
    return invalid_input("a segmented_sum has no input '" + input.role + "'; it has src and cuts");
  }

  Result<std::unique_ptr<Reference>> reference(const Problem& problem, const Inputs& inputs) const override {
    const auto p = parse_segmented(problem);
    if (!p) return tl::unexpected(p.error());
    const auto cuts = reduction::filled<std::int64_t>(DataType::i64, p->segments + 1, cut_fill(inputs));
    if (!cuts) return tl::unexpected(cuts.error());
    const Segments segments{p->n, p->segments, p->skewed, cuts->data()};
    return with_stored(p->stored, [&](auto stored) -> Result<std::unique_ptr<Reference>> {
      const auto values = reduction::filled<decltype(stored)>(p->stored, p->n, source_fill(*p, inputs));
      if (!values) return tl::unexpected(values.error());
      std::vector<reduction::ReferenceSum> sums(static_cast<std::size_t>(p->segments));
      for (std::int64_t s = 0; s < p->segments; ++s)
        for (std::int64_t i = segments.offset(s); i < segments.offset(s + 1); ++i)
          sums[static_cast<std::size_t>(s)].add(reduction::widened((*values)[static_cast<std::size_t>(i)]));
      return reduction::make_sums_reference(inputs, p->accumulator, std::move(sums));
    });
  }

 private:
  std::vector<std::unique_ptr<Provider>> providers_;
};

}  // namespace

std::unique_ptr<Operation> make_segmented_sum_operation() { return std::make_unique<SegmentedSumOperation>(); }

}  // namespace detbench
