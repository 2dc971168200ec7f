// Which cuDNN answers here: the plain face of kernels/cudnn, built everywhere.
#pragma once

#include <string>

#include "kernels/result.hpp"

namespace detbench {

/// "9.19.0" of the library that is loaded when the program runs; the reason when the build has none or none is found.
Result<std::string> cudnn_version();

}  // namespace detbench
