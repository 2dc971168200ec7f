// The CUDA runtime's functions over the emulated GPU, called as nvcc's code and ours call them, with kernels written as PTX.
#include <cuda_runtime_api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "tests/emulated_gpu/device_thread.hpp"
#include "tests/emulated_gpu/fatbin.hpp"

extern "C" {
void** __cudaRegisterFatBinary(void* wrapper);
void __cudaRegisterFatBinaryEnd(void** handle);
void __cudaRegisterFunction(void** handle, const char* host_function, char* device_function, const char* name, int, uint3*, uint3*, dim3*, dim3*, int*);
unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, std::size_t shared_bytes, CUstream_st* stream);
cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, std::size_t* shared_bytes, void* stream);
cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void* host_function);
cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments, std::size_t shared_bytes, cudaStream_t stream);
}

namespace detbench::emulated {
namespace {

constexpr char ptx[] = R"(
.version 9.0
.target sm_90
.address_size 64

.visible .entry add_one(.param .u64 add_one_param_0, .param .u32 add_one_param_1)
{
  .reg .pred %p<2>;
  .reg .b32 %r<8>;
  .reg .b64 %rd<5>;
  ld.param.u64 %rd1, [add_one_param_0];
  ld.param.u32 %r1, [add_one_param_1];
  mov.u32 %r2, %ctaid.x;
  mov.u32 %r3, %ntid.x;
  mov.u32 %r4, %tid.x;
  mad.lo.s32 %r5, %r2, %r3, %r4;
  setp.ge.u32 %p1, %r5, %r1;
  @%p1 bra $L_end;
  cvta.to.global.u64 %rd2, %rd1;
  mul.wide.u32 %rd3, %r5, 4;
  add.s64 %rd4, %rd2, %rd3;
  ld.global.u32 %r6, [%rd4];
  add.s32 %r7, %r6, 1;
  st.global.u32 [%rd4], %r7;
$L_end:
  ret;
}

.visible .entry wait_for(.param .u64 wait_for_param_0)
{
  .reg .pred %p<2>;
  .reg .b32 %r<2>;
  .reg .b64 %rd<3>;
  ld.param.u64 %rd1, [wait_for_param_0];
  cvta.to.global.u64 %rd2, %rd1;
$L_again:
  ld.volatile.global.u32 %r1, [%rd2];
  setp.eq.s32 %p1, %r1, 0;
  @%p1 bra $L_again;
  ret;
}

.visible .entry doubled(.param .u64 doubled_param_0)
{
  .reg .b32 %r<3>;
  .reg .b64 %rd<3>;
  ld.param.u64 %rd1, [doubled_param_0];
  cvta.to.global.u64 %rd2, %rd1;
  ld.global.u32 %r1, [%rd2];
  shl.b32 %r2, %r1, 1;
  st.global.u32 [%rd2], %r2;
  ret;
}

.visible .entry limited(.param .u64 limited_param_0)
.maxntid 64, 1, 1
{
  .shared .align 4 .b8 held[1024];
  .reg .b32 %r<3>;
  mov.u32 %r1, held;
  mov.u32 %r2, 7;
  st.shared.u32 [%r1], %r2;
  ret;
}
)";

/// The host functions that stand for the kernels: their addresses are all that counts.
char add_one, wait_for, doubled, limited, unknown;

/// As the code does that nvcc puts into every file.
void register_kernels() {
  static const std::string fatbin = [] {
    constexpr std::uint32_t entry_header_bytes = 64;
    const std::size_t contents = (sizeof ptx + 7) / 8 * 8;
    const FatbinEntry entry{FatbinEntry::kind_ptx, 0x101, entry_header_bytes, contents, 0, 0, 0, 9, 90};
    const FatbinHeader header{FatbinHeader::right_magic, 1, sizeof header, entry_header_bytes + contents};
    std::string bytes(sizeof header + entry_header_bytes + contents, '\0');
    std::memcpy(bytes.data(), &header, sizeof header);
    std::memcpy(bytes.data() + sizeof header, &entry, sizeof entry);
    std::memcpy(bytes.data() + sizeof header + entry_header_bytes, ptx, sizeof ptx);
    return bytes;
  }();
  static FatbinWrapper wrapper{FatbinWrapper::right_magic, 1, fatbin.data(), nullptr};
  void** handle = __cudaRegisterFatBinary(&wrapper);
  const auto add = [&](char& host_function, const char* name) {
    __cudaRegisterFunction(handle, &host_function, nullptr, name, -1, nullptr, nullptr, nullptr, nullptr, nullptr);
  };
  add(add_one, "add_one");
  add(wait_for, "wait_for");
  add(doubled, "doubled");
  add(limited, "limited");
  __cudaRegisterFatBinaryEnd(handle);
}
const bool registered = (register_kernels(), true);

template <class... Arguments>
cudaError_t launch(const char& kernel, dim3 grid, dim3 block, std::size_t shared_bytes, cudaStream_t stream, Arguments... arguments) {
  void* pointers[] = {&arguments..., nullptr};
  return cudaLaunchKernel(&kernel, grid, block, pointers, shared_bytes, stream);
}

#define ASSERT_CUDA(call) ASSERT_EQ(call, cudaSuccess)
#define EXPECT_CUDA(call) EXPECT_EQ(call, cudaSuccess)

struct Numbers {
  explicit Numbers(std::uint32_t count) : count(count) {
    EXPECT_CUDA(cudaMalloc(reinterpret_cast<void**>(&device), count * sizeof(std::uint32_t)));
    EXPECT_CUDA(cudaMemsetAsync(device, 0, count * sizeof(std::uint32_t), nullptr));
    EXPECT_CUDA(cudaStreamSynchronize(nullptr));
  }
  ~Numbers() { EXPECT_CUDA(cudaFree(device)); }
  std::vector<std::uint32_t> values() const {
    std::vector<std::uint32_t> all(count);
    EXPECT_CUDA(cudaMemcpy(all.data(), device, count * sizeof(std::uint32_t), cudaMemcpyDeviceToHost));
    return all;
  }
  std::uint32_t count;
  std::uint32_t* device = nullptr;
};

struct Stream {
  explicit Stream(unsigned flags = cudaStreamNonBlocking) { EXPECT_CUDA(cudaStreamCreateWithFlags(&handle, flags)); }
  ~Stream() { EXPECT_CUDA(cudaStreamDestroy(handle)); }
  cudaStream_t handle = nullptr;
};

struct Event {
  explicit Event(unsigned flags = cudaEventDefault) { EXPECT_CUDA(cudaEventCreateWithFlags(&handle, flags)); }
  ~Event() { EXPECT_CUDA(cudaEventDestroy(handle)); }
  cudaEvent_t handle = nullptr;
};

/// A kernel in `stream` that runs until it is let go, at the latest at the end of the scope.
struct Held {
  explicit Held(cudaStream_t stream) : stream(stream) {
    EXPECT_CUDA(cudaHostAlloc(reinterpret_cast<void**>(&flag), sizeof *flag, cudaHostAllocMapped));
    *flag = 0;
    EXPECT_CUDA(launch(wait_for, 1, 1, 0, stream, flag));
  }
  void let_go() { std::atomic_ref(*flag).store(1); }
  ~Held() {
    let_go();
    EXPECT_CUDA(cudaFreeHost(flag));
  }
  cudaStream_t stream;
  std::uint32_t* flag = nullptr;
};

void expect_noted(cudaError_t error) {
  EXPECT_EQ(cudaPeekAtLastError(), error);
  EXPECT_EQ(cudaGetLastError(), error);
  EXPECT_CUDA(cudaGetLastError());
}

// ---- memory -----------------------------------------------------------------------------------------------------------------

TEST(EmulatedMemory, IsFullOfNansAtFirstAndGoneAfterItsRelease) {
  float* memory = nullptr;
  ASSERT_CUDA(cudaMalloc(reinterpret_cast<void**>(&memory), 12));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % 512, 256u);
  float held[3] = {};
  ASSERT_CUDA(cudaMemcpy(held, memory, 12, cudaMemcpyDeviceToHost));
  for (const float value : held) EXPECT_TRUE(value != value);
  ASSERT_CUDA(cudaFree(memory));
  EXPECT_EQ(cudaMemcpy(held, memory, 12, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFree(memory), cudaErrorInvalidValue);
  expect_noted(cudaErrorInvalidValue);
}

TEST(EmulatedMemory, EndsWhereItsAllocationEnds) {
  const Numbers numbers(4);
  std::uint32_t host[8] = {};
  EXPECT_EQ(cudaMemcpy(host, numbers.device, 17, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(numbers.device + 1, host, 16, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(host, host + 4, 16, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemsetAsync(host, 0, 16, nullptr), cudaErrorInvalidValue);
  cudaGetLastError();
}

TEST(EmulatedMemory, IsLimited) {
  std::size_t free_bytes = 0, total_bytes = 0, less = 0;
  ASSERT_CUDA(cudaMemGetInfo(&free_bytes, &total_bytes));
  {
    const Numbers numbers(1024);
    ASSERT_CUDA(cudaMemGetInfo(&less, &total_bytes));
    EXPECT_EQ(free_bytes - less, 4096u);
  }
  void* memory = nullptr;
  EXPECT_EQ(cudaMalloc(&memory, free_bytes + 1), cudaErrorMemoryAllocation);
  expect_noted(cudaErrorMemoryAllocation);
  EXPECT_STREQ(cudaGetErrorString(cudaErrorMemoryAllocation), "out of memory");
}

TEST(EmulatedMemory, ComesOutOfAPoolAsItWentIn) {
  cudaMemPoolProps properties{};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location.type = cudaMemLocationTypeDevice;
  cudaMemPool_t pool = nullptr;
  ASSERT_CUDA(cudaMemPoolCreate(&pool, &properties));
  std::uint64_t keep_all = UINT64_MAX;
  ASSERT_CUDA(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep_all));
  const auto allocate_and_free = [&](std::uint32_t& held) {
    void* memory = nullptr;
    EXPECT_CUDA(cudaMallocFromPoolAsync(&memory, 64, pool, nullptr));
    EXPECT_CUDA(cudaMemcpyAsync(&held, memory, sizeof held, cudaMemcpyDeviceToHost, nullptr));
    EXPECT_CUDA(cudaMemsetAsync(memory, 5, 64, nullptr));
    EXPECT_CUDA(cudaFreeAsync(memory, nullptr));
    EXPECT_CUDA(cudaStreamSynchronize(nullptr));
    return memory;
  };
  std::uint32_t first = 0, second = 0;
  void* const memory = allocate_and_free(first);
  EXPECT_EQ(allocate_and_free(second), memory);
  EXPECT_EQ(first, 0xFFFBFFFBu);
  EXPECT_EQ(second, 0x05050505u);
  ASSERT_CUDA(cudaMemPoolDestroy(pool));
}

// ---- launches -----------------------------------------------------------------------------------------------------------------

TEST(EmulatedLaunch, RunsAsTheCodeOfNvccLaunches) {
  Numbers numbers(100);
  cudaKernel_t kernel = nullptr;
  ASSERT_CUDA(__cudaGetKernel(&kernel, &add_one));
  ASSERT_EQ(__cudaPushCallConfiguration(4, 32, 0, nullptr), 0u);
  dim3 grid, block;
  std::size_t shared_bytes = 1;
  cudaStream_t stream = nullptr;
  ASSERT_CUDA(__cudaPopCallConfiguration(&grid, &block, &shared_bytes, &stream));
  std::uint32_t count = 99;
  void* arguments[] = {&numbers.device, &count};
  ASSERT_CUDA(__cudaLaunchKernel(kernel, grid, block, arguments, shared_bytes, stream));
  std::vector<std::uint32_t> expected(100, 1);
  expected.back() = 0;
  EXPECT_EQ(numbers.values(), expected);
  EXPECT_EQ(__cudaGetKernel(&kernel, &unknown), cudaErrorInvalidDeviceFunction);
  cudaGetLastError();
}

TEST(EmulatedLaunch, RefusesSizesAsARealOneDoes) {
  const Numbers numbers(1);
  const auto sized = [&](dim3 grid, dim3 block, std::size_t shared_bytes = 0) { return launch(add_one, grid, block, shared_bytes, nullptr, numbers.device, 0u); };
  EXPECT_CUDA(sized(1, 1024));
  EXPECT_EQ(sized(0, 32), cudaErrorInvalidConfiguration);
  EXPECT_EQ(sized(1, 0), cudaErrorInvalidConfiguration);
  EXPECT_EQ(sized(1, 1025), cudaErrorInvalidConfiguration);
  EXPECT_EQ(sized(1, {32, 33, 1}), cudaErrorInvalidConfiguration);
  EXPECT_EQ(sized(1, {1, 1, 65}), cudaErrorInvalidConfiguration);
  EXPECT_EQ(sized({1, 65536, 1}, 32), cudaErrorInvalidConfiguration);
  EXPECT_CUDA(sized(1, 32, 48 << 10));
  EXPECT_EQ(sized(1, 32, (48 << 10) + 1), cudaErrorInvalidValue);
  expect_noted(cudaErrorInvalidValue);
  EXPECT_EQ(launch(unknown, 1, 1, 0, nullptr, 0), cudaErrorInvalidDeviceFunction);
  EXPECT_CUDA(launch(limited, 1, 64, 0, nullptr, numbers.device));
  EXPECT_EQ(launch(limited, 1, 65, 0, nullptr, numbers.device), cudaErrorInvalidValue);
  cudaGetLastError();
}

TEST(EmulatedLaunch, GivesMoreSharedMemoryWhereItIsAskedFor) {
  const Numbers numbers(1);
  cudaFuncAttributes attributes;
  ASSERT_CUDA(cudaFuncGetAttributes(&attributes, &limited));
  EXPECT_EQ(attributes.sharedSizeBytes, 1024u);
  EXPECT_EQ(attributes.maxThreadsPerBlock, 64);
  EXPECT_EQ(attributes.maxDynamicSharedSizeBytes, 47 << 10);
  EXPECT_EQ(attributes.ptxVersion, 90);
  EXPECT_EQ(launch(limited, 1, 64, 100 << 10, nullptr, numbers.device), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFuncSetAttribute(&limited, cudaFuncAttributeMaxDynamicSharedMemorySize, 227 << 10), cudaErrorInvalidValue);
  ASSERT_CUDA(cudaFuncSetAttribute(&limited, cudaFuncAttributeMaxDynamicSharedMemorySize, 100 << 10));
  EXPECT_CUDA(launch(limited, 1, 64, 100 << 10, nullptr, numbers.device));
  int blocks = 0;
  ASSERT_CUDA(cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(&blocks, &limited, 64, 0, 0));
  EXPECT_EQ(blocks, 32);
  ASSERT_CUDA(cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(&blocks, &limited, 64, 100 << 10, 0));
  EXPECT_EQ(blocks, 2);
  cudaGetLastError();
}

// ---- streams and events -------------------------------------------------------------------------------------------------------

TEST(EmulatedStream, GoesOnWhileAnotherIsHeldUp) {
  Stream first, second;
  Numbers numbers(1);
  Held held(first.handle);
  ASSERT_CUDA(launch(add_one, 1, 1, 0, second.handle, numbers.device, 1u));
  ASSERT_CUDA(cudaStreamSynchronize(second.handle));
  EXPECT_EQ(cudaStreamQuery(first.handle), cudaErrorNotReady);
  expect_noted(cudaErrorNotReady);
  held.let_go();
  ASSERT_CUDA(cudaStreamSynchronize(first.handle));
  EXPECT_CUDA(cudaStreamQuery(first.handle));
  EXPECT_EQ(numbers.values(), std::vector{1u});
}

TEST(EmulatedStream, WaitsForTheDefaultStreamUnlessItIsNonBlocking) {
  Stream blocking(cudaStreamDefault), free(cudaStreamNonBlocking);
  Numbers numbers(1);
  {
    const Held held(blocking.handle);
    ASSERT_CUDA(launch(add_one, 1, 1, 0, nullptr, numbers.device, 1u));
    EXPECT_EQ(cudaStreamQuery(nullptr), cudaErrorNotReady);
    ASSERT_CUDA(launch(add_one, 1, 1, 0, free.handle, numbers.device, 1u));
    ASSERT_CUDA(cudaStreamSynchronize(free.handle));
  }
  {
    const Held held(nullptr);
    ASSERT_CUDA(launch(add_one, 1, 1, 0, blocking.handle, numbers.device, 1u));
    EXPECT_EQ(cudaStreamQuery(blocking.handle), cudaErrorNotReady);
  }
  {
    const Held held(free.handle);
    EXPECT_EQ(numbers.values(), std::vector{3u});
  }
  cudaGetLastError();
}

TEST(EmulatedStream, CopiesWhenItsTurnComes) {
  Stream stream;
  Numbers numbers(1);
  std::uint32_t host = 7, back = 0;
  {
    const Held held(stream.handle);
    ASSERT_CUDA(cudaMemcpyAsync(numbers.device, &host, sizeof host, cudaMemcpyHostToDevice, stream.handle));
    ASSERT_CUDA(cudaMemcpyAsync(&back, numbers.device, sizeof back, cudaMemcpyDeviceToHost, stream.handle));
    host = 8;
    EXPECT_EQ(back, 0u);
  }
  ASSERT_CUDA(cudaStreamSynchronize(stream.handle));
  EXPECT_EQ(back, 8u);
}

TEST(EmulatedEvent, OrdersStreams) {
  Stream first, second;
  Event event;
  Numbers numbers(1);
  {
    const Held held(first.handle);
    ASSERT_CUDA(launch(add_one, 1, 1, 0, first.handle, numbers.device, 1u));
    ASSERT_CUDA(cudaEventRecord(event.handle, first.handle));
    ASSERT_CUDA(cudaStreamWaitEvent(second.handle, event.handle, 0));
    ASSERT_CUDA(launch(doubled, 1, 1, 0, second.handle, numbers.device));
    EXPECT_EQ(cudaStreamQuery(second.handle), cudaErrorNotReady);
  }
  ASSERT_CUDA(cudaStreamSynchronize(second.handle));
  EXPECT_EQ(numbers.values(), std::vector{2u});
  cudaGetLastError();
}

TEST(EmulatedEvent, TellsTheTimeBetweenTwo) {
  Stream stream;
  Event first, second, without_time(cudaEventDisableTiming);
  float milliseconds = -1;
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, first.handle, second.handle), cudaErrorInvalidResourceHandle);
  ASSERT_CUDA(cudaEventRecord(first.handle, stream.handle));
  {
    const Held held(stream.handle);
    ASSERT_CUDA(cudaEventRecord(second.handle, stream.handle));
    ASSERT_CUDA(cudaEventRecord(without_time.handle, stream.handle));
    EXPECT_EQ(cudaEventElapsedTime(&milliseconds, first.handle, second.handle), cudaErrorNotReady);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  ASSERT_CUDA(cudaStreamSynchronize(stream.handle));
  ASSERT_CUDA(cudaEventElapsedTime(&milliseconds, first.handle, second.handle));
  EXPECT_GE(milliseconds, 1.0f);
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, first.handle, without_time.handle), cudaErrorInvalidResourceHandle);
  cudaGetLastError();
}

