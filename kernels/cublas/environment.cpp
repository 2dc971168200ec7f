#include "kernels/cublas/environment.hpp"

#include <unistd.h>

#include <string_view>
#include <vector>

namespace detbench {
namespace {

/// CUBLAS_EMULATE_SINGLE_PRECISION, CUBLAS_EMULATE_DOUBLE_PRECISION, CUBLAS_EMULATION_STRATEGY and its relatives,
/// CUBLAS_FIXEDPOINT_EMULATION_MANTISSA_BIT_COUNT.
bool is_emulation(const std::string& name) { return name.find("EMULAT") != std::string::npos; }

}  // namespace

std::map<std::string, std::string> cublas_environment(std::span<const char* const> entries) {
  std::map<std::string, std::string> found;
  for (const char* entry : entries) {
    const std::string_view text(entry);
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    const auto name = text.substr(0, equals);
    if (name.starts_with("CUBLAS_") || name.starts_with("CUBLASLT_") || name == "NVIDIA_TF32_OVERRIDE")
      found.emplace(name, text.substr(equals + 1));
  }
  return found;
}

std::map<std::string, std::string> cublas_environment() {
  std::vector<const char*> entries;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) entries.push_back(*entry);
  return cublas_environment(entries);
}

Status check_cublas_environment(const std::map<std::string, std::string>& variables) {
  for (const auto& [name, value] : variables) {
    if (is_emulation(name))
      return unsupported(name + "=" + value.substr(0, 60) +
                         " is set: cuBLAS would emulate precisions behind every arm's name; unset it (arms that emulate are offered by name)");
    if (name == "NVIDIA_TF32_OVERRIDE")
      return unsupported("NVIDIA_TF32_OVERRIDE=" + value.substr(0, 60) +
                         " is set: strict and TF32 products would not be what their names say; unset it");
  }
  return {};
}

Status check_cublas_environment() { return check_cublas_environment(cublas_environment()); }

}  // namespace detbench
