#include <fmt/format.h>

#include <map>

#include "bench/suites/ceiling_problems.hpp"
#include "bench/suites/suites.hpp"
#include "bench/suites/registry.hpp"
#include "bench/suites/sweep_run.hpp"
#include "bench/verbs/verbs.hpp"

namespace detbench {

Verb add_list_verb(CLI::App& program) {
  auto* app = program.add_subcommand("list", "the cases on this machine, and for every \"no\" the reason");
  app->footer("Example: detbench list 'op:conv_wgrad layer:block_1_* provider:onednn' --profile smoke");
  struct Options {
    std::vector<std::string> filter;
    std::string profile = "quick", backend = "cpu", selections, search;
    bool problems = false;
  };
  auto options = std::make_shared<Options>();
  app->add_option("FILTER", options->filter, "key:glob terms, or a case or problem id");
  app->add_option("--profile", options->profile, "smoke, quick, standard or full")->capture_default_str();
  app->add_option("--backend", options->backend, "cpu or cuda")->capture_default_str();
  app->add_option("--search", options->search, "tiers of GPU libraries' configurations: t0,t1,t2,t3 or all");
  app->add_option("--selections", options->selections, "policy files for train steps");
  app->add_flag("--problems", options->problems, "the problems alone, without asking any library");
  const auto listing = add_list_models(*app);
  return [options, listing]() -> int {
    if (listing.app->parsed()) return listing.run();
    auto filter = Filter::parse(options->filter);
    if (!filter) return fail(filter.error());
    auto profile = profile_of(options->profile, options->backend, options->search);
    if (!profile) return fail(profile.error());
    const auto registry = make_registry(options->selections, profile->search);
    auto planned = plan_comparisons(registry, *profile, *filter);
    if (!planned) return fail(planned.error());
    auto steps = plan_networks(registry, *profile, *filter);
    if (!steps) return fail(steps.error());
    planned->insert(planned->end(), steps->begin(), steps->end());
    if (planned->empty())
      return fail({"nothing matches the filter '" + filter->text() + "' in profile " + profile->info.name, Reason::Kind::invalid_input});
    if (options->problems) {
      for (const auto& comparison : *planned) {
        fmt::print("{}", problem_id(comparison.problem));
        for (const auto& use : comparison.used_by) fmt::print("  {}", use);
        fmt::print("\n");
      }
      return exit_ok;
    }
    SweepSettings settings;
    settings.profile = profile->info;
    settings.worker_arguments = {"--backend", options->backend, "--selections", options->selections, "--search", format_tiers(profile->search.tiers)};
    settings.wanted = [&](const Problem& problem, const Algorithm& algorithm) { return is_wanted(*filter, problem, algorithm); };
    if (filter->algorithm()) settings.named = CaseName{*filter->problem(), *filter->algorithm()};
    Sweep sweep(settings, nullptr, {});
    if (auto listed = sweep.list_only(*planned); !listed) return fail(listed.error());
    std::map<bool, std::size_t> count;
    for (const auto& arm : sweep.listed()) {
      ++count[!arm.unsupported];
      if (arm.unsupported) fmt::print("no   {}: {}\n", arm.id, arm.unsupported->text);
      else fmt::print("yes  {}\n", arm.id);
    }
    fmt::print("{} cases can run here, {} cannot\n", count[true], count[false]);
    if (count[true] + count[false] == 0)
      return fail({"no algorithm matches the filter '" + filter->text() + "'", Reason::Kind::invalid_input});
    return count[true] > 0 ? exit_ok : exit_skipped;
  };
}

}  // namespace detbench
