#include "kernels/device/guard.hpp"

namespace detbench {

void write_guard(void* zone, std::size_t bytes) {
  auto* at = static_cast<unsigned char*>(zone);
  for (std::size_t i = 0; i < bytes; ++i) at[i] = guard_byte(i);
}

std::optional<std::size_t> find_damage(const void* zone, std::size_t bytes) {
  const auto* at = static_cast<const unsigned char*>(zone);
  for (std::size_t i = 0; i < bytes; ++i)
    if (at[i] != guard_byte(i)) return i;
  return std::nullopt;
}

}  // namespace detbench
