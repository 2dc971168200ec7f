// portable_math.hpp on a GPU against the same header on the host: bit for bit.
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <vector>

#include "kernels/tensor/philox.hpp"
#include "kernels/tensor/portable_math.hpp"

namespace detbench {
namespace {

constexpr int functions = 7;

__host__ __device__ float evaluate(int function, float x, float y) {
  switch (function) {
    case 0: return portable::exp(x);
    case 1: return portable::log(x);
    case 2: return portable::sigmoid(x);
    case 3: return portable::tanh(x);
    case 4: return portable::sin(x);
    case 5: return portable::cos(x);
    default: return portable::pow(x, y);
  }
}
__host__ __device__ double evaluate64(int function, double x) {
  switch (function) {
    case 0: return portable::exp(x);
    case 1: return portable::log(x);
    case 2: return portable::normal_quantile(x);
    case 3: return portable::sin(x);
    default: return portable::cos(x);
  }
}

__global__ void evaluate_all(int function, const float* x, const float* y, float* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = evaluate(function, x[i], y[i]);
}
__global__ void evaluate_all64(int function, const double* x, double* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = evaluate64(function, x[i]);
}

/// Device memory for the length of a test.
template <class T>
class OnDevice {
 public:
  explicit OnDevice(std::size_t n) { EXPECT_EQ(cudaMalloc(&memory_, n * sizeof(T)), cudaSuccess); }
  explicit OnDevice(const std::vector<T>& values) : OnDevice(values.size()) {
    EXPECT_EQ(cudaMemcpy(memory_, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice), cudaSuccess);
  }
  OnDevice(const OnDevice&) = delete;
  ~OnDevice() { cudaFree(memory_); }
  T* get() const { return memory_; }
  std::vector<T> read(std::size_t n) const {
    std::vector<T> values(n);
    EXPECT_EQ(cudaMemcpy(values.data(), memory_, n * sizeof(T), cudaMemcpyDeviceToHost), cudaSuccess);
    return values;
  }

 private:
  T* memory_ = nullptr;
};

class PortableMathOnDevice : public testing::Test {
 protected:
  void SetUp() override {
    int count = 0;
    const cudaError_t error = cudaGetDeviceCount(&count);
    if (error != cudaSuccess) GTEST_SKIP() << "no CUDA backend here: " << cudaGetErrorString(error);
    if (count == 0) GTEST_SKIP() << "no CUDA backend here: no GPU is visible";
  }
};

TEST_F(PortableMathOnDevice, F32FunctionsHaveTheHostsBits) {
  std::vector<float> x, y;
  for (std::uint64_t bits = 0; bits < std::uint64_t{1} << 32; bits += 4001) {
    x.push_back(float_from_bits(static_cast<std::uint32_t>(bits)));
    y.push_back(float_from_bits(philox4x32(bits, 0, 0, 1).w[0] % 0x10000000u + 0x38000000u));  // 2^-15 to 2^17
  }
  const int n = static_cast<int>(x.size());
  const OnDevice<float> device_x(x), device_y(y), device_out(x.size());
  for (int function = 0; function < functions; ++function) {
    evaluate_all<<<(n + 255) / 256, 256>>>(function, device_x.get(), device_y.get(), device_out.get(), n);
    ASSERT_EQ(cudaGetLastError(), cudaSuccess);
    const std::vector<float> out = device_out.read(x.size());
    for (int i = 0; i < n; ++i)
      ASSERT_EQ(float_bits(out[i]), float_bits(evaluate(function, x[i], y[i])))
          << "function " << function << " of " << x[i] << ", " << y[i];
  }
}

TEST_F(PortableMathOnDevice, F64FunctionsHaveTheHostsBits) {
  std::vector<double> x;
  for (std::uint64_t i = 0; i < 200000; ++i) {
    const PhiloxWords r = philox4x32(i, 0, 0, 2);
    const double u = (static_cast<double>(r.w[0]) + 0.5) * 0x1p-32;
    x.push_back(i % 4 ? u : (u - 0.5) * 1500);
  }
  const int n = static_cast<int>(x.size());
  const OnDevice<double> device_x(x), device_out(x.size());
  for (int function = 0; function < 5; ++function) {
    evaluate_all64<<<(n + 255) / 256, 256>>>(function, device_x.get(), device_out.get(), n);
    ASSERT_EQ(cudaGetLastError(), cudaSuccess);
    const std::vector<double> out = device_out.read(x.size());
    for (int i = 0; i < n; ++i) {
      if (function == 2 && !(x[i] > 0 && x[i] < 1)) continue;
      ASSERT_EQ(double_bits(out[i]), double_bits(evaluate64(function, x[i])))
          << "function " << function << " of " << x[i];
    }
  }
}

}  // namespace
}  // namespace detbench
