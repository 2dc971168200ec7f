// cuDNN's legacy dropout with seeded states. Every run draws from the states and moves them on, so reset() copies back what they
// were before the first run; backward's reset() then runs the forward, untimed, which leaves its mask in the reserve space as a
// training step has it. Forward and backward of one problem thus have one mask.
#include "kernels/cudnn/legacy_descriptor.hpp"
#include "kernels/device/cuda_check.hpp"
#include "kernels/dropout/parts.hpp"

namespace detbench::dropout {
namespace {

using cudnn::Owned;

constexpr std::size_t align_up(std::size_t bytes) { return (bytes + 255) / 256 * 256; }

/// What lies where in the workspace: the states, the reserve space and, backward, the forward's answer.
struct Places {
  std::size_t states_bytes = 0, reserve_bytes = 0, answer_bytes = 0;
  std::size_t reserve() const { return align_up(states_bytes); }
  std::size_t answer() const { return reserve() + align_up(reserve_bytes); }
  std::size_t total() const { return answer() + answer_bytes; }
};

struct FreeDevice {
  void operator()(void* memory) const { cudaFree(memory); }
};
using DeviceMemory = std::shared_ptr<void>;

Result<DeviceMemory> allocate(std::size_t bytes) {
  void* memory = nullptr;
  DETBENCH_CUDA_TRY(cudaMalloc(&memory, bytes));
  return DeviceMemory(memory, FreeDevice{});
}

struct Dropout {
  const cudnn::Library* library = nullptr;
  cudnnHandle_t handle = nullptr;
  cudaStream_t stream = nullptr;
  Owned<cudnnDropoutDescriptor_t> descriptor;
  Owned<cudnnTensorDescriptor_t> tensor;
  Places places;
  std::byte* workspace = nullptr;
  DeviceMemory snapshot;  ///< of the states, before the first run

  Status forward(const void* x, void* y) const {
    DETBENCH_CUDNN_TRY(*library, cudnnDropoutForward(handle, descriptor.get(), tensor.get(), x, tensor.get(), y, workspace + places.reserve(),
                                                     places.reserve_bytes));
    return {};
  }
  Status backward(const void* dy, void* dx) const {
    DETBENCH_CUDNN_TRY(*library, cudnnDropoutBackward(handle, descriptor.get(), tensor.get(), dy, tensor.get(), dx, workspace + places.reserve(),
                                                      places.reserve_bytes));
    return {};
  }
  Status restore() const {
    DETBENCH_CUDA_TRY(cudaMemcpyAsync(workspace, snapshot.get(), places.states_bytes, cudaMemcpyDeviceToDevice, stream));
    return {};
  }
};

/// The states' size depends on the GPU, which only a handle knows.
Result<std::size_t> states_bytes(const cudnn::Library& library, Device& device) {
  if (auto s = device.activate(); !s) return tl::unexpected(s.error());
  cudnnHandle_t handle = nullptr;
  DETBENCH_CUDNN_TRY(library, cudnnCreate(&handle));
  std::size_t bytes = 0;
  const auto status = library.cudnnDropoutGetStatesSize(handle, &bytes);
  library.cudnnDestroy(handle);
  if (status != CUDNN_STATUS_SUCCESS) return tl::unexpected(cudnn::cudnn_reason(library, status, "cudnnDropoutGetStatesSize"));
  return bytes;
}

/// The descriptor seeds the states when it is set: once, here, and never again.
Result<Dropout> seeded(const cudnn::Library& library, Device& device, const DropoutProblem& problem, const Places& places, Region workspace, Stream& stream) {
  Dropout d{&library, nullptr, static_cast<cudaStream_t>(stream.native()), {}, {}, places, static_cast<std::byte*>(workspace.data), {}};
  auto handle = cudnn::handle_for(device, stream);
  if (!handle) return tl::unexpected(handle.error());
  d.handle = *handle;
  auto tensor = cudnn::make_legacy_tensor(library, problem.input());
  if (!tensor) return tl::unexpected(tensor.error());
  d.tensor = *tensor;
  auto descriptor = cudnn::make_owned(library, library.cudnnCreateDropoutDescriptor, library.cudnnDestroyDropoutDescriptor);
  if (!descriptor) return tl::unexpected(descriptor.error());
  d.descriptor = *descriptor;
  auto snapshot = allocate(places.states_bytes);
  if (!snapshot) return tl::unexpected(snapshot.error());
  d.snapshot = *snapshot;
  DETBENCH_CUDNN_TRY(library, cudnnSetDropoutDescriptor(d.descriptor.get(), d.handle, static_cast<float>(problem.p), d.workspace, places.states_bytes,
                                                        problem.seed));
  DETBENCH_CUDA_TRY(cudaMemcpyAsync(d.snapshot.get(), d.workspace, places.states_bytes, cudaMemcpyDeviceToDevice, d.stream));
  DETBENCH_CUDA_TRY(cudaStreamSynchronize(d.stream));
  return d;
}

Result<SimplePlanParts> parts_of(const Problem& text, Device& device) {
  auto problem = parse_dropout_problem(text);
  if (!problem) return tl::unexpected(problem.error());
  auto library = cudnn::library();
  if (!library) return tl::unexpected(library.error());
  auto tensor = cudnn::make_legacy_tensor(**library, problem->input());
  if (!tensor) return tl::unexpected(tensor.error());
  Places places;
  auto states = states_bytes(**library, device);
  if (!states) return tl::unexpected(states.error());
  places.states_bytes = *states;
  DETBENCH_CUDNN_TRY(**library, cudnnDropoutGetReserveSpaceSize(tensor->get(), &places.reserve_bytes));
  places.answer_bytes = problem->backward ? problem->output().bytes() : 0;
  SimplePlanParts parts = problem->parts();
  parts.alignment_bytes = 16;
  parts.workspace_bytes = places.total();
  parts.needs_reset = true;
  parts.bind = [&device, lib = *library, p = *problem, places](std::span<const Tensor> in, std::span<const Tensor> out, Region workspace,
                                                               Stream& stream) -> Result<std::unique_ptr<Op>> {
    auto d = seeded(*lib, device, p, places, workspace, stream);
    if (!d) return tl::unexpected(d.error());
    const void* x = in[0].region.data;
    void* y = out[0].region.data;
    if (!p.backward) return std::make_unique<FunctionOp>([d = *d, x, y] { return d.forward(x, y); }, [d = *d] { return d.restore(); });
    return std::make_unique<FunctionOp>([d = *d, x, y] { return d.backward(x, y); },
                                        [d = *d, x]() -> Status {
                                          if (auto s = d.restore(); !s) return s;
                                          return d.forward(x, d.workspace + d.places.answer());
                                        });
  };
  return parts;
}

}  // namespace

std::unique_ptr<Provider> make_cudnn_legacy_dropout_provider() {
  return std::make_unique<cudnn::CudnnLegacyProvider>(std::vector<SimpleAlgorithm>{{"seeded", cudnn::documented_claim(false), false, parts_of}});
}

}  // namespace detbench::dropout
