// The frame of an operation whose problems parse into one struct P with `flops()`, a `tensors_of(P)` that lists its inputs
// and outputs and, where it has a batch, its size `mb` and a `to_problem(P)`: what convolution and dense layers have in
// common.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/batch_variant.hpp"
#include "kernels/op.hpp"

namespace detbench {

template <class P>
struct TypedFunctions {
  Result<P> (*parse)(const Problem&);
  Result<FillSpec> (*fill)(const P&, const TensorSpec& input, const Inputs&);
  Result<std::unique_ptr<Reference>> (*reference)(const P&, const Inputs&);
};

template <class P>
class TypedOperation final : public Operation {
 public:
  TypedOperation(std::string_view op, TypedFunctions<P> functions) : op_(op), functions_(functions) {}
  void add(std::unique_ptr<Provider> provider) { providers_.push_back(std::move(provider)); }

  std::string_view op() const override { return op_; }
  const std::vector<std::unique_ptr<Provider>>& providers() const override { return providers_; }

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

  Result<FillSpec> fill(const Problem& problem, const TensorSpec& input, const Inputs& inputs) const override {
    const auto p = parse(problem);
    if (!p) return tl::unexpected(p.error());
    return functions_.fill(*p, input, inputs);
  }

  Result<std::unique_ptr<Reference>> reference(const Problem& problem, const Inputs& inputs) const override {
    const auto p = parse(problem);
    if (!p) return tl::unexpected(p.error());
    return functions_.reference(*p, inputs);
  }

  Result<std::int64_t> batch_size(const Problem& problem) const override {
    if constexpr (has_batch) {
      const auto p = parse(problem);
      if (!p) return tl::unexpected(p.error());
      // Asked for one sample more, so that an output that sums over the batch is told from one that holds it.
      const auto variant = variant_of(*p, p->mb + 1, 0);
      if (!variant) return tl::unexpected(variant.error());
      return p->mb;
    } else {
      return Operation::batch_size(problem);
    }
  }
  Result<BatchVariant> in_batch(const Problem& problem, std::int64_t batch, std::int64_t position) const override {
    if constexpr (has_batch) {
      const auto p = parse(problem);
      if (!p) return tl::unexpected(p.error());
      return variant_of(*p, batch, position);
    } else {
      return Operation::in_batch(problem, batch, position);
    }
  }

 private:
  static constexpr bool has_batch = requires(P p) { p.mb; };

  template <class Q>
  Result<BatchVariant> variant_of(const Q& p, std::int64_t batch, std::int64_t position) const {
    Q larger = p;
    larger.mb = batch;
    const auto before = tensors_of(p), after = tensors_of(larger);
    auto variant = make_batch_variant(to_problem(larger), {before.inputs, before.outputs}, {after.inputs, after.outputs}, p.mb,
                                      batch, position);
    if (!variant) return variant;
    // The larger problem may be out of bounds where the smaller one is not.
    if (const auto parsed = parse(variant->problem); !parsed) return tl::unexpected(parsed.error());
    return variant;
  }
  Result<P> parse(const Problem& problem) const {
    if (problem.op != op_) return invalid_input("'" + problem.op.substr(0, 60) + "' was given to the operation " + op_);
    return functions_.parse(problem);
  }

  std::string op_;
  TypedFunctions<P> functions_;
  std::vector<std::unique_ptr<Provider>> providers_;
};

}  // namespace detbench
