#include "tests/bench/records/synthetic/synthetic_result.hpp"

#include <cmath>

namespace detbench::synthetic {
namespace {

/// splitmix64: the invented noise is the same on every machine.
class Noise {
 public:
  explicit Noise(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  double factor(double share) { return 1 + share * (2 * unit() - 1); }
  Digest digest() { return {next(), next()}; }

 private:
  std::uint64_t state_;
};

std::vector<Sample> samples(double base_s, std::uint32_t position, const Shape& shape, Noise& noise) {
  std::vector<Sample> list;
  for (std::uint32_t block = 0; block < shape.blocks; ++block) {
    Sample s;
    s.block = block;
    s.position = position;
    s.elapsed_s = base_s * noise.factor(shape.noise);
    s.iterations = 4;
    s.foreign_load = shape.busy && block % 2 == 0;
    s.foreign_s = s.foreign_load ? base_s : 0;
    list.push_back(s);
  }
  return list;
}

ScopeResult sampled(Scope scope, std::uint32_t runs, std::uint32_t distinct, const Digest& baseline, Noise& noise) {
  ScopeResult r;
  r.scope = scope;
  r.runs = runs;
  r.distinct = distinct;
  Stage stage{"idle", runs, distinct > 1 ? runs - 1 : 0, {baseline}, ""};
  for (std::uint32_t i = 1; i < distinct; ++i) stage.distinct.push_back(noise.digest());
  if (distinct > 1) {
    r.verdict = ScopeVerdict::differs;
    r.witness = Witness{"idle", 1, "dst", 17, 0x3f800000, 0x3f800001, 1000, 120, 1.5e-7, 3, false};
  } else {
    r.verdict = ScopeVerdict::no_difference;
    r.bound = 1 - std::pow(0.05, 1.0 / runs);
  }
  r.stages.push_back(stage);
  return r;
}

ScopeResult partition(bool differs, const Digest& baseline, Noise& noise) {
  ScopeResult r;
  r.scope = Scope::partition;
  r.runs = 2;
  r.distinct = differs ? 2 : 1;
  r.verdict = differs ? ScopeVerdict::differs : ScopeVerdict::no_difference;
  r.stages.push_back(
      {"threads=1", 2, differs ? 2u : 0u, differs ? std::vector{baseline, noise.digest()} : std::vector{baseline}, ""});
  r.stages.push_back({"threads=4", 0, 0, {}, "synthetic: too few cores"});
  if (differs) r.witness = Witness{"threads=1", 1, "diff_weights", 3, 0x40000000, 0x40000001, 512, 300, 2e-7, 4, false};
  return r;
}

std::vector<ScopeResult> scopes(bool differs_in_partition, std::uint32_t repeat_distinct, const Digest& baseline,
                                Noise& noise) {
  std::vector<ScopeResult> list{sampled(Scope::repeat, 10, repeat_distinct, baseline, noise),
                                sampled(Scope::process, 2, 1, baseline, noise),
                                sampled(Scope::load, 10, 1, baseline, noise)};
  list.push_back(partition(differs_in_partition, baseline, noise));
  if (repeat_distinct > 1)
    for (std::size_t i = 1; i < list.size(); ++i) {
      list[i].verdict = ScopeVerdict::already_differs;
      list[i].bound.reset();
      list[i].witness.reset();
    }
  ScopeResult capture;
  capture.scope = Scope::capture;
  capture.verdict = ScopeVerdict::not_applicable;
  capture.reason = "a CPU has no graph capture";
  list.push_back(capture);
  return list;
}

Record row(const std::string& problem, const std::string& algorithm, const std::string& suite) {
  Record r;
  r.id = problem + "/" + algorithm;
  r.suite = suite;
  r.replay = "detbench run '" + r.id + "' --profile quick";
  r.status = RunStatus::ok;
  return r;
}

ComparisonInfo comparison(const std::string& problem, const std::string& suite, const Shape& shape, Noise& noise) {
  ComparisonInfo c;
  c.problem = problem;
  c.suite = suite;
  c.schedule_seed = noise.next();
  c.blocks = shape.blocks;
  c.input_digest = to_hex(noise.digest());
  return c;
}

void add_convolutions(const Shape& shape, Noise& noise, ResultFile& file) {
  const char* providers[] = {"onednn", "onednn", "fixed_order", "reference"};
  const char* names[] = {"jit_avx2", "gemm", "gkrsc", "loops"};
  for (const char* op : {"conv_fwd", "conv_wgrad"})
    for (int layer = 0; layer < shape.layers; ++layer) {
      const int channels = 8 * (layer + 1);
      const bool depthwise = layer % 2 == 1;
      const std::string size = std::to_string(std::max(7, 96 >> (layer % 5)));
      const std::string problem = std::string(op) + "/mb2_g" + std::to_string(depthwise ? channels : 1) + "_ic" +
                                  std::to_string(channels) + "_ih" + size + "_iw" + size + "_oc" +
                                  std::to_string(channels) +
                                  "_kh3_kw3_sh1_sw1_pt1_pb1_pl1_pr1_dh1_dw1/f32_f32_strict/nhwc";
      auto info = comparison(problem, "convolution", shape, noise);
      info.used_by = {"synthetic_net:block_" + std::to_string(layer) + (depthwise ? "_depthwise" : "_expand")};
      info.flops = 1e7 * (layer + 1);
      info.bytes = 1e6 * (layer + 1);
      const double base_s = 1e-4 * (1 + layer % 7);
      for (int arm = 0; arm < shape.arms; ++arm) {
        auto name = std::string(providers[arm % 4]) + ":" + names[arm % 4];
        if (arm >= 4) name += "_v" + std::to_string(arm / 4);
        auto r = row(problem, name, "convolution");
        const auto baseline = noise.digest();
        r.output_digest = to_hex(baseline);
        r.input_digest = info.input_digest;
        r.exact_equal = true;
        r.verification =
            Verification{true, "", 1000, 1000, static_cast<std::uint64_t>(3 + arm), 1e-7 * (1 + arm % 3), 0.1};
        r.agreement = scopes(arm % 2 == 0, 1, baseline, noise);
        if (arm % 4 == 2) r.claim = {Guarantee::gpu_to_gpu, "by construction", {all_scopes.begin(), all_scopes.end()}};
        if (arm % 4 == 2)
          r.claim_verdict = ClaimVerdict::broken;  // differs in partition although covered: an invented scandal
        r.timing = Timing{samples(base_s * (1 + 0.1 * arm), static_cast<std::uint32_t>(arm), shape, noise),
                          to_hex(baseline), false};
        r.plan_s = 1e-3;
        r.workspace_bytes = static_cast<std::uint64_t>(arm) * 4096;
        file.records.push_back(r);
        if (arm == 0) {
          info.twin_of = name;
          info.twin_samples = samples(base_s, static_cast<std::uint32_t>(shape.arms), shape, noise);
        }
      }
      if (shape.oddities) {
        auto r = row(problem, "onednn:jit_wino", "convolution");
        const RunStatus odd[] = {RunStatus::unsupported, RunStatus::crashed, RunStatus::incorrect,
                                 RunStatus::timed_out};
        r.status = odd[layer % 4];
        r.reason = "synthetic: the arm was made to be " + std::string(to_text(r.status));
        file.records.push_back(r);
      }
      file.comparisons.push_back(info);
    }
}

void add_reductions(const Shape& shape, Noise& noise, ResultFile& file) {
  struct Arm {
    const char* name;
    double gb_per_s;
    std::uint32_t distinct;
    std::uint64_t ulp;
    bool claims;
  };
  const Arm arms[] = {{"openmp:atomic", 1.5, 9, 40, false},       {"openmp:reduction", 11, 4, 12, false},
                      {"fixed_order:chunked", 10.5, 1, 12, true}, {"fixed_order:tree", 10, 1, 3, true},
                      {"fixed_order:binned", 8, 1, 0, true},      {"std:reduce_par", 9, 3, 8, false}};
  for (const char* size : {"n1048576", "n16777216"}) {
    const std::string problem = "sum/" + std::string(size) + "/f32_f32_strict/vector";
    auto info = comparison(problem, "reduction", shape, noise);
    info.bytes = 4.0 * std::stod(size + 1);
    info.twin_of = arms[0].name;
    std::uint32_t position = 0;
    for (const auto& arm : arms) {
      auto r = row(problem, arm.name, "reduction");
      const auto baseline = noise.digest();
      r.output_digest = to_hex(baseline);
      r.input_digest = info.input_digest;
      r.verification = Verification{true, "", 1, 1, arm.ulp, 1e-7 * static_cast<double>(arm.ulp), 0.01};
      r.agreement = scopes(arm.distinct > 1, arm.distinct, baseline, noise);
      if (arm.claims) {
        r.claim = {Guarantee::gpu_to_gpu, "by construction", {all_scopes.begin(), all_scopes.end()}};
        r.claim_verdict = ClaimVerdict::held_in_n;
      }
      r.timing = Timing{samples(*info.bytes / (arm.gb_per_s * 1e9), position++, shape, noise), to_hex(baseline), false};
      file.records.push_back(r);
    }
    info.twin_samples = samples(*info.bytes / 1.5e9, 6, shape, noise);
    file.comparisons.push_back(info);
  }
}

void add_contention(const Shape& shape, Noise& noise, ResultFile& file) {
  struct Arm {
    const char* name;
    double seconds;
    bool claims, differs;
    Accuracy accuracy;
  };
  const auto add = [&](const std::string& problem, const char* suite, double bytes, const std::vector<Arm>& arms,
                       const std::map<std::string, std::string>& notes) {
    auto info = comparison(problem, suite, shape, noise);
    info.bytes = bytes;
    info.twin_of = arms[0].name;
    std::uint32_t position = 0;
    for (const auto& arm : arms) {
      auto r = row(problem, arm.name, suite);
      const auto baseline = noise.digest();
      r.output_digest = to_hex(baseline);
      r.input_digest = info.input_digest;
      r.verification = Verification{true, "", 1, 1, 4, 1e-7, 0.01};
      if (std::string(suite) != "other") r.accuracy = arm.accuracy;
      r.agreement = scopes(arm.differs, arm.differs ? 5 : 1, baseline, noise);
      if (arm.claims) {
        r.claim = {Guarantee::gpu_to_gpu, "by construction", {all_scopes.begin(), all_scopes.end()}};
        r.claim_verdict = ClaimVerdict::held_in_n;
      }
      r.notes = notes;
      if (!arm.claims && std::string(arm.name).find("atomic") != std::string::npos) r.notes["atomic_lowering"] = "f32: compare-and-swap loop on x86-64 (object)";
      r.timing = Timing{samples(arm.seconds, position++, shape, noise), to_hex(baseline), false};
      file.records.push_back(r);
    }
    info.twin_samples = samples(arms[0].seconds, position, shape, noise);
    file.comparisons.push_back(info);
  };
  const Accuracy fixed{4, 1e-7, 2.0, 4, 4}, atomic{8, 2e-7, 2.0, 6, 12}, exact{0.5, 1e-8, 2.0, 0.5, 0.5};
  const double buffer = 67108864;
  add("memory_read/n67108864/f32_i64_strict/vector", "other", buffer, {{"memory_traffic:word_sum", buffer / 20e9, true, false, {}}}, {});
  add("memory_copy/n67108864/f32_f32_strict/vector", "other", 2 * buffer,
      {{"memory_traffic:copy_words", 2 * buffer / 12e9, true, false, {}}, {"libc:memcpy", 2 * buffer / 16e9, false, false, {}}}, {});
  for (const bool wide : {false, true}) {
    const double bytes = 4.0 * 67108864;
    add(std::string("sum/n67108864") + (wide ? "_wide" : "") + "/f32_f32_strict/vector", "reduction", bytes,
        {{"openmp:chunk_atomic_static", bytes / 18e9, false, true, wide ? fixed : atomic},
         {"fixed_order:fixed_tree", bytes / 17e9, true, false, wide ? Accuracy{16, 4e-7, 2.0, 16, 16} : fixed},
         {"order_independent:exact_window", bytes / 15e9, true, false, exact}},
        {});
  }
  const double updates = 1048576, seconds = 2e-3;
  for (const auto& [bins, price] : {std::pair{65536, 1.5}, {1024, 1.0}, {16, 0.5}})
    add("scatter_add/n1048576_bins" + std::to_string(bins) + "_hot0/f32_f32_strict/vector", "scatter_add", 8 * updates + 4 * bins,
        {{"openmp:atomic", seconds, false, true, atomic}, {"fixed_order:sort_tree", price * seconds, true, false, fixed}},
        {{"updates_per_bin", std::to_string(1048576 / bins)}});
  add("scatter_add/n1048576_bins524288_hot0_pairs/f32_f32_strict/vector", "scatter_add", 8 * updates + 4 * 524288,
      {{"openmp:atomic", seconds, false, false, fixed}, {"fixed_order:sort_tree", 3 * seconds, true, false, fixed}},
      {{"updates_per_bin", "2"}, {"cannot_show", "at most two updates meet in a bin: 0 + a + b and 0 + b + a are the same bits"}});
}

void add_policies(const std::string& problem, ResultFile& file) {
  PolicyInfo policy;
  policy.name = "fastest_observed:partition", policy.demand = "partition", policy.meaning = "synthetic", policy.activation_layout = "nhwc";
  policy.problems = 2, policy.layers = 3, policy.layers_met = 3, policy.layers_s = 0.02, policy.fastest_layers_s = 0.015;
  policy.probed_again = 3, policy.held = 2;
  policy.struck = {{"conv_wgrad/synthetic/f32_f32_strict/nhwc/onednn:a", "load", "2 distinct results in 10 runs"}};
  file.policies = {policy};
  Divergence parts, same;
  parts.question = "fastest, 2 threads against 1", parts.problem = problem;
  parts.a = {"network:fastest", 2, ""}, parts.b = {"network:fastest", 1, ""};
  parts.steps = 8, parts.first_step = 1;
  parts.first_op = DivergenceOp{1, 5, "forward", "block_0", "batch_norm_fwd", "onednn:a", "onednn:a", "mean"};
  double l2 = 1e-6;
  for (const std::uint32_t step : {1U, 2U, 3U, 5U, 8U}) {
    parts.points.push_back({step, 1000, 100 * step, std::uint64_t{1} << step, l2, l2 / 30, 2.5, 2.5 - l2, 0.0});
    same.points.push_back({step, 1000, 0, 0, 0.0, 0.0, 2.5, 2.5, std::nullopt});
    l2 *= 8;
  }
  same.question = "fixed_order, 2 threads against 1", same.problem = problem;
  same.a = {"network:fixed_order", 2, ""}, same.b = {"network:fixed_order", 1, ""};
  same.steps = 8;
  file.divergence = {parts, same};
}

void add_ablation(ResultFile& file) {
  Ablation ablation;
  ablation.network = "small_residual", ablation.dataset = "procedural(seed=1,noise=48)", ablation.types = "f32_f32_strict";
  ablation.fixed_kernels = "fixed_order", ablation.varied_kernels = "library_heuristic", ablation.augmentation = "horizontal_flip";
  ablation.pixels = 28, ablation.classes = 10, ablation.batch = 16, ablation.training_images = 192, ablation.validation_images = 64;
  ablation.epochs = 2, ablation.steps = 24, ablation.learning_rate = 0.05, ablation.elapsed_s = 9, ablation.input_s = 1, ablation.train_s = 5;
  for (const char* source : {"none", "weights", "kernels"}) {
    AblationRow row;
    row.source = source;
    const bool fixed = row.source == "none";
    for (int r = 0; r < 2; ++r) row.replicas.push_back({std::string(32, fixed ? 'a' : static_cast<char>('b' + r)), fixed ? 1.5 : 1.5 + 0.1 * r, fixed ? 0.75 : 0.75 - 0.0625 * r, "fixed_order"});
    row.distinct_weights = fixed ? 1 : 2;
    row.weights_l2 = fixed ? 0 : 3, row.relative_weights_l2 = fixed ? 0 : 0.3, row.churn = fixed ? 0 : 0.125;
    row.loss_mean = fixed ? 1.5 : 1.55, row.loss_stddev = fixed ? 0 : 0.07, row.loss_min = 1.5, row.loss_max = fixed ? 1.5 : 1.6;
    row.accuracy_mean = fixed ? 0.75 : 0.71875, row.accuracy_stddev = fixed ? 0 : 0.044;
    ablation.rows.push_back(row);
  }
  AblationRow none;
  none.source = "drop_connect", none.note = "the network has no drop-connect";
  ablation.rows.push_back(none);
  file.ablation = {ablation};
}

void add_train_step(const Shape& shape, Noise& noise, ResultFile& file) {
  struct Arm {
    const char* name;
    double step_s;
    bool invariant;
  };
  const Arm arms[] = {{"network:fastest", 0.100, false},
                      {"network:framework_default_deterministic", 0.112, false},
                      {"network:fastest_observed:partition", 0.125, true},
                      {"network:fixed_order", 0.180, true}};
  const std::string problem = "train_step_synthetic/px96_mb8/f32_f32_strict/nhwc";
  auto info = comparison(problem, "train_step", shape, noise);
  info.used_by = {"synthetic_net"};
  info.twin_of = arms[0].name;
  info.twin_samples = samples(arms[0].step_s, 4, shape, noise);
  std::uint32_t position = 0;
  for (const auto& arm : arms) {
    auto r = row(problem, arm.name, "train_step");
    const auto baseline = noise.digest();
    r.output_digest = to_hex(baseline);
    r.agreement = scopes(!arm.invariant, 1, baseline, noise);
    r.timing = Timing{samples(arm.step_s, position++, shape, noise), to_hex(baseline), false};
    TrainStepFacts facts;
    facts.steps = 3;
    facts.images_per_s = 8 / arm.step_s;
    facts.input_s = 0.002;
    facts.memory_bytes = 50'000'000;
    facts.loss = {2.5, 2.4, 2.3};
    const char* ops[] = {"conv_fwd", "conv_dgrad", "conv_wgrad", "batch_norm", "reorder", "optimizer"};
    for (int layer = 0; layer < shape.layers; ++layer)
      for (int op = 0; op < 6; ++op) {
        StepOp step{
            op == 0 ? "forward" : op == 5 ? "optimizer" : "backward", "block_" + std::to_string(layer), ops[op], "", "",
            arm.step_s * 0.9 * (op == 2 ? 0.4 : 0.12) / shape.layers};
        facts.op_s += step.elapsed_s;
        if (op == 4) facts.reorder_s += step.elapsed_s;
        facts.ops.push_back(step);
      }
    facts.observed_step_s = facts.op_s * 1.03;
    r.train_step = facts;
    file.records.push_back(r);
  }
  if (shape.oddities) {
    auto r = row(problem, "network:tf_cudnn_deterministic", "train_step");
    r.status = RunStatus::unsupported;
    r.reason = "synthetic: no meaning on this backend";
    file.records.push_back(r);
  }
  file.comparisons.push_back(info);
  add_policies(problem, file);
  add_ablation(file);
}

}  // namespace

ResultFile make(const Shape& shape) {
  Noise noise(shape.seed);
  ResultFile file;
  file.detbench_version = "0.0.0-synthetic";
  file.commit = "0000000";
  file.created_utc = "2000-01-01T00:00:00Z";
  file.complete = true;
  file.elapsed_s = 12.5;
  file.profile = {"synthetic", 10, 2, 10, 2, shape.blocks, ""};
  file.seed = shape.seed;
  file.backend = "cpu";
  file.manifest = {{"backend", "cpu"},
                   {"machine", {{"architecture", "synthetic"}, {"operating_system", "synthetic"}}},
                   {"cpu", {{"model", shape.machine}, {"cores_usable", 2}}},
                   {"gpu", nullptr},
                   {"driver", nullptr},
                   {"libraries", {{"onednn", "0.0"}, {"openmp", "0.0"}}},
                   {"threads", 2},
                   {"environment", {{"OMP_NUM_THREADS", "2"}}}};
  file.controls = {{"contended_atomics", Scope::repeat, true, 10, 7, true, ""},
                   {"partial_per_thread", Scope::partition, true, 2, 2, true, ""},
                   {"address_order", Scope::process, true, 2, 1, !shape.oddities, "synthetic: not caught"},
                   {"integer_accumulation", Scope::repeat, false, 10, 1, true, ""}};
  add_convolutions(shape, noise, file);
  if (shape.reductions) add_reductions(shape, noise, file);
  if (shape.contention) add_contention(shape, noise, file);
  if (shape.train_step) add_train_step(shape, noise, file);
  if (shape.oddities && !file.records.empty()) {
    for (auto& scope : file.records.front().agreement)
      if (scope.scope == Scope::process) {
        scope.verdict = ScopeVerdict::untested;
        scope.bound.reset();
        scope.reason = "the positive control was not caught";
      }
    if (file.records.front().timing) file.records.front().timing->slow = false;
  }
  return file;
}

}  // namespace detbench::synthetic
