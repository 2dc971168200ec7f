// A network as data: layers in order, written once for every backend. What computes them is the planner's business.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/tensor/tensor.hpp"

namespace detbench {

/// Size of one image's activations; a vector of features is 1 x 1 x channels.
struct ImageSize {
  std::int64_t height = 1, width = 1, channels = 1;
  bool operator==(const ImageSize&) const = default;
};

enum class LayerKind { convolution, batch_norm, add, global_avg_pool, dense, softmax_cross_entropy };

/// A convolution's window. Padding is TensorFlow's SAME, each side by itself (asymmetric at stride 2 on even inputs).
struct Window {
  std::int64_t kernel = 1, stride = 1, groups = 1;
  std::int64_t top = 0, bottom = 0, left = 0, right = 0;
};

struct Layer {
  LayerKind kind;
  std::string name;         ///< Keras's
  std::vector<int> inputs;  ///< tensors it reads: 0 is the images, i + 1 the output of layer i
  ImageSize in, out;        ///< per image; `in` is that of the first input
  Window window;            ///< convolution
  bool relu6 = false;       ///< batch_norm: followed by ReLU6, fused
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
  double momentum = 0.999;  ///< of batch norm's moving statistics: the share that is kept
  std::vector<Layer> layers;

  /// In the order of the layers; within one kernel, bias or gamma, beta.
  std::vector<Parameter> parameters() const;
  std::int64_t trainable_count() const;
  /// Moving means and variances.
  std::int64_t moving_count() const;
  int layer_named(const std::string& layer) const;  ///< -1: none
};

/// TensorFlow's SAME: out = ceil(in/stride), total = max((out-1)*stride + kernel - in, 0), before = total/2 rounded down.
struct SamePadding {
  std::int64_t before, after;
};
SamePadding same_padding(std::int64_t size, std::int64_t kernel, std::int64_t stride);

/// Adds layers one behind the other; each call returns the tensor that the layer makes.
class NetworkBuilder {
 public:
  NetworkBuilder(std::string name, ImageSize image, std::int64_t classes);
  int convolution(std::string name, int input, std::int64_t filters, std::int64_t kernel, std::int64_t stride);
  int depthwise(std::string name, int input, std::int64_t kernel, std::int64_t stride);
  int batch_norm(std::string name, int input, bool relu6);
  int add(std::string name, int a, int b);
  int global_avg_pool(std::string name, int input);
  int dense(std::string name, int input, std::int64_t features);
  /// The loss; its output is the scalar loss.
  void softmax_cross_entropy(std::string name, int input);
  ImageSize size_of(int tensor) const;
  Network take() { return std::move(network_); }

 private:
  int append(Layer layer);
  Network network_;
};

}  // namespace detbench
