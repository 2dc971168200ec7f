#include <cuda_runtime.h>

#include <atomic>

#include "kernels/device/cuda_check.hpp"
#include "kernels/device/launch_gate_backends.hpp"

namespace detbench {
namespace {

/// In host memory that the device reads and writes through the bus.
struct Flags {
  unsigned open;
  unsigned gave_up;
};

__device__ std::uint64_t global_nanoseconds() {
  std::uint64_t now;
  asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now));
  return now;
}

/// One thread: the rest of the GPU stays free, and the deadline holds whatever becomes of the host.
__global__ void wait_for_gate(volatile Flags* flags, std::uint64_t limit_ns) {
  const std::uint64_t start = global_nanoseconds();
  while (flags->open == 0) {
    if (global_nanoseconds() - start > limit_ns) {
      flags->gave_up = 1;
      __threadfence_system();
      return;
    }
    __nanosleep(200);
  }
}

class CudaLaunchGate final : public LaunchGate {
 public:
  CudaLaunchGate(Flags* host, Flags* device) : host_(host), device_(device) {}
  CudaLaunchGate(const CudaLaunchGate&) = delete;
  ~CudaLaunchGate() override {
    open();
    cudaDeviceSynchronize();  // a waiting kernel still reads the flags
    cudaFreeHost(host_);
  }
  Status close(Stream& stream, double limit_s) override {
    std::atomic_ref(host_->open).store(0);
    std::atomic_ref(host_->gave_up).store(0);
    wait_for_gate<<<1, 1, 0, static_cast<cudaStream_t>(stream.native())>>>(device_, static_cast<std::uint64_t>(limit_s * 1e9));
    DETBENCH_CUDA_TRY(cudaGetLastError());
    return {};
  }
  void open() noexcept override { std::atomic_ref(host_->open).store(1); }
  bool gave_up() const noexcept override { return std::atomic_ref(host_->gave_up).load() != 0; }

 private:
  Flags* host_;
  Flags* device_;
};

}  // namespace

Result<std::unique_ptr<LaunchGate>> make_cuda_launch_gate() {
  void* host = nullptr;
  DETBENCH_CUDA_TRY(cudaHostAlloc(&host, sizeof(Flags), cudaHostAllocMapped));
  void* device = nullptr;
  if (const cudaError_t error = cudaHostGetDevicePointer(&device, host, 0); error != cudaSuccess) {
    cudaFreeHost(host);
    return tl::unexpected(cuda_reason(error, "cudaHostGetDevicePointer", __FILE__));
  }
  return std::make_unique<CudaLaunchGate>(static_cast<Flags*>(host), static_cast<Flags*>(device));
}

}  // namespace detbench
