#include "bench/suites/reduction_problems.hpp"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "kernels/reduction/distribution.hpp"

namespace detbench {
namespace {

using reduction::all_distributions;
using reduction::Distribution;
using reduction::distribution_suffix;

constexpr const char *f32 = "f32_f32_strict", *f64 = "f64_f64_strict", *f16 = "f16_f32_strict", *bf16 = "bf16_f32_strict";

std::int64_t power(int exponent) { return std::int64_t{1} << exponent; }

class List {
 public:
  void take(Problem problem) {
    if (std::find(all_.begin(), all_.end(), problem) == all_.end()) all_.push_back(std::move(problem));
  }
  void vector(const std::string& op, const ShapeFields& fields, const std::string& words = "", const char* types = f32) {
    take({op, format_shape(fields) + words, types, "vector"});
  }
  /// sum or dot of 2^exponent elements.
  void sum(const std::string& op, int exponent, Distribution distribution = Distribution::centred, const char* types = f32) {
    vector(op, {{"n", std::to_string(power(exponent))}}, distribution_suffix(distribution), types);
  }
  /// 2^updates updates of 2^bins bins.
  void scatter(int updates, int bins, const std::string& words = "", const char* types = f32, std::int64_t hot = 0) {
    vector("scatter_add", {{"n", std::to_string(power(updates))}, {"bins", std::to_string(power(bins))}, {"hot", std::to_string(hot)}}, words, types);
  }
  /// 2^rows rows of `width` values into 2^bins rows.
  void index_add(int rows, int bins, int width, const std::string& words = "") {
    vector("index_add", {{"n", std::to_string(power(rows))}, {"bins", std::to_string(power(bins))}, {"d", std::to_string(width)}}, words);
  }
  void histogram(int samples, int bins) { vector("weighted_histogram", {{"n", std::to_string(power(samples))}, {"bins", std::to_string(power(bins))}}); }
  void segmented(int elements, int segments, const std::string& words, const char* types = f32) {
    vector("segmented_sum", {{"n", std::to_string(power(elements))}, {"seg", std::to_string(power(segments))}}, words, types);
  }
  void resize(int batch, int channels, int from, int to, const char* layout, const char* types = f32) {
    take({"resize_bilinear_bwd",
          format_shape({{"mb", std::to_string(batch)}, {"c", std::to_string(channels)}, {"ih", std::to_string(from)}, {"iw", std::to_string(from)},
                        {"oh", std::to_string(to)}, {"ow", std::to_string(to)}}),
          types, layout});
  }
  std::vector<Problem> all() { return std::move(all_); }

 private:
  std::vector<Problem> all_;
};

std::vector<Problem> smoke(bool gpu) {
  List list;
  list.sum("sum", 20);
  list.scatter(18, 10);
  list.scatter(gpu ? 18 : 16, gpu ? 18 : 16, "_pairs");
  return list.all();
}

std::vector<Problem> quick(bool gpu) {
  List list;
  for (const int exponent : {16, 20, 24}) list.sum("sum", exponent);
  list.sum("sum", 20, Distribution::cancelling);
  list.sum("sum", 20, Distribution::centred, bf16);
  list.sum("dot", 20);
  list.segmented(20, 10, "_skewed");
  const int updates = gpu ? 20 : 18;
  for (const int bins : {4, 14}) list.scatter(updates, bins);
  list.scatter(updates, updates, "_pairs");
  list.index_add(12, 8, 64);
  list.histogram(18, 8);
  list.resize(8, 32, 28, 56, "nhwc");
  return list.all();
}

std::vector<Problem> standard(bool gpu) {
  List list;
  const int largest = gpu ? 28 : 26;
  for (const int exponent : {10, 16, 20, 24, largest}) list.sum("sum", exponent);
  for (const Distribution distribution : all_distributions) list.sum("sum", 24, distribution);
  for (const char* types : {f64, f16, bf16}) list.sum("sum", 24, Distribution::centred, types);
  for (const char* types : {f32, f64, bf16}) list.sum("dot", 24, Distribution::centred, types);
  list.sum("dot", 20, Distribution::cancelling);
  for (const char* words : {"_equal", "_skewed"})
    for (const int segments : {4, 10, 16}) list.segmented(22, segments, words);
  const int updates = gpu ? 22 : 20;
  for (const int bins : {4, 8, 12, 16, 20}) list.scatter(updates, bins);
  for (const char* layout : {"_adjacent", "_spread"}) list.scatter(updates, 10, layout);
  list.scatter(updates, 16, "", f32, 16);
  list.scatter(updates, updates, "_pairs");
  for (const char* types : {f64, bf16, "bf16_bf16_strict", "f16_f16_strict"}) list.scatter(updates, 10, "", types);
  for (const int bins : {8, 14}) list.index_add(16, bins, 64);
  list.index_add(16, 14, 64, "_zipf");  // words of a language, into an embedding
  for (const int bins : {8, 16}) list.histogram(20, bins);
  for (const char* layout : {"nhwc", "nchw"}) list.resize(8, 64, 56, 112, layout);
  list.resize(8, 64, 112, 56, "nhwc");
  return list.all();
}

std::vector<Problem> full(bool gpu) {
  List list;
  for (auto& problem : standard(gpu)) list.take(std::move(problem));
  for (const char* op : {"sum", "dot"})
    for (const char* types : {f32, f64, f16, bf16})
      for (const int exponent : {10, 12, 14, 16, 18, 20, 22, 24, 26, 28}) list.sum(op, exponent, Distribution::centred, types);
  for (const char* types : {f32, f64, f16, bf16})
    for (const Distribution distribution : all_distributions)
      for (const int exponent : {16, 24}) list.sum("sum", exponent, distribution, types);
  for (const int updates : {20, 22})
    for (const int bins : {2, 4, 6, 8, 10, 12, 14, 16, 18, 20})
      for (const char* layout : {"", "_adjacent", "_spread"}) list.scatter(updates, bins, layout);
  for (const char* types : {f64, f16, bf16, "bf16_bf16_strict", "f16_f16_strict"})
    for (const int bins : {4, 10, 16}) list.scatter(20, bins, "", types);
  for (const std::int64_t hot : {1, 16, 256}) list.scatter(20, 16, "", f32, hot);
  for (const int width : {1, 16, 256}) list.index_add(14, 10, width);
  for (const char* types : {f32, f64, f16, bf16})
    for (const char* words : {"_equal", "_skewed"}) list.segmented(22, 10, words, types);
  for (const char* types : {f16, bf16}) list.resize(8, 64, 56, 112, "nhwc", types);
  return list.all();
}

}  // namespace

std::vector<Problem> reduction_problems(ReductionSweep sweep, const std::string& backend) {
  const bool gpu = backend == "cuda";
  switch (sweep) {
    case ReductionSweep::smoke: return smoke(gpu);
    case ReductionSweep::quick: return quick(gpu);
    case ReductionSweep::standard: return standard(gpu);
    default: return full(gpu);
  }
}

}  // namespace detbench