// ---- captures and graphs ------------------------------------------------------------------------------------------------------

TEST(EmulatedGraph, RepeatsWhatTwoStreamsWereCaptured) {
  Stream origin, branch;
  Event forked(cudaEventDisableTiming), joined(cudaEventDisableTiming);
  Numbers numbers(1);
  ASSERT_CUDA(cudaStreamBeginCapture(origin.handle, cudaStreamCaptureModeThreadLocal));
  ASSERT_CUDA(launch(add_one, 1, 1, 0, origin.handle, numbers.device, 1u));
  ASSERT_CUDA(cudaEventRecord(forked.handle, origin.handle));
  ASSERT_CUDA(cudaStreamWaitEvent(branch.handle, forked.handle, 0));
  ASSERT_CUDA(launch(doubled, 1, 1, 0, branch.handle, numbers.device));
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  ASSERT_CUDA(cudaStreamIsCapturing(branch.handle, &status));
  EXPECT_EQ(status, cudaStreamCaptureStatusActive);
  ASSERT_CUDA(cudaEventRecord(joined.handle, branch.handle));
  ASSERT_CUDA(cudaStreamWaitEvent(origin.handle, joined.handle, 0));
  ASSERT_CUDA(launch(add_one, 1, 1, 0, origin.handle, numbers.device, 1u));
  cudaGraph_t graph = nullptr;
  ASSERT_CUDA(cudaStreamEndCapture(origin.handle, &graph));
  EXPECT_EQ(numbers.values(), std::vector{0u});  // nothing ran

  cudaGraphExec_t executable = nullptr;
  ASSERT_CUDA(cudaGraphInstantiate(&executable, graph, 0));
  ASSERT_CUDA(cudaGraphDestroy(graph));
  for (int i = 0; i < 3; ++i) ASSERT_CUDA(cudaGraphLaunch(executable, i == 1 ? branch.handle : origin.handle));
  ASSERT_CUDA(cudaGraphExecDestroy(executable));  // what was launched goes on
  ASSERT_CUDA(cudaStreamSynchronize(origin.handle));
  EXPECT_EQ(numbers.values(), std::vector{21u});  // x -> (x + 1) * 2 + 1
  ASSERT_CUDA(cudaStreamIsCapturing(branch.handle, &status));
  EXPECT_EQ(status, cudaStreamCaptureStatusNone);
}

