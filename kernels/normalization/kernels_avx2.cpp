// The inner loops for AVX2; CMakeLists.txt sets this file's flags. On other architectures there is nothing.
#include "kernels/normalization/kernels.hpp"
#include "kernels/tensor/host_device.hpp"

namespace detbench::normalization {

extern const Kernels* const avx2_kernels;

#if defined(__x86_64__)
namespace {
constexpr int native = 8;
#include "kernels/normalization/kernels_body.hpp"
}  // namespace
const Kernels* const avx2_kernels = &table;
#else
const Kernels* const avx2_kernels = nullptr;
#endif

}  // namespace detbench::normalization
