#include "tests/emulated_gpu/decode.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "tests/emulated_gpu/special_registers.hpp"

namespace detbench::emulated {
namespace {

std::uint64_t round_up(std::uint64_t value, std::uint64_t alignment) { return (value + alignment - 1) / alignment * alignment; }

std::uint64_t alignment_of(const ptx::Variable& variable) {
  return std::max<std::uint64_t>({1, variable.alignment, variable.alignment == 0 ? ptx::size_of_type(variable.type) : 1});
}

const DecoderTable& decoders() {
  static const DecoderTable table = [] {
    DecoderTable t;
    add_integer_decoders(t);
    add_bit_decoders(t);
    add_float_decoders(t);
    add_compare_decoders(t);
    add_convert_decoders(t);
    add_move_decoders(t);
    add_memory_decoders(t);
    add_atomic_decoders(t);
    add_warp_decoders(t);
    add_control_decoders(t);
    return t;
  }();
  return table;
}

}  // namespace

FunctionDecoder::FunctionDecoder(const ptx::Function& function, ProgramVariables& variables, const ptx::Module& module)
    : function_(function), variables_(variables), module_(module), code_(std::make_unique<Code>()) {}

void FunctionDecoder::unsupported(int line, const std::string& what) const {
  throw Fault(Fault::Kind::unsupported, function_.name + ", PTX line " + std::to_string(line) + ": " + what);
}

void FunctionDecoder::place_variables() {
  Program::Attributes& attributes = code_->attributes;
  std::uint64_t offset = 0;
  for (const ptx::Variable& parameter : function_.parameters) {
    const std::uint64_t bytes = ptx::size_of_type(parameter.type) * parameter.elements;
    offset = round_up(offset, alignment_of(parameter));
    symbols_[parameter.name] = {Space::parameter, offset};
    attributes.parameter_offsets.push_back(offset);
    attributes.parameter_sizes.push_back(bytes);
    offset += bytes;
  }
  attributes.parameter_bytes = offset;
  std::uint64_t dynamic_alignment = 16;
  const auto place_shared = [&](const ptx::Variable& variable) {
    if (variable.external || variable.elements == 0) {
      dynamic_alignment = std::max(dynamic_alignment, alignment_of(variable));
      return;
    }
    shared_bytes_ = round_up(shared_bytes_, alignment_of(variable));
    symbols_[variable.name] = {Space::shared, shared_bytes_};
    shared_bytes_ += ptx::size_of_type(variable.type) * variable.elements;
  };
  for (const ptx::Variable& variable : function_.variables) {
    if (variable.space == "shared") {
      place_shared(variable);
    } else if (variable.space == "local") {
      local_bytes_ = round_up(local_bytes_, alignment_of(variable));
      symbols_[variable.name] = {Space::local, local_bytes_};
      local_bytes_ += ptx::size_of_type(variable.type) * variable.elements;
    }
  }
  // Shared memory of the module counts for the kernels that name it.
  std::unordered_map<std::string_view, const ptx::Variable*> module_shared;
  for (const ptx::Variable& variable : module_.variables()) {
    if (variable.space == "shared") module_shared[variable.name] = &variable;
  }
  if (!module_shared.empty()) {
    for (const ptx::Instruction& instruction : function_.body) {
      for (const ptx::Operand& operand : instruction.operands) {
        const auto found = module_shared.find(operand.name);
        if (found != module_shared.end() && !symbols_.contains(operand.name)) place_shared(*found->second);
      }
    }
  }
  code_->dynamic_shared_offset = round_up(shared_bytes_, dynamic_alignment);
  const auto place_dynamic = [&](const ptx::Variable& variable) {
    if (variable.space == "shared" && (variable.external || variable.elements == 0)) {
      symbols_[variable.name] = {Space::shared, code_->dynamic_shared_offset};
    }
  };
  for (const ptx::Variable& variable : function_.variables) place_dynamic(variable);
  for (const ptx::Variable& variable : module_.variables()) place_dynamic(variable);
  attributes.static_shared_bytes = shared_bytes_;
  attributes.local_bytes = local_bytes_;
  attributes.constant_bytes = variables_.constant_bytes;
  attributes.max_threads_per_block = function_.max_threads != 0 ? static_cast<int>(std::min<std::uint64_t>(function_.max_threads, 1024)) : 1024;
}

const FunctionDecoder::Symbol& FunctionDecoder::symbol(const std::string& name, int line) {
  const auto found = symbols_.find(name);
  if (found != symbols_.end()) return found->second;
  const auto variable = variables_.by_name.find(name);
  if (variable == variables_.by_name.end()) unsupported(line, "there is nothing named " + name);
  const Space space = variable->second.constant ? Space::constant : Space::global;
  return symbols_[name] = {space, static_cast<std::uint64_t>(std::bit_cast<std::uintptr_t>(variable->second.memory.data()))};
}

std::uint32_t FunctionDecoder::register_number(const std::string& name, SlotKind kind, int line) {
  const auto [place, is_new] = numbers_.try_emplace(name, static_cast<std::uint32_t>(kinds_.size()));
  if (is_new) {
    const auto declared = function_.registers.find(name);
    if (declared == function_.registers.end()) unsupported(line, "there is no register " + name);
    const Type type = type_named(declared->second);
    if (type.kind == Type::Kind::none) unsupported(line, "registers of type ." + declared->second + " are not supported");
    kinds_.push_back(type.kind == Type::Kind::predicate ? SlotKind::predicate : type.bytes == 8 ? SlotKind::wide : SlotKind::narrow);
  }
  if (kinds_[place->second] != kind) unsupported(line, "the register " + name + " has another width than the instruction");
  return place->second;
}

std::uint32_t FunctionDecoder::constant(std::uint64_t bits, int bytes) {
  const auto [place, is_new] = constants_.try_emplace({bits, bytes}, static_cast<std::uint32_t>(constant_words_.size() * 4));
  if (is_new) {
    for (int lane = 0; lane < warp_lanes; ++lane) {
      constant_words_.push_back(static_cast<std::uint32_t>(bits));
      if (bytes == 8) constant_words_.push_back(static_cast<std::uint32_t>(bits >> 32));
    }
  }
  return place->second;
}

void FunctionDecoder::read_special(const std::string& name, std::uint32_t number, const ptx::Instruction& text) {
  const int bytes = kinds_[number] == SlotKind::wide ? 8 : 4;
  Instruction read;
  read.line = text.line;
  read.run = special_register_handler(name, bytes);
  if (read.run == nullptr) unsupported(text.line, "the special register " + name + " with " + std::to_string(8 * bytes) + " bits is not supported");
  uses_.push_back({.instruction = static_cast<std::uint32_t>(code_->instructions.size()), .field = Instruction::d0, .number = number, .writes = true});
  code_->instructions.push_back(read);
}

void FunctionDecoder::resolve_targets() {
  for (const std::string& name : table_names_) {
    const auto found = function_.branch_targets.find(name);
    if (found == function_.branch_targets.end()) unsupported(0, "there is no list of targets " + name);
    std::vector<std::uint32_t>& table = code_->branch_tables.emplace_back();
    for (const std::string& label : found->second) table.push_back(starts_[function_.labels.at(label)]);
  }
  for (Instruction& instruction : code_->instructions) {
    if (instruction.control == Control::branch) instruction.target = starts_[instruction.target];
  }
}

std::unique_ptr<Code> FunctionDecoder::decode() {
  code_->kernel = function_.name;
  place_variables();
  for (const ptx::Instruction& text : function_.body) {
    starts_.push_back(static_cast<std::uint32_t>(code_->instructions.size()));
    const auto decoder = decoders().find(text.opcode.front());
    Decoding decoding(*this, text);
    if (decoder == decoders().end()) decoding.unsupported();
    decoder->second(decoding);
  }
  starts_.push_back(static_cast<std::uint32_t>(code_->instructions.size()));
  Instruction leave;
  leave.control = Control::leave;
  leave.line = function_.body.empty() ? 0 : function_.body.back().line;
  code_->instructions.push_back(leave);
  resolve_targets();
  const SlotCounts counts = place_registers(*code_, kinds_, uses_);
  code_->attributes.registers = static_cast<int>(std::clamp<std::uint32_t>(counts.narrow + 2 * counts.wide, 16, 255));
  code_->constants = AlignedBytes(constant_words_.size() * 4);
  if (!constant_words_.empty()) std::memcpy(code_->constants.data(), constant_words_.data(), constant_words_.size() * 4);
  return std::move(code_);
}

}  // namespace detbench::emulated
