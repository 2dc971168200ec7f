// JSON both ways for rows, comparisons, controls and the whole file.
#include <cmath>

#include "bench/records/field_reader.hpp"
#include "bench/records/field_writer.hpp"
#include "bench/records/words.hpp"

namespace detbench {
namespace {

using records::FieldReader;
using records::largest_number;
using namespace records::write;
constexpr const char* schema_name = "detbench-result";

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}
Json or_null(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? Json(*value) : Json(nullptr);
}

/// "2026-11-20T21:36:00Z": every digit a digit, every mark in its place.
bool is_utc_time(const std::string& text) {
  const std::string form = "dddd-dd-ddTdd:dd:ddZ";
  if (text.size() != form.size()) return false;
  for (std::size_t i = 0; i < form.size(); ++i)
    if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i]) return false;
  return true;
}

}  // namespace

Json to_json(const ProfileInfo& p) {
  Json json{{"name", p.name},
            {"repeat", p.repeat},
            {"process", p.process},
            {"load", p.load},
            {"configurations", p.configurations},
            {"blocks", p.blocks}};
  if (!p.search.empty()) json["search"] = p.search;
  return json;
}

Result<ProfileInfo> read_profile_info(const Json& json, const std::string& path) {
  ProfileInfo p;
  FieldReader read(json, path);
  read.text("name", p.name);
  read.whole("repeat", p.repeat);
  read.whole("process", p.process);
  read.whole("load", p.load);
  read.whole("configurations", p.configurations);
  read.whole("blocks", p.blocks);
  if (read.has("search")) read.text("search", p.search);
  return read.finish(std::move(p));
}

Json to_json(const ControlResult& c) {
  return {{"name", c.name},         {"scope", to_text(c.scope)},    {"positive", c.positive}, {"runs", c.runs},
          {"distinct", c.distinct}, {"as_expected", c.as_expected}, {"note", c.note}};
}

Result<ControlResult> read_control_result(const Json& json, const std::string& path) {
  ControlResult c;
  FieldReader read(json, path);
  read.text("name", c.name);
  read.word("scope", c.scope, all_scopes);
  read.flag("positive", c.positive);
  read.whole("runs", c.runs);
  read.whole("distinct", c.distinct);
  read.flag("as_expected", c.as_expected);
  read.text("note", c.note);
  return read.finish(std::move(c));
}

Json to_json(const ComparisonInfo& c) {
  return {{"problem", c.problem},
          {"suite", c.suite},
          {"used_by", c.used_by},
          {"schedule_seed", c.schedule_seed},
          {"blocks", c.blocks},
          {"twin_of", c.twin_of},
          {"twin_samples", list_of(c.twin_samples)},
          {"input_digest", c.input_digest},
          {"flops", or_null(c.flops)},
          {"bytes", or_null(c.bytes)}};
}

Result<ComparisonInfo> read_comparison_info(const Json& json, const std::string& path) {
  ComparisonInfo c;
  FieldReader read(json, path);
  read.text("problem", c.problem);
  read.text("suite", c.suite);
  read.texts("used_by", c.used_by);
  read.whole("schedule_seed", c.schedule_seed);
  read.whole("blocks", c.blocks);
  read.text("twin_of", c.twin_of);
  read.objects("twin_samples", c.twin_samples, read_sample);
  read.digest("input_digest", c.input_digest);
  read.number("flops", c.flops, 0, largest_number);
  read.number("bytes", c.bytes, 0, largest_number);
  return read.finish(std::move(c));
}

Json to_json(const Record& r) {
  Json json{{"id", r.id},
          {"suite", r.suite},
          {"replay", r.replay},
          {"status", to_text(r.status)},
          {"reason", r.reason},
          {"requested", to_text(r.requested)},
          {"claim", to_json(r.claim)},
          {"claim_verdict", to_text(r.claim_verdict)},
          {"exact_equal", or_null(r.exact_equal)},
          {"verification", object_or_null(r.verification)},
          {"agreement", list_of(r.agreement)},
          {"timing", object_or_null(r.timing)},
          {"output_digest", r.output_digest},
          {"input_digest", r.input_digest},
          {"plan_s", or_null(r.plan_s)},
          {"workspace_bytes", or_null(r.workspace_bytes)},
          {"notes", Json(r.notes)},
          {"train_step", object_or_null(r.train_step)}};
  if (r.accuracy) json["accuracy"] = to_json(*r.accuracy);
  return json;
}

