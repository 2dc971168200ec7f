#include "kernels/cudnn/graph_plan.hpp"

#include <algorithm>
#include <mutex>
#include <optional>

#include "kernels/cudnn/handle.hpp"
#include "kernels/simple_operation.hpp"

namespace detbench::cudnn {
namespace {

Result<ExecutionPlan> finished(Descriptor descriptor) {
  if (auto s = descriptor.finalize(); !s) {
    auto reason = s.error();
    // The library calls a configuration valid before it has made the source of its kernel. A source that does not compile (9.19:
    // that of every deterministic reduction) says that the algorithm does not exist, not that anything crashed.
    if (descriptor.status() == CUDNN_STATUS_INTERNAL_ERROR_COMPILATION_FAILED) reason.kind = Reason::Kind::unsupported;
    return tl::unexpected(std::move(reason));
  }
  ExecutionPlan plan;
  const auto workspace = descriptor.get_int64(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
  if (!workspace) return tl::unexpected(workspace.error());
  plan.workspace_bytes = *workspace;
  auto json = descriptor.get_text(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION);
  if (!json) return tl::unexpected(json.error());
  plan.json = std::move(*json);
  plan.descriptor = std::move(descriptor);
  return plan;
}

/// For a device: with its stated properties, as an engine is asked, and where these do not do with its handle, as plans were made
/// before there were properties. An SM-count target's engine was asked about the current device (describe_engine), so then a
/// refusal counts for little too.
Result<ExecutionPlan> build_for_device(const Checked& configuration, const Target& target, Device& device) {
  auto plan = build_execution_plan(configuration, target);
  if (plan || (plan.error().kind == Reason::Kind::unsupported && device.configuration().sm_count_target == 0)) return plan;
  const auto planning = planning_handle(device);
  if (!planning) return plan;
  auto d = Descriptor::make(configuration.descriptor.library(), CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  d.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration.descriptor)
      .set_raw(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &planning->handle);
  auto with_handle = finished(std::move(d));
  return with_handle ? std::move(with_handle) : std::move(plan);
}

class GraphOp final : public Op {
 public:
  GraphOp(cudnnHandle_t handle, Descriptor plan, std::vector<std::unique_ptr<float>> scalars, Descriptor pack)
      : handle_(handle), plan_(std::move(plan)), scalars_(std::move(scalars)), pack_(std::move(pack)) {}
  Status enqueue() override {
    DETBENCH_CUDNN_TRY(plan_.library(), cudnnBackendExecute(handle_, plan_.native(), pack_.native()));
    return {};
  }

 private:
  cudnnHandle_t handle_;
  Descriptor plan_;
  std::vector<std::unique_ptr<float>> scalars_;  ///< the pack points at them
  Descriptor pack_;
};

class GraphPlan final : public Plan {
 public:
  GraphPlan(GraphProblem problem, ExecutionPlan plan, Device& device, std::map<std::string, std::string> notes)
      : problem_(std::move(problem)), plan_(std::move(plan)), device_(device), notes_(std::move(notes)) {}
  const std::vector<TensorSpec>& inputs() const override { return problem_.inputs; }
  const std::vector<TensorSpec>& outputs() const override { return problem_.outputs; }
  std::size_t workspace_bytes() const override { return static_cast<std::size_t>(plan_.workspace_bytes); }
  std::size_t alignment_bytes() const override {
    return static_cast<std::size_t>(*std::max_element(problem_.alignments.begin(), problem_.alignments.end()));
  }
  int sm_count_target() const override { return device_.configuration().sm_count_target; }
  std::map<std::string, std::string> notes() const override { return notes_; }

  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, Stream& stream) override {
    if (auto s = matches_specs(inputs, problem_.inputs, "inputs"); !s) return tl::unexpected(s.error());
    if (auto s = matches_specs(outputs, problem_.outputs, "outputs"); !s) return tl::unexpected(s.error());
    if (workspace.bytes < workspace_bytes())
      return invalid_input("the plan wants a workspace of " + std::to_string(workspace_bytes()) + " bytes, got " + std::to_string(workspace.bytes));
    const auto handle = handle_for(device_, stream);
    if (!handle) return tl::unexpected(handle.error());
    std::vector<std::int64_t> uids;
    std::vector<void*> pointers;
    const auto add = [&](std::span<const Tensor> tensors, const std::vector<std::int64_t>& tensor_uids) -> Status {
      for (std::size_t i = 0; i < tensors.size(); ++i) {
        const auto alignment = problem_.alignments[uids.size()];
        if (reinterpret_cast<std::uintptr_t>(tensors[i].region.data) % static_cast<std::uintptr_t>(alignment) != 0)
          return invalid_input("'" + tensors[i].spec.role + "' does not begin at a multiple of " + std::to_string(alignment) +
                               " bytes, which this plan was made for");
        uids.push_back(tensor_uids[i]);
        pointers.push_back(tensors[i].region.data);
      }
      return {};
    };
    if (auto s = add(inputs, problem_.input_uids); !s) return tl::unexpected(s.error());
    if (auto s = add(outputs, problem_.output_uids); !s) return tl::unexpected(s.error());
    std::vector<std::unique_ptr<float>> scalars;
    for (const auto& [uid, value] : problem_.scalars) {
      scalars.push_back(std::make_unique<float>(value));
      uids.push_back(uid);
      pointers.push_back(scalars.back().get());
    }
    auto pack = Descriptor::make(plan_.descriptor.library(), CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    void* const scratch = workspace_bytes() > 0 ? workspace.data : nullptr;
    pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, std::span<const std::int64_t>(uids))
        .set_raw(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, static_cast<std::int64_t>(pointers.size()), pointers.data())
        .set_raw(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &scratch);
    if (auto s = pack.finalize(); !s) return tl::unexpected(s.error());
    return std::make_unique<GraphOp>(*handle, plan_.descriptor, std::move(scalars), std::move(pack));
  }

 private:
  GraphProblem problem_;
  ExecutionPlan plan_;
  Device& device_;
  std::map<std::string, std::string> notes_;
};

}  // namespace

Result<ExecutionPlan> build_execution_plan(const Checked& configuration, const Target& target) {
  if (configuration.support != Support::valid) return unsupported(configuration.reason);
  auto d = Descriptor::make(configuration.descriptor.library(), CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  d.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration.descriptor).set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, target.descriptor());
  return finished(std::move(d));
}

