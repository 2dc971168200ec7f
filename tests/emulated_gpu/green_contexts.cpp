#include "tests/emulated_gpu/green_contexts.hpp"

#include <cuda.h>

#include <algorithm>

#include "tests/emulated_gpu/runtime.hpp"

/// What CUdevResourceDesc and CUgreenCtx point to. Descriptions are never freed: CUDA has no function for that.
struct CUdevResourceDesc_st {
  unsigned multiprocessors;
};
struct CUgreenCtx_st {
  int multiprocessors;
};

namespace detbench::emulated {
namespace {

/// Partitions are of so many multiprocessors, or a multiple.
constexpr unsigned partition_step = 2;

Handles<CUgreenCtx_st>& contexts() {
  static auto* all = new Handles<CUgreenCtx_st>;
  return *all;
}

/// call() for functions of the driver, which have errors of their own and note none.
template <class Body>
CUresult driver_call(Body body) {
  auto& state = runtime();
  const std::lock_guard lock(state.mutex);
  if (state.ended) return CUDA_ERROR_DEINITIALIZED;
  if (state.device.lost() != cudaSuccess) return static_cast<CUresult>(state.device.lost());
  return body(state);
}

CUresult device_get(CUdevice* device, int ordinal) {
  return driver_call([&](Runtime&) {
    if (ordinal != 0) return CUDA_ERROR_INVALID_DEVICE;
    *device = 0;
    return CUDA_SUCCESS;
  });
}

CUdevResource multiprocessors(unsigned count) {
  CUdevResource resource{};
  resource.type = CU_DEV_RESOURCE_TYPE_SM;
  resource.sm = {count, partition_step, partition_step};
  return resource;
}

CUresult get_resource(CUdevice device, CUdevResource* resource, CUdevResourceType type) {
  return driver_call([&](Runtime& state) {
    if (device != 0) return CUDA_ERROR_INVALID_DEVICE;
    if (!resource || type != CU_DEV_RESOURCE_TYPE_SM) return CUDA_ERROR_INVALID_RESOURCE_TYPE;
    *resource = multiprocessors(static_cast<unsigned>(state.shape.multiprocessors));
    return CUDA_SUCCESS;
  });
}

CUresult split(CUdevResource* parts, unsigned* count, const CUdevResource* all, CUdevResource* rest, unsigned, unsigned least) {
  return driver_call([&](Runtime&) {
    if (!count || *count == 0 || !all || all->type != CU_DEV_RESOURCE_TYPE_SM) return CUDA_ERROR_INVALID_VALUE;
    const unsigned size = (std::max(least, 1u) + partition_step - 1) / partition_step * partition_step;
    const unsigned groups = std::min(*count, all->sm.smCount / size);
    if (groups == 0) return CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION;
    for (unsigned i = 0; parts && i < groups; ++i) parts[i] = multiprocessors(size);
    if (rest) *rest = multiprocessors(all->sm.smCount - groups * size);
    *count = groups;
    return CUDA_SUCCESS;
  });
}

CUresult generate(CUdevResourceDesc* description, CUdevResource* resources, unsigned count) {
  return driver_call([&](Runtime&) {
    if (!description || !resources || count != 1 || resources->type != CU_DEV_RESOURCE_TYPE_SM) return CUDA_ERROR_INVALID_VALUE;
    *description = new CUdevResourceDesc_st{resources->sm.smCount};
    return CUDA_SUCCESS;
  });
}

CUresult create(CUgreenCtx* context, CUdevResourceDesc description, CUdevice device, unsigned flags) {
  return driver_call([&](Runtime&) {
    if (device != 0) return CUDA_ERROR_INVALID_DEVICE;
    if (!context || !description || flags != CU_GREEN_CTX_DEFAULT_STREAM) return CUDA_ERROR_INVALID_VALUE;
    *context = contexts().add(std::make_unique<CUgreenCtx_st>(CUgreenCtx_st{static_cast<int>(description->multiprocessors)}));
    return CUDA_SUCCESS;
  });
}

CUresult destroy(CUgreenCtx context) {
  return driver_call([&](Runtime&) { return contexts().remove(context) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT; });
}

CUresult create_stream(CUstream* stream, CUgreenCtx context, unsigned flags, int priority) {
  return driver_call([&](Runtime& state) {
    if (!contexts().find(context)) return CUDA_ERROR_INVALID_CONTEXT;
    if (!stream || flags != CU_STREAM_NON_BLOCKING) return CUDA_ERROR_INVALID_VALUE;
    auto made = std::make_unique<CUstream_st>();
    made->blocking = false;
    made->priority = priority;
    made->multiprocessors = context->multiprocessors;
    *stream = state.streams.add(std::move(made));
    return CUDA_SUCCESS;
  });
}

}  // namespace

void* driver_function(std::string_view name) {
  if (name == "cuDeviceGet") return reinterpret_cast<void*>(&device_get);
  if (name == "cuDeviceGetDevResource") return reinterpret_cast<void*>(&get_resource);
  if (name == "cuDevSmResourceSplitByCount") return reinterpret_cast<void*>(&split);
  if (name == "cuDevResourceGenerateDesc") return reinterpret_cast<void*>(&generate);
  if (name == "cuGreenCtxCreate") return reinterpret_cast<void*>(&create);
  if (name == "cuGreenCtxDestroy") return reinterpret_cast<void*>(&destroy);
  if (name == "cuGreenCtxStreamCreate") return reinterpret_cast<void*>(&create_stream);
  return nullptr;
}

}  // namespace detbench::emulated