/// The error of ending the capture that `spoil` was called in, and of the call after it.
template <class Spoil>
std::pair<cudaError_t, cudaError_t> spoiled(const Stream& origin, Spoil spoil) {
  EXPECT_CUDA(cudaStreamBeginCapture(origin.handle, cudaStreamCaptureModeThreadLocal));
  const cudaError_t error = spoil();
  cudaGraph_t graph = nullptr;
  const cudaError_t ended = cudaStreamEndCapture(origin.handle, &graph);
  EXPECT_EQ(graph, nullptr);
  EXPECT_CUDA(cudaStreamSynchronize(origin.handle));  // usable again
  cudaGetLastError();
  return {error, ended};
}

TEST(EmulatedGraph, RefusesWhatCannotBeCaptured) {
  Stream origin, other, blocking(cudaStreamDefault);
  Event event;
  Numbers numbers(1);
  using Errors = std::pair<cudaError_t, cudaError_t>;
  const Errors unsupported{cudaErrorStreamCaptureUnsupported, cudaErrorStreamCaptureInvalidated};
  EXPECT_EQ(spoiled(origin, [&] { return cudaStreamSynchronize(origin.handle); }), unsupported);
  EXPECT_EQ(spoiled(origin, [&] { return cudaStreamQuery(origin.handle); }), unsupported);
  EXPECT_EQ(spoiled(origin, [&] { return cudaDeviceSynchronize(); }), unsupported);
  void* memory = nullptr;
  EXPECT_EQ(spoiled(origin, [&] { return cudaMalloc(&memory, 16); }), unsupported);
  EXPECT_EQ(spoiled(origin, [&] { return cudaMemcpy(&memory, numbers.device, 4, cudaMemcpyDeviceToHost); }), unsupported);
  ASSERT_CUDA(cudaEventRecord(event.handle, other.handle));
  EXPECT_EQ(spoiled(origin, [&] { return cudaStreamWaitEvent(origin.handle, event.handle, 0); }),
            Errors(cudaErrorStreamCaptureIsolation, cudaErrorStreamCaptureInvalidated));
  EXPECT_EQ(spoiled(blocking, [&] { return launch(add_one, 1, 1, 0, nullptr, numbers.device, 1u); }),
            Errors(cudaErrorStreamCaptureImplicit, cudaErrorStreamCaptureInvalidated));
  EXPECT_EQ(spoiled(origin,
                    [&] {
                      EXPECT_CUDA(cudaEventRecord(event.handle, origin.handle));
                      EXPECT_CUDA(cudaStreamWaitEvent(other.handle, event.handle, 0));
                      return launch(add_one, 1, 1, 0, other.handle, numbers.device, 1u);
                    }),
            Errors(cudaSuccess, cudaErrorStreamCaptureUnjoined));
  EXPECT_EQ(numbers.values(), std::vector{0u});
}

