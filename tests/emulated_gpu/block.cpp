#include <algorithm>
#include <cstring>

#include "tests/emulated_gpu/program.hpp"
#include "tests/emulated_gpu/warp.hpp"

namespace detbench::emulated {
namespace {

Dimensions position_of(std::uint64_t number, const Dimensions& extent) {
  Dimensions result;
  result.x = static_cast<std::uint32_t>(number % extent.x);
  result.y = static_cast<std::uint32_t>(number / extent.x % extent.y);
  result.z = static_cast<std::uint32_t>(number / extent.x / extent.y);
  return result;
}

/// Lets go on whom `barrier` holds, with what bar.red gathered.
void release(Block& block, std::size_t number) {
  const Barrier barrier = block.barriers[number];
  block.barriers[number] = {};
  block.waited_for &= ~(1u << number);
  for (Warp& warp : block.warps) {
    for_lanes(warp.at_barrier, [&](int lane) {
      const auto l = static_cast<std::size_t>(lane);
      if (warp.lane_barrier[l] != number) return;
      const Instruction& in = block.grid->code->instructions[warp.lane_pc[l]];
      const Mask bit = Mask{1} << lane;
      switch (in.detail) {
        case 1: warp.result<std::uint32_t>(in.operand[Instruction::d0])[lane] = barrier.gathered; break;
        case 2: warp.set_predicate(in.operand[Instruction::d0], barrier.gathered == barrier.arrived ? bit : 0, bit); break;
        case 3: warp.set_predicate(in.operand[Instruction::d0], barrier.gathered != 0 ? bit : 0, bit); break;
        default: break;
      }
      ++warp.lane_pc[l];
      warp.at_barrier &= ~bit;
    });
  }
  block.accesses.next_epoch();
}

}  // namespace

void Block::release_barriers() {
  for (std::uint32_t left = waited_for; left != 0; left &= left - 1) {
    const auto number = static_cast<std::size_t>(std::countr_zero(left));
    const Barrier& barrier = barriers[number];
    if (barrier.arrived >= (barrier.expected != 0 ? barrier.expected : live_threads)) release(*this, number);
  }
}

void start_block(Block& block, Grid& grid, std::uint64_t number, std::uint32_t slot) {
  const Code& code = *grid.code;
  block.grid = &grid;
  block.position = position_of(number, grid.grid);
  block.slot = slot;
  block.threads = block.live_threads = static_cast<std::uint32_t>(grid.block.count());
  block.barriers = {};
  block.waited_for = 0;
  block.next_warp = 0;
  const std::size_t shared_bytes = grid.dynamic_shared_bytes == 0 ? code.attributes.static_shared_bytes : code.dynamic_shared_offset + grid.dynamic_shared_bytes;
  if (block.shared.size() != shared_bytes) block.shared = AlignedBytes(shared_bytes, 1024);
  // What nobody has written yet is not zero on a GPU either: as floats these are NaNs.
  if (shared_bytes != 0) std::memset(block.shared.data(), 0xff, shared_bytes);
  block.accesses.reset(shared_bytes);
  block.warps.resize((block.threads + warp_lanes - 1) / warp_lanes);
  const std::size_t local_stride = (code.attributes.local_bytes + 15) / 16 * 16;
  for (std::size_t w = 0; w < block.warps.size(); ++w) {
    Warp& warp = block.warps[w];
    const std::uint32_t first = static_cast<std::uint32_t>(w) * warp_lanes;
    const std::uint32_t lanes = std::min<std::uint32_t>(warp_lanes, block.threads - first);
    if (warp.registers.size() == 0) {
      // Handlers may load a whole slot of the widest kind from the first place.
      warp.registers = AlignedBytes(code.register_bytes + wide_slot_bytes);
      std::memset(warp.registers.data(), 0, warp.registers.size());
      warp.local = AlignedBytes(local_stride * warp_lanes);
      warp.predicate_memory.assign(code.predicates, 0);
      for (std::uint32_t lane = 0; lane < warp_lanes; ++lane) warp.thread[lane] = position_of(first + lane, grid.block);
    }
    warp.predicate_memory[0] = all_lanes;
    std::memset(warp.local.data(), 0xff, warp.local.size());
    warp.pc = 0;
    warp.active = warp.waiting = warp.at_barrier = 0;
    warp.live = lanes == warp_lanes ? all_lanes : (Mask{1} << lanes) - 1;
    warp.lane_pc.fill(0);
    warp.turns = 0;
    warp.bases[0] = warp.registers.data();
    warp.bases[1] = code.constants.data();
    warp.predicates = warp.predicate_memory.data();
    warp.block = &block;
    warp.index = static_cast<std::uint32_t>(w);
  }
}

Range Grid::range_of(std::uintptr_t address) const {
  const auto [first, last] = memory->allocation_of(address);
  if (first != last) return {first, last};
  for (const auto& [name, placed] : program->state().variables.by_name) {
    const auto start = std::bit_cast<std::uintptr_t>(placed.memory.data());
    const Range range{start, start + placed.memory.size()};
    if (range.holds(address, 1)) return range;
  }
  return {};
}

}  // namespace detbench::emulated
