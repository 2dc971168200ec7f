#include "kernels/training/scale.hpp"

#include "kernels/tensor/stored_types.hpp"
#include "kernels/training/parts.hpp"
#include "kernels/training/scale_elements.hpp"

namespace detbench {
namespace {

bool is_stored_type(DataType type) { return type == DataType::f32 || type == DataType::f16 || type == DataType::bf16; }

Status check_type(DataType type) {
  if (is_stored_type(type)) return {};
  return invalid_input("vectors of type " + std::string(to_text(type)) + " are not scaled; f32, f16 and bf16 are");
}

/// What one thread takes at a time.
constexpr std::int64_t chunk = 16384;

template <class F>
void for_each_element(std::int64_t n, const F& f) {
#pragma omp parallel for schedule(static)
  for (std::int64_t start = 0; start < n; start += chunk) {
    const std::int64_t end = std::min(n, start + chunk);
    const F each = f;  // of this thread's own, so that the compiler knows that no element lies in it
    // Source and target may be one memory: each element is then read before it is written, and no other one looks at it.
#pragma GCC ivdep
    for (std::int64_t i = start; i < end; ++i) each(i);
  }
}

}  // namespace

Result<std::unique_ptr<Plan>> plan_cast_scale(std::int64_t elements, DataType from, DataType to, bool scaled, Device& device) {
  for (const auto type : {from, to})
    if (auto s = check_type(type); !s) return tl::unexpected(s.error());
  SimplePlanParts parts;
  parts.inputs = {training::vector_spec("src", from, elements)};
  if (scaled) parts.inputs.push_back(training::vector_spec("scale", DataType::f32, 1));
  parts.outputs = {training::vector_spec("dst", to, elements)};
  parts.alignment_bytes = sizeof(float);
  parts.run = [elements, from, to, scaled](std::span<const Tensor> in, std::span<const Tensor> out, Region) {
    const float scale = scaled ? training::float_at(in[1]) : 1.0f;
    training::with_cast_scale(from, to, in[0].region.data, out[0].region.data, scale, [&](const auto& f) { for_each_element(elements, f); });
  };
  return training::plan_on(device, std::move(parts), [&](SimplePlanParts p) { return training::cuda_cast_scale_parts(std::move(p), from, to, scaled); });
}

Result<std::unique_ptr<Plan>> plan_rescale(std::int64_t elements, double scale, double offset, DataType type, Device& device) {
  if (auto s = check_type(type); !s) return tl::unexpected(s.error());
  SimplePlanParts parts;
  parts.inputs = {training::vector_spec("src", type, elements)};
  parts.outputs = {training::vector_spec("dst", type, elements)};
  parts.alignment_bytes = sizeof(float);
  const auto factor = static_cast<float>(scale), shift = static_cast<float>(offset);
  parts.run = [elements, type, factor, shift](std::span<const Tensor> in, std::span<const Tensor> out, Region) {
    training::with_rescale(type, in[0].region.data, out[0].region.data, factor, shift, [&](const auto& f) { for_each_element(elements, f); });
  };
  return training::plan_on(device, std::move(parts), [&](SimplePlanParts p) { return training::cuda_rescale_parts(std::move(p), type, factor, shift); });
}

}  // namespace detbench
