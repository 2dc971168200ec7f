#include "kernels/scatter_add/scatter_problem.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace detbench::scatter_add {
namespace {

constexpr std::int64_t largest_n = std::int64_t{1} << 30, largest_bins = std::int64_t{1} << 24, largest_width = 4096;

struct TypeWord {
  std::string_view text;
  DataType stored, bin;
};
constexpr TypeWord type_words[] = {{"f32_f32_strict", DataType::f32, DataType::f32},    {"f64_f64_strict", DataType::f64, DataType::f64},
                                   {"f16_f32_strict", DataType::f16, DataType::f32},    {"bf16_f32_strict", DataType::bf16, DataType::f32},
                                   {"f16_f16_strict", DataType::f16, DataType::f16},    {"bf16_bf16_strict", DataType::bf16, DataType::bf16}};

struct LayoutWord {
  std::string_view text;
  Layout layout;
};
constexpr LayoutWord layout_words[] = {
    {"adjacent", Layout::adjacent}, {"spread", Layout::spread}, {"pairs", Layout::pairs}, {"zipf", Layout::zipf}};

std::string in_shape(const Problem& problem) { return " in shape '" + problem.shape.substr(0, 200) + "' "; }

/// n, bins, hot, width of the shape's fields.
Result<ScatterProblem> read_fields(Kind kind, std::string_view fields) {
  std::vector<FieldBounds> wanted{{"n", 1, largest_n}, {"bins", 1, largest_bins}};
  if (kind == Kind::scatter_add) wanted.push_back({"hot", 0, largest_bins});
  if (kind == Kind::index_add) {
    wanted.push_back({"d", 1, largest_width});
    // Left out when there are none, so that one problem has one name.
    if (const auto parsed = parse_shape(fields); parsed && parsed->size() == 4) wanted.push_back({"hot", 1, largest_bins});
  }
  const auto values = read_shape(fields, wanted);
  if (!values) return tl::unexpected(values.error());
  ScatterProblem problem;
  problem.kind = kind;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const std::string_view key = wanted[i].key;
    const std::int64_t value = (*values)[i];
    if (key == "n") problem.n = value;
    if (key == "bins") problem.bins = static_cast<std::int32_t>(value);
    if (key == "hot") problem.hot = static_cast<std::int32_t>(value);
    if (key == "d") problem.width = value;
  }
  return problem;
}

Status check_sizes(const ScatterProblem& p, const Problem& text) {
  if (p.hot > p.bins || (p.hot & (p.hot - 1)) != 0)
    return invalid_input("'hot" + std::to_string(p.hot) + "'" + in_shape(text) + "should be 0 or a power of two up to bins");
  if (p.hot > 0 && p.layout != Layout::random)
    return invalid_input("'hot" + std::to_string(p.hot) + "'" + in_shape(text) + "needs indices that are drawn at random: leave out the layout's word, or take hot0");
  if (p.layout == Layout::pairs && p.n > 2 * std::int64_t{p.bins})
    return invalid_input("'pairs'" + in_shape(text) + "needs n up to 2 * bins, so that no bin gets a third update");
  if (p.values() > largest_n)
    return invalid_input("n times d" + in_shape(text) + "is " + std::to_string(p.values()) + "; it should be up to " + std::to_string(largest_n));
  if (p.outputs() > largest_bins)
    return invalid_input("bins times d" + in_shape(text) + "is " + std::to_string(p.outputs()) + "; it should be up to " + std::to_string(largest_bins));
  // Sums of up to k values below 1 stay below 65504 for k = 2^15, and so do their roundings on the way.
  if (p.bin == DataType::f16 && p.distribution == reduction::Distribution::uniform && most_updates_of_a_bin(p) > (1 << 15))
    return invalid_input("'uniform'" + in_shape(text) + "with bins in f16 should have at most 32768 updates of a bin: the sums would overflow");
  return {};
}

int zipf_octaves(std::int32_t bins) {
  int octaves = 0;
  while ((std::int64_t{1} << (octaves + 1)) - 1 <= bins) ++octaves;
  return octaves;
}

/// The share of all updates that the likeliest bin gets.
double largest_share(const ScatterProblem& p) {
  const double even = 1.0 / p.bins;
  if (p.layout == Layout::zipf) return 1.0 / zipf_octaves(p.bins);
  return p.hot > 0 ? 0.5 * even + 0.5 / p.hot : even;
}

}  // namespace

std::string_view to_text(Kind kind) {
  switch (kind) {
    case Kind::index_add: return "index_add";
    case Kind::weighted_histogram: return "weighted_histogram";
    default: return "scatter_add";
  }
}

std::int64_t ScatterProblem::index_limit() const {
  switch (layout) {
    case Layout::random: return hot > 0 ? std::int64_t{2} * bins : bins;
    case Layout::zipf: return std::int64_t{zipf_octaves(bins)} << zipf_octave_bits;
    default: return 1;
  }
}

