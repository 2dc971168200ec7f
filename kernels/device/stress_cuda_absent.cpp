// Built where no CUDA toolkit was found.
#include "kernels/device/schedule_record.hpp"
#include "kernels/device/stress.hpp"

namespace detbench {
namespace {

tl::unexpected<Reason> absent() { return unsupported("this build has no CUDA, so there is no GPU to put a load on"); }

}  // namespace

Result<std::unique_ptr<GpuLoad>> make_gpu_load(GpuLoadKind) { return absent(); }
Status enqueue_short_load(Stream&, const ShortLoad&) { return absent(); }
Status enqueue_schedule_record(Stream&, std::uint32_t*, std::uint32_t*, std::uint32_t*, int) { return absent(); }

}  // namespace detbench
