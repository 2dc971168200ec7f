// Input values: Philox4x32-10 keyed by (seed, stream name, index), turned into floats by exact operations only
// (METHOD section 9). The same bits on every CPU and GPU.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/tensor/tensor.hpp"

namespace detbench {

inline constexpr int fill_version = 1;

/// The two fills of METHOD section 2, and the harder one of section 9.
enum class InputFill { exact, rounding, wide };
std::string_view to_text(InputFill fill);
std::optional<InputFill> parse_input_fill(std::string_view text);

/// Which inputs a case is measured with; part of every row.
struct Inputs {
  InputFill fill = InputFill::rounding;
  std::uint64_t seed = 1;
};

/// How one tensor's elements are drawn. Element i of the canonical order depends on (seed, stream, i) only.
struct FillSpec {
  enum class Kind {
    constant,  ///< `scale` everywhere
    integers,  ///< non-zero with probability `density`; then uniform over the non-zero integers of [-limit, limit]
    uniform,   ///< scale * u, u in [-1, 1), 24 random mantissa bits (53 for f64)
    normal,    ///< scale * z, z the sum of 12 uniforms minus 6, exactly rounded in a stated order
    wide,      ///< sign * 1.m * 2^e * scale, e uniform in [-limit, limit]: wide exponent range, cancellation
    index,     ///< integers 0 .. limit-1 for i32/i64: labels, scatter targets
    truncated_normal,  ///< scale * z, z a normal deviate kept in [-2, 2): FillGroup says which draws are kept
    positive,    ///< scale * |u| of `uniform`: sums that only grow
    cancelling   ///< elements i and i + limit (limit even) are opposite but for their last places, magnitudes in
                 ///< [2^-8, 2^9): over 2 * limit elements the sum is some 2^-13 of one element times sqrt(limit), so
                 ///< nearly every digit of the partial sums cancels. Elements from 2 * limit on are 0.
  };
  Kind kind = Kind::constant;
  std::uint64_t seed = 0;
  std::string stream;     ///< name of the random stream, normally "<op>/<role>"
  double scale = 1.0;
  std::int64_t limit = 1;
  double density = 1.0;
};

/// Fills host memory, whatever its layout; padding becomes zero. f16 and bf16 are rounded to nearest even from f32.
Status fill_on_host(const Tensor& tensor, const FillSpec& spec);

}  // namespace detbench
