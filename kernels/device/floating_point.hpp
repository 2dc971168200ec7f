// The floating-point environment that "same bits" rests on (METHOD section 10).
#pragma once

#include "kernels/result.hpp"

namespace detbench {

/// Success when the calling thread rounds to nearest even and keeps denormals; else a reason that names what is set
/// (flush to zero, denormals are zero, another rounding mode). To be asked at start and after every library load:
/// libraries built with -ffast-math set these flags for the whole process.
Status check_floating_point_environment();

}  // namespace detbench
