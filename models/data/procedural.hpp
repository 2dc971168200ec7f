// Images that are drawn instead of downloaded: a set that any machine has, with the same pixels everywhere, and that a
// network really has to learn.
#pragma once

#include <cstdint>
#include <memory>

#include "models/data/dataset.hpp"

namespace detbench {

struct ProceduralSpec {
  ImageSize image = {28, 28, 3};
  std::int64_t classes = 10;  ///< 2 to 1000
  std::int64_t count = 1000;
  std::uint64_t seed = 1;
  double noise = 48;  ///< largest deviation of a pixel from its pattern, 0 to 255
};

/// Image i shows class i % classes. Part of the version of a published result: other rules need another stream name.
///
/// A class fixes the direction and period of a grating, a shape (disc, square, diamond, ring) and how strongly each channel
/// shows the grating and the shape; an image draws the grating's phase, the shape's place and size, contrast, brightness, and
/// noise per pixel and channel. So no single pixel and no mean colour tells the class. Everything comes from Philox
/// (class: stream "procedural/class"; image: stream "procedural/image") by integers and + - * / in f32.
Result<std::unique_ptr<Dataset>> make_procedural_dataset(const ProceduralSpec& spec);

}  // namespace detbench
