// Reads PTX text character by character: names, numbers, marks, and the line it is at.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace detbench::emulated::ptx {

class Lexer {
 public:
  /// Reads `text`, whose first character stands in line `line` of the module.
  Lexer(std::string_view text, int line) : text_(text), line_(line) {}

  /// Passes white space and comments. Everything below does so first.
  void skip_space();
  bool at_end();
  /// The next character; 0 at the end.
  char peek();
  bool accept(char mark);
  /// Throws when the next character is another; `after` says where, for the message.
  void expect(char mark, std::string_view after);

  /// True where a name begins: a letter, `_`, `$` or `%`.
  bool at_name();
  /// A name: [A-Za-z_$%][A-Za-z0-9_$]*. Throws without one.
  std::string_view name(std::string_view what);
  /// The word after a dot just read; it may hold `::` and begin with a digit. Throws without one.
  std::string_view word();
  /// Words joined by dots without a space between, from the first on: an opcode.
  std::vector<std::string> opcode();
  /// Accepts `.word` when it comes next.
  bool accept_directive(std::string_view directive);

  struct Number {
    std::uint64_t bits = 0;
    int float_bytes = 0;  ///< 4 of 0f..., 8 of 0d..., 0 of an integer
  };
  bool at_number();
  /// An integer (decimal, 0x, 0b, 0 and octal digits, with `-` and `U`) or a float's bits. Throws without one.
  Number number();
  /// A number of something: an unsigned integer.
  std::uint64_t count(std::string_view what);
  std::string_view quoted();

  /// Passes the next character.
  void skip_one() { ++at_; }
  /// Passes everything to the end of the line: .loc, .file, .version.
  void skip_line();
  /// Passes everything through the `}` that closes the `{` just read.
  void skip_braces();

  int line() const { return line_; }
  std::size_t position() const { return at_; }
  /// Throws std::runtime_error with the line.
  [[noreturn]] void fail(const std::string& message) const;
  /// The same, with what was expected and what stands there.
  [[noreturn]] void fail_expected(std::string_view expected);

 private:
  char at(std::size_t place) const { return place < text_.size() ? text_[place] : '\0'; }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_;
};

/// Throws std::runtime_error as Lexer::fail does, for what is found out later.
[[noreturn]] void fail_at_line(int line, const std::string& message);

}  // namespace detbench::emulated::ptx
