#include "bench/core/controls.hpp"

#include <sys/personality.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <fstream>
#include <initializer_list>
#include <system_error>

#include "bench/core/control_sums.hpp"
#include "bench/core/gpu_controls.hpp"
#include "kernels/tensor/compare.hpp"

namespace detbench {
namespace {

constexpr std::int64_t segment = control_segment;
constexpr const char* form = "control/n65536/f32_f32_strict/vector";

Result<std::int64_t> elements_of(const Problem& problem) {
  if (problem.op != "control" || problem.types != "f32_f32_strict" || problem.layout != "vector")
    return invalid_input("'" + problem_id(problem) + "' is no control; the form is " + form);
  const auto fields = read_shape(problem.shape, {{"n", segment, std::int64_t{1} << 28}});
  if (!fields) return tl::unexpected(fields.error());
  if ((*fields)[0] % segment != 0)
    return invalid_input("n of '" + problem.shape + "' is no multiple of " + std::to_string(segment) + "; the form is " + form);
  return (*fields)[0];
}

using Run = void (*)(const ControlView&);  ///< on the CPU

class ControlOp final : public Op {
 public:
  ControlOp(Run run, ControlView view) : run_(run), view_(view) {}
  Status enqueue() override {
    try {
      run_(view_);
    } catch (const std::system_error& error) {
      return failure(std::string("the control cannot start its threads: ") + error.what());
    }
    return {};
  }

 private:
  Run run_;
  ControlView view_;
};

/// What there is: a sum for the CPU, and whether make_gpu_control knows the name.
struct ControlAlgorithm {
  const char* name;
  Run cpu;
  bool gpu;
  bool on(DeviceKind kind) const { return kind == DeviceKind::cpu ? cpu != nullptr : gpu; }
};
constexpr ControlAlgorithm algorithms[] = {{"contended_atomics", contended_atomics, true},
                                           {"delayed_atomics", nullptr, true},
                                           {"address_order", address_order, true},
                                           {"address_peel", address_peel, true},
                                           {"partial_per_thread", partial_per_thread, false},
                                           {"partial_per_multiprocessor", nullptr, true},
                                           {"parallel_branches", nullptr, true},
                                           {"split_by_batch", split_by_batch, true},
                                           {"integer_accumulation", integer_accumulation, true}};

Reason not_here(const ControlAlgorithm& algorithm) {
  return {std::string("control ") + algorithm.name + " exists for the " + (algorithm.cpu ? "CPU" : "GPU") + " only", Reason::Kind::unsupported};
}

class ControlPlan final : public Plan {
 public:
  ControlPlan(const ControlAlgorithm& algorithm, std::int64_t elements, const Device& device, std::map<std::string, std::string> notes)
      : algorithm_(algorithm), kind_(device.kind()), notes_(std::move(notes)) {
    const auto& configuration = device.configuration();
    if (kind_ == DeviceKind::cpu) {
      partials_ = configuration.threads > 0 ? configuration.threads : available_cores();
    } else {
      target_ = configuration.sm_count_target;
      partials_ = target_ > 0 ? target_ : std::max(1, device.multiprocessors().count);
    }
    const std::int64_t targets = elements / segment;
    inputs_ = {{"values", DataType::f32, {elements}, canonical_layout({elements})}};
    outputs_ = {{"sums", DataType::f32, {targets}, canonical_layout({targets})}};
    workspace_bytes_ = static_cast<std::size_t>(targets) * std::max(sizeof(std::int64_t), sizeof(float) * static_cast<std::size_t>(partials_));
  }
  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }
  std::size_t workspace_bytes() const override { return workspace_bytes_; }
  std::size_t alignment_bytes() const override { return sizeof(float); }
  int sm_count_target() const override { return std::string_view(algorithm_.name) == "partial_per_multiprocessor" ? target_ : 0; }
  std::map<std::string, std::string> notes() const override { return notes_; }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace,
                                   Stream& stream) override {
    if (inputs.size() != 1 || outputs.size() != 1 || workspace.bytes < workspace_bytes_)
      return invalid_input("a control takes one input, one output and " + std::to_string(workspace_bytes_) + " bytes of workspace");
    const auto* in = static_cast<const float*>(inputs[0].region.data);
    auto* out = static_cast<float*>(outputs[0].region.data);
    const auto targets = outputs_[0].shape[0];
    if (kind_ == DeviceKind::cuda) return make_gpu_control(algorithm_.name, {in, out, targets, workspace.data, partials_}, stream);
    return std::make_unique<ControlOp>(algorithm_.cpu, ControlView{in, out, targets, workspace.data, partials_});
  }

 private:
  const ControlAlgorithm& algorithm_;
  DeviceKind kind_;
  int partials_ = 1, target_ = 0;
  std::map<std::string, std::string> notes_;
  std::vector<TensorSpec> inputs_, outputs_;
  std::size_t workspace_bytes_ = 0;
};

