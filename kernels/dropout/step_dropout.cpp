#include "kernels/dropout/step_dropout.hpp"

#include "kernels/dropout/parts.hpp"
#include "kernels/dropout/step_mask.hpp"
#include "kernels/tensor/philox_block.hpp"

namespace detbench {
namespace dropout {
namespace {

constexpr std::int64_t block_elements = 4 * philox_block_size;

template <class Type>
void drop_elements(const Mask& given_mask, std::int32_t step, std::int64_t n, const typename Type::Stored* x, typename Type::Stored* y) {
#pragma omp parallel for schedule(static)
  for (std::int64_t block = 0; block < (n + block_elements - 1) / block_elements; ++block) {
    const Mask mask = given_mask;
    PhiloxBlock words;
    draw_philox_block(static_cast<std::uint64_t>(block) * philox_block_size, static_cast<std::uint32_t>(step), mask.key, words);
    // The four words of a call go to neighbouring elements; put in their order first, so that the loop over them is plain.
    alignas(64) std::uint32_t ordered[block_elements];
    for (int call = 0; call < philox_block_size; ++call)
      for (int w = 0; w < 4; ++w) ordered[4 * call + w] = words.word[w][call];
    const std::int64_t start = block * block_elements, count = std::min(block_elements, n - start);
#pragma GCC ivdep
    for (std::int64_t i = 0; i < count; ++i) {
      const float value = Type::widen(x[start + i]), kept = value * mask.scale;
      y[start + i] = Type::narrow(ordered[i] < mask.threshold ? 0.0f : kept);
    }
  }
}

/// Pieces of samples, so that few samples keep many threads busy.
constexpr std::int64_t piece = 8192;

template <class Type>
void drop_samples(const Mask& given_mask, std::int32_t step, std::int64_t samples, std::int64_t elements, const typename Type::Stored* x,
                  typename Type::Stored* y) {
  const std::int64_t pieces = (elements + piece - 1) / piece;
#pragma omp parallel for schedule(static) collapse(2)
  for (std::int64_t sample = 0; sample < samples; ++sample)
    for (std::int64_t p = 0; p < pieces; ++p) {
      const Mask mask = given_mask;
      const std::uint32_t word = sample_word(mask, sample, step);
      const std::int64_t begin = sample * elements + p * piece, end = std::min(begin + piece, (sample + 1) * elements);
#pragma GCC ivdep
      for (std::int64_t i = begin; i < end; ++i) y[i] = Type::narrow(mask.apply(word, Type::widen(x[i])));
    }
}

}  // namespace
}  // namespace dropout

Result<std::unique_ptr<Plan>> plan_step_dropout(const StepDropout& d, DataType type, Device& device) {
  if (type != DataType::f32 && type != DataType::f16 && type != DataType::bf16)
    return invalid_input("vectors of type " + std::string(to_text(type)) + " are not dropped from; f32, f16 and bf16 are");
  if (!(d.rate >= 0 && d.rate < 1)) return invalid_input("dropout's rate " + std::to_string(d.rate) + " does not lie from 0 to below 1");
  if (d.samples < 1 || d.elements_per_sample < 1) return invalid_input("dropout of " + std::to_string(d.samples) + " samples of " + std::to_string(d.elements_per_sample) + " elements does not exist");
  const Shape shape{d.samples * d.elements_per_sample};
  SimplePlanParts parts;
  parts.inputs = {{"src", type, shape, canonical_layout(shape)}, {"step", DataType::i32, {1}, canonical_layout({1})}};
  parts.outputs = {{"dst", type, shape, canonical_layout(shape)}};
  parts.alignment_bytes = sizeof(float);  // element by element
  if (device.kind() == DeviceKind::cuda) {
    auto on_gpu = dropout::cuda_step_dropout_parts(std::move(parts), d);
    if (!on_gpu) return tl::unexpected(on_gpu.error());
    return std::make_unique<SimplePlan>(std::move(*on_gpu));
  }
  parts.run = [d, type, mask = dropout::mask_of(d)](std::span<const Tensor> in, std::span<const Tensor> out, Region) {
    const std::int32_t step = *static_cast<const std::int32_t*>(in[1].region.data);
    with_stored_type(type, [&](auto t) {
      using Type = decltype(t);
      const auto* x = static_cast<const typename Type::Stored*>(in[0].region.data);
      auto* y = static_cast<typename Type::Stored*>(out[0].region.data);
      if (d.whole_samples)
        dropout::drop_samples<Type>(mask, step, d.samples, d.elements_per_sample, x, y);
      else
        dropout::drop_elements<Type>(mask, step, d.samples * d.elements_per_sample, x, y);
    });
  };
  return std::make_unique<SimplePlan>(std::move(parts));
}

}  // namespace detbench
