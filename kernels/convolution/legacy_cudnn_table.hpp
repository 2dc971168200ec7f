// cuDNN's legacy convolution algorithms as plain data, and the names of the arms that run them: what can be known, named
// and tested without cuDNN. Numbers are those of cuDNN 9's headers; a test built with the headers holds them to it.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "kernels/convolution/problem.hpp"

namespace detbench::legacy {

/// One enumerator of cudnnConvolutionFwdAlgo_t, cudnnConvolutionBwdDataAlgo_t or cudnnConvolutionBwdFilterAlgo_t.
struct AlgorithmRow {
  Direction direction;
  int value;         ///< the enumerator; the two backward enums number FFT_TILING and the WINOGRADs differently
  const char* name;  ///< the enumerator's last words in small letters
  /// Named as not deterministic in the developer guide's section "Reproducibility (Determinism)".
  bool documented_nondeterministic = false;
  /// Works on transformed data (Winograd, FFT), whose constants are inexact.
  bool transform = false;
};

/// All of them, by direction and value: 8 forward, 6 backward data, 7 backward filter.
std::span<const AlgorithmRow> all_algorithms();
std::span<const AlgorithmRow> algorithms_of(Direction direction);

/// cudnnMathType_t.
enum class Math { default_math = 0, tensor_op = 1, tensor_op_allow_conversion = 2, fma = 3 };
inline constexpr Math all_math[] = {Math::default_math, Math::tensor_op, Math::tensor_op_allow_conversion, Math::fma};
std::string_view to_text(Math math);  ///< "default", "tensor_op", "tensor_op_allow_conversion", "fma"

/// Why a math type does not belong to problems of these types on a GPU of that architecture (sm_90: 9); nullopt: it does.
/// f32 strict wants fma: from sm_80 on the three others permit TF32 for f32 data; before, no TF32 exists, so that only
/// the one that may convert data to f16 is not strict. The TF32 problem is the other way round. 16-bit data take all four.
std::optional<Reason> math_misfit(const ConvolutionTypes& types, Math math, int compute_major);
/// The math type that a framework sets for these types: fma where TF32 is not allowed, default where it is, tensor_op for
/// 16-bit data (PyTorch 2, ConvShared.cpp and Conv_v7.cpp).
Math usual_math(const ConvolutionTypes& types);

/// How an arm comes by its algorithm.
enum class Choice {
  named,     ///< the arm's name says it
  get_v7,    ///< cudnnGetConvolution...Algorithm_v7: heuristics, nothing is run
  find_ex    ///< cudnnFindConvolution...AlgorithmEx: the fastest one measured when the plan is made
};

/// One arm. Names: "implicit_gemm@math=fma", "implicit_gemm@compute=f16,math=tensor_op" where sums are made in f16; "pad+" before it where the image gets zeros by hand (pad.hpp);
/// "pick:get_v7@math=fma,ws=1073741824" and "pick:find_ex@math=fma,rows=deterministic,ws=1073741824" for the picks, whose
/// workspace cap in bytes decides with them, and which may be held to the rows that the library calls deterministic.
struct Arm {
  bool pad = false;
  Choice choice = Choice::named;
  const AlgorithmRow* row = nullptr;  ///< set when named
  Math math = Math::default_math;
  bool half_compute = false;             ///< of a named one
  std::size_t workspace_cap_bytes = 0;   ///< of a pick
  bool deterministic_rows_only = false;  ///< of a pick
  bool operator==(const Arm&) const = default;
};

/// "implicit_gemm@math=fma": the part that a pick's note says.
std::string row_text(const AlgorithmRow& row, Math math);

/// Name, options, whether it is a sum of products, and what cuDNN of that version ("9.19.0") claims for it.
Algorithm to_algorithm(const Arm& arm, const std::string& cudnn_version);
/// The inverse for one direction, from provider, name and options alone; errors name what is wrong and what exists.
Result<Arm> parse_arm(Direction direction, const Algorithm& algorithm);

/// One row of a perf struct as the library gave it, of any direction.
struct PerfRow {
  int algorithm = 0;
  bool succeeded = false;
  double time_s = 0;        ///< measured by Find; -1 from Get
  std::size_t memory_bytes = 0;
  bool deterministic = false;
  int math = 0;
};

/// The first row that succeeded, fits under the arm's cap and demand, and whose math type belongs to the problem; the
/// library sorts rows by time. The error counts why the others fell out.
Result<PerfRow> choose_row(std::span<const PerfRow> rows, const Arm& arm, const ConvolutionTypes& types, int compute_major);

/// The first `most` rows that succeeded, for a note that shows how close a choice was: "winograd@math=fma 1.2e-05 s, gemm@math=fma
/// 1.3e-05 s"; without times where none were measured. A number stands for what the table does not know.
std::string ranking_text(Direction direction, std::span<const PerfRow> rows, std::size_t most);

/// What the perf struct says of determinism for an algorithm under a math type, as a note: "deterministic",
/// "non_deterministic", or "unlisted" when no row names it. Not to be trusted (apache/mxnet#13142), so it is kept beside the
/// claim instead of in it.
std::string perf_struct_determinism(std::span<const PerfRow> rows, int algorithm, Math math);

}  // namespace detbench::legacy
