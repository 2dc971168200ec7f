#include "bench/core/batch.hpp"

#include <algorithm>

#include "kernels/tensor/compare.hpp"

namespace detbench {
namespace {

/// The slices of several tensors, whole where there is none.
Result<std::vector<Tensor>> slices_of(const std::vector<Tensor>& tensors, const std::vector<std::optional<BatchSlice>>& slices) {
  if (tensors.size() != slices.size())
    return invalid_input("the larger batch was described for " + std::to_string(slices.size()) + " tensors, the plan has " +
                         std::to_string(tensors.size()));
  std::vector<Tensor> parts;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (!slices[i]) {
      parts.push_back(tensors[i]);
      continue;
    }
    auto part = slice_of(tensors[i], *slices[i]);
    if (!part) return tl::unexpected(part.error());
    parts.push_back(std::move(*part));
  }
  return parts;
}

}  // namespace

std::vector<BatchConfiguration> batch_configurations(std::int64_t size, std::uint32_t count) {
  // One sample more moves all of them against tiles that span samples, and leaves a tail; twice as many change grids and
  // splits by a power of two. Sizes of a few times the baseline's are as far as memory permits.
  const BatchConfiguration candidates[] = {{size + 1, 1}, {2 * size, size}, {size + 3, 2}, {2 * size, 1},
                                           {size + 7, 3}, {4 * size, size + 1}, {size + 15, 8}, {3 * size, size}, {size + 31, 16}};
  std::vector<BatchConfiguration> chosen;
  for (const auto& candidate : candidates) {
    if (chosen.size() == count) break;
    if (std::find(chosen.begin(), chosen.end(), candidate) == chosen.end()) chosen.push_back(candidate);
  }
  return chosen;
}

Result<Tensor> slice_of(const Tensor& whole, const BatchSlice& slice) {
  const auto& spec = whole.spec;
  const std::int64_t samples = spec.shape.empty() ? 0 : spec.shape[0];
  if (slice.offset < 0 || slice.size < 1 || slice.offset > samples - slice.size)
    return invalid_input("samples " + std::to_string(slice.offset) + " to " + std::to_string(slice.offset + slice.size - 1) +
                         " are not in tensor '" + spec.role + "' of " + std::to_string(samples));
  const auto& layout = spec.layout;
  const bool blocked = std::any_of(layout.blocks.begin(), layout.blocks.end(), [](const auto& b) { return b.dimension == 0; });
  if (blocked || layout.strides[0] * samples != layout.elements)
    return unsupported("the layout of '" + spec.role + "' (" + describe_layout(spec) + ") does not keep samples apart");
  Tensor part = whole;
  part.spec.shape[0] = slice.size;
  part.spec.layout.elements = slice.size * layout.strides[0];
  const auto element_bytes = static_cast<std::int64_t>(size_of(spec.type));
  part.region = {static_cast<std::byte*>(whole.region.data) + slice.offset * layout.strides[0] * element_bytes, part.spec.bytes()};
  return part;
}

Result<std::unique_ptr<BatchedRun>> BatchedRun::make(const Operation& operation, const Problem& problem, const BatchVariant& variant,
                                                     const Inputs& inputs, PreparedOp& large, const Digest& input_digest) {
  std::unique_ptr<BatchedRun> run(new BatchedRun(large));
  auto parts = slices_of(large.inputs(), variant.inputs);
  if (!parts) return tl::unexpected(parts.error());
  auto& device = large.device();
  for (const auto& part : *parts) {
    // The smaller problem's own fill: element i of it is the baseline's element i.
    const auto fill = operation.fill(problem, part.spec, inputs);
    if (!fill) return tl::unexpected(fill.error());
    if (auto filled = device.fill(part, *fill, large.stream()); !filled) return tl::unexpected(filled.error());
  }
  const auto digest = device.digest(*parts, large.stream());
  if (!digest) return tl::unexpected(digest.error());
  if (*digest != input_digest) return failure("the larger batch does not hold the baseline's inputs");
  auto outputs = slices_of(large.outputs(), variant.outputs);
  if (!outputs) return tl::unexpected(outputs.error());
  run->outputs_ = std::move(*outputs);
  run->output_slices_ = variant.outputs;
  return run;
}

Status BatchedRun::poison_outputs() { return large_.poison_outputs(Poison::nan_pattern, 0); }

Result<Digest> BatchedRun::run() {
  if (auto done = large_.reset(); !done) return tl::unexpected(done.error());
  if (auto done = large_.enqueue(); !done) return tl::unexpected(done.error());
  if (auto done = large_.wait(); !done) return tl::unexpected(done.error());
  return large_.device().digest(outputs_, large_.stream());
}

Result<std::vector<std::vector<std::byte>>> BatchedRun::snapshot() {
  auto tensors = large_.host_outputs();
  if (!tensors) return tl::unexpected(tensors.error());
  auto parts = slices_of(*tensors, output_slices_);
  if (!parts) return tl::unexpected(parts.error());
  std::vector<std::vector<std::byte>> bytes(parts->size());
  for (std::size_t i = 0; i < parts->size(); ++i) gather_canonical((*parts)[i], bytes[i]);
  return bytes;
}

}  // namespace detbench
