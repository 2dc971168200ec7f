#include "kernels/batch_variant.hpp"

#include <algorithm>

namespace detbench {
namespace {

Result<std::vector<std::optional<BatchSlice>>> slices(const std::vector<TensorSpec>& before, const std::vector<TensorSpec>& after,
                                                      std::int64_t size, std::int64_t batch, std::int64_t position) {
  std::vector<std::optional<BatchSlice>> found;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const auto &small = before[i].shape, &large = after[i].shape;
    if (small == large) {
      found.push_back(std::nullopt);
      continue;
    }
    const bool grows = small.size() == large.size() && !small.empty() && std::equal(small.begin() + 1, small.end(), large.begin() + 1) &&
                       small[0] % size == 0 && large[0] == small[0] / size * batch;
    if (!grows) return unsupported("'" + before[i].role + "' does not hold one sample after the other");
    const auto per_sample = small[0] / size;
    found.push_back(BatchSlice{position * per_sample, size * per_sample});
  }
  return found;
}

}  // namespace

Result<BatchVariant> make_batch_variant(Problem larger, const ProblemTensors& before, const ProblemTensors& after,
                                        std::int64_t size, std::int64_t batch, std::int64_t position) {
  if (size < 1 || position < 0 || position > batch - size)
    return invalid_input(std::to_string(size) + " samples from " + std::to_string(position) + " on do not fit into a batch of " +
                         std::to_string(batch));
  if (before.inputs.size() != after.inputs.size() || before.outputs.size() != after.outputs.size())
    return unsupported(larger.op + " has other tensors in another batch");
  auto inputs = slices(before.inputs, after.inputs, size, batch, position);
  if (!inputs) return tl::unexpected(inputs.error());
  auto outputs = slices(before.outputs, after.outputs, size, batch, position);
  if (!outputs) return tl::unexpected(outputs.error());
  for (std::size_t i = 0; i < outputs->size(); ++i)
    if (!(*outputs)[i] && batch != size) return unsupported("'" + before.outputs[i].role + "' of " + larger.op + " sums over the batch");
  return BatchVariant{std::move(larger), std::move(*inputs), std::move(*outputs)};
}

}  // namespace detbench
