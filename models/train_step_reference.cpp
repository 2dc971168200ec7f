#include "models/train_step_reference.hpp"

#include <bit>
#include <cmath>

#include "kernels/tensor/compare.hpp"

namespace detbench {

const TrainStepReference::Answer& TrainStepReference::answer(const TrainingSpec& spec) const {
  const std::string key = std::to_string(spec.optimizer.kind) + " " + std::to_string(spec.label_smoothing) + " " + std::to_string(spec.regularized);
  if (const auto known = answers_.find(key); known != answers_.end()) return known->second;
  Answer& a = answers_[key];
  ReferenceNetwork reference(network_, problem_.batch, inputs_.images, inputs_.labels);
  a.after = reference.initial_state(inputs_.parameters);
  const auto before = a.after.parameters;
  reference.step(a.after, spec);
  a.first_loss = a.after.loss;
  a.second_loss = reference.next_loss(a.after, spec);
  for (std::size_t p = 0; p < before.size(); ++p)
    for (std::size_t i = 0; i < before[p].size(); ++i) a.update += std::pow(a.after.parameters[p][i] - before[p][i], 2);
  return a;
}

Result<Verification> TrainStepReference::check(const Algorithm& algorithm, std::span<const Tensor> outputs) const {
  auto options = parse_train_step_options(algorithm.options, problem_.types);
  if (!options) return tl::unexpected(options.error());
  const auto parameters = inputs_.parameters.size();
  if (outputs.size() <= parameters || element_count(outputs[0].spec.shape) != options->steps)
    return invalid_input("a train step's outputs are one loss per step, parameters, slots and moving statistics");
  const bool held = static_cast<double>(network_.macs()) * static_cast<double>(problem_.batch) <= reference_macs;
  Verification found;
  double squared = 0, norm = 0;
  const auto hold = [&](double actual, double want) {
    const auto rounded = static_cast<float>(want), value = static_cast<float>(actual);
    found.max_ulp = std::max(found.max_ulp, ulp_distance(DataType::f32, std::bit_cast<std::uint32_t>(value), std::bit_cast<std::uint32_t>(rounded)));
    squared += (actual - want) * (actual - want), norm += want * want;
    ++found.checked;
    return std::abs(actual - want);
  };
  const auto demand = [&](const std::string& what, double error, double tolerance) {
    found.bound_ratio = std::max(found.bound_ratio, error / tolerance);
    if (!(error <= tolerance) && found.reason.empty()) found.reason = what + " is off by " + std::to_string(error) + ", allowed are " + std::to_string(tolerance);
  };
  const auto t = train_step_tolerance(problem_.types);
  // One f16 step may be skipped too, and its loss alone does not say so.
  const bool whole_update = held && options->steps == 1 && !options->spec.loss_scaled();
  const Answer* a = held ? &answer(options->spec) : nullptr;
  if (a) demand("the first loss, relative,", hold(element_as_double(outputs[0], 0), a->first_loss) / a->first_loss, t.first_loss);
  // A step whose scaled gradients overflow f16 is skipped, as Keras skips it: the loss then stays where it was.
  const double before = element_as_double(outputs[0], 0), next = options->steps > 1 ? element_as_double(outputs[0], 1) : before;
  const bool skipped = options->spec.loss_scaled() && std::abs(next - before) <= 1e-4 * std::abs(before);
  if (a && options->steps > 1 && !skipped)
    demand("the second loss, relative to its fall,", hold(next, a->second_loss) / std::abs(a->first_loss - a->second_loss), t.second_loss);
  std::vector<std::byte> bytes;
  double distance = 0;
  for (std::size_t o = 0; o < outputs.size(); ++o) {
    gather_canonical(outputs[o], bytes);
    const auto* values = reinterpret_cast<const float*>(bytes.data());
    const std::size_t count = element_count(outputs[o].spec.shape);
    found.outputs += count;
    const bool compared = whole_update && o >= 1 && o <= parameters;
    for (std::size_t i = 0; i < count; ++i) {
      if (!std::isfinite(values[i]) && found.reason.empty()) found.reason = outputs[o].spec.role + "[" + std::to_string(i) + "] is not finite";
      if (compared) distance += std::pow(hold(static_cast<double>(values[i]), a->after.parameters[o - 1][i]), 2);
    }
  }
  if (whole_update) demand("the first update, relative to its norm,", std::sqrt(distance / a->update), t.update);
  found.relative_l2 = norm > 0 ? std::sqrt(squared / norm) : 0;
  found.passed = found.reason.empty();
  return found;
}

}  // namespace detbench
