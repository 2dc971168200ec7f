#include "bench/workers/messages.hpp"

namespace detbench {
namespace {

/// Messages come from this same program, so a malformed one means a broken channel; still nothing may throw.
template <class T, class Read>
Result<T> guarded(const Json& json, Read read) {
  try {
    return read(json);
  } catch (const Json::exception& e) {
    return failure(std::string("malformed worker message: ") + e.what());
  }
}

Json to_json(const DeviceConfiguration& c) {
  return {{"threads", c.threads},
          {"alignment_bytes", c.alignment_bytes},
          {"offset_bytes", c.offset_bytes},
          {"placement_seed", c.placement_seed},
          {"allocator", c.allocator == Allocator::pool ? "pool" : "plain"},
          {"sm_count_target", c.sm_count_target},
          {"multiprocessors", c.multiprocessors}};
}
DeviceConfiguration read_configuration(const Json& j) {
  return {j.at("threads").get<int>(), j.at("alignment_bytes").get<std::size_t>(), j.at("offset_bytes").get<std::size_t>(),
          j.at("placement_seed").get<std::uint64_t>(), j.at("allocator").get<std::string>() == "pool" ? Allocator::pool : Allocator::plain,
          j.at("sm_count_target").get<int>(), j.at("multiprocessors").get<int>()};
}
Json to_json(const Inputs& inputs) { return {{"fill", std::string(to_text(inputs.fill))}, {"seed", inputs.seed}}; }
Inputs read_inputs(const Json& j) {
  return {parse_input_fill(j.at("fill").get<std::string>()).value_or(InputFill::rounding), j.at("seed").get<std::uint64_t>()};
}

constexpr std::pair<Reason::Kind, const char*> reason_kinds[] = {{Reason::Kind::unsupported, "unsupported"},
                                                                 {Reason::Kind::invalid_input, "invalid_input"},
                                                                 {Reason::Kind::out_of_memory, "out_of_memory"},
                                                                 {Reason::Kind::failed, "failed"}};

}  // namespace

Json to_json(const Algorithm& a) {
  return {{"provider", a.provider}, {"name", a.name}, {"options", a.options}, {"claim", to_json(a.claim)},
          {"sum_of_products", a.sum_of_products}, {"bound_constant", a.bound_constant}};
}
Result<Algorithm> read_algorithm(const Json& json) {
  return guarded<Algorithm>(json, [](const Json& j) -> Result<Algorithm> {
    auto claim = read_claim(j.at("claim"), "claim");
    if (!claim) return tl::unexpected(claim.error());
    return Algorithm{j.at("provider").get<std::string>(), j.at("name").get<std::string>(), j.at("options").get<Options>(), *claim,
                     j.at("sum_of_products").get<bool>(), j.at("bound_constant").get<double>()};
  });
}

Json to_json(const Reason& reason) {
  for (const auto& [kind, text] : reason_kinds)
    if (kind == reason.kind) return {{"kind", text}, {"text", reason.text}};
  return {{"kind", "failed"}, {"text", reason.text}};
}
Reason read_reason(const Json& json) {
  Reason reason{json.value("text", "no reason given"), Reason::Kind::failed};
  for (const auto& [kind, text] : reason_kinds)
    if (json.value("kind", "") == text) reason.kind = kind;
  return reason;
}

Json to_json(const Offer& offer) {
  return {{"algorithm", to_json(offer.algorithm)}, {"unsupported", offer.unsupported ? to_json(*offer.unsupported) : Json()}, {"notes", offer.notes}};
}
Result<Offer> read_offer(const Json& json) {
  return guarded<Offer>(json, [](const Json& j) -> Result<Offer> {
    auto algorithm = read_algorithm(j.at("algorithm"));
    if (!algorithm) return tl::unexpected(algorithm.error());
    Offer offer{*algorithm, std::nullopt, j.at("notes").get<std::map<std::string, std::string>>()};
    if (!j.at("unsupported").is_null()) offer.unsupported = read_reason(j.at("unsupported"));
    return offer;
  });
}

Json to_json(const ProbeSettings& s) {
  Json left_out = Json::array();
  for (const auto scope : s.left_out) left_out.push_back(std::string(to_text(scope)));
  return {{"left_out", left_out}, {"inputs", to_json(s.inputs)}, {"repeat", s.repeat}, {"load", s.load}, {"configurations", s.configurations}, {"batches", s.batches},
          {"base", to_json(s.base)}, {"slow_limit_s", s.slow_limit_s}, {"load_limit_s", s.load_limit_s},
          {"oversubscribe_limit_s", s.oversubscribe_limit_s}};
}
Result<ProbeSettings> read_probe_settings(const Json& json) {
  return guarded<ProbeSettings>(json, [](const Json& j) -> Result<ProbeSettings> {
    ProbeSettings s;
    s.inputs = read_inputs(j.at("inputs"));
    s.repeat = j.at("repeat").get<std::uint32_t>();
    s.load = j.at("load").get<std::uint32_t>();
    s.configurations = j.at("configurations").get<std::uint32_t>();
    s.batches = j.at("batches").get<std::uint32_t>();
    for (const auto& text : j.at("left_out"))
      if (const auto scope = parse_scope(text.get<std::string>())) s.left_out.push_back(*scope);
    s.base = read_configuration(j.at("base"));
    s.slow_limit_s = j.at("slow_limit_s").get<double>();
    s.load_limit_s = j.at("load_limit_s").get<double>();
    s.oversubscribe_limit_s = j.at("oversubscribe_limit_s").get<double>();
    return s;
  });
}

Json to_json(const ProbeReply& reply) {
  const auto& r = reply.report;
  Json agreement = Json::array();
  for (const auto& scope : r.agreement) agreement.push_back(to_json(scope));
  return {{"status", std::string(to_text(r.status))},
          {"reason", r.reason},
          {"exact_equal", r.exact_equal ? Json(*r.exact_equal) : Json()},
          {"verification", r.verification ? to_json(*r.verification) : Json()},
          {"accuracy", r.accuracy ? to_json(*r.accuracy) : Json()},
          {"agreement", agreement},
          {"output_digest", to_hex(r.output_digest)},
          {"input_digest", to_hex(r.input_digest)},
          {"plan_s", r.plan_s},
          {"workspace_bytes", r.workspace_bytes},
          {"first_run_s", r.first_run_s},
          {"slow", r.slow},
          {"notes", r.notes},
          {"train_step", reply.train_step ? to_json(*reply.train_step) : Json()}};
}
Result<ProbeReply> read_probe_reply(const Json& json) {
  return guarded<ProbeReply>(json, [](const Json& j) -> Result<ProbeReply> {
    ProbeReply reply;
    auto& r = reply.report;
    r.status = parse_run_status(j.at("status").get<std::string>()).value_or(RunStatus::crashed);
    r.reason = j.at("reason").get<std::string>();
    if (!j.at("exact_equal").is_null()) r.exact_equal = j.at("exact_equal").get<bool>();
    if (!j.at("verification").is_null()) {
      auto v = read_verification(j.at("verification"), "verification");
      if (!v) return tl::unexpected(v.error());
      r.verification = *v;
    }
    if (!j.at("accuracy").is_null()) {
      auto a = read_accuracy(j.at("accuracy"), "accuracy");
      if (!a) return tl::unexpected(a.error());
      r.accuracy = *a;
    }
    for (const auto& scope : j.at("agreement")) {
      auto s = read_scope_result(scope, "agreement");
      if (!s) return tl::unexpected(s.error());
      r.agreement.push_back(*s);
    }
    r.output_digest = parse_digest(j.at("output_digest").get<std::string>()).value_or(Digest{});
    r.input_digest = parse_digest(j.at("input_digest").get<std::string>()).value_or(Digest{});
    r.plan_s = j.at("plan_s").get<double>();
    r.workspace_bytes = j.at("workspace_bytes").get<std::uint64_t>();
    r.first_run_s = j.at("first_run_s").get<double>();
    r.slow = j.at("slow").get<bool>();
    r.notes = j.at("notes").get<std::map<std::string, std::string>>();
    if (!j.at("train_step").is_null()) {
      auto facts = read_train_step_facts(j.at("train_step"), "train_step");
      if (!facts) return tl::unexpected(facts.error());
      reply.train_step = *facts;
    }
    return reply;
  });
}

Json to_json(const TimingPlan& plan) {
  Json comparisons = Json::array();
  for (const auto& c : plan.comparisons) {
    Json arms = Json::array();
    for (const auto& arm : c.arms) arms.push_back(to_json(arm));
    comparisons.push_back({{"problem", problem_id(c.problem)}, {"schedule_seed", c.schedule_seed}, {"blocks", c.blocks},
                           {"arms", arms}, {"slow", c.slow}, {"twin_of", c.twin_of}, {"workspace_bytes", c.workspace_bytes}});
  }
  return {{"do", "time"}, {"comparisons", comparisons}, {"inputs", to_json(plan.inputs)}, {"base", to_json(plan.base)},
          {"benchmark_arguments", plan.benchmark_arguments}, {"in_flight_file", plan.in_flight_file},
          {"builds_ahead", plan.builds_ahead}};
}
Result<TimingPlan> read_timing_plan(const Json& json) {
  return guarded<TimingPlan>(json, [](const Json& j) -> Result<TimingPlan> {
    TimingPlan plan{{}, read_inputs(j.at("inputs")), read_configuration(j.at("base")),
                    j.at("benchmark_arguments").get<std::vector<std::string>>(), j.at("in_flight_file").get<std::string>(),
                    j.at("builds_ahead").get<bool>()};
    for (const auto& c : j.at("comparisons")) {
      auto problem = parse_problem_id(c.at("problem").get<std::string>());
      if (!problem) return tl::unexpected(problem.error());
      TimedComparison timed{*problem, c.at("schedule_seed").get<std::uint64_t>(), c.at("blocks").get<std::uint32_t>(), {},
                            c.at("slow").get<std::vector<bool>>(), c.at("twin_of").get<std::uint32_t>(),
                            c.at("workspace_bytes").get<std::uint64_t>()};
      for (const auto& arm : c.at("arms")) {
        auto algorithm = read_algorithm(arm);
        if (!algorithm) return tl::unexpected(algorithm.error());
        timed.arms.push_back(*algorithm);
      }
      plan.comparisons.push_back(std::move(timed));
    }
    return plan;
  });
}

}  // namespace detbench
