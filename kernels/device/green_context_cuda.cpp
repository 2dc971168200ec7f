#include "kernels/device/green_context.hpp"

#include <cuda.h>

#include <string>

#include "kernels/device/cuda_check.hpp"
#include "kernels/device/sm_partition.hpp"

namespace detbench::cuda {
namespace {

/// The driver functions by their declarations in cuda.h; taking a function's type links nothing.
struct Driver {
  decltype(&cuDeviceGet) device_get = nullptr;
  decltype(&cuDeviceGetDevResource) get_resource = nullptr;
  decltype(&cuDevSmResourceSplitByCount) split = nullptr;
  decltype(&cuDevResourceGenerateDesc) generate = nullptr;
  decltype(&cuGreenCtxCreate) create = nullptr;
  decltype(&cuGreenCtxDestroy) destroy = nullptr;
  decltype(&cuGreenCtxStreamCreate) create_stream = nullptr;
};

template <class F>
Status fetch(const char* name, unsigned version, F& function) {
  void* found = nullptr;
  auto state = cudaDriverEntryPointSymbolNotFound;
  // A driver older than the version asked for answers "invalid value"; one without the function, a null pointer.
  const auto error = cudaGetDriverEntryPointByVersion(name, &found, version, cudaEnableDefault, &state);
  if (error != cudaSuccess || state != cudaDriverEntryPointSuccess || found == nullptr) {
    cudaGetLastError();
    return unsupported(std::string("no green contexts here: this driver has no ") + name + " (it came with CUDA " +
                       std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10) + ")");
  }
  function = reinterpret_cast<F>(found);
  return {};
}

Result<Driver> load_driver() {
  Driver driver;
  Status done = fetch("cuDeviceGet", 2000, driver.device_get);
  if (done) done = fetch("cuDeviceGetDevResource", 12040, driver.get_resource);
  if (done) done = fetch("cuDevSmResourceSplitByCount", 12040, driver.split);
  if (done) done = fetch("cuDevResourceGenerateDesc", 12040, driver.generate);
  if (done) done = fetch("cuGreenCtxCreate", 12040, driver.create);
  if (done) done = fetch("cuGreenCtxDestroy", 12040, driver.destroy);
  if (done) done = fetch("cuGreenCtxStreamCreate", 12050, driver.create_stream);
  if (!done) return tl::unexpected(done.error());
  return driver;
}

const Result<Driver>& driver() {
  static const Result<Driver> loaded = load_driver();
  return loaded;
}

Status checked(CUresult result, const std::string& call) {
  if (result == CUDA_SUCCESS) return {};
  const auto kind = result == CUDA_ERROR_OUT_OF_MEMORY ? Reason::Kind::out_of_memory : Reason::Kind::unsupported;
  return failure(call + ": CUDA driver error " + std::to_string(static_cast<int>(result)), kind);
}

/// All multiprocessors of device 0, which is the runtime's device 0: both count the visible ones.
Result<CUdevResource> all_multiprocessors(const Driver& driver, CUdevice& device) {
  CUdevResource all{};
  Status done = checked(driver.device_get(&device, 0), "cuDeviceGet(0)");
  if (done) done = checked(driver.get_resource(device, &all, CU_DEV_RESOURCE_TYPE_SM), "cuDeviceGetDevResource");
  if (!done) return tl::unexpected(done.error());
  return all;
}

MultiprocessorLimits limits_of(const CUdevResource& all) {
  return {static_cast<int>(all.sm.smCount), static_cast<int>(all.sm.minSmPartitionSize),
          static_cast<int>(all.sm.smCoscheduledAlignment)};
}

}  // namespace

MultiprocessorLimits multiprocessor_limits(int count) {
  const MultiprocessorLimits undivided{count, 0, 0};
  if (!driver()) return undivided;
  CUdevice device = 0;
  const auto all = all_multiprocessors(*driver(), device);
  return all ? limits_of(*all) : undivided;
}

Result<std::shared_ptr<GreenContext>> GreenContext::make(int multiprocessors) {
  if (!driver()) return tl::unexpected(driver().error());
  const auto& functions = *driver();
  CUdevice device = 0;
  const auto all = all_multiprocessors(functions, device);
  if (!all) return tl::unexpected(all.error());
  const auto limits = limits_of(*all);
  const int size = round_partition(limits, multiprocessors);
  if (size == 0)
    return invalid_input("a green context of " + std::to_string(multiprocessors) + " multiprocessors does not exist here: there are " +
                         std::to_string(limits.count) + ", in multiples of " + std::to_string(limits.partition_step) + " from " +
                         std::to_string(limits.smallest_partition) + " on");
  CUdevResource part{}, rest{};
  unsigned groups = 1;
  const auto request = std::to_string(size) + " multiprocessors";
  CUdevResourceDesc descriptor = nullptr;
  CUgreenCtx context = nullptr;
  Status done = checked(functions.split(&part, &groups, &*all, &rest, 0, static_cast<unsigned>(size)),
                        "cuDevSmResourceSplitByCount(" + request + ")");
  if (done && groups != 1) done = unsupported("the driver makes no partition of " + request);
  if (done) done = checked(functions.generate(&descriptor, &part, 1), "cuDevResourceGenerateDesc(" + request + ")");
  if (done)
    done = checked(functions.create(&context, descriptor, device, CU_GREEN_CTX_DEFAULT_STREAM), "cuGreenCtxCreate(" + request + ")");
  if (!done) return tl::unexpected(done.error());
  return std::shared_ptr<GreenContext>(new GreenContext(context, static_cast<int>(part.sm.smCount)));
}

GreenContext::~GreenContext() { (*driver()).destroy(static_cast<CUgreenCtx>(context_)); }

Result<cudaStream_t> GreenContext::make_stream(int priority) const {
  CUstream stream = nullptr;
  const Status done = checked(
      (*driver()).create_stream(&stream, static_cast<CUgreenCtx>(context_), CU_STREAM_NON_BLOCKING, priority), "cuGreenCtxStreamCreate");
  if (!done) return tl::unexpected(done.error());
  return static_cast<cudaStream_t>(stream);
}

}  // namespace detbench::cuda