TEST(EmulatedGraph, LetsOtherThreadsBe) {
  Stream origin;
  ASSERT_CUDA(cudaStreamBeginCapture(origin.handle, cudaStreamCaptureModeThreadLocal));
  cudaGraph_t graph = nullptr;
  std::thread([&] {
    EXPECT_EQ(Numbers(3).values(), std::vector(3, 0u));
    EXPECT_EQ(cudaStreamEndCapture(origin.handle, &graph), cudaErrorStreamCaptureWrongThread);
  }).join();
  EXPECT_CUDA(cudaGetLastError());  // errors are each thread's own
  ASSERT_CUDA(cudaStreamEndCapture(origin.handle, &graph));
  EXPECT_CUDA(cudaGraphDestroy(graph));
}

// ---- the device ---------------------------------------------------------------------------------------------------------------

TEST(EmulatedDevice, SaysThatItIsNoGpu) {
  cudaDeviceProp properties;
  ASSERT_CUDA(cudaGetDeviceProperties(&properties, 0));
  EXPECT_STREQ(properties.name, "Emulated GPU");
  EXPECT_EQ(properties.major * 10 + properties.minor, 90);
  int multiprocessors = 0;
  ASSERT_CUDA(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, 0));
  EXPECT_EQ(multiprocessors, properties.multiProcessorCount);
  EXPECT_EQ(cudaGetDeviceProperties(&properties, 1), cudaErrorInvalidDevice);
  cudaGetLastError();
}

