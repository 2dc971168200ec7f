#include <cuda_runtime.h>

#include "kernels/cublas/environment.hpp"
#include "kernels/cublas/handle.hpp"
#include "kernels/device/cuda_check.hpp"
#include "kernels/matmul/cublas_arms.hpp"
#include "kernels/matmul/cuda_products.hpp"
#include "kernels/matmul/product_providers.hpp"

namespace detbench {
namespace {

constexpr std::size_t workspace_alignment = 256;  // cublasSetWorkspace asks for it
constexpr std::size_t least_workspace = 16384;    // with less, cublasSetWorkspace's documentation lets products fail

constexpr std::size_t aligned(std::size_t bytes) { return (bytes + workspace_alignment - 1) / workspace_alignment * workspace_alignment; }

cublasComputeType_t compute_type(const CublasArm& arm, const cublas::Gemm& gemm) {
  switch (arm.math) {
    case CublasArm::Math::bf16x9: return cublas::compute_bf16x9;
    case CublasArm::Math::f64: return CUBLAS_COMPUTE_64F;
    case CublasArm::Math::fixed_point_f64: return cublas::compute_fixed_point_f64;
    case CublasArm::Math::pedantic: return CUBLAS_COMPUTE_32F_PEDANTIC;
    default: return gemm.tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  }
}

/// What the library is asked for: the product itself, or the same one on f64 copies of its operands.
cublas::Gemm asked_for(const Product& product, const CublasArm& arm) {
  auto gemm = product.gemm;
  if (arm.is_wide()) gemm.input = gemm.output = DataType::f64;
  return gemm;
}

/// Streams beside the answer's, each with the event that says it is done.
struct SideStream {
  SideStream() = default;
  SideStream(const SideStream&) = delete;
  ~SideStream() {
    if (done) cudaEventDestroy(done);
    if (stream) cudaStreamDestroy(stream);
  }
  Status make() {
    DETBENCH_CUDA_TRY(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    DETBENCH_CUDA_TRY(cudaEventCreateWithFlags(&done, cudaEventDisableTiming));
    return {};
  }
  cudaStream_t stream = nullptr;
  cudaEvent_t done = nullptr;
};

/// Parts of one workspace, each at a multiple of 256.
class Parts {
 public:
  explicit Parts(void* memory) : next_(static_cast<char*>(memory)) {
    if (const auto over = reinterpret_cast<std::uintptr_t>(memory) % workspace_alignment; over != 0) next_ += workspace_alignment - over;
  }
  void* take(std::size_t bytes) {
    void* part = next_;
    next_ += aligned(bytes);
    return part;
  }

 private:
  char* next_;
};

std::size_t output_bytes(const cublas::Gemm& g) { return static_cast<std::size_t>(g.m * g.n) * size_of(g.output); }
std::size_t a_bytes(const cublas::Gemm& g) { return static_cast<std::size_t>(g.m * g.k) * size_of(g.input); }
std::size_t b_bytes(const cublas::Gemm& g) { return static_cast<std::size_t>(g.k * g.n) * size_of(g.input); }

std::size_t total_workspace(const Product& product, const CublasArm& arm) {
  // The handle is given an address even where it is given no bytes.
  const std::size_t own = arm.workspace_bytes ? std::max(aligned(*arm.workspace_bytes), workspace_alignment) : 0;
  const auto streams = static_cast<std::size_t>(arm.streams);
  const auto gemm = asked_for(product, arm);
  const std::size_t copies = arm.is_wide() ? aligned(a_bytes(gemm)) + aligned(b_bytes(gemm)) + aligned(output_bytes(gemm)) : aligned(product.scratch_bytes());
  const std::size_t parts = copies + own * streams + (streams - 1) * aligned(output_bytes(gemm));
  return parts == 0 ? 0 : parts + workspace_alignment;
}

class CublasOp final : public Op {
 public:
  CublasOp(const Product& product, const CublasArm& arm, std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, void* stream)
      : product_(product), gemm_(asked_for(product, arm)), arm_(arm), compute_(compute_type(arm, product.gemm)), stream_(static_cast<cudaStream_t>(stream)) {
    const auto input = [&](int place) { return inputs[static_cast<std::size_t>(place)].region.data; };
    a_ = input(product.a), b_ = input(product.b), out_ = outputs[0].region.data;
    if (product.bias >= 0) bias_ = static_cast<const float*>(input(product.bias));
    if (product.column_sums >= 0) summed_ = input(product.column_sums), sums_ = static_cast<float*>(outputs[1].region.data);
    Parts parts(workspace.data);
    result_ = product.needs_scratch() ? parts.take(product.scratch_bytes()) : out_;
    if (arm.is_wide()) {
      narrow_a_ = static_cast<const float*>(a_), narrow_b_ = static_cast<const float*>(b_);
      a_ = wide_a_ = static_cast<double*>(parts.take(a_bytes(gemm_)));
      b_ = wide_b_ = static_cast<double*>(parts.take(b_bytes(gemm_)));
      result_ = parts.take(output_bytes(gemm_));
    }
    for (int s = 0; s < arm.streams; ++s)
      workspaces_.push_back(arm.workspace_bytes ? parts.take(std::max(*arm.workspace_bytes, workspace_alignment)) : nullptr);
    for (int s = 1; s < arm.streams; ++s) side_outputs_.push_back(parts.take(output_bytes(gemm_)));
  }
  ~CublasOp() override {
    if (begun_) cudaEventDestroy(begun_);
  }

