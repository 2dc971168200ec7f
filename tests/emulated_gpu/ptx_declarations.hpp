// Declarations of PTX: variables with their types, arrays and initial values, and registers.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/emulated_gpu/ptx_lexer.hpp"
#include "tests/emulated_gpu/ptx_syntax.hpp"

namespace detbench::emulated::ptx {

/// What follows `.global`, `.shared` ... up to the `;` (which is read too): one variable or several of one type.
std::vector<Variable> read_variables(Lexer& lexer, std::string_view space, bool external);

/// What stands between `(` (already read) and `)` (read too): parameters or results of a function.
std::vector<Variable> read_parameters(Lexer& lexer);

/// What follows `.reg` up to the `;` (read too): calls `declare(name, type)` for each; `%r<8>` is %r0 ... %r7.
void read_registers(Lexer& lexer, const std::function<void(const std::string& name, const std::string& type)>& declare);

/// True for the state spaces that variables are declared in: param, shared, local, global, const.
bool is_space(std::string_view word);

}  // namespace detbench::emulated::ptx
