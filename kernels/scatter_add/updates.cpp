#include "kernels/scatter_add/updates.hpp"

#include "kernels/reduction/fixed_tree.hpp"
#include "kernels/tensor/stored_types.hpp"

namespace detbench::scatter_add {

using reduction::canonical_nan;

const float* read_values(const ScatterCall& call, std::int64_t first, std::int64_t count, float* buffer) {
  if (call.stored == DataType::f32) return static_cast<const float*>(call.values) + first;
  const auto* narrow = static_cast<const std::uint16_t*>(call.values) + first;
  if (call.stored == DataType::bf16)
    for (std::int64_t i = 0; i < count; ++i) buffer[i] = float_from_bf16(narrow[i]);
  else
    for (std::int64_t i = 0; i < count; ++i) buffer[i] = float_from_f16(narrow[i]);
  return buffer;
}

const double* read_values(const ScatterCall& call, std::int64_t first, std::int64_t, double*) {
  return static_cast<const double*>(call.values) + first;  // f64 bins take f64 values alone
}

void store_sum(const ScatterCall& call, float sum, std::int64_t output) {
  sum = canonical_nan(sum);
  if (call.bin == DataType::f32) static_cast<float*>(call.out)[output] = sum;
  else static_cast<std::uint16_t*>(call.out)[output] = call.bin == DataType::bf16 ? bf16_from_float(sum) : f16_from_float(sum);
}
void store_sum(const ScatterCall& call, double sum, std::int64_t output) {
  static_cast<double*>(call.out)[output] = canonical_nan(sum);
}

void store_sums(const ScatterCall& call, const float* sums, std::int64_t first, std::int64_t last) {
  if (call.bin == DataType::f32) {
    auto* out = static_cast<float*>(call.out);
    for (std::int64_t i = first; i < last; ++i) out[i] = canonical_nan(sums[i]);
    return;
  }
  for (std::int64_t i = first; i < last; ++i) store_sum(call, sums[i], i);
}
void store_sums(const ScatterCall& call, const double* sums, std::int64_t first, std::int64_t last) {
  auto* out = static_cast<double*>(call.out);
  for (std::int64_t i = first; i < last; ++i) out[i] = canonical_nan(sums[i]);
}

}  // namespace detbench::scatter_add
