// Where a warp's loads, stores and atomics reach: host addresses, checked.
#pragma once

#include <array>
#include <cstdint>

#include "tests/emulated_gpu/warp.hpp"

namespace detbench::emulated {

using Addresses = std::array<std::uintptr_t, warp_lanes>;

/// The host address of each lane of the mask for an access of `bytes`: within one allocation and aligned, or a Fault.
void resolve_addresses(Warp& warp, const Instruction& in, Mask mask, unsigned bytes, Addresses& addresses);

/// Notes an access to shared memory that resolve_addresses has found, or raises Fault::race; does nothing for other memory.
/// `unchanged`: lanes that store what is there already.
void note_accesses(Warp& warp, const Instruction& in, Mask mask, unsigned bytes, const Addresses& addresses, Access access, Mask unchanged);

/// Whether note_accesses can find something to say.
inline bool notes_accesses(const Warp& warp, const Instruction& in) {
  return in.checked_for_races && warp.block->grid->schedule.check_races;
}

}  // namespace detbench::emulated