  Status prepare(int sm_count_target) {
    auto handle = cublas::Handle::make(arm_.config);
    if (!handle) return tl::unexpected(handle.error());
    handle_ = std::move(*handle);
    cublasMath_t mode = CUBLAS_DEFAULT_MATH;
    if (arm_.math == CublasArm::Math::pedantic) mode = CUBLAS_PEDANTIC_MATH;
    if (arm_.math == CublasArm::Math::no_reduced_reduction) mode = CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION;
    if (auto status = handle_->set_math_mode(mode); !status) return status;
    if (arm_.math == CublasArm::Math::bf16x9 || arm_.math == CublasArm::Math::fixed_point_f64)
      if (auto status = handle_->emulate_eagerly(); !status) return status;
    if (auto status = handle_->allow_atomics(arm_.atomics); !status) return status;
    if (sm_count_target > 0)
      if (auto status = handle_->set_sm_count_target(sm_count_target); !status) return status;
    if (arm_.streams > 1) {
      DETBENCH_CUDA_TRY(cudaEventCreateWithFlags(&begun_, cudaEventDisableTiming));
      for (int s = 1; s < arm_.streams; ++s) {
        sides_.push_back(std::make_unique<SideStream>());
        if (auto status = sides_.back()->make(); !status) return status;
      }
    }
    if (auto status = turn_to(0); !status) return status;
    return arm_.algorithm == CublasArm::autotune ? tune() : Status{};
  }

  Status enqueue() override {
    const auto& g = product_.gemm;
    if (arm_.is_wide()) {
      if (auto status = products::enqueue_widen(narrow_a_, wide_a_, g.m * g.k, stream_); !status) return status;
      if (auto status = products::enqueue_widen(narrow_b_, wide_b_, g.k * g.n, stream_); !status) return status;
    }
    if (auto status = arm_.streams > 1 ? multiply_among_streams() : multiply(result_); !status) return status;
    if (arm_.is_wide()) {
      if (auto status = products::enqueue_round(static_cast<const double*>(result_), bias_, static_cast<float*>(out_), g.m, g.n, stream_); !status)
        return status;
    } else if (bias_ != nullptr) {
      if (auto status = products::enqueue_add_bias(static_cast<const float*>(result_), bias_, out_, product_.outputs[0].type, g.m, g.n, stream_); !status)
        return status;
    }
    if (sums_ == nullptr) return {};
    return products::enqueue_column_sums(summed_, g.input, g.k, g.m, sums_, stream_);
  }

 private:
  /// Stream 0 is the answer's. The workspace comes after the stream, which resets it.
  Status turn_to(int s) {
    const auto place = static_cast<std::size_t>(s);
    if (auto status = handle_->set_stream(s == 0 ? stream_ : sides_[place - 1]->stream); !status) return status;
    if (!arm_.workspace_bytes) return {};
    return handle_->set_workspace(workspaces_[place], *arm_.workspace_bytes);
  }

  Status multiply(void* out) {
    auto status = handle_->multiply(gemm_, a_, b_, out, compute_, static_cast<cublasGemmAlgo_t>(arm_.algorithm));
    // This is how cuBLAS says that a workspace is too small for the kernel it wants (documented at cublasSetWorkspace, with
    // 16 KiB as what always suffices); the device's memory has not run out.
    if (!status && arm_.workspace_bytes && *arm_.workspace_bytes < least_workspace && status.error().kind == Reason::Kind::out_of_memory)
      return unsupported("cuBLAS does not run this product without a workspace: " + status.error().text);
    return status;
  }

