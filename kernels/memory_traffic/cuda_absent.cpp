#include "kernels/memory_traffic/traffic_kernels.hpp"

namespace detbench::memory_traffic {

Status cuda_present() {
  return unsupported("this build has no CUDA toolkit: install one and configure with DETBENCH_CUDA=ON");
}
Status cuda_word_sum(const void*, std::int64_t, void*, void*) { return cuda_present(); }
Status cuda_fill_words(void*, std::int64_t, void*) { return cuda_present(); }
Status cuda_copy_words(void*, const void*, std::int64_t, void*) { return cuda_present(); }
Status cuda_runtime_memset(void*, std::int64_t, void*) { return cuda_present(); }
Status cuda_runtime_memcpy(void*, const void*, std::int64_t, void*) { return cuda_present(); }

}  // namespace detbench::memory_traffic
