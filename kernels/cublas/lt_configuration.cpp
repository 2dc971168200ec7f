#include "kernels/cublas/lt_configuration.hpp"

#include <charconv>
#include <limits>

namespace detbench::cublas {
namespace {

std::string_view to_text(ReductionScheme scheme) {
  switch (scheme) {
    case ReductionScheme::inplace: return "INPLACE";
    case ReductionScheme::compute_type: return "COMPUTE_TYPE";
    case ReductionScheme::output_type: return "OUTPUT_TYPE";
    default: return "NONE";
  }
}

template <class T>
bool read(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

bool read(std::string_view text, ReductionScheme& value) {
  for (const auto scheme : split_schemes)
    if (to_text(scheme) == text) return value = scheme, true;
  return false;
}

}  // namespace

std::string format_configuration(const LtConfiguration& c) {
  std::string knobs;
  const auto put = [&](const char* key, const std::string& value) { knobs += (knobs.empty() ? "" : ";") + std::string(key) + "=" + value; };
  if (c.tile != 0) put("TILE_ID", std::to_string(c.tile));
  if (c.stages != 0) put("STAGES_ID", std::to_string(c.stages));
  if (c.split_k != 1) put("SPLITK", std::to_string(c.split_k));
  if (c.scheme != ReductionScheme::none) put("SCHEME", std::string(to_text(c.scheme)));
  if (c.swizzle != 0) put("SWIZZLE", std::to_string(c.swizzle));
  if (c.custom != 0) put("CUSTOM", std::to_string(c.custom));
  if (c.inner_shape != 0) put("INNER_ID", std::to_string(c.inner_shape));
  if (c.cluster_shape != 0) put("CLUSTER_ID", std::to_string(c.cluster_shape));
  return "algo" + std::to_string(c.id) + (knobs.empty() ? "" : "[" + knobs + "]");
}

Result<LtConfiguration> parse_configuration(std::string_view name) {
  const auto refuse = [&] {
    return invalid_input("'" + std::string(name.substr(0, 200)) +
                         "' names no configuration of cuBLASLt: algo21 and algo21[TILE_ID=20;STAGES_ID=16;SPLITK=4;SCHEME=INPLACE] do (then SWIZZLE, "
                         "CUSTOM, INNER_ID, CLUSTER_ID; schemes INPLACE, COMPUTE_TYPE, OUTPUT_TYPE; defaults left out)");
  };
  LtConfiguration c;
  const auto bracket = name.find('[');
  if (!name.starts_with("algo") || !read(name.substr(4, bracket == name.npos ? bracket : bracket - 4), c.id) || c.id < 0) return refuse();
  if (bracket != name.npos) {
    if (!name.ends_with(']')) return refuse();
    std::string_view rest = name.substr(bracket + 1, name.size() - bracket - 2);
    while (!rest.empty()) {
      const auto knob = rest.substr(0, rest.find(';'));
      rest.remove_prefix(knob.size() == rest.size() ? knob.size() : knob.size() + 1);
      const auto equals = knob.find('=');
      if (equals == knob.npos) return refuse();
      const auto key = knob.substr(0, equals), value = knob.substr(equals + 1);
      const bool good = key == "TILE_ID"      ? read(value, c.tile)
                        : key == "STAGES_ID"  ? read(value, c.stages)
                        : key == "SPLITK"     ? read(value, c.split_k)
                        : key == "SCHEME"     ? read(value, c.scheme)
                        : key == "SWIZZLE"    ? read(value, c.swizzle)
                        : key == "CUSTOM"     ? read(value, c.custom)
                        : key == "INNER_ID"   ? read(value, c.inner_shape)
                        : key == "CLUSTER_ID" ? read(value, c.cluster_shape)
                                              : false;
      if (!good) return refuse();
    }
  }
  // Whatever reads back as another text was no canonical name: wrong order, a default spelled out, a key twice.
  if (format_configuration(c) != name) return refuse();
  return c;
}

}  // namespace detbench::cublas