Result<ScatterProblem> parse_scatter(const Problem& problem) {
  const auto* kind = std::find_if(std::begin(all_kinds), std::end(all_kinds), [&](Kind k) { return to_text(k) == problem.op; });
  if (kind == std::end(all_kinds))
    return invalid_input("'" + problem.op.substr(0, 60) + "' is none of scatter_add, index_add, weighted_histogram");
  const auto* types = std::find_if(std::begin(type_words), std::end(type_words), [&](const TypeWord& w) { return w.text == problem.types; });
  if (types == std::end(type_words)) {
    std::string names;
    for (const TypeWord& word : type_words) names += (names.empty() ? "" : ", ") + std::string(word.text);
    return invalid_input("types '" + problem.types.substr(0, 60) + "' of " + problem.op + " should be one of " + names);
  }
  if (problem.layout != "vector")
    return invalid_input("layout '" + problem.layout.substr(0, 60) + "' of " + problem.op + " should be vector");

  std::vector<std::string_view> known;
  if (*kind != Kind::weighted_histogram)
    for (const LayoutWord& word : layout_words) known.push_back(word.text);
  const auto shape = reduction::split_distribution(problem.shape, known);
  if (!shape) return tl::unexpected(shape.error());
  auto parsed = read_fields(*kind, shape->fields);
  if (!parsed) return tl::unexpected(parsed.error());
  parsed->stored = types->stored;
  parsed->bin = types->bin;
  parsed->distribution = shape->distribution;
  for (const LayoutWord& word : layout_words)
    if (!shape->words.empty() && shape->words.front() == word.text) parsed->layout = word.layout;
  if (const auto status = check_sizes(*parsed, problem); !status) return tl::unexpected(status.error());
  return parsed;
}

double mean_updates_per_bin(const ScatterProblem& problem) { return static_cast<double>(problem.n) / problem.bins; }

bool has_exact_counts(const ScatterProblem& p) {
  if (p.n <= 1 || p.bins == 1) return true;
  return !p.has_samples() && p.layout != Layout::random && p.layout != Layout::zipf;
}

std::int64_t most_updates_of_a_bin(const ScatterProblem& p) {
  if (p.layout == Layout::pairs) return std::min<std::int64_t>(p.n, 2);
  if (p.layout == Layout::spread) return (p.n + p.bins - 1) / p.bins;
  // The multiplier is rounded down, so a bin may reach one update further than n / bins rounded up.
  if (p.layout == Layout::adjacent) return std::min(p.n, (p.n + p.bins - 1) / p.bins + 1);
  const double mean = static_cast<double>(p.n) * largest_share(p);
  return std::min(p.n, static_cast<std::int64_t>(std::ceil(mean + 6 * std::sqrt(mean) + 12)));
}

std::int64_t most_partials_of_a_bin(const ScatterProblem& p, std::int64_t part) {
  const std::int64_t most = most_updates_of_a_bin(p);
  const bool follow_each_other = p.bins == 1 || p.layout == Layout::adjacent || p.layout == Layout::pairs;
  if (!follow_each_other) return most;
  // The first of them may be the last of its part.
  return std::min({most, (most + part - 2) / part + 1, (p.n + part - 1) / part});
}

std::map<std::string, std::string> contention_notes(const ScatterProblem& p) {
  char mean[32];
  std::snprintf(mean, sizeof mean, "%.6g", mean_updates_per_bin(p));
  std::map<std::string, std::string> notes{{"updates_per_bin", mean}};
  std::string& contention = notes["contention"];
  if (p.has_samples()) contention = "bins drawn at random";
  else if (p.layout == Layout::adjacent || p.layout == Layout::pairs) contention = "the updates of a bin follow each other";
  else if (p.layout == Layout::spread) contention = "the updates of a bin lie " + std::to_string(p.bins) + " updates apart, so that they seldom meet";
  else if (p.layout == Layout::zipf) contention = "bin b drawn about as often as 1 / (b + 1)";
  else contention = p.hot > 0 ? "half of all updates drawn from " + std::to_string(p.hot) + " hot bins" : "bins drawn at random";
  if (has_exact_counts(p) && most_updates_of_a_bin(p) <= 2)
    notes["cannot_show"] = "at most 2 updates meet in a bin, and a + b = b + a: every order gives the same bits";
  return notes;
}

std::vector<TensorSpec> input_specs(const ScatterProblem& p) {
  const Shape one{p.n}, rows = p.kind == Kind::index_add ? Shape{p.n, p.width} : one;
  if (p.has_samples())
    return {{"weights", p.stored, one, canonical_layout(one)}, {"samples", DataType::f32, one, canonical_layout(one)}};
  return {{"values", p.stored, rows, canonical_layout(rows)}, {"indices", DataType::i32, one, canonical_layout(one)}};
}

TensorSpec output_spec(const ScatterProblem& p) {
  const Shape shape = p.kind == Kind::index_add ? Shape{p.bins, p.width} : Shape{p.bins};
  return {"dst", p.bin, shape, canonical_layout(shape)};
}

Result<FillSpec> input_fill(const ScatterProblem& p, const std::string& role, const Inputs& inputs) {
  const std::string stream = std::string(to_text(p.kind)) + "/" + role;
  const bool has = p.has_samples();
  if (role == (has ? "weights" : "values"))
    return reduction::summand_fill(inputs, stream, p.stored, p.bin, p.values(), most_updates_of_a_bin(p), p.distribution);
  FillSpec fill;
  fill.seed = inputs.seed;
  fill.stream = stream;
  if (has && role == "samples") {
    fill.kind = FillSpec::Kind::uniform;
    return fill;
  }
  if (!has && role == "indices") {
    fill.kind = FillSpec::Kind::index;
    fill.limit = p.index_limit();
    return fill;
  }
  return invalid_input(std::string(to_text(p.kind)) + " has no input '" + role.substr(0, 60) + "'; it has " + (has ? "weights and samples" : "values and indices"));
}

}  // namespace detbench::scatter_add
