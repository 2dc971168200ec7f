// The kernels that a program's CUDA files bring along: nvcc makes each file register itself before main().
#pragma once

#include <driver_types.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>

#include "tests/emulated_gpu/machine.hpp"

namespace detbench::emulated {

/// What one CUDA file was compiled to, read when the first of its kernels is asked for.
class DeviceCode {
 public:
  explicit DeviceCode(const void* fatbin_wrapper) : wrapper_(fatbin_wrapper) {}
  /// Throws Fault (unsupported) where it holds no PTX, or one that cannot be read.
  const std::shared_ptr<Program>& program();
  /// Held while a Program is asked or a Run is made from it: neither promises to be called from two threads.
  std::mutex& mutex() { return mutex_; }

 private:
  const void* wrapper_;
  std::mutex mutex_;
  std::shared_ptr<Program> program_;
};

}  // namespace detbench::emulated

/// A kernel; what cudaKernel_t points to.
struct CUkern_st {
  std::shared_ptr<detbench::emulated::DeviceCode> code;
  std::string name;
  int dynamic_shared_limit = -1;  ///< bytes, as cudaFuncSetAttribute set them; -1: not set

  /// Throws Fault where the machine cannot run it.
  const detbench::emulated::Program::Attributes& attributes();
};

namespace detbench::emulated {

/// By the address of the host function that stands for the kernel, or by the kernel itself; nullptr: no such kernel.
CUkern_st* find_kernel(const void* function);

}  // namespace detbench::emulated
