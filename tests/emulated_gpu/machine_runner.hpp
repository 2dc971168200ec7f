// Small PTX kernels in tests: arrays in, arrays out.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tests/emulated_gpu/machine.hpp"

namespace detbench::emulated {

/// Only what was added is memory.
class ListedMemory : public GlobalMemory {
 public:
  template <class T>
  std::uintptr_t add(std::vector<T>& values) {
    const auto first = std::bit_cast<std::uintptr_t>(values.data());
    ranges_.push_back({first, first + values.size() * sizeof(T)});
    return first;
  }
  std::array<std::uintptr_t, 2> allocation_of(std::uintptr_t address) const override {
    for (const auto& range : ranges_) {
      if (address >= range[0] && address < range[1]) return range;
    }
    return {0, 0};
  }

 private:
  std::vector<std::array<std::uintptr_t, 2>> ranges_;
};

/// A kernel `f` with pointers p0, p1, ... as parameters and these registers, which every test may use.
inline std::string kernel_text(int pointers, const std::string& body, const std::string& module_variables = "") {
  std::string text = ".version 9.0\n.target sm_90\n.address_size 64\n" + module_variables + ".visible .entry f(";
  for (int i = 0; i < pointers; ++i) text += std::string(i == 0 ? "" : ", ") + ".param .u64 p" + std::to_string(i);
  text += ")\n{\n.reg .pred %p<20>;\n.reg .b16 %h<20>;\n.reg .b32 %r<40>;\n.reg .b64 %d<40>;\n.reg .f32 %f<20>;\n.reg .f64 %g<20>;\n";
  return text + body + "\nret;\n}\n";
}

struct Conditions {
  Dimensions grid{1, 1, 1}, block{32, 1, 1};
  Schedule schedule = {};
  Shape shape = {};
  std::size_t dynamic_shared_bytes = 0;
};

/// Runs to the end in small steps.
inline void run_kernel(const std::string& text, const std::vector<std::uint64_t>& parameters, const GlobalMemory& memory, const Conditions& conditions = {}) {
  Launch launch{std::make_shared<Program>(ptx::Module::parse(text)), "f", conditions.grid, conditions.block, conditions.dynamic_shared_bytes, {}};
  launch.parameters.resize(parameters.size() * 8);
  if (!parameters.empty()) std::memcpy(launch.parameters.data(), parameters.data(), launch.parameters.size());
  Run run(std::move(launch), conditions.shape, conditions.schedule, memory);
  for (int step = 0; !run.advance(10000); ++step) {
    if (step == 20000) throw std::runtime_error("the kernel does not end");
  }
}

/// The kernel's single pointer is to `values`, which it changes.
template <class T>
void run_on(std::vector<T>& values, const std::string& body, const Conditions& conditions = {}, const std::string& module_variables = "") {
  ListedMemory memory;
  const std::uintptr_t pointer = memory.add(values);
  run_kernel(kernel_text(1, body, module_variables), {pointer}, memory, conditions);
}

/// What the machine refuses a kernel for.
template <class T = std::uint32_t>
std::pair<Fault::Kind, std::string> fault_of(const std::string& body, const Conditions& conditions = {}, const std::string& module_variables = "") {
  std::vector<T> values(1024);
  try {
    run_on(values, body, conditions, module_variables);
  } catch (const Fault& fault) {
    return {fault.kind(), fault.what()};
  }
  throw std::runtime_error("no fault");
}

namespace runner {
template <class T>
std::string register_type() { return ".b" + std::to_string(sizeof(T) < 2 ? 16 : 8 * sizeof(T)); }
template <class T>
std::string memory_type() { return std::string(std::is_signed_v<T> && std::is_integral_v<T> ? ".s" : ".u") + std::to_string(8 * sizeof(T)); }
}  // namespace runner

/// `statements` once per element, on registers %x0, %x1, ... of the inputs' widths; gives %y.
template <class Result, class... Inputs>
std::vector<Result> each(const std::string& statements, const std::vector<Inputs>&... inputs) {
  const std::size_t count = std::get<0>(std::tie(inputs...)).size();
  std::vector<Result> result(count);
  ListedMemory memory;
  std::string body = ".reg " + runner::register_type<Result>() + " %y;\n";
  std::vector<std::uint64_t> parameters;
  body += "mov.u32 %r0, %tid.x;\nmov.u32 %r1, %ntid.x;\nmov.u32 %r2, %ctaid.x;\nmad.lo.u32 %r0, %r2, %r1, %r0;\n";
  body += "setp.ge.u32 %p0, %r0, " + std::to_string(count) + ";\n@%p0 ret;\n";
  std::tuple<std::vector<Inputs>...> copies{inputs...};
  const auto load = [&](auto& values) {
    using T = typename std::remove_reference_t<decltype(values)>::value_type;
    const std::string i = std::to_string(parameters.size());
    parameters.push_back(memory.add(values));
    body += ".reg " + runner::register_type<T>() + " %x" + i + ";\nld.param.u64 %d0, [p" + i + "];\n";
    body += "mad.wide.u32 %d1, %r0, " + std::to_string(sizeof(T)) + ", %d0;\nld.global" + runner::memory_type<T>() + " %x" + i + ", [%d1];\n";
  };
  std::apply([&](auto&... values) { (load(values), ...); }, copies);
  body += statements + "\nld.param.u64 %d0, [p" + std::to_string(parameters.size()) + "];\nmad.wide.u32 %d1, %r0, " +
          std::to_string(sizeof(Result)) + ", %d0;\nst.global" + runner::memory_type<Result>() + " [%d1], %y;";
  parameters.push_back(memory.add(result));
  Conditions conditions;
  conditions.block.x = 128;
  conditions.grid.x = static_cast<std::uint32_t>((count + 127) / 128);
  run_kernel(kernel_text(static_cast<int>(parameters.size()), body), parameters, memory, conditions);
  return result;
}

}  // namespace detbench::emulated
