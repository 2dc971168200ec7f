// cuDNN's legacy convolution calls with the direction as a value. Only files that are built with cuDNN include this.
#pragma once

#include <utility>
#include <vector>

#include "kernels/convolution/legacy_cudnn_table.hpp"
#include "kernels/cudnn/library.hpp"
#include "kernels/tensor/tensor.hpp"

namespace detbench::legacy {

/// The descriptors of one problem with equal pads, in nhwc or nchw.
class Calls {
 public:
  /// With `half_compute` sums are made in f16, which the API calls true half; else in f32 for every data type.
  static Result<Calls> make(const cudnn::Library& library, const ConvolutionProblem& problem, bool half_compute = false);

  Status set_math(Math math);
  /// Scratch memory of an algorithm (an enumerator of the direction's enum) under the math type set. The error is the
  /// library's own reason why the combination does not exist; its kind is `unsupported` whatever the status code.
  Result<std::size_t> workspace_bytes(cudnnHandle_t handle, int algorithm) const;
  /// Tensors in the order of tensors_of(). Enqueued on the handle's stream.
  Status run(cudnnHandle_t handle, int algorithm, const void* first, const void* second, void* out, Region workspace) const;
  /// Heuristics' rows, best first.
  Result<std::vector<PerfRow>> get_v7(cudnnHandle_t handle) const;
  /// Measured rows, fastest first. Runs every algorithm, overwrites `out`, synchronizes.
  Result<std::vector<PerfRow>> find_ex(cudnnHandle_t handle, const void* first, const void* second, void* out, Region workspace) const;

 private:
  /// Descriptors are plain pointers in the API; each kind knows how to destroy itself.
  template <class T>
  class Owned {
   public:
    using Destroy = cudnnStatus_t (*)(T);
    explicit Owned(Destroy destroy) : destroy_(destroy) {}
    Owned(Owned&& other) noexcept : native_(std::exchange(other.native_, nullptr)), destroy_(other.destroy_) {}
    Owned& operator=(Owned&&) = delete;
    ~Owned() {
      if (native_ != nullptr) destroy_(native_);
    }
    T* slot() { return &native_; }
    operator T() const { return native_; }

   private:
    T native_ = nullptr;
    Destroy destroy_;
  };

  Calls(const cudnn::Library& library, Direction direction);
  template <class Row, class MaxCount, class Ask>
  Result<std::vector<PerfRow>> rows(MaxCount max_count, cudnnHandle_t handle, const char* what, Ask&& ask) const;

  const cudnn::Library* library_;
  Direction direction_;
  Owned<cudnnTensorDescriptor_t> src_, dst_;
  Owned<cudnnFilterDescriptor_t> weights_;
  Owned<cudnnConvolutionDescriptor_t> convolution_;
};

}  // namespace detbench::legacy
