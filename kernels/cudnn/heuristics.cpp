#include "kernels/cudnn/heuristics.hpp"

namespace detbench::cudnn {
namespace {

cudnnBackendHeurMode_t native(HeuristicMode mode) {
  switch (mode) {
    case HeuristicMode::instant: return CUDNN_HEUR_MODE_INSTANT;
    case HeuristicMode::b: return CUDNN_HEUR_MODE_B;
    case HeuristicMode::fallback: return CUDNN_HEUR_MODE_FALLBACK;
    case HeuristicMode::a: return CUDNN_HEUR_MODE_A;
  }
  return CUDNN_HEUR_MODE_A;
}

Result<Configuration> read(const Descriptor& result, std::span<const Descriptor> choices) {
  Configuration configuration;
  const Descriptor engine = Descriptor::make(result.library(), CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  if (auto got = result.get_descriptors(CUDNN_ATTR_ENGINECFG_ENGINE, std::span(&engine, 1)); !got) return tl::unexpected(got.error());
  const auto index = engine.get_int64(CUDNN_ATTR_ENGINE_GLOBAL_INDEX);
  if (!index) return tl::unexpected(index.error());
  configuration.engine = *index;
  const auto count = result.get_descriptors(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, choices);
  if (!count) return tl::unexpected(count.error());
  for (std::int64_t i = 0; i < *count && i < static_cast<std::int64_t>(choices.size()); ++i) {
    const auto& choice = choices[static_cast<std::size_t>(i)];
    cudnnBackendKnobType_t type{};
    if (auto got = choice.get_raw(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1, &type); !got) return tl::unexpected(got.error());
    const auto value = choice.get_int64(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE);
    if (!value) return tl::unexpected(value.error());
    if (*value >= 0) configuration.knobs[static_cast<int>(type)] = *value;  // -1 stands for the engine's own choice
  }
  return configuration;
}

}  // namespace

std::string_view to_text(HeuristicMode mode) {
  switch (mode) {
    case HeuristicMode::instant: return "INSTANT";
    case HeuristicMode::b: return "B";
    case HeuristicMode::fallback: return "FALLBACK";
    case HeuristicMode::a: return "A";
  }
  return "";
}

Result<std::vector<Configuration>> propose(const OperationGraph& graph, const Target& target, HeuristicMode mode, int sm_count_target) {
  const auto& library = graph.library();
  auto heuristics = Descriptor::make(library, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph.descriptor())
      .set_enum(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, native(mode));
  // As with engines: an SM-count target is held against the properties of the current device where there is one.
  if (sm_count_target == 0 || !target.is_device()) heuristics.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, target.descriptor());
  if (sm_count_target > 0) heuristics.set(CUDNN_ATTR_ENGINEHEUR_SM_COUNT_TARGET, static_cast<std::int32_t>(sm_count_target));
  if (auto s = heuristics.finalize(); !s) {
    if (s.error().kind == Reason::Kind::unsupported) return std::vector<Configuration>{};  // nothing for this graph: data, no error
    return tl::unexpected(s.error());
  }
  const auto count = heuristics.get_raw(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, nullptr);
  if (!count) return tl::unexpected(count.error());
  std::vector<Descriptor> results, choices;
  for (std::int64_t i = 0; i < *count; ++i) results.push_back(Descriptor::make(library, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR));
  std::vector<Configuration> ranked;
  if (results.empty()) return ranked;
  const auto got = heuristics.get_descriptors(CUDNN_ATTR_ENGINEHEUR_RESULTS, results);
  if (!got) return tl::unexpected(got.error());
  for (int i = 0; i < CUDNN_KNOB_TYPE_COUNTS; ++i) choices.push_back(Descriptor::make(library, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR));
  for (std::int64_t i = 0; i < std::min(*got, *count); ++i) {
    auto configuration = read(results[static_cast<std::size_t>(i)], choices);
    if (!configuration) return tl::unexpected(configuration.error());
    ranked.push_back(std::move(*configuration));
  }
  return ranked;
}

}  // namespace detbench::cudnn
