#include "bench/core/controls.hpp"

#include <sched.h>
#include <sys/personality.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <cmath>
#include <fstream>
#include <system_error>
#include <thread>

#include "bench/core/affinity.hpp"
#include "bench/core/random.hpp"
#include "kernels/tensor/compare.hpp"

namespace detbench {
namespace {

constexpr std::int64_t segment = 1024;  // elements per target
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

/// What an algorithm gets to work with.
struct View {
  const float* in;
  float* out;
  std::int64_t targets;
  void* workspace;
  int threads;   ///< of the device's configuration when the plan was made
};

/// A plain left-to-right sum. volatile-free on purpose: without -ffast-math a compiler may not reassociate it.
float sum_in_order(const float* values, std::int64_t count) {
  float sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += values[i];
  return sum;
}

/// Eight threads, or more where more are configured, each with every eighth part. They wait for each other, so that none
/// is through before the next one has started, and sleep before every part: when a sleeper wakes is up to timers and
/// scheduler, and on few cores nothing else mixes threads whose whole share fits into one time slice. Threads of its own
/// instead of OpenMP's, whose barriers spin for milliseconds when there are more of them than cores.
template <class Part>
void race(int configured_threads, std::int64_t parts, std::int64_t targets, const Part& part) {
  const int count = std::max(8, configured_threads);
  std::atomic<int> missing{count};
  std::atomic<bool> abandoned{false};
  std::vector<std::jthread> threads;  // joined by their destructors, also when a later one cannot start
  threads.reserve(static_cast<std::size_t>(count));
  try {
    for (int thread = 0; thread < count; ++thread)
      threads.emplace_back([=, &missing, &abandoned, &part] {
        release_from_binding();
        for (--missing; missing > 0 && !abandoned;) sched_yield();
        for (std::int64_t p = thread; p < parts; p += count) {
          std::this_thread::sleep_for(std::chrono::microseconds(10));
          for (std::int64_t t = 0; t < targets; ++t) part(p, t);
        }
      });
  } catch (...) {
    abandoned = true;
    throw;
  }
}

constexpr std::int64_t part_elements = 16, parts = segment / part_elements;

/// Hazard: floats added atomically, so that the order of additions is the order in which threads come by. 64 partials
/// meet in every target; two could never differ, because addition commutes.
void contended_atomics(const View& v) {
  std::fill_n(v.out, v.targets, 0.0f);
  race(v.threads, parts, v.targets, [&v](std::int64_t p, std::int64_t t) {
    const float partial = sum_in_order(v.in + t * segment + p * part_elements, part_elements);
    std::atomic_ref<float>(v.out[t]).fetch_add(partial, std::memory_order_relaxed);
  });
}

/// Hazard: an order drawn from where this process's code, stack and heap lie, like a hash table of pointers would.
std::uint64_t address_hash() {
  static const int anchor = 0;  // the program's own image
  const int local = 0;          // the stack
  const auto heap = std::make_unique<int>(0);
  const auto address = [](const void* p) { return static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(p)) >> 12; };
  return mix64(address(&anchor)) ^ mix64(address(&local) + 1) ^ mix64(address(heap.get()) + 2);
}

void address_order(const View& v, std::uint64_t hash) {
  for (std::int64_t t = 0; t < v.targets; ++t) {
    // An odd step visits every element of a power of two once; start and step are the drawn order.
    const auto word = mix64(hash + static_cast<std::uint64_t>(t));
    const std::uint64_t step = (word >> 32) | 1;
    std::uint64_t at = word % segment;
    float sum = 0;
    for (std::int64_t i = 0; i < segment; ++i, at = (at + step) % segment) sum += v.in[t * segment + static_cast<std::int64_t>(at)];
    v.out[t] = sum;
  }
}

/// Hazard: elements up to the next 64-byte boundary are added apart, as vector code does that wants aligned loads, so the
/// boundaries of the 16 partial sums follow the input's address.
void address_peel(const View& v) {
  for (std::int64_t t = 0; t < v.targets; ++t) {
    const float* values = v.in + t * segment;
    const auto misaligned = reinterpret_cast<std::uintptr_t>(values) % 64;
    const std::int64_t peel = misaligned == 0 ? 0 : static_cast<std::int64_t>((64 - misaligned) / sizeof(float));
    float lanes[16] = {};
    std::int64_t i = peel;
    for (; i + 16 <= segment; i += 16)
      for (int lane = 0; lane < 16; ++lane) lanes[lane] += values[i + lane];
    float sum = sum_in_order(values, peel);
    for (const float lane : lanes) sum += lane;
    v.out[t] = sum + sum_in_order(values + i, segment - i);
  }
}

/// Hazard: one partial per thread. Combined in the order of the threads, so it repeats, but only at one thread count.
void partial_per_thread(const View& v) {
  auto* partials = static_cast<float*>(v.workspace);
  const std::int64_t threads = v.threads;
#pragma omp parallel for num_threads(v.threads) schedule(static)
  for (std::int64_t part = 0; part < threads; ++part) {
    const std::int64_t first = segment * part / threads, last = segment * (part + 1) / threads;
    for (std::int64_t t = 0; t < v.targets; ++t) partials[part * v.targets + t] = sum_in_order(v.in + t * segment + first, last - first);
  }
  for (std::int64_t t = 0; t < v.targets; ++t) {
    float sum = 0;
    for (std::int64_t part = 0; part < threads; ++part) sum += partials[part * v.targets + t];
    v.out[t] = sum;
  }
}

/// No hazard: fixed point in 64-bit integers, whose addition has no order. It is shaped like contended_atomics, so when
/// this one differs the instrument is broken.
void integer_accumulation(const View& v) {
  auto* sums = static_cast<std::int64_t*>(v.workspace);
  std::fill_n(sums, v.targets, 0);
  race(v.threads, parts, v.targets, [&v, sums](std::int64_t p, std::int64_t t) {
    std::int64_t partial = 0;
    // 2^32 holds every bit of a 24-bit uniform in [-1, 1), and 1024 such values fit into 64 bits.
    for (std::int64_t i = 0; i < part_elements; ++i)
      partial += std::llrint(static_cast<double>(v.in[t * segment + p * part_elements + i]) * 0x1p32);
    std::atomic_ref<std::int64_t>(sums[t]).fetch_add(partial, std::memory_order_relaxed);
  });
  for (std::int64_t t = 0; t < v.targets; ++t) v.out[t] = static_cast<float>(static_cast<double>(sums[t]) * 0x1p-32);
}

using Run = void (*)(const View&);

class ControlOp final : public Op {
 public:
  ControlOp(Run run, View view) : run_(run), view_(view) {}
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
  View view_;
};

class ControlPlan final : public Plan {
 public:
  ControlPlan(Run run, std::int64_t elements, int threads, std::map<std::string, std::string> notes)
      : run_(run), threads_(threads), notes_(std::move(notes)) {
    const std::int64_t targets = elements / segment;
    inputs_ = {{"values", DataType::f32, {elements}, canonical_layout({elements})}};
    outputs_ = {{"sums", DataType::f32, {targets}, canonical_layout({targets})}};
    workspace_bytes_ = static_cast<std::size_t>(targets) * std::max(sizeof(std::int64_t), sizeof(float) * static_cast<std::size_t>(threads));
  }
  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }
  std::size_t workspace_bytes() const override { return workspace_bytes_; }
  std::map<std::string, std::string> notes() const override { return notes_; }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace,
                                   Stream&) override {
    if (inputs.size() != 1 || outputs.size() != 1 || workspace.bytes < workspace_bytes_)
      return invalid_input("a control takes one input, one output and " + std::to_string(workspace_bytes_) + " bytes of workspace");
    return std::make_unique<ControlOp>(
        run_, View{static_cast<const float*>(inputs[0].region.data), static_cast<float*>(outputs[0].region.data),
                   outputs_[0].shape[0], workspace.data, threads_});
  }

 private:
  Run run_;
  int threads_;
  std::map<std::string, std::string> notes_;
  std::vector<TensorSpec> inputs_, outputs_;
  std::size_t workspace_bytes_ = 0;
};

