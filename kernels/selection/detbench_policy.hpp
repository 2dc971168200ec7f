// Reads a policy file of detbench in your own program: which engine and knobs for this layer?
//
// One header, nothing of detbench behind it; it needs C++17 and nlohmann/json 3.x. A policy file (docs/policies.md) comes from
// `detbench run` or `detbench policy choose`. Example (kernels/selection/example/which_engine.cpp holds a whole program):
//
//   std::string error;
//   const auto policy = detbench_policy::Policy::read("fastest_observed.run_to_run.json", error);
//   if (!policy) return complain(error);
//   detbench_policy::Convolution layer;
//   layer.direction = detbench_policy::Direction::filter_gradient;
//   layer.batch = 32, layer.in_channels = 16, layer.height = layer.width = 112, layer.out_channels = 96;
//   if (const auto* rule = policy->find(layer))
//     if (const auto engine = rule->cudnn_engine())
//       build_plan(engine->index, engine->knobs);   // CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_KNOB_TYPE_...
//
// A rule was measured on the machine and library versions that target() names: an engine's number means another kernel in
// another cuDNN. Compare them before you trust the rule.
#pragma once

#include <charconv>
#include <cstdint>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

namespace detbench_policy {

enum class Direction { forward, data_gradient, filter_gradient };

/// A 2-D convolution as detbench names it. Channels are totals over the groups; depthwise: groups = in_channels. The four pads
/// are those of one side each.
struct Convolution {
  Direction direction = Direction::forward;
  std::int64_t batch = 1, groups = 1, in_channels = 1, height = 1, width = 1, out_channels = 1;
  std::int64_t kernel_height = 1, kernel_width = 1, stride_height = 1, stride_width = 1;
  std::int64_t pad_top = 0, pad_bottom = 0, pad_left = 0, pad_right = 0, dilation_height = 1, dilation_width = 1;
  /// Storage, accumulator, math: "f32_f32_strict", "f32_f32_tf32", "f16_f32_strict", "bf16_f32_strict"; a filter gradient that
  /// is stored in 16 bits: "f16_f32_strict_dwf16", "bf16_f32_strict_dwbf16".
  std::string types = "f32_f32_strict";

  std::string op() const {
    return direction == Direction::forward ? "conv_fwd" : direction == Direction::data_gradient ? "conv_dgrad" : "conv_wgrad";
  }
  /// "mb32_g1_ic16_ih112_iw112_oc96_kh1_kw1_sh1_sw1_pt0_pb0_pl0_pr0_dh1_dw1"
  std::string shape() const {
    const std::pair<const char*, std::int64_t> fields[] = {
        {"mb", batch},         {"g", groups},         {"ic", in_channels}, {"ih", height},     {"iw", width},    {"oc", out_channels},
        {"kh", kernel_height}, {"kw", kernel_width},  {"sh", stride_height}, {"sw", stride_width}, {"pt", pad_top}, {"pb", pad_bottom},
        {"pl", pad_left},      {"pr", pad_right},     {"dh", dilation_height}, {"dw", dilation_width}};
    std::string text;
    for (const auto& [key, value] : fields) text += (text.empty() ? "" : "_") + std::string(key) + std::to_string(value);
    return text;
  }
};

/// An engine of cuDNN's graph API.
struct CudnnEngine {
  std::int64_t index = 0;                     ///< CUDNN_ATTR_ENGINE_GLOBAL_INDEX
  /// Name of CUDNN_KNOB_TYPE_... without that prefix -> value; a knob that is not named is left to the engine.
  std::map<std::string, std::int64_t> knobs;
  /// "": the problem as it is; "pad+": zeros were added to the image by hand, because pads differ per side; "sym+": equal pads
  /// that give the same sums.
  std::string input;
};

/// An algorithm of cuDNN's legacy API.
struct CudnnLegacy {
  std::string algorithm;                      ///< "implicit_precomp_gemm", "algo_1", ...: the enumerator's last words in small letters
  std::string math;                           ///< "default", "tensor_op", "tensor_op_allow_conversion", "fma"
  bool pad_by_hand = false;                   ///< zeros were added to the image by hand
};

struct Rule {
  std::string layout;                         ///< "nhwc", "nchw", "blocked", "rowmajor", ...
  std::string provider;                       ///< "cudnn_graph", "cudnn_legacy", "onednn", "fixed_order", ...
  std::string algorithm;                      ///< engine and knobs, or what the provider calls it
  std::map<std::string, std::string> options; ///< like ws, align, formats

