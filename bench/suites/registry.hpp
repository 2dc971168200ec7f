// Every operation of this program, and the versions of the libraries behind its providers.
#pragma once

#include <filesystem>
#include <map>

#include "kernels/op.hpp"
#include "kernels/search.hpp"

namespace detbench {

/// `selections`: the folder of policy files that train steps take their algorithms from; may be empty. `search`: how far
/// providers look where there are more algorithms than anybody can run.
Registry make_registry(const std::filesystem::path& selections, const AlgorithmSearch& search = {});

std::map<std::string, std::string> library_versions();

}  // namespace detbench
