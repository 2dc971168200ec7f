#include "kernels/tensor/compare.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "kernels/tensor/float_formats.hpp"
#include "kernels/tensor/layout_walk.hpp"

namespace detbench {
namespace {

constexpr std::int64_t piece = 4096;  // elements; fixed, so that sums of doubles do not depend on the thread count

bool is_float(DataType type) {
  return type == DataType::f32 || type == DataType::f64 || type == DataType::f16 || type == DataType::bf16;
}

std::uint64_t load_bits(const char* from, std::size_t bytes) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, from, bytes);  // little-endian
  return bits;
}

double as_double(DataType type, std::uint64_t bits) {
  switch (type) {
    case DataType::f32: return float_from_bits(static_cast<std::uint32_t>(bits));
    case DataType::f64: return double_from_bits(bits);
    case DataType::f16: return float_from_f16(static_cast<std::uint16_t>(bits));
    case DataType::bf16: return float_from_bf16(static_cast<std::uint16_t>(bits));
    case DataType::i32: return static_cast<std::int32_t>(static_cast<std::uint32_t>(bits));
    case DataType::i64: return static_cast<double>(static_cast<std::int64_t>(bits));
    case DataType::u8: return static_cast<double>(bits);
  }
  return 0;
}

struct PieceResult {
  std::uint64_t differing = 0, value_equal = 0, max_ulp = 0, first_element = UINT64_MAX, first_bits = 0,
                second_bits = 0;
  std::uint64_t relative_count = 0;
  double relative_sum = 0, max_abs = 0;
};

/// Differences of `count` elements whose bytes differ somewhere; the caller has found that with one memcmp.
PieceResult compare_piece(DataType type, const char* a, const char* b, std::int64_t first, std::int64_t count) {
  PieceResult result;
  const std::size_t bytes = size_of(type);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint64_t x = load_bits(a + i * static_cast<std::int64_t>(bytes), bytes),
                        y = load_bits(b + i * static_cast<std::int64_t>(bytes), bytes);
    const double u = as_double(type, x);
    if (x == y) {
      result.relative_count += u != 0 && std::isfinite(u);
      continue;
    }
    const double v = as_double(type, y);
    if (!result.differing++) {
      result.first_element = static_cast<std::uint64_t>(first + i);
      result.first_bits = x;
      result.second_bits = y;
    }
    result.max_ulp = std::max(result.max_ulp, ulp_distance(type, x, y));
    if (is_float(type) && (u == v || (std::isnan(u) && std::isnan(v)))) ++result.value_equal;
    if (!std::isfinite(u) || !std::isfinite(v)) continue;
    const double distance = std::abs(u - v);
    result.max_abs = std::max(result.max_abs, distance);
    if (u == 0) continue;
    ++result.relative_count;
    result.relative_sum += distance / std::abs(u);
  }
  return result;
}

/// Elements that are finite and not zero: a magnitude between zero and infinity. The bits decide, so that equal
/// results, the common case, are counted as fast as they are read.
template <class T>
std::uint64_t countable(const char* a, std::int64_t count, T infinity) {
  constexpr T magnitude = static_cast<T>(~(T{1} << (8 * sizeof(T) - 1)));
  std::uint64_t n = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    T bits;
    std::memcpy(&bits, a + i * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
    n += static_cast<T>((bits & magnitude) - 1) < static_cast<T>(infinity - 1);
  }
  return n;
}
std::uint64_t countable(DataType type, const char* a, std::int64_t count) {
  switch (type) {
    case DataType::f32: return countable<std::uint32_t>(a, count, 0x7F800000u);
    case DataType::f64: return countable<std::uint64_t>(a, count, std::uint64_t{0x7FF} << 52);
    case DataType::f16: return countable<std::uint16_t>(a, count, 0x7C00u);
    case DataType::bf16: return countable<std::uint16_t>(a, count, 0x7F80u);
    default: break;
  }
  std::uint64_t n = 0;
  const auto bytes = static_cast<std::int64_t>(size_of(type));
  for (std::int64_t i = 0; i < count; ++i) n += load_bits(a + i * bytes, static_cast<std::size_t>(bytes)) != 0;
  return n;
}

/// Whether float bits of `width` bits are a NaN.
bool is_nan(DataType type, std::uint64_t bits) { return is_float(type) && std::isnan(as_double(type, bits)); }

}  // namespace

