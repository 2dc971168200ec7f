#include "kernels/cudnn/library.hpp"

#include <cuda_runtime_api.h>

#include "kernels/cudnn/version.hpp"
#include "kernels/device/dynamic_library.hpp"

namespace detbench::cudnn {
namespace {

constexpr std::size_t oldest_version = 90800;

std::string version_text(std::size_t v) {
  return std::to_string(v / 10000) + "." + std::to_string(v / 100 % 100) + "." + std::to_string(v % 100);
}

Result<Library> load() {
  const LibrarySearch search{"cuDNN 9", {"libcudnn.so.9"}, "DETBENCH_CUDNN_DIR", {"cudnn"},
                             "pip install nvidia-cudnn-cu13, or the package cudnn9-cuda-13"};
  auto loaded = DynamicLibrary::load(search);
  if (!loaded) return tl::unexpected(loaded.error());
  Library library;
  library.path = loaded->path();
#define DETBENCH_RESOLVE(name)                                                                               \
  library.name = reinterpret_cast<decltype(&::name)>(loaded->symbol(#name));                                 \
  if (library.name == nullptr)                                                                               \
    return unsupported("the cuDNN in " + library.path.string() + " has no function " #name ": cuDNN 9.8 or newer is needed");
  DETBENCH_CUDNN_FUNCTIONS(DETBENCH_RESOLVE)
#undef DETBENCH_RESOLVE
  library.version = library.cudnnGetVersion();
  // Earlier ones have the functions, and refuse descriptions of a GPU as damaged ones.
  if (library.version < oldest_version)
    return unsupported("the cuDNN in " + library.path.string() + " is version " + version_text(library.version) + ": " + version_text(oldest_version) + " or newer is needed");
  return library;
}

}  // namespace

Result<const Library*> library() {
  static const Result<Library> loaded = load();
  if (!loaded) return tl::unexpected(loaded.error());
  return &*loaded;
}

Result<const Library*> library_for_gpu() {
  auto found = library();
  if (!found) return found;
  // What it says and what its kernels give would be a mixture that neither vendor nor reader knows.
  const auto theirs = (*found)->cudnnGetCudartVersion() / 1000;
  if (theirs != CUDART_VERSION / 1000)
    return unsupported("the cuDNN in " + (*found)->path.string() + " is made for CUDA " + std::to_string(theirs) + ", this program for CUDA " +
                       std::to_string(CUDART_VERSION / 1000) + ": pip install nvidia-cudnn-cu" + std::to_string(CUDART_VERSION / 1000) +
                       ", or set DETBENCH_CUDNN_DIR to the folder of one that fits");
  return found;
}

Reason cudnn_reason(const Library& library, cudnnStatus_t status, const char* call) {
  std::string name(call);
  name = name.substr(0, name.find('('));
  char detail[512] = "";
  library.cudnnGetLastErrorString(detail, sizeof detail);
  std::string text = name + ": " + library.cudnnGetErrorString(status) + " (" + std::to_string(static_cast<int>(status)) + ")";
  if (detail[0] != '\0') text += ": " + std::string(detail);
  for (char& c : text)
    if (c == '\n') c = ' ';
  const auto category = static_cast<int>(status) / 1000;
  if (category == 3) return {text, Reason::Kind::unsupported};
  if (status == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED ||
      status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED)
    return {text, Reason::Kind::out_of_memory};
  return {text, Reason::Kind::failed};
}

}  // namespace detbench::cudnn

namespace detbench {

Result<std::string> cudnn_version() {
  auto library = cudnn::library();
  if (!library) return tl::unexpected(library.error());
  return cudnn::version_text((*library)->version);
}

}  // namespace detbench