Result<Record> read_record(const Json& json, const std::string& path) {
  Record r;
  FieldReader read(json, path);
  read.text("id", r.id);
  read.text("suite", r.suite);
  read.text("replay", r.replay);
  read.word("status", r.status, records::all_run_statuses);
  read.text("reason", r.reason);
  read.word("requested", r.requested, records::all_guarantees);
  read.object("claim", r.claim, read_claim);
  read.word("claim_verdict", r.claim_verdict, records::all_claim_verdicts);
  read.flag("exact_equal", r.exact_equal);
  read.object("verification", r.verification, read_verification);
  read.objects("agreement", r.agreement, read_scope_result);
  read.object("timing", r.timing, read_timing);
  read.digest("output_digest", r.output_digest);
  read.digest("input_digest", r.input_digest);
  read.number("plan_s", r.plan_s, 0, largest_number);
  read.whole("workspace_bytes", r.workspace_bytes);
  read.texts("notes", r.notes);
  read.object("train_step", r.train_step, read_train_step_facts);
  if (read.has("accuracy")) read.object("accuracy", r.accuracy, read_accuracy);
  return read.finish(std::move(r));
}

Json to_json(const ResultFile& f) {
  Json json{{"schema", schema_name},
            {"schema_version", result_schema_version},
            {"digest_version", digest_version},
            {"detbench_version", f.detbench_version},
            {"commit", f.commit},
            {"dirty", f.dirty},
            {"created_utc", f.created_utc},
            {"complete", f.complete},
            {"elapsed_s", or_null(std::optional<double>(f.elapsed_s))},
            {"filter", f.filter},
            {"profile", to_json(f.profile)},
            {"seed", f.seed},
            {"backend", f.backend},
            {"manifest", f.manifest},
            {"controls", list_of(f.controls)},
            {"comparisons", list_of(f.comparisons)},
          {"records", list_of(f.records)}};
  if (f.fill_version) json["fill_version"] = *f.fill_version;
  if (!f.policies.empty()) json["policies"] = list_of(f.policies);
  if (!f.divergence.empty()) json["divergence"] = list_of(f.divergence);
  if (!f.ablation.empty()) json["ablation"] = list_of(f.ablation);
  return json;
}

Result<ResultFile> read_result(const Json& json) {
  ResultFile f;
  FieldReader read(json, "");
  std::string schema;
  int version = 0, digests = 0;
  read.text("schema", schema);
  if (const Json* found = read.find("schema"); found && schema != schema_name)
    read.fail("schema", "is " + records::describe(*found) + "; a detbench result file says '" + schema_name + "'");
  read.whole("schema_version", version);
  if (read.find("schema_version") && version > result_schema_version)
    read.fail("schema_version", "is " + std::to_string(version) + ", newer than this detbench reads (" +
                                    std::to_string(result_schema_version) + "); use a newer detbench");
  if (read.find("schema_version") && version < 1)
    read.fail("schema_version", "is " + std::to_string(version) + "; versions start at 1");
  read.whole("digest_version", digests);
  if (read.find("digest_version") && digests != digest_version)
    read.fail("digest_version", "is " + std::to_string(digests) + "; this detbench compares digests of version " +
                                    std::to_string(digest_version) + " only");
  f.fill_version.reset();
  if (read.has("fill_version")) read.whole("fill_version", f.fill_version);
  if (f.fill_version && *f.fill_version < 1) read.fail("fill_version", "is " + std::to_string(*f.fill_version) + "; versions start at 1");
  read.text("detbench_version", f.detbench_version);
  read.text("commit", f.commit);
  read.flag("dirty", f.dirty);
  read.text("created_utc", f.created_utc);
  if (const Json* found = read.find("created_utc"); found && !is_utc_time(f.created_utc))
    read.fail("created_utc", "is " + records::describe(*found) + "; it should be a time like 2026-11-20T21:36:00Z");
  read.flag("complete", f.complete);
  read.number("elapsed_s", f.elapsed_s, 0, largest_number);
  read.text("filter", f.filter);
  read.object("profile", f.profile, read_profile_info);
  read.whole("seed", f.seed);
  read.text("backend", f.backend);
  if (const Json* found = read.find("manifest")) {
    if (found->is_object())
      f.manifest = *found;
    else
      read.fail("manifest", "is " + records::describe(*found) + "; it should be an object");
  }
  read.objects("controls", f.controls, read_control_result);
  read.objects("comparisons", f.comparisons, read_comparison_info);
  read.objects("records", f.records, read_record);
  if (read.has("policies")) read.objects("policies", f.policies, read_policy_info);
  if (read.has("divergence")) read.objects("divergence", f.divergence, read_divergence);
  if (read.has("ablation")) read.objects("ablation", f.ablation, read_ablation);
  return read.finish(std::move(f));
}

}  // namespace detbench
