// A kernel in the machine's own form: one compact record per PTX instruction, its operands resolved to places in a warp's register
// file, to constants and to predicates. Made by decode.cpp, executed by warp.cpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <vector>

#include "tests/emulated_gpu/machine.hpp"

namespace detbench::emulated {

constexpr int warp_lanes = 32;
using Mask = std::uint32_t;  ///< one bit per lane
constexpr Mask all_lanes = 0xffffffffu;

struct Warp;
struct Instruction;
/// Executes for the lanes of `mask`, never empty; other lanes' registers keep what they hold.
using Handler = void (*)(Warp& warp, const Instruction& instruction, Mask mask);

/// A PTX type's name.
struct Type {
  enum class Kind : std::uint8_t { none, bits, unsigned_integer, signed_integer, floating, brain, packed_floating, packed_brain, predicate };
  Kind kind = Kind::none;
  std::uint8_t bytes = 0;
  friend bool operator==(const Type&, const Type&) = default;
  bool is_signed() const { return kind == Kind::signed_integer; }
  bool is_float() const { return kind == Kind::floating; }
  bool is_integer() const { return kind == Kind::bits || kind == Kind::unsigned_integer || kind == Kind::signed_integer; }
};
/// Kind::none for a word that names no type.
Type type_named(std::string_view word);

enum class Space : std::uint8_t { generic, global, constant, shared, local, parameter };

/// What the warp does itself, because it moves lanes; everything else is the handler's alone.
enum class Control : std::uint8_t {
  none,
  branch,          ///< to `target`
  branch_table,    ///< brx.idx: operand s0 indexes branch_tables[immediate]
  leave,           ///< exit and ret
  converge,        ///< first waits for the lanes named in operand s3, then runs the handler
  barrier,         ///< of the block: s0 number, s1 threads, handler none; `detail` says what it gathers
  barrier_arrive,  ///< does not wait
  yield            ///< ends the warp's turn
};

struct Instruction {
  /// Fields of `operand`. Sources and results: bytes from the start of the warp's registers, or with the top bit from the start of
  /// the constants; predicates: number * 2, + 1 where negated. Number 0 is always true.
  enum Field : std::uint8_t { d0, d1, d2, d3, s0, s1, s2, s3, address, guard, fields };

  Handler run = nullptr;
  std::array<std::uint32_t, fields> operand{};
  std::uint32_t target = 0;
  std::int32_t line = 0;
  std::int64_t immediate = 0;          ///< an address's offset, a table's number, a mode
  std::uint32_t memory_index = 0;      ///< of the kernel's accesses to global memory: finds the range that was hit before
  Control control = Control::none;
  Space space = Space::generic;
  std::uint8_t address_bytes = 0;      ///< of the register in `address`: 4, 8, or 0 for none
  std::uint8_t detail = 0;             ///< what the handler or the barrier says
  bool checked_for_races = false;      ///< shared accesses that are not volatile
};

constexpr std::uint32_t constant_bit = 0x80000000u;
constexpr std::size_t slot_bytes = 4 * warp_lanes, wide_slot_bytes = 8 * warp_lanes;

/// Memory aligned for vector instructions.
class AlignedBytes {
 public:
  AlignedBytes() = default;
  explicit AlignedBytes(std::size_t bytes, std::size_t alignment = 256)
      : alignment_(alignment), bytes_(bytes), data_(static_cast<std::byte*>(::operator new(bytes + (bytes == 0), std::align_val_t(alignment)))) {}
  AlignedBytes(AlignedBytes&& other) noexcept { *this = std::move(other); }
  AlignedBytes& operator=(AlignedBytes&& other) noexcept {
    std::swap(alignment_, other.alignment_);
    std::swap(bytes_, other.bytes_);
    std::swap(data_, other.data_);
    return *this;
  }
  ~AlignedBytes() {
    if (data_) ::operator delete(data_, std::align_val_t(alignment_));
  }
  std::byte* data() const { return data_; }
  std::size_t size() const { return bytes_; }

 private:
  std::size_t alignment_ = 256, bytes_ = 0;
  std::byte* data_ = nullptr;
};

struct Code {
  std::string kernel;
  std::vector<Instruction> instructions;  ///< the last one leaves
  AlignedBytes constants;                 ///< each repeated for every lane
  std::size_t register_bytes = 0;
  std::uint32_t predicates = 1;
  std::vector<std::vector<std::uint32_t>> branch_tables;
  std::uint32_t memory_instructions = 0;
  std::size_t dynamic_shared_offset = 0;  ///< where the launch's own shared memory begins
  Program::Attributes attributes;
};

}  // namespace detbench::emulated
