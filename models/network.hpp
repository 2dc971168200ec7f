// A network as data: layers in order, written once for every backend. What computes them is the planner's business.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/activation/kinds.hpp"
#include "kernels/result.hpp"
#include "kernels/tensor/tensor.hpp"

namespace detbench {

/// Size of one image's activations; a vector of features is 1 x 1 x channels.
struct ImageSize {
  std::int64_t height = 1, width = 1, channels = 1;
  bool operator==(const ImageSize&) const = default;
};

enum class LayerKind {
  rescaling,              ///< x * scale + offset (Keras's Rescaling)
  normalization,          ///< Keras's Normalization, untrained: mean 0 and variance 1 make it the identity; it only counts 2C + 1 weights
  convolution,            ///< with bias or without
  batch_norm,             ///< with its activation, fused
  activation,             ///< alone: behind convolutions with bias and dense layers
  add,
  scale_channels,         ///< inputs x and s (1 x 1 x C): x[h,w,c] * s[c], what squeeze-excite does
  global_avg_pool,
  max_pool,               ///< window without padding
  flatten,
  dense,                  ///< with bias
  dropout,                ///< in training only
  softmax_cross_entropy
};

/// How Keras fills the weights of a family (facts in models/initializers.hpp).
enum class Initialization { glorot_uniform, efficientnet, efficientnet_lite };

/// A window of a convolution or of pooling. Padding is TensorFlow's SAME, each side by itself (asymmetric at stride 2 on even inputs).
struct Window {
  std::int64_t kernel = 1, stride = 1, groups = 1;
  std::int64_t top = 0, bottom = 0, left = 0, right = 0;
};

struct Layer {
  LayerKind kind;
  std::string name;         ///< Keras's
  std::vector<int> inputs;  ///< tensors it reads: 0 is the images, i + 1 the output of layer i
  ImageSize in, out;        ///< per image; `in` is that of the first input
  Window window = {};       ///< convolution, max_pool
  Activation activation = Activation::none;  ///< batch_norm (fused), activation
  bool bias = false;                         ///< convolution
  bool as_convolution = false;               ///< dense: Keras builds it as a 1x1 convolution of a 1x1 image (squeeze-excite), which decides its initializer
  double rate = 0;                           ///< dropout: the share that is dropped; what stays is divided by 1 - rate
  bool whole_samples = false;                ///< dropout: all of a sample or nothing of it (drop-connect)
  double scale = 1, offset = 0;              ///< rescaling
};

/// A trainable tensor. Shapes are canonical: kernels (G,K,R,S,C), dense kernels (K,C), vectors (C).
struct Parameter {
  std::string name;  ///< "block_1_expand/kernel"
  int layer;
  std::string role;  ///< "kernel", "gamma", "beta", "bias"
  Shape shape;
};

struct Network {
  std::string name;  ///< "mobilenet_v2_alpha0.35"
  ImageSize image;
  std::int64_t classes = 0;
  /// What brings bytes of 0..255 to the values that the network takes, x * pixel_scale + pixel_offset, outside of it: Keras's preprocess_input.
  double pixel_scale = 1, pixel_offset = 0;
  double momentum = 0.999;  ///< of batch norm's moving statistics: the share that is kept
  Initialization initialization = Initialization::glorot_uniform;
  std::vector<Layer> layers;

  /// In the order of the layers; within one kernel, bias or gamma, beta.
  std::vector<Parameter> parameters() const;
  std::int64_t trainable_count() const;
  /// Moving means and variances, and the 2C + 1 numbers of a normalization layer: Keras's non-trainable parameters.
  std::int64_t moving_count() const;
  int layer_named(const std::string& layer) const;  ///< -1: none
  /// Whether a parameter lies in front of a tensor (0: the images), so that backward has to go on through it.
  bool needs_gradient(int tensor) const;
  /// Multiply-adds of convolutions and dense layers, forward, per image.
  std::int64_t macs() const;
};

/// TensorFlow's SAME: out = ceil(in/stride), total = max((out-1)*stride + kernel - in, 0), before = total/2 rounded down.
struct SamePadding {
  std::int64_t before, after;
};
SamePadding same_padding(std::int64_t size, std::int64_t kernel, std::int64_t stride);

/// The sizes that every network is asked with: square images with `pixels` a side within `range`, 1 to 4096 channels, 1 to
/// 2^20 classes. The error names the network, the number and its range.
struct PixelRange {
  std::int64_t least, most;
};
Status check_input(const std::string& network, PixelRange range, std::int64_t pixels, std::int64_t channels, std::int64_t classes);

/// Adds layers one behind the other; each call returns the tensor that the layer makes.
class NetworkBuilder {
 public:
  NetworkBuilder(std::string name, ImageSize image, std::int64_t classes);
  int rescaling(std::string name, int input, double scale, double offset);
  int normalization(std::string name, int input);
  int convolution(std::string name, int input, std::int64_t filters, std::int64_t kernel, std::int64_t stride, bool bias = false);
  int depthwise(std::string name, int input, std::int64_t kernel, std::int64_t stride);
  int batch_norm(std::string name, int input, Activation activation);
  int activation(std::string name, int input, Activation activation);
  int scale_channels(std::string name, int input, int scale);
  int max_pool(std::string name, int input, std::int64_t size);  ///< stride = size, "valid"
  int flatten(std::string name, int input);
  int dropout(std::string name, int input, double rate, bool whole_samples);
  int add(std::string name, int a, int b);
  int global_avg_pool(std::string name, int input);
  int dense(std::string name, int input, std::int64_t features, bool as_convolution = false);
  /// The loss; its output is the scalar loss.
  void softmax_cross_entropy(std::string name, int input);
  ImageSize size_of(int tensor) const;
  Network& network() { return network_; }  ///< for what is said about the whole: momentum, initialization, pixels
  Network take() { return std::move(network_); }

 private:
  int append(Layer layer);
  Network network_;
};

}  // namespace detbench
