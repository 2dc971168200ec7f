#include "bench/core/probe.hpp"

#include <algorithm>
#include <exception>
#include <new>

#include "bench/core/accuracy_range.hpp"
#include "bench/core/agreement.hpp"
#include "bench/core/batch.hpp"
#include "bench/core/capture.hpp"
#include "bench/core/random.hpp"
#include "bench/core/schedule_evidence.hpp"
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
    for (const auto scope : {&ArmProbe::placement, &ArmProbe::partition, &ArmProbe::capture, &ArmProbe::batch}) {
      (this->*scope)();
      if (report_.status != RunStatus::ok) return {};
      if (lost_) return tl::unexpected(*lost_);
    }
    return bench_.device->activate();
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

  Status prepare(Bench& bench, const Problem& problem, const Inputs& inputs) {
    bench.drop_op();
    bench.store = std::make_unique<TensorStore>(*bench.device, *bench.stream);
    auto op = PreparedOp::make(operation_, problem, algorithm_, inputs, *bench.device, *bench.stream, *bench.store);
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
    if (auto done = prepare(bench_, problem_, inputs); !done) return done;
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
    if (auto done = prepare(bench_, problem_, settings_.inputs); !done) return done;
    report_.plan_s = bench_.op->plan_s();
    report_.workspace_bytes = bench_.op->workspace_bytes();
    report_.notes.insert(bench_.op->notes().begin(), bench_.op->notes().end());
    declared_alignment_ = declared_alignment(bench_.op->plan(), algorithm_);
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
    reference_ = *reference_found;
    if (outcome->verification) report_.accuracy = outcome->verification->accuracy;
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

  bool check_guards(Bench& bench, const std::string& where) {
    const auto damage = bench.store->damaged_guard();
    if (damage) incorrect("writes outside its memory in " + where + ": " + *damage);
    return !damage;
  }

  /// After every scope: nothing was written outside its memory, and reset() gives the inputs back.
  Status check_memory(Bench& bench, const std::string& where) {
    if (!check_guards(bench, where)) return {};
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

  bool leaves_out(Scope scope) const {
    return std::find(settings_.left_out.begin(), settings_.left_out.end(), scope) != settings_.left_out.end();
  }
  void add_left_out(Scope scope) { add(left_out(scope, ScopeVerdict::not_measured, "the profile leaves it out")); }

  Status repeat() {
    if (settings_.repeat == 0 || leaves_out(Scope::repeat)) {
      add_left_out(Scope::repeat);
      return {};
    }
    std::optional<Witness> witness;
    AccuracyRange runs(*bench_.op, algorithm_, reference_, baseline_.digest, report_.accuracy);
    auto stage = observe(runs, baseline_, "idle", n(settings_.repeat), witness);
    if (!stage) return tl::unexpected(stage.error());
    add(judge_scope(Scope::repeat, {std::move(*stage)}, std::move(witness), nullptr));
    return check_memory(bench_, "repeat");
  }

  /// The controls of a GPU carry what the stressors do to a schedule: where and when the blocks of one launch begin.
  std::unique_ptr<ScheduleEvidence> schedule_evidence() {
    if (operation_.op() != "control" || bench_.device->kind() != DeviceKind::cuda) return nullptr;
    return ScheduleEvidence::make(*bench_.device, *bench_.stream, report_.notes);
  }

  Status load() {
    if (settings_.load == 0 || leaves_out(Scope::load)) {
      add_left_out(Scope::load);
      return {};
    }
    std::vector<Stage> stages;
    std::optional<Witness> witness;
    const auto seed = derive_seed(settings_.inputs.seed, "load");
    const auto evidence = schedule_evidence();
    AccuracyRange runs(*bench_.op, algorithm_, reference_, baseline_.digest, report_.accuracy);
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
      auto stage = observe(runs, baseline_, stressor->name(), n(settings_.load), witness, keep_alive);
      if (evidence && keep_alive()) evidence->note(stressor->name(), report_.notes);
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
  /// so, never an error of the arm, unless it took the device with it.
  Stage guarded_stage(const std::string& name, const std::function<Result<Stage>()>& measure) {
    Stage unavailable{name, 0, 0, {}, {}};
    try {
      auto stage = measure();
      if (stage) return *stage;
      unavailable.unavailable = stage.error().text;
    } catch (const std::bad_alloc&) {
      unavailable.unavailable = "out of memory";
    } catch (const std::exception& error) {
      unavailable.unavailable = std::string("threw: ") + error.what();
    }
    if (auto usable = bench_.device->usable(); !usable && !lost_)
      lost_ = Reason{name + " left the device unusable: " + unavailable.unavailable, Reason::Kind::failed};
    return unavailable;
  }

  Result<Stage> configuration_stage(const std::string& name, const DeviceConfiguration& configuration,
                                    std::optional<Witness>& witness) {
    Bench bench;
    if (auto done = open(bench, configuration); !done) return tl::unexpected(done.error());
    if (auto done = prepare(bench, problem_, settings_.inputs); !done) return tl::unexpected(done.error());
    // A provider that passes over the target would only repeat the baseline.
    if (configuration.sm_count_target != bench.op->plan().sm_count_target() && configuration.sm_count_target != 0)
      return unsupported("this algorithm takes no SM-count target");
    auto stage = observe(*bench.op, baseline_, name, runs_per_configuration, witness);
    if (!stage) return stage;
    if (auto done = check_memory(bench, name); !done) return tl::unexpected(done.error());
    return stage;
  }

  void configurations(Scope scope, const std::vector<DeviceConfiguration>& list) {
    std::vector<Stage> stages;
    std::optional<Witness> witness;
    for (const auto& configuration : list) {
      const auto name = stage_name(settings_.base, configuration, bench_.device->kind());
      if (report_.first_run_s > settings_.oversubscribe_limit_s && configuration.threads > available_cores() &&
          configuration.threads != settings_.base.threads) {
        stages.push_back({name, 0, 0, {}, "left out in this profile: more threads than cores for an op of this length"});
        continue;
      }
      stages.push_back(guarded_stage(name, [&] { return configuration_stage(name, configuration, witness); }));
      if (report_.status != RunStatus::ok || lost_) break;
    }
    add(judge_scope(scope, std::move(stages), std::move(witness), repeat_ ? &*repeat_ : nullptr));
  }

  void placement() {
    if (settings_.configurations == 0 || leaves_out(Scope::placement)) return add_left_out(Scope::placement);
    const auto seed = settings_.inputs.seed;
    configurations(Scope::placement,
                   bench_.device->kind() == DeviceKind::cpu
                       ? placement_configurations(settings_.base, settings_.configurations, seed)
                       : gpu_placements(settings_.base, settings_.configurations, seed, declared_alignment_));
  }

  void partition() {
    if (settings_.configurations == 0 || leaves_out(Scope::partition)) return add_left_out(Scope::partition);
    configurations(Scope::partition,
                   partition_configurations(settings_.base, settings_.configurations, bench_.device->multiprocessors()));
  }

  void capture() {
    if (settings_.configurations == 0 || leaves_out(Scope::capture)) return add_left_out(Scope::capture);
    if (auto can = can_capture(*bench_.stream); !can && can.error().kind == Reason::Kind::unsupported)
      return add(left_out(Scope::capture, ScopeVerdict::not_applicable, can.error().text));
    std::vector<Stage> stages;
    std::optional<Witness> witness;
    Bench bench;
    std::unique_ptr<CapturedWork> work;
    const auto observed = [&](const std::string& name, std::uint32_t runs) -> Result<Stage> {
      Replay replay(*bench.op, *work);
      auto stage = observe(replay, baseline_, name, runs, witness);
      if (!stage) return stage;
      if (auto done = check_memory(bench, name); !done) return tl::unexpected(done.error());
      return stage;
    };
    stages.push_back(guarded_stage("replay", [&]() -> Result<Stage> {
      if (auto done = open(bench, settings_.base); !done) return tl::unexpected(done.error());
      if (auto done = prepare(bench, problem_, settings_.inputs); !done) return tl::unexpected(done.error());
      auto captured = capture_enqueue(*bench.op);
      if (!captured) return tl::unexpected(captured.error());
      work = std::move(*captured);
      return observed("replay", std::max(n(settings_.repeat), runs_per_configuration));
    }));
    // An executable graph is laid out when it is instantiated: branches may get other streams the second time.
    if (work && report_.status == RunStatus::ok && !lost_)
      stages.push_back(guarded_stage("reinstantiated", [&]() -> Result<Stage> {
        if (auto done = work->instantiate(); !done) return tl::unexpected(done.error());
        return observed("reinstantiated", runs_per_configuration);
      }));
    add(judge_scope(Scope::capture, std::move(stages), std::move(witness), repeat_ ? &*repeat_ : nullptr));
  }

  Result<Stage> batch_stage(const std::string& name, const BatchConfiguration& configuration, std::optional<Witness>& witness) {
    const auto variant = operation_.in_batch(problem_, configuration.batch, configuration.position);
    if (!variant) return tl::unexpected(variant.error());
    Bench bench;
    if (auto done = open(bench, settings_.base); !done) return tl::unexpected(done.error());
    // The neighbours have values of their own, so that a sample that takes something from them shows it.
    const Inputs neighbours{settings_.inputs.fill, derive_seed(settings_.inputs.seed, "batch")};
    if (auto done = prepare(bench, variant->problem, neighbours); !done) return tl::unexpected(done.error());
    auto run = BatchedRun::make(operation_, problem_, *variant, settings_.inputs, *bench.op, report_.input_digest);
    if (!run) return tl::unexpected(run.error());
    auto stage = observe(**run, baseline_, name, runs_per_configuration, witness);
    if (stage) check_guards(bench, name);
    return stage;
  }

  void batch() {
    if (settings_.batches == 0 || leaves_out(Scope::batch)) return add_left_out(Scope::batch);
    const auto size = operation_.batch_size(problem_);
    if (!size) return add(left_out(Scope::batch, ScopeVerdict::not_applicable, size.error().text));
    std::vector<Stage> stages;
    std::optional<Witness> witness;
    for (const auto& configuration : batch_configurations(*size, settings_.batches)) {
      const auto name = "batch=" + std::to_string(configuration.batch) + ",position=" + std::to_string(configuration.position);
      stages.push_back(guarded_stage(name, [&] { return batch_stage(name, configuration, witness); }));
      if (report_.status != RunStatus::ok || lost_) break;
    }
    add(judge_scope(Scope::batch, std::move(stages), std::move(witness), repeat_ ? &*repeat_ : nullptr));
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
  const Reference* reference_ = nullptr;  ///< of the rounding fill
  std::optional<ScopeResult> repeat_;
  std::size_t declared_alignment_ = 16;
  std::optional<Reason> lost_;  ///< what left the device unusable for the rest of this process
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
  for (const auto scope : {Scope::repeat, Scope::load, Scope::placement, Scope::partition, Scope::capture, Scope::batch}) {
    const auto has = std::any_of(report.agreement.begin(), report.agreement.end(), [&](const auto& r) { return r.scope == scope; });
    if (has) continue;
    ScopeResult missing;
    missing.scope = scope;
    missing.reason = "the row ended before: " + std::string(to_text(report.status));
    report.agreement.push_back(std::move(missing));
  }
  return report;
}

}  // namespace detbench
