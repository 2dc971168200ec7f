// Runs the PTX of kernels on the CPU, warp by warp, so that every kernel of this project can be tested without a GPU. It says
// nothing about speed. What it does beyond running them: it refuses accesses outside of allocations and misaligned ones, shared
// memory that two warps touch without a barrier between, shuffles with lanes that are not there; and it draws the order of
// blocks and warps from a seed, so that a result that depends on the order can be made to show it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/emulated_gpu/ptx_syntax.hpp"

namespace detbench::emulated {

/// What a GPU would end a context for. `what()` names the kernel, the PTX line, block, thread and address.
class Fault : public std::runtime_error {
 public:
  enum class Kind { illegal_address, misaligned_address, illegal_instruction, race, unsupported };
  Fault(Kind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  Kind kind() const { return kind_; }

 private:
  Kind kind_;
};

/// Global memory: host addresses, as the runtime gave them out.
class GlobalMemory {
 public:
  virtual ~GlobalMemory() = default;
  /// Bounds [first, last) of the live allocation that holds `address`; {0, 0} where there is none. The machine caches the answer
  /// during one call of advance().
  virtual std::array<std::uintptr_t, 2> allocation_of(std::uintptr_t address) const = 0;
};

struct Dimensions {
  std::uint32_t x = 1, y = 1, z = 1;
  std::uint64_t count() const { return std::uint64_t{x} * y * z; }
};

/// The GPU that kernels see.
struct Shape {
  int multiprocessors = 4;
  int blocks_per_multiprocessor = 2;  ///< that take turns; the others wait, lowest number first
  std::size_t static_shared_bytes = 48 << 10, shared_bytes_per_block = 227 << 10;
};

/// How blocks and warps take turns.
struct Schedule {
  enum class Order { in_order, reversed, random };  ///< of the waiting blocks: random draws among the next few, so that none starves
  Order order = Order::in_order;
  std::uint64_t seed = 0;  ///< also draws, in every order, the multiprocessor of the first block
  int quantum = 200;  ///< warp instructions until another warp has its turn; random draws 1 ... 2 * quantum
  bool check_races = true;  ///< Fault::race where two warps touch shared memory without a barrier between
};

/// A module placed in memory: its variables have addresses, its kernels are compiled to the machine's own form when first launched.
class Program {
 public:
  /// Throws Fault (unsupported) for module variables it cannot place.
  explicit Program(std::shared_ptr<const ptx::Module> module);
  ~Program();
  /// Address of a module-scope .global or .const variable, and its bytes; {nullptr, 0} where there is none.
  std::span<std::byte> variable(const std::string& name);

  struct Attributes {
    std::size_t static_shared_bytes = 0, local_bytes = 0, constant_bytes = 0;
    int registers = 0;  ///< 32-bit registers that hold values at the same time, 16 to 255: near what an assembler would take
    int max_threads_per_block = 1024;
    std::vector<std::size_t> parameter_offsets, parameter_sizes;  ///< bytes
    std::size_t parameter_bytes = 0;
  };
  /// Throws Fault for a name that is no kernel, and (unsupported, with the PTX line) for instructions the machine does not know.
  const Attributes& attributes(const std::string& kernel);

  struct State;
  State& state() { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

struct Launch {
  std::shared_ptr<Program> program;
  std::string kernel;
  Dimensions grid, block;
  std::size_t dynamic_shared_bytes = 0;
  std::vector<std::byte> parameters;  ///< laid out as attributes().parameter_offsets says
};

/// A kernel in flight.
class Run {
 public:
  Run(Launch launch, const Shape& shape, const Schedule& schedule, const GlobalMemory& memory);
  ~Run();
  /// Executes about `warp_instructions` and returns; true when the kernel has finished. Throws Fault; the run is over then.
  bool advance(std::uint64_t warp_instructions);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace detbench::emulated
