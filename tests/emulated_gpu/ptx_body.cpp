#include "tests/emulated_gpu/ptx_body.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "tests/emulated_gpu/ptx_declarations.hpp"

namespace detbench::emulated::ptx {
namespace {

/// A pair of braces. The outermost, number 0, keeps names as they are.
struct Scope {
  std::size_t parent = 0;
  std::unordered_map<std::string, std::string> names;   ///< registers and variables -> their unique names
  std::unordered_map<std::string, std::string> labels;  ///< -> their unique names
};

class BodyReader {
 public:
  BodyReader(Lexer& lexer, Function& function, const std::function<bool(std::string_view)>& in_module)
      : lexer_(lexer), function_(function), in_module_(in_module), scopes_(1) {
    for (const auto* list : {&function.results, &function.parameters}) {
      for (const Variable& variable : *list) declare(variable.name);
    }
  }

  void read() {
    while (true) {
      if (lexer_.at_end()) lexer_.fail("'" + function_.name + "' has no closing '}'");
      if (lexer_.accept(';')) continue;
      if (lexer_.accept('{')) {
        scopes_.push_back({.parent = scope_, .names = {}, .labels = {}});
        scope_ = scopes_.size() - 1;
      } else if (lexer_.accept('}')) {
        if (scope_ == 0) break;
        scope_ = scopes_[scope_].parent;
      } else if (lexer_.accept('.')) {
        read_directive();
      } else {
        read_statement();
      }
    }
    for (const auto& use : label_uses_) {
      Operand& operand = function_.body[use.instruction].operands[use.operand];
      operand.name = label(operand.name, use.scope, function_.body[use.instruction].line);
    }
    for (auto& [name, lines] : target_uses_) {
      for (std::string& target : function_.branch_targets[name]) target = label(target, lines.first, lines.second);
    }
  }

 private:
  struct LabelUse {
    std::size_t instruction, operand, scope;
  };

  std::string unique(const std::string& name) const { return scope_ == 0 ? name : name + "#" + std::to_string(scope_); }

  std::string declare(const std::string& name) {
    std::string result = unique(name);
    if (!scopes_[scope_].names.emplace(name, result).second) lexer_.fail("'" + name + "' is declared twice");
    return result;
  }

  /// The unique name of a label as seen from a scope.
  std::string label(const std::string& name, std::size_t scope, int line) const {
    for (;; scope = scopes_[scope].parent) {
      const auto found = scopes_[scope].labels.find(name);
      if (found != scopes_[scope].labels.end()) return found->second;
      if (scope == 0) fail_at_line(line, "there is no label '" + name + "'");
    }
  }

  void read_directive() {
    const std::string word(lexer_.word());
    if (word == "reg") {
      read_registers(lexer_, [this](const std::string& name, const std::string& type) { function_.registers.emplace(declare(name), type); });
    } else if (is_space(word)) {
      for (Variable& variable : read_variables(lexer_, word, false)) {
        variable.name = declare(variable.name);
        function_.variables.push_back(std::move(variable));
      }
    } else if (word == "loc" || word == "file") {
      lexer_.skip_line();
    } else if (word == "pragma") {
      do lexer_.quoted();
      while (lexer_.accept(','));
      lexer_.expect(';', "a .pragma");
    } else {
      lexer_.fail("the directive '." + word + "' is not supported within a function");
    }
  }

  /// A label, or an instruction with its guard.
  void read_statement() {
    Instruction instruction;
    if (lexer_.accept('@')) {
      instruction.predicate_negated = lexer_.accept('!');
      instruction.predicate = register_name(std::string(lexer_.name("a predicate")));
    }
    instruction.line = (lexer_.skip_space(), lexer_.line());
    instruction.opcode = lexer_.opcode();
    if (instruction.predicate.empty() && instruction.opcode.size() == 1 && lexer_.accept(':')) {
      read_label(instruction.opcode[0]);
      return;
    }
    const std::string& kind = instruction.opcode[0];
    if (kind == "call") {
      read_call(instruction);
    } else if (lexer_.peek() != ';') {
      const bool jumps = kind == "bra" || kind == "brx";
      do {
        // Labels may come later: they are looked up when the body is read.
        if (jumps && lexer_.at_name() && lexer_.peek() != '%') {
          label_uses_.push_back({function_.body.size(), instruction.operands.size(), scope_});
          instruction.operands.push_back(plain(std::string(lexer_.name("a label"))));
        } else {
          instruction.operands.push_back(operand());
        }
      } while (lexer_.accept(','));
    }
    lexer_.expect(';', "'" + kind + "' and its operands");
    function_.body.push_back(std::move(instruction));
  }

  void read_label(const std::string& name) {
    const std::string unique_name = unique(name);
    if (!scopes_[scope_].labels.emplace(name, unique_name).second) lexer_.fail("the label '" + name + "' is there twice");
    if (lexer_.accept_directive("branchtargets")) {
      auto& targets = function_.branch_targets[unique_name];
      target_uses_.emplace_back(unique_name, std::pair(scope_, lexer_.line()));
      do targets.emplace_back(lexer_.name("a label"));
      while (lexer_.accept(','));
      lexer_.expect(';', ".branchtargets");
    } else if (lexer_.accept_directive("callprototype") || lexer_.accept_directive("calltargets")) {
      // They say what a call's operands say too.
      while (!lexer_.accept(';')) {
        if (lexer_.at_end()) lexer_.fail_expected("';'");
        lexer_.skip_one();
      }
    } else {
      function_.labels.emplace(unique_name, function_.body.size());
    }
  }

