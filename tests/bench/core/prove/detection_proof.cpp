#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "bench/core/agreement.hpp"
#include "bench/core/controls.hpp"
#include "bench/core/random.hpp"
#include "tests/bench/core/fakes.hpp"
#include "tests/bench/core/prove/proof.hpp"

namespace detbench {
namespace {

std::uint32_t trials_of(std::uint32_t published, double scale) {
  return std::max<std::uint32_t>(published > 200 ? 20 : 4, static_cast<std::uint32_t>(std::lround(published * scale)));
}

/// Seen when the n + 1 samples are not all of one kind, each of the other kind with probability p.
double two_kinds(double p, double samples) { return 1 - std::pow(1 - p, samples) - std::pow(p, samples); }

/// `change` happens in a run with probability p, the baseline's included.
DetectionRow planted_in_repeat(const std::string& what, double p, std::uint32_t n, std::uint32_t trials, std::int64_t elements,
                               const std::function<void(FakeRun&)>& change) {
  char share[32];
  std::snprintf(share, sizeof share, "%g", p);
  DetectionRow row{"repeat", what + ", in a share of " + share + " of runs", std::to_string(n) + " runs", trials, 0, two_kinds(p, n + 1.0)};
  for (std::uint32_t trial = 0; trial < trials; ++trial) {
    SeededRandom random(derive_seed(1, what + share, trial), "prove");
    FakeBench bench([&](FakeRun& run) -> Status {
      if (random.uniform() < p) change(run);
      return {};
    }, {.n = elements});
    if (!bench.op->run()) continue;
    const auto baseline = capture_baseline(*bench.op);
    std::optional<Witness> witness;
    const auto stage = observe(*bench.op, *baseline, "idle", n, witness);
    row.found += stage && stage->differing_runs > 0 && witness.has_value();
  }
  return row;
}

ProbeSettings settings_of(std::uint32_t repeat, std::uint32_t load, std::uint32_t configurations, std::uint64_t seed) {
  ProbeSettings settings;
  settings.repeat = repeat;
  settings.load = load;
  settings.configurations = settings.batches = configurations;
  settings.base.threads = 2;
  settings.inputs.seed = seed;
  return settings;
}

bool differs(const ArmReport& report, Scope scope) {
  const auto& result = scope_of(report, scope);
  return report.status == RunStatus::ok && result.verdict == ScopeVerdict::differs && result.witness;
}
bool quiet(const ArmReport& report) {
  return report.status == RunStatus::ok && std::all_of(report.agreement.begin(), report.agreement.end(), [](const ScopeResult& r) {
           return r.verdict == ScopeVerdict::no_difference || r.verdict == ScopeVerdict::not_measured ||
                  r.verdict == ScopeVerdict::not_applicable;
         });
}

DetectionRow planted_under_load(std::uint32_t trials) {
  constexpr double p = 0.1;
  constexpr std::uint32_t repeat = 3, n = 5;
  DetectionRow row{"load", "last bit of one element, in a share of 0.1 of runs under load", "5 runs under each of 3 stressors",
                   trials, 0, 1 - std::pow(1 - p, 3 * n)};
  for (std::uint32_t trial = 0; trial < trials; ++trial) {
    SeededRandom random(derive_seed(2, "load", trial), "prove");
    FakeOperation operation([&](FakeRun& run) -> Status {
      // Runs 1 to `repeat` after the baseline are idle; the rest of the op's life is load.
      if (run.call > repeat && random.uniform() < p) flip_last_bit(run.dst[7]);
      return {};
    });
    ReferenceCache references;
    const auto report = probe_arm(operation, fake_problem, fake_algorithm(), settings_of(repeat, n, 0, trial + 1), make_fake_device, references);
    row.found += differs(report, Scope::load) && scope_of(report, Scope::repeat).verdict == ScopeVerdict::no_difference;
  }
  return row;
}

/// A quarter of all batches gives other bits; the baseline's never does. The first three configurations are three batches.
DetectionRow planted_in_batches(std::uint32_t k, std::uint32_t trials) {
  DetectionRow row{"batch", "last bit of one element, in a quarter of all batches", std::to_string(k) + " configurations", trials, 0,
                   1 - std::pow(0.75, k)};
  for (std::uint32_t trial = 0; trial < trials; ++trial) {
    FakeOperation operation([&](FakeRun& run) -> Status {
      if (run.n == 64 || derive_seed(static_cast<std::uint64_t>(run.n), "batch", trial) % 4 != 0) return {};
      for (std::int64_t i = 0; i < run.n; ++i) flip_last_bit(run.dst[i]);
      return {};
    }, {.has_batch = true});
    ReferenceCache references;
    const auto report = probe_arm(operation, fake_problem, fake_algorithm(), settings_of(2, 0, k, trial + 1), make_fake_device, references);
    row.found += differs(report, Scope::batch) && scope_of(report, Scope::repeat).verdict == ScopeVerdict::no_difference;
  }
  return row;
}

/// A share of the replays of a graph gives other bits, launches never do.
DetectionRow planted_in_replays(double p, std::uint32_t n, std::uint32_t trials) {
  DetectionRow row{"capture", "last bit of one element, in a share of " + std::to_string(p).substr(0, 3) + " of replays",
                   std::to_string(n) + " replays and 2 of a second instantiation", trials, 0, 1 - std::pow(1 - p, n + 2.0)};
  for (std::uint32_t trial = 0; trial < trials; ++trial) {
    SeededRandom random(derive_seed(4, "capture", trial), "prove");
    FakeOperation operation([&](FakeRun& run) -> Status {
      if (run.replayed && random.uniform() < p) flip_last_bit(run.dst[7]);
      return {};
    });
    ReferenceCache references;
    const auto report = probe_arm(operation, fake_problem, fake_algorithm(), settings_of(n, 0, 1, trial + 1),
                                  [](const DeviceConfiguration& c) { return FakeGpu::make(c); }, references);
    row.found += differs(report, Scope::capture) && scope_of(report, Scope::repeat).verdict == ScopeVerdict::no_difference;
  }
  return row;
}

/// A quarter of all configurations, drawn anew in every trial, gives other bits.
DetectionRow planted_in_configurations(Scope scope, std::uint32_t k, std::uint32_t trials) {
  const char* what = scope == Scope::placement ? "addresses" : "thread counts";
  DetectionRow row{std::string(to_text(scope)), std::string("last bit of one element, at a quarter of all ") + what,
                   std::to_string(k) + " configurations", trials, 0, two_kinds(0.25, k + 1.0)};
  for (std::uint32_t trial = 0; trial < trials; ++trial) {
    FakeOperation operation([&](FakeRun& run) -> Status {
      const auto where = scope == Scope::placement ? reinterpret_cast<std::uintptr_t>(run.src) : static_cast<std::uintptr_t>(run.planned.threads);
      if (derive_seed(where, "configuration", trial) % 4 == 0) flip_last_bit(run.dst[7]);
      return {};
    }, {.exact_fill = false});  // where the baseline's configuration is among the quarter, its bits are no error
    ReferenceCache references;
    const auto report = probe_arm(operation, fake_problem, fake_algorithm(), settings_of(2, 0, k, trial + 1), make_fake_device, references);
    // The address differs between verify's buffers too, but within one op it stays, so only this scope may see it.
    row.found += differs(report, scope) && scope_of(report, Scope::repeat).verdict == ScopeVerdict::no_difference;
  }
  return row;
}

ArmReport probe_control(const char* name, const ProbeSettings& settings) {
  static const auto operation = make_control_operation();
  Algorithm algorithm;
  algorithm.provider = "control";
  algorithm.name = name;
  ReferenceCache references;
  return probe_arm(*operation, {"control", "n65536", "f32_f32_strict", "vector"}, algorithm, settings, make_fake_device, references);
}

DetectionRow real_control(const char* name, Scope scope, const char* watched, std::uint32_t trials, const ProbeSettings& settings) {
  DetectionRow row{std::string(to_text(scope)), std::string("control `") + name + "`, a real hazard", watched, trials, 0, 1};
  for (std::uint32_t trial = 0; trial < trials; ++trial) {
    auto seeded = settings;
    seeded.inputs.seed = trial + 1;
    const auto report = probe_control(name, seeded);
    row.found += report.status == RunStatus::ok && control_caught(scope_of(report, scope));
  }
  return row;
}

DetectionRow false_alarms(const std::string& what, std::uint32_t trials, const std::function<ArmReport(std::uint32_t)>& probe) {
  DetectionRow row{"all five", what, "10 runs, 3 x 5 under load, 4 configurations of each kind", trials, 0, 0};
  for (std::uint32_t trial = 0; trial < trials; ++trial) row.found += !quiet(probe(trial));
  return row;
}

}  // namespace

bool DetectionRow::holds() const {
  const double n = trials;
  return std::abs(found - n * expected) <= 3.3 * std::sqrt(n * expected * (1 - expected)) + 1e-9;
}

std::vector<DetectionRow> prove_detection(double scale) {
  std::vector<DetectionRow> rows;
  const auto last_bit = [](FakeRun& run) { flip_last_bit(run.dst[run.n - 1]); };
  const auto all_last_bits = [](FakeRun& run) {
    for (std::int64_t i = 0; i < run.n; ++i) flip_last_bit(run.dst[i]);
  };
  const char* one_bit = "last bit of one element of 64";
  rows.push_back(planted_in_repeat(one_bit, 0.5, 5, trials_of(2000, scale), 64, last_bit));
  rows.push_back(planted_in_repeat(one_bit, 0.1, 10, trials_of(2000, scale), 64, last_bit));
  rows.push_back(planted_in_repeat(one_bit, 0.03, 100, trials_of(1000, scale), 64, last_bit));
  rows.push_back(planted_in_repeat(one_bit, 0.01, 100, trials_of(1000, scale), 64, last_bit));
  rows.push_back(planted_in_repeat("last bit of one element of 2^20", 0.1, 10, trials_of(100, scale), 1 << 20, last_bit));
  rows.push_back(planted_in_repeat("last bits of all elements", 0.1, 10, trials_of(2000, scale), 64, all_last_bits));
  {
    // The zero stands in every run; only its sign changes in some.
    DetectionRow row{"repeat", "sign of one zero, in a share of 0.1 of runs", "10 runs", trials_of(2000, scale), 0, two_kinds(0.1, 11)};
    for (std::uint32_t trial = 0; trial < row.trials; ++trial) {
      SeededRandom random(derive_seed(3, "zero", trial), "prove");
      FakeBench bench([&](FakeRun& run) -> Status {
        run.dst[0] = random.uniform() < 0.1 ? -0.0f : 0.0f;
        return {};
      });
      if (!bench.op->run()) continue;
      const auto baseline = capture_baseline(*bench.op);
      std::optional<Witness> witness;
      const auto stage = observe(*bench.op, *baseline, "idle", 10, witness);
      row.found += stage && stage->differing_runs > 0;
    }
    rows.push_back(row);
  }
  rows.push_back(real_control("contended_atomics", Scope::repeat, "5 runs", trials_of(100, scale), settings_of(5, 0, 0, 1)));
  rows.push_back(planted_under_load(trials_of(200, scale)));
  rows.push_back(real_control("contended_atomics", Scope::load, "5 runs under each of 3 stressors", trials_of(40, scale), settings_of(0, 5, 0, 1)));
  for (const auto scope : {Scope::placement, Scope::partition})
    for (const std::uint32_t k : {2u, 4u}) rows.push_back(planted_in_configurations(scope, k, trials_of(400, scale)));
  rows.push_back(real_control("address_peel", Scope::placement, "2 configurations", trials_of(100, scale), settings_of(1, 0, 2, 1)));
  rows.push_back(real_control("partial_per_thread", Scope::partition, "2 configurations", trials_of(100, scale), settings_of(1, 0, 2, 1)));
  for (const std::uint32_t k : {2u, 3u}) rows.push_back(planted_in_batches(k, trials_of(400, scale)));
  rows.push_back(real_control("split_by_batch", Scope::batch, "2 configurations", trials_of(100, scale), settings_of(1, 0, 2, 1)));
  rows.push_back(planted_in_replays(0.1, 10, trials_of(400, scale)));

  const auto full = settings_of(10, 5, 4, 1);
  const auto fake = [&](Behaviour behaviour, std::uint32_t trial) {
    FakeOperation operation(std::move(behaviour), {.has_batch = true});
    ReferenceCache references;
    auto settings = full;
    settings.inputs.seed = trial + 1;
    return probe_arm(operation, fake_problem, fake_algorithm(), settings, make_fake_device, references);
  };
  rows.push_back(false_alarms("nothing: a copy", trials_of(100, scale), [&](std::uint32_t trial) { return fake({}, trial); }));
  rows.push_back(false_alarms("nothing: equal values that change places", trials_of(100, scale), [&](std::uint32_t trial) {
    return fake([](FakeRun& run) -> Status {
      std::swap(run.dst[3], run.dst[4 - run.call % 2]);
      run.dst[3] = 2 * run.src[3];
      run.dst[4] = 2 * run.src[4];
      return {};
    }, trial);
  }));
  rows.push_back(false_alarms("nothing: control `integer_accumulation`, threads racing", trials_of(40, scale), [&](std::uint32_t trial) {
    auto settings = full;
    settings.inputs.seed = trial + 1;
    return probe_control("integer_accumulation", settings);
  }));
  return rows;
}

int print_process_digest(DeviceKind kind) {
  const auto operation = make_control_operation();
  Algorithm algorithm;
  algorithm.provider = "control";
  algorithm.name = "address_order";
  const auto device = kind == DeviceKind::cuda ? make_cuda_device() : make_cpu_device({.threads = 1});
  if (!device) return 1;
  const auto run = run_once(*operation, {"control", "n65536", "f32_f32_strict", "vector"}, algorithm, {}, **device, false);
  if (!run) return 1;
  std::printf("%s\n", to_hex(run->digest).c_str());
  return 0;
}

DetectionRow prove_process_scope(const std::string& program, double scale, DeviceKind kind) {
  // A process on a GPU takes as long to begin as a hundred on a CPU.
  const std::uint32_t published = kind == DeviceKind::cuda ? 10 : 50;
  DetectionRow row{"process", "control `address_order`, a real hazard", "2 processes", trials_of(published, scale), 0, 1};
  const auto digest_of_process = [&program, kind]() -> std::string {
    int ends[2];
    if (pipe(ends) != 0) return {};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    std::string name = program, argument = kind == DeviceKind::cuda ? "--process-digest-cuda" : "--process-digest";
    char* arguments[] = {name.data(), argument.data(), nullptr};
    pid_t child = 0;
    const int spawned = posix_spawn(&child, program.c_str(), &actions, nullptr, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    std::string text;
    std::array<char, 128> buffer;
    for (ssize_t got; spawned == 0 && (got = read(ends[0], buffer.data(), buffer.size())) > 0;) text.append(buffer.data(), static_cast<std::size_t>(got));
    close(ends[0]);
    int status = 1;
    if (spawned == 0) waitpid(child, &status, 0);
    return status == 0 ? text : std::string{};
  };
  for (std::uint32_t trial = 0; trial < row.trials; ++trial) {
    const auto first = digest_of_process(), second = digest_of_process();
    row.found += !first.empty() && !second.empty() && first != second;
  }
  return row;
}

}  // namespace detbench
