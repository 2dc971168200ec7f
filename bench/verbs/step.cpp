#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "bench/records/manifest.hpp"
#include "bench/suites/registry.hpp"
#include "bench/suites/step_timing.hpp"
#include "bench/verbs/verbs.hpp"

namespace detbench {
namespace {

struct StepOptions {
  std::string id, selections, backend = "cpu";
  int threads = 0;
  std::uint64_t seed = 1;
  StepTimingSettings timing;
};

int time_step(const StepOptions& o) {
  if (o.threads < 0 || o.threads > 1024) return fail({"--threads " + std::to_string(o.threads) + " is out of range: 1 to 1024, or 0 for every core", Reason::Kind::invalid_input});
  if (o.timing.steps < 1) return fail({"--steps 0 times nothing; 1 or more do", Reason::Kind::invalid_input});
  if (o.timing.group < 1) return fail({"--group 0 times nothing; 1 or more do", Reason::Kind::invalid_input});
  if (o.backend != "cpu" && o.backend != "cuda") return fail({"'" + o.backend + "' is no backend: cpu and cuda are", Reason::Kind::invalid_input});
  auto id = parse_case_id(o.id);
  if (!id) return fail(id.error());
  DeviceConfiguration configuration;
  configuration.threads = o.threads;
  auto device = o.backend == "cuda" ? make_cuda_device(configuration) : make_cpu_device(configuration);
  if (!device) return fail(device.error());
  const auto registry = make_registry(o.selections);
  Inputs inputs;
  inputs.seed = o.seed;
  auto timing = time_train_step(registry, id->problem, id->algorithm, inputs, **device, o.timing);
  if (!timing) return fail(timing.error());
  nlohmann::ordered_json out;
  out["case"] = case_id(id->problem, id->algorithm);
  out["program"] = "detbench " + program_version();
  out["threads"] = (*device)->configuration().threads;
  out["digest"] = timing->digest;
  out["digest_steps"] = timing->digest_steps;
  out["warm_up"] = o.timing.warm_up;
  out["group"] = o.timing.group;
  out["step_s"] = timing->step_s;
  out["prepare_s"] = timing->prepare_s;
  out["memory_bytes"] = timing->memory_bytes;
  out["notes"] = timing->notes;
  out["ops"] = nlohmann::ordered_json::array();
  for (const auto& op : timing->ops)
    out["ops"].push_back(nlohmann::ordered_json{{"phase", op.phase}, {"layer", op.layer}, {"op", op.op}, {"problem", op.problem}, {"algorithm", op.algorithm}, {"elapsed_s", op.elapsed_s}});
  fmt::print("{}\n", out.dump());
  return exit_ok;
}

}  // namespace

Verb add_step_verb(CLI::App& program) {
  auto* app = program.add_subcommand("step", "time one train step alone and print it as JSON; scripts/peers/compare.py uses it");
  app->footer(
      "Takes the OpenMP settings of its environment as they are, where `run` sets its own.\n"
      "Example: detbench step train_step_mobilenet_v2/alpha0.35_px96_mb8_classes1000/f32_f32_strict/nhwc/network:library_heuristic --profile-steps 5");
  auto o = std::make_shared<StepOptions>();
  app->add_option("CASE", o->id, "id of a train step, policy included; @steps=k gives the k of the digest")->required();
  app->add_option("--warm-up", o->timing.warm_up, "steps before the first timed one")->capture_default_str();
  app->add_option("--steps", o->timing.steps, "timed samples")->capture_default_str();
  app->add_option("--group", o->timing.group, "steps per sample, waited for once at its end; the sample is their mean")->capture_default_str();
  app->add_option("--seconds", o->timing.seconds, "no more samples after this long, 5 at least; 0: no limit")->capture_default_str();
  app->add_option("--profile-steps", o->timing.profiled, "steps seen op by op afterwards")->capture_default_str();
  app->add_option("--selections", o->selections, "folder of policy files, for policies made from measurements");
  app->add_option("--threads", o->threads, "CPU threads; 0: every core")->capture_default_str();
  app->add_option("--seed", o->seed, "of the inputs")->capture_default_str();
  app->add_option("--backend", o->backend, "cpu or cuda")->capture_default_str();
  return [o]() -> int { return time_step(*o); };
}

}  // namespace detbench
