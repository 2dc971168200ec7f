// The common frame of the small operations (activation, pooling, loss, optimizer, normalization): specs of the tensors,
// an fp64 evaluation with an error bound per output element, and the comparison with what an algorithm gave.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <bit>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernels/batch_variant.hpp"
#include "kernels/op.hpp"
#include "kernels/tensor/compare.hpp"
#include "kernels/tensor/fill.hpp"

namespace detbench {

/// Half the distance from 1 to the next float: the relative error of one correctly rounded f32 operation.
inline constexpr double unit_roundoff_f32 = 0x1p-24;

/// The fp64 answer for one output, in canonical order. A value passes when it lies within `bound` of `value`, or of
/// `alternative` where that is given: next to a kink both sides of it are right answers.
struct Expected {
  std::vector<double> value, bound, alternative;
};

/// Compares outputs in host memory (any layout, f32) with the fp64 answers; bounds are taken `bound_constant` times.
inline Result<Verification> compare_with_expected(const std::vector<Expected>& expected, std::span<const Tensor> outputs,
                                                  double bound_constant = 1.0) {
  if (outputs.size() != expected.size())
    return invalid_input(std::to_string(outputs.size()) + " outputs were given where " +
                         std::to_string(expected.size()) + " are expected");
  Verification found;
  double squared_error = 0, squared_norm = 0;
  std::vector<std::byte> bytes;
  for (std::size_t t = 0; t < outputs.size(); ++t) {
    const auto& e = expected[t];
    if (outputs[t].spec.type != DataType::f32 || element_count(outputs[t].spec.shape) != static_cast<std::int64_t>(e.value.size()))
      return invalid_input("output '" + outputs[t].spec.role + "' is not an f32 tensor of " + std::to_string(e.value.size()) + " elements");
    gather_canonical(outputs[t], bytes);
    const float* actual = reinterpret_cast<const float*>(bytes.data());
    for (std::size_t i = 0; i < e.value.size(); ++i) {
      double want = e.value[i];
      double error = std::abs(actual[i] - want);
      if (!e.alternative.empty() && std::abs(actual[i] - e.alternative[i]) < error) {
        want = e.alternative[i];
        error = std::abs(actual[i] - want);
      }
      squared_error += error * error;
      squared_norm += want * want;
      const float rounded = static_cast<float>(want);
      found.max_ulp = std::max(found.max_ulp, ulp_distance(DataType::f32, std::bit_cast<std::uint32_t>(actual[i]),
                                                           std::bit_cast<std::uint32_t>(rounded)));
      // A NaN compares false with everything, so the test is for success.
      const double bound = bound_constant * e.bound[i];
      const bool good = error <= bound;
      const double ratio = bound > 0 ? error / bound : (good ? 0 : 2);
      if (ratio > found.bound_ratio) found.bound_ratio = ratio;
      if (!good && found.reason.empty())
        found.reason = outputs[t].spec.role + "[" + std::to_string(i) + "] is " + std::to_string(actual[i]) + ", should be " +
                       std::to_string(want) + " within " + std::to_string(bound);
    }
    found.checked += e.value.size();
  }
  found.outputs = found.checked;
  found.passed = found.reason.empty();
  found.relative_l2 = squared_norm > 0 ? std::sqrt(squared_error / squared_norm) : std::sqrt(squared_error);
  return found;
}

/// Enqueues work on a stream: `native_stream` is a cudaStream_t, or nullptr on a CPU, where the work is done on return.
using SimpleLaunch = std::function<Status(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace,
                                          void* native_stream)>;

/// A prepared function of tensors: what a plan of a simple operation runs. Exactly one of `run`, `launch` and `bind` is
/// set.
struct SimplePlanParts {
  std::vector<TensorSpec> inputs, outputs;
  std::size_t workspace_bytes = 0;
  /// On a CPU; may use the OpenMP threads in force, and cannot fail.
  std::function<void(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace)> run;
  std::map<std::string, std::string> notes;
  /// The form of `run` that takes a stream: what a GPU's kernels need.
  SimpleLaunch launch = {};
  /// Op::reset(), where there is something to put back: state that a run changes, or what the forward pass of a training
  /// step would have left in the workspace for the backward pass.
  SimpleLaunch restore = {};
  /// Makes the whole op, for providers with handles and descriptors of their own. Tensors and workspace were checked.
  std::function<Result<std::unique_ptr<Op>>(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace,
                                            Stream& stream)>
      bind = {};
  /// Plan::alignment_bytes(); kernels that go element by element take any element's address: sizeof(float).
  std::size_t alignment_bytes = 16;
  /// Plan::needs_reset(), for ops that `bind` makes; those of `restore` do in any case.
  bool needs_reset = false;
};

class SimpleOp final : public Op {
 public:
  SimpleOp(const SimplePlanParts& parts, std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, Stream& stream)
      : run_(parts.run), launch_(parts.launch), restore_(parts.restore), inputs_(inputs.begin(), inputs.end()),
        outputs_(outputs.begin(), outputs.end()), workspace_(workspace), native_stream_(stream.native()) {}
  Status enqueue() override {
    if (launch_) return launch_(inputs_, outputs_, workspace_, native_stream_);
    run_(inputs_, outputs_, workspace_);
    return {};
  }
  Status reset() override { return restore_ ? restore_(inputs_, outputs_, workspace_, native_stream_) : Status{}; }