  /// nullopt: the rule is no engine of the graph API with a number; an arm that lets the heuristics pick is none either.
  std::optional<CudnnEngine> cudnn_engine() const {
    if (provider != "cudnn_graph") return std::nullopt;
    CudnnEngine engine;
    std::string_view text = algorithm;
    for (const std::string_view prefix : {"pad+", "sym+"})
      if (text.substr(0, prefix.size()) == prefix) engine.input = std::string(prefix), text.remove_prefix(prefix.size());
    if (text.substr(0, 3) != "eng") return std::nullopt;
    text.remove_prefix(3);
    if (!take_number(text, engine.index)) return std::nullopt;
    if (text.empty()) return engine;
    if (text.front() != '[' || text.back() != ']') return std::nullopt;
    text = text.substr(1, text.size() - 2);
    while (!text.empty()) {
      const auto equal = text.find('=');
      if (equal == 0 || equal == std::string_view::npos) return std::nullopt;
      const std::string knob(text.substr(0, equal));
      text.remove_prefix(equal + 1);
      if (!take_number(text, engine.knobs[knob])) return std::nullopt;
      if (text.empty()) break;
      if (text.front() != ';' || text.size() == 1) return std::nullopt;
      text.remove_prefix(1);
    }
    return engine;
  }

  /// nullopt: the rule is no named algorithm of the legacy API.
  std::optional<CudnnLegacy> cudnn_legacy() const {
    const auto math = options.find("math");
    if (provider != "cudnn_legacy" || math == options.end()) return std::nullopt;
    CudnnLegacy legacy{algorithm, math->second, false};
    if (legacy.algorithm.substr(0, 4) == "pad+") legacy.algorithm.erase(0, 4), legacy.pad_by_hand = true;
    if (legacy.algorithm.substr(0, 5) == "pick:") return std::nullopt;
    return legacy;
  }

 private:
  static bool take_number(std::string_view& text, std::int64_t& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc()) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
  }
};

