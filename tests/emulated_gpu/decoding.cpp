// One instruction's operands and the words of its opcode (decode.hpp).
#include <algorithm>

#include "tests/emulated_gpu/decode.hpp"
#include "tests/emulated_gpu/special_registers.hpp"

namespace detbench::emulated {
namespace {

std::string opcode_of(const ptx::Instruction& text) {
  std::string result;
  for (const std::string& word : text.opcode) result += (result.empty() ? "" : ".") + word;
  return result;
}

}  // namespace

Type type_named(std::string_view word) {
  using Kind = Type::Kind;
  struct Named {
    std::string_view name;
    Type type;
  };
  static constexpr Named types[] = {
      {"b8", {Kind::bits, 1}},  {"b16", {Kind::bits, 2}},  {"b32", {Kind::bits, 4}},  {"b64", {Kind::bits, 8}},
      {"u8", {Kind::unsigned_integer, 1}},  {"u16", {Kind::unsigned_integer, 2}},  {"u32", {Kind::unsigned_integer, 4}},
      {"u64", {Kind::unsigned_integer, 8}},  {"s8", {Kind::signed_integer, 1}},  {"s16", {Kind::signed_integer, 2}},
      {"s32", {Kind::signed_integer, 4}},  {"s64", {Kind::signed_integer, 8}},  {"f16", {Kind::floating, 2}},
      {"f32", {Kind::floating, 4}},  {"f64", {Kind::floating, 8}},  {"bf16", {Kind::brain, 2}},
      {"f16x2", {Kind::packed_floating, 4}},  {"bf16x2", {Kind::packed_brain, 4}},  {"pred", {Kind::predicate, 0}}};
  for (const Named& named : types) {
    if (named.name == word) return named.type;
  }
  return {};
}

Decoding::Decoding(FunctionDecoder& function, const ptx::Instruction& text) : function_(function), text_(text) {
  out.line = text.line;
  if (!text.predicate.empty()) {
    const std::uint32_t number = function_.register_number(text.predicate, SlotKind::predicate, text.line);
    out.operand[Instruction::guard] = 2u | (text.predicate_negated ? 1u : 0u);  // not 0, which would mean that there is none
    uses_.push_back({.field = Instruction::guard, .number = number});
  }
}

const ptx::Operand& Decoding::operand(std::size_t i) const {
  if (i >= text_.operands.size()) unsupported("it has " + std::to_string(text_.operands.size()) + " operands");
  return text_.operands[i];
}

bool Decoding::take(std::string_view word) {
  for (std::size_t i = 1; i < text_.opcode.size(); ++i) {
    if ((taken_ >> i & 1) == 0 && text_.opcode[i] == word) {
      taken_ |= std::uint64_t{1} << i;
      return true;
    }
  }
  return false;
}

int Decoding::take_one_of(std::initializer_list<std::string_view> words) {
  int index = 0;
  for (const std::string_view word : words) {
    if (take(word)) return index;
    ++index;
  }
  return -1;
}

Type Decoding::take_type() {
  for (std::size_t i = 1; i < text_.opcode.size(); ++i) {
    const Type type = type_named(text_.opcode[i]);
    if ((taken_ >> i & 1) == 0 && type.kind != Type::Kind::none) {
      taken_ |= std::uint64_t{1} << i;
      return type;
    }
  }
  unsupported("it names no type");
}

bool Decoding::names_float() const {
  using Kind = Type::Kind;
  return std::any_of(text_.opcode.begin() + 1, text_.opcode.end(), [](const std::string& word) {
    const Kind kind = type_named(word).kind;
    return kind == Kind::floating || kind == Kind::brain || kind == Kind::packed_floating || kind == Kind::packed_brain;
  });
}

void Decoding::take_all_starting(std::string_view start) {
  for (std::size_t i = 1; i < text_.opcode.size(); ++i) {
    if (std::string_view(text_.opcode[i]).starts_with(start)) taken_ |= std::uint64_t{1} << i;
  }
}

void Decoding::constant(Instruction::Field field, std::uint64_t bits, int bytes) {
  if (bytes < 8) bits &= (std::uint64_t{1} << (8 * bytes)) - 1;
  out.operand[field] = constant_bit | function_.constant(bits, bytes == 8 ? 8 : 4);
}

void Decoding::source(int k, std::size_t i, Type type) { source(static_cast<Instruction::Field>(Instruction::s0 + k), operand(i), type); }

void Decoding::source(Instruction::Field field, const ptx::Operand& operand, Type type) {
  using Kind = ptx::Operand::Kind;
  const SlotKind kind = type.bytes == 8 ? SlotKind::wide : SlotKind::narrow;
  switch (operand.kind) {
    case Kind::immediate:
      // Immediates of floats are written with the bits of their own type.
      if (operand.is_float && type.bytes < 4) unsupported("a float immediate for 16 bits");
      return constant(field, operand.bits, type.bytes);
    case Kind::special: {
      const auto number = static_cast<std::uint32_t>(function_.kinds_.size());
      function_.kinds_.push_back(kind);
      function_.read_special(operand.name, number, text_);
      uses_.push_back({.field = field, .number = number});
      return;
    }
    case Kind::register_or_symbol: {
      const auto declared = function_.function_.registers.find(operand.name);
      if (declared == function_.function_.registers.end()) {
        return constant(field, function_.symbol(operand.name, text_.line).value + static_cast<std::uint64_t>(operand.offset), type.bytes);
      }
      uses_.push_back({.field = field, .number = function_.register_number(operand.name, kind, text_.line)});
      return;
    }
    default: unsupported("an operand of a kind that does not fit");
  }
}

void Decoding::result(int k, std::size_t i, Type type) { result(static_cast<Instruction::Field>(Instruction::d0 + k), operand(i), type); }

void Decoding::result(Instruction::Field field, const ptx::Operand& operand, Type type) {
  using Kind = ptx::Operand::Kind;
  const SlotKind kind = type.bytes == 8 ? SlotKind::wide : SlotKind::narrow;
  if (operand.kind == Kind::sink) {
    uses_.push_back({.field = field, .number = static_cast<std::uint32_t>(function_.kinds_.size()), .writes = true});
    function_.kinds_.push_back(kind);
    return;
  }
  if (operand.kind != Kind::register_or_symbol) unsupported("a result that is no register");
  uses_.push_back({.field = field, .number = function_.register_number(operand.name, kind, text_.line), .writes = true});
}

void Decoding::predicate_source(int k, std::size_t i) {
  const ptx::Operand& source = operand(i);
  const auto field = static_cast<Instruction::Field>(Instruction::s0 + k);
  if (source.kind == ptx::Operand::Kind::immediate) {
    out.operand[field] = (source.bits != 0) != source.negated ? 0 : 1;
    return;
  }
  if (source.kind != ptx::Operand::Kind::register_or_symbol) unsupported("a predicate that is no register");
  out.operand[field] = source.negated ? 1 : 0;
  uses_.push_back({.field = field, .number = function_.register_number(source.name, SlotKind::predicate, text_.line)});
}

void Decoding::predicate_result(int k, std::size_t i) {
  const ptx::Operand& target = operand(i);
  const auto field = static_cast<Instruction::Field>(Instruction::d0 + k);
  if (target.kind == ptx::Operand::Kind::sink) {
    uses_.push_back({.field = field, .number = static_cast<std::uint32_t>(function_.kinds_.size()), .writes = true});
    function_.kinds_.push_back(SlotKind::predicate);
    return;
  }
  if (target.kind != ptx::Operand::Kind::register_or_symbol) unsupported("a predicate that is no register");
  uses_.push_back({.field = field, .number = function_.register_number(target.name, SlotKind::predicate, text_.line), .writes = true});
}

bool Decoding::second_predicate_result(int k, std::size_t i) {
  const ptx::Operand& target = operand(i);
  const auto field = static_cast<Instruction::Field>(Instruction::d0 + k);
  if (target.second.empty()) {  // Something must be there to write to.
    uses_.push_back({.field = field, .number = static_cast<std::uint32_t>(function_.kinds_.size()), .writes = true});
    function_.kinds_.push_back(SlotKind::predicate);
    return false;
  }
  uses_.push_back({.field = field, .number = function_.register_number(target.second, SlotKind::predicate, text_.line), .writes = true});
  return true;
}

void Decoding::memory_operand(std::size_t i, Space space) {
  const ptx::Operand& text = operand(i);
  if (text.kind != ptx::Operand::Kind::address) unsupported("an address was expected");
  out.space = space;
  out.memory_index = function_.code_->memory_instructions++;
  if (text.name.empty()) {
    out.immediate = static_cast<std::int64_t>(text.bits) + text.offset;
    return;
  }
  const auto declared = function_.function_.registers.find(text.name);
  if (declared == function_.function_.registers.end()) {
    out.immediate = static_cast<std::int64_t>(function_.symbol(text.name, text_.line).value) + text.offset;
    return;
  }
  out.immediate = text.offset;
  out.address_bytes = static_cast<std::uint8_t>(register_bytes(text));
  if (out.address_bytes < 4) unsupported("an address of 16 bits");
  const SlotKind kind = out.address_bytes == 8 ? SlotKind::wide : SlotKind::narrow;
  uses_.push_back({.field = Instruction::address, .number = function_.register_number(text.name, kind, text_.line)});
}

int Decoding::register_bytes(const ptx::Operand& operand) const {
  const auto declared = function_.function_.registers.find(operand.name);
  if (declared == function_.function_.registers.end()) return 4;
  return std::max(2, static_cast<int>(type_named(declared->second).bytes));
}

void Decoding::branch_to(std::size_t i) {
  const auto found = function_.function_.labels.find(operand(i).name);
  if (found == function_.function_.labels.end()) unsupported("there is no label " + operand(i).name);
  out.target = static_cast<std::uint32_t>(found->second);
}

void Decoding::branch_table(std::size_t i) {
  out.immediate = static_cast<std::int64_t>(function_.table_names_.size());
  function_.table_names_.push_back(operand(i).name);
}

bool Decoding::parameter_holds(std::int64_t offset, std::size_t bytes) const {
  const std::size_t size = function_.code_->attributes.parameter_bytes;
  return offset >= 0 && static_cast<std::uint64_t>(offset) <= size && size - static_cast<std::uint64_t>(offset) >= bytes;
}

std::optional<std::uint64_t> Decoding::known_value(std::size_t i) const {
  if (operand(i).kind == ptx::Operand::Kind::immediate) return operand(i).bits;
  return std::nullopt;
}

void Decoding::emit(Handler handler, Control control) {
  if (handler == nullptr && control == Control::none) unsupported();
  for (std::size_t i = 1; i < text_.opcode.size(); ++i) {
    if ((taken_ >> i & 1) == 0) unsupported("because of ." + text_.opcode[i]);
  }
  out.run = handler;
  out.control = control;
  for (SlotUse& use : uses_) use.instruction = static_cast<std::uint32_t>(function_.code_->instructions.size());
  function_.uses_.insert(function_.uses_.end(), uses_.begin(), uses_.end());
  function_.code_->instructions.push_back(out);
}

void Decoding::unsupported(const std::string& why) const {
  function_.unsupported(text_.line, "the instruction " + opcode_of(text_) + " is not supported" + (why.empty() ? "" : ": ") + why);
}

void Decoding::expect_operands(std::size_t least, std::size_t most) const {
  if (text_.operands.size() < least || text_.operands.size() > most) unsupported("it has " + std::to_string(text_.operands.size()) + " operands");
}

}  // namespace detbench::emulated
