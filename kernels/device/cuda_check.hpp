// CUDA errors as reasons. Only files that are built with CUDA include this.
#pragma once

#include <cuda_runtime.h>

#include <string>

#include "kernels/result.hpp"

namespace detbench {

/// "file.cpp: cudaMalloc(...): out of memory"; the error is taken off the runtime, so that a later check does not see
/// it again (a sticky one comes back by itself).
inline Reason cuda_reason(cudaError_t error, const char* call, std::string file) {
  cudaGetLastError();
  file.erase(0, file.find_last_of('/') + 1);
  return {file + ": " + call + ": " + cudaGetErrorString(error),
          error == cudaErrorMemoryAllocation ? Reason::Kind::out_of_memory : Reason::Kind::failed};
}

}  // namespace detbench

/// Leaves the function, which returns a Status or a Result, with the reason when the call failed.
#define DETBENCH_CUDA_TRY(call)                                                                    \
  do {                                                                                             \
    if (const cudaError_t error_ = (call); error_ != cudaSuccess)                                  \
      return tl::unexpected<::detbench::Reason>(::detbench::cuda_reason(error_, #call, __FILE__)); \
  } while (false)
