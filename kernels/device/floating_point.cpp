#include "kernels/device/floating_point.hpp"

#include <cfenv>
#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace detbench {

Status check_floating_point_environment() {
  std::string wrong;
  const auto note = [&](bool set, const char* what) {
    if (set) wrong += (wrong.empty() ? "" : ", ") + std::string(what);
  };
#if defined(__x86_64__)
  const unsigned mxcsr = _mm_getcsr();
  note(mxcsr & 0x8000u, "results flushed to zero (MXCSR.FTZ)");
  note(mxcsr & 0x0040u, "denormal inputs taken as zero (MXCSR.DAZ)");
  note(mxcsr & 0x6000u, "SSE rounding other than to nearest (MXCSR.RC)");
#elif defined(__aarch64__)
  std::uint64_t fpcr;
  asm volatile("mrs %0, fpcr" : "=r"(fpcr));
  note(fpcr & (1u << 24), "denormals flushed to zero (FPCR.FZ)");
#endif
  note(std::fegetround() != FE_TONEAREST, "rounding other than to nearest");
  if (wrong.empty()) return {};
  return failure("the floating-point environment has " + wrong + "; denormals kept and rounding to nearest are needed");
}

}  // namespace detbench
