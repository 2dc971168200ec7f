// Labelled images: what a network is trained on, whatever they come from.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernels/result.hpp"
#include "models/network.hpp"

namespace detbench {

/// Images of one size with one label each. Pixels are numbers from 0 to 255.
class Dataset {
 public:
  virtual ~Dataset() = default;
  /// One line for reports: "procedural(seed=1,noise=48)", "cifar10", "folder".
  virtual const std::string& name() const = 0;
  virtual ImageSize image() const = 0;
  virtual std::int64_t size() const = 0;
  /// Names of the classes; labels are indices into it.
  virtual const std::vector<std::string>& classes() const = 0;
  virtual std::int32_t label(std::int64_t index) const = 0;
  /// Writes image `index` (0 <= index < size()) as H,W,C into image() elements of f32. May be called by several threads at
  /// once. A file that turned out malformed is the error, with its path.
  virtual Status read(std::int64_t index, std::span<float> pixels) const = 0;
  /// What was found beside the images and left out, one line each with the reason.
  virtual const std::vector<std::string>& skipped() const {
    static const std::vector<std::string> none;
    return none;
  }
};

inline std::int64_t element_count(const ImageSize& image) { return image.height * image.width * image.channels; }

}  // namespace detbench
