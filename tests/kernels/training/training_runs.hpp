// Runs of the train step's small ops, for tests on either device.
#pragma once

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "kernels/training/loss_scale.hpp"
#include "kernels/training/moving_statistics.hpp"
#include "kernels/training/scale.hpp"
#include "tests/kernels/plan_bits.hpp"

namespace detbench::testing {

inline TensorSpec vector_of(DataType type, std::int64_t n) { return {"x", type, {n}, canonical_layout({n})}; }
inline Bytes one(std::int32_t value) { return bytes_of(std::vector<std::int32_t>{value}); }
inline Bytes one(float value) { return bytes_of(std::vector<float>{value}); }
inline Bytes drawn(DataType type, std::int64_t n, const std::string& stream, FillSpec::Kind kind = FillSpec::Kind::normal) {
  return filled_bytes(vector_of(type, n), {kind, 3, stream, 1.0, 8, 1.0});
}

/// Several vectors, one of which holds `bad` at element `at` of vector `where`; -1: none does.
inline PlanRun finite_run(const std::vector<std::int64_t>& elements, int where, std::int64_t at, float bad) {
  PlanRun run{[elements](Device& device) { return plan_all_finite(elements, device); }, {}};
  for (std::size_t t = 0; t < elements.size(); ++t) {
    auto values = values_of<float>(drawn(DataType::f32, elements[t], "g" + std::to_string(t), FillSpec::Kind::wide));
    if (static_cast<int>(t) == where) values[static_cast<std::size_t>(at)] = bad;
    run.inputs.push_back(bytes_of(values));
  }
  return run;
}

inline PlanRun moving_run(const std::vector<std::int64_t>& channels, double momentum) {
  PlanRun run{[=](Device& device) { return plan_moving_statistics(channels, momentum, device); }, {}};
  for (const auto n : channels)
    for (const char* role : {"mean", "variance"}) {
      run.inputs.push_back(drawn(DataType::f32, n, role + std::to_string(n)));
      run.initial.push_back(drawn(DataType::f32, n, "moving" + std::string(role) + std::to_string(n)));
    }
  return run;
}

/// Ordinary numbers, then every kind of special one.
inline Bytes numbers_of(DataType type, std::int64_t n) {
  Bytes bytes = drawn(type, n, "x", FillSpec::Kind::wide);
  if (type != DataType::f32) return bytes;
  auto values = values_of<float>(bytes);
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> special{0.0f, -0.0f, infinity, -infinity, 65504.0f, 65519.996f, 65520.0f, -1e30f, 1e-30f, 6e-8f, 2.9e-8f, 1e-40f, 1.00048828125f, 1.00146484375f, 3.3895e38f};
  std::copy_n(special.begin(), std::min(special.size(), values.size()), values.begin());
  return bytes_of(values);
}

inline PlanRun cast_run(std::int64_t n, DataType from, DataType to, const float* scale) {
  PlanRun run{[=, scaled = scale != nullptr](Device& device) { return plan_cast_scale(n, from, to, scaled, device); }, {numbers_of(from, n)}};
  if (scale) run.inputs.push_back(one(*scale));
  return run;
}

inline PlanRun rescale_run(std::int64_t n, double scale, double offset, DataType type) {
  return {[=](Device& device) { return plan_rescale(n, scale, offset, type, device); }, {numbers_of(type, n)}};
}

}  // namespace detbench::testing