TEST(EmulatedDevice, HasOfTheDriverGreenContextsAlone) {
  const auto state_of = [](const char* name) {
    void* function = nullptr;
    auto state = cudaDriverEntryPointVersionNotSufficent;
    EXPECT_CUDA(cudaGetDriverEntryPointByVersion(name, &function, 12040, cudaEnableDefault, &state));
    EXPECT_EQ(function != nullptr, state == cudaDriverEntryPointSuccess);
    return state;
  };
  EXPECT_EQ(state_of("cuGreenCtxCreate"), cudaDriverEntryPointSuccess);
  EXPECT_EQ(state_of("cuMemAlloc"), cudaDriverEntryPointSymbolNotFound);
}

// ---- what ends everything -----------------------------------------------------------------------------------------------------

/// In a program of its own: prints the errors that follow each other once the device is lost.
void lose_the_device(const std::uint32_t* address) {
  Stream stream;
  EXPECT_CUDA(launch(add_one, 1, 1, 0, stream.handle, address, 1u));
  const cudaError_t first = cudaStreamSynchronize(stream.handle);
  void* memory = nullptr;
  const bool sticks = cudaGetLastError() == first && cudaGetLastError() == first && cudaMalloc(&memory, 1) == first;
  std::fprintf(stderr, "%s, %s\n", cudaGetErrorString(first), sticks ? "and it sticks" : "and it is forgotten");
  std::_Exit(sticks ? 0 : 1);
}

