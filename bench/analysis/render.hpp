// Static images through vl-convert in the project's Python environment: a child process.
#pragma once

#include <filesystem>

#include "kernels/result.hpp"

namespace detbench::analysis {

/// Renders every *.vl.json of the folder to SVG, PNG and PDF. Errors name the remedy.
Status render_charts(const std::filesystem::path& venv, const std::filesystem::path& folder);

/// The environment of scripts/setup.sh: `wanted` if given, else that of the source tree this was built from, else .venv
/// beside the program or in one of the three folders above it. Empty when there is none.
std::filesystem::path find_venv(const std::filesystem::path& wanted);

}  // namespace detbench::analysis
