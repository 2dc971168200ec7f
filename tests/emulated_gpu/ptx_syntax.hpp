// The text of a PTX module as data: what is declared, and each function's statements in order. No meaning yet.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace detbench::emulated::ptx {

/// One operand as written. A vector `{a, b}` and a call's argument list hold their parts in `parts`.
struct Operand {
  enum class Kind {
    register_or_symbol,  ///< `name`: %r1, %p2, a variable, a label, a function
    special,             ///< `name` with its field: %tid.x, %laneid
    immediate,           ///< `bits`: an integer as written (two's complement), or a float's bits (0f..., 0d...)
    address,             ///< [name + offset], or [bits + offset] where `name` is empty
    vector,
    sink                 ///< `_`
  };
  Kind kind = Kind::immediate;
  std::string name;
  std::uint64_t bits = 0;
  bool is_float = false;    ///< the immediate was 0f... (32 bits) or 0d... (64 bits)
  std::int64_t offset = 0;  ///< bytes; of `address`, and of a symbol with an offset
  bool negated = false;     ///< !%p
  std::string second;       ///< the predicate after `|`: d|p of setp and shfl
  std::vector<Operand> parts;
};

struct Instruction {
  std::string predicate;         ///< register of the guard, empty without one
  bool predicate_negated = false;
  std::vector<std::string> opcode;  ///< the words between the dots: {"ld", "global", "v4", "f32"}
  std::vector<Operand> operands;    ///< in the order written; of `call`: results (vector), target, arguments (vector)
  int line = 0;                     ///< in the module's text, for messages
};

/// A variable in some state space: .param, .shared, .local, .global, .const.
struct Variable {
  std::string name;
  std::string space;              ///< without the dot
  std::string type;               ///< without the dot: "b8", "f32"
  std::uint64_t elements = 1;     ///< 0: an extern array whose size the launch gives
  std::uint64_t alignment = 0;    ///< bytes; 0: the type's own
  std::vector<std::byte> initial; ///< bytes; empty: zeros
  bool external = false;
};
/// Bytes of one element of a type's name; 0 for an unknown name (pred has none).
std::size_t size_of_type(std::string_view type);

struct Function {
  std::string name;
  bool is_entry = false;
  std::vector<Variable> results;                ///< of a .func
  std::vector<Variable> parameters;             ///< in order
  std::vector<Variable> variables;              ///< declared in the body: .shared, .local, .param of calls
  std::unordered_map<std::string, std::string> registers;  ///< name -> type; `%r<8>` is spelled out
  std::vector<Instruction> body;
  std::unordered_map<std::string, std::size_t> labels;     ///< -> index in `body`
  std::unordered_map<std::string, std::vector<std::string>> branch_targets;  ///< .branchtargets of brx.idx
  std::uint64_t max_threads = 0;                ///< .maxntid's product; 0: not given
};

/// A module with its functions unread until they are asked for: a fatbin holds many kernels and a test launches few.
class Module {
 public:
  /// Throws std::runtime_error with the line and what was expected.
  static std::shared_ptr<Module> parse(std::string text);
  /// nullptr where there is no such function. Parses the body at the first call (any thread).
  const Function* function(std::string_view name) const;
  /// Module-scope variables (.global, .const, .shared).
  const std::vector<Variable>& variables() const;
  ~Module();

 private:
  struct State;
  explicit Module(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace detbench::emulated::ptx