TEST(EmulatedFaultDeathTest, LosesTheDevice) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  std::uint32_t pageable = 0;
  EXPECT_EXIT(lose_the_device(&pageable), testing::ExitedWithCode(0), "emulated GPU: .*add_one.*\n.*illegal memory access was encountered, and it sticks");
  Numbers freed(1);
  EXPECT_EXIT(
      {
        EXPECT_CUDA(cudaFree(freed.device));
        lose_the_device(freed.device);
      },
      testing::ExitedWithCode(0), "illegal memory access was encountered, and it sticks");
  EXPECT_EXIT(lose_the_device(freed.device + 1), testing::ExitedWithCode(0), "illegal memory access was encountered, and it sticks");
}

// ---- the order of tasks -------------------------------------------------------------------------------------------------------

/// The order in which two independent tasks and one that comes after the first are done.
std::string order_of_tasks(Schedule::Order order, std::uint64_t seed = 0) {
  std::mutex mutex;
  DeviceThread device(mutex, {order, seed, 200});
  std::string done;
  const auto letter = [&](char c) {
    return [&done, c]() -> std::unique_ptr<Run> {
      done += c;
      return nullptr;
    };
  };
  DeviceThread::Lock lock(mutex);  // the thread begins when this one waits
  const auto a = device.submit(letter('a'), {});
  device.submit(letter('b'), {});
  device.submit(letter('c'), {a});
  device.wait_for_all(lock);
  lock.unlock();
  device.stop();
  return done;
}

TEST(EmulatedOrder, IsAskedForByName) {
  EXPECT_EQ(order_of_tasks(Schedule::Order::in_order), "abc");
  EXPECT_EQ(order_of_tasks(Schedule::Order::reversed), "bac");
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 20; ++seed) seen.insert(order_of_tasks(Schedule::Order::random, seed));
  EXPECT_THAT(seen, testing::IsSupersetOf({"abc", "bac"}));
  for (const auto& order : seen) EXPECT_LT(order.find('a'), order.find('c'));
}

}  // namespace
}  // namespace detbench::emulated
