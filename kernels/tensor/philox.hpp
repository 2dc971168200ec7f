// Philox4x32-10, a counter-based random generator: 128 random bits that depend on (counter, key) only, by 32-bit
// integer multiplications, so the same on every device. Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy
// as 1, 2, 3" (SC11); the constants are those of their Random123 library.
#pragma once

#include <cstdint>
#include <string_view>

#include "kernels/tensor/host_device.hpp"

namespace detbench {

struct PhiloxWords {
  std::uint32_t w[4];
};

/// Ten rounds. `index` fills counter words 0 and 1, `call` word 2 and `domain` word 3; `key` the two key words, low
/// half first.
DETBENCH_HOST_DEVICE constexpr PhiloxWords philox4x32(std::uint64_t index, std::uint32_t call, std::uint32_t domain,
                                                      std::uint64_t key) {
  std::uint32_t c0 = static_cast<std::uint32_t>(index), c1 = static_cast<std::uint32_t>(index >> 32);
  std::uint32_t c2 = call, c3 = domain;
  std::uint32_t k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c0, p1 = std::uint64_t{0xCD9E8D57u} * c2;
    const std::uint32_t n0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
    const std::uint32_t n2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<std::uint32_t>(p1);
    c3 = static_cast<std::uint32_t>(p0);
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

/// A bijection of 64-bit integers whose every output bit depends on every input bit: the finalizer of splitmix64
/// (Stafford's mix 13). Two xor-shifts and two odd multiplications, each of which can be undone.
DETBENCH_HOST_DEVICE constexpr std::uint64_t mix64(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

/// FNV-1a over the bytes of a name.
constexpr std::uint64_t hash_name(std::string_view name) {
  std::uint64_t hash = 0xCBF29CE484222325u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return hash;
}

/// The Philox key of a named stream: mix64(seed + mix64(FNV-1a(name))). For one name different seeds have different
/// keys, because both steps are bijections.
constexpr std::uint64_t stream_key(std::uint64_t seed, std::string_view name) {
  return mix64(seed + mix64(hash_name(name)));
}

}  // namespace detbench
