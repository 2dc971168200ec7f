#include "kernels/device/dynamic_library.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <glob.h>
#include <link.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace detbench {
namespace {

namespace fs = std::filesystem;

std::string variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? "" : value;
}

/// Folders that match a pattern with '*', sorted.
std::vector<fs::path> matching(const std::string& pattern) {
  std::vector<fs::path> found;
  glob_t matches{};
  if (glob(pattern.c_str(), 0, nullptr, &matches) == 0)
    for (std::size_t i = 0; i < matches.gl_pathc; ++i) found.emplace_back(matches.gl_pathv[i]);
  globfree(&matches);
  return found;
}

/// The folder above the bin folder of the `python3` that a shell would take: in a virtual environment that is the
/// environment, though the program itself is a link to another place. Empty when there is none.
fs::path python_prefix(const std::string& path) {
  std::error_code ignored;
  for (std::size_t begin = 0; begin <= path.size();) {
    const auto end = std::min(path.find(':', begin), path.size());
    const fs::path folder = path.substr(begin, end - begin);
    begin = end + 1;
    if (folder.empty() || !fs::exists(folder / "python3", ignored)) continue;
    const auto bin = fs::canonical(folder, ignored);
    return ignored ? folder.parent_path() : bin.parent_path();
  }
  return {};
}

fs::path path_of(void* handle, const std::string& fallback) {
  link_map* map = nullptr;
  if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0 || map == nullptr || map->l_name == nullptr) return fallback;
  std::error_code ignored;
  const auto resolved = fs::canonical(map->l_name, ignored);
  return ignored ? fs::path(map->l_name) : resolved;
}

/// Why a file that is there is no library for this machine; empty: the loader may try. The loader's own words for these are
/// "file too short" or that a file which exists does not, and it maps what is cut short and dies when it reads it.
std::string why_unloadable(const fs::path& file) {
  constexpr auto here =
#if defined(__x86_64__)
      EM_X86_64;
#elif defined(__aarch64__)
      EM_AARCH64;
#else
      EM_NONE;
#endif
  std::error_code error;
  if (fs::is_directory(file, error)) return "is a folder";
  const auto size = fs::file_size(file, error);
  std::ifstream stream(file, std::ios::binary);
  Elf64_Ehdr header{};
  if (error || !stream.read(reinterpret_cast<char*>(&header), sizeof header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return error || !stream.is_open() ? "cannot be read" : "is no shared library";
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || (here != EM_NONE && header.e_machine != here))
    return "is made for another processor (ELF machine " + std::to_string(header.e_machine) + ")";
  stream.seekg(static_cast<std::streamoff>(header.e_phoff));
  for (int i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment{};
    if (header.e_phentsize != sizeof segment || !stream.read(reinterpret_cast<char*>(&segment), sizeof segment)) return "is cut short: not even its headers are whole";
    if (segment.p_type == PT_LOAD && (segment.p_offset > size || segment.p_filesz > size - segment.p_offset))
      return "is cut short: " + std::to_string(size) + " bytes of at least " + std::to_string(segment.p_offset + segment.p_filesz);
  }
  return "";
}

/// Other versions of a library in a folder: "libcudnn.so.8" where "libcudnn.so.9" was wanted.
std::string other_versions(const fs::path& folder, const std::string& name) {
  const auto stem = name.substr(0, name.find(".so"));
  std::string found;
  for (const auto& file : matching((folder / (stem + ".so.*")).string())) found += (found.empty() ? "" : ", ") + file.string();
  return found;
}

void* open_file(const std::string& file) { return dlopen(file.c_str(), RTLD_NOW | RTLD_GLOBAL); }

}  // namespace

