#include "kernels/matmul/cublas_arms.hpp"

#include <charconv>
#include <string_view>

namespace detbench {
namespace {

constexpr std::size_t mib = std::size_t{1} << 20;
constexpr int last_plain = 23, first_tensor = 100, last_tensor = 115, most_streams = 32;
constexpr const char* configurations[] = {":4096:8", ":16:8"};

bool read_number(std::string_view text, long long least, long long most, long long& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= least && value <= most;
}

std::string algorithm_name(int algorithm) {
  if (algorithm == CublasArm::default_algorithm) return "default";
  if (algorithm == CublasArm::autotune) return "autotune";
  return algorithm >= first_tensor ? "algo" + std::to_string(algorithm - first_tensor) + "_tensor_op" : "algo" + std::to_string(algorithm);
}

std::optional<int> parse_algorithm_name(const std::string& name) {
  for (const int known : {CublasArm::default_algorithm, CublasArm::autotune})
    if (algorithm_name(known) == name) return known;
  for (int id = 0; id <= last_tensor; ++id)
    if ((id <= last_plain || id >= first_tensor) && algorithm_name(id) == name) return id;
  return std::nullopt;
}

std::string_view to_text(CublasArm::Math math) {
  switch (math) {
    case CublasArm::Math::pedantic: return "pedantic";
    case CublasArm::Math::no_reduced_reduction: return "no_reduced_reduction";
    case CublasArm::Math::bf16x9: return "bf16x9";
    case CublasArm::Math::f64: return "f64";
    case CublasArm::Math::fixed_point_f64: return "fixed_point_f64";
    default: return "";
  }
}

std::string workspace_text(std::size_t bytes) { return bytes == 0 ? "none" : std::to_string(bytes / mib) + "MiB"; }

/// ":4096:8": pairs of kibibytes and counts, each begun by a colon, as CUBLAS_WORKSPACE_CONFIG is written.
bool is_configuration(std::string_view text) {
  int numbers = 0;
  while (!text.empty()) {
    if (text.front() != ':') return false;
    text.remove_prefix(1);
    const auto digits = text.substr(0, text.find(':'));
    long long value = 0;
    if (!read_number(digits, 1, 1 << 24, value)) return false;
    text.remove_prefix(digits.size());
    ++numbers;
  }
  return numbers > 0 && numbers % 2 == 0;
}

Claim claim_of(const CublasArm& arm, const std::string& version) {
  // A choice made by time, emulated arithmetic and atomics are nowhere promised for products.
  const bool emulated = arm.math == CublasArm::Math::bf16x9 || arm.math == CublasArm::Math::fixed_point_f64;
  if (arm.algorithm == CublasArm::autotune || emulated || arm.atomics) return {};
  const bool own_workspace = arm.workspace_bytes.has_value() || !arm.config.empty();
  if (arm.streams > 1 && !own_workspace) return {};
  Claim claim{Guarantee::run_to_run, "cuBLAS documentation 2.1.4, library " + version, {Scope::repeat, Scope::process}};
  // With the library's own pool the documentation speaks of a GPU that does nothing else for cuBLAS; a workspace of each
  // stream's own is its remedy.
  if (own_workspace) claim.coverage.push_back(Scope::load);
  return claim;
}

}  // namespace

double narrow_reduction_bound(DataType output) {
  switch (output) {
    case DataType::f16: return 0x1p-11 / 0x1p-24;
    case DataType::bf16: return 0x1p-8 / 0x1p-24;
    default: return 1;
  }
}

std::vector<CublasArm> cublas_arms(const cublas::Gemm& gemm, int compute_capability) {
  std::vector<CublasArm> arms{{}};
  const auto add = [&](auto change) { change(arms.emplace_back()); };
  for (const std::size_t bytes : {std::size_t{0}, 4 * mib, 32 * mib}) add([&](auto& arm) { arm.workspace_bytes = bytes; });
  for (const char* config : configurations) add([&](auto& arm) { arm.config = config; });
  for (const int streams : {2, 4}) add([&](auto& arm) { arm.streams = streams; });
  add([](auto& arm) { arm.streams = 4, arm.workspace_bytes = 32 * mib; });
  add([](auto& arm) { arm.streams = 4, arm.config = configurations[0]; });
  add([](auto& arm) { arm.atomics = true; });
  if (!gemm.tf32) add([](auto& arm) { arm.math = CublasArm::Math::pedantic; });
  if (gemm.input != DataType::f32) add([](auto& arm) { arm.math = CublasArm::Math::no_reduced_reduction; });
  if (gemm.input == DataType::f32 && !gemm.tf32)
    for (const auto math : {CublasArm::Math::bf16x9, CublasArm::Math::f64, CublasArm::Math::fixed_point_f64}) add([&](auto& arm) { arm.math = math; });
  add([](auto& arm) { arm.algorithm = CublasArm::autotune; });
  if (compute_capability < 80)
    for (int id = 0; id <= last_tensor; ++id)
      if (id <= last_plain || id >= first_tensor) add([&](auto& arm) { arm.algorithm = id; });
  return arms;
}

Algorithm to_algorithm(const CublasArm& arm, const cublas::Gemm& gemm, const std::string& version) {
  Algorithm algorithm;
  algorithm.provider = "cublas";
  algorithm.name = algorithm_name(arm.algorithm);
  if (arm.workspace_bytes) algorithm.options["workspace"] = workspace_text(*arm.workspace_bytes);
  if (!arm.config.empty()) algorithm.options["config"] = arm.config;
  if (arm.streams > 1) algorithm.options["streams"] = std::to_string(arm.streams);
  if (arm.atomics) algorithm.options["atomics"] = "allowed";
  if (arm.math != CublasArm::Math::library) algorithm.options["math"] = std::string(to_text(arm.math));
  algorithm.claim = claim_of(arm, version);
  // The default mode may add the partial sums of a split k in the output's type.
  if (arm.math == CublasArm::Math::library) algorithm.bound_constant = narrow_reduction_bound(gemm.output);
  return algorithm;
}

Result<CublasArm> parse_cublas_arm(const Algorithm& algorithm) {
  CublasArm arm;
  const auto id = parse_algorithm_name(algorithm.name);
  if (!id)
    return invalid_input("'" + algorithm.name.substr(0, 100) +
                         "' is no algorithm of cublas: default, autotune, algo0 to algo23 and algo0_tensor_op to algo15_tensor_op are");
  arm.algorithm = *id;
  for (const auto& [key, value] : algorithm.options) {
    long long number = 0;
    bool good = false;
    if (key == "workspace" && value == "none") good = true, arm.workspace_bytes = 0;
    else if (key == "workspace" && value.ends_with("MiB")) {
      good = read_number(std::string_view(value).substr(0, value.size() - 3), 1, 1 << 16, number);
      arm.workspace_bytes = static_cast<std::size_t>(number) * mib;
      good = good && workspace_text(*arm.workspace_bytes) == value;
    } else if (key == "config") good = is_configuration(value), arm.config = value;
    else if (key == "streams") {
      good = read_number(value, 2, most_streams, number) && std::to_string(number) == value;
      arm.streams = static_cast<int>(number);
    } else if (key == "atomics") good = arm.atomics = value == "allowed";
    else if (key == "math")
      for (const auto math : {CublasArm::Math::pedantic, CublasArm::Math::no_reduced_reduction, CublasArm::Math::bf16x9, CublasArm::Math::f64,
                              CublasArm::Math::fixed_point_f64})
        if (to_text(math) == value) good = true, arm.math = math;
    if (!good)
      return invalid_input("option " + key.substr(0, 60) + "=" + value.substr(0, 60) +
                           " is none of cublas's: workspace=none or 32MiB, config=:4096:8, streams=2 to 32, atomics=allowed, "
                           "math=pedantic, no_reduced_reduction, bf16x9, f64 or fixed_point_f64 are");
  }
  // A workspace that the program sets replaces what the configuration says.
  if (arm.workspace_bytes && !arm.config.empty()) return invalid_input("workspace= and config= exclude each other: the first replaces the second");
  return arm;
}

}  // namespace detbench
