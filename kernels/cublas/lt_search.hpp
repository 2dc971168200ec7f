// Which configurations of cuBLASLt to try: the combinations apart from the library that answers for them, so that they can
// be tested without a GPU (cublasLtCreate fails where there is none).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "kernels/cublas/lt_configuration.hpp"
#include "kernels/search.hpp"

namespace detbench::cublas {

/// What one algorithm says it can do (cublasLtMatmulAlgoCapAttributes_t). An empty list means that only UNDEFINED (0) is
/// possible.
struct LtCapabilities {
  std::vector<std::uint32_t> tiles, stages;
  bool split_k = false;
  std::uint32_t scheme_mask = 0;   ///< of ReductionScheme's numbers
  std::uint32_t most_swizzle = 0;  ///< 0 or 1; others are reserved
  std::uint32_t most_custom = 0;   ///< custom options run from 0 to this
  /// The library lists neither: every number of its enumerations is tried, and the check decides.
  std::vector<std::uint16_t> inner_shapes, cluster_shapes;
};

/// What cublasLtMatmulAlgoCheck says to a configuration.
struct LtVerdict {
  std::optional<Reason> refused;
  std::size_t workspace_bytes = 0;
  double waves = 0;
};

/// A configuration that the library's heuristics propose.
struct LtProposal {
  LtConfiguration configuration;
  /// The algorithm's 64 bytes in hexadecimal where AlgoInit with the configuration's values does not give the same
  /// ones: they then hold something that no attribute says. Empty otherwise.
  std::string bytes;
  LtVerdict verdict;
};

/// Answers for one product on one device.
class LtSource {
 public:
  virtual ~LtSource() = default;
  virtual Result<std::vector<int>> ids() = 0;
  virtual Result<LtCapabilities> capabilities(int id) = 0;
  /// What the heuristics propose in every mode they have, best first; `most` of each mode. May repeat itself.
  virtual Result<std::vector<LtProposal>> heuristics(int most) = 0;
  virtual LtVerdict check(const LtConfiguration& configuration) = 0;
};

struct LtCandidate {
  LtConfiguration configuration;
  std::string bytes;  ///< as in LtProposal
  Tier tier = Tier::t0;
  std::optional<Reason> unsupported;
  std::size_t workspace_bytes = 0;
  double waves = 0;
};

/// Proposals asked of each mode of the heuristics.
inline constexpr int lt_proposals = 32;
/// Splits tried; 1 is no split.
inline constexpr std::int32_t split_ladder[] = {1, 2, 3, 4, 8, 16};

/// Candidates without repeats, in order of preference: the heuristics' (t1) first, then each algorithm id at its
/// defaults (t0; where the check refuses those, the first tile and number of stages that it takes), then t2 and t3. The
/// tier is the lowest that finds a candidate. An id of which no configuration is accepted, and an accepted one that
/// wants more than search.workspace_cap_bytes, are candidates with a reason; configurations refused in t2 and t3 are
/// left out. Errors: the library's, when it gives no ids.
Result<std::vector<LtCandidate>> find_candidates(LtSource& source, const AlgorithmSearch& search);

/// Configurations of an algorithm if all are combined: split 1 only with scheme none, more splits only with the schemes
/// of the mask. Saturates at 2^62.
std::uint64_t count_combinations(const LtCapabilities& capabilities);
/// Combination `index` below that count; different indices give different configurations.
LtConfiguration combination(int id, const LtCapabilities& capabilities, std::uint64_t index);

}  // namespace detbench::cublas
