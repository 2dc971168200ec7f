// Every operation of this program, and the versions of the libraries behind its providers.
#pragma once

#include <filesystem>
#include <map>

#include "kernels/op.hpp"

namespace detbench {

/// `selections`: the folder of policy files that train steps take their algorithms from; may be empty.
Registry make_registry(const std::filesystem::path& selections);

std::map<std::string, std::string> library_versions();

}  // namespace detbench
