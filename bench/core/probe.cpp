#include "bench/core/probe.hpp"

#include <algorithm>
#include <exception>
#include <new>

#include "bench/core/agreement.hpp"
#include "bench/core/random.hpp"
#include "bench/core/stressors.hpp"
#include "bench/core/verify.hpp"

namespace detbench {
namespace {

constexpr std::uint32_t runs_when_slow = 2;
constexpr std::uint32_t runs_per_configuration = 2;

RunStatus status_of(Reason::Kind kind) {
  switch (kind) {
    case Reason::Kind::unsupported:
    case Reason::Kind::invalid_input: return RunStatus::unsupported;
    case Reason::Kind::out_of_memory: return RunStatus::out_of_memory;
    case Reason::Kind::failed: break;
  }
  return RunStatus::crashed;
}

/// A device with one stream and the buffers of one prepared op. Members are destroyed in reverse, the op first.
struct Bench {
  std::unique_ptr<Device> device;
  std::unique_ptr<Stream> stream;
  std::unique_ptr<TensorStore> store;
  std::unique_ptr<PreparedOp> op;

  void drop_op() {
    op.reset();
    store.reset();
  }
};

class ArmProbe {
 public:
  ArmProbe(const Operation& operation, const Problem& problem, const Algorithm& algorithm, const ProbeSettings& settings,
           const MakeDevice& make_device, ReferenceCache& references, ArmReport& report)
      : operation_(operation), problem_(problem), algorithm_(algorithm), settings_(settings), make_device_(make_device),
        references_(references), report_(report) {}

  /// An error has not been written to the report yet; a finding (`incorrect`) has.
  Status run() {
    if (auto done = open(bench_, settings_.base); !done) return done;
    const bool exact = operation_.has_exact_fill() && algorithm_.sum_of_products;
    if (exact)
      if (auto done = verify_exact(); !done || report_.status != RunStatus::ok) return done;
    if (auto done = verify_rounding(!exact); !done || report_.status != RunStatus::ok) return done;
    if (auto done = repeat(); !done || report_.status != RunStatus::ok) return done;
    if (auto done = load(); !done || report_.status != RunStatus::ok) return done;
    // The baseline's copy is all that the configurations need; each has buffers of its own.
    bench_.drop_op();
    placement();
    if (report_.status == RunStatus::ok) partition();
    return report_.status == RunStatus::ok ? bench_.device->activate() : Status{};
  }

 private:
  void incorrect(std::string reason) {
    report_.status = RunStatus::incorrect;
    report_.reason = std::move(reason);
  }

  Status open(Bench& bench, const DeviceConfiguration& configuration) {
    auto device = make_device_(configuration);
    if (!device) return tl::unexpected(device.error());
    bench.device = std::move(*device);
    if (auto active = bench.device->activate(); !active) return active;
    auto stream = bench.device->make_stream();
    if (!stream) return tl::unexpected(stream.error());
    bench.stream = std::move(*stream);
    return {};
  }

  Status prepare(Bench& bench, const Inputs& inputs) {
    bench.drop_op();
    bench.store = std::make_unique<TensorStore>(*bench.device, *bench.stream);
    auto op = PreparedOp::make(operation_, problem_, algorithm_, inputs, *bench.device, *bench.stream, *bench.store);
    if (!op) return tl::unexpected(op.error());
    bench.op = std::move(*op);
    return {};
  }

  /// nullptr where the operation has no reference for these inputs.
  Result<const Reference*> reference(const Inputs& inputs) {
    auto found = references_.get(operation_, problem_, inputs);
    if (!found && found.error().kind == Reason::Kind::unsupported) {
      report_.notes["reference"] = "none: " + found.error().text;
      return nullptr;
    }
    return found;
  }

  void note_first_run(const VerifyOutcome& outcome) {
    report_.first_run_s = outcome.first_run_s;
    report_.slow = report_.slow || outcome.first_run_s > settings_.slow_limit_s;
  }

