#include "tests/emulated_gpu/registration.hpp"

#include <cuda_runtime_api.h>

#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "tests/emulated_gpu/fatbin.hpp"
#include "tests/emulated_gpu/runtime.hpp"

namespace detbench::emulated {
namespace {

struct Registered {
  std::mutex mutex;
  std::unordered_map<const void*, std::unique_ptr<CUkern_st>> by_host_function;
  std::unordered_set<const void*> kernels;
};

/// Never destroyed: files unregister themselves in any order at the end of the program.
Registered& registered() {
  static auto* all = new Registered;
  return *all;
}

struct File {
  std::shared_ptr<DeviceCode> code;
};

struct CallConfiguration {
  dim3 grid, block;
  std::size_t shared_bytes;
  void* stream;
};
/// Of the launches that `<<<...>>>` is about to make on this thread: an argument may launch, too.
thread_local std::vector<CallConfiguration> configured;

}  // namespace

const std::shared_ptr<Program>& DeviceCode::program() {
  if (program_) return program_;
  std::shared_ptr<const ptx::Module> module;
  try {
    module = ptx::Module::parse(ptx_of_fatbin(wrapper_));
  } catch (const Fault&) {
    throw;
  } catch (const std::exception& error) {
    throw Fault(Fault::Kind::unsupported, error.what());
  }
  program_ = std::make_shared<Program>(std::move(module));
  return program_;
}

CUkern_st* find_kernel(const void* function) {
  auto& all = registered();
  const std::lock_guard lock(all.mutex);
  if (const auto found = all.by_host_function.find(function); found != all.by_host_function.end()) return found->second.get();
  return all.kernels.contains(function) ? static_cast<CUkern_st*>(const_cast<void*>(function)) : nullptr;
}

}  // namespace detbench::emulated

using namespace detbench::emulated;

const Program::Attributes& CUkern_st::attributes() {
  const std::lock_guard lock(code->mutex());
  return code->program()->attributes(name);
}

// As crt/host_runtime.h declares them for the code that nvcc writes.
extern "C" {

void** __cudaRegisterFatBinary(void* wrapper) {
  return reinterpret_cast<void**>(new File{std::make_shared<DeviceCode>(wrapper)});
}

void __cudaRegisterFatBinaryEnd(void**) {}

void __cudaUnregisterFatBinary(void** handle) {
  // The program ends: nothing may run in memory that is about to go.
  stop_device();
  delete reinterpret_cast<File*>(handle);
}

void __cudaRegisterFunction(void** handle, const char* host_function, char*, const char* name, int, uint3*, uint3*, dim3*, dim3*, int*) {
  auto kernel = std::make_unique<CUkern_st>();
  kernel->code = reinterpret_cast<File*>(handle)->code;
  kernel->name = name;
  auto& all = registered();
  const std::lock_guard lock(all.mutex);
  // Templates and inline kernels come with every file that uses them; the linker kept one host function for all.
  const auto [place, is_new] = all.by_host_function.try_emplace(host_function, std::move(kernel));
  if (is_new) all.kernels.insert(place->second.get());
}

/// Kernels find their variables by themselves, and no function here takes a variable's host name.
void __cudaRegisterVar(void**, char*, char*, const char*, int, std::size_t, int, int) {}

unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, std::size_t shared_bytes, CUstream_st* stream) {
  configured.push_back({grid, block, shared_bytes, stream});
  return 0;
}

cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, std::size_t* shared_bytes, void* stream) {
  if (configured.empty()) return cudaErrorMissingConfiguration;
  const CallConfiguration last = configured.back();
  configured.pop_back();
  *grid = last.grid;
  *block = last.block;
  *shared_bytes = last.shared_bytes;
  *static_cast<void**>(stream) = last.stream;
  return cudaSuccess;
}

cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void* host_function) {
  *kernel = find_kernel(host_function);
  return *kernel ? cudaSuccess : cudaErrorInvalidDeviceFunction;
}

cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments, std::size_t shared_bytes, cudaStream_t stream) {
  return cudaLaunchKernel(kernel, grid, block, arguments, shared_bytes, stream);
}
}
