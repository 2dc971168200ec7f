// JSON both ways for what the instrument finds (bench/core/measurement.hpp): it travels between parent and workers and
// ends in the result file. Keys are the member names.
#include <cmath>
#include <cstdio>

#include "bench/records/field_reader.hpp"
#include "bench/records/field_writer.hpp"
#include "bench/records/words.hpp"

namespace detbench {
namespace {

using records::FieldReader;
using records::largest_number;
using namespace records::write;

std::string to_bits(std::uint64_t bits) {
  char text[20];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(bits));
  return text;
}

}  // namespace

Json to_json(const Stage& s) {
  Json distinct = Json::array();
  for (const auto& digest : s.distinct) distinct.push_back(to_hex(digest));
  return {{"name", s.name},
          {"runs", s.runs},
          {"differing_runs", s.differing_runs},
          {"distinct", std::move(distinct)},
          {"unavailable", s.unavailable}};
}

Result<Stage> read_stage(const Json& json, const std::string& path) {
  Stage s;
  FieldReader read(json, path);
  std::vector<std::string> distinct;
  read.text("name", s.name);
  read.whole("runs", s.runs);
  read.whole("differing_runs", s.differing_runs);
  if (s.differing_runs > s.runs) read.fail("differing_runs", "is larger than runs");
  read.texts("distinct", distinct);
  for (const auto& text : distinct) {
    const auto digest = parse_digest(text);
    if (!digest)
      read.fail("distinct", "has " + records::describe(Json(text)) + "; a digest is 32 lower-case hexadecimal digits");
    else
      s.distinct.push_back(*digest);
  }
  read.text("unavailable", s.unavailable);
  return read.finish(std::move(s));
}

Json to_json(const StepOp& o) {
  return {{"phase", o.phase},     {"layer", o.layer},         {"op", o.op},
          {"problem", o.problem}, {"algorithm", o.algorithm}, {"elapsed_s", finite_or_null(o.elapsed_s)}};
}

Result<StepOp> read_step_op(const Json& json, const std::string& path) {
  StepOp o;
  FieldReader read(json, path);
  read.text("phase", o.phase);
  read.text("layer", o.layer);
  read.text("op", o.op);
  read.text("problem", o.problem);
  read.text("algorithm", o.algorithm);
  read.number("elapsed_s", o.elapsed_s, 0, largest_number);
  return read.finish(std::move(o));
}

Json to_json(const Claim& c) {
  Json coverage = Json::array();
  for (const auto scope : c.coverage) coverage.push_back(to_text(scope));
  return {{"guarantee", to_text(c.guarantee)}, {"source", c.source}, {"coverage", std::move(coverage)}};
}

Result<Claim> read_claim(const Json& json, const std::string& path) {
  Claim c;
  FieldReader read(json, path);
  read.word("guarantee", c.guarantee, records::all_guarantees);
  read.text("source", c.source);
  read.words("coverage", c.coverage, all_scopes);
  return read.finish(std::move(c));
}

Json to_json(const Verification& v) {
  return {{"passed", v.passed},
          {"reason", v.reason},
          {"checked", v.checked},
          {"outputs", v.outputs},
          {"max_ulp", v.max_ulp},
          {"relative_l2", finite_or_null(v.relative_l2)},
          {"bound_ratio", finite_or_null(v.bound_ratio)}};
}

Result<Verification> read_verification(const Json& json, const std::string& path) {
  Verification v;
  FieldReader read(json, path);
  read.flag("passed", v.passed);
  read.text("reason", v.reason);
  read.whole("checked", v.checked);
  read.whole("outputs", v.outputs);
  read.whole("max_ulp", v.max_ulp);
  read.number_or_nan("relative_l2", v.relative_l2);
  read.number_or_nan("bound_ratio", v.bound_ratio);
  return read.finish(std::move(v));
}

Json to_json(const Accuracy& a) {
  const auto value = [](const std::optional<double>& number) { return number ? finite_or_null(*number) : Json(nullptr); };
  return {{"error_ulp", finite_or_null(a.error_ulp)},
          {"relative_error", finite_or_null(a.relative_error)},
          {"condition", value(a.condition)},
          {"error_ulp_min", value(a.error_ulp_min)},
          {"error_ulp_max", value(a.error_ulp_max)}};
}

Result<Accuracy> read_accuracy(const Json& json, const std::string& path) {
  Accuracy a;
  FieldReader read(json, path);
  read.number_or_nan("error_ulp", a.error_ulp);
  read.number_or_nan("relative_error", a.relative_error);
  read.number("condition", a.condition, 0, largest_number);
  read.number("error_ulp_min", a.error_ulp_min, 0, largest_number);
  read.number("error_ulp_max", a.error_ulp_max, 0, largest_number);
  if (a.error_ulp < 0) read.fail("error_ulp", "is negative; it is a magnitude");
  if (a.relative_error < 0) read.fail("relative_error", "is negative; it is a magnitude");
  if (a.error_ulp_min && a.error_ulp_max && *a.error_ulp_min > *a.error_ulp_max)
    read.fail("error_ulp_min", "is larger than error_ulp_max");
  return read.finish(std::move(a));
}