  Status verify_exact() {
    const Inputs inputs{InputFill::exact, settings_.inputs.seed};
    auto reference_found = reference(inputs);
    if (!reference_found) return tl::unexpected(reference_found.error());
    if (auto done = prepare(bench_, inputs); !done) return done;
    report_.plan_s = bench_.op->plan_s();
    report_.workspace_bytes = bench_.op->workspace_bytes();
    VerifySettings how;
    how.seed = derive_seed(settings_.inputs.seed, "verify");
    how.slow_limit_s = settings_.slow_limit_s;
    auto outcome = verify(*bench_.op, *bench_.store, algorithm_, *reference_found, how);
    if (!outcome) return tl::unexpected(outcome.error());
    note_first_run(*outcome);
    if (outcome->verification) report_.exact_equal = outcome->verification->passed;
    if (!outcome->incorrect.empty()) incorrect("exact fill: " + outcome->incorrect);
    return {};
  }

  /// Leaves the last verified run as the baseline: what was checked is what later runs are held against.
  Status verify_rounding(bool all_poisons) {
    auto reference_found = reference(settings_.inputs);
    if (!reference_found) return tl::unexpected(reference_found.error());
    if (auto done = prepare(bench_, settings_.inputs); !done) return done;
    report_.plan_s = bench_.op->plan_s();
    report_.workspace_bytes = bench_.op->workspace_bytes();
    report_.notes.insert(bench_.op->notes().begin(), bench_.op->notes().end());
    auto inputs_digest = bench_.op->input_digest();
    if (!inputs_digest) return tl::unexpected(inputs_digest.error());
    report_.input_digest = *inputs_digest;

    VerifySettings how;
    how.seed = derive_seed(settings_.inputs.seed, "verify");
    how.slow_limit_s = settings_.slow_limit_s;
    // With the exact fill passed under every poison, one run under NaN is enough for the rounding bound.
    if (!all_poisons) how.poisons = {Poison::nan_pattern};
    auto outcome = verify(*bench_.op, *bench_.store, algorithm_, *reference_found, how);
    if (!outcome) return tl::unexpected(outcome.error());
    note_first_run(*outcome);
    report_.verification = outcome->verification;
    if (!outcome->incorrect.empty()) {
      incorrect(std::string(to_text(settings_.inputs.fill)) + " fill: " + outcome->incorrect);
      return {};
    }
    auto baseline = capture_baseline(*bench_.op);
    if (!baseline) return tl::unexpected(baseline.error());
    baseline_ = std::move(*baseline);
    report_.output_digest = baseline_.digest;
    note_zeros();
    return {};
  }

  /// Zeros agree whatever the order they were made in, so a verdict about them says little.
  void note_zeros() {
    for (std::size_t i = 0; i < baseline_.outputs.size(); ++i) {
      const auto& bytes = baseline_.outputs[i];
      const auto zeros = std::count(bytes.begin(), bytes.end(), std::byte{0});
      if (!bytes.empty() && static_cast<double>(zeros) > 0.99 * static_cast<double>(bytes.size()))
        report_.notes["nearly_all_zeros"] = baseline_.specs[i].role;
    }
  }

  std::uint32_t n(std::uint32_t wanted) const { return report_.slow ? std::min(wanted, runs_when_slow) : wanted; }

  /// After every scope: nothing was written outside its memory, and reset() gives the inputs back.
  Status check_memory(Bench& bench, const std::string& where) {
    if (auto damage = bench.store->damaged_guard()) {
      incorrect("writes outside its memory in " + where + ": " + *damage);
      return {};
    }
    if (auto done = bench.op->reset(); !done) return done;
    if (auto done = bench.op->wait(); !done) return done;
    auto inputs_digest = bench.op->input_digest();
    if (!inputs_digest) return tl::unexpected(inputs_digest.error());
    if (*inputs_digest != report_.input_digest) incorrect("changes its inputs in " + where + ", and reset() does not restore them");
    return {};
  }

