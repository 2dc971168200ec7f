// Problem -> Provider -> Plan -> Op: what is computed and who computes it. Plain C++, no vendor header, and nothing here
// knows that anyone measures.
//
// A Plan is prepared without memory and says which tensors, layouts and workspace it needs; binding it to memory gives
// an Op. The sweep binds a plan to buffers filled for the test; a network binds the same plan to its own tensors, with
// reorders where layouts differ. So what is swept is what trains.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/accuracy.hpp"
#include "kernels/device/device.hpp"
#include "kernels/problem.hpp"
#include "kernels/result.hpp"
#include "kernels/tensor/tensor.hpp"

namespace detbench {

/// A prepared computation bound to memory.
class Op {
 public:
  virtual ~Op() = default;
  /// Everything the answer needs from the same inputs, zeroing of accumulators and reorders included. Neither allocates
  /// nor synchronizes. On a CPU the work is done when it returns.
  virtual Status enqueue() = 0;
  /// Restores the inputs that a run consumes (weights, optimizer slots, moving statistics, counters); untimed.
  virtual Status reset() { return {}; }
};

/// A prepared computation without memory. Lists are in a fixed order, and bind() takes tensors in that order.
class Plan {
 public:
  virtual ~Plan() = default;
  virtual const std::vector<TensorSpec>& inputs() const = 0;
  virtual const std::vector<TensorSpec>& outputs() const = 0;
  virtual std::size_t workspace_bytes() const { return 0; }
  /// Every input and output has to begin at a multiple of this, and of its own element. 16 is what libraries take as
  /// given; a plan that was made for less, or for any address, says so and is then tried there too (scope `placement`).
  virtual std::size_t alignment_bytes() const { return 16; }
  /// The SM-count target that this plan was made for (DeviceConfiguration::sm_count_target); 0: it takes none, and scope
  /// `partition` says so instead of passing it.
  virtual int sm_count_target() const { return 0; }
  /// Tensors' specs equal inputs() and outputs(); the workspace holds at least workspace_bytes(), 64-byte aligned. May be
  /// called several times: the ops share nothing that a run writes.
  virtual Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs,
                                           Region workspace, Stream& stream) = 0;
  /// True where an op's reset() puts into the workspace what a forward pass would have left there (winners, answers, masks):
  /// such an op is right by itself and wrong inside a step, which resets nothing between its ops.
  virtual bool needs_reset() const { return false; }
  /// Facts for the row that are not part of the name, like the layouts an implementation chose.
  virtual std::map<std::string, std::string> notes() const { return {}; }
  /// Seconds that preparing it took, when that was done ahead of its turn; nullopt: whoever asked for it knows.
  virtual std::optional<double> built_in_s() const { return std::nullopt; }
};

/// An algorithm that exists for a problem, or the reason why it does not.
struct Offer {
  Algorithm algorithm;
  std::optional<Reason> unsupported;
  /// Facts for the row that are known before a plan is made: the tier that found it, the engine's notes, the
  /// determinism that a performance struct claims.
  std::map<std::string, std::string> notes = {};
};

/// One provider of one operation: one file.
class Provider {
 public:
  virtual ~Provider() = default;
  virtual std::string_view name() const = 0;
  /// Every algorithm of this provider for the problem on this device, in the provider's order of preference (the first
  /// one is its default). A provider that the build or machine lacks offers one row with the reason.
  virtual Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const = 0;
  /// Prepares an algorithm by name; `algorithm` may come from parse_case_id (name and options only).
  virtual Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const = 0;
  /// The row of one algorithm that is asked for by name (name and options only) and that a search which goes only so far
  /// does not list: its claim, bound and notes, as offers() would give them. nullopt: offers() lists all there are.
  virtual std::optional<Offer> offer_by_name(const Problem&, const Algorithm&, Device&) const { return std::nullopt; }
};

