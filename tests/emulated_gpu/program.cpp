#include "tests/emulated_gpu/program.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "tests/emulated_gpu/decode.hpp"

namespace detbench::emulated {

Program::Program(std::shared_ptr<const ptx::Module> module) : state_(std::make_unique<State>()) {
  state_->module = std::move(module);
  for (const ptx::Variable& variable : state_->module->variables()) {
    if (variable.space == "shared") continue;  // each kernel that names it has its own
    if (variable.external || (variable.space != "global" && variable.space != "const")) {
      throw Fault(Fault::Kind::unsupported, "the module variable " + variable.name + " in ." + variable.space + " has no place");
    }
    const std::size_t bytes = ptx::size_of_type(variable.type) * variable.elements;
    if (bytes == 0) throw Fault(Fault::Kind::unsupported, "the module variable " + variable.name + " has no size");
    const bool constant = variable.space == "const";
    ProgramVariables::Placed placed{AlignedBytes(bytes, std::max<std::size_t>(256, variable.alignment)), constant};
    std::memset(placed.memory.data(), 0, bytes);
    std::copy_n(variable.initial.begin(), std::min(bytes, variable.initial.size()), placed.memory.data());
    if (constant) state_->variables.constant_bytes += bytes;
    state_->variables.by_name.emplace(variable.name, std::move(placed));
  }
}

Program::~Program() = default;

std::span<std::byte> Program::variable(const std::string& name) {
  const auto found = state_->variables.by_name.find(name);
  if (found == state_->variables.by_name.end()) return {};
  return {found->second.memory.data(), found->second.memory.size()};
}

const Code& Program::State::code(const std::string& kernel) {
  const std::lock_guard lock(mutex);
  std::unique_ptr<Code>& code = kernels[kernel];
  if (!code) {
    const ptx::Function* function = module->function(kernel);
    if (function == nullptr || !function->is_entry) {
      throw Fault(Fault::Kind::unsupported, "the module has no kernel " + kernel);
    }
    code = FunctionDecoder(*function, variables, *module).decode();
  }
  return *code;
}

const Program::Attributes& Program::attributes(const std::string& kernel) { return state_->code(kernel).attributes; }

}  // namespace detbench::emulated
