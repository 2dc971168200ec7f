#include "models/catalog.hpp"

#include <algorithm>
#include <charconv>

#include "models/efficientnet.hpp"
#include "models/mobilenet_v2.hpp"
#include "models/small_networks.hpp"

namespace detbench {
namespace {

constexpr std::string_view mobilenet_prefix = "mobilenet_v2_alpha";
constexpr double published_alphas[] = {0.35, 0.5, 0.75, 1.0, 1.3, 1.4};
constexpr std::int64_t imagenet_classes = 1000;

tl::unexpected<Reason> unknown(std::string_view model) {
  return invalid_input("'" + std::string(model.substr(0, 200)) +
                       "' is no model: efficientnet_b0 to b7, efficientnet_lite0 to lite4, mobilenet_v2_alpha1.0 (any alpha), small_cnn and small_dense are "
                       "(`detbench list models`)");
}

}  // namespace

const std::vector<ModelEntry>& models() {
  static const std::vector<ModelEntry> all = [] {
    std::vector<ModelEntry> entries;
    for (const auto& v : efficientnet_variants()) entries.push_back({v.name, v.pixels, 3, imagenet_classes});
    for (const double alpha : published_alphas) entries.push_back({std::string(mobilenet_prefix) + alpha_text(alpha), 224, 3, imagenet_classes});
    entries.push_back({"small_cnn", 28, 3, 10});
    entries.push_back({"small_dense", 1, 32, 10});
    return entries;
  }();
  return all;
}

Result<Network> make_network(std::string_view model, std::int64_t pixels, std::int64_t classes, std::int64_t channels) {
  const std::int64_t of_images = channels == 0 ? 3 : channels;
  if (model.starts_with(mobilenet_prefix)) {
    const auto text = model.substr(mobilenet_prefix.size());
    double alpha = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), alpha, std::chars_format::fixed);
    if (error != std::errc{} || end != text.data() + text.size()) return unknown(model);
    auto network = make_mobilenet_v2(alpha, pixels, classes, of_images);
    // One network, one name: "1" and "01.0" would be other cases of the same.
    if (network && network->name != model) return invalid_input("'" + std::string(model.substr(0, 200)) + "' is written " + network->name);
    return network;
  }
  if (model == "small_cnn") return make_small_cnn(pixels, classes, of_images);
  if (model == "small_dense") return make_small_dense(pixels, classes, channels == 0 ? 32 : channels);
  for (const auto& v : efficientnet_variants())
    if (v.name == model) return make_efficientnet(v, pixels, classes, of_images);
  return unknown(model);
}

}  // namespace detbench
