// Images of 8 bits to another size, with the bits of Pillow 13, which is what Keras's load_img calls. Integers, and + - * / in
// f64: the same on every machine.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "models/network.hpp"

namespace detbench {

enum class ResizeMethod {
  nearest,  ///< the pixel under the target pixel's centre: flow_from_directory's default
  bilinear  ///< a triangle filter, widened when the image shrinks (Pillow's BILINEAR), one axis after the other, each pass rounded to 8 bits
};
std::string_view to_text(ResizeMethod method);
std::optional<ResizeMethod> parse_resize_method(std::string_view text);

/// An image of 8 bits, H,W,C.
struct ByteImage {
  ImageSize size;
  std::vector<std::uint8_t> pixels;
};

/// Memory that resizing keeps from call to call.
struct ResizeScratch {
  std::vector<std::int32_t> weights;
  std::vector<std::int64_t> positions;
  std::vector<std::uint8_t> rows;
};

/// Writes `source` as target.height x target.width x (its channels) into `pixels`, as numbers from 0 to 255.
void resize(const ByteImage& source, const ImageSize& target, ResizeMethod method, std::span<float> pixels, ResizeScratch& scratch);

}  // namespace detbench