class Policy {
 public:
  /// From a file of at most 16 MiB. nullopt: it is none, and `error` says in one line what is wrong.
  static std::optional<Policy> read(const std::string& path, std::string& error) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
      error = "'" + path + "' cannot be read";
      return std::nullopt;
    }
    std::string text;
    char chunk[65536];
    while (file.read(chunk, sizeof chunk) || file.gcount() > 0) {
      text.append(chunk, static_cast<std::size_t>(file.gcount()));
      if (text.size() > largest_bytes) {
        error = "'" + path + "' is no policy file: it is larger than 16 MiB";
        return std::nullopt;
      }
    }
    return parse(text, error);
  }

  static std::optional<Policy> parse(const std::string& text, std::string& error) {
    const auto refuse = [&](const std::string& what) {
      error = "this is no policy file: " + what;
      return std::nullopt;
    };
    // Nesting is bounded before anything is built: a file of brackets must not exhaust the stack.
    bool deep = false;
    const auto json = nlohmann::json::parse(text, [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
      deep = deep || depth > 8;
      return depth <= 8;
    }, false);
    if (json.is_discarded() || deep || !json.is_object()) return refuse("it is not JSON, truncated, or nested too deeply");
    if (text_of(json, "schema") != "detbench-policy") return refuse("its key schema is not 'detbench-policy'");
    const auto version = json.find("schema_version");
    if (version == json.end() || !version->is_number_integer() || version->get<std::int64_t>() != 1)
      return refuse("schema_version is not 1, which this header reads");
    Policy policy;
    policy.name_ = text_of(json, "name");
    policy.demand_ = text_of(json, "demand");
    policy.activation_layout_ = text_of(json, "activation_layout");
    if (policy.name_.empty() || policy.activation_layout_.empty()) return refuse("name or activation_layout is missing");
    if (const auto target = json.find("target"); target != json.end() && target->is_object())
      for (const auto& [key, value] : target->items())
        if (value.is_string()) policy.target_[key] = value.get<std::string>();
    for (const char* list : {"defaults", "rules"}) {
      const auto entries = json.find(list);
      if (entries == json.end() || !entries->is_array()) return refuse(std::string(list) + " is no list");
      for (std::size_t i = 0; i < entries->size(); ++i) {
        const auto& entry = (*entries)[i];
        const auto at = std::string(list) + "[" + std::to_string(i) + "]";
        if (!entry.is_object()) return refuse(at + " is no object");
        const auto op = text_of(entry, "op"), shape = text_of(entry, "shape"), types = text_of(entry, "types");
        auto rule = rule_of(entry);
        if (op.empty() || !rule) return refuse(at + " lacks op, layout or an algorithm like provider:name[@option=value,...]");
        if (list[0] == 'd') policy.defaults_[op] = std::move(*rule);
        else if (shape.empty() || types.empty()) return refuse(at + " lacks shape or types");
        else policy.rules_[{op, shape, types}] = std::move(*rule);
      }
    }
    return policy;
  }

  /// The rule of a problem, else of its op; nullptr: the file says nothing about it.
  const Rule* find(const std::string& op, const std::string& shape, const std::string& types) const {
    if (const auto rule = rules_.find({op, shape, types}); rule != rules_.end()) return &rule->second;
    if (const auto rule = defaults_.find(op); rule != defaults_.end()) return &rule->second;
    return nullptr;
  }
  const Rule* find(const Convolution& layer) const { return find(layer.op(), layer.shape(), layer.types); }

  const std::string& name() const { return name_; }        ///< "fastest_observed:run_to_run", ...
  const std::string& demand() const { return demand_; }    ///< "none", "run_to_run", "partition", "batch"
  const std::string& activation_layout() const { return activation_layout_; }
  /// What it was measured on: library name -> version, "backend", "threads".
  const std::map<std::string, std::string>& target() const { return target_; }
  using Key = std::tuple<std::string, std::string, std::string>;  ///< op, shape, types
  const std::map<Key, Rule>& rules() const { return rules_; }
  const std::map<std::string, Rule>& defaults() const { return defaults_; }

 private:
  static constexpr std::size_t largest_bytes = std::size_t{16} << 20;

  static std::string text_of(const nlohmann::json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
  }

  static std::optional<Rule> rule_of(const nlohmann::json& entry) {
    Rule rule;
    rule.layout = text_of(entry, "layout");
    const auto id = text_of(entry, "algorithm");
    const auto at = id.find('@'), colon = id.find(':');
    if (rule.layout.empty() || colon == 0 || colon == std::string::npos || colon > at) return std::nullopt;
    rule.provider = id.substr(0, colon);
    rule.algorithm = id.substr(colon + 1, at == std::string::npos ? at : at - colon - 1);
    for (std::size_t begin = at; begin != std::string::npos;) {
      const auto end = id.find(',', begin + 1), equal = id.find('=', begin);
      if (equal == std::string::npos || equal == begin + 1 || (end != std::string::npos && equal > end)) return std::nullopt;
      rule.options[id.substr(begin + 1, equal - begin - 1)] = id.substr(equal + 1, end == std::string::npos ? end : end - equal - 1);
      begin = end;
    }
    return rule;
  }

  std::string name_, demand_, activation_layout_;
  std::map<std::string, std::string> target_;
  std::map<Key, Rule> rules_;
  std::map<std::string, Rule> defaults_;
};

}  // namespace detbench_policy
