#include "bench/workers/serve.hpp"
#include "bench/suites/ablation.hpp"
#include "bench/suites/divergence.hpp"
#include "bench/suites/registry.hpp"
#include "bench/suites/train_step_suite.hpp"
#include "bench/verbs/verbs.hpp"

namespace detbench {

Verb add_worker_verb(CLI::App& program) {
  // Not for people: the parent starts it with a channel on file descriptor 3.
  auto* app = program.add_subcommand("worker", "measures what the parent process asks for (internal)")->group("");
  auto selections = std::make_shared<std::string>();
  auto backend = std::make_shared<std::string>("cpu");
  app->add_option("--selections", *selections, "folder of policy files");
  auto tiers = std::make_shared<std::string>("t0,t1");
  app->add_option("--backend", *backend, "cpu or cuda");
  app->add_option("--search", *tiers, "tiers of configurations");
  return [selections, backend, tiers]() -> int {
    AlgorithmSearch search;
    auto parsed = parse_tiers(*tiers);
    if (!parsed) return fail(parsed.error());
    search.tiers = *parsed;
    const auto registry = make_registry(*selections, search);
    ServeHooks hooks;
    hooks.make_device = *backend == "cuda" ? MakeDevice(make_cuda_device) : MakeDevice(make_cpu_device);
    hooks.train_step_facts = [&registry](const Problem& problem, const Algorithm& algorithm, const Inputs& inputs, Device& device) {
      return observe_train_step(registry, problem, algorithm, inputs, device);
    };
    hooks.diverge = [&](const Json& request) -> Result<Json> {
      auto asked = read_divergence_request(request);
      if (!asked) return tl::unexpected(asked.error());
      auto parted = measure_divergence(registry, *asked, hooks.make_device);
      if (!parted) return tl::unexpected(parted.error());
      return to_json(*parted);
    };
    hooks.ablate = [&hooks](const Json& request) { return answer_ablation(request, hooks.make_device); };
    LineChannel channel(worker_channel_fd);
    return serve(channel, registry, hooks);
  };
}

}  // namespace detbench