/// What verify found (METHOD section 2).
struct Verification {
  bool passed = false;
  std::string reason;               ///< empty when passed
  std::uint64_t checked = 0;        ///< outputs compared
  std::uint64_t outputs = 0;        ///< outputs there are
  std::uint64_t max_ulp = 0;        ///< against the correctly rounded fp64 reference
  double relative_l2 = 0;           ///< ||out - ref|| / ||ref|| over the checked outputs
  double bound_ratio = 0;           ///< largest |error| / bound; at most 1 when passed; 0 for the exact fill
  std::optional<Accuracy> accuracy = {};  ///< where the reference knows the exact answer
};

/// The fp64 answer to one problem for one set of inputs, computed once and held against every algorithm's output.
class Reference {
 public:
  virtual ~Reference() = default;
  /// `outputs` lie in host memory, in the order of Plan::outputs(), in whatever layout the plan chose.
  virtual Result<Verification> check(const Algorithm& algorithm, std::span<const Tensor> outputs) const = 0;
};

/// Work and traffic of one run, for rooflines.
struct Cost {
  double flops = 0;  ///< multiply and add counted apart
  double bytes = 0;  ///< every input read once, every output written once
};

/// Where the samples of a smaller batch lie in a tensor of a larger one: indices [offset, offset + size) of dimension 0.
struct BatchSlice {
  std::int64_t offset = 0;
  std::int64_t size = 0;
};

/// A problem in a larger batch (scope `batch`).
struct BatchVariant {
  Problem problem;
  /// In the order of Plan::inputs() and outputs(); nullopt: no sample is in it, the tensor is the same in every batch
  /// (weights, biases).
  std::vector<std::optional<BatchSlice>> inputs, outputs;
};

/// One operation: its problems, its providers, its reference. One folder.
class Operation {
 public:
  virtual ~Operation() = default;
  virtual std::string_view op() const = 0;
  /// Success when the problem is well formed; else a reason that names the offending part and shows the form.
  virtual Status check(const Problem& problem) const = 0;
  virtual Cost cost(const Problem& problem) const = 0;
  virtual const std::vector<std::unique_ptr<Provider>>& providers() const = 0;
  /// How an input tensor of this problem is filled for a given fill and seed; depends on the role, never on a layout.
  virtual Result<FillSpec> fill(const Problem& problem, const TensorSpec& input, const Inputs& inputs) const = 0;
  virtual Result<std::unique_ptr<Reference>> reference(const Problem& problem, const Inputs& inputs) const = 0;
  /// Samples in the batch of this problem. Unsupported, with the reason, where the op has no batch or where a sample's
  /// answer depends on the others by definition: gradients of weights, batch statistics, means over the batch.
  virtual Result<std::int64_t> batch_size(const Problem& problem) const {
    return unsupported(problem.op + " has no batch whose samples are independent of each other");
  }
  /// The same samples as samples [position, position + batch_size) of a batch of `batch`.
  virtual Result<BatchVariant> in_batch(const Problem& problem, std::int64_t, std::int64_t) const {
    return unsupported(problem.op + " has no batch whose samples are independent of each other");
  }
  /// Whether the `exact` fill exists for this operation (sums of products: yes; batch norm, a train step: no).
  virtual bool has_exact_fill() const { return true; }

  const Provider* find_provider(std::string_view name) const {
    for (const auto& provider : providers())
      if (provider->name() == name) return provider.get();
    return nullptr;
  }
};

/// All operations of a program, by name; filled by bench/suites.
class Registry {
 public:
  void add(std::unique_ptr<Operation> operation) { operations_.push_back(std::move(operation)); }
  const Operation* find(std::string_view op) const {
    for (const auto& operation : operations_)
      if (operation->op() == op) return operation.get();
    return nullptr;
  }
  const std::vector<std::unique_ptr<Operation>>& operations() const { return operations_; }

 private:
  std::vector<std::unique_ptr<Operation>> operations_;
};

/// A provider that this build or machine lacks: it answers every question with the reason.
std::unique_ptr<Provider> make_absent_provider(std::string name, std::string reason);

}  // namespace detbench
