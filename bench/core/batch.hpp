// Scope `batch`: the same samples in a larger batch, at another position.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "bench/core/agreement.hpp"
#include "bench/core/prepared_op.hpp"

namespace detbench {

struct BatchConfiguration {
  std::int64_t batch = 1;
  std::int64_t position = 0;
  bool operator==(const BatchConfiguration&) const = default;
};
/// Batches that hold `size` samples from `position` on, in order of what they reveal, at most `count`, none twice. For
/// size 8: 9 from 1 (every sample leaves the tile it had), 16 from 8, 11 from 2, 16 from 1, 15 from 3, 32 from 9.
std::vector<BatchConfiguration> batch_configurations(std::int64_t size, std::uint32_t count);

/// The part of a tensor that is these samples, without a copy. Unsupported where the layout does not keep samples apart
/// (a batch that is blocked, or not the slowest dimension).
Result<Tensor> slice_of(const Tensor& whole, const BatchSlice& slice);

/// An op in the larger batch, of which only the slice is looked at.
class BatchedRun final : public Observed {
 public:
  /// `large` was prepared for the variant's problem, with other values than `inputs` gives; here its slices and shared
  /// tensors get the smaller problem's own. Fails unless the inputs' digest, taken over the slices, is `input_digest`:
  /// only then are the same samples asked for.
  static Result<std::unique_ptr<BatchedRun>> make(const Operation& operation, const Problem& problem, const BatchVariant& variant,
                                                  const Inputs& inputs, PreparedOp& large, const Digest& input_digest);
  Status poison_outputs() override;
  Result<Digest> run() override;
  Result<std::vector<std::vector<std::byte>>> snapshot() override;

 private:
  explicit BatchedRun(PreparedOp& large) : large_(large) {}
  PreparedOp& large_;
  std::vector<std::optional<BatchSlice>> output_slices_;
  std::vector<Tensor> outputs_;  ///< slices
};

}  // namespace detbench
