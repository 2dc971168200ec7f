#include "tests/emulated_gpu/machine.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "tests/emulated_gpu/program.hpp"
#include "tests/emulated_gpu/warp.hpp"

namespace detbench::emulated {
namespace {

/// How many of the waiting blocks a random order chooses from.
constexpr std::uint64_t blocks_drawn_from = 8;

/// Gives out block numbers 0 ... count - 1, each once.
class BlockQueue {
 public:
  BlockQueue(std::uint64_t count, Schedule::Order order) : count_(count), order_(order) {}
  bool empty() const { return given_ == count_; }
  std::uint64_t next(std::mt19937_64& random) {
    ++given_;
    if (order_ == Schedule::Order::in_order) return given_ - 1;
    if (order_ == Schedule::Order::reversed) return count_ - given_;
    while (drawn_from_.size() < blocks_drawn_from && unseen_ < count_) drawn_from_.push_back(unseen_++);
    const std::size_t chosen = random() % drawn_from_.size();
    std::swap(drawn_from_[chosen], drawn_from_.back());
    const std::uint64_t number = drawn_from_.back();
    drawn_from_.pop_back();
    return number;
  }

 private:
  std::uint64_t count_, given_ = 0, unseen_ = 0;
  Schedule::Order order_;
  std::vector<std::uint64_t> drawn_from_;
};

}  // namespace

struct Run::State {
  Grid grid;
  BlockQueue waiting;
  std::vector<std::unique_ptr<Block>> resident;  ///< running; a slot of the GPU each
  std::vector<std::unique_ptr<Block>> spare;     ///< their memory, for the next blocks
  std::vector<std::uint32_t> free_slots;
  std::size_t next_block = 0;
  bool over = false;

  State(Launch launch, const Shape& shape, const Schedule& schedule, const GlobalMemory& memory)
      : waiting(launch.grid.count(), schedule.order) {
    grid.program = std::move(launch.program);
    grid.code = &grid.program->state().code(launch.kernel);
    grid.grid = launch.grid;
    grid.block = launch.block;
    grid.dynamic_shared_bytes = launch.dynamic_shared_bytes;
    grid.parameters = std::move(launch.parameters);
    grid.shape = shape;
    grid.schedule = schedule;
    grid.memory = &memory;
    grid.random.seed(schedule.seed);
    grid.first_multiprocessor = static_cast<std::uint32_t>(grid.random() % static_cast<std::uint64_t>(std::max(1, shape.multiprocessors)));
    if (grid.parameters.size() < grid.code->attributes.parameter_bytes) {
      throw Fault(Fault::Kind::illegal_instruction, grid.code->kernel + ": the launch has too few bytes of parameters");
    }
    if (grid.block.count() == 0 || grid.block.count() > 1024) {
      throw Fault(Fault::Kind::illegal_instruction, grid.code->kernel + ": a block of " + std::to_string(grid.block.count()) + " threads");
    }
    if (grid.code->dynamic_shared_offset + grid.dynamic_shared_bytes > shape.shared_bytes_per_block) {
      throw Fault(Fault::Kind::illegal_instruction, grid.code->kernel + ": too much shared memory for a block");
    }
    for (int slot = shape.multiprocessors * shape.blocks_per_multiprocessor; slot > 0; --slot) free_slots.push_back(static_cast<std::uint32_t>(slot - 1));
    // Which multiprocessor a block comes to is the scheduler's affair.
    if (schedule.order == Schedule::Order::reversed) std::ranges::reverse(free_slots);
    if (schedule.order == Schedule::Order::random) std::ranges::shuffle(free_slots, grid.random);
    grid.last_hit.resize(grid.code->memory_instructions);
  }

  void fill_slots() {
    while (!waiting.empty() && !free_slots.empty()) {
      if (spare.empty()) spare.push_back(std::make_unique<Block>());
      start_block(*spare.back(), grid, waiting.next(grid.random), free_slots.back());
      free_slots.pop_back();
      resident.push_back(std::move(spare.back()));
      spare.pop_back();
    }
  }

  /// The block's next warp that can run, from where the last turn ended; how long it ran.
  std::uint64_t run_block(Block& block, std::uint64_t quantum) {
    const auto count = static_cast<std::uint32_t>(block.warps.size());
    if (grid.schedule.order == Schedule::Order::random) block.next_warp = static_cast<std::uint32_t>(grid.random() % count);
    for (std::uint32_t tried = 0; tried < count; ++tried) {
      const std::uint32_t place = block.next_warp;
      block.next_warp = (place + 1) % count;
      Warp& warp = block.warps[grid.schedule.order == Schedule::Order::reversed ? count - 1 - place : place];
      if (warp.live == 0) continue;
      if (const std::uint64_t done = run_warp(warp, quantum); done != 0) return done;
    }
    stuck(block);
  }

  [[noreturn]] void stuck(const Block& block) const {
    for (const Warp& warp : block.warps) {
      const Mask waits = warp.waiting != 0 ? warp.waiting : warp.at_barrier;
      if (waits == 0) continue;
      const int lane = std::countr_zero(waits);
      std::uint32_t at_barriers = 0;
      for (const Warp& other : block.warps) at_barriers += static_cast<std::uint32_t>(std::popcount(other.at_barrier));
      warp.fault(Fault::Kind::illegal_instruction, grid.code->instructions[warp.lane_pc[static_cast<std::size_t>(lane)]], lane,
                 warp.waiting != 0 ? "waits forever for other threads of its warp"
                                   : "waits forever at a barrier: " + std::to_string(at_barriers) + " of " + std::to_string(block.live_threads) + " threads wait");
    }
    throw Fault(Fault::Kind::illegal_instruction, grid.code->kernel + ": no thread can run");
  }

  std::uint64_t quantum() {
    const auto whole = static_cast<std::uint64_t>(std::max(1, grid.schedule.quantum));
    return grid.schedule.order == Schedule::Order::random ? 1 + grid.random() % (2 * whole) : whole;
  }
};

Run::Run(Launch launch, const Shape& shape, const Schedule& schedule, const GlobalMemory& memory)
    : state_(std::make_unique<State>(std::move(launch), shape, schedule, memory)) {}

Run::~Run() = default;

bool Run::advance(std::uint64_t warp_instructions) {
  State& state = *state_;
  if (state.over) return true;
  std::fill(state.grid.last_hit.begin(), state.grid.last_hit.end(), Range{});
  try {
    for (std::uint64_t done = 0; done < warp_instructions;) {
      state.fill_slots();
      if (state.resident.empty()) {
        state.over = true;
        return true;
      }
      if (state.grid.schedule.order == Schedule::Order::random) state.next_block = state.grid.random() % state.resident.size();
      state.next_block %= state.resident.size();
      std::unique_ptr<Block>& block = state.resident[state.next_block];
      const std::uint64_t ran = state.run_block(*block, state.quantum());
      done += ran;
      state.grid.executed += ran;
      if (block->live_threads == 0) {
        state.free_slots.push_back(block->slot);
        state.spare.push_back(std::move(block));
        state.resident.erase(state.resident.begin() + static_cast<std::ptrdiff_t>(state.next_block));
      } else {
        ++state.next_block;
      }
    }
  } catch (...) {
    state.over = true;
    throw;
  }
  return false;
}

}  // namespace detbench::emulated
