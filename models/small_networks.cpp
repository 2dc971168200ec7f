#include "models/small_networks.hpp"

namespace detbench {

Result<Network> make_small_dense(std::int64_t pixels, std::int64_t classes, std::int64_t channels) {
  if (auto good = check_input("small_dense", {1, 1024}, pixels, channels, classes); !good) return tl::unexpected(good.error());
  NetworkBuilder b("small_dense", {pixels, pixels, channels}, classes);
  int x = pixels > 1 ? b.flatten("flatten", 0) : 0;
  x = b.dense("dense", x, 128);
  x = b.activation("dense_activation", x, Activation::relu);
  x = b.dense("predictions", x, classes);
  b.softmax_cross_entropy("loss", x);
  return b.take();
}

Result<Network> make_small_cnn(std::int64_t pixels, std::int64_t classes, std::int64_t channels) {
  if (auto good = check_input("small_cnn", {4, 1024}, pixels, channels, classes); !good) return tl::unexpected(good.error());
  NetworkBuilder b("small_cnn", {pixels, pixels, channels}, classes);
  int x = b.rescaling("rescaling", 0, 1.0 / 255, 0);
  for (const auto& [index, filters] : {std::pair{"", 16}, {"_1", 32}}) {
    const std::string name = std::string("conv2d") + index;
    x = b.convolution(name, x, filters, 3, 1, true);
    x = b.activation(name + "_activation", x, Activation::relu);
    x = b.max_pool(std::string("max_pooling2d") + index, x, 2);
  }
  x = b.dropout("dropout", x, 0.2, false);
  x = b.flatten("flatten", x);
  x = b.dense("predictions", x, classes);
  b.softmax_cross_entropy("loss", x);
  return b.take();
}

}  // namespace detbench