class ControlProvider final : public Provider {
 public:
  std::string_view name() const override { return "control"; }
  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    if (auto n = elements_of(problem); !n) return tl::unexpected(n.error());
    std::vector<Offer> offers;
    for (const auto& algorithm : algorithms) {
      Offer offer;
      offer.algorithm.provider = "control";
      offer.algorithm.name = algorithm.name;
      if (!algorithm.on(device.kind())) offer.unsupported = not_here(algorithm);
      offers.push_back(std::move(offer));
    }
    return offers;
  }
  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    const auto n = elements_of(problem);
    if (!n) return tl::unexpected(n.error());
    std::string known;
    for (const auto& one : algorithms) {
      known += (known.empty() ? "" : ", ") + std::string(one.name);
      if (algorithm.name != one.name) continue;
      if (!one.on(device.kind())) return tl::unexpected<Reason>(not_here(one));
      std::map<std::string, std::string> notes;
      if (algorithm.name == "address_order")
        if (const auto random = address_layout_is_random(); !random) notes["address_layout"] = random.error().text;
      return std::make_unique<ControlPlan>(one, *n, device, std::move(notes));
    }
    return unsupported("'" + algorithm.name + "' is no control; there are " + known);
  }
};

/// The exact answer in fp64: 1024 floats of 24 bits within [-1, 1) add up without rounding in 53 bits.
class ControlReference final : public Reference {
 public:
  ControlReference(std::vector<double> sums, std::vector<double> absolute_sums, bool exact)
      : sums_(std::move(sums)), absolute_sums_(std::move(absolute_sums)), exact_(exact) {}
  Result<Verification> check(const Algorithm&, std::span<const Tensor> outputs) const override {
    if (outputs.size() != 1 || element_count(outputs[0].spec.shape) != static_cast<std::int64_t>(sums_.size()))
      return invalid_input("a control has one output of " + std::to_string(sums_.size()) + " elements");
    Verification found;
    found.outputs = found.checked = sums_.size();
    double error_squares = 0, squares = 0;
    // METHOD section 2: u (4 + 2 sqrt(K)) sum|a|, and never more than K u sum|a|, with u = 2^-24.
    const double k = segment, factor = 0x1p-24 * std::min(4 + 2 * std::sqrt(k), k);
    for (std::size_t i = 0; i < sums_.size(); ++i) {
      const double value = element_as_double(outputs[0], static_cast<std::int64_t>(i)), error = std::abs(value - sums_[i]);
      const float rounded = static_cast<float>(sums_[i]), given = static_cast<float>(value);
      found.max_ulp = std::max(found.max_ulp, ulp_distance(DataType::f32, std::bit_cast<std::uint32_t>(rounded),
                                                           std::bit_cast<std::uint32_t>(given)));
      error_squares += error * error;
      squares += sums_[i] * sums_[i];
      // Negated, so that NaN fails.
      const bool within = exact_ ? value == sums_[i] : error <= factor * absolute_sums_[i];
      if (!exact_ && absolute_sums_[i] > 0) found.bound_ratio = std::max(found.bound_ratio, error / (factor * absolute_sums_[i]));
      if (!within && found.reason.empty())
        found.reason = "sums[" + std::to_string(i) + "] is " + std::to_string(value) + " instead of " + std::to_string(sums_[i]);
    }
    found.relative_l2 = squares > 0 ? std::sqrt(error_squares / squares) : 0;
    found.passed = found.reason.empty();
    return found;
  }

 private:
  std::vector<double> sums_, absolute_sums_;
  bool exact_;
};

