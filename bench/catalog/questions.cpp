#include "bench/catalog/questions.hpp"

#include <algorithm>

#include "kernels/convolution/problem.hpp"
#include "models/mobilenet_v2.hpp"
#include "models/problems.hpp"

namespace detbench::catalog {
namespace {

constexpr std::int64_t imagenet_classes = 1000;  // of the classifier, which is no convolution

Result<std::string> full_types(const std::string& text) {
  if (text == "f32") return std::string("f32_f32_tf32");
  if (text == "f16") return std::string("f16_f32_strict");
  if (text == "bf16") return std::string("bf16_f32_strict");
  if (!parse_product_types(text)) return invalid_input("'" + text.substr(0, 60) + "' are no types: f32, f16 and bf16 are");
  return text;
}

Status check_layout(const std::string& layout) {
  if (layout == "nhwc" || layout == "nchw") return {};
  return invalid_input("'" + layout.substr(0, 60) + "' is no layout of cuDNN's convolutions: nhwc and nchw are");
}

/// Pads as PyTorch's models have them. The outputs keep their sizes, as kernels are odd.
Result<Problem> padded(const Problem& problem, Padding padding) {
  if (padding == Padding::same) return problem;
  auto c = parse_convolution(problem);
  if (!c) return tl::unexpected(c.error());
  c->pt = c->pb = c->kh / 2;
  c->pl = c->pr = c->kw / 2;
  return to_problem(*c);
}

Result<Network> network_of(const Questions& q) {
  if (q.model != "mobilenet_v2") return invalid_input("'" + q.model.substr(0, 60) + "' is no model that is known here: mobilenet_v2 is");
  return make_mobilenet_v2(q.alpha, q.pixels, imagenet_classes);
}

Status add_layers(std::vector<Entry>& entries, const Questions& q, const Network& network, const std::string& types, const std::string& layout) {
  for (Direction direction : all_directions)
    for (const auto& posed : convolution_problems(network, q.batch, std::string(op_name(direction)), types, layout)) {
      auto problem = padded(posed.problem, q.padding);
      if (!problem) return tl::unexpected(problem.error());
      Entry entry;
      entry.problem = *problem;
      for (const auto& layer : posed.layers) entry.used_by.push_back(network.name + ":" + layer);
      if (q.filter.accepts("convolution", entry.problem, entry.used_by)) entries.push_back(std::move(entry));
    }
  return {};
}

bool asks_about_algorithms(const Filter& filter) {
  const auto begins = [&](const std::string& key) { return filter.text().rfind(key, 0) == 0 || filter.text().find(" " + key) != std::string::npos; };
  return filter.algorithm().has_value() || begins("provider:") || begins("algorithm:");
}

}  // namespace

Result<Padding> parse_padding(const std::string& text) {
  if (text == "same") return Padding::same;
  if (text == "symmetric") return Padding::symmetric;
  return invalid_input("'" + text.substr(0, 60) + "' is no padding: same and symmetric are");
}

Result<std::vector<Entry>> pose(const Questions& q) {
  if (asks_about_algorithms(q.filter))
    return invalid_input("the filter '" + q.filter.text().substr(0, 200) + "' names a provider or algorithm: a catalog lists every engine of a problem");
  std::vector<Entry> entries;
  if (const auto& problem = q.filter.problem()) {
    if (auto c = parse_convolution(*problem); !c) return tl::unexpected(c.error());
    if (auto good = check_layout(problem->layout); !good) return tl::unexpected(good.error());
    if (!q.filter.accepts("convolution", *problem, {})) return invalid_input("the filter '" + q.filter.text() + "' contradicts itself");
    entries.push_back({*problem, {}, "", {}, {}});
    return entries;
  }
  if (q.batch < 1 || q.batch > 1 << 20) return invalid_input("a batch of " + std::to_string(q.batch) + " is out of range: 1 to 1048576");
  auto network = network_of(q);
  if (!network) return tl::unexpected(network.error());
  for (const auto& text : q.types) {
    const auto types = full_types(text);
    if (!types) return tl::unexpected(types.error());
    for (const auto& layout : q.layouts) {
      if (auto good = check_layout(layout); !good) return tl::unexpected(good.error());
      if (auto added = add_layers(entries, q, *network, *types, layout); !added) return tl::unexpected(added.error());
    }
  }
  if (entries.empty()) return invalid_input("no convolution of " + source_of(q) + " matches the filter '" + q.filter.text() + "'");
  return entries;
}

std::string source_of(const Questions& q) {
  if (q.filter.problem()) return problem_id(*q.filter.problem());
  return q.model + " alpha " + alpha_text(q.alpha) + ", " + std::to_string(q.pixels) + " px, batch " + std::to_string(q.batch) + ", padding " +
         (q.padding == Padding::same ? "same" : "symmetric");
}

}  // namespace detbench::catalog
