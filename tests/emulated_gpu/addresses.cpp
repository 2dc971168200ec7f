#include "tests/emulated_gpu/addresses.hpp"

#include <cstdio>
#include <string>

namespace detbench::emulated {
namespace {

std::string hexadecimal(std::uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

const char* name_of(Space space) {
  switch (space) {
    case Space::shared: return "shared memory";
    case Space::local: return "local memory";
    case Space::parameter: return "the parameters";
    case Space::constant: return "constant memory";
    default: return "global memory";
  }
}

[[noreturn]] void misaligned(const Warp& warp, const Instruction& in, int lane, unsigned bytes, std::uint64_t address) {
  warp.fault(Fault::Kind::misaligned_address, in, lane,
             "an access of " + std::to_string(bytes) + " bytes to " + name_of(in.space) + " at " + hexadecimal(address) + " is misaligned");
}

[[noreturn]] void outside(const Warp& warp, const Instruction& in, int lane, unsigned bytes, std::uint64_t address) {
  warp.fault(Fault::Kind::illegal_address, in, lane,
             "an access of " + std::to_string(bytes) + " bytes at " + hexadecimal(address) + " is outside of " + name_of(in.space));
}

/// What the program computed, before the space's base is added.
std::uint64_t written_address(const Warp& warp, const Instruction& in, int lane) {
  const auto offset = static_cast<std::uint64_t>(in.immediate);
  switch (in.address_bytes) {
    case 8: return warp.source<std::uint64_t>(in.operand[Instruction::address])[lane] + offset;
    // Addresses of 32 bits wrap around as such.
    case 4: return static_cast<std::uint32_t>(warp.source<std::uint32_t>(in.operand[Instruction::address])[lane] + offset);
    default: return offset;
  }
}

/// Spaces whose addresses count from the space's start.
template <class Base>
void resolve_offsets(Warp& warp, const Instruction& in, Mask mask, unsigned bytes, std::size_t size, Base base, Addresses& addresses) {
  for_lanes(mask, [&](int lane) {
    const std::uint64_t offset = written_address(warp, in, lane);
    if (offset > size || size - offset < bytes) outside(warp, in, lane, bytes, offset);
    if (offset % bytes != 0) misaligned(warp, in, lane, bytes, offset);
    addresses[static_cast<std::size_t>(lane)] = base(lane) + offset;
  });
}

void resolve_shared(Warp& warp, const Instruction& in, Mask mask, unsigned bytes, Addresses& addresses) {
  const auto base = std::bit_cast<std::uintptr_t>(warp.block->shared.data());
  const std::size_t size = warp.block->shared.size();
  if (mask == all_lanes && in.address_bytes == 4 && size >= bytes) {
    const auto* const source = warp.source<std::uint32_t>(in.operand[Instruction::address]);
    const auto offset = static_cast<std::uint32_t>(in.immediate), limit = static_cast<std::uint32_t>(size - bytes);
    std::uint32_t bad = 0;
    for (std::size_t lane = 0; lane < warp_lanes; ++lane) {
      const std::uint32_t address = source[lane] + offset;
      bad |= (address & (bytes - 1)) | static_cast<std::uint32_t>(address > limit);
      addresses[lane] = base + address;
    }
    if (bad == 0) return;
  }
  resolve_offsets(warp, in, mask, bytes, size, [&](int) { return base; }, addresses);
}

/// One address that the range hit before does not hold.
void look_up(Warp& warp, const Instruction& in, int lane, unsigned bytes, std::uintptr_t address) {
  Grid& grid = *warp.block->grid;
  const Range range = grid.range_of(address);
  if (!range.holds(address, bytes)) outside(warp, in, lane, bytes, address);
  grid.last_hit[in.memory_index] = range;
}

void resolve_global(Warp& warp, const Instruction& in, Mask mask, unsigned bytes, Addresses& addresses) {
  const Range& range = warp.block->grid->last_hit[in.memory_index];
  if (mask == all_lanes && in.address_bytes == 8 && range.last - range.first >= bytes) {
    const auto* const source = warp.source<std::uint64_t>(in.operand[Instruction::address]);
    const auto offset = static_cast<std::uint64_t>(in.immediate);
    const std::uint64_t first = range.first, limit = range.last - range.first - bytes;
    std::uint64_t bad = 0;
    for (std::size_t lane = 0; lane < warp_lanes; ++lane) {
      const std::uint64_t address = source[lane] + offset;
      bad |= (address & (bytes - 1)) | static_cast<std::uint64_t>(address - first > limit);
      addresses[lane] = address;
    }
    if (bad == 0) return;
  }
  for_lanes(mask, [&](int lane) {
    const std::uint64_t address = written_address(warp, in, lane);
    if (!range.holds(address, bytes)) look_up(warp, in, lane, bytes, address);
    if (address % bytes != 0) misaligned(warp, in, lane, bytes, address);
    addresses[static_cast<std::size_t>(lane)] = address;
  });
}

void resolve_generic(Warp& warp, const Instruction& in, Mask mask, unsigned bytes, Addresses& addresses) {
  const Block& block = *warp.block;
  const auto range = [](const std::byte* data, std::size_t size) {
    const auto first = std::bit_cast<std::uintptr_t>(data);
    return Range{first, first + size};
  };
  const Range shared = range(block.shared.data(), block.shared.size());
  const Range parameters = range(block.grid->parameters.data(), block.grid->parameters.size());
  for_lanes(mask, [&](int lane) {
    const std::uint64_t address = written_address(warp, in, lane);
    if (address % bytes != 0) misaligned(warp, in, lane, bytes, address);
    const std::uintptr_t local = warp.local_address(lane);
    const Range own{local, local + block.grid->code->attributes.local_bytes};
    const bool found = shared.holds(address, bytes) || own.holds(address, bytes) || parameters.holds(address, bytes) ||
                       block.grid->last_hit[in.memory_index].holds(address, bytes);
    if (!found) look_up(warp, in, lane, bytes, address);
    addresses[static_cast<std::size_t>(lane)] = address;
  });
}

}  // namespace

void resolve_addresses(Warp& warp, const Instruction& in, Mask mask, unsigned bytes, Addresses& addresses) {
  const Block& block = *warp.block;
  switch (in.space) {
    case Space::shared: return resolve_shared(warp, in, mask, bytes, addresses);
    case Space::local:
      return resolve_offsets(warp, in, mask, bytes, block.grid->code->attributes.local_bytes, [&](int lane) { return warp.local_address(lane); }, addresses);
    case Space::parameter: {
      const auto base = std::bit_cast<std::uintptr_t>(block.grid->parameters.data());
      return resolve_offsets(warp, in, mask, bytes, block.grid->parameters.size(), [&](int) { return base; }, addresses);
    }
    case Space::generic: return resolve_generic(warp, in, mask, bytes, addresses);
    default: return resolve_global(warp, in, mask, bytes, addresses);
  }
}

void race_fault(const Warp& warp, const Instruction& in, int lane, std::uintptr_t offset, Access access) {
  const char* const what = access == Access::read ? "a load from" : access == Access::write ? "a store to" : "an atomic on";
  warp.fault(Fault::Kind::race, in, lane, std::string(what) + " shared memory at " + hexadecimal(offset) + " races with another warp: no barrier is between");
}

}  // namespace detbench::emulated
