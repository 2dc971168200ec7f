#include "kernels/optimizer/optimizer.hpp"

#include "kernels/optimizer/parts.hpp"

namespace detbench {
namespace optimizer {
namespace {

/// One tensor's memory.
struct Row {
  const float *gradient, *weights;
  float* new_weights;
  const float* slot[most_slots];
  float* new_slot[most_slots];
};

/// Outputs are the inputs' memory, or do not touch it: no element is read after another one was written.
template <bool Decays, class Rule>
void update(const Rule& rule, const StepRates& rates, float weight_decay, const Row& row, std::int64_t begin, std::int64_t end) {
  const float *g = row.gradient, *w = row.weights, *s0 = row.slot[0], *s1 = row.slot[1], *s2 = row.slot[2];
  float *nw = row.new_weights, *n0 = row.new_slot[0], *n1 = row.new_slot[1], *n2 = row.new_slot[2];
#pragma GCC ivdep
  for (std::int64_t i = begin; i < end; ++i) {
    float weight = w[i], slot[most_slots];
    if constexpr (Rule::slots > 0) slot[0] = s0[i];
    if constexpr (Rule::slots > 1) slot[1] = s1[i];
    if constexpr (Rule::slots > 2) slot[2] = s2[i];
    update_weight(rule, rates, Decays, weight_decay, g[i], weight, slot);
    nw[i] = weight;
    if constexpr (Rule::slots > 0) n0[i] = slot[0];
    if constexpr (Rule::slots > 1) n1[i] = slot[1];
    if constexpr (Rule::slots > 2) n2[i] = slot[2];
  }
}

void keep(const float* from, float* to, std::int64_t begin, std::int64_t end) {
  if (from != to) std::copy(from + begin, from + end, to + begin);
}

std::vector<Row> rows_of(const Request& request, int slots, std::span<const Tensor> in, std::span<const Tensor> out) {
  const std::size_t n = request.count();
  const auto at = [](const Tensor& t) { return static_cast<float*>(t.region.data); };
  std::vector<Row> rows(n);
  for (std::size_t t = 0; t < n; ++t) {
    rows[t] = {at(in[t]), at(in[n + t]), at(out[t]), {}, {}};
    for (int s = 0; s < slots; ++s) rows[t].slot[s] = at(in[(2 + s) * n + t]), rows[t].new_slot[s] = at(out[(1 + s) * n + t]);
  }
  return rows;
}

template <class Rule>
void run_rule(const Rule& given_rule, const Request& request, const std::vector<training::Piece>& pieces, std::span<const Tensor> in,
              std::span<const Tensor> out) {
  const auto rows = rows_of(request, Rule::slots, in, out);
  const StepRates step_rates = source_of(request, Rule::slots, in).read();
  const auto decay = static_cast<float>(request.spec.weight_decay);
  const auto count = static_cast<std::int64_t>(pieces.size());
#pragma omp parallel for schedule(dynamic)
  for (std::int64_t k = 0; k < count; ++k) {
    const auto [begin, length, tensor] = pieces[k];
    const std::int64_t end = begin + length;
    const Row row = rows[tensor];
    const StepRates rates = step_rates;
    const Rule rule = given_rule;
    if (rates.skipped) {
      keep(row.weights, row.new_weights, begin, end);
      for (int s = 0; s < Rule::slots; ++s) keep(row.slot[s], row.new_slot[s], begin, end);
    } else if (decay != 0 && request.decayed[tensor]) {
      update<true>(rule, rates, decay, row, begin, end);
    } else {
      update<false>(rule, rates, decay, row, begin, end);
    }
  }
}

}  // namespace

SimplePlanParts cpu_parts(const Request& request) {
  SimplePlanParts parts;
  const auto add = [&](std::vector<TensorSpec>& list, const std::string& role) {
    for (const auto n : request.elements) list.push_back({role, DataType::f32, {n}, canonical_layout({n})});
  };
  const auto add_one = [&](const char* role, DataType type, std::int64_t n) { parts.inputs.push_back({role, type, {n}, canonical_layout({n})}); };
  add(parts.inputs, "gradient"), add(parts.inputs, "weights"), add(parts.outputs, "weights");
  for (const auto& slot : optimizer_slot_names(request.spec)) add(parts.inputs, slot), add(parts.outputs, slot);
  if (request.table_steps > 0) add_one("rates", DataType::f32, 2 * request.table_steps), add_one("step", DataType::i32, 1);
  if (request.loss_scaled) add_one("loss_scale", DataType::f32, 1), add_one("finite", DataType::i32, 1);
  parts.run = [request, pieces = training::pieces_of(request.elements, training::thread_piece)](std::span<const Tensor> in, std::span<const Tensor> out, Region) {
    with_rule(request.spec, [&](const auto& rule) { run_rule(rule, request, pieces, in, out); });
  };
  return parts;
}

Result<SimplePlanParts> parts_on(const Request& request, Device& device) {
  auto parts = cpu_parts(request);
  if (device.kind() == DeviceKind::cpu) return parts;
  parts.run = nullptr;
  return cuda_parts(std::move(parts), request, device);
}

}  // namespace optimizer

Status check(const OptimizerSpec& spec) {
  const auto below_one = [](double value, const char* name) -> Status {
    if (value >= 0 && value < 1) return {};
    return invalid_input(std::string("the optimizer's ") + name + " " + std::to_string(value) + " does not lie from 0 to below 1");
  };
  if (auto s = below_one(spec.rho, "rho"); !s) return s;
  if (auto s = below_one(spec.beta1, "beta1"); !s) return s;
  if (auto s = below_one(spec.beta2, "beta2"); !s) return s;
  if (!(spec.momentum >= 0 && spec.momentum <= 1)) return invalid_input("the optimizer's momentum " + std::to_string(spec.momentum) + " does not lie from 0 to 1");
  // Padding divides 0 by epsilon's root, and it has to stay 0.
  if (!(static_cast<float>(spec.epsilon) > 0)) return invalid_input("the optimizer's epsilon has to be above 0");
  if (!(spec.weight_decay >= 0)) return invalid_input("the optimizer's weight decay has to be 0 or above");
  return {};
}

std::vector<std::string> optimizer_slot_names(const OptimizerSpec& spec) {
  std::vector<std::string> names;
  const auto add = [&](const char* name, bool exists) {
    if (exists) names.push_back(name);
  };
  switch (spec.kind) {
    case OptimizerSpec::rmsprop:
      add("velocity", true), add("momentum", spec.momentum > 0), add("average_gradient", spec.centered);
      break;
    case OptimizerSpec::adam:
      add("momentum", true), add("velocity", true), add("velocity_hat", spec.amsgrad);
      break;
    default: add("velocity", spec.momentum > 0);
  }
  return names;
}

int optimizer_slots(const OptimizerSpec& spec) { return static_cast<int>(optimizer_slot_names(spec).size()); }

std::vector<float> rate_table(const OptimizerSpec& spec, const std::vector<double>& learning_rates) {
  std::vector<float> table;
  const double beta1 = static_cast<float>(spec.beta1), beta2 = static_cast<float>(spec.beta2);
  double power1 = 1, power2 = 1;
  for (const double learning_rate : learning_rates) {
    const auto rate = static_cast<float>(learning_rate);
    power1 *= beta1, power2 *= beta2;
    const float rest1 = 1.0f - static_cast<float>(power1), rest2 = 1.0f - static_cast<float>(power2);
    table.push_back(rate);
    table.push_back(spec.kind == OptimizerSpec::adam ? rate * std::sqrt(rest2) / rest1 : rate);
  }
  return table;
}

Result<std::unique_ptr<Plan>> plan_optimizer(const std::vector<std::int64_t>& elements, const std::vector<bool>& decayed, const OptimizerSpec& spec,
                                             bool loss_scaled, std::int64_t table_steps, Device& device) {
  if (auto s = check(spec); !s) return tl::unexpected(s.error());
  if (decayed.size() != elements.size())
    return invalid_input("weight decay is stated for " + std::to_string(decayed.size()) + " tensors of " + std::to_string(elements.size()));
  if (table_steps < 1) return invalid_input("an optimizer needs a table of learning rates of at least one step");
  auto parts = optimizer::parts_on({elements, decayed, spec, loss_scaled, table_steps}, device);
  if (!parts) return tl::unexpected(parts.error());
  return std::make_unique<SimplePlan>(std::move(*parts));
}

}  // namespace detbench
