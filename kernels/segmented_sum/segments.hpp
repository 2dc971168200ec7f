// Where segments begin, and how they are shared out: integer arithmetic on segments' numbers, one place for CPU, CUDA and tests.
//
// Work is shared by windows: window w holds the positions [w W, (w+1) W) of the vector, and whoever takes a window sums the
// segments that begin in it. A segment of at most W elements is summed there and then. A longer one is cut into pieces of W
// elements counted from its own first, and each piece belongs to the window in which it begins; the pieces' sums are kept,
// two places for a window, and joined afterwards. So a window is W elements of work, whatever the segments are, and what is
// added in which order depends on the segment alone, because W is a power of two of chunks (kernels/reduction/fixed_tree.hpp).
#pragma once

#include <cstdint>

#include "kernels/tensor/host_device.hpp"

namespace detbench::segmented_sum {

/// Cuts are drawn from 0 .. cut_limit-1.
inline constexpr int cut_bits = 20;
inline constexpr std::int64_t cut_limit = std::int64_t{1} << cut_bits;

struct Segments {
  std::int64_t n = 0, count = 0;
  bool skewed = false;
  const std::int64_t* cuts = nullptr;  ///< count + 1 of them

  /// Where segment s begins; offset(count) is n. Never decreases.
  /// Equal: floor(s n / count). Skewed, with half = count / 2: segments below `half` share the first quarter of the vector,
  /// segment `half` reaches over the middle, those above share the last quarter.
  DETBENCH_HOST_DEVICE std::int64_t offset(std::int64_t s) const {
    if (s <= 0) return 0;
    if (s >= count) return n;
    if (!skewed) return s * n / count;
    const std::int64_t half = count / 2, quarter = n / 4;
    if (s <= half) return ragged(s, half / 4 + 1, quarter, cuts[s]);
    const std::int64_t right = s - half - 1;
    return n - quarter + ragged(right, (count - half - 2) / 4 + 1, quarter, cuts[s]);
  }
  DETBENCH_HOST_DEVICE std::int64_t length(std::int64_t s) const { return offset(s + 1) - offset(s); }

  /// The first segment that begins at `position` or later; `count` when none does.
  DETBENCH_HOST_DEVICE std::int64_t first_from(std::int64_t position) const {
    if (position <= 0) return 0;
    if (!skewed) {
      const std::int64_t s = (position * count + n - 1) / n;  // floor(s n / count) >= p exactly when s n >= p count
      return s < count ? s : count;
    }
    std::int64_t low = 0, high = count;
    while (low < high) {
      const std::int64_t middle = low + (high - low) / 2;
      if (offset(middle) >= position) high = middle;
      else low = middle + 1;
    }
    return low;
  }
  /// The segment that holds the element at `position`, 0 <= position < n.
  DETBENCH_HOST_DEVICE std::int64_t holding(std::int64_t position) const { return first_from(position + 1) - 1; }

 private:
  /// Boundary i of a quarter in `groups` groups of four: one in the lower half of the group's stretch, one in its upper half,
  /// two at its end.
  DETBENCH_HOST_DEVICE static std::int64_t ragged(std::int64_t i, std::int64_t groups, std::int64_t quarter, std::int64_t cut) {
    const std::int64_t group = i / 4, low = quarter * group / groups, high = quarter * (group + 1) / groups, width = high - low;
    switch (i % 4) {
      case 0: return low + (cut * width >> (cut_bits + 1));
      case 1: return low + width / 2 + (cut * width >> (cut_bits + 1));
      default: return high;
    }
  }
};

/// The windows of a vector; `elements` is W above.
struct Windows {
  std::int64_t n, elements;
  DETBENCH_HOST_DEVICE std::int64_t count() const { return (n + elements - 1) / elements; }
  /// The last window also takes the empty segments at the end of the vector.
  DETBENCH_HOST_DEVICE std::int64_t end(std::int64_t window) const { return window + 1 < count() ? (window + 1) * elements : n + 1; }
  DETBENCH_HOST_DEVICE std::int64_t of(std::int64_t position) const { return position < n ? position / elements : count() - 1; }
  /// Where the sum of a piece that begins in `window` is kept. At most one long segment begins in a window and at most one
  /// goes on there, because pieces of one segment begin W apart.
  DETBENCH_HOST_DEVICE static std::int64_t place(std::int64_t window, bool first_piece) { return 2 * window + (first_piece ? 1 : 0); }
  /// The place of piece p of a segment whose first piece begins in `window`.
  DETBENCH_HOST_DEVICE static std::int64_t place_of_piece(std::int64_t window, std::int64_t p) { return place(window + p, p == 0); }
  DETBENCH_HOST_DEVICE std::int64_t places() const { return 2 * count(); }
  DETBENCH_HOST_DEVICE std::int64_t pieces(std::int64_t length) const { return (length + elements - 1) / elements; }
};

/// Calls short_segment(s, begin, length) and piece(s, place, begin, length, first window of s) for the work of one window.
template <class ShortSegment, class Piece>
DETBENCH_HOST_DEVICE inline void visit_window(const Segments& segments, const Windows& windows, std::int64_t window, ShortSegment&& short_segment,
                                              Piece&& piece) {
  const std::int64_t w = windows.elements, start = window * w, end = windows.end(window);
  std::int64_t s = segments.first_from(start), begin = segments.offset(s);
  if (s > 0) {  // a long segment that began earlier
    const std::int64_t before = segments.offset(s - 1), length = begin - before, p = (start - before + w - 1) / w;
    if (length > w && p * w < length)
      piece(s - 1, Windows::place(window, false), before + p * w, length - p * w < w ? length - p * w : w, windows.of(before));
  }
  while (s < segments.count && begin < end) {
    const std::int64_t next = segments.offset(s + 1), length = next - begin;
    if (length <= w) short_segment(s, begin, length);
    else piece(s, Windows::place(window, true), begin, w, window);
    ++s;
    begin = next;
  }
}

/// The long segment that begins in a window, -1 when none does: the last that begins there, if it is one, since it reaches
/// beyond the window.
DETBENCH_HOST_DEVICE inline std::int64_t long_segment_of(const Segments& segments, const Windows& windows, std::int64_t window) {
  const std::int64_t s = segments.first_from(windows.end(window)) - 1;
  if (s < 0 || segments.offset(s) < window * windows.elements) return -1;
  return segments.length(s) > windows.elements ? s : -1;
}

/// Goes through the elements in ascending order and says which segment each is in.
class SegmentCursor {
 public:
  DETBENCH_HOST_DEVICE SegmentCursor(const Segments& segments, std::int64_t position)
      : segments_(segments), segment_(segments.holding(position)), end_(segments.offset(segment_ + 1)) {}
  DETBENCH_HOST_DEVICE std::int64_t at(std::int64_t position) {
    while (position >= end_) end_ = segments_.offset(++segment_ + 1);
    return segment_;
  }

 private:
  Segments segments_;
  std::int64_t segment_, end_;
};

}  // namespace detbench::segmented_sum
