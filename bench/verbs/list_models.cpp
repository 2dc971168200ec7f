#include <fmt/format.h>

#include <algorithm>

#include "bench/verbs/verbs.hpp"
#include "models/activation_memory.hpp"
#include "models/catalog.hpp"

namespace detbench {
namespace {

struct Settings {
  std::int64_t pixels = 0, classes = 0;
  std::vector<std::string> names;
};

/// "5,288,548".
std::string grouped(std::int64_t value) {
  std::string text = std::to_string(value);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3) text.insert(static_cast<std::size_t>(at), ",");
  return text;
}

std::string mebibytes(std::int64_t bytes) { return fmt::format("{:.1f}", static_cast<double>(bytes) / (1 << 20)); }

/// Inverted residual blocks: each has one depthwise convolution.
std::int64_t blocks(const Network& network) {
  return std::count_if(network.layers.begin(), network.layers.end(), [](const Layer& l) { return l.window.groups > 1; });
}

Result<std::vector<std::string>> row_of(const std::string& name, const Settings& settings) {
  const auto& all = models();
  const auto known = std::find_if(all.begin(), all.end(), [&](const ModelEntry& entry) { return entry.name == name; });
  // MobileNetV2 has more alphas than are listed.
  const ModelEntry entry = known != all.end() ? *known : ModelEntry{name, 224, 3, 1000};
  const auto network = make_network(name, settings.pixels ? settings.pixels : entry.pixels, settings.classes ? settings.classes : entry.classes);
  if (!network) return tl::unexpected(network.error());
  const auto& i = network->image;
  std::vector<std::string> row{name, fmt::format("{}x{}x{}", i.height, i.width, i.channels), std::to_string(network->classes), std::to_string(blocks(*network)),
                               grouped(network->trainable_count()), grouped(network->moving_count()), grouped(network->trainable_count() + network->moving_count()),
                               fmt::format("{:.1f}", static_cast<double>(network->macs()) / 1e6)};
  for (const std::int64_t batch : {1, 8}) row.push_back(mebibytes(training_activation_bytes(*network, batch)));
  for (const std::int64_t batch : {1, 8}) row.push_back(mebibytes(inference_activation_bytes(*network, batch)));
  return row;
}

int print_models(const Settings& settings) {
  std::vector<std::vector<std::string>> table{{"model", "input", "classes", "blocks", "trainable", "non-trainable", "total", "MMACs", "train MiB, batch 1", "batch 8",
                                               "infer MiB, batch 1", "batch 8"}};
  auto names = settings.names;
  if (names.empty())
    for (const auto& entry : models()) names.push_back(entry.name);
  for (const auto& name : names) {
    auto row = row_of(name, settings);
    if (!row) return fail(row.error());
    table.push_back(std::move(*row));
  }
  std::vector<std::size_t> width(table[0].size());
  for (const auto& row : table)
    for (std::size_t c = 0; c < row.size(); ++c) width[c] = std::max(width[c], row[c].size());
  for (const auto& row : table) {
    std::string line = fmt::format("{:<{}}", row[0], width[0]);
    for (std::size_t c = 1; c < row.size(); ++c) line += fmt::format("  {:>{}}", row[c], width[c]);
    fmt::print("{}\n", line);
  }
  return exit_ok;
}

}  // namespace

ListModels add_list_models(CLI::App& list) {
  auto* app = list.add_subcommand("models", "the networks: parameters, multiply-adds, memory of activations");
  app->footer(
      "Parameters as Keras counts them, multiply-adds (millions) of convolutions and dense layers per image, forward. MiB in f32: what backward reads again,\n"
      "and the most that is alive at once at inference; workspaces and gradients come on top.\n"
      "Example: detbench list models efficientnet_b0 mobilenet_v2_alpha0.6 --pixels 96");
  auto settings = std::make_shared<Settings>();
  app->add_option("MODEL", settings->names, "models to list; all when none is named. MobileNetV2 takes any alpha");
  app->add_option("--pixels", settings->pixels, "side of the images instead of each model's own")->check(CLI::Range(1, 4096));
  app->add_option("--classes", settings->classes, "classes instead of each model's own")->check(CLI::Range(1, 1 << 20));
  return {app, [settings] { return print_models(*settings); }};
}

}  // namespace detbench
