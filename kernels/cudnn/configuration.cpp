#include "kernels/cudnn/configuration.hpp"

#include <algorithm>
#include <charconv>

namespace detbench::cudnn {
namespace {

Descriptor describe(const Engine& engine, const Configuration& configuration) {
  const auto& library = engine.descriptor.library();
  auto d = Descriptor::make(library, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
  d.set(CUDNN_ATTR_ENGINECFG_ENGINE, engine.descriptor);
  std::vector<Descriptor> choices;
  for (const auto& [type, value] : configuration.knobs) {
    auto choice = Descriptor::make(library, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR);
    choice.set_enum(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, static_cast<cudnnBackendKnobType_t>(type))
        .set(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, value);
    // A choice that cannot be finalized fails the configuration it is set on.
    choice.try_finalize();
    choices.push_back(std::move(choice));
  }
  if (!choices.empty()) d.set(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, std::span<const Descriptor>(choices));
  return d;
}

/// The library does not refuse a knob that the engine lacks in every version: refuse it here.
std::string foreign_knob(const Engine& engine, const Configuration& configuration) {
  for (const auto& [type, value] : configuration.knobs) {
    const auto* knob = engine.find_knob(type);
    if (knob == nullptr) return "engine " + std::to_string(engine.index) + " has no knob " + knob_name(type);
    if (value < knob->minimum || value > knob->maximum || (value - knob->minimum) % knob->stride != 0)
      return knob_name(type) + "=" + std::to_string(value) + " is not in " + std::to_string(knob->minimum) + ".." + std::to_string(knob->maximum) +
             " of engine " + std::to_string(engine.index);
  }
  return {};
}

}  // namespace

std::string to_text(const Configuration& configuration) {
  std::map<std::string, std::int64_t> by_name;
  for (const auto& [type, value] : configuration.knobs) by_name[knob_name(type)] = value;
  std::string text = "eng" + std::to_string(configuration.engine);
  for (bool first = true; const auto& [name, value] : by_name) {
    text += (first ? "[" : ";") + name + "=" + std::to_string(value);
    first = false;
  }
  return text + (by_name.empty() ? "" : "]");
}

Result<Configuration> parse_configuration(std::string_view text) {
  const auto bad = [&](const std::string& what) {
    return invalid_input("'" + std::string(text.substr(0, 200)) + "' is no configuration of a cuDNN engine: " + what +
                         "; write eng20 or eng20[TILE_SIZE=3;USE_TEX=0]");
  };
  const auto number = [](std::string_view digits, std::int64_t& value) {
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc() && stop == digits.data() + digits.size() && std::to_string(value) == digits;
  };
  if (!text.starts_with("eng")) return bad("it does not begin with eng");
  const auto open = text.find('[');
  Configuration configuration;
  if (!number(text.substr(3, open == std::string_view::npos ? open : open - 3), configuration.engine) || configuration.engine < 0)
    return bad("no engine number after eng");
  if (open == std::string_view::npos) return configuration;
  if (text.back() != ']') return bad("no ] at the end");
  auto rest = text.substr(open + 1, text.size() - open - 2);
  while (true) {
    const auto end = std::min(rest.find(';'), rest.size());
    const auto word = rest.substr(0, end);
    const auto equals = word.find('=');
    const auto type = parse_knob_name(word.substr(0, equals));
    std::int64_t value = 0;
    if (!type) return bad("there is no knob '" + std::string(word.substr(0, std::min<std::size_t>(equals, 60))) + "'");
    if (equals == std::string_view::npos || !number(word.substr(equals + 1), value)) return bad(knob_name(*type) + " has no whole number");
    if (!configuration.knobs.emplace(*type, value).second) return bad(knob_name(*type) + " is given twice");
    if (end == rest.size()) return configuration;
    rest.remove_prefix(end + 1);
  }
}

std::string_view to_text(Support support) {
  switch (support) {
    case Support::valid: return "valid";
    case Support::unsupported: return "unsupported";
    case Support::unknown: return "unknown";
  }
  return "";
}

Support support_of(cudnnStatus_t status, const Engine& engine) {
  if (status == CUDNN_STATUS_SUCCESS) return Support::valid;
  if (status == CUDNN_STATUS_NOT_SUPPORTED_RUNTIME_PREREQUISITE_MISSING && engine.has_behaviour(CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION) &&
      !driver_library_present())
    return Support::unknown;
  if (!engine.without_device) return Support::unsupported;
  // Failures of the machine, not of the configuration: there is no device, or the stub of a driver. And an SM-count target
  // is held against a device that is not there (describe_engine).
  const int category = static_cast<int>(status) / 1000;
  const bool blind = engine.sm_count_target > 0 && engine.finalized() && status == CUDNN_STATUS_NOT_SUPPORTED;
  return category == 4 || category == 5 || blind ? Support::unknown : Support::unsupported;
}

cudnnStatus_t check_quickly(const Engine& engine, const Configuration& configuration) {
  if (!engine.finalized()) return engine.status;
  auto d = describe(engine, configuration);
  return d.try_finalize();
}

Checked check(const Engine& engine, const Configuration& configuration) {
  Checked checked;
  if (!engine.finalized()) {
    checked.status = engine.status;
    checked.reason = engine.reason;
    checked.support = support_of(engine.status, engine);
    return checked;
  }
  if (auto foreign = foreign_knob(engine, configuration); !foreign.empty()) {
    checked.status = CUDNN_STATUS_BAD_PARAM;
    checked.reason = std::move(foreign);
    return checked;
  }
  auto d = describe(engine, configuration);
  const auto finalized = d.finalize();
  checked.status = d.status();
  checked.support = support_of(checked.status, engine);
  if (!finalized) {
    checked.reason = finalized.error().text;
    if (checked.support == Support::unknown)
      checked.reason = (checked.status == CUDNN_STATUS_NOT_SUPPORTED_RUNTIME_PREREQUISITE_MISSING ? "not known without the driver's library libcuda.so.1: "
                                                                                                  : "not known without a device: ") + checked.reason;
    return checked;
  }
  if (const auto bytes = d.get_int64(CUDNN_ATTR_ENGINECFG_WORKSPACE_SIZE)) checked.workspace_bytes = *bytes;
  std::int32_t shared = 0;
  if (d.get_raw(CUDNN_ATTR_ENGINECFG_SHARED_MEMORY_USED, CUDNN_TYPE_INT32, 1, &shared)) checked.shared_memory_bytes = shared;
  checked.descriptor = std::move(d);
  return checked;
}

}  // namespace detbench::cudnn
