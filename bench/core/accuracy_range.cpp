#include "bench/core/accuracy_range.hpp"

#include <algorithm>

namespace detbench {

AccuracyRange::AccuracyRange(PreparedOp& op, const Algorithm& algorithm, const Reference* reference, const Digest& baseline,
                             std::optional<Accuracy>& accuracy)
    : op_(op), algorithm_(algorithm), reference_(reference), accuracy_(accuracy), seen_{baseline} {
  std::uint64_t elements = 0;
  for (const auto& output : op.outputs()) elements += static_cast<std::uint64_t>(element_count(output.spec.shape));
  if (!accuracy || elements > most_elements) {
    reference_ = nullptr;
    return;
  }
  if (!accuracy->error_ulp_min) accuracy->error_ulp_min = accuracy->error_ulp_max = accuracy->error_ulp;
}

Result<Digest> AccuracyRange::run() {
  auto digest = op_.run();
  if (!digest || !reference_ || !seen_.insert(*digest).second) return digest;
  auto outputs = op_.host_outputs();
  if (!outputs) return tl::unexpected(outputs.error());
  const auto found = reference_->check(algorithm_, *outputs);
  if (!found) return tl::unexpected(found.error());
  if (!found->accuracy) return digest;
  accuracy_->error_ulp_min = std::min(*accuracy_->error_ulp_min, found->accuracy->error_ulp);
  accuracy_->error_ulp_max = std::max(*accuracy_->error_ulp_max, found->accuracy->error_ulp);
  return digest;
}

}  // namespace detbench