  void add(ScopeResult result) {
    if (result.scope == Scope::repeat) repeat_ = result;
    report_.agreement.push_back(std::move(result));
  }

  static ScopeResult left_out(Scope scope, ScopeVerdict verdict, std::string reason) {
    ScopeResult result;
    result.scope = scope;
    result.verdict = verdict;
    result.reason = std::move(reason);
    return result;
  }

  Status repeat() {
    if (settings_.repeat == 0) {
      add(left_out(Scope::repeat, ScopeVerdict::not_measured, "the profile leaves it out"));
      return {};
    }
    std::optional<Witness> witness;
    auto stage = observe(*bench_.op, baseline_, "idle", n(settings_.repeat), witness);
    if (!stage) return tl::unexpected(stage.error());
    add(judge_scope(Scope::repeat, {std::move(*stage)}, std::move(witness), nullptr));
    return check_memory(bench_, "repeat");
  }

  Status load() {
    if (settings_.load == 0) {
      add(left_out(Scope::load, ScopeVerdict::not_measured, "the profile leaves it out"));
      return {};
    }
    std::vector<Stage> stages;
    std::optional<Witness> witness;
    const auto seed = derive_seed(settings_.inputs.seed, "load");
    for (const auto& stressor : make_stressors(*bench_.device)) {
      std::uint64_t starts = 0;
      std::string refused;
      // It stops by itself; a slow arm outlasts it, so it is started again for the runs that are left.
      auto keep_alive = [&]() -> Status {
        if (stressor->running()) return {};
        auto started = stressor->start(derive_seed(seed, stressor->name(), starts++), settings_.load_limit_s);
        if (!started) refused = started.error().text;
        return started;
      };
      auto stage = observe(*bench_.op, baseline_, stressor->name(), n(settings_.load), witness, keep_alive);
      stressor->stop();
      if (stage) {
        stages.push_back(std::move(*stage));
      } else if (!refused.empty()) {
        stages.push_back({stressor->name(), 0, 0, {}, refused});
      } else {
        return tl::unexpected(stage.error());
      }
    }
    add(judge_scope(Scope::load, std::move(stages), std::move(witness), repeat_ ? &*repeat_ : nullptr));
    return check_memory(bench_, "load");
  }

  /// One configuration, prepared anew with the algorithm pinned by name. What cannot be done there is a stage that says
  /// so, never an error of the arm.
  Stage configuration_stage(const std::string& name, const DeviceConfiguration& configuration,
                            std::optional<Witness>& witness) {
    Stage unavailable{name, 0, 0, {}, {}};
    try {
      Bench bench;
      if (auto done = open(bench, configuration); !done) {
        unavailable.unavailable = done.error().text;
        return unavailable;
      }
      if (auto done = prepare(bench, settings_.inputs); !done) {
        unavailable.unavailable = done.error().text;
        return unavailable;
      }
      auto stage = observe(*bench.op, baseline_, name, runs_per_configuration, witness);
      if (!stage) {
        unavailable.unavailable = stage.error().text;
        return unavailable;
      }
      if (auto done = check_memory(bench, name); !done) {
        unavailable.unavailable = done.error().text;
        return unavailable;
      }
      return *stage;
    } catch (const std::bad_alloc&) {
      unavailable.unavailable = "out of memory";
    } catch (const std::exception& error) {
      unavailable.unavailable = std::string("threw: ") + error.what();
    }
    return unavailable;
  }

  void configurations(Scope scope, const std::vector<DeviceConfiguration>& list,
                      const std::function<std::string(const DeviceConfiguration&)>& name) {
    std::vector<Stage> stages;
    std::optional<Witness> witness;
    for (const auto& configuration : list) {
      if (report_.first_run_s > settings_.oversubscribe_limit_s && configuration.threads > available_cores()) {
        Stage stage;
        stage.name = name(configuration);
        stage.unavailable = "left out in this profile: more threads than cores for an op of this length";
        stages.push_back(std::move(stage));
        continue;
      }
      stages.push_back(configuration_stage(name(configuration), configuration, witness));
      if (report_.status != RunStatus::ok) break;
    }
    add(judge_scope(scope, std::move(stages), std::move(witness), repeat_ ? &*repeat_ : nullptr));
  }

