// Random changes of training images, composed as Keras's ImageDataGenerator composes them (legacy/preprocessing/image.py):
// affine map, channel shift, horizontal flip, vertical flip, brightness, in this order. Only the draws are ours: Keras takes
// them from NumPy's one global generator, so that several worker threads mix them up; here each is a pure function of
// (seed, epoch, image), with the same distribution.
//
// The affine map pulls: target(row, column) = source(M (row, column)), M = O * (R * T * S * Z) * O^-1 with rows and columns
// exchanged at the end, O the shift by (height / 2 - 0.5, width / 2 - 0.5). Two quirks of Keras follow, and are kept:
// a height shift moves *columns* and a width shift rows; and the centre's offsets are exchanged too, so on an image that is
// not square rotation, shear and zoom are off-centre. No range below is drawn where it is off, and where all is off nothing
// is resampled.
#pragma once

#include <optional>
#include <span>

#include "models/data/affine.hpp"

namespace detbench {

/// What was drawn for one image; Keras's names. The defaults change nothing.
struct ImageTransform {
  double theta = 0;        ///< degrees
  double tx = 0, ty = 0;   ///< pixels
  double shear = 0;        ///< degrees
  double zx = 1, zy = 1;
  bool flip_horizontal = false, flip_vertical = false;
  std::optional<double> channel_shift;  ///< added to every channel, then cut to the image's own range
  std::optional<double> brightness;     ///< factor, on the image cut down to 8 bits
};

/// The ranges to draw from; Keras's names and defaults.
struct AugmentationSpec {
  double rotation_range = 0;      ///< degrees: U(-range, range)
  double height_shift_range = 0;  ///< draws tx: U(-range, range), times the number of rows where the range is below 1
  double width_shift_range = 0;   ///< draws ty: likewise, times the number of columns
  double shear_range = 0;         ///< degrees: U(-range, range)
  double zoom_low = 1, zoom_high = 1;  ///< zx and zy each U(low, high); a zoom_range of z is [1 - z, 1 + z]
  double channel_shift_range = 0;      ///< U(-range, range)
  std::optional<std::array<double, 2>> brightness_range;
  bool horizontal_flip = false, vertical_flip = false;  ///< each with probability 1/2
  FillMode fill_mode = FillMode::nearest;
  double cval = 0;

  bool active() const;
};

/// Refuses what is not finite, negative ranges, angles beyond 2^20 degrees, shifts that are no share and no pixel count, and
/// a zoom or brightness whose ends are exchanged or not positive, each by name.
Status check(const AugmentationSpec& spec, const ImageSize& image);

/// The draws for one image. Every parameter has its own Philox counter (image, parameter, epoch), so to turn one range on
/// leaves the draws of the others alone.
ImageTransform draw_transform(const AugmentationSpec& spec, const ImageSize& image, std::uint64_t seed, std::uint32_t epoch, std::int64_t index);

/// The matrix for resample_affine(); nullopt when nothing is to be resampled.
std::optional<AffineMap> affine_map(const ImageTransform& transform, const ImageSize& image);

/// Changes `pixels` (H,W,C) in place; `scratch` holds as many numbers. Brightness takes 1 or 3 channels, as an 8-bit image
/// has; others keep theirs unchanged (check() refuses the range there). The same bits on every device and for every number of
/// threads: + - * / in f64 and f32 and portable sin and cos.
void apply_transform(const ImageTransform& transform, FillMode mode, double cval, const ImageSize& image, std::span<float> pixels, std::span<float> scratch);

}  // namespace detbench
