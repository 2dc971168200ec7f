// Zeros around an image, for libraries that can pad both sides of an image only by the same amount. Networks made with
// Keras pad their stride-2 layers below and to the right alone; such a problem is answered by a copy with zeros around it
// and a convolution with equal pads.
#pragma once

#include <cstddef>

#include "kernels/convolution/pad_index.hpp"
#include "kernels/convolution/problem.hpp"
#include "kernels/result.hpp"

namespace detbench {

/// Rows and columns of zeros, in pixels.
struct Padding {
  std::int64_t top = 0, bottom = 0, left = 0, right = 0;
  bool any() const { return top != 0 || bottom != 0 || left != 0 || right != 0; }
  bool operator==(const Padding&) const = default;
};

/// A problem with pt = pb and pl = pr whose answer is the asked one's: on the image itself, or on a copy with zeros added
/// by hand. In a forward pass and a weight gradient that copy is made of src before; in a gradient of the input
/// diff_src is computed at the padded size and cropped after.
struct SymmetricForm {
  ConvolutionProblem problem;  ///< its ih and iw are the padded image's; weights and dst are the asked problem's
  Padding by_hand;             ///< what the copy adds; none: the problem is answered without a copy
  /// Scratch memory for the padded image, a multiple of 256 bytes so that what follows stays aligned; 0 without a copy.
  std::size_t workspace_bytes() const;
};

/// The form that adds least by hand. As much of the pad as fits is left to the library; and where the stride never reaches
/// the last rows or columns, other pads than the asked ones give the same sums and nothing needs to be added. A problem
/// with equal pads is its own form. The layout is kept ("blocked" counts as nhwc).
SymmetricForm symmetric_form(const ConvolutionProblem& problem);

/// How an image (rank 4, canonical N,H,W,C, lying as nhwc or nchw) meets its padded copy, in elements; refuses other
/// layouts.
Result<PaddedRows> padded_rows(const TensorSpec& image, const Padding& padding);

/// The same in units of `factor` elements, which must divide rows and side pads.
PaddedRows in_units(const PaddedRows& elements, std::int64_t factor);

/// The widest unit in bytes, a power of two from the element's size up to 16, that divides every row and side pad and both
/// addresses.
std::size_t unit_bytes(const PaddedRows& elements, std::size_t element_bytes, const void* image, const void* padded);

/// Enqueued on the stream (a cudaStream_t), elements of 2 or 4 bytes, bits copied exactly: the image with +0 around it.
Status enqueue_pad(const TensorSpec& image, const Padding& padding, const void* from, void* to, void* stream);
/// The other way: the image without what lies around it. `image` describes the cropped tensor, which is written.
Status enqueue_crop(const TensorSpec& image, const Padding& padding, const void* from, void* to, void* stream);

}  // namespace detbench
