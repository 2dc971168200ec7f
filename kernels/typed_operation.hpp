// The frame of an operation whose problems parse into one struct P with `flops()` and a `tensors_of(P)` that lists its
// inputs and outputs: what convolution and dense layers have in common.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

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

 private:
  Result<P> parse(const Problem& problem) const {
    if (problem.op != op_) return invalid_input("'" + problem.op.substr(0, 60) + "' was given to the operation " + op_);
    return functions_.parse(problem);
  }

  std::string op_;
  TypedFunctions<P> functions_;
  std::vector<std::unique_ptr<Provider>> providers_;
};

}  // namespace detbench