class ControlOperation final : public Operation {
 public:
  ControlOperation() { providers_.push_back(std::make_unique<ControlProvider>()); }
  std::string_view op() const override { return "control"; }
  Status check(const Problem& problem) const override {
    if (const auto n = elements_of(problem); !n) return tl::unexpected(n.error());
    return {};
  }
  Result<std::int64_t> batch_size(const Problem& problem) const override {
    const auto n = elements_of(problem);
    if (!n) return tl::unexpected(n.error());
    return *n / segment;
  }
  Result<BatchVariant> in_batch(const Problem& problem, std::int64_t batch, std::int64_t position) const override {
    const auto size = batch_size(problem);
    if (!size) return tl::unexpected(size.error());
    BatchVariant variant{problem, {BatchSlice{position * segment, *size * segment}}, {BatchSlice{position, *size}}};
    variant.problem.shape = "n" + std::to_string(batch * segment);
    if (const auto n = elements_of(variant.problem); !n) return tl::unexpected(n.error());
    return variant;
  }
  Cost cost(const Problem& problem) const override {
    const auto n = elements_of(problem);
    if (!n) return {};
    return {static_cast<double>(*n), 4.0 * static_cast<double>(*n + *n / segment)};
  }
  const std::vector<std::unique_ptr<Provider>>& providers() const override { return providers_; }
  Result<FillSpec> fill(const Problem&, const TensorSpec& input, const Inputs& inputs) const override {
    FillSpec fill;
    fill.seed = inputs.seed;
    fill.stream = "control/" + input.role;
    if (inputs.fill == InputFill::exact) {
      fill.kind = FillSpec::Kind::integers;
      fill.limit = 16;
      return fill;
    }
    if (inputs.fill == InputFill::wide) return unsupported("the controls take the fills exact and rounding");
    fill.kind = FillSpec::Kind::uniform;
    return fill;
  }
  Result<std::unique_ptr<Reference>> reference(const Problem& problem, const Inputs& inputs) const override {
    const auto n = elements_of(problem);
    if (!n) return tl::unexpected(n.error());
    std::vector<float> values(static_cast<std::size_t>(*n));
    const Tensor tensor{{"values", DataType::f32, {*n}, canonical_layout({*n})}, {values.data(), values.size() * sizeof(float)}};
    const auto how = fill(problem, tensor.spec, inputs);
    if (!how) return tl::unexpected(how.error());
    if (auto filled = fill_on_host(tensor, *how); !filled) return tl::unexpected(filled.error());
    std::vector<double> sums, absolute_sums;
    for (auto value = values.begin(); value != values.end(); value += segment) {
      double sum = 0, absolute = 0;
      std::for_each(value, value + segment, [&](float x) {
        sum += x;
        absolute += std::abs(x);
      });
      sums.push_back(sum);
      absolute_sums.push_back(absolute);
    }
    return std::make_unique<ControlReference>(std::move(sums), std::move(absolute_sums), inputs.fill == InputFill::exact);
  }

 private:
  std::vector<std::unique_ptr<Provider>> providers_;
};

}  // namespace

Status address_layout_is_random() {
  const int persona = personality(0xffffffff);
  if (persona != -1 && (persona & ADDR_NO_RANDOMIZE))
    return unsupported("address layout randomization is off for this process; start it without setarch -R or a debugger");
  std::ifstream file("/proc/sys/kernel/randomize_va_space");
  int mode = 0;
  if (!(file >> mode)) return unsupported("cannot read /proc/sys/kernel/randomize_va_space, so the address layout may be the same in every process");
  if (mode < 1) return unsupported("address layout randomization is off; switch it on with sysctl kernel.randomize_va_space=2");
  return {};
}

std::unique_ptr<Operation> make_control_operation() { return std::make_unique<ControlOperation>(); }

const std::vector<ControlCase>& control_cases(DeviceKind kind) {
  static const auto with_negatives = [](std::vector<ControlCase> cases, std::initializer_list<Scope> scopes) {
    for (const auto scope : scopes) cases.push_back({"integer_accumulation", scope, false});
    return cases;
  };
  static const std::vector<ControlCase> cpu =
      with_negatives({{"contended_atomics", Scope::repeat, true},
                      {"contended_atomics", Scope::load, true},
                      {"address_order", Scope::process, true},
                      {"address_peel", Scope::placement, true},
                      {"partial_per_thread", Scope::partition, true},
                      {"split_by_batch", Scope::batch, true}},
                     {Scope::repeat, Scope::process, Scope::load, Scope::placement, Scope::partition, Scope::batch});
  static const std::vector<ControlCase> gpu =
      with_negatives({{"contended_atomics", Scope::repeat, true},
                      {"contended_atomics", Scope::load, true},
                      {"delayed_atomics", Scope::repeat, true},
                      {"delayed_atomics", Scope::load, true},
                      {"address_order", Scope::process, true},
                      {"address_peel", Scope::placement, true},
                      {"partial_per_multiprocessor", Scope::partition, true},
                      {"parallel_branches", Scope::capture, true},
                      {"split_by_batch", Scope::batch, true}},
                     {Scope::repeat, Scope::process, Scope::load, Scope::placement, Scope::partition, Scope::capture, Scope::batch});
  return kind == DeviceKind::cpu ? cpu : gpu;
}

bool control_caught(const ScopeResult& result) { return result.distinct > 1; }

void apply_controls(const std::vector<ControlVerdict>& verdicts, std::vector<ScopeResult>& agreement) {
  for (auto& result : agreement) {
    if (result.verdict != ScopeVerdict::no_difference) continue;
    bool watched = false, caught = false;
    for (const auto& verdict : verdicts)
      if (verdict.scope == result.scope) {
        watched = true;
        caught = caught || verdict.caught;
      }
    if (!watched || caught) continue;
    result.verdict = ScopeVerdict::untested;
    result.reason = "the positive control of scope " + std::string(to_text(result.scope)) + " was not caught";
    result.bound.reset();
  }
}

}  // namespace detbench
