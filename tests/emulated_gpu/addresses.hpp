// Where a warp's loads, stores and atomics reach: host addresses, checked.
#pragma once

#include <array>
#include <cstdint>

#include "tests/emulated_gpu/warp.hpp"

namespace detbench::emulated {

using Addresses = std::array<std::uintptr_t, warp_lanes>;

/// The host address of each lane of the mask for an access of `bytes`: within one allocation and aligned, or a Fault.
void resolve_addresses(Warp& warp, const Instruction& in, Mask mask, unsigned bytes, Addresses& addresses);

/// Says which word of shared memory another warp touched too.
[[noreturn]] void race_fault(const Warp& warp, const Instruction& in, int lane, std::uintptr_t offset, Access access);

/// Whether accesses of this instruction are to be noted: those of shared memory that are not volatile.
inline bool notes_accesses(const Warp& warp, const Instruction& in) {
  return in.checked_for_races && warp.block->grid->schedule.check_races;
}

/// Notes accesses that resolve_addresses has found, or raises Fault::race; passes over addresses of other memory. A clash that
/// unchanged(lane) excuses, a store of what is there already, is none: many kernels let all threads store one value.
template <class Unchanged>
void note_accesses(Warp& warp, const Instruction& in, Mask mask, unsigned bytes, const Addresses& addresses, Access access, Unchanged&& unchanged) {
  Block& block = *warp.block;
  const auto base = std::bit_cast<std::uintptr_t>(block.shared.data());
  const std::size_t size = block.shared.size();
  std::uintptr_t before = size;  // neighbours often read the same
  for_lanes(mask, [&](int lane) {
    const std::uintptr_t offset = addresses[static_cast<std::size_t>(lane)] - base;
    if (offset >= size || (offset == before && access == Access::read)) return;
    before = offset;
    for (unsigned done = 0; done < bytes; done += 4) {
      const auto word = static_cast<std::uint32_t>((offset + done) / 4);
      const unsigned part = bytes < 4 ? ((1u << bytes) - 1) << (offset % 4) : 15u;
      if (block.accesses.note(word, part, warp.index, access)) continue;
      if (!unchanged(lane)) race_fault(warp, in, lane, offset + done, access);
      block.accesses.note_anyway(word, part, warp.index, access);
    }
  });
}

}  // namespace detbench::emulated
