// How accurate the runs of one arm are, not its baseline alone: an atomic sum has another error in every run.
#pragma once

#include <optional>
#include <set>

#include "bench/core/agreement.hpp"

namespace detbench {

/// The op as it is launched, each of its new results held against the exact answer. Only where the baseline has an
/// accuracy and the outputs are at most `most_elements` together; else it only runs.
class AccuracyRange final : public Observed {
 public:
  static constexpr std::uint64_t most_elements = 64;

  /// `reference` may be nullptr. `accuracy` is the baseline's, whose range is opened here and widened by every run;
  /// keep all of them alive as long as this.
  AccuracyRange(PreparedOp& op, const Algorithm& algorithm, const Reference* reference, const Digest& baseline,
                std::optional<Accuracy>& accuracy);
  Status poison_outputs() override { return op_.poison_outputs(Poison::nan_pattern, 0); }
  Result<Digest> run() override;
  Result<std::vector<std::vector<std::byte>>> snapshot() override { return op_.snapshot(); }

 private:
  PreparedOp& op_;
  const Algorithm& algorithm_;
  const Reference* reference_;
  std::optional<Accuracy>& accuracy_;
  std::set<Digest> seen_;
};

}  // namespace detbench
