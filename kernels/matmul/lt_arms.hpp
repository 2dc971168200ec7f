// cuBLASLt's configurations as algorithms of the house. Plain: no vendor header.
#pragma once

#include "kernels/cublas/gemm.hpp"
#include "kernels/cublas/lt_search.hpp"
#include "kernels/problem.hpp"

namespace detbench {

struct LtArm {
  cublas::LtConfiguration configuration;
  /// Option bytes=130100:<128 hexadecimal digits>: the algorithm's own 64 bytes and the version that they are good for,
  /// where the configuration's values do not say everything.
  std::string bytes;
  int bytes_version = 0;
  /// Option compute=bf16x9: f32 emulated by BF16x9.
  bool bf16x9 = false;
  bool operator==(const LtArm&) const = default;
};

/// Provider, name, options, claim (cuBLAS's documentation 2.1.4; the workspace is the product's own, so load is covered)
/// and bound. Emulation promises nothing.
Algorithm to_algorithm(const LtArm& arm, const cublas::Gemm& gemm, const std::string& version);
Result<LtArm> parse_lt_arm(const Algorithm& algorithm);

}  // namespace detbench
