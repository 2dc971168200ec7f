// Is the answer right, and does the op keep to its own memory (METHOD section 2)? Guards, poisons, reference.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/core/prepared_op.hpp"

namespace detbench {

struct VerifySettings {
  std::vector<Poison> poisons{Poison::nan_pattern, Poison::zero, Poison::random};  ///< one run under each, at least one
  std::uint64_t seed = 1;       ///< of the random poison
  double slow_limit_s = 5.0;    ///< when the first run takes longer, only the first and the last poison are used
};

struct VerifyOutcome {
  std::string incorrect;                     ///< empty: nothing found; else one line, the worst finding first
  std::optional<Verification> verification;  ///< the first failed check, else the last one; nullopt without a reference
  double first_run_s = 0;                    ///< host time of the first run, digest excluded; on a GPU behind a warm-up
  bool varies = false;                       ///< the runs differ, and not because of what memory held before
};

/// Runs the op once under each poison and holds every result against the reference. Poisons give one answer when the
/// op writes all of its outputs and reads nothing it did not write. Where they do not, an op that differs from run to
/// run anyway must not be accused: an unwritten element is one that still holds its poison after every poison, and
/// "reads memory it did not write" is said only when the bits are a function of the poison over several rounds.
/// Leaves the outputs of the last run in place when nothing was found.
Result<VerifyOutcome> verify(PreparedOp& op, const TensorStore& store, const Algorithm& algorithm,
                             const Reference* reference, const VerifySettings& settings);

}  // namespace detbench
