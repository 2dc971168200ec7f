// Operation graphs: what is asked of cuDNN. Knows tensors and cuDNN's operations, none of ours.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "kernels/cudnn/descriptor.hpp"
#include "kernels/device/device.hpp"

namespace detbench::cudnn {

/// f32, f64, f16, bf16, i32, i64, u8.
cudnnDataType_t data_type(DataType type);

/// A tensor of a graph. Dimensions are always N,C,H,W (filters K,C/groups,R,S; matrices B,M,N); the layout is in the strides,
/// in elements.
struct GraphTensor {
  std::int64_t uid = 0;
  cudnnDataType_t type = CUDNN_DATA_FLOAT;
  std::vector<std::int64_t> dims, strides;
  /// A power of two that is true of the pointer and at least the element's size. Below 16 cuDNN silently knows fewer
  /// engines and proposes none.
  std::int64_t alignment_bytes = 16;
  bool is_virtual = false;   ///< lives inside the graph only
  bool is_by_value = false;  ///< a host scalar
};

/// N,H,W,C shape (2 to 4 dimensions are filled up with ones behind N: {n,c} is {n,1,1,c}) as a tensor in a plain layout.
GraphTensor activation_tensor(std::int64_t uid, const TensorSpec& spec, std::int64_t alignment_bytes);
/// G,K,R,S,C filter as a tensor K = all output channels, C = input channels of one group.
GraphTensor filter_tensor(std::int64_t uid, const TensorSpec& spec, std::int64_t alignment_bytes);
/// A value per channel as {1,c,1,1}.
GraphTensor channel_tensor(std::int64_t uid, cudnnDataType_t type, std::int64_t channels, std::int64_t alignment_bytes);
GraphTensor scalar_tensor(std::int64_t uid, cudnnDataType_t type);

/// What a device's configuration makes true of every buffer of elements of that type (Device::allocate): 16, or less
/// where alignment or offset make it less; never below the element's size.
std::int64_t tensor_alignment(const DeviceConfiguration& configuration, DataType type);

enum class ConvolutionPass { forward, data, filter };
struct Convolution {
  ConvolutionPass pass = ConvolutionPass::forward;
  std::array<std::int64_t, 2> pre_paddings{}, post_paddings{}, strides{1, 1}, dilations{1, 1};
  cudnnDataType_t compute = CUDNN_DATA_FLOAT;
};
struct Pointwise {
  cudnnPointwiseMode_t mode = CUDNN_POINTWISE_ADD;
  cudnnDataType_t compute = CUDNN_DATA_FLOAT;
  std::optional<double> relu_lower_clip, relu_upper_clip, swish_beta;
};
struct Reduction {
  cudnnReduceTensorOp_t op = CUDNN_REDUCE_TENSOR_ADD;
  cudnnDataType_t compute = CUDNN_DATA_FLOAT;
  std::optional<bool> deterministic;  ///< unset: the attribute is not touched
};
struct Resample {
  cudnnResampleMode_t mode = CUDNN_RESAMPLE_AVGPOOL_INCLUDE_PADDING;
  cudnnPaddingMode_t padding = CUDNN_ZERO_PAD;
  std::vector<std::int64_t> window, strides, pre_paddings, post_paddings;  ///< integers; fractions through `fractions`
  /// Strides and pads as fractions (bilinear); where set they stand for the integer lists.
  std::vector<cudnnFraction_t> fraction_window, fraction_strides, fraction_pre_paddings, fraction_post_paddings;
  cudnnDataType_t compute = CUDNN_DATA_FLOAT;
  std::optional<bool> propagate_nan;
};
/// Tensors of a normalization; those that name nothing are left out.
struct NormForward {
  cudnnBackendNormMode_t mode = CUDNN_BATCH_NORM;
  cudnnBackendNormFwdPhase_t phase = CUDNN_NORM_FWD_TRAINING;
  Descriptor x, mean, inv_variance, scale, bias, epsilon, momentum, running_mean_in, running_var_in, running_mean_out, running_var_out, y;
};
struct NormBackward {
  cudnnBackendNormMode_t mode = CUDNN_BATCH_NORM;
  Descriptor x, mean, inv_variance, dy, scale, epsilon, dscale, dbias, dx;
};

class OperationGraph {
 public:
  const Descriptor& descriptor() const { return descriptor_; }
  const Library& library() const { return descriptor_.library(); }
  /// Engines of every id in [0, count) can be asked about; most will refuse.
  std::int64_t engine_count() const { return engine_count_; }

 private:
  friend class GraphBuilder;
  Descriptor descriptor_;
  std::int64_t engine_count_ = 0;
};

/// States a graph, operation by operation; the first failure is told by build().
class GraphBuilder {
 public:
  static Result<GraphBuilder> make();
  Descriptor tensor(const GraphTensor& tensor);
  /// forward: x, w -> y; data: w, dy -> dx; filter: x, dy -> dw. `x`, `w`, `y` are the tensors in these three places.
  void convolution(const Convolution& convolution, const Descriptor& x, const Descriptor& w, const Descriptor& y);
  /// y = op(x) or op(x, b).
  void pointwise(const Pointwise& pointwise, const Descriptor& x, const Descriptor& b, const Descriptor& y);
  /// dx = op'(x) * dy for the _BWD modes.
  void pointwise_backward(const Pointwise& pointwise, const Descriptor& x, const Descriptor& dy, const Descriptor& dx);
  void reduction(const Reduction& reduction, const Descriptor& x, const Descriptor& y);
  /// Sum and sum of squares per channel.
  void gen_stats(const Descriptor& x, const Descriptor& sum, const Descriptor& square_sum, cudnnDataType_t compute = CUDNN_DATA_FLOAT);
  void resample_forward(const Resample& resample, const Descriptor& x, const Descriptor& y, const Descriptor& index = {});
  void resample_backward(const Resample& resample, const Descriptor& dy, const Descriptor& dx, const Descriptor& index = {},
                         const Descriptor& x = {}, const Descriptor& y = {});
  void norm_forward(const NormForward& norm);
  void norm_backward(const NormBackward& norm);
  void matmul(const Descriptor& a, const Descriptor& b, const Descriptor& c, cudnnDataType_t compute = CUDNN_DATA_FLOAT);
  /// An operation that this class does not know, attributes set and not finalized.
  void operation(Descriptor operation);
  const Library& library() const { return *library_; }

  Result<OperationGraph> build();

 private:
  explicit GraphBuilder(const Library& library) : library_(&library) {}
  Descriptor make(cudnnBackendDescriptorType_t type) { return Descriptor::make(*library_, type); }
  void finish(Descriptor& descriptor, const char* what);
  Descriptor resample_descriptor(const Resample& resample);
  Descriptor pointwise_descriptor(const Pointwise& pointwise);
  const Library* library_;
  std::vector<Descriptor> operations_;
  std::optional<Reason> failed_;
};

}  // namespace detbench::cudnn
