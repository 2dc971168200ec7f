#include "kernels/convolution/legacy_cudnn.hpp"

#include <cuda_runtime.h>

#include <map>

#include "kernels/convolution/legacy_calls_cudnn.hpp"
#include "kernels/convolution/legacy_selection_cudnn.hpp"
#include "kernels/convolution/padded_plan.hpp"
#include "kernels/cudnn/handle.hpp"
#include "kernels/cudnn/version.hpp"
#include "kernels/device/cuda_check.hpp"
#include "kernels/simple_operation.hpp"

namespace detbench {
namespace {

using legacy::Arm;
using legacy::Calls;
using legacy::Choice;

Result<int> compute_major() {
  int major = 0;
  DETBENCH_CUDA_TRY(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0));
  return major;
}

/// A prepared arm, shared by a plan and the ops bound to it; a run writes nothing in it.
struct PreparedArm {
  Calls calls;
  int algorithm;
  std::size_t workspace_bytes;
};

class LegacyOp final : public Op {
 public:
  LegacyOp(std::shared_ptr<const PreparedArm> arm, std::span<const Tensor> inputs, const Tensor& output, Region workspace, cudnnHandle_t handle)
      : arm_(std::move(arm)), first_(inputs[0].region.data), second_(inputs[1].region.data), out_(output.region.data),
        workspace_{workspace.data, arm_->workspace_bytes}, handle_(handle) {}
  Status enqueue() override { return arm_->calls.run(handle_, arm_->algorithm, first_, second_, out_, workspace_); }

 private:
  std::shared_ptr<const PreparedArm> arm_;
  const void *first_, *second_;
  void* out_;
  Region workspace_;
  cudnnHandle_t handle_;
};

class LegacyPlan final : public Plan {
 public:
  LegacyPlan(ConvolutionTensors tensors, PreparedArm arm, Device& device, std::map<std::string, std::string> notes)
      : tensors_(std::move(tensors)), arm_(std::make_shared<PreparedArm>(std::move(arm))), device_(device), notes_(std::move(notes)) {}
  const std::vector<TensorSpec>& inputs() const override { return tensors_.inputs; }
  const std::vector<TensorSpec>& outputs() const override { return tensors_.outputs; }
  std::size_t workspace_bytes() const override { return arm_->workspace_bytes; }
  std::map<std::string, std::string> notes() const override { return notes_; }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace,
                                   Stream& stream) override {
    if (auto s = matches_specs(inputs, tensors_.inputs, "inputs"); !s) return tl::unexpected(s.error());
    if (auto s = matches_specs(outputs, tensors_.outputs, "outputs"); !s) return tl::unexpected(s.error());
    if (workspace.bytes < workspace_bytes())
      return invalid_input("the plan wants a workspace of " + std::to_string(workspace_bytes()) + " bytes, got " + std::to_string(workspace.bytes));
    const auto handle = cudnn::handle_for(device_, stream);
    if (!handle) return tl::unexpected(handle.error());
    return std::make_unique<LegacyOp>(arm_, inputs, outputs[0], workspace, *handle);
  }

 private:
  ConvolutionTensors tensors_;
  std::shared_ptr<const PreparedArm> arm_;
  Device& device_;
  std::map<std::string, std::string> notes_;
};

/// The accumulators that arms exist with. The API's "true half" sums in f16, which asks for an f16 result as well.
std::vector<bool> half_computes(const ConvolutionProblem& p) {
  const bool all_f16 = p.types.storage == DataType::f16 && tensors_of(p).outputs[0].type == DataType::f16;
  return all_f16 ? std::vector{false, true} : std::vector{false};
}

class LegacyConvolution final : public Provider {
 public:
  explicit LegacyConvolution(const AlgorithmSearch& search) : search_(search) {}
  std::string_view name() const override { return "cudnn_legacy"; }

  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    const auto p = parse_convolution(problem);
    if (!p) return tl::unexpected(p.error());
    if (auto status = supported(*p, device); !status) return std::vector{none(status.error())};
    const auto form = symmetric_form(*p);
    const auto planning = cudnn::planning_handle(device);
    if (!planning) return std::vector{none(planning.error())};
    const auto handle = planning->handle;
    const auto major = compute_major();
    if (!major) return tl::unexpected(major.error());

