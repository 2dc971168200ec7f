// How an algorithm of cuBLASLt is configured, and its name. Plain: no vendor header.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "kernels/result.hpp"

namespace detbench::cublas {

/// What cublasLtReductionScheme_t numbers: how the partial sums of a split k are joined.
enum class ReductionScheme : std::uint32_t {
  none = 0,          ///< no split
  inplace = 1,       ///< in the output, counters in the workspace force an order
  compute_type = 2,  ///< partials in the workspace in the accumulator's type, then a reduction
  output_type = 4,   ///< the same in the output's type
};
inline constexpr ReductionScheme split_schemes[] = {ReductionScheme::inplace, ReductionScheme::compute_type, ReductionScheme::output_type};

/// The values of cublasLtMatmulAlgoConfigAttributes_t; zeros (and one split) are what cublasLtMatmulAlgoInit leaves. Ids
/// are those of the library's enumerations (cublasLtMatmulTile_t and so on), which only ever grow.
struct LtConfiguration {
  int id = 0;
  std::uint32_t tile = 0, stages = 0;
  std::int32_t split_k = 1;
  ReductionScheme scheme = ReductionScheme::none;
  std::uint32_t swizzle = 0, custom = 0;
  std::uint16_t inner_shape = 0, cluster_shape = 0;
  auto operator<=>(const LtConfiguration&) const = default;
};

/// "algo21", or with what differs from the defaults, in this order:
/// "algo21[TILE_ID=20;STAGES_ID=16;SPLITK=4;SCHEME=INPLACE;SWIZZLE=1;CUSTOM=2;INNER_ID=3;CLUSTER_ID=4]".
std::string format_configuration(const LtConfiguration& configuration);
/// The inverse; refuses, in one line, unknown keys, defaults that are spelled out and keys out of order: one
/// configuration has one name.
Result<LtConfiguration> parse_configuration(std::string_view name);

}  // namespace detbench::cublas