 private:
  decltype(SimplePlanParts::run) run_;
  SimpleLaunch launch_, restore_;
  std::vector<Tensor> inputs_, outputs_;
  Region workspace_;
  void* native_stream_;
};

/// An op of two functions that hold all they need: for SimplePlanParts::bind.
class FunctionOp final : public Op {
 public:
  explicit FunctionOp(std::function<Status()> run, std::function<Status()> restore = {}) : run_(std::move(run)), restore_(std::move(restore)) {}
  Status enqueue() override { return run_(); }
  Status reset() override { return restore_ ? restore_() : Status{}; }

 private:
  std::function<Status()> run_, restore_;
};

/// Whether tensors are what a plan asked for, with the reason when not.
inline Status matches_specs(std::span<const Tensor> tensors, const std::vector<TensorSpec>& specs, const char* side) {
  if (tensors.size() != specs.size())
    return invalid_input(std::string("the plan wants ") + std::to_string(specs.size()) + " " + side + ", got " + std::to_string(tensors.size()));
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const auto& t = tensors[i];
    if (t.spec.type != specs[i].type || t.spec.shape != specs[i].shape || t.spec.layout != specs[i].layout || !t.region.data ||
        t.region.bytes < specs[i].bytes())
      return invalid_input(std::string(side) + " '" + specs[i].role + "' differs from the plan in type, shape, layout or size");
  }
  return {};
}

class SimplePlan final : public Plan {
 public:
  explicit SimplePlan(SimplePlanParts parts) : parts_(std::move(parts)) {}
  const std::vector<TensorSpec>& inputs() const override { return parts_.inputs; }
  const std::vector<TensorSpec>& outputs() const override { return parts_.outputs; }
  std::size_t workspace_bytes() const override { return parts_.workspace_bytes; }
  std::size_t alignment_bytes() const override { return parts_.alignment_bytes; }
  bool needs_reset() const override { return parts_.needs_reset || parts_.restore; }
  std::map<std::string, std::string> notes() const override { return parts_.notes; }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace,
                                   Stream& stream) override {
    if (auto s = matches_specs(inputs, parts_.inputs, "inputs"); !s) return tl::unexpected(s.error());
    if (auto s = matches_specs(outputs, parts_.outputs, "outputs"); !s) return tl::unexpected(s.error());
    if (workspace.bytes < parts_.workspace_bytes)
      return invalid_input("the plan wants a workspace of " + std::to_string(parts_.workspace_bytes) + " bytes, got " + std::to_string(workspace.bytes));
    if (parts_.bind) return parts_.bind(inputs, outputs, workspace, stream);
    return std::make_unique<SimpleOp>(parts_, inputs, outputs, workspace, stream);
  }

 private:
  SimplePlanParts parts_;
};

/// The claim of every algorithm whose order of operations is a function of logical indices alone.
inline Claim claim_by_construction() {
  return {Guarantee::gpu_to_gpu, "by construction", std::vector<Scope>(all_scopes.begin(), all_scopes.end())};
}