std::uint64_t ulp_distance(DataType type, std::uint64_t a_bits, std::uint64_t b_bits) {
  if (!is_float(type)) {
    const int shift = 64 - 8 * static_cast<int>(size_of(type));
    // i32 widens with its sign, u8 without, i64 is itself; the difference of two int64 fits in a uint64.
    const auto widen = [&](std::uint64_t bits) {
      return type == DataType::u8 ? static_cast<std::int64_t>(bits) : static_cast<std::int64_t>(bits << shift) >> shift;
    };
    const std::int64_t a = widen(a_bits), b = widen(b_bits);
    return a > b ? static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b)
                 : static_cast<std::uint64_t>(b) - static_cast<std::uint64_t>(a);
  }
  const bool a_nan = is_nan(type, a_bits), b_nan = is_nan(type, b_bits);
  if (a_nan || b_nan) return a_nan && b_nan ? 0 : std::uint64_t{1} << 63;
  // Sign and magnitude: the magnitudes count the values from zero, so both zeros have the same place.
  const int width = 8 * static_cast<int>(size_of(type));
  const std::uint64_t sign = std::uint64_t{1} << (width - 1);
  const std::uint64_t a = a_bits & (sign - 1), b = b_bits & (sign - 1);
  if ((a_bits & sign) != (b_bits & sign)) return a + b;
  return a > b ? a - b : b - a;
}

Result<Comparison> compare_on_host(const Tensor& a, const Tensor& b) {
  const auto describe = [](const TensorSpec& spec) {
    std::string text(to_text(spec.type));
    for (const std::int64_t size : spec.shape) text += "x" + std::to_string(size);
    return text;
  };
  if (a.spec.type != b.spec.type || a.spec.shape != b.spec.shape)
    return invalid_input("cannot compare " + describe(a.spec) + " with " + describe(b.spec) +
                         ": type and shape must agree");
  const LayoutWalk walk_a(a.spec), walk_b(b.spec);
  const DataType type = a.spec.type;
  const std::size_t bytes = size_of(type);
  const std::int64_t elements = walk_a.elements(), pieces = (elements + piece - 1) / piece;
  std::vector<PieceResult> results(static_cast<std::size_t>(pieces));
#pragma omp parallel for schedule(static) if (pieces > 8)
  for (std::int64_t p = 0; p < pieces; ++p) {
    char buffer_a[piece * 8], buffer_b[piece * 8];
    const std::int64_t first = p * piece, count = std::min(piece, elements - first);
    gather(walk_a, bytes, a.region.data, first, count, buffer_a);
    gather(walk_b, bytes, b.region.data, first, count, buffer_b);
    auto& result = results[static_cast<std::size_t>(p)];
    if (std::memcmp(buffer_a, buffer_b, static_cast<std::size_t>(count) * bytes) != 0)
      result = compare_piece(type, buffer_a, buffer_b, first, count);
    else
      result.relative_count = countable(type, buffer_a, count);
  }
  // Pieces are joined in index order: sums of doubles must not depend on which thread was first.
  Comparison total;
  total.elements = static_cast<std::uint64_t>(elements);
  std::uint64_t relative_count = 0;
  double relative_sum = 0;
  for (const PieceResult& r : results) {
    if (!total.differing && r.differing) {
      total.first_element = r.first_element;
      total.first_bits = r.first_bits;
      total.second_bits = r.second_bits;
    }
    total.differing += r.differing;
    total.value_equal += r.value_equal;
    total.max_ulp = std::max(total.max_ulp, r.max_ulp);
    total.max_abs = std::max(total.max_abs, r.max_abs);
    relative_count += r.relative_count;
    relative_sum += r.relative_sum;
  }
  total.v_ermv = relative_count ? relative_sum / static_cast<double>(relative_count) : 0;
  return total;
}

void gather_canonical(const Tensor& tensor, std::vector<std::byte>& out) {
  const LayoutWalk walk(tensor.spec);
  const std::size_t bytes = size_of(tensor.spec.type);
  const std::int64_t elements = walk.elements();
  out.resize(static_cast<std::size_t>(elements) * bytes);
#pragma omp parallel for schedule(static) if (elements > 8 * piece)
  for (std::int64_t first = 0; first < elements; first += piece)
    gather(walk, bytes, tensor.region.data, first, std::min(piece, elements - first),
           out.data() + static_cast<std::size_t>(first) * bytes);
}

double element_as_double(const Tensor& tensor, std::int64_t canonical_index) {
  const TensorSpec& spec = tensor.spec;
  std::array<std::int64_t, max_rank> index{};
  for (std::size_t d = spec.shape.size(); d-- > 0; canonical_index /= spec.shape[d])
    index[d] = canonical_index % spec.shape[d];
  const auto bytes = size_of(spec.type);
  const char* at = static_cast<const char*>(tensor.region.data) +
                   spec.layout.offset(index.data()) * static_cast<std::int64_t>(bytes);
  return as_double(spec.type, load_bits(at, bytes));
}

}  // namespace detbench