  void placement() {
    if (settings_.configurations == 0)
      return add(left_out(Scope::placement, ScopeVerdict::not_measured, "the profile leaves it out"));
    configurations(Scope::placement,
                   placement_configurations(settings_.base, settings_.configurations, settings_.inputs.seed),
                   [](const DeviceConfiguration& c) {
                     return "offset=" + std::to_string(c.offset_bytes) + ",gaps=" + std::to_string(c.placement_seed % 10000);
                   });
  }

  void partition() {
    if (bench_.device->kind() != DeviceKind::cpu)
      return add(left_out(Scope::partition, ScopeVerdict::not_applicable, "thread counts do not reach a GPU's kernels"));
    if (settings_.configurations == 0)
      return add(left_out(Scope::partition, ScopeVerdict::not_measured, "the profile leaves it out"));
    configurations(Scope::partition, partition_configurations(settings_.base, settings_.configurations),
                   [](const DeviceConfiguration& c) { return "threads=" + std::to_string(c.threads); });
  }

  const Operation& operation_;
  const Problem& problem_;
  const Algorithm& algorithm_;
  const ProbeSettings& settings_;
  const MakeDevice& make_device_;
  ReferenceCache& references_;
  ArmReport& report_;
  Bench bench_;
  Baseline baseline_;
  std::optional<ScopeResult> repeat_;
};

}  // namespace

ArmReport probe_arm(const Operation& operation, const Problem& problem, const Algorithm& algorithm,
                    const ProbeSettings& settings, const MakeDevice& make_device, ReferenceCache& references) {
  ArmReport report;
  const auto end_with = [&report](RunStatus status, std::string reason) {
    report.status = status;
    report.reason = std::move(reason);
  };
  try {
    ArmProbe probe(operation, problem, algorithm, settings, make_device, references, report);
    if (auto done = probe.run(); !done) end_with(status_of(done.error().kind), done.error().text);
  } catch (const std::bad_alloc&) {
    end_with(RunStatus::out_of_memory, "out of host memory");
  } catch (const std::exception& error) {
    end_with(RunStatus::crashed, std::string("threw: ") + error.what());
  } catch (...) {
    end_with(RunStatus::crashed, "threw something that is no std::exception");
  }
  for (const auto scope : {Scope::repeat, Scope::load, Scope::placement, Scope::partition}) {
    const auto has = std::any_of(report.agreement.begin(), report.agreement.end(), [&](const auto& r) { return r.scope == scope; });
    if (has) continue;
    ScopeResult missing;
    missing.scope = scope;
    missing.reason = "the row ended before: " + std::string(to_text(report.status));
    report.agreement.push_back(std::move(missing));
  }
  return report;
}

Result<OneRun> run_once(const Operation& operation, const Problem& problem, const Algorithm& algorithm,
                        const Inputs& inputs, Device& device, bool keep_outputs) {
  if (auto active = device.activate(); !active) return tl::unexpected(active.error());
  auto stream = device.make_stream();
  if (!stream) return tl::unexpected(stream.error());
  TensorStore store(device, **stream);
  auto op = PreparedOp::make(operation, problem, algorithm, inputs, device, **stream, store);
  if (!op) return tl::unexpected(op.error());
  if (auto done = (*op)->poison(Poison::nan_pattern, 0); !done) return tl::unexpected(done.error());
  auto digest = (*op)->run();
  if (!digest) return tl::unexpected(digest.error());
  if (auto damage = store.damaged_guard()) return failure("writes outside its memory: " + *damage);
  OneRun run{*digest, {}};
  if (keep_outputs) {
    auto outputs = (*op)->snapshot();
    if (!outputs) return tl::unexpected(outputs.error());
    run.outputs = std::move(*outputs);
  }
  return run;
}

}  // namespace detbench
