#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "kernels/selection/selection.hpp"

namespace detbench {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* schema_name = "detbench-policy";
constexpr int schema_version = 1;
constexpr std::size_t largest_file_bytes = std::size_t{16} << 20;
constexpr std::size_t most_rules = 100'000;

/// Reads keys of one object; the first thing wrong is kept, with its path.
class Reader {
 public:
  Reader(const Json& json, std::string path, std::string& problem) : json_(json), path_(std::move(path)), problem_(problem) {
    if (!json_.is_object()) report("", "is no object");
  }
  std::string text(const char* key, bool may_be_empty = false) {
    const auto value = json_.is_object() && json_.contains(key) ? json_[key] : Json();
    if (!value.is_string()) {
      report(key, "is missing or no string");
      return "";
    }
    auto s = value.get<std::string>();
    if ((s.empty() && !may_be_empty) || s.size() > 4096) report(key, "is empty or longer than 4096 characters");
    return s;
  }
  SelectionRule rule() {
    SelectionRule rule;
    rule.layout = text("layout");
    const auto id = text("algorithm");
    if (!problem_.empty()) return rule;
    // The case-name grammar reads an algorithm as the fifth part of a name.
    auto name = parse_case_id("op/shape/types/layout/" + id);
    if (!name) report("algorithm", "is '" + id.substr(0, 100) + "', not provider:algorithm[@option=value,...]");
    else rule.algorithm = name->algorithm;
    return rule;
  }

 private:
  void report(const std::string& key, const std::string& what) {
    if (problem_.empty()) problem_ = path_ + (key.empty() || path_.empty() ? "" : ".") + key + " " + what;
  }
  const Json& json_;
  std::string path_;
  std::string& problem_;
};

Json rule_json(const SelectionRule& rule) { return {{"layout", rule.layout}, {"algorithm", algorithm_id(rule.algorithm)}}; }

}  // namespace

std::string write_selection(const Selection& selection) {
  Json defaults = Json::array(), rules = Json::array();
  for (const auto& [op, rule] : selection.defaults()) {
    Json entry{{"op", op}};
    entry.update(rule_json(rule));
    defaults.push_back(std::move(entry));
  }
  for (const auto& [key, rule] : selection.all_rules()) {
    Json entry{{"op", std::get<0>(key)}, {"shape", std::get<1>(key)}, {"types", std::get<2>(key)}};
    entry.update(rule_json(rule));
    rules.push_back(std::move(entry));
  }
  return Json{{"schema", schema_name},
              {"schema_version", schema_version},
              {"name", selection.name},
              {"demand", selection.demand},
              {"activation_layout", selection.activation_layout},
              {"target", selection.target},
              {"defaults", defaults},
              {"rules", rules}}
             .dump(1) +
         "\n";
}

Result<Selection> read_selection(std::string_view text, const std::string& where) {
  const auto refuse = [&](const std::string& what) { return invalid_input("'" + where + "' is no policy file: " + what); };
  if (text.size() > largest_file_bytes) return refuse("it is larger than 16 MiB");
  // Nesting is bounded before anything is built: a file of brackets must not exhaust the stack.
  int deepest = 0;
  const Json json = Json::parse(text.begin(), text.end(), [&](int depth, Json::parse_event_t, Json&) {
    deepest = std::max(deepest, depth);
    return depth <= 8;
  }, false);
  if (json.is_discarded() || deepest > 8) return refuse("it is not JSON, truncated, or nested too deeply");
  if (!json.is_object() || json.value("schema", Json()) != Json(schema_name)) return refuse(std::string("its key schema is not '") + schema_name + "'");
  const auto version = json.value("schema_version", Json());
  if (!version.is_number_integer() || version.get<std::int64_t>() < 1) return refuse("its key schema_version is no whole number from 1 on");
  if (version.get<std::int64_t>() > schema_version)
    return refuse("schema_version is " + version.dump() + ", this program reads up to " + std::to_string(schema_version) + ": update detbench");
  std::string problem;
  Selection selection;
  Reader top(json, "", problem);
  selection.name = top.text("name");
  selection.demand = top.text("demand");
  selection.activation_layout = top.text("activation_layout");
  if (problem.empty() && selection.activation_layout != "nhwc" && selection.activation_layout != "blocked")
    problem = "activation_layout is neither nhwc nor blocked";
  const auto target = json.value("target", Json::object());
  if (!target.is_object()) return refuse("target is no object");
  for (const auto& [key, value] : target.items()) {
    if (!value.is_string()) return refuse("target." + key + " is no string");
    selection.target[key] = value.get<std::string>();
  }
  for (const char* list : {"defaults", "rules"}) {
    const auto entries = json.value(list, Json());
    if (!entries.is_array() || entries.size() > most_rules) return refuse(std::string(list) + " is no list of at most 100000 rules");
    for (std::size_t i = 0; i < entries.size() && problem.empty(); ++i) {
      Reader reader(entries[i], std::string(list) + "[" + std::to_string(i) + "]", problem);
      const auto op = reader.text("op");
      // Two rules for one problem would leave it to the order which one counts.
      const auto twice = [&] { if (problem.empty()) problem = std::string(list) + "[" + std::to_string(i) + "] is a second rule for the same " + (list[0] == 'd' ? "op" : "problem"); };
      if (list[0] == 'd') {
        if (selection.defaults().contains(op)) twice();
        selection.set_default(op, reader.rule());
      } else {
        const auto shape = reader.text("shape"), types = reader.text("types");
        if (selection.all_rules().contains({op, shape, types})) twice();
        selection.set({op, shape, types, ""}, reader.rule());
      }
    }
  }
  if (!problem.empty()) return refuse(problem);
  return selection;
}

Result<Selection> read_selection_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return invalid_input("'" + path + "' cannot be read: a policy file is needed");
  std::string text;
  char chunk[65536];
  while (file.read(chunk, sizeof chunk) || file.gcount() > 0) {
    text.append(chunk, static_cast<std::size_t>(file.gcount()));
    if (text.size() > largest_file_bytes) break;
  }
  return read_selection(text, path);
}

}  // namespace detbench
