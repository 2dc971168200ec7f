// The state of a running kernel: launch, resident blocks, their warps; and how instructions reach a warp's registers and memory.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/emulated_gpu/code.hpp"
#include "tests/emulated_gpu/machine.hpp"
#include "tests/emulated_gpu/shared_memory.hpp"

namespace detbench::emulated {

struct Range {
  std::uintptr_t first = 0, last = 0;
  bool holds(std::uintptr_t address, std::size_t bytes) const { return address >= first && address < last && last - address >= bytes; }
};

/// What all blocks of a launch share.
struct Grid {
  std::shared_ptr<Program> program;
  const Code* code = nullptr;
  Dimensions grid, block;
  std::size_t dynamic_shared_bytes = 0;
  std::vector<std::byte> parameters;
  Shape shape;
  Schedule schedule;
  const GlobalMemory* memory = nullptr;
  std::vector<Range> last_hit;  ///< per Instruction::memory_index, within one advance()
  std::mt19937_64 random;
  std::uint32_t first_multiprocessor = 0;  ///< where the first block goes: the seed draws it, in every order
  std::uint64_t executed = 0;   ///< warp instructions so far: what %clock counts

  /// The allocation, or the module's variable, that holds `address`; an empty range where there is none.
  Range range_of(std::uintptr_t address) const;
};

struct Block;

struct Warp {
  std::uint32_t pc = 0;         ///< of the lanes in `active`
  Mask active = 0;
  std::uint32_t stop_pc = 0;    ///< reaching it, the running lanes may meet others
  Mask live = 0;                ///< not exited
  Mask waiting = 0;             ///< for other lanes of this warp, at lane_pc
  Mask at_barrier = 0;          ///< of the block, at lane_pc
  std::array<std::uint32_t, warp_lanes> lane_pc{};  ///< of lanes that are not in `active`
  std::array<std::uint8_t, warp_lanes> lane_barrier{};
  std::uint32_t turns = 0;
  Mask carry = 0;               ///< the condition code of add.cc and its like
  const std::byte* bases[2]{};  ///< registers, constants
  std::uint32_t* predicates = nullptr;
  Block* block = nullptr;
  std::uint32_t index = 0;      ///< in the block
  AlignedBytes registers, local;
  std::vector<std::uint32_t> predicate_memory;
  std::array<Dimensions, warp_lanes> thread{};  ///< of each lane, in the block

  template <class T>
  const T* source(std::uint32_t operand) const {
    return reinterpret_cast<const T*>(bases[operand >> 31] + (operand & ~constant_bit));
  }
  template <class T>
  T* result(std::uint32_t operand) const {
    return reinterpret_cast<T*>(const_cast<std::byte*>(bases[0]) + operand);
  }
  Mask predicate(std::uint32_t operand) const { return predicates[operand >> 1] ^ (0u - (operand & 1)); }
  void set_predicate(std::uint32_t operand, Mask value, Mask mask) const {
    Mask& stored = predicates[operand >> 1];
    stored = (stored & ~mask) | (value & mask);
  }
  /// Local memory of a lane: its generic address.
  std::uintptr_t local_address(int lane) const;
  [[noreturn]] void fault(Fault::Kind kind, const Instruction& instruction, int lane, const std::string& what) const;
};

struct Barrier {
  std::uint32_t arrived = 0, expected = 0;  ///< threads; expected 0: all that are left
  std::uint32_t gathered = 0;               ///< of bar.red: how many predicates were true
};

/// A block that is resident on a multiprocessor.
struct Block {
  Grid* grid = nullptr;
  Dimensions position;
  std::uint32_t slot = 0;  ///< of the GPU's places for blocks; gives %smid
  AlignedBytes shared;
  SharedAccesses accesses;
  std::vector<Warp> warps;
  std::uint32_t threads = 0, live_threads = 0;
  std::array<Barrier, 16> barriers{};
  std::uint32_t waited_for = 0;  ///< bit per barrier at which someone has arrived
  std::uint32_t next_warp = 0;

  /// Lets threads go on where as many have arrived as are left.
  void release_barriers();
};

/// Places `block` at its start: the block with number `number` of the grid.
void start_block(Block& block, Grid& grid, std::uint64_t number, std::uint32_t slot);
/// Executes at most `budget` instructions of a warp and returns how many; 0 where none of its lanes can run.
std::uint64_t run_warp(Warp& warp, std::uint64_t budget);

// ---- lanes of registers -------------------------------------------------------------------------------------------------------

template <class T>
using Slot = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;

/// A register's bits as a T. Registers of 16 bits fill a slot of 32, the upper half zero.
template <class T>
inline T from_slot(Slot<T> bits) {
  if constexpr (std::is_floating_point_v<T>) return std::bit_cast<T>(bits);
  else return static_cast<T>(bits);
}
template <class T>
inline Slot<T> to_slot(T value) {
  if constexpr (std::is_floating_point_v<T>) return std::bit_cast<Slot<T>>(value);
  else return static_cast<std::make_unsigned_t<T>>(value);
}

/// Bit `lane`, in the width of a slot: as a table, which loops over lanes load as vectors.
template <class T>
struct LaneBits {
  T bit[warp_lanes]{};
  constexpr LaneBits() {
    for (int lane = 0; lane < warp_lanes; ++lane) bit[lane] = T{1} << lane;
  }
};
template <class T>
alignas(64) inline constexpr LaneBits<T> lane_bits;

/// `value` in lanes of the mask, else `other`.
template <class T>
inline T chosen(Mask mask, int lane, T value, T other) {
  return (mask & lane_bits<T>.bit[lane]) != 0 ? value : other;
}

/// d0 = Operation::apply(s0, s1, ...) in every lane of the mask. Slots are equal or apart, so that lanes do not depend on each other.
template <class Operation, class Result, class... Sources, std::size_t... index>
inline void map_lanes(Warp& warp, const Instruction& in, Mask mask, std::index_sequence<index...>) {
  const std::tuple<const Slot<Sources>*...> sources{warp.source<Slot<Sources>>(in.operand[Instruction::s0 + index])...};
  auto* const result = warp.result<Slot<Result>>(in.operand[Instruction::d0]);
  if (mask == all_lanes) {
#pragma GCC ivdep
    for (int lane = 0; lane < warp_lanes; ++lane) {
      result[lane] = to_slot<Result>(Operation::apply(from_slot<Sources>(std::get<index>(sources)[lane])...));
    }
  } else {
#pragma GCC ivdep
    for (int lane = 0; lane < warp_lanes; ++lane) {
      const Slot<Result> value = to_slot<Result>(Operation::apply(from_slot<Sources>(std::get<index>(sources)[lane])...));
      result[lane] = chosen(mask, lane, value, result[lane]);
    }
  }
}
template <class Operation, class Result, class... Sources>
void map_handler(Warp& warp, const Instruction& in, Mask mask) {
  map_lanes<Operation, Result, Sources...>(warp, in, mask, std::index_sequence_for<Sources...>{});
}

/// Calls f(lane) for each lane of the mask, lowest first.
template <class F>
inline void for_lanes(Mask mask, F&& f) {
  for (; mask != 0; mask &= mask - 1) f(std::countr_zero(mask));
}

}  // namespace detbench::emulated
