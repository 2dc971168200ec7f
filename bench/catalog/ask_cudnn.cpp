#include <algorithm>
#include <fstream>
#include <set>

#include "bench/catalog/ask.hpp"
#include "kernels/convolution/problem.hpp"
#include "kernels/cudnn/heuristics.hpp"
#include "kernels/cudnn/version.hpp"

namespace detbench::catalog {
namespace {

/// What a network's buffers are: cuDNN silently knows fewer engines below 16.
constexpr std::int64_t alignment_bytes = 16;
enum Uid : std::int64_t { uid_x = 1, uid_w, uid_y };

/// Kept for the life of the process: the target of one catalog is asked about again and again.
Result<const cudnn::Target*> target_of(const std::string& arch) {
  static std::map<std::string, cudnn::Target> known;
  if (const auto at = known.find(arch); at != known.end()) return &at->second;
  auto target = arch == "device" ? cudnn::Target::of_device(0) : cudnn::Target::of_architecture(arch);
  if (!target) return tl::unexpected(target.error());
  return &known.emplace(arch, std::move(*target)).first->second;
}

/// Parts of two versions of cuDNN in one process, which a library path can cause, would answer for neither.
Status check_one_folder() {
  std::set<std::string> folders;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const auto name = line.find("/libcudnn");
    const auto path = line.find('/');
    if (name != std::string::npos) folders.insert(line.substr(path, name - path));
  }
  if (folders.size() < 2) return {};
  std::string all;
  for (const auto& folder : folders) all += (all.empty() ? "" : " and ") + folder;
  return failure("parts of several cuDNNs were loaded, from " + all + ": leave only one of these folders in LD_LIBRARY_PATH");
}

/// The gradient of a filter is asked for in the storage type, as frameworks keep it; with f32 gradients of 16-bit tensors
/// one single engine is left.
Result<cudnn::OperationGraph> graph_of(const ConvolutionProblem& p) {
  auto builder = cudnn::GraphBuilder::make();
  if (!builder) return tl::unexpected(builder.error());
  const auto tensors = tensors_of(p);
  const auto& first = tensors.inputs[0];
  const auto& second = tensors.inputs[1];
  const auto& result = tensors.outputs[0];
  TensorSpec x = first, w = second, y = result;
  if (p.direction == Direction::dgrad) x = result, y = first;
  if (p.direction == Direction::wgrad) w = result, y = second;
  w.type = p.types.storage;
  cudnn::Convolution c;
  c.pass = p.direction == Direction::forward ? cudnn::ConvolutionPass::forward
           : p.direction == Direction::dgrad ? cudnn::ConvolutionPass::data
                                             : cudnn::ConvolutionPass::filter;
  c.pre_paddings = {p.pt, p.pl};
  c.post_paddings = {p.pb, p.pr};
  c.strides = {p.sh, p.sw};
  c.dilations = {p.dh, p.dw};
  builder->convolution(c, builder->tensor(cudnn::activation_tensor(uid_x, x, alignment_bytes)), builder->tensor(cudnn::filter_tensor(uid_w, w, alignment_bytes)),
                       builder->tensor(cudnn::activation_tensor(uid_y, y, alignment_bytes)));
  return builder->build();
}

EngineStatus status_of(cudnn::Support support) {
  switch (support) {
    case cudnn::Support::valid: return EngineStatus::valid;
    case cudnn::Support::unknown: return EngineStatus::unknown;
    case cudnn::Support::unsupported: break;
  }
  return EngineStatus::unsupported;
}

Engine describe(const cudnn::OperationGraph& graph, const cudnn::Target& target, std::int64_t id, cudnn::Engine& native) {
  native = cudnn::describe_engine(graph, target, id);
  Engine engine;
  engine.id = id;
  engine.finalizes = native.finalized();
  for (const int note : native.notes) engine.notes.push_back(cudnn::note_name(note));
  for (const int behaviour : native.behaviours) engine.behaviours.push_back(cudnn::behaviour_name(behaviour));
  for (const auto& knob : native.knobs) engine.knobs.push_back({cudnn::knob_name(knob.type), knob.minimum, knob.maximum, knob.stride});
  const auto checked = cudnn::check(native, {id, {}});
  engine.status = status_of(checked.support);
  engine.reason = checked.reason;
  // Its default configuration may be refused for good, but whether it takes another one cannot be tried here.
  if (engine.status == EngineStatus::unsupported && native.finalized() && engine.compiles_at_run_time() && !cudnn::driver_library_present())
    engine.status = EngineStatus::unknown;
  if (checked.support == cudnn::Support::valid) engine.workspace_bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(0, checked.workspace_bytes));
  return engine;
}

