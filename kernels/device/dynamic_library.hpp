// Vendor libraries that are loaded when the program runs instead of being linked: one binary then starts on a machine
// that lacks them, says what it looked for and where, and can be pointed at another version.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "kernels/result.hpp"

namespace detbench {

/// What to look for. Search order, first hit wins:
///  1. the folder named by `folder_variable` (DETBENCH_CUDNN_DIR, DETBENCH_CUBLAS_DIR): when it is set, nothing else is
///     tried, so that a comparison of versions never takes another one by mistake;
///  2. what this process has loaded already, then the loader's own path (LD_LIBRARY_PATH, ld.so.cache);
///  3. a toolkit: CUDA_PATH, CUDA_HOME, CUDAToolkit_ROOT, /usr/local/cuda, each with lib64, lib, targets/x86_64-linux/lib;
///  4. Python wheels: <site-packages>/nvidia/{cudnn,cublas,cu13,cu12,...}/lib of VIRTUAL_ENV, of the .venv in the working
///     directory, of the python3 first on PATH, of the system's Python 3, of environments in /opt/* and of the user's.
struct LibrarySearch {
  std::string name;                      ///< "cuDNN", for messages
  std::vector<std::string> file_names;   ///< {"libcudnn.so.9"}: most wanted first
  std::string folder_variable;
  std::vector<std::string> wheel_folders;  ///< below site-packages/nvidia: {"cudnn", "cu13"}
  std::string remedy;                    ///< "pip install nvidia-cudnn-cu13, ..."
};

/// Folders of steps 3 and 4, in order, whether or not they exist. `environment` looks a variable up ("" when unset).
std::vector<std::filesystem::path> library_folders(const LibrarySearch& search,
                                                   const std::function<std::string(const std::string&)>& environment);

/// A loaded library; stays loaded for the life of the process, because vendor libraries do not survive being unloaded.
class DynamicLibrary {
 public:
  /// The reason when absent names the variable, the file names, every place tried and the remedy, in one line.
  static Result<DynamicLibrary> load(const LibrarySearch& search);
  /// nullptr when the library has no such function.
  void* symbol(const char* name) const;
  const std::filesystem::path& path() const { return path_; }  ///< the file itself, links resolved

 private:
  DynamicLibrary(void* handle, std::filesystem::path path) : handle_(handle), path_(std::move(path)) {}
  void* handle_;
  std::filesystem::path path_;
};

}  // namespace detbench