    std::vector<Offer> offers;
    for (const bool half_compute : half_computes(*p)) {
      auto calls = Calls::make(**cudnn::library(), form.problem, half_compute);
      if (!calls) return std::vector{none(calls.error())};
      for (const auto math : legacy::all_math) {
        if (auto status = calls->set_math(math); !status) return tl::unexpected(status.error());
        const auto perf = calls->get_v7(handle);
        for (const auto& row : legacy::algorithms_of(p->direction)) {
          Arm arm;
          arm.pad = form.by_hand.any();
          arm.row = &row;
          arm.math = math;
          arm.half_compute = half_compute;
          Offer offer{to_algorithm(arm, *cudnn_version()), legacy::math_misfit(p->types, math, *major), {}};
          offer.notes["perf_struct_determinism"] =
              perf ? legacy::perf_struct_determinism(*perf, row.value, math) : "unknown: " + perf.error().text;
          if (!offer.unsupported) {
            const auto bytes = calls->workspace_bytes(handle, row.value);
            if (!bytes) offer.unsupported = bytes.error();
            else offer.unsupported = above_cap(form.workspace_bytes() + *bytes);
          }
          offers.push_back(std::move(offer));
        }
      }
    }
    for (const auto choice : {Choice::get_v7, Choice::find_ex})
      for (const bool deterministic : {false, true}) {
        Arm arm;
        arm.pad = form.by_hand.any();
        arm.choice = choice;
        arm.math = legacy::usual_math(p->types);
        arm.workspace_cap_bytes = search_.workspace_cap_bytes;
        arm.deterministic_rows_only = deterministic;
        offers.push_back({to_algorithm(arm, *cudnn_version()), above_cap(form.workspace_bytes()), {}});
      }
    return offers;
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    const auto p = parse_convolution(problem);
    if (!p) return tl::unexpected(p.error());
    const auto arm = legacy::parse_arm(p->direction, algorithm);
    if (!arm) return tl::unexpected(arm.error());
    const auto form = symmetric_form(*p);
    if (arm->pad != form.by_hand.any())
      return invalid_input(problem.shape + (arm->pad ? " needs no zeros by hand: leave out the pad+ of '" : " needs zeros by hand: write pad+ before '") +
                           algorithm.name + "'");
    if (auto status = supported(*p, device); !status) return tl::unexpected(status.error());
    const auto major = compute_major();
    if (!major) return tl::unexpected(major.error());
    if (const auto misfit = legacy::math_misfit(p->types, arm->math, *major)) return tl::unexpected(*misfit);
    if (const auto exist = half_computes(*p); arm->half_compute && exist.size() == 1)
      return unsupported("compute=f16 wants f16 in every tensor; " + to_text(p->types) + " has others");
    auto calls = Calls::make(**cudnn::library(), form.problem, arm->half_compute);
    if (!calls) return tl::unexpected(calls.error());

    legacy::Selection selection;
    if (arm->choice == Choice::named) {
      selection.algorithm = arm->row->value;
      if (auto status = calls->set_math(arm->math); !status) return tl::unexpected(status.error());
      const auto planning = cudnn::planning_handle(device);
      if (!planning) return tl::unexpected(planning.error());
      const auto bytes = calls->workspace_bytes(planning->handle, selection.algorithm);
      if (!bytes) return tl::unexpected(bytes.error());
      selection.workspace_bytes = *bytes;
    } else {
      auto selected = legacy::select(form, *arm, *calls, *major, device);
      if (!selected) return tl::unexpected(selected.error());
      selection = std::move(*selected);
    }
    std::unique_ptr<Plan> plan = std::make_unique<LegacyPlan>(
        tensors_of(form.problem), PreparedArm{std::move(*calls), selection.algorithm, selection.workspace_bytes}, device,
        std::move(selection.notes));
    return arm->pad ? make_padded_plan(*p, form, std::move(plan)) : std::move(plan);
  }

 private:
  static Status supported(const ConvolutionProblem& p, Device& device) {
    if (device.kind() != DeviceKind::cuda) return unsupported("cuDNN runs on CUDA devices only");
    if (p.layout == "blocked") return unsupported("cuDNN has no blocked layouts of its own: nhwc and nchw are answered");
    if (const auto library = cudnn::library(); !library) return tl::unexpected(library.error());
    return device.activate();
  }

  std::optional<Reason> above_cap(std::size_t bytes) const {
    if (bytes <= search_.workspace_cap_bytes) return std::nullopt;
    return Reason{"wants " + std::to_string(bytes) + " bytes of workspace, the cap is " + std::to_string(search_.workspace_cap_bytes),
                  Reason::Kind::unsupported};
  }

  static Offer none(Reason reason) {
    Offer offer;
    offer.algorithm.provider = "cudnn_legacy";
    offer.algorithm.name = "any";
    offer.unsupported = std::move(reason);
    return offer;
  }

  AlgorithmSearch search_;
};

}  // namespace

std::unique_ptr<Provider> make_cudnn_legacy_convolution(const AlgorithmSearch& search) {
  return std::make_unique<LegacyConvolution>(search);
}

}  // namespace detbench
