// The inner loops for any machine.
#include "kernels/normalization/kernels.hpp"
#include "kernels/tensor/host_device.hpp"

namespace detbench::normalization {
namespace {
constexpr int native = 4;
#include "kernels/normalization/kernels_body.hpp"
}  // namespace

extern const Kernels* const baseline_kernels;
const Kernels* const baseline_kernels = &table;

}  // namespace detbench::normalization
