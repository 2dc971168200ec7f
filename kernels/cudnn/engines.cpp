#include "kernels/cudnn/engines.hpp"

#include <algorithm>
#include <charconv>

namespace detbench::cudnn {
namespace {

// Written out instead of taken from the header, so that names stay the same whichever version the program is built with.
constexpr std::string_view note_texts[] = {"TENSOR_CORE", "DOWN_CONVERT_INPUTS", "REDUCED_PRECISION_REDUCTION", "FFT", "NONDETERMINISTIC",
                                           "WINOGRAD", "WINOGRAD_TILE_4x4", "WINOGRAD_TILE_6x6", "WINOGRAD_TILE_13x13", "STRICT_NAN_PROP"};
constexpr std::string_view behaviour_texts[] = {"RUNTIME_COMPILATION", "REQUIRES_FILTER_INT8x32_REORDER", "REQUIRES_BIAS_INT8x32_REORDER",
                                                "SUPPORTS_CUDA_GRAPH_NATIVE_API", "CUBLASLT_DEPENDENCY"};
constexpr std::string_view knob_texts[] = {
    "SPLIT_K", "SWIZZLE", "TILE_SIZE", "USE_TEX", "EDGE", "KBLOCK", "LDGA", "LDGB", "CHUNK_K", "SPLIT_H", "WINO_TILE",
    "MULTIPLY", "SPLIT_K_BUF", "TILEK", "STAGES", "REDUCTION_MODE", "CTA_SPLIT_K_MODE", "SPLIT_K_SLC", "IDX_MODE", "SLICED",
    "SPLIT_RS", "SINGLEBUFFER", "LDGC", "SPECFILT", "KERNEL_CFG", "WORKSPACE", "TILE_CGA", "TILE_CGA_M", "TILE_CGA_N",
    "BLOCK_SIZE", "OCCUPANCY", "ARRAY_SIZE_PER_THREAD", "NUM_C_PER_BLOCK", "SPLIT_COLS", "TILE_ROWS", "TILE_COLS",
    "LOAD_SIZE", "CTA_COUNT", "STREAM_K", "SPLIT_P_SLC", "TILE_M", "TILE_N", "WARP_SPEC_CFG", "SWAP_AB"};

/// More than any version has: a newer library may fill more than this header counts.
constexpr std::int64_t most_notes = 64, most_knobs = CUDNN_KNOB_TYPE_COUNTS + 20;

template <std::size_t N>
std::string name_of(const std::string_view (&texts)[N], int number, const char* unknown) {
  if (number >= 0 && number < static_cast<int>(N)) return std::string(texts[number]);
  return unknown + std::to_string(number);
}

template <class Enum>
std::vector<int> read_notes(const Descriptor& engine, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type) {
  std::vector<int> notes;
  if (auto got = engine.get_many<Enum>(name, type, most_notes))
    for (const auto note : *got) notes.push_back(static_cast<int>(note));
  std::sort(notes.begin(), notes.end());
  return notes;
}

std::vector<Knob> read_knobs(const Descriptor& engine) {
  const auto& library = engine.library();
  std::vector<Descriptor> infos;
  for (std::int64_t i = 0; i < most_knobs; ++i) infos.push_back(Descriptor::make(library, CUDNN_BACKEND_KNOB_INFO_DESCRIPTOR));
  const auto count = engine.get_descriptors(CUDNN_ATTR_ENGINE_KNOB_INFO, infos);
  std::vector<Knob> knobs;
  for (std::int64_t i = 0; count && i < std::min(*count, most_knobs); ++i) {
    const auto& info = infos[static_cast<std::size_t>(i)];
    cudnnBackendKnobType_t type{};
    const auto minimum = info.get_int64(CUDNN_ATTR_KNOB_INFO_MINIMUM_VALUE), maximum = info.get_int64(CUDNN_ATTR_KNOB_INFO_MAXIMUM_VALUE),
               stride = info.get_int64(CUDNN_ATTR_KNOB_INFO_STRIDE);
    if (!info.get_raw(CUDNN_ATTR_KNOB_INFO_TYPE, CUDNN_TYPE_KNOB_TYPE, 1, &type) || !minimum || !maximum) continue;
    knobs.push_back({static_cast<int>(type), *minimum, *maximum, stride && *stride > 0 ? *stride : 1});
  }
  std::sort(knobs.begin(), knobs.end(), [](const Knob& a, const Knob& b) { return a.type < b.type; });
  return knobs;
}

std::string joined(const std::vector<int>& numbers, std::string (*name)(int)) {
  std::string text;
  for (const int number : numbers) text += (text.empty() ? "" : "+") + name(number);
  return text;
}

}  // namespace

bool Engine::has_note(cudnnBackendNumericalNote_t note) const { return std::find(notes.begin(), notes.end(), static_cast<int>(note)) != notes.end(); }
bool Engine::has_behaviour(cudnnBackendBehaviorNote_t note) const {
  return std::find(behaviours.begin(), behaviours.end(), static_cast<int>(note)) != behaviours.end();
}
const Knob* Engine::find_knob(int type) const {
  const auto at = std::find_if(knobs.begin(), knobs.end(), [&](const Knob& knob) { return knob.type == type; });
  return at == knobs.end() ? nullptr : &*at;
}

Engine describe_engine(const OperationGraph& graph, const Target& target, std::int64_t index, int sm_count_target) {
  Engine engine;
  engine.index = index;
  engine.without_device = !target.is_device();
  engine.sm_count_target = sm_count_target;
  const auto finalize = [&](bool with_properties) {
    engine.descriptor = Descriptor::make(graph.library(), CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    auto& d = engine.descriptor;
    d.set(CUDNN_ATTR_ENGINE_OPERATION_GRAPH, graph.descriptor()).set(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, index);
    if (with_properties) d.set(CUDNN_ATTR_ENGINE_DEVICEPROP, target.descriptor());
    if (sm_count_target > 0) d.set(CUDNN_ATTR_ENGINE_SM_COUNT_TARGET, static_cast<std::int32_t>(sm_count_target));
    return d.finalize();
  };
  Status finalized = failure("");
  if (sm_count_target > 0 && target.is_device()) finalized = finalize(false);
  if (!finalized) finalized = finalize(true);
  const auto& d = engine.descriptor;
  engine.status = d.status();
  if (!finalized) {
    engine.reason = finalized.error().text;
    return engine;
  }
  engine.notes = read_notes<cudnnBackendNumericalNote_t>(d, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE);
  engine.behaviours = read_notes<cudnnBackendBehaviorNote_t>(d, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE);
  engine.knobs = read_knobs(d);
  return engine;
}

std::vector<Engine> describe_engines(const OperationGraph& graph, const Target& target, int sm_count_target) {
  std::vector<Engine> engines;
  for (std::int64_t i = 0; i < graph.engine_count(); ++i) engines.push_back(describe_engine(graph, target, i, sm_count_target));
  return engines;
}

std::string note_name(int note) { return name_of(note_texts, note, "NOTE_"); }
std::string behaviour_name(int behaviour) { return name_of(behaviour_texts, behaviour, "BEHAVIOUR_"); }
std::string knob_name(int type) { return name_of(knob_texts, type, "KNOB_"); }

std::optional<int> parse_knob_name(std::string_view name) {
  for (std::size_t i = 0; i < std::size(knob_texts); ++i)
    if (knob_texts[i] == name) return static_cast<int>(i);
  constexpr std::string_view unknown = "KNOB_";
  if (!name.starts_with(unknown)) return std::nullopt;
  int number = 0;
  const auto* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + unknown.size(), end, number);
  // One spelling per knob: a known one goes by its name, and numbers have no leading zeros.
  if (error != std::errc() || stop != end || number < 0 || knob_name(number) != name) return std::nullopt;
  return number;
}

std::string note_names(const std::vector<int>& notes) { return joined(notes, note_name); }
std::string behaviour_names(const std::vector<int>& behaviours) { return joined(behaviours, behaviour_name); }

}  // namespace detbench::cudnn
