// The inner loops for AVX512; CMakeLists.txt sets this file's flags. On other architectures there is nothing.
#include "kernels/normalization/kernels.hpp"
#include "kernels/tensor/host_device.hpp"

namespace detbench::normalization {

extern const Kernels* const avx512_kernels;

#if defined(__x86_64__)
namespace {
constexpr int native = 16;
#include "kernels/normalization/kernels_body.hpp"
}  // namespace
const Kernels* const avx512_kernels = &table;
#else
const Kernels* const avx512_kernels = nullptr;
#endif

}  // namespace detbench::normalization
