// A library with every function that this program asks of cuDNN, for library_cudnn_test.cpp: none does anything, and which
// version it is and which CUDA it is for is what the environment says.
#include "kernels/cudnn/library.hpp"

#include <cstdlib>
#include <string_view>

namespace {

std::size_t number(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? 0 : std::strtoul(text, nullptr, 10);
}

}  // namespace

// Other names here, because the header declares the real ones with their own arguments; these are the library's symbols.
#define DETBENCH_DEFINE(name)                                    \
  extern "C" std::size_t made_up_##name() __asm__(#name);        \
  extern "C" std::size_t made_up_##name() {                      \
    const std::string_view asked(#name);                         \
    if (asked == "cudnnGetVersion") return number("DETBENCH_TEST_CUDNN_VERSION");   \
    if (asked == "cudnnGetCudartVersion") return number("DETBENCH_TEST_CUDNN_CUDA"); \
    return 1;                                                    \
  }
DETBENCH_CUDNN_FUNCTIONS(DETBENCH_DEFINE)
