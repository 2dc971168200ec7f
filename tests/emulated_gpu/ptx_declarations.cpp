#include "tests/emulated_gpu/ptx_declarations.hpp"

#include <array>
#include <algorithm>
#include <cstring>
#include <limits>

namespace detbench::emulated::ptx {
namespace {

constexpr std::uint64_t most_elements = std::uint64_t{1} << 32;  // larger ones are typing errors

struct TypeAndAlignment {
  std::string type;
  std::uint64_t alignment = 0;
  std::uint64_t lanes = 1;  ///< of .v2, .v4
};

std::uint64_t read_alignment(Lexer& lexer) {
  const std::uint64_t alignment = lexer.count("an alignment");
  if (alignment == 0 || (alignment & (alignment - 1)) != 0 || alignment > 1024) lexer.fail("the alignment " + std::to_string(alignment) + " is no power of two up to 1024");
  return alignment;
}

/// Of `.ptr .global .align 8`: what a parameter points at, which says nothing about the parameter itself.
void skip_pointee(Lexer& lexer) {
  for (const std::string_view space : {"global", "shared", "local", "const"}) lexer.accept_directive(space);
  if (lexer.accept_directive("align")) read_alignment(lexer);
}

TypeAndAlignment read_type(Lexer& lexer) {
  TypeAndAlignment result;
  while (lexer.accept('.')) {
    const std::string word(lexer.word());
    if (word == "align") {
      result.alignment = read_alignment(lexer);
    } else if (word == "ptr") {
      skip_pointee(lexer);
    } else if (word == "v2" || word == "v4") {
      result.lanes = word == "v2" ? 2 : 4;
    } else if (size_of_type(word) != 0 && result.type.empty()) {
      result.type = word;
    } else {
      lexer.fail("'." + word + "' is not known in a declaration");
    }
  }
  if (result.type.empty()) lexer.fail_expected("a type like .b32");
  if (result.lanes > 1 && result.alignment == 0) result.alignment = result.lanes * size_of_type(result.type);
  return result;
}

std::uint64_t multiplied(Lexer& lexer, std::uint64_t a, std::uint64_t b) {
  if (b != 0 && a > most_elements / b) lexer.fail("an array of over 2^32 elements");
  return a * b;
}

void append_value(Lexer& lexer, const Variable& variable, std::vector<std::byte>& bytes) {
  if (lexer.at_name()) lexer.fail("the address of a symbol as an initial value is not supported");
  const Lexer::Number value = lexer.number();
  const std::size_t size = size_of_type(variable.type);
  const bool is_float = value.float_bytes != 0;
  if (is_float && static_cast<std::size_t>(value.float_bytes) != size) lexer.fail("an initial value of " + std::to_string(value.float_bytes) + " bytes for ." + variable.type);
  if (size > 8) lexer.fail("initial values of ." + variable.type + " are not supported");
  // Either sign may be written: what is cut off must be zeros, or ones of a negative number.
  if (size < 8) {
    const std::uint64_t cut = value.bits >> (8 * size);
    if (cut != 0 && cut != (~std::uint64_t{0} >> (8 * size))) lexer.fail("an initial value too large for ." + variable.type);
  }
  std::array<std::byte, 8> raw{};
  std::memcpy(raw.data(), &value.bits, sizeof value.bits);
  bytes.insert(bytes.end(), raw.begin(), raw.begin() + static_cast<std::ptrdiff_t>(size));
}

/// {1, 2} or {{1, 2}, {3}}: a part that is too short is filled with zeros. `elements` of each level, outermost first.
void read_initial_list(Lexer& lexer, const Variable& variable, const std::vector<std::uint64_t>& lengths, std::size_t level, std::vector<std::byte>& bytes) {
  lexer.expect('{', "'='");
  std::uint64_t part_bytes = size_of_type(variable.type);
  for (std::size_t inner = level + 1; inner < lengths.size(); ++inner) part_bytes *= lengths[inner];
  const std::size_t begin = bytes.size();
  const std::uint64_t all_bytes = part_bytes * lengths[level];
  if (!lexer.accept('}')) {
    do {
      if (bytes.size() - begin >= all_bytes) lexer.fail("more initial values than '" + variable.name + "' has elements");
      if (lexer.peek() == '{') {
        if (level + 1 >= lengths.size()) lexer.fail("more '{' than '" + variable.name + "' has dimensions");
        read_initial_list(lexer, variable, lengths, level + 1, bytes);
      } else {
        append_value(lexer, variable, bytes);
      }
    } while (lexer.accept(','));
    lexer.expect('}', "the initial values");
  }
  bytes.resize(begin + all_bytes);
}

Variable read_variable(Lexer& lexer, std::string_view space, const TypeAndAlignment& type, bool external) {
  Variable result;
  result.space = space;
  result.type = type.type;
  result.alignment = type.alignment;
  result.external = external;
  result.name = lexer.name("a variable's name");
  std::vector<std::uint64_t> lengths;
  while (lexer.accept('[')) {
    // The first length may be left to the launch or to the initial values.
    if (lexer.peek() == ']') {
      if (!lengths.empty()) lexer.fail("only the first dimension may have no length");
      lengths.push_back(0);
    } else {
      lengths.push_back(lexer.count("a length"));
      if (lengths.back() == 0) lexer.fail("an array of length 0");
    }
    lexer.expect(']', "a length");
  }
  result.elements = type.lanes;
  for (const std::uint64_t length : lengths) result.elements = multiplied(lexer, result.elements, length);
  if (lexer.accept('=')) {
    if (type.lanes > 1) lexer.fail("initial values of vectors are not supported");
    if (result.elements == 0) lexer.fail("initial values without a length of '" + result.name + "'");
    if (lengths.empty()) {
      append_value(lexer, result, result.initial);
    } else {
      read_initial_list(lexer, result, lengths, 0, result.initial);
    }
  } else if (result.elements == 0 && !external) {
    lexer.fail("'" + result.name + "' has no length and is not .extern");
  }
  return result;
}

}  // namespace

std::size_t size_of_type(std::string_view type) {
  if (type == "f16" || type == "bf16") return 2;
  if (type == "f16x2" || type == "bf16x2" || type == "f32") return 4;
  if (type == "f64") return 8;
  if (type.size() < 2 || (type[0] != 'b' && type[0] != 'u' && type[0] != 's')) return 0;
  const std::string_view width = type.substr(1);
  if (width == "8") return 1;
  if (width == "16") return 2;
  if (width == "32") return 4;
  if (width == "64") return 8;
  return type == "b128" ? 16 : 0;
}

bool is_space(std::string_view word) {
  return word == "param" || word == "shared" || word == "local" || word == "global" || word == "const";
}

std::vector<Variable> read_variables(Lexer& lexer, std::string_view space, bool external) {
  const TypeAndAlignment type = read_type(lexer);
  std::vector<Variable> result;
  do {
    result.push_back(read_variable(lexer, space, type, external));
  } while (lexer.accept(','));
  lexer.expect(';', "a declaration");
  return result;
}

std::vector<Variable> read_parameters(Lexer& lexer) {
  std::vector<Variable> result;
  if (lexer.accept(')')) return result;
  do {
    if (!lexer.accept_directive("param")) lexer.fail_expected("'.param'");
    const TypeAndAlignment type = read_type(lexer);
    result.push_back(read_variable(lexer, "param", type, false));
  } while (lexer.accept(','));
  lexer.expect(')', "the parameters");
  return result;
}

void read_registers(Lexer& lexer, const std::function<void(const std::string&, const std::string&)>& declare) {
  if (!lexer.accept('.')) lexer.fail_expected("a register's type");
  const std::string type(lexer.word());
  if (type != "pred" && size_of_type(type) == 0) lexer.fail("registers of type '." + type + "' are not supported");
  do {
    const std::string name(lexer.name("a register's name"));
    if (lexer.accept('<')) {
      const std::uint64_t count = lexer.count("a number of registers");
      if (count > std::numeric_limits<std::uint16_t>::max() * std::uint64_t{16}) lexer.fail("over a million registers");
      for (std::uint64_t i = 0; i < count; ++i) declare(name + std::to_string(i), type);
      lexer.expect('>', "a number of registers");
    } else {
      declare(name, type);
    }
  } while (lexer.accept(','));
  lexer.expect(';', "registers");
}

}  // namespace detbench::emulated::ptx