/// One algorithm of a SimpleProvider.
struct SimpleAlgorithm {
  std::string name;
  Claim claim;
  bool sum_of_products = true;
  /// A reason of kind `unsupported` when the algorithm does not exist for the problem: the row then says why.
  std::function<Result<SimplePlanParts>(const Problem&, Device&)> make;
  std::map<std::string, std::string> notes = {};  ///< of the offer
};

/// A provider written as a list of algorithms that need no options. Given a kind of device, it offers one row with the
/// reason on the other; without one, each algorithm decides.
class SimpleProvider : public Provider {
 public:
  SimpleProvider(std::string name, std::optional<DeviceKind> kind, std::vector<SimpleAlgorithm> algorithms)
      : name_(std::move(name)), kind_(kind), algorithms_(std::move(algorithms)) {}
  std::string_view name() const override { return name_; }
  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    std::vector<Offer> offers;
    if (kind_ && device.kind() != *kind_) {
      offers.push_back({{name_, "any", {}, {}}, wrong_device(problem)});
      return offers;
    }
    for (const auto& a : algorithms_) {
      Offer offer{{name_, a.name, {}, a.claim, a.sum_of_products, 1.0}, std::nullopt, a.notes};
      if (auto parts = a.make(problem, device); !parts) {
        if (parts.error().kind != Reason::Kind::unsupported) return tl::unexpected(parts.error());
        offer.unsupported = parts.error();
      }
      offers.push_back(std::move(offer));
    }
    return offers;
  }
  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    if (kind_ && device.kind() != *kind_) return tl::unexpected(wrong_device(problem));
    const auto found = std::find_if(algorithms_.begin(), algorithms_.end(), [&](const auto& a) { return a.name == algorithm.name; });
    if (found == algorithms_.end() || !algorithm.options.empty()) {
      std::string names;
      for (const auto& a : algorithms_) names += (names.empty() ? "" : ", ") + name_ + ":" + a.name;
      return invalid_input(name_ + " has no algorithm '" + algorithm_id(algorithm).substr(0, 100) + "' for " + problem.op + "; it has " + names);
    }
    auto parts = found->make(problem, device);
    if (!parts) return tl::unexpected(parts.error());
    return std::make_unique<SimplePlan>(std::move(*parts));
  }

 private:
  Reason wrong_device(const Problem& problem) const {
    return {name_ + " " + problem.op + " exists for " + (*kind_ == DeviceKind::cpu ? "the CPU" : "CUDA devices") + " only", Reason::Kind::unsupported};
  }
  std::string name_;
  std::optional<DeviceKind> kind_;
  std::vector<SimpleAlgorithm> algorithms_;
};

using MakeParts = std::function<Result<SimplePlanParts>(const Problem&)>;

/// An algorithm in fixed order, on the CPU and, where `make_cuda` is given, on a GPU: one name, because the bits are the
/// same on both.
inline SimpleAlgorithm fixed_order_algorithm(std::string name, MakeParts make, bool sum_of_products, MakeParts make_cuda = {}) {
  return {std::move(name), claim_by_construction(), sum_of_products,
          [make = std::move(make), make_cuda = std::move(make_cuda)](const Problem& problem, Device& device) -> Result<SimplePlanParts> {
            if (device.kind() == DeviceKind::cpu) return make(problem);
            if (make_cuda) return make_cuda(problem);
            return unsupported("fixed_order " + problem.op + " exists for the CPU only");
          }};
}

/// A `fixed_order` provider with one algorithm.
class FixedOrderProvider final : public SimpleProvider {
 public:
  FixedOrderProvider(std::string algorithm, MakeParts make, bool sum_of_products, MakeParts make_cuda = {})
      : SimpleProvider("fixed_order", std::nullopt,
                       {fixed_order_algorithm(std::move(algorithm), std::move(make), sum_of_products, std::move(make_cuda))}) {}
};

/// What a simple operation knows about one problem.
struct SimpleCase {
  std::vector<TensorSpec> inputs, outputs;  ///< canonical layouts
  Cost cost;
  /// fp64 answers from fp64 inputs, all in canonical order; integers come widened too.
  std::function<std::vector<Expected>(const std::vector<std::vector<double>>& inputs)> evaluate;
};

