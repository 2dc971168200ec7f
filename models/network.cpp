#include "models/network.hpp"

#include <algorithm>

namespace detbench {

SamePadding same_padding(std::int64_t size, std::int64_t kernel, std::int64_t stride) {
  const std::int64_t out = (size + stride - 1) / stride;
  const std::int64_t total = std::max<std::int64_t>((out - 1) * stride + kernel - size, 0);
  return {total / 2, total - total / 2};
}

std::vector<Parameter> Network::parameters() const {
  std::vector<Parameter> all;
  for (int i = 0; i < static_cast<int>(layers.size()); ++i) {
    const auto& l = layers[i];
    const auto add = [&](const char* role, Shape shape) { all.push_back({l.name + "/" + role, i, role, std::move(shape)}); };
    const auto g = l.window.groups;
    if (l.kind == LayerKind::convolution) add("kernel", {g, l.out.channels / g, l.window.kernel, l.window.kernel, l.in.channels / g});
    if (l.kind == LayerKind::convolution && l.bias) add("bias", {l.out.channels});
    if (l.kind == LayerKind::batch_norm) add("gamma", {l.out.channels}), add("beta", {l.out.channels});
    if (l.kind == LayerKind::dense) add("kernel", {l.out.channels, l.in.channels}), add("bias", {l.out.channels});
  }
  return all;
}

std::int64_t Network::trainable_count() const {
  std::int64_t count = 0;
  for (const auto& p : parameters()) count += element_count(p.shape);
  return count;
}

std::int64_t Network::moving_count() const {
  std::int64_t count = 0;
  for (const auto& l : layers) {
    if (l.kind == LayerKind::batch_norm) count += 2 * l.out.channels;
    if (l.kind == LayerKind::normalization) count += 2 * l.out.channels + 1;  // mean, variance and Keras's count
  }
  return count;
}

int Network::layer_named(const std::string& layer) const {
  for (std::size_t i = 0; i < layers.size(); ++i)
    if (layers[i].name == layer) return static_cast<int>(i);
  return -1;
}

bool Network::needs_gradient(int tensor) const {
  if (tensor == 0) return false;
  const auto& l = layers[tensor - 1];
  if (l.kind == LayerKind::convolution || l.kind == LayerKind::batch_norm || l.kind == LayerKind::dense) return true;
  return std::any_of(l.inputs.begin(), l.inputs.end(), [&](int input) { return needs_gradient(input); });
}

std::int64_t Network::macs() const {
  std::int64_t sum = 0;
  for (const auto& l : layers) {
    const auto& w = l.window;
    if (l.kind == LayerKind::convolution) sum += l.out.height * l.out.width * l.out.channels * w.kernel * w.kernel * (l.in.channels / w.groups);
    if (l.kind == LayerKind::dense) sum += l.in.channels * l.out.channels;
  }
  return sum;
}

Status check_input(const std::string& network, PixelRange range, std::int64_t pixels, std::int64_t channels, std::int64_t classes) {
  const auto refuse = [&](const std::string& what, std::int64_t value, const char* unit, std::int64_t least, std::int64_t most) {
    return invalid_input(network + " cannot " + what + " " + std::to_string(value) + " " + unit + ": " + std::to_string(least) + " to " +
                         std::to_string(most) + " are possible");
  };
  if (pixels < range.least || pixels > range.most) return refuse("take", pixels, "pixels", range.least, range.most);
  if (channels < 1 || channels > 4096) return refuse("take", channels, "channels", 1, 4096);
  if (classes < 1 || classes > (1 << 20)) return refuse("have", classes, "classes", 1, 1 << 20);
  return {};
}

NetworkBuilder::NetworkBuilder(std::string name, ImageSize image, std::int64_t classes) {
  network_.name = std::move(name);
  network_.image = image;
  network_.classes = classes;
}

ImageSize NetworkBuilder::size_of(int tensor) const { return tensor == 0 ? network_.image : network_.layers[tensor - 1].out; }

int NetworkBuilder::append(Layer layer) {
  layer.in = size_of(layer.inputs[0]);
  network_.layers.push_back(std::move(layer));
  return static_cast<int>(network_.layers.size());
}

int NetworkBuilder::rescaling(std::string name, int input, double scale, double offset) {
  const int tensor = append({LayerKind::rescaling, std::move(name), {input}, {}, size_of(input)});
  network_.layers.back().scale = scale, network_.layers.back().offset = offset;
  return tensor;
}

int NetworkBuilder::normalization(std::string name, int input) { return append({LayerKind::normalization, std::move(name), {input}, {}, size_of(input)}); }

int NetworkBuilder::convolution(std::string name, int input, std::int64_t filters, std::int64_t kernel, std::int64_t stride, bool bias) {
  const ImageSize in = size_of(input);
  const auto h = same_padding(in.height, kernel, stride), w = same_padding(in.width, kernel, stride);
  const int tensor = append({LayerKind::convolution, std::move(name), {input}, {}, {(in.height + stride - 1) / stride, (in.width + stride - 1) / stride, filters},
                             {kernel, stride, 1, h.before, h.after, w.before, w.after}});
  network_.layers.back().bias = bias;
  return tensor;
}

int NetworkBuilder::depthwise(std::string name, int input, std::int64_t kernel, std::int64_t stride) {
  const int tensor = convolution(std::move(name), input, size_of(input).channels, kernel, stride);
  network_.layers.back().window.groups = size_of(input).channels;
  return tensor;
}

int NetworkBuilder::batch_norm(std::string name, int input, Activation activation) {
  return append({LayerKind::batch_norm, std::move(name), {input}, {}, size_of(input), {}, activation});
}
int NetworkBuilder::activation(std::string name, int input, Activation activation) {
  return append({LayerKind::activation, std::move(name), {input}, {}, size_of(input), {}, activation});
}
int NetworkBuilder::add(std::string name, int a, int b) { return append({LayerKind::add, std::move(name), {a, b}, {}, size_of(a)}); }
int NetworkBuilder::scale_channels(std::string name, int input, int scale) {
  return append({LayerKind::scale_channels, std::move(name), {input, scale}, {}, size_of(input)});
}
int NetworkBuilder::global_avg_pool(std::string name, int input) {
  return append({LayerKind::global_avg_pool, std::move(name), {input}, {}, {1, 1, size_of(input).channels}});
}
int NetworkBuilder::max_pool(std::string name, int input, std::int64_t size) {
  const ImageSize in = size_of(input);
  return append({LayerKind::max_pool, std::move(name), {input}, {}, {in.height / size, in.width / size, in.channels}, {size, size, 1, 0, 0, 0, 0}});
}
int NetworkBuilder::flatten(std::string name, int input) {
  const ImageSize in = size_of(input);
  return append({LayerKind::flatten, std::move(name), {input}, {}, {1, 1, in.height * in.width * in.channels}});
}
int NetworkBuilder::dense(std::string name, int input, std::int64_t features, bool as_convolution) {
  const int tensor = append({LayerKind::dense, std::move(name), {input}, {}, {1, 1, features}});
  network_.layers.back().as_convolution = as_convolution;
  return tensor;
}
int NetworkBuilder::dropout(std::string name, int input, double rate, bool whole_samples) {
  const int tensor = append({LayerKind::dropout, std::move(name), {input}, {}, size_of(input)});
  network_.layers.back().rate = rate, network_.layers.back().whole_samples = whole_samples;
  return tensor;
}
void NetworkBuilder::softmax_cross_entropy(std::string name, int input) {
  append({LayerKind::softmax_cross_entropy, std::move(name), {input}, {}, {1, 1, 1}});
}

}  // namespace detbench
