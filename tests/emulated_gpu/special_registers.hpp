// %tid, %laneid, %clock64 and their like.
#pragma once

#include <string_view>

#include "tests/emulated_gpu/code.hpp"

namespace detbench::emulated {

/// Writes the special register into d0, a register of 4 or 8 bytes; nullptr for a name that is not known.
Handler special_register_handler(std::string_view name, int bytes);

}  // namespace detbench::emulated
