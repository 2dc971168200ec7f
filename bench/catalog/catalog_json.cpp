// JSON both ways. Engines that do not exist for a graph are two thirds of all and differ in nothing but the reason: they
// are written as one list of ids per reason.
#include <algorithm>
#include <map>

#include "bench/catalog/catalog.hpp"
#include "bench/catalog/tally.hpp"
#include "bench/records/field_reader.hpp"
#include "bench/records/json_text.hpp"
#include "bench/records/manifest.hpp"

namespace detbench::catalog {
namespace {

using records::FieldReader;
constexpr const char* schema_name = "detbench-catalog";

Json to_json(const Knob& k) {
  return {{"name", k.name}, {"minimum", k.minimum}, {"maximum", k.maximum}, {"stride", k.stride}};
}

Result<Knob> read_knob(const Json& json, const std::string& path) {
  Knob k;
  FieldReader read(json, path);
  read.text("name", k.name);
  read.whole("minimum", k.minimum);
  read.whole("maximum", k.maximum);
  read.whole("stride", k.stride);
  return read.finish(k);
}

Json to_json(const Engine& e) {
  Json knobs = Json::array();
  for (const auto& k : e.knobs) knobs.push_back(to_json(k));
  return {{"id", e.id},
          {"status", to_text(e.status)},
          {"reason", e.reason},
          {"notes", e.notes},
          {"behaviours", e.behaviours},
          {"knobs", std::move(knobs)},
          {"workspace_bytes", e.workspace_bytes ? Json(*e.workspace_bytes) : Json(nullptr)}};
}

Result<Engine> read_engine(const Json& json, const std::string& path) {
  Engine e;
  e.finalizes = true;
  FieldReader read(json, path);
  read.whole("id", e.id);
  read.word("status", e.status, all_engine_statuses);
  read.text("reason", e.reason);
  read.texts("notes", e.notes);
  read.texts("behaviours", e.behaviours);
  read.objects("knobs", e.knobs, &read_knob);
  read.whole("workspace_bytes", e.workspace_bytes);
  return read.finish(std::move(e));
}

/// Engines that share a status and a reason.
struct Refused {
  EngineStatus status = EngineStatus::unsupported;
  std::string reason;
  std::vector<std::int64_t> ids;
};

Result<Refused> read_refused(const Json& json, const std::string& path) {
  Refused r;
  FieldReader read(json, path);
  read.word("status", r.status, all_engine_statuses);
  read.text("reason", r.reason);
  if (const Json* ids = read.find("engines")) {
    if (!ids->is_array()) read.fail("engines", "is " + records::describe(*ids) + "; it should be a list");
    else
      for (const auto& id : *ids) {
        if (!id.is_number_unsigned() || id.get<std::uint64_t>() > 1'000'000) {
          read.fail("engines", "holds " + records::describe(id) + "; it should hold engine ids");
          break;
        }
        r.ids.push_back(id.get<std::int64_t>());
      }
  }
  return read.finish(std::move(r));
}

Json to_json(const Ranking& r) { return {{"mode", to_text(r.mode)}, {"reason", r.reason}, {"picks", r.picks}}; }

Result<Ranking> read_ranking(const Json& json, const std::string& path) {
  Ranking r;
  FieldReader read(json, path);
  read.word("mode", r.mode, all_heuristic_modes);
  read.text("reason", r.reason);
  read.texts("picks", r.picks);
  for (const auto& pick : r.picks)
    if (!engine_of(pick)) read.fail("picks", "holds " + records::describe(pick) + "; a pick looks like eng20[TILE_SIZE=3]");
  return read.finish(std::move(r));
}

Json to_json(const ModeTally& t) {
  Json tops = Json::object();
  for (const auto& [engine, problems] : t.tops) tops[std::to_string(engine)] = problems;
  return {{"nondeterministic_first", t.nondeterministic}, {"nondeterministic_first_strict", t.nondeterministic_strict},
          {"layers_nondeterministic_first", t.layers_nondeterministic},
          {"layers_nondeterministic_first_strict", t.layers_nondeterministic_strict},
          {"runtime_compiled_first", t.runtime_compiled}, {"empty", t.empty},
          {"empty_strict", t.empty_strict},               {"first_engines", std::move(tops)}};
}

/// For readers of the file; not read back, because it follows from the entries.
Json to_json(const Tally& t) {
  Json modes = Json::object();
  for (auto mode : all_heuristic_modes) modes[std::string(to_text(mode))] = to_json(t.mode(mode));
  return {{"op", t.op},
          {"types", t.types},
          {"layout", t.layout},
          {"problems", t.problems},
          {"layers", t.layers},
          {"failed", t.failed},
          {"engines_finalized_mean", t.mean(t.finalized)},
          {"engines_valid_mean", t.mean(t.valid)},
          {"engines_unknown_mean", t.mean(t.unknown)},
          {"default_configurations_mean", t.mean(t.defaults)},
          {"heuristic_configurations_mean", t.mean(t.configurations)},
          {"nondeterministic_engines", t.nondeterministic_engines},
          {"heuristics", std::move(modes)}};
}

}  // namespace

Json to_json(const Entry& entry) {
  Json engines = Json::array(), refused = Json::array(), rankings = Json::array();
  std::map<std::pair<std::string, std::string>, std::vector<std::int64_t>> reasons;
  for (const auto& e : entry.engines) {
    if (e.finalizes) engines.push_back(to_json(e));
    else reasons[{std::string(to_text(e.status)), e.reason}].push_back(e.id);
  }
  for (const auto& [why, ids] : reasons) refused.push_back({{"status", why.first}, {"reason", why.second}, {"engines", ids}});
  for (const auto& r : entry.rankings) rankings.push_back(to_json(r));
  return {{"problem", problem_id(entry.problem)},
          {"used_by", entry.used_by},
          {"failure", entry.failure},
          {"engines", std::move(engines)},
          {"refused", std::move(refused)},
          {"heuristics", std::move(rankings)}};
}

Result<Entry> read_entry(const Json& json, const std::string& path) {
  Entry entry;
  FieldReader read(json, path);
  std::string id;
  read.text("problem", id);
  if (auto problem = parse_problem_id(id)) entry.problem = *problem;
  else read.fail("problem", problem.error().text);
  read.texts("used_by", entry.used_by);
  read.text("failure", entry.failure);
  read.objects("engines", entry.engines, &read_engine);
  std::vector<Refused> refused;
  read.objects("refused", refused, &read_refused);
  read.objects("heuristics", entry.rankings, &read_ranking);
  for (const auto& r : refused)
    for (const auto engine : r.ids) {
      Engine e;
      e.id = engine, e.status = r.status, e.reason = r.reason;
      entry.engines.push_back(std::move(e));
    }
  std::sort(entry.engines.begin(), entry.engines.end(), [](const Engine& a, const Engine& b) { return a.id < b.id; });
  for (std::size_t i = 1; i < entry.engines.size(); ++i)
    if (entry.engines[i - 1].id == entry.engines[i].id) read.fail("engines", "names engine " + std::to_string(entry.engines[i].id) + " twice");
  return read.finish(std::move(entry));
}

Json to_json(const Catalog& catalog) {
  Json entries = Json::array(), summary = Json::array();
  for (const auto& e : catalog.entries) entries.push_back(to_json(e));
  for (const auto& t : tally(catalog)) summary.push_back(to_json(t));
  return {{"schema", schema_name},
          {"schema_version", schema_version},
          {"detbench_version", program_version()},
          {"cudnn_version", catalog.cudnn_version},
          {"target", {{"arch", catalog.arch}, {"device", catalog.device}, {"asked_device", catalog.asked_device}}},
          {"driver_library", to_text(catalog.driver)},
          {"source", catalog.source},
          {"elapsed_s", catalog.elapsed_s},
          {"summary", std::move(summary)},
          {"problems", std::move(entries)}};
}

std::string format_json(const Catalog& catalog) {
  Json json = to_json(catalog);
  const Json problems = std::move(json["problems"]);
  json.erase("problems");
  // Invalid UTF-8 (a library's message) becomes the replacement character instead of an exception.
  const auto dump = [](const Json& j, int indent) { return j.dump(indent, ' ', false, Json::error_handler_t::replace); };
  std::string text = dump(json, 1);
  text.resize(text.size() - 2);  // "\n}"
  text += ",\n \"problems\": [";
  for (std::size_t i = 0; i < problems.size(); ++i) text += (i == 0 ? "\n  " : ",\n  ") + dump(problems[i], -1);
  return text + "\n ]\n}\n";
}

Result<Catalog> read_catalog(const Json& json) {
  Catalog c;
  FieldReader read(json, "");
  std::string schema;
  read.text("schema", schema);
  if (!schema.empty() && schema != schema_name)
    read.fail("schema", "is " + records::describe(Json(schema)) + "; a catalog says '" + std::string(schema_name) + "'");
  int version = 0;
  read.whole("schema_version", version);
  if (version != 0 && version != schema_version)
    read.fail("schema_version", "is " + std::to_string(version) + "; this detbench reads version " + std::to_string(schema_version));
  read.text("cudnn_version", c.cudnn_version);
  if (const Json* target = read.find("target")) {
    FieldReader inner(*target, "target");
    inner.text("arch", c.arch);
    inner.text("device", c.device);
    inner.flag("asked_device", c.asked_device);
    if (auto good = inner.finish(true); !good) return tl::unexpected(good.error());
  }
  read.word("driver_library", c.driver, all_driver_libraries);
  read.text("source", c.source);
  read.number("elapsed_s", c.elapsed_s, 0, 1e12);
  read.objects("problems", c.entries, &read_entry);
  return read.finish(std::move(c));
}

Result<Catalog> read_catalog_file(const std::filesystem::path& path) {
  const auto text = read_whole_file(path);
  if (!text) return tl::unexpected(text.error());
  const auto json = parse_json(*text, path.string());
  if (!json) return tl::unexpected(json.error());
  auto catalog = read_catalog(*json);
  if (!catalog) return failure(path.string() + ": " + catalog.error().text, catalog.error().kind);
  return catalog;
}

}  // namespace detbench::catalog
