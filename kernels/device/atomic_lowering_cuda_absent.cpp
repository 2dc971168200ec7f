#include "kernels/device/atomic_lowering.hpp"

namespace detbench::atomic_listings {

std::optional<int> loaded_ptx_version() { return std::nullopt; }

}  // namespace detbench::atomic_listings
