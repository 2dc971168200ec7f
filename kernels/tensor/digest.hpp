// The digest of METHOD section 8, version 1: 128 bits that depend on every output bit and its logical position, equal
// on every device, layout and thread count for equal results.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kernels/tensor/tensor.hpp"

namespace detbench {

inline constexpr int digest_version = 1;

struct Digest {
  std::uint64_t high = 0, low = 0;
  auto operator<=>(const Digest&) const = default;
};
std::string to_hex(const Digest& digest);                    ///< 32 lower-case hexadecimal digits
std::optional<Digest> parse_digest(std::string_view text);

/// Digest of host memory, in the order of the span; runs on the OpenMP threads of the caller.
Digest digest_on_host(std::span<const Tensor> tensors);
/// Joins the digests of several tensors; the order matters (METHOD section 11: loss, weights, slots, statistics).
Digest combine(std::span<const Digest> digests);

}  // namespace detbench