  /// The side streams wait for what the answer waits for, and the answer's stream for them: the inputs may be overwritten
  /// when it is done. Two products each, so that one is still in flight when the answer's begins.
  Status multiply_among_streams() {
    DETBENCH_CUDA_TRY(cudaEventRecord(begun_, stream_));
    for (const auto& side : sides_) DETBENCH_CUDA_TRY(cudaStreamWaitEvent(side->stream, begun_, 0));
    for (int round = 0; round < 2; ++round)
      for (int s = 1; s < arm_.streams; ++s) {
        if (auto status = turn_to(s); !status) return status;
        if (auto status = multiply(side_outputs_[static_cast<std::size_t>(s) - 1]); !status) return status;
      }
    if (auto status = turn_to(0); !status) return status;
    if (auto status = multiply(result_); !status) return status;
    for (const auto& side : sides_) {
      DETBENCH_CUDA_TRY(cudaEventRecord(side->done, side->stream));
      DETBENCH_CUDA_TRY(cudaStreamWaitEvent(stream_, side->done, 0));
    }
    return {};
  }

  /// The first product of a shape makes the library try and time its algorithms; the handle keeps the winner. That happens
  /// here, on memory of its own, so that enqueue() neither waits nor writes the output before its time.
  Status tune() {
    const auto& g = gemm_;
    const std::size_t sizes[] = {a_bytes(g), b_bytes(g), output_bytes(g)};
    struct Memory {
      ~Memory() { cudaFree(data); }
      void* data = nullptr;
    } memory[3];
    for (int i = 0; i < 3; ++i) {
      DETBENCH_CUDA_TRY(cudaMalloc(&memory[i].data, sizes[i]));
      DETBENCH_CUDA_TRY(cudaMemsetAsync(memory[i].data, 0, sizes[i], stream_));
    }
    const auto status = handle_->multiply(g, memory[0].data, memory[1].data, memory[2].data, compute_, static_cast<cublasGemmAlgo_t>(arm_.algorithm));
    DETBENCH_CUDA_TRY(cudaStreamSynchronize(stream_));
    return status;
  }

  Product product_;
  cublas::Gemm gemm_;
  CublasArm arm_;
  cublasComputeType_t compute_;
  cudaStream_t stream_;
  const float *narrow_a_ = nullptr, *narrow_b_ = nullptr;
  double *wide_a_ = nullptr, *wide_b_ = nullptr;
  const void *a_ = nullptr, *b_ = nullptr, *summed_ = nullptr;
  const float* bias_ = nullptr;
  void *out_ = nullptr, *result_ = nullptr;
  float* sums_ = nullptr;
  std::vector<void*> workspaces_, side_outputs_;
  cudaEvent_t begun_ = nullptr;
  std::vector<std::unique_ptr<SideStream>> sides_;
  std::unique_ptr<cublas::Handle> handle_;
};

class CublasPlan final : public Plan {
 public:
  CublasPlan(Product product, CublasArm arm, int sm_count_target, std::string version)
      : product_(std::move(product)), arm_(std::move(arm)), sm_count_target_(sm_count_target), version_(std::move(version)) {}
  const std::vector<TensorSpec>& inputs() const override { return product_.inputs; }
  const std::vector<TensorSpec>& outputs() const override { return product_.outputs; }
  std::size_t workspace_bytes() const override { return total_workspace(product_, arm_); }
  int sm_count_target() const override { return sm_count_target_; }
  // cublasGemmEx looks at the pointers itself, at every call.
  std::size_t alignment_bytes() const override { return product_.element_bytes(); }
  std::map<std::string, std::string> notes() const override {
    std::map<std::string, std::string> notes{{"library", "cuBLAS " + version_}};
    if (product_.bias >= 0) notes["bias"] = std::string("added by our own kernel, after the product, in ") + (arm_.is_wide() ? "f64" : "f32");
    if (arm_.math == CublasArm::Math::fixed_point_f64) notes["emulation"] = "the library falls back to native f64 where its own workspace cannot be had";
    if (arm_.algorithm == CublasArm::autotune) notes["choice"] = "made by time when the op was bound";
    return notes;
  }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, Stream& stream) override {
    if (auto status = check_bound(product_, inputs, outputs); !status) return tl::unexpected(status.error());
    if (workspace.bytes < workspace_bytes())
      return failure("the workspace holds " + std::to_string(workspace.bytes) + " bytes, the plan needs " + std::to_string(workspace_bytes()));
    auto op = std::make_unique<CublasOp>(product_, arm_, inputs, outputs, workspace, stream.native());
    if (auto status = op->prepare(sm_count_target_); !status) return tl::unexpected(status.error());
    return op;
  }