class SimpleOperation : public Operation {
 public:
  explicit SimpleOperation(std::string op) : op_(std::move(op)) {}
  std::string_view op() const override { return op_; }
  Status check(const Problem& problem) const override {
    if (problem.op != op_) return invalid_input("'" + problem.op + "' is not '" + op_ + "'");
    if (auto c = describe(problem); !c) return tl::unexpected(c.error());
    return {};
  }
  Cost cost(const Problem& problem) const override {
    auto c = describe(problem);
    return c ? c->cost : Cost{};
  }
  const std::vector<std::unique_ptr<Provider>>& providers() const override { return providers_; }
  Result<std::int64_t> batch_size(const Problem& problem) const override {
    if (batch_field_.empty()) return Operation::batch_size(problem);
    auto fields = parse_shape(problem.shape);
    if (!fields) return tl::unexpected(fields.error());
    for (const auto& [key, value] : *fields)
      if (key == batch_field_) return std::strtoll(value.c_str(), nullptr, 10);
    return invalid_input("shape '" + problem.shape.substr(0, 60) + "' has no field " + batch_field_);
  }
  Result<BatchVariant> in_batch(const Problem& problem, std::int64_t batch, std::int64_t position) const override {
    const auto size = batch_size(problem);
    if (!size) return tl::unexpected(size.error());
    auto fields = *parse_shape(problem.shape);
    for (auto& [key, value] : fields)
      if (key == batch_field_) value = std::to_string(batch);
    auto larger = problem;
    larger.shape = format_shape(fields);
    const auto before = describe(problem), after = describe(larger);
    if (!before) return tl::unexpected(before.error());
    if (!after) return tl::unexpected(after.error());
    return make_batch_variant(larger, {before->inputs, before->outputs}, {after->inputs, after->outputs}, *size, batch, position);
  }
  Result<std::unique_ptr<Reference>> reference(const Problem& problem, const Inputs& inputs) const override {
    auto c = describe(problem);
    if (!c) return tl::unexpected(c.error());
    std::vector<std::vector<double>> values;
    for (const auto& spec : c->inputs) {
      auto filling = fill(problem, spec, inputs);
      if (!filling) return tl::unexpected(filling.error());
      std::vector<std::byte> memory(spec.bytes());
      const Tensor tensor{spec, {memory.data(), memory.size()}};
      if (auto s = fill_on_host(tensor, *filling); !s) return tl::unexpected(s.error());
      std::vector<double> wide(element_count(spec.shape));
      for (std::size_t i = 0; i < wide.size(); ++i)
        wide[i] = spec.type == DataType::i32 ? reinterpret_cast<const std::int32_t*>(memory.data())[i]
                                             : reinterpret_cast<const float*>(memory.data())[i];
      values.push_back(std::move(wide));
    }
    auto expected = c->evaluate(values);
    // With the exact fill every sum of products has one right answer.
    if (inputs.fill == InputFill::exact && has_exact_fill())
      for (auto& e : expected) std::fill(e.bound.begin(), e.bound.end(), 0.0);
    return std::make_unique<Answer>(std::move(expected));
  }

 protected:
  virtual Result<SimpleCase> describe(const Problem& problem) const = 0;
  void add_provider(std::unique_ptr<Provider> provider) { providers_.push_back(std::move(provider)); }
  /// The field of the shape that counts independent samples ("mb"; "n" where every element is one). Not for ops that mix
  /// samples: batch statistics, means over the batch.
  void set_batch_field(std::string field) { batch_field_ = std::move(field); }

 private:
  struct Answer final : Reference {
    explicit Answer(std::vector<Expected> e) : expected(std::move(e)) {}
    Result<Verification> check(const Algorithm& algorithm, std::span<const Tensor> outputs) const override {
      return compare_with_expected(expected, outputs, algorithm.bound_constant);
    }
    std::vector<Expected> expected;
  };
  std::string op_, batch_field_;
  std::vector<std::unique_ptr<Provider>> providers_;
};

/// Refuses types other than the only ones the small operations have.
inline Status require_f32(const Problem& problem) {
  if (problem.types == "f32_f32_strict") return {};
  return invalid_input("types '" + problem.types.substr(0, 60) + "' do not exist for " + problem.op + "; f32_f32_strict does");
}

}  // namespace detbench