Json to_json(const Witness& w) {
  return {{"stage", w.stage},
          {"run", w.run},
          {"output", w.output},
          {"element", w.element},
          {"baseline_bits", to_bits(w.baseline_bits)},
          {"run_bits", to_bits(w.run_bits)},
          {"elements", w.elements},
          {"differing", w.differing},
          {"v_ermv", finite_or_null(w.v_ermv)},
          {"max_ulp", w.max_ulp},
          {"sampled", w.sampled}};
}

Result<Witness> read_witness(const Json& json, const std::string& path) {
  Witness w;
  FieldReader read(json, path);
  read.text("stage", w.stage);
  read.whole("run", w.run);
  read.text("output", w.output);
  read.whole("element", w.element);
  read.bits("baseline_bits", w.baseline_bits);
  read.bits("run_bits", w.run_bits);
  read.whole("elements", w.elements);
  read.whole("differing", w.differing);
  if (w.differing > w.elements) read.fail("differing", "is larger than elements");
  read.number_or_nan("v_ermv", w.v_ermv);
  read.whole("max_ulp", w.max_ulp);
  read.flag("sampled", w.sampled);
  return read.finish(std::move(w));
}

Json to_json(const ScopeResult& s) {
  return {{"scope", to_text(s.scope)},   {"verdict", to_text(s.verdict)},
          {"reason", s.reason},          {"runs", s.runs},
          {"distinct", s.distinct},      {"bound", s.bound ? finite_or_null(*s.bound) : Json(nullptr)},
          {"stages", list_of(s.stages)}, {"witness", s.witness ? to_json(*s.witness) : Json(nullptr)}};
}

Result<ScopeResult> read_scope_result(const Json& json, const std::string& path) {
  ScopeResult s;
  FieldReader read(json, path);
  read.word("scope", s.scope, all_scopes);
  read.word("verdict", s.verdict, records::all_scope_verdicts);
  read.text("reason", s.reason);
  read.whole("runs", s.runs);
  read.whole("distinct", s.distinct);
  read.number("bound", s.bound, 0, 1);
  read.objects("stages", s.stages, read_stage);
  read.object("witness", s.witness, read_witness);
  return read.finish(std::move(s));
}

Json to_json(const Sample& s) {
  Json json{{"block", s.block},
            {"position", s.position},
            {"elapsed_s", finite_or_null(s.elapsed_s)},
            {"iterations", s.iterations},
            {"involuntary_switches", s.involuntary_switches},
            {"foreign_s", finite_or_null(s.foreign_s)},
            {"foreign_load", s.foreign_load}};
  // Only a GPU's samples have these: a file holds a hundred thousand samples.
  if (s.sm_clock_hz) json["sm_clock_hz"] = *s.sm_clock_hz;
  if (s.launches_exposed) json["launches_exposed"] = true;
  return json;
}

Result<Sample> read_sample(const Json& json, const std::string& path) {
  Sample s;
  FieldReader read(json, path);
  read.whole("block", s.block);
  read.whole("position", s.position);
  read.number("elapsed_s", s.elapsed_s, 0, largest_number);
  read.whole("iterations", s.iterations);
  read.whole("involuntary_switches", s.involuntary_switches);
  read.number("foreign_s", s.foreign_s, 0, largest_number);
  read.flag("foreign_load", s.foreign_load);
  if (read.has("sm_clock_hz")) read.number("sm_clock_hz", s.sm_clock_hz, 0, largest_number);
  if (read.has("launches_exposed")) read.flag("launches_exposed", s.launches_exposed);
  return read.finish(std::move(s));
}

Json to_json(const Timing& t) { return {{"samples", list_of(t.samples)}, {"digest", t.digest}, {"slow", t.slow}}; }

Result<Timing> read_timing(const Json& json, const std::string& path) {
  Timing t;
  FieldReader read(json, path);
  read.objects("samples", t.samples, read_sample);
  read.digest("digest", t.digest);
  read.flag("slow", t.slow);
  return read.finish(std::move(t));
}

Json to_json(const TrainStepFacts& t) {
  Json loss = Json::array();
  for (const double value : t.loss) loss.push_back(finite_or_null(value));
  return {{"steps", t.steps},
          {"images_per_s", finite_or_null(t.images_per_s)},
          {"input_s", finite_or_null(t.input_s)},
          {"memory_bytes", t.memory_bytes},
          {"observed_step_s", finite_or_null(t.observed_step_s)},
          {"op_s", finite_or_null(t.op_s)},
          {"reorder_s", finite_or_null(t.reorder_s)},
          {"loss", std::move(loss)},
          {"ops", list_of(t.ops)}};
}

Result<TrainStepFacts> read_train_step_facts(const Json& json, const std::string& path) {
  TrainStepFacts t;
  FieldReader read(json, path);
  read.whole("steps", t.steps);
  read.number("images_per_s", t.images_per_s, 0, largest_number);
  read.number("input_s", t.input_s, 0, largest_number);
  read.whole("memory_bytes", t.memory_bytes);
  read.number("observed_step_s", t.observed_step_s, 0, largest_number);
  read.number("op_s", t.op_s, 0, largest_number);
  read.number("reorder_s", t.reorder_s, 0, largest_number);
  read.numbers_or_nan("loss", t.loss);
  read.objects("ops", t.ops, read_step_op);
  return read.finish(std::move(t));
}

}  // namespace detbench
