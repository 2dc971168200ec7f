// How a warp's lanes run: of those that can, the ones at the lowest instruction go first, so that lanes that parted meet again where
// their ways join. Lanes that wait for others, in the warp or in the block, stand aside.
#include "tests/emulated_gpu/warp.hpp"

#include <algorithm>
#include <limits>

namespace detbench::emulated {
namespace {

constexpr std::uint32_t nowhere = std::numeric_limits<std::uint32_t>::max();
/// Of how many turns one is for lanes that are not the lowest.
constexpr std::uint32_t turns_between = 4;

std::string position_text(const Dimensions& at) {
  return "(" + std::to_string(at.x) + ", " + std::to_string(at.y) + ", " + std::to_string(at.z) + ")";
}

void store_active(Warp& warp) {
  for_lanes(warp.active, [&](int lane) { warp.lane_pc[static_cast<std::size_t>(lane)] = warp.pc; });
}

/// Makes the ready lanes at `place` the active ones; `next` is the place of the nearest that are behind them.
void activate(Warp& warp, Mask ready, std::uint32_t place, std::uint32_t next) {
  warp.pc = place;
  warp.stop_pc = next;
  warp.active = 0;
  for_lanes(ready, [&](int lane) { warp.active |= static_cast<Mask>(warp.lane_pc[static_cast<std::size_t>(lane)] == place) << lane; });
}

/// Makes the lanes at the lowest place the active ones. False where no lane can run.
bool choose_lowest(Warp& warp) {
  const Mask ready = warp.live & ~warp.waiting & ~warp.at_barrier;
  warp.active = 0;
  if (ready == 0) return false;
  std::uint32_t lowest = nowhere, next = nowhere;
  for_lanes(ready, [&](int lane) {
    const std::uint32_t place = warp.lane_pc[static_cast<std::size_t>(lane)];
    if (place < lowest) next = lowest, lowest = place;
    else if (place > lowest) next = std::min(next, place);
  });
  activate(warp, ready, lowest, next);
  return true;
}

/// As choose_lowest, but of all places at which lanes are ready one after another has its turn: lanes that spin cannot keep those
/// from running that they wait for.
bool choose_in_turn(Warp& warp) {
  const Mask ready = warp.live & ~warp.waiting & ~warp.at_barrier;
  if (ready == 0) return choose_lowest(warp);
  std::vector<std::uint32_t> places;
  for_lanes(ready, [&](int lane) { places.push_back(warp.lane_pc[static_cast<std::size_t>(lane)]); });
  std::sort(places.begin(), places.end());
  places.erase(std::unique(places.begin(), places.end()), places.end());
  const std::size_t turn = warp.turns / turns_between % places.size();
  activate(warp, ready, places[turn], turn + 1 < places.size() ? places[turn + 1] : nowhere);
  return true;
}

/// The lanes part: those of `taken` go to `target`, the others on.
bool part(Warp& warp, Mask taken, std::uint32_t target) {
  ++warp.pc;
  store_active(warp);
  for_lanes(taken, [&](int lane) { warp.lane_pc[static_cast<std::size_t>(lane)] = target; });
  return choose_lowest(warp);
}

bool branch(Warp& warp, const Instruction& in, Mask taken) {
  if (taken == 0) return ++warp.pc, true;
  if (taken != warp.active) return part(warp, taken, in.target);
  const bool back = in.target <= warp.pc;
  warp.pc = in.target;
  // Others that wait further down may now be lower or higher than these; look again only if there are any.
  if (back && warp.active != (warp.live & ~warp.waiting & ~warp.at_barrier)) {
    store_active(warp);
    return choose_lowest(warp);
  }
  return true;
}

bool branch_table(Warp& warp, const Instruction& in, Mask taken) {
  const auto& table = warp.block->grid->code->branch_tables[static_cast<std::size_t>(in.immediate)];
  const auto* const index = warp.source<std::uint32_t>(in.operand[Instruction::s0]);
  for_lanes(taken, [&](int lane) {
    if (index[lane] >= table.size()) warp.fault(Fault::Kind::illegal_instruction, in, lane, "a branch beyond the end of its table");
  });
  ++warp.pc;
  store_active(warp);
  for_lanes(taken, [&](int lane) { warp.lane_pc[static_cast<std::size_t>(lane)] = table[index[lane]]; });
  return choose_lowest(warp);
}

bool leave(Warp& warp, Mask leaving) {
  Block& block = *warp.block;
  warp.live &= ~leaving;
  block.live_threads -= static_cast<std::uint32_t>(std::popcount(leaving));
  // Whoever waited for the lanes that left looks again.
  warp.waiting = 0;
  ++warp.pc;
  warp.active &= ~leaving;
  store_active(warp);
  block.release_barriers();
  return choose_lowest(warp);
}

/// Lets the lanes do together what they came for, as far as all that their operand s3 names are here; the others wait. Lanes that
/// have exited are not waited for.
bool converge(Warp& warp, const Instruction& in, Mask arriving) {
  const auto* const members = warp.source<Mask>(in.operand[Instruction::s3]);
  if (warp.waiting == 0 && arriving == warp.active) {
    // Mostly all name all that are left, and are here.
    const Mask named = members[std::countr_zero(arriving)];
    Mask same = 0;
    for (int lane = 0; lane < warp_lanes; ++lane) same |= members[lane] == named ? lane_bits<Mask>.bit[lane] : 0;
    if ((arriving & ~(same & named)) == 0 && (named & warp.live) == arriving) {
      in.run(warp, in, arriving);
      ++warp.pc;
      return true;
    }
  }
  Mask here = arriving;
  for_lanes(warp.waiting, [&](int lane) { here |= static_cast<Mask>(warp.lane_pc[static_cast<std::size_t>(lane)] == warp.pc) << lane; });
  Mask complete = 0;
  for (Mask left = here; left != 0;) {
    const int first = std::countr_zero(left);
    const Mask named = members[first];
    Mask group = 0;
    for_lanes(left, [&](int lane) { group |= static_cast<Mask>(members[lane] == named) << lane; });
    if ((group & ~named) != 0) warp.fault(Fault::Kind::illegal_instruction, in, std::countr_zero(group & ~named), "a thread is not among those it names");
    if ((named & warp.live & ~group) == 0) complete |= group;
    left &= ~group;
  }
  if (complete != 0) in.run(warp, in, complete);
  if (complete == here && here == arriving) return ++warp.pc, true;
  const std::uint32_t here_pc = warp.pc++;
  store_active(warp);
  for_lanes(here, [&](int lane) { warp.lane_pc[static_cast<std::size_t>(lane)] = (complete >> lane & 1) != 0 ? here_pc + 1 : here_pc; });
  warp.waiting = (warp.waiting & ~here) | (here & ~complete);
  return choose_lowest(warp);
}

void arrive(Warp& warp, const Instruction& in, Mask arriving, bool waits) {
  Block& block = *warp.block;
  const auto* const number = warp.source<std::uint32_t>(in.operand[Instruction::s0]);
  const auto* const expected = warp.source<std::uint32_t>(in.operand[Instruction::s1]);
  const Mask votes = in.detail != 0 ? warp.predicate(in.operand[Instruction::s2]) : 0;
  for_lanes(arriving, [&](int lane) {
    if (number[lane] >= block.barriers.size()) warp.fault(Fault::Kind::illegal_instruction, in, lane, "there is no barrier " + std::to_string(number[lane]));
    Barrier& barrier = block.barriers[number[lane]];
    if (barrier.arrived != 0 && barrier.expected != expected[lane]) {
      warp.fault(Fault::Kind::illegal_instruction, in, lane, "threads at a barrier expect different numbers of threads");
    }
    barrier.expected = expected[lane];
    block.waited_for |= 1u << number[lane];
    ++barrier.arrived;
    barrier.gathered += votes >> lane & 1;
    warp.lane_barrier[static_cast<std::size_t>(lane)] = static_cast<std::uint8_t>(number[lane]);
  });
  if (waits) {
    const std::uint32_t here = warp.pc++;
    store_active(warp);
    for_lanes(arriving, [&](int lane) { warp.lane_pc[static_cast<std::size_t>(lane)] = here; });
    warp.at_barrier |= arriving;
    warp.active &= ~arriving;
  } else {
    ++warp.pc;
    store_active(warp);
  }
  block.release_barriers();
}

}  // namespace

std::uintptr_t Warp::local_address(int lane) const {
  return std::bit_cast<std::uintptr_t>(local.data()) + local.size() / warp_lanes * static_cast<std::size_t>(lane);
}

void Warp::fault(Fault::Kind kind, const Instruction& instruction, int lane, const std::string& what) const {
  throw Fault(kind, block->grid->code->kernel + ", PTX line " + std::to_string(instruction.line) + ", block " + position_text(block->position) +
                        ", thread " + position_text(thread[static_cast<std::size_t>(lane)]) + ": " + what);
}

std::uint64_t run_warp(Warp& warp, std::uint64_t budget) {
  const Instruction* const code = warp.block->grid->code->instructions.data();
  const bool can_run = warp.turns % turns_between == turns_between - 1 ? choose_in_turn(warp) : choose_lowest(warp);
  ++warp.turns;
  if (!can_run) return 0;
  std::uint64_t done = 0;
  while (done < budget) {
    const Instruction& in = code[warp.pc];
    ++done;
    const Mask mask = warp.active & warp.predicate(in.operand[Instruction::guard]);
    if (in.control == Control::none) {
      if (mask != 0) in.run(warp, in, mask);
      ++warp.pc;
    } else {
      bool runs = true;
      switch (in.control) {
        case Control::branch: runs = branch(warp, in, mask); break;
        case Control::branch_table: runs = mask == 0 ? (++warp.pc, true) : branch_table(warp, in, mask); break;
        case Control::leave: runs = mask == 0 ? (++warp.pc, true) : leave(warp, mask); break;
        case Control::converge: runs = mask == 0 ? (++warp.pc, true) : converge(warp, in, mask); break;
        case Control::barrier:
        case Control::barrier_arrive:
          if (mask == 0) {
            ++warp.pc;
          } else {
            arrive(warp, in, mask, in.control == Control::barrier);
            runs = choose_lowest(warp);
          }
          break;
        default:
          ++warp.pc;
          store_active(warp);
          return done;
      }
      if (!runs) return done;
    }
    if (warp.pc >= warp.stop_pc) {
      store_active(warp);
      choose_lowest(warp);
    }
  }
  store_active(warp);
  return done;
}

}  // namespace detbench::emulated
