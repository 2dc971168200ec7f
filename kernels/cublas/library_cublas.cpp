#include "kernels/cublas/library.hpp"
#include "kernels/cublas/version.hpp"
#include "kernels/device/dynamic_library.hpp"

namespace detbench::cublas {
namespace {

/// The headers' own major version first: the other one is looked for so that a machine that has only that is told so.
LibrarySearch search_for(const std::string& name, const std::string& file) {
  constexpr int mine = CUBLAS_VER_MAJOR, other = mine == 13 ? 12 : 13;
  return {name,
          {file + ".so." + std::to_string(mine), file + ".so." + std::to_string(other)},
          "DETBENCH_CUBLAS_DIR",
          {"cublas", "cu13", "cu12"},
          "pip install nvidia-cublas (nvidia-cublas-cu12 for CUDA 12), or a CUDA toolkit"};
}

Result<Library> load() {
  // cuBLASLt first: cuBLAS needs it too, and the loader then gives it this one and not another from its own path.
  auto lt = DynamicLibrary::load(search_for("cuBLASLt", "libcublasLt"));
  if (!lt) return tl::unexpected(lt.error());
  auto plain = DynamicLibrary::load(search_for("cuBLAS", "libcublas"));
  if (!plain) return tl::unexpected(plain.error());
  Library library;
  library.path = plain->path(), library.lt_path = lt->path();
#define DETBENCH_RESOLVE_IN(from, file, name)                                                             \
  library.name = reinterpret_cast<decltype(&::name)>(from->symbol(#name));                                \
  if (library.name == nullptr)                                                                            \
    return unsupported("the library " + library.file.string() + " has no function " #name ": version 12.0 or newer is needed");
#define DETBENCH_RESOLVE(name) DETBENCH_RESOLVE_IN(plain, path, name)
#define DETBENCH_RESOLVE_LT(name) DETBENCH_RESOLVE_IN(lt, lt_path, name)
  DETBENCH_CUBLAS_FUNCTIONS(DETBENCH_RESOLVE)
  DETBENCH_CUBLASLT_FUNCTIONS(DETBENCH_RESOLVE_LT)
#undef DETBENCH_RESOLVE_LT
#undef DETBENCH_RESOLVE
#undef DETBENCH_RESOLVE_IN
  library.set_emulation_strategy = reinterpret_cast<cublasStatus_t (*)(cublasHandle_t, int)>(plain->symbol("cublasSetEmulationStrategy"));
  int number[3] = {};
  DETBENCH_CUBLAS_TRY(library, cublasGetProperty(MAJOR_VERSION, &number[0]));
  DETBENCH_CUBLAS_TRY(library, cublasGetProperty(MINOR_VERSION, &number[1]));
  DETBENCH_CUBLAS_TRY(library, cublasGetProperty(PATCH_LEVEL, &number[2]));
  library.version = number[0] * 10000 + number[1] * 100 + number[2];
  const int lt_version = static_cast<int>(library.cublasLtGetVersion());
  if (library.version / 10000 != CUBLAS_VER_MAJOR)
    return unsupported("the cuBLAS in " + library.path.string() + " is version " + version_text(library.version) +
                       ", but this program was built with the headers of " + version_text(CUBLAS_VERSION) +
                       ": set DETBENCH_CUBLAS_DIR to a folder with version " + std::to_string(CUBLAS_VER_MAJOR) + ", or build with the other headers");
  if (lt_version != library.version)
    return unsupported("cuBLAS " + version_text(library.version) + " in " + library.path.string() + " met cuBLASLt " + version_text(lt_version) +
                       " in " + library.lt_path.string() + ": set DETBENCH_CUBLAS_DIR to a folder that holds both of one version");
  return library;
}

}  // namespace

std::string version_text(int version) {
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." + std::to_string(version % 100);
}

Result<const Library*> library() {
  static const Result<Library> loaded = load();
  if (!loaded) return tl::unexpected(loaded.error());
  return &*loaded;
}

Reason cublas_reason(const Library& library, cublasStatus_t status, const char* call) {
  std::string name(call);
  name = name.substr(0, name.find('('));
  const std::string text = name + ": " + library.cublasGetStatusName(status) + " (" + std::to_string(static_cast<int>(status)) + ")";
  switch (status) {
    case CUBLAS_STATUS_NOT_SUPPORTED:
    case CUBLAS_STATUS_ARCH_MISMATCH: return {text, Reason::Kind::unsupported};
    case CUBLAS_STATUS_ALLOC_FAILED: return {text, Reason::Kind::out_of_memory};
    default: return {text, Reason::Kind::failed};
  }
}

}  // namespace detbench::cublas

namespace detbench {

Result<std::string> cublas_version() {
  auto library = cublas::library();
  if (!library) return tl::unexpected(library.error());
  return cublas::version_text((*library)->version);
}

}  // namespace detbench