  /// call (results), target, (arguments), prototype; as operands: results and arguments are vectors, empty where there are none.
  void read_call(Instruction& instruction) {
    Operand results = list_of_call();
    if (!results.parts.empty()) lexer_.expect(',', "a call's results");
    Operand target = operand();
    Operand arguments = of_kind(Operand::Kind::vector);
    std::vector<Operand> rest;
    while (lexer_.accept(',')) {
      if (lexer_.peek() == '(') arguments = list_of_call();
      else rest.push_back(plain(std::string(lexer_.name("a prototype"))));
    }
    instruction.operands = {std::move(results), std::move(target), std::move(arguments)};
    for (Operand& other : rest) instruction.operands.push_back(std::move(other));
  }

  Operand list_of_call() {
    Operand result = of_kind(Operand::Kind::vector);
    if (!lexer_.accept('(')) return result;
    if (lexer_.accept(')')) return result;
    do result.parts.push_back(operand());
    while (lexer_.accept(','));
    lexer_.expect(')', "a call's list");
    return result;
  }

  static Operand of_kind(Operand::Kind kind) {
    Operand result;
    result.kind = kind;
    return result;
  }

  static Operand plain(std::string name) {
    Operand result = of_kind(Operand::Kind::register_or_symbol);
    result.name = std::move(name);
    return result;
  }

  Operand operand() {
    if (lexer_.accept('!')) {
      Operand result = operand();
      if (result.kind != Operand::Kind::register_or_symbol) lexer_.fail("'!' before something that is no register");
      result.negated = true;
      return result;
    }
    if (lexer_.accept('{')) {
      Operand result = of_kind(Operand::Kind::vector);
      do result.parts.push_back(operand());
      while (lexer_.accept(','));
      lexer_.expect('}', "a vector");
      return result;
    }
    if (lexer_.accept('[')) return address();
    if (lexer_.at_number()) return immediate();
    if (lexer_.at_name()) return named();
    lexer_.fail_expected("an operand");
  }

  Operand immediate() {
    const Lexer::Number number = lexer_.number();
    Operand result = of_kind(Operand::Kind::immediate);
    result.bits = number.bits;
    result.is_float = number.float_bytes != 0;
    return result;
  }

  std::int64_t offset() {
    const bool plus = lexer_.accept('+');
    if (!plus && lexer_.peek() != '-') return 0;
    return static_cast<std::int64_t>(lexer_.number().bits);
  }

  Operand address() {
    Operand result = of_kind(Operand::Kind::address);
    if (lexer_.at_number()) result.bits = lexer_.number().bits;
    else result.name = known(std::string(lexer_.name("an address")));
    result.offset = offset();
    lexer_.expect(']', "an address");
    return result;
  }

  Operand named() {
    std::string name(lexer_.name("an operand"));
    Operand result;
    if (name == "WARP_SZ") {
      result.bits = 32;
      return result;
    }
    if (name == "_") {
      result.kind = Operand::Kind::sink;
    } else if (!declared(name) && is_special_register(name)) {
      result.kind = Operand::Kind::special;
      if (lexer_.accept('.')) name += "." + std::string(lexer_.word());
      result.name = std::move(name);
      return result;
    } else {
      result = plain(known(name));
      result.offset = offset();
    }
    if (lexer_.accept('|')) {
      const std::string second(lexer_.name("a register after '|'"));
      if (second != "_") result.second = register_name(second);
    }
    return result;
  }

  /// The unique name of a register or variable that this function declares; nullptr without one.
  const std::string* declared(const std::string& name) const {
    for (std::size_t scope = scope_;; scope = scopes_[scope].parent) {
      const auto found = scopes_[scope].names.find(name);
      if (found != scopes_[scope].names.end()) return &found->second;
      if (scope == 0) return nullptr;
    }
  }

  std::string known(const std::string& name) const {
    if (const std::string* found = declared(name)) return *found;
    if (!in_module_(name)) lexer_.fail("nothing named '" + name + "' is declared");
    return name;
  }

  std::string register_name(const std::string& name) const {
    const std::string* found = declared(name);
    if (found == nullptr || !function_.registers.contains(*found)) lexer_.fail("there is no register '" + name + "'");
    return *found;
  }

  Lexer& lexer_;
  Function& function_;
  const std::function<bool(std::string_view)>& in_module_;
  std::vector<Scope> scopes_;
  std::size_t scope_ = 0;
  std::vector<LabelUse> label_uses_;
  std::vector<std::pair<std::string, std::pair<std::size_t, int>>> target_uses_;  ///< .branchtargets: its name, scope and line
};

}  // namespace

bool is_special_register(std::string_view name) {
  static constexpr std::array<std::string_view, 37> names{
      "%tid", "%ntid", "%laneid", "%warpid", "%nwarpid", "%ctaid", "%nctaid", "%smid", "%nsmid", "%gridid", "%is_explicit_cluster", "%clusterid",
      "%nclusterid", "%cluster_ctaid", "%cluster_nctaid", "%cluster_ctarank", "%cluster_nctarank", "%lanemask_eq", "%lanemask_le", "%lanemask_lt",
      "%lanemask_ge", "%lanemask_gt", "%clock", "%clock_hi", "%clock64", "%globaltimer", "%globaltimer_lo", "%globaltimer_hi", "%total_smem_size",
      "%dynamic_smem_size", "%aggr_smem_size", "%current_graph_exec", "%reserved_smem_offset_begin", "%reserved_smem_offset_end",
      "%reserved_smem_offset_cap", "%pm0", "%envreg0"};
  return std::find(names.begin(), names.end(), name) != names.end();
}

void read_body(Lexer& lexer, Function& function, const std::function<bool(std::string_view)>& in_module) {
  BodyReader(lexer, function, in_module).read();
}

}  // namespace detbench::emulated::ptx
