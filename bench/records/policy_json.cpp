// JSON both ways for what a run chose and how train steps part.
#include <cmath>

#include "bench/records/divergence.hpp"
#include "bench/records/field_reader.hpp"
#include "bench/records/field_writer.hpp"
#include "bench/records/policy_info.hpp"

namespace detbench {
namespace {

using records::FieldReader;
using records::largest_number;
using namespace records::write;

}  // namespace

Json to_json(const StruckPick& s) { return {{"id", s.id}, {"scope", s.scope}, {"reason", s.reason}}; }

Result<StruckPick> read_struck_pick(const Json& json, const std::string& path) {
  StruckPick s;
  FieldReader read(json, path);
  read.text("id", s.id);
  read.text("scope", s.scope);
  read.text("reason", s.reason);
  return read.finish(std::move(s));
}

Json to_json(const PolicyInfo& p) {
  return {{"name", p.name},
          {"demand", p.demand},
          {"meaning", p.meaning},
          {"activation_layout", p.activation_layout},
          {"problems", p.problems},
          {"layers", p.layers},
          {"layers_met", p.layers_met},
          {"layers_s", finite_or_null(p.layers_s)},
          {"fastest_layers_s", finite_or_null(p.fastest_layers_s)},
          {"unmet", p.unmet},
          {"probed_again", p.probed_again},
          {"held", p.held},
          {"not_probed_again", p.not_probed_again},
          {"struck", list_of(p.struck)}};
}

Result<PolicyInfo> read_policy_info(const Json& json, const std::string& path) {
  PolicyInfo p;
  FieldReader read(json, path);
  read.text("name", p.name);
  read.text("demand", p.demand);
  read.text("meaning", p.meaning);
  read.text("activation_layout", p.activation_layout);
  read.whole("problems", p.problems);
  read.whole("layers", p.layers);
  read.whole("layers_met", p.layers_met);
  read.number("layers_s", p.layers_s, 0, largest_number);
  read.number("fastest_layers_s", p.fastest_layers_s, 0, largest_number);
  read.texts("unmet", p.unmet);
  read.whole("probed_again", p.probed_again);
  read.whole("held", p.held);
  read.whole("not_probed_again", p.not_probed_again);
  read.objects("struck", p.struck, read_struck_pick);
  return read.finish(std::move(p));
}

Json to_json(const DivergenceSide& s) { return {{"algorithm", s.algorithm}, {"threads", s.threads}, {"load", s.load}}; }

Result<DivergenceSide> read_divergence_side(const Json& json, const std::string& path) {
  DivergenceSide s;
  FieldReader read(json, path);
  read.text("algorithm", s.algorithm);
  read.whole("threads", s.threads);
  read.text("load", s.load);
  return read.finish(std::move(s));
}

Json to_json(const DivergencePoint& p) {
  return {{"step", p.step},
          {"elements", p.elements},
          {"differing", p.differing},
          {"max_ulp", p.max_ulp},
          {"l2", finite_or_null(p.l2)},
          {"relative_l2", finite_or_null(p.relative_l2)},
          {"loss_a", finite_or_null(p.loss_a)},
          {"loss_b", finite_or_null(p.loss_b)},
          {"churn", p.churn ? Json(*p.churn) : Json(nullptr)}};
}

Result<DivergencePoint> read_divergence_point(const Json& json, const std::string& path) {
  DivergencePoint p;
  FieldReader read(json, path);
  read.whole("step", p.step);
  read.whole("elements", p.elements);
  read.whole("differing", p.differing);
  read.whole("max_ulp", p.max_ulp);
  read.number_or_nan("l2", p.l2);
  read.number_or_nan("relative_l2", p.relative_l2);
  read.number_or_nan("loss_a", p.loss_a);
  read.number_or_nan("loss_b", p.loss_b);
  read.number("churn", p.churn, 0, 1);
  return read.finish(std::move(p));
}

Json to_json(const DivergenceOp& o) {
  return {{"step", o.step}, {"index", o.index}, {"phase", o.phase}, {"layer", o.layer}, {"op", o.op}, {"algorithm_a", o.algorithm_a}, {"algorithm_b", o.algorithm_b}, {"output", o.output}};
}

Result<DivergenceOp> read_divergence_op(const Json& json, const std::string& path) {
  DivergenceOp o;
  FieldReader read(json, path);
  read.whole("step", o.step);
  read.whole("index", o.index);
  read.text("phase", o.phase);
  read.text("layer", o.layer);
  read.text("op", o.op);
  read.text("algorithm_a", o.algorithm_a);
  read.text("algorithm_b", o.algorithm_b);
  read.text("output", o.output);
  return read.finish(std::move(o));
}

Json to_json(const Divergence& d) {
  return {{"question", d.question},
          {"problem", d.problem},
          {"a", to_json(d.a)},
          {"b", to_json(d.b)},
          {"steps", d.steps},
          {"first_step", d.first_step ? Json(*d.first_step) : Json(nullptr)},
          {"first_op", object_or_null(d.first_op)},
          {"points", list_of(d.points)},
          {"note", d.note}};
}

Result<Divergence> read_divergence(const Json& json, const std::string& path) {
  Divergence d;
  FieldReader read(json, path);
  read.text("question", d.question);
  read.text("problem", d.problem);
  read.object("a", d.a, read_divergence_side);
  read.object("b", d.b, read_divergence_side);
  read.whole("steps", d.steps);
  read.whole("first_step", d.first_step);
  read.object("first_op", d.first_op, read_divergence_op);
  read.objects("points", d.points, read_divergence_point);
  read.text("note", d.note);
  return read.finish(std::move(d));
}

}  // namespace detbench
