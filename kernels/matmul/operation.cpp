#include "kernels/matmul/operation.hpp"

#include "kernels/matmul/reference.hpp"

namespace detbench {
namespace {

class Dense final : public Operation {
 public:
  explicit Dense(DensePass pass) : pass_(pass) {
    providers_.push_back(make_onednn_dense());
    providers_.push_back(make_fixed_order_dense());
    providers_.push_back(make_reference_dense());
  }

  std::string_view op() const override { return op_name(pass_); }

  Status check(const Problem& problem) const override {
    const auto p = parse(problem);
    return p ? Status{} : tl::unexpected(p.error());
  }

  Cost cost(const Problem& problem) const override {
    const auto p = parse(problem);
    if (!p) return {};
    Cost cost{p->flops(), 0};
    const auto tensors = tensors_of(*p);
    for (const auto* specs : {&tensors.inputs, &tensors.outputs})
      for (const auto& spec : *specs) cost.bytes += static_cast<double>(spec.bytes());
    return cost;
  }

  const std::vector<std::unique_ptr<Provider>>& providers() const override { return providers_; }

  Result<FillSpec> fill(const Problem& problem, const TensorSpec& input, const Inputs& inputs) const override {
    const auto p = parse(problem);
    if (!p) return tl::unexpected(p.error());
    return dense_fill(*p, input, inputs);
  }

  Result<std::unique_ptr<Reference>> reference(const Problem& problem, const Inputs& inputs) const override {
    const auto p = parse(problem);
    if (!p) return tl::unexpected(p.error());
    return make_dense_reference(*p, inputs);
  }

 private:
  Result<DenseProblem> parse(const Problem& problem) const {
    if (problem.op != op())
      return invalid_input("'" + problem.op.substr(0, 60) + "' was given to the operation " + std::string(op()));
    return parse_dense(problem);
  }

  DensePass pass_;
  std::vector<std::unique_ptr<Provider>> providers_;
};

}  // namespace

std::unique_ptr<Operation> make_dense_operation(DensePass pass) { return std::make_unique<Dense>(pass); }

}  // namespace detbench
