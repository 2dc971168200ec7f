// Places virtual registers in a warp's register file so that registers whose lives do not overlap share a place: kernels name
// thousands, and few live at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/emulated_gpu/code.hpp"

namespace detbench::emulated {

enum class SlotKind : std::uint8_t { narrow, wide, predicate };  ///< up to 32 bits a lane; 64; one bit

/// Field `field` of instruction `instruction` names virtual register `number`.
struct SlotUse {
  std::uint32_t instruction = 0;
  Instruction::Field field = Instruction::d0;
  std::uint32_t number = 0;
  bool writes = false;
};

struct SlotCounts {
  std::uint32_t narrow = 0, wide = 0, predicates = 1;
};

/// Fills in the operands that `uses` lists (in order of instructions) and sets the code's register_bytes and predicates. Targets
/// and branch tables must be resolved. A predicate's operand keeps its lowest bit, its negation.
SlotCounts place_registers(Code& code, const std::vector<SlotKind>& kinds, const std::vector<SlotUse>& uses);

}  // namespace detbench::emulated
