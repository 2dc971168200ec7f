#include <charconv>

#include "kernels/matmul/product_providers.hpp"

namespace detbench {

std::string split_name(const std::string& algorithm, std::int64_t chunk) { return algorithm + "[CHUNK=" + std::to_string(chunk) + "]"; }

Result<std::int64_t> parse_split_name(const std::string& algorithm, const std::string& name) {
  const std::string head = algorithm + "[CHUNK=";
  std::int64_t chunk = 0;
  if (name.starts_with(head) && name.ends_with(']')) {
    const char *first = name.data() + head.size(), *last = name.data() + name.size() - 1;
    const auto [end, error] = std::from_chars(first, last, chunk);
    // The text must be the one that the number is written as: one order has one name.
    if (error == std::errc() && end == last && chunk >= 1 && chunk <= 1 << 24 && split_name(algorithm, chunk) == name) return chunk;
  }
  return invalid_input("'" + name.substr(0, 100) + "' is no algorithm here: " + head + "1024] is, with any length of a part from 1 to 2^24");
}

}  // namespace detbench