void address_order_of_this_process(const View& view) {
  static const std::uint64_t hash = address_hash();
  address_order(view, hash);
}

constexpr std::pair<const char*, Run> algorithms[] = {{"contended_atomics", contended_atomics},
                                                      {"address_order", address_order_of_this_process},
                                                      {"address_peel", address_peel},
                                                      {"partial_per_thread", partial_per_thread},
                                                      {"integer_accumulation", integer_accumulation}};

class ControlProvider final : public Provider {
 public:
  std::string_view name() const override { return "control"; }
  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    if (auto n = elements_of(problem); !n) return tl::unexpected(n.error());
    std::vector<Offer> offers;
    for (const auto& [name, run] : algorithms) {
      Offer offer;
      offer.algorithm.provider = "control";
      offer.algorithm.name = name;
      if (device.kind() != DeviceKind::cpu) offer.unsupported = Reason{"the controls run on the CPU", Reason::Kind::unsupported};
      offers.push_back(std::move(offer));
    }
    return offers;
  }
  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    const auto n = elements_of(problem);
    if (!n) return tl::unexpected(n.error());
    if (device.kind() != DeviceKind::cpu) return unsupported("the controls run on the CPU");
    for (const auto& [name, run] : algorithms) {
      if (algorithm.name != name) continue;
      std::map<std::string, std::string> notes;
      if (algorithm.name == "address_order")
        if (const auto random = address_layout_is_random(); !random) notes["address_layout"] = random.error().text;
      const int threads = device.configuration().threads > 0 ? device.configuration().threads : available_cores();
      return std::make_unique<ControlPlan>(run, *n, threads, std::move(notes));
    }
    std::string known;
    for (const auto& [name, run] : algorithms) known += (known.empty() ? "" : ", ") + std::string(name);
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

const std::vector<ControlCase>& control_cases() {
  static const std::vector<ControlCase> cases{
      {"contended_atomics", Scope::repeat, true},      {"contended_atomics", Scope::load, true},
      {"address_order", Scope::process, true},         {"address_peel", Scope::placement, true},
      {"partial_per_thread", Scope::partition, true},  {"integer_accumulation", Scope::repeat, false},
      {"integer_accumulation", Scope::process, false}, {"integer_accumulation", Scope::load, false},
      {"integer_accumulation", Scope::placement, false}, {"integer_accumulation", Scope::partition, false}};
  return cases;
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