 private:
  Product product_;
  CublasArm arm_;
  int sm_count_target_;
  std::string version_;
};

Result<int> compute_capability() {
  int device = 0, major = 0, minor = 0;
  DETBENCH_CUDA_TRY(cudaGetDevice(&device));
  DETBENCH_CUDA_TRY(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
  DETBENCH_CUDA_TRY(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device));
  return major * 10 + minor;
}

class CublasProducts final : public Provider {
 public:
  explicit CublasProducts(const AlgorithmSearch& search) : search_(search) {}
  std::string_view name() const override { return "cublas"; }

  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    const auto product = parse_product(problem);
    if (!product) return tl::unexpected(product.error());
    if (auto status = usable(device); !status) return no_offers(name(), status.error());
    if (auto status = device.activate(); !status) return tl::unexpected(status.error());
    const auto library = cublas::library();
    if (!library) return no_offers(name(), library.error());
    const auto capability = compute_capability();
    if (!capability) return tl::unexpected(capability.error());
    std::vector<Offer> offers;
    for (const auto& arm : cublas_arms(product->gemm, *capability)) {
      Offer offer;
      offer.algorithm = to_algorithm(arm, product->gemm, cublas::version_text((*library)->version));
      if (auto status = exists(arm, product->gemm, **library, *capability); !status) offer.unsupported = status.error();
      else if (const auto bytes = total_workspace(*product, arm); bytes > search_.workspace_cap_bytes)
        offer.unsupported = Reason{"it wants " + std::to_string(bytes) + " bytes of workspace, the cap is " + std::to_string(search_.workspace_cap_bytes),
                                   Reason::Kind::unsupported};
      if (*capability >= 80)
        offer.notes["legacy_algorithms"] = "CUBLAS_GEMM_ALGO0 and following are ignored from compute capability 8.0 on, so they are not offered";
      offers.push_back(std::move(offer));
    }
    return offers;
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    auto product = parse_product(problem);
    if (!product) return tl::unexpected(product.error());
    auto arm = parse_cublas_arm(algorithm);
    if (!arm) return tl::unexpected(arm.error());
    if (auto status = usable(device); !status) return tl::unexpected(status.error());
    if (auto status = device.activate(); !status) return tl::unexpected(status.error());
    const auto library = cublas::library();
    if (!library) return tl::unexpected(library.error());
    const auto capability = compute_capability();
    if (!capability) return tl::unexpected(capability.error());
    if (auto status = exists(*arm, product->gemm, **library, *capability); !status) return tl::unexpected(status.error());
    return std::make_unique<CublasPlan>(std::move(*product), std::move(*arm), device.configuration().sm_count_target,
                                        cublas::version_text((*library)->version));
  }

 private:
  static Status usable(Device& device) {
    if (device.kind() != DeviceKind::cuda) return unsupported("cuBLAS runs on a GPU");
    return check_cublas_environment();
  }
  static Status exists(const CublasArm& arm, const cublas::Gemm& gemm, const cublas::Library& library, int capability) {
    using Math = CublasArm::Math;
    if (gemm.tf32 && arm.math != Math::library)
      return unsupported("a TF32 product has no math mode of its own: without math= it is what cuBLAS calls FAST_TF32");
    if ((arm.is_wide() || arm.math == Math::bf16x9) && gemm.input != DataType::f32) return unsupported("this math mode is for f32 operands");
    if (arm.math == Math::fixed_point_f64 && library.version < cublas::first_version_with_fixed_point)
      return unsupported("fixed-point emulation of f64 came with cuBLAS 13.1");
    if (arm.math != Math::bf16x9) return {};
    if (library.version < cublas::first_version_with_bf16x9) return unsupported("BF16x9 emulation came with cuBLAS 12.9");
    if (capability != 100 && capability != 103)
      return unsupported("cuBLAS emulates f32 by BF16x9 on compute capability 10.0 and 10.3 only; this GPU has " + std::to_string(capability / 10) + "." +
                         std::to_string(capability % 10));
    return {};
  }
  AlgorithmSearch search_;
};

}  // namespace

std::unique_ptr<Provider> make_cublas_products(const AlgorithmSearch& search) { return std::make_unique<CublasProducts>(search); }

}  // namespace detbench
