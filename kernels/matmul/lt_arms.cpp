#include "kernels/matmul/lt_arms.hpp"

#include <algorithm>
#include <charconv>

#include "kernels/matmul/cublas_arms.hpp"

namespace detbench {
namespace {

constexpr std::size_t hexadecimal_digits = 128;

bool parse_bytes(const std::string& value, LtArm& arm) {
  const auto colon = value.find(':');
  if (colon == value.npos) return false;
  const auto [end, error] = std::from_chars(value.data(), value.data() + colon, arm.bytes_version);
  arm.bytes = value.substr(colon + 1);
  return error == std::errc() && end == value.data() + colon && arm.bytes_version > 0 && arm.bytes.size() == hexadecimal_digits &&
         std::all_of(arm.bytes.begin(), arm.bytes.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

Algorithm to_algorithm(const LtArm& arm, const cublas::Gemm& gemm, const std::string& version) {
  Algorithm algorithm;
  algorithm.provider = "cublaslt";
  algorithm.name = cublas::format_configuration(arm.configuration);
  if (!arm.bytes.empty()) algorithm.options["bytes"] = std::to_string(arm.bytes_version) + ":" + arm.bytes;
  if (arm.bf16x9) algorithm.options["compute"] = "bf16x9";
  else
    algorithm.claim = {Guarantee::run_to_run, "cuBLAS documentation 2.1.4, library " + version, {Scope::repeat, Scope::process, Scope::load}};
  // These two join the parts of a split k in the output's type.
  const auto scheme = arm.configuration.scheme;
  if (scheme == cublas::ReductionScheme::output_type || scheme == cublas::ReductionScheme::inplace)
    algorithm.bound_constant = narrow_reduction_bound(gemm.output);
  return algorithm;
}

Result<LtArm> parse_lt_arm(const Algorithm& algorithm) {
  const auto configuration = cublas::parse_configuration(algorithm.name);
  if (!configuration) return tl::unexpected(configuration.error());
  LtArm arm;
  arm.configuration = *configuration;
  for (const auto& [key, value] : algorithm.options) {
    if (key == "compute" && value == "bf16x9") arm.bf16x9 = true;
    else if (key != "bytes" || !parse_bytes(value, arm))
      return invalid_input("option " + key.substr(0, 60) + "=" + value.substr(0, 60) +
                           " is none of cublaslt's: compute=bf16x9 and bytes=VERSION:128 hexadecimal digits are");
  }
  return arm;
}

}  // namespace detbench
