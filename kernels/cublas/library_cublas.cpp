#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>

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

#define DETBENCH_RESOLVE_IN(from, file, name)                                                             \
  library.name = reinterpret_cast<decltype(&::name)>(from.symbol(#name));                                 \
  if (library.name == nullptr)                                                                            \
    return unsupported("the library " + library.file.string() + " has no function " #name ": version 12.0 or newer is needed");

/// cuBLAS's own functions, without cuBLASLt's.
template <class Source>
Status resolve(const Source& source, Library& library) {
#define DETBENCH_RESOLVE(name) DETBENCH_RESOLVE_IN(source, path, name)
  DETBENCH_CUBLAS_FUNCTIONS(DETBENCH_RESOLVE)
#undef DETBENCH_RESOLVE
  library.set_emulation_strategy = reinterpret_cast<cublasStatus_t (*)(cublasHandle_t, int)>(source.symbol("cublasSetEmulationStrategy"));
  return {};
}

Result<Library> load() {
  // cuBLASLt first: cuBLAS needs it too, and the loader then gives it this one and not another from its own path.
  auto lt = DynamicLibrary::load(search_for("cuBLASLt", "libcublasLt"));
  if (!lt) return tl::unexpected(lt.error());
  auto plain = DynamicLibrary::load(search_for("cuBLAS", "libcublas"));
  if (!plain) return tl::unexpected(plain.error());
  Library library;
  library.path = plain->path(), library.lt_path = lt->path();
  if (auto status = resolve(*plain, library); !status) return tl::unexpected(status.error());
#define DETBENCH_RESOLVE_LT(name) DETBENCH_RESOLVE_IN((*lt), lt_path, name)
  DETBENCH_CUBLASLT_FUNCTIONS(DETBENCH_RESOLVE_LT)
#undef DETBENCH_RESOLVE_LT
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
#undef DETBENCH_RESOLVE_IN

struct Instance {
  void* handle;
  void* symbol(const char* name) const { return dlsym(handle, name); }
};

/// The same file once more, with static variables of its own. The loader takes one file for one library, so it is given a
/// copy in memory; that stays open, because the loader also takes one name for one library.
Result<Library> load_again() {
  const auto first = library();
  if (!first) return tl::unexpected(first.error());
  Library again = **first;
  const auto refuse = [&](const std::string& call, const std::string& why) {
    return unsupported("another instance of " + again.path.string() + " cannot be loaded: " + call + ": " + why);
  };
  const int from = open(again.path.c_str(), O_RDONLY | O_CLOEXEC);
  if (from < 0) return refuse("open", std::strerror(errno));
  const int to = memfd_create("cublas", MFD_CLOEXEC);
  ssize_t moved = to < 0 ? -1 : 1;
  while (moved > 0) moved = sendfile(to, from, nullptr, std::size_t{1} << 30);
  const int error = errno;
  close(from);
  if (moved < 0) return refuse(to < 0 ? "memfd_create" : "sendfile", std::strerror(error));
  // Its own symbols first: the instance that was loaded before offers the same names to everybody.
  const Instance instance{dlopen(("/proc/self/fd/" + std::to_string(to)).c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND)};
  if (instance.handle == nullptr) return refuse("dlopen", dlerror());
  if (auto status = resolve(instance, again); !status) return tl::unexpected(status.error());
  return again;
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

Result<const Library*> library_for(const std::string& workspace_config) {
  if (workspace_config.empty()) return library();
  static std::mutex one_at_a_time;
  static std::map<std::string, const Result<Library>> instances;  // a node stays where it is
  const std::lock_guard lock(one_at_a_time);
  auto found = instances.find(workspace_config);
  if (found == instances.end()) found = instances.emplace(workspace_config, load_again()).first;
  if (!found->second) return tl::unexpected(found->second.error());
  return &*found->second;
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
