// What a graph is asked about: the properties of a GPU, which need not be there.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernels/cudnn/descriptor.hpp"

namespace detbench::cudnn {

/// Device properties as cuDNN states them: a JSON text of 24 keys. Engines, heuristics and plans are asked about a target
/// and need no GPU for it.
class Target {
 public:
  /// "sm_90": a typical GPU of that architecture from its public specification (sm_90: H200). The error names those known.
  static Result<Target> of_architecture(std::string_view architecture);
  /// A text that json() gave, on this machine or another.
  static Result<Target> of_json(std::string text);
  /// The GPU with that index.
  static Result<Target> of_device(int device);

  const std::string& json() const { return json_; }
  const std::string& name() const { return name_; }    ///< "NVIDIA H200"
  int compute_capability() const { return version_; }  ///< 900 for sm_90, 1200 for sm_120
  int multiprocessors() const { return multiprocessors_; }
  bool is_device() const { return is_device_; }        ///< of_device(): the GPU is there
  const Descriptor& descriptor() const { return descriptor_; }

 private:
  static Result<Target> read(Descriptor descriptor, std::string json);
  Descriptor descriptor_;
  std::string json_, name_;
  int version_ = 0, multiprocessors_ = 0;
  bool is_device_ = false;
};

/// "sm_70", "sm_75", ...: what of_architecture() knows.
std::vector<std::string> known_architectures();

/// Whether the driver's library (libcuda.so.1) can be loaded. Without it cuDNN refuses every engine that is compiled at run
/// time and leaves them out of its heuristics, so tables made with and without it never mix.
bool driver_library_present();

}  // namespace detbench::cudnn
