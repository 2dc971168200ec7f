#include "models/step_problem.hpp"

#include <algorithm>

#include "models/catalog.hpp"

namespace detbench {
namespace {

constexpr std::string_view training_prefix = "train_step_", inference_prefix = "inference_";
constexpr std::string_view mobilenet = "mobilenet_v2", alpha = "_alpha";
constexpr std::string_view known_types[] = {"f32_f32_strict", "f32_f32_tf32", "bf16_f32_strict", "f16_f32_strict"};

bool is_mobilenet(std::string_view model) { return model.starts_with(std::string(mobilenet) + std::string(alpha)); }

}  // namespace

std::vector<std::string> model_families() {
  std::vector<std::string> families;
  for (const auto& model : models()) {
    const std::string family = is_mobilenet(model.name) ? std::string(mobilenet) : model.name;
    if (std::find(families.begin(), families.end(), family) == families.end()) families.push_back(family);
  }
  return families;
}

Result<Network> network_of(const StepProblem& p) { return make_network(p.model, p.pixels, p.classes); }

Problem to_problem(const StepProblem& p) {
  std::string op(p.training ? training_prefix : inference_prefix);
  ShapeFields fields{{"px", std::to_string(p.pixels)}, {"mb", std::to_string(p.batch)}, {"classes", std::to_string(p.classes)}};
  if (is_mobilenet(p.model)) {
    op += mobilenet;
    fields.insert(fields.begin(), {"alpha", p.model.substr(mobilenet.size() + alpha.size())});
  } else {
    op += p.model;
  }
  return {std::move(op), format_shape(fields), p.types, "nhwc"};
}

Result<StepProblem> parse_step_problem(const Problem& problem) {
  StepProblem p;
  p.training = problem.op.starts_with(training_prefix);
  if (!p.training && !problem.op.starts_with(inference_prefix))
    return invalid_input("'" + problem.op.substr(0, 60) + "' is no network's op; train_step_mobilenet_v2 and inference_mobilenet_v2 are");
  const std::string family = problem.op.substr(p.training ? training_prefix.size() : inference_prefix.size());
  const auto families = model_families();
  if (std::find(families.begin(), families.end(), family) == families.end()) {
    std::string known;
    for (const auto& f : families) known += (known.empty() ? "" : ", ") + f;
    return invalid_input("'" + family.substr(0, 60) + "' is no model: " + known + " are");
  }
  if (std::find(std::begin(known_types), std::end(known_types), problem.types) == std::end(known_types))
    return invalid_input("types '" + problem.types.substr(0, 60) + "' do not exist for a whole network; f32_f32_strict, f32_f32_tf32, bf16_f32_strict and f16_f32_strict do");
  p.types = problem.types;
  if (problem.layout != "nhwc") return invalid_input("layout '" + problem.layout.substr(0, 60) + "' does not exist for a whole network; nhwc, that of the images, does");
  auto fields = parse_shape(problem.shape);
  if (!fields) return tl::unexpected(fields.error());
  const bool with_alpha = family == mobilenet;
  const std::string form = std::string("; it should read ") + (with_alpha ? "alpha0.35_" : "") + "px96_mb8_classes1000";
  if (fields->size() != (with_alpha ? 4U : 3U) || (with_alpha && (*fields)[0].first != "alpha"))
    return invalid_input("shape '" + problem.shape.substr(0, 200) + "' is not " + problem.op + "'s" + form);
  p.model = family;
  if (with_alpha) {
    p.model += std::string(alpha) + (*fields)[0].second;
    fields->erase(fields->begin());
  }
  auto numbers = read_shape(format_shape(*fields), {{"px", 1, 4096}, {"mb", 1, 4096}, {"classes", 1, 1 << 20}});
  if (!numbers) return tl::unexpected(numbers.error());
  p.pixels = (*numbers)[0], p.batch = (*numbers)[1], p.classes = (*numbers)[2];
  if (auto network = network_of(p); !network) return invalid_input(network.error().text + form);
  return p;
}

}  // namespace detbench