cudnn::HeuristicMode native_mode(HeuristicMode mode) {
  switch (mode) {
    case HeuristicMode::a: return cudnn::HeuristicMode::a;
    case HeuristicMode::b: return cudnn::HeuristicMode::b;
    case HeuristicMode::fallback: break;
  }
  return cudnn::HeuristicMode::fallback;
}

/// An engine may refuse its default configuration and still take one that a heuristic proposes: then it is valid.
void try_picks(Entry& entry, const std::vector<cudnn::Engine>& natives, const std::vector<cudnn::Configuration>& picks) {
  for (const auto& pick : picks) {
    const auto native = std::find_if(natives.begin(), natives.end(), [&](const cudnn::Engine& e) { return e.index == pick.engine; });
    const auto engine = std::find_if(entry.engines.begin(), entry.engines.end(), [&](const Engine& e) { return e.id == pick.engine; });
    if (native == natives.end() || engine == entry.engines.end() || engine->status != EngineStatus::unsupported || !engine->finalizes) continue;
    if (cudnn::check_quickly(*native, pick) != CUDNN_STATUS_SUCCESS) continue;
    engine->status = EngineStatus::valid;
    engine->reason = "only with knobs: " + engine->reason;
  }
}

}  // namespace

Result<TargetFacts> describe_target(const std::string& arch) {
  const auto version = cudnn_version();
  if (!version) return tl::unexpected(version.error());
  const auto target = target_of(arch);
  if (!target) return tl::unexpected(target.error());
  return TargetFacts{*version, "sm_" + std::to_string((*target)->compute_capability() / 10), (*target)->name(), arch == "device",
                     cudnn::driver_library_present() ? DriverLibrary::present : DriverLibrary::absent};
}

Result<Entry> ask(const Problem& problem, const std::string& arch, const SkippedSteps& skipped, const Announce& announce) {
  const auto target = target_of(arch);
  if (!target) return tl::unexpected(target.error());
  const auto convolution = parse_convolution(problem);
  if (!convolution) return tl::unexpected(convolution.error());
  announce("graph");
  const auto graph = graph_of(*convolution);
  if (!graph) return tl::unexpected(graph.error());
  Entry entry;
  entry.problem = problem;
  std::vector<cudnn::Engine> natives;
  for (std::int64_t id = 0; id < graph->engine_count(); ++id) {
    const auto step = engine_step(id);
    if (const auto at = skipped.find(step); at != skipped.end()) {
      Engine crashed;
      crashed.id = id, crashed.status = EngineStatus::crashed, crashed.reason = at->second;
      entry.engines.push_back(std::move(crashed));
      continue;
    }
    announce(step);
    cudnn::Engine native;
    entry.engines.push_back(describe(*graph, **target, id, native));
    if (native.finalized()) natives.push_back(std::move(native));
  }
  for (const auto mode : all_heuristic_modes) {
    const auto step = heuristic_step(mode);
    Ranking ranking{mode, "", {}};
    if (const auto at = skipped.find(step); at != skipped.end()) {
      ranking.reason = at->second;
    } else {
      announce(step);
      if (const auto picks = cudnn::propose(*graph, **target, native_mode(mode))) {
        for (const auto& pick : *picks) ranking.picks.push_back(cudnn::to_text(pick));
        try_picks(entry, natives, *picks);
      } else {
        ranking.reason = picks.error().text;
      }
    }
    entry.rankings.push_back(std::move(ranking));
  }
  if (auto one = check_one_folder(); !one) return tl::unexpected(one.error());
  return entry;
}

}  // namespace detbench::catalog
