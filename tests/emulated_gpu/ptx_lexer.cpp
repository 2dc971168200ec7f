#include "tests/emulated_gpu/ptx_lexer.hpp"

#include <array>
#include <charconv>
#include <stdexcept>

namespace detbench::emulated::ptx {
namespace {

constexpr unsigned char starts_name = 1, within_name = 2, space = 4, digit = 8;

constexpr std::array<unsigned char, 256> classes_of_characters() {
  std::array<unsigned char, 256> classes{};
  for (int c = 'a'; c <= 'z'; ++c) classes[static_cast<std::size_t>(c)] = starts_name | within_name;
  for (int c = 'A'; c <= 'Z'; ++c) classes[static_cast<std::size_t>(c)] = starts_name | within_name;
  for (int c = '0'; c <= '9'; ++c) classes[static_cast<std::size_t>(c)] = within_name | digit;
  classes['_'] = classes['$'] = starts_name | within_name;
  classes['%'] = starts_name;
  classes[' '] = classes['\t'] = classes['\r'] = classes['\n'] = space;
  return classes;
}
constexpr std::array<unsigned char, 256> classes = classes_of_characters();
bool is(char c, unsigned char kind) { return (classes[static_cast<unsigned char>(c)] & kind) != 0; }

}  // namespace

void fail_at_line(int line, const std::string& message) {
  throw std::runtime_error("PTX line " + std::to_string(line) + ": " + message);
}

void Lexer::fail(const std::string& message) const { fail_at_line(line_, message); }

void Lexer::fail_expected(std::string_view expected) {
  skip_space();
  if (at_ >= text_.size()) fail(std::string(expected) + " expected, but the text ends");
  std::size_t length = 1;
  while (length < 40 && (is(at(at_ + length), within_name) || at(at_ + length) == '.')) ++length;
  fail(std::string(expected) + " expected, not '" + std::string(text_.substr(at_, length)) + "'");
}

void Lexer::skip_space() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (is(c, space)) {
      line_ += c == '\n';
      ++at_;
    } else if (c == '/' && at(at_ + 1) == '/') {
      const std::size_t end = text_.find('\n', at_);
      at_ = end == std::string_view::npos ? text_.size() : end;
    } else if (c == '/' && at(at_ + 1) == '*') {
      const std::size_t end = text_.find("*/", at_ + 2);
      if (end == std::string_view::npos) fail("a comment without an end");
      for (; at_ < end; ++at_) line_ += text_[at_] == '\n';
      at_ += 2;
    } else {
      return;
    }
  }
}

bool Lexer::at_end() {
  skip_space();
  return at_ >= text_.size();
}

char Lexer::peek() {
  skip_space();
  return at(at_);
}

bool Lexer::accept(char mark) {
  if (peek() != mark) return false;
  ++at_;
  return true;
}

void Lexer::expect(char mark, std::string_view after) {
  if (!accept(mark)) fail_expected("'" + std::string(1, mark) + "' after " + std::string(after));
}

bool Lexer::at_name() { return is(peek(), starts_name); }

std::string_view Lexer::name(std::string_view what) {
  if (!at_name()) fail_expected(what);
  const std::size_t begin = at_++;
  while (is(at(at_), within_name)) ++at_;
  return text_.substr(begin, at_ - begin);
}

std::string_view Lexer::word() {
  const std::size_t begin = at_;
  while (is(at(at_), within_name) || (at(at_) == ':' && at(at_ + 1) == ':' && is(at(at_ + 2), within_name))) at_ += at(at_) == ':' ? 2 : 1;
  if (at_ == begin) fail_expected("a word after '.'");
  return text_.substr(begin, at_ - begin);
}

std::vector<std::string> Lexer::opcode() {
  std::vector<std::string> words;
  words.emplace_back(name("an instruction"));
  while (at(at_) == '.') {
    ++at_;
    words.emplace_back(word());
  }
  return words;
}

bool Lexer::accept_directive(std::string_view directive) {
  if (peek() != '.' || text_.substr(at_ + 1, directive.size()) != directive || is(at(at_ + 1 + directive.size()), within_name)) return false;
  at_ += 1 + directive.size();
  return true;
}

bool Lexer::at_number() { return is(peek(), digit) || (peek() == '-' && is(at(at_ + 1), digit)); }

Lexer::Number Lexer::number() {
  if (!at_number()) fail_expected("a number");
  const bool negative = accept('-');
  const std::size_t begin = at_;
  while (is(at(at_), within_name)) ++at_;
  const std::string whole(text_.substr(begin, at_ - begin));
  std::string_view digits = whole;
  Number result;
  int base = 10;
  const char second = digits.size() > 1 && digits[0] == '0' ? digits[1] : '\0';
  if (second == 'f' || second == 'F' || second == 'd' || second == 'D') {
    result.float_bytes = second == 'f' || second == 'F' ? 4 : 8;
    digits.remove_prefix(2);
    if (digits.size() != 2 * static_cast<std::size_t>(result.float_bytes) || negative) fail("'" + whole + "' is no float: 0f takes 8 hexadecimal digits, 0d takes 16");
    base = 16;
  } else {
    if (digits.back() == 'U') digits.remove_suffix(1);
    if (second == 'x' || second == 'X') base = 16, digits.remove_prefix(2);
    else if (second == 'b' || second == 'B') base = 2, digits.remove_prefix(2);
    else if (digits.size() > 1 && digits[0] == '0') base = 8, digits.remove_prefix(1);
  }
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), result.bits, base);
  if (error != std::errc() || end != digits.data() + digits.size()) fail("'" + whole + "' is no number of at most 64 bits");
  if (negative) result.bits = 0 - result.bits;
  return result;
}

std::uint64_t Lexer::count(std::string_view what) {
  if (!is(peek(), digit)) fail_expected(what);
  const Number result = number();
  if (result.float_bytes != 0) fail(std::string(what) + " expected, not a float");
  return result.bits;
}

std::string_view Lexer::quoted() {
  expect('"', "what stands before a text");
  const std::size_t end = text_.find_first_of("\"\n", at_);
  if (end == std::string_view::npos || text_[end] == '\n') fail("a text without a closing '\"'");
  const std::string_view result = text_.substr(at_, end - at_);
  at_ = end + 1;
  return result;
}

void Lexer::skip_line() {
  const std::size_t end = text_.find('\n', at_);
  at_ = end == std::string_view::npos ? text_.size() : end;
}

void Lexer::skip_braces() {
  const int begin = line_;
  for (int depth = 1; depth > 0;) {
    // By hand, because a module of some megabytes is scanned this way.
    while (at_ < text_.size() && text_[at_] != '{' && text_[at_] != '}' && text_[at_] != '/' && text_[at_] != '"') line_ += text_[at_++] == '\n';
    if (at_ >= text_.size()) fail_at_line(begin, "'{' without its '}'");
    const char c = text_[at_];
    if (c == '"') {
      quoted();
    } else if (c == '/') {
      const std::size_t before = at_;
      skip_space();
      if (at_ == before) ++at_;
    } else {
      depth += c == '{' ? 1 : -1;
      ++at_;
    }
  }
}

}  // namespace detbench::emulated::ptx
