#include "tests/emulated_gpu/ptx_syntax.hpp"

#include <mutex>
#include <unordered_set>
#include <utility>

#include "tests/emulated_gpu/ptx_body.hpp"
#include "tests/emulated_gpu/ptx_declarations.hpp"
#include "tests/emulated_gpu/ptx_lexer.hpp"

namespace detbench::emulated::ptx {
namespace {

/// A function whose head is read and whose body may not be yet.
struct Slot {
  Function function;
  bool defined = false, parsed = false;
  std::size_t begin = 0, end = 0;  ///< of the body in the module's text, from behind its '{' through its '}'
  int line = 0;                    ///< where the body begins
};

}  // namespace

struct Module::State {
  std::string text;
  std::vector<Variable> variables;
  std::unordered_map<std::string, Slot> functions;
  std::unordered_set<std::string> symbols;  ///< of variables and functions, those only declared included
  std::mutex mutex;                         ///< of parsing bodies

  void scan();
  void scan_directive(Lexer& lexer);
  void scan_function(Lexer& lexer, bool is_entry);
};

void Module::State::scan() {
  Lexer lexer(text, 1);
  // A text that holds nothing at all is no module; the version comes first in every one.
  if (!lexer.accept_directive("version")) lexer.fail_expected("'.version'");
  lexer.skip_line();
  while (!lexer.at_end()) {
    if (lexer.accept(';')) continue;
    if (!lexer.accept('.')) lexer.fail_expected("a directive");
    scan_directive(lexer);
  }
}

void Module::State::scan_directive(Lexer& lexer) {
  std::string word(lexer.word());
  bool external = false;
  while (word == "visible" || word == "weak" || word == "extern" || word == "common") {
    external = external || word == "extern";
    lexer.expect('.', "'." + word + "'");
    word = lexer.word();
  }
  if (word == "entry" || word == "func") {
    scan_function(lexer, word == "entry");
  } else if (is_space(word)) {
    for (Variable& variable : read_variables(lexer, word, external)) {
      if (!symbols.insert(variable.name).second) lexer.fail("'" + variable.name + "' is declared twice");
      variables.push_back(std::move(variable));
    }
  } else if (word == "target" || word == "address_size" || word == "file" || word == "loc") {
    lexer.skip_line();
  } else if (word == "pragma") {
    lexer.quoted();
    lexer.expect(';', "a .pragma");
  } else if (word == "section") {
    lexer.accept('.');
    lexer.word();
    lexer.expect('{', "a .section's name");
    lexer.skip_braces();
  } else {
    lexer.fail("the directive '." + word + "' is not supported");
  }
}

void Module::State::scan_function(Lexer& lexer, bool is_entry) {
  Function head;
  head.is_entry = is_entry;
  if (!is_entry && lexer.accept('(')) head.results = read_parameters(lexer);
  head.name = lexer.name("a function's name");
  if (lexer.accept('(')) head.parameters = read_parameters(lexer);
  while (lexer.accept('.')) {
    const std::string word(lexer.word());
    if (word == "maxntid" || word == "reqntid") {
      head.max_threads = lexer.count("a number of threads");
      while (lexer.accept(',')) head.max_threads *= lexer.count("a number of threads");
    } else if (word == "minnctapersm" || word == "maxnctapersm" || word == "maxnreg" || word == "maxclusterrank") {
      lexer.count("a number");
    } else if (word == "pragma") {
      lexer.quoted();
      lexer.expect(';', "a .pragma");
    } else if (word != "noreturn") {
      lexer.fail("the directive '." + word + "' is not supported for a function");
    }
  }
  symbols.insert(head.name);
  if (lexer.accept(';')) return;  // its definition comes later, or elsewhere
  lexer.expect('{', "the head of '" + head.name + "'");
  Slot& slot = functions[head.name];
  if (slot.defined) lexer.fail("the function '" + head.name + "' is defined twice");
  slot.function = std::move(head);
  slot.defined = true;
  slot.begin = lexer.position();
  slot.line = lexer.line();
  lexer.skip_braces();
  slot.end = lexer.position();
}

Module::Module(std::unique_ptr<State> state) : state_(std::move(state)) {}
Module::~Module() = default;

std::shared_ptr<Module> Module::parse(std::string text) {
  auto state = std::make_unique<State>();
  state->text = std::move(text);
  // A fatbin pads its text with zeros.
  state->text.erase(state->text.find_last_not_of('\0') + 1);
  state->scan();
  return std::shared_ptr<Module>(new Module(std::move(state)));
}

const Function* Module::function(std::string_view name) const {
  const auto found = state_->functions.find(std::string(name));
  if (found == state_->functions.end()) return nullptr;
  Slot& slot = found->second;
  const std::lock_guard lock(state_->mutex);
  if (!slot.parsed) {
    Function whole = slot.function;
    Lexer lexer(std::string_view(state_->text).substr(slot.begin, slot.end - slot.begin), slot.line);
    read_body(lexer, whole, [this](std::string_view symbol) { return state_->symbols.contains(std::string(symbol)); });
    slot.function = std::move(whole);
    slot.parsed = true;
  }
  return &slot.function;
}

const std::vector<Variable>& Module::variables() const { return state_->variables; }

}  // namespace detbench::emulated::ptx
