// From a PTX function to Code: the frame that decoders of the families of instructions work in.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tests/emulated_gpu/code.hpp"
#include "tests/emulated_gpu/program.hpp"
#include "tests/emulated_gpu/ptx_syntax.hpp"
#include "tests/emulated_gpu/register_slots.hpp"

namespace detbench::emulated {

/// One instruction on its way from text to record. Decoders take the opcode's words one by one; a word that nobody took makes the
/// instruction unsupported, so that no modifier is ever overlooked.
class Decoding {
 public:
  Decoding(class FunctionDecoder& function, const ptx::Instruction& text);

  const std::string& name() const { return text_.opcode.front(); }
  std::size_t operands() const { return text_.operands.size(); }
  const ptx::Operand& operand(std::size_t i) const;

  /// Takes `word` if it is there.
  bool take(std::string_view word);
  /// Takes the first of `words` that is there and returns its index; -1 without.
  int take_one_of(std::initializer_list<std::string_view> words);
  /// Takes the first word that names a type; refuses an instruction without one.
  Type take_type();
  /// Whether the opcode names a floating-point type of any width.
  bool names_float() const;
  /// Words that start like this ("L2::").
  void take_all_starting(std::string_view start);

  /// Says where the record's source k is: operand i, of this type. An immediate is converted to the type's width.
  void source(int k, std::size_t i, Type type);
  void source(Instruction::Field field, const ptx::Operand& operand, Type type);
  void result(int k, std::size_t i, Type type);
  void result(Instruction::Field field, const ptx::Operand& operand, Type type);
  void constant(Instruction::Field field, std::uint64_t bits, int bytes);
  void predicate_source(int k, std::size_t i);
  void predicate_result(int k, std::size_t i);
  /// The predicate after `|`; false where there is none.
  bool second_predicate_result(int k, std::size_t i);
  /// [base + offset] in a space: sets address, address_bytes, immediate and space.
  void memory_operand(std::size_t i, Space space);
  /// Register width of operand i in bytes: 2, 4 or 8; 4 for what is no register.
  int register_bytes(const ptx::Operand& operand) const;
  /// A label's number, to be turned into an instruction's when all are known.
  void branch_to(std::size_t i);
  void branch_table(std::size_t i);
  /// Whether the kernel's parameters have `bytes` at `offset`.
  bool parameter_holds(std::int64_t offset, std::size_t bytes) const;
  /// The value that operand i has in every lane, if that is known now.
  std::optional<std::uint64_t> known_value(std::size_t i) const;

  /// The instruction is complete: nothing of the opcode may be left.
  void emit(Handler handler, Control control = Control::none);
  [[noreturn]] void unsupported(const std::string& why = "") const;
  void expect_operands(std::size_t least, std::size_t most) const;

  Instruction out;

 private:
  FunctionDecoder& function_;
  const ptx::Instruction& text_;
  std::uint64_t taken_ = 1;  ///< bit per word; the name is taken
  std::vector<SlotUse> uses_;
};

/// A decoder of some opcodes: emits or refuses.
using Decoder = void (*)(Decoding&);
using DecoderTable = std::unordered_map<std::string_view, Decoder>;
void decode_integer_arithmetic(Decoding& decoding);  ///< of opcodes whose names floats share
void add_integer_decoders(DecoderTable& table);
void add_bit_decoders(DecoderTable& table);
void add_float_decoders(DecoderTable& table);
void add_compare_decoders(DecoderTable& table);
void add_convert_decoders(DecoderTable& table);
void add_move_decoders(DecoderTable& table);
void add_memory_decoders(DecoderTable& table);
void add_atomic_decoders(DecoderTable& table);
void add_warp_decoders(DecoderTable& table);
void add_control_decoders(DecoderTable& table);

/// Decodes one kernel.
class FunctionDecoder {
 public:
  FunctionDecoder(const ptx::Function& function, ProgramVariables& variables, const ptx::Module& module);
  /// Throws Fault (unsupported).
  std::unique_ptr<Code> decode();

 private:
  friend class Decoding;
  struct Symbol {
    Space space;
    std::uint64_t value;  ///< a host address, or bytes from the start of the space
  };

  void place_variables();
  const Symbol& symbol(const std::string& name, int line);
  std::uint32_t register_number(const std::string& name, SlotKind kind, int line);
  std::uint32_t constant(std::uint64_t bits, int bytes);
  void read_special(const std::string& name, std::uint32_t number, const ptx::Instruction& text);
  void resolve_targets();
  [[noreturn]] void unsupported(int line, const std::string& what) const;

  const ptx::Function& function_;
  ProgramVariables& variables_;
  const ptx::Module& module_;
  std::unique_ptr<Code> code_;
  std::unordered_map<std::string, Symbol> symbols_;
  std::unordered_map<std::string, std::uint32_t> numbers_;  ///< virtual registers
  std::vector<SlotKind> kinds_;
  std::vector<SlotUse> uses_;
  std::map<std::pair<std::uint64_t, int>, std::uint32_t> constants_;
  std::vector<std::uint32_t> constant_words_;  ///< as Code::constants
  std::vector<std::uint32_t> starts_;  ///< of each statement of the body, in instructions; one more than statements
  std::vector<std::string> table_names_;
  std::size_t shared_bytes_ = 0, local_bytes_ = 0;
};

}  // namespace detbench::emulated