Result<ExecutionPlan> replay_execution_plan(const std::string& json, const Target& target) {
  const auto lib = library();
  if (!lib) return tl::unexpected(lib.error());
  // A plan finalized from JSON alone, with neither handle nor device properties, crashes the library: here is a target.
  if (!target.descriptor()) return invalid_input("a plan cannot be replayed without the properties of a device");
  auto d = Descriptor::make(**lib, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  d.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, target.descriptor()).set(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, std::string_view(json));
  return finished(std::move(d));
}

Result<Target> target_of(Device& device) {
  if (device.kind() != DeviceKind::cuda) return unsupported("cuDNN needs a GPU; this device is " + device.name());
  if (auto s = device.activate(); !s) return tl::unexpected(s.error());
  static std::mutex mutex;
  // CUDA devices here are all GPU 0. Never destroyed: the library's parts are loaded after this and gone before it at the end.
  static auto& cached = *new std::optional<Target>;
  const std::lock_guard lock(mutex);
  if (!cached) {
    auto target = Target::of_device(0);
    if (!target) return target;
    cached = std::move(*target);
  }
  return *cached;
}

Result<std::unique_ptr<Plan>> make_graph_plan(const GraphProblem& problem, const Configuration& configuration, Device& device,
                                              std::map<std::string, std::string> notes) {
  if (problem.inputs.size() != problem.input_uids.size() || problem.outputs.size() != problem.output_uids.size() ||
      problem.alignments.size() != problem.inputs.size() + problem.outputs.size())
    return failure("a graph's tensors and their uids or alignments differ in number");
  const auto target = target_of(device);
  if (!target) return tl::unexpected(target.error());
  if (configuration.engine >= problem.graph.engine_count())
    return unsupported("this graph has engines 0 to " + std::to_string(problem.graph.engine_count() - 1) + ", no " + to_text(configuration));
  const auto engine = describe_engine(problem.graph, *target, configuration.engine, device.configuration().sm_count_target);
  const auto checked = check(engine, configuration);
  if (checked.support != Support::valid) return unsupported(to_text(configuration) + ": " + checked.reason);
  auto plan = build_for_device(checked, *target, device);
  if (!plan) return tl::unexpected(plan.error());
  notes["engine"] = std::to_string(configuration.engine);
  notes["plan_json"] = plan->json;
  notes["numerical_notes"] = note_names(engine.notes);
  notes["behaviour_notes"] = behaviour_names(engine.behaviours);
  if (checked.shared_memory_bytes) notes["shared_memory_bytes"] = std::to_string(*checked.shared_memory_bytes);
  return std::make_unique<GraphPlan>(problem, std::move(*plan), device, std::move(notes));
}

}  // namespace detbench::cudnn
