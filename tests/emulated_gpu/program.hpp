// What belongs to a module in memory: its variables, and the kernels decoded so far.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "tests/emulated_gpu/code.hpp"

namespace detbench::emulated {

/// Module-scope .global and .const variables by name.
struct ProgramVariables {
  struct Placed {
    AlignedBytes memory;
    bool constant = false;
  };
  std::unordered_map<std::string, Placed> by_name;
  std::size_t constant_bytes = 0;
};

struct Program::State {
  std::shared_ptr<const ptx::Module> module;
  ProgramVariables variables;
  std::mutex mutex;  ///< of `kernels`
  std::unordered_map<std::string, std::unique_ptr<Code>> kernels;

  /// Decodes at the first call; any thread.
  const Code& code(const std::string& kernel);
};

}  // namespace detbench::emulated
