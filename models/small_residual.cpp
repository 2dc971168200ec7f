#include "models/small_residual.hpp"

#include <string>

namespace detbench {
namespace {

int block(NetworkBuilder& b, const std::string& name, int input, std::int64_t channels) {
  int x = b.depthwise(name + "_depthwise", input, 3, 1);
  x = b.batch_norm(name + "_depthwise_BN", x, Activation::relu);
  x = b.convolution(name + "_project", x, channels, 1, 1);
  x = b.batch_norm(name + "_project_BN", x, Activation::none);
  x = b.dropout(name + "_drop", x, 0.2, true);
  return b.add(name + "_add", input, x);
}

}  // namespace

Result<Network> make_small_residual(std::int64_t pixels, std::int64_t classes, std::int64_t channels) {
  if (auto good = check_input("small_residual", {8, 1024}, pixels, channels, classes); !good) return tl::unexpected(good.error());
  NetworkBuilder b("small_residual", {pixels, pixels, channels}, classes);
  int x = b.rescaling("rescaling", 0, 1 / 127.5, -1);
  x = b.convolution("stem", x, 16, 3, 2);
  x = b.batch_norm("stem_BN", x, Activation::relu);
  x = block(b, "block_1", x, 16);
  x = block(b, "block_2", x, 16);
  x = b.convolution("reduce", x, 32, 3, 2);
  x = b.batch_norm("reduce_BN", x, Activation::relu);
  x = block(b, "block_3", x, 32);
  x = b.global_avg_pool("pool", x);
  x = b.dropout("dropout", x, 0.2, false);
  x = b.dense("predictions", x, classes);
  b.softmax_cross_entropy("loss", x);
  Network network = b.take();
  network.momentum = 0.9;
  return network;
}

}  // namespace detbench