std::vector<fs::path> library_folders(const LibrarySearch& search, const std::function<std::string(const std::string&)>& environment) {
  std::vector<fs::path> folders;
  for (const char* name : {"CUDA_PATH", "CUDA_HOME", "CUDAToolkit_ROOT"})
    if (const auto root = environment(name); !root.empty())
      for (const char* sub : {"lib64", "lib", "targets/x86_64-linux/lib"}) folders.push_back(fs::path(root) / sub);
  for (const char* sub : {"lib64", "lib", "targets/x86_64-linux/lib"}) folders.push_back(fs::path("/usr/local/cuda") / sub);
  std::vector<std::string> packages;
  if (const auto root = environment("VIRTUAL_ENV"); !root.empty()) packages.push_back(root + "/lib/python3*/site-packages");
  packages.push_back(".venv/lib/python3*/site-packages");
  if (const auto prefix = python_prefix(environment("PATH")); !prefix.empty()) packages.push_back(prefix.string() + "/lib/python3*/site-packages");
  for (const char* pattern : {"/usr/local/lib/python3*/dist-packages", "/usr/local/lib/python3*/site-packages", "/usr/lib/python3/dist-packages",
                              "/opt/*/lib/python3*/site-packages", "/opt/*/.venv/lib/python3*/site-packages"})
    packages.emplace_back(pattern);
  if (const auto home = environment("HOME"); !home.empty()) packages.push_back(home + "/.local/lib/python3*/site-packages");
  for (const auto& pattern : packages)
    for (const auto& package : matching(pattern))
      for (const auto& wheel : search.wheel_folders) folders.push_back(package / "nvidia" / wheel / "lib");
  return folders;
}

Result<DynamicLibrary> DynamicLibrary::load(const LibrarySearch& search) {
  std::string tried;
  // A file that is there but does not load is the more telling reason.
  std::string broken, others;
  const auto attempt = [&](const std::string& file) -> void* {
    const bool path = file.find('/') != std::string::npos;
    std::error_code ignored;
    if (path && !fs::exists(file, ignored)) return nullptr;
    const auto why = path ? why_unloadable(file) : "";
    if (why.empty())
      if (void* handle = open_file(file)) return handle;
    if (!path || !broken.empty()) return nullptr;
    const char* error = why.empty() ? dlerror() : nullptr;
    broken = error != nullptr ? error : file + " " + why;
    return nullptr;
  };
  const auto in_folder = [&](const fs::path& folder) -> Result<DynamicLibrary> {
    for (const auto& name : search.file_names)
      if (void* handle = attempt((folder / name).string())) return DynamicLibrary(handle, path_of(handle, (folder / name).string()));
    tried += (tried.empty() ? "" : ", ") + folder.string();
    if (others.empty()) others = other_versions(folder, search.file_names.front());
    return unsupported("");
  };
  const auto absent = [&]() {
    std::string names;
    for (const auto& name : search.file_names) names += (names.empty() ? "" : " or ") + name;
    return unsupported("no " + search.name + " here: " + names + (broken.empty() ? " not found in " + tried : " does not load: " + broken) +
                       (broken.empty() && !others.empty() ? ", where there is another version: " + others : "") + "; " + search.remedy + ", or set " + search.folder_variable + " to the folder that holds it");
  };
  if (const auto folder = variable(search.folder_variable); !folder.empty()) {
    if (auto loaded = in_folder(folder)) return loaded;
    return absent();
  }
  for (const auto& name : search.file_names) {
    void* handle = dlopen(name.c_str(), RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
    if (handle == nullptr) handle = attempt(name);
    if (handle != nullptr) return DynamicLibrary(handle, path_of(handle, name));
  }
  tried = "the loader's path";
  std::vector<fs::path> seen;  // lib64 and lib are often one folder
  for (const auto& candidate : library_folders(search, variable)) {
    std::error_code error;
    const auto folder = fs::canonical(candidate, error);
    if (error || !fs::is_directory(folder, error) || std::find(seen.begin(), seen.end(), folder) != seen.end()) continue;
    seen.push_back(folder);
    if (auto loaded = in_folder(folder)) return loaded;
  }
  return absent();
}

void* DynamicLibrary::symbol(const char* name) const { return dlsym(handle_, name); }

}  // namespace detbench
