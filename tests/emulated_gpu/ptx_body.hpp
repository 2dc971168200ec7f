// The statements of one PTX function.
#pragma once

#include <functional>
#include <string_view>

#include "tests/emulated_gpu/ptx_lexer.hpp"
#include "tests/emulated_gpu/ptx_syntax.hpp"

namespace detbench::emulated::ptx {

/// Reads a function's body from behind its `{` through its `}` into `function`, whose parameters are known. Names that are
/// declared within inner { } get a suffix `#n`, so that they are unique; a name that nothing declares is refused.
/// `in_module` says whether a name is a variable or function of the module.
void read_body(Lexer& lexer, Function& function, const std::function<bool(std::string_view)>& in_module);

/// True for the special registers of PTX, without their field: %tid, %laneid.
bool is_special_register(std::string_view name);

}  // namespace detbench::emulated::ptx
