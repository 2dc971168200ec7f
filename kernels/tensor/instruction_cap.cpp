#include "kernels/tensor/instruction_cap.hpp"

#include <cstdlib>
#include <string_view>

namespace detbench {
namespace {

int read_level() {
  const char* value = std::getenv("DETBENCH_ISA");
  if (value == nullptr) return 2;
  const std::string_view text = value;
  return text == "avx512" ? 2 : text == "avx2" ? 1 : text == "baseline" ? 0 : -1;
}

int level() {
  static const int read = read_level();
  return read;
}

}  // namespace

int instruction_level_cap() { return level() < 0 ? 2 : level(); }
bool instruction_cap_is_readable() { return level() >= 0; }

}  // namespace detbench
