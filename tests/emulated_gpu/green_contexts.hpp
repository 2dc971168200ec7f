// Green contexts: parts of the GPU's multiprocessors with streams of their own. The only functions of the CUDA driver here.
#pragma once

#include <string_view>

namespace detbench::emulated {

/// By its name in cuda.h, like "cuGreenCtxCreate"; nullptr: not among those that the emulated driver has.
void* driver_function(std::string_view name);

}  // namespace detbench::emulated
