// A part of a GPU's multiprocessors, to which the kernels of its streams keep (a green context). Only files that are built
// with CUDA include this.
//
// The functions are the driver's, fetched through the runtime, so that nothing links against the driver library; they are
// there from driver 12.4 on (streams from 12.5). No green context is ever made current: memory, modules and plans stay the
// primary context's, where the runtime, cuBLAS and cuDNN look for them, and only the streams are the green context's own.
// So device attributes and occupancy still speak of the whole GPU: a grid sized by the multiprocessor count stays as it
// is and runs in more waves. That is what scope `partition` wants of it (the schedule changes, the kernels do not), and
// why kernels that wait for all of their blocks (cooperative launches, stream-K) may be refused or hang there: the launch
// error becomes the stage's reason, and the watchdog ends a worker that hangs. By cuda.h an event is recorded in the context
// that it was made in, so an op that forks to streams of its own may be refused there; the stage then says so too.
#pragma once

#include <cuda_runtime.h>

#include <memory>

#include "kernels/device/device.hpp"

namespace detbench::cuda {

class GreenContext {
 public:
  /// `multiprocessors` as partition sizes are rounded (kernels/device/sm_partition.hpp); unsupported with the reason when
  /// the driver has no green contexts or refuses this size. The device must be the runtime's current one.
  static Result<std::shared_ptr<GreenContext>> make(int multiprocessors);
  ~GreenContext();
  GreenContext(const GreenContext&) = delete;

  int multiprocessors() const { return multiprocessors_; }  ///< what the driver made of the request
  /// A non-blocking stream; destroy it before this object (cudaStreamDestroy does).
  Result<cudaStream_t> make_stream(int priority) const;

 private:
  GreenContext(void* context, int multiprocessors) : context_(context), multiprocessors_(multiprocessors) {}
  void* context_;  ///< CUgreenCtx
  int multiprocessors_;
};

/// What the driver says about partitions of device 0; smallest_partition and partition_step stay 0 where it cannot divide.
MultiprocessorLimits multiprocessor_limits(int count);

}  // namespace detbench::cuda
