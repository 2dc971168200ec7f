#include "kernels/tensor/digest.hpp"

#include <array>
#include <bit>
#include <cstdio>
#include <cstring>

#include "kernels/tensor/digest_host.hpp"
#include "kernels/tensor/layout_walk.hpp"

namespace detbench {
namespace {

static_assert(std::endian::native == std::endian::little, "the digest reads words of little-endian memory");

/// A lane's next state; a bijection of `state` for a given `value`, and of `value` for a given `state`.
std::uint64_t absorb(std::uint64_t state, std::uint64_t value) { return mix64((state + 0x9E3779B97F4A7C15u) ^ value); }

}  // namespace

Digest finish_digest(const TensorSpec& spec, const DigestLanes& total) {
  std::array<std::uint64_t, 2> state;
  for (int lane = 0; lane < 2; ++lane) {
    std::uint64_t s = digest_lane_constant(lane);
    s = absorb(s, hash_name(to_text(spec.type)));  // the name, so that the enum's order is not part of the version
    s = absorb(s, spec.shape.size());
    for (const std::int64_t size : spec.shape) s = absorb(s, static_cast<std::uint64_t>(size));
    s = absorb(s, static_cast<std::uint64_t>(element_count(spec.shape)) * size_of(spec.type));
    state[lane] = absorb(s, total.lane[lane]);
  }
  return {state[0], state[1]};
}

DigestLanes digest_bytes(const void* data, std::int64_t bytes, std::uint64_t first_chunk) {
  const int level = digest_instruction_level();
  const auto* from = static_cast<const unsigned char*>(data);
  DigestLanes total;
  for (std::int64_t begin = 0; begin < bytes; begin += digest_chunk_bytes, ++first_chunk) {
    DigestLanes sum;
    if (bytes - begin >= digest_chunk_bytes) {
      sum = digest_chunk(from + begin, level);
    } else {
      std::array<unsigned char, digest_chunk_bytes> last{};
      std::memcpy(last.data(), from + begin, static_cast<std::size_t>(bytes - begin));
      sum = digest_chunk(last.data(), level);
    }
    for (int lane = 0; lane < 2; ++lane) total.lane[lane] += digest_chunk_term(lane, sum.lane[lane], first_chunk);
  }
  return total;
}

Digest combine(std::span<const Digest> digests) {
  std::uint64_t high = digest_lane_constant(0) ^ digests.size(), low = digest_lane_constant(1) ^ digests.size();
  for (const Digest& digest : digests) {
    high = absorb(high, digest.high);
    low = absorb(low, digest.low);
  }
  return {high, low};
}

namespace {

Digest digest_tensor(const Tensor& tensor) {
  const LayoutWalk walk(tensor.spec);
  const std::size_t element_bytes = size_of(tensor.spec.type);
  const std::int64_t bytes = walk.elements() * static_cast<std::int64_t>(element_bytes);
  const std::int64_t chunks = digest_chunk_count(bytes),
                     chunk_elements = digest_chunk_bytes / static_cast<std::int64_t>(element_bytes);
  const auto* memory = static_cast<const char*>(tensor.region.data);
  const bool contiguous = walk.is_contiguous();
  std::uint64_t lane0 = 0, lane1 = 0;
  // Threads take neighbouring chunks, in pieces that keep the cost of starting small tensors' threads away.
#pragma omp parallel for schedule(static) reduction(+ : lane0, lane1) if (chunks > 32)
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
    alignas(64) char buffer[digest_chunk_bytes];
    const std::int64_t begin = chunk * digest_chunk_bytes, size = std::min(digest_chunk_bytes, bytes - begin);
    const char* from = memory + begin;
    if (!contiguous) {
      gather(walk, element_bytes, memory, chunk * chunk_elements, size / static_cast<std::int64_t>(element_bytes),
             buffer);
      from = buffer;
    }
    const DigestLanes terms = digest_bytes(from, size, static_cast<std::uint64_t>(chunk));
    lane0 += terms.lane[0];
    lane1 += terms.lane[1];
  }
  return finish_digest(tensor.spec, DigestLanes{{lane0, lane1}});
}

}  // namespace

Digest digest_on_host(std::span<const Tensor> tensors) {
  std::vector<Digest> digests;
  for (const Tensor& tensor : tensors) digests.push_back(digest_tensor(tensor));
  return combine(digests);
}

std::string to_hex(const Digest& digest) {
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(digest.high),
                static_cast<unsigned long long>(digest.low));
  return text;
}

std::optional<Digest> parse_digest(std::string_view text) {
  if (text.size() != 32) return std::nullopt;
  std::uint64_t half[2] = {0, 0};
  for (std::size_t i = 0; i < 32; ++i) {
    const char c = text[i];
    const bool digit = c >= '0' && c <= '9', letter = c >= 'a' && c <= 'f';
    if (!digit && !letter) return std::nullopt;
    half[i / 16] = half[i / 16] << 4 | static_cast<std::uint64_t>(digit ? c - '0' : c - 'a' + 10);
  }
  return Digest{half[0], half[1]};
}

}  // namespace detbench
