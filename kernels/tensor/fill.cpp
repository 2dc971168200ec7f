#include "kernels/tensor/fill.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/tensor/fill_arithmetic.hpp"
#include "kernels/tensor/layout_walk.hpp"
#include "kernels/tensor/philox_block.hpp"

namespace detbench {
namespace {

constexpr std::pair<InputFill, std::string_view> fill_names[] = {
    {InputFill::exact, "exact"}, {InputFill::rounding, "rounding"}, {InputFill::wide, "wide"}};

bool is_integer(DataType type) { return type == DataType::i32 || type == DataType::i64 || type == DataType::u8; }

/// Up to here every integer is a value of the type.
std::int64_t largest_integer(DataType type) {
  switch (type) {
    case DataType::f16: return 1 << 11;
    case DataType::bf16: return 1 << 8;
    case DataType::f32: return 1 << 24;
    case DataType::u8: return 255;
    default: return std::int64_t{1} << 31;  // the draw has 32 random bits
  }
}

/// The largest exponent range of `wide` whose values are normal numbers of the type.
std::int64_t largest_exponent(DataType type) { return type == DataType::f16 ? 14 : type == DataType::f64 ? 1022 : 126; }

/// The last 10 places of 23, the last 3 of f16's 10, the last 2 of bf16's 7, the last 26 of f64's 52, as bits of the type that
/// values are computed in.
std::uint64_t last_places(DataType type) {
  switch (type) {
    case DataType::f16: return std::uint64_t{7} << 13;
    case DataType::bf16: return std::uint64_t{3} << 16;
    case DataType::f64: return (std::uint64_t{1} << 26) - 1;
    default: return (1 << 10) - 1;
  }
}

tl::unexpected<Reason> out_of_range(const char* field, const std::string& value, const std::string& range,
                                    DataType type) {
  return invalid_input(std::string("fill ") + field + " " + value + " is outside " + range + " for " +
                       std::string(to_text(type)));
}

template <DataType type>
void fill_typed(const LayoutWalk& walk, void* memory, const FillPlan& plan) {
  using Storage = FillStorage<type>;
  using Stored = typename Storage::Stored;
  using Group = FillGroup<typename Storage::Computed>;
  const std::int64_t elements = walk.elements();
  const int group_size = Group::size(plan.kind), calls = Group::calls(plan.kind);
  constexpr std::int64_t piece = 4096;  // elements per step; a multiple of every group size
  const bool contiguous = walk.is_contiguous();
#pragma omp parallel for schedule(static) if (elements > 4 * piece)
  for (std::int64_t first = 0; first < elements; first += piece) {
    Stored buffer[piece];
    const std::int64_t count = std::min(piece, elements - first);
    const std::int64_t groups = (count + group_size - 1) / group_size, first_group = first / group_size;
    for (std::int64_t at = 0; at < groups; at += philox_block_size) {
      PhiloxBlock block[max_fill_calls];
      for (int call = 0; call < calls; ++call)
        draw_philox_block(static_cast<std::uint64_t>(first_group + at), static_cast<std::uint32_t>(call), plan.key,
                          block[call]);
      const auto here = static_cast<int>(std::min<std::int64_t>(philox_block_size, groups - at));
      for (int g = 0; g < here; ++g) {
        PhiloxWords words[max_fill_calls];
        for (int call = 0; call < calls; ++call)
          for (int w = 0; w < 4; ++w) words[call].w[w] = block[call].word[w][g];
        typename Storage::Computed group[Group::max_size] = {};
        Group::convert(plan, words, static_cast<std::uint64_t>(first_group + at + g), group);
        // piece % group_size == 0, so a group never reaches beyond the buffer
        for (int j = 0; j < group_size; ++j) buffer[(at + g) * group_size + j] = Storage::store(group[j]);
      }
    }
    if (contiguous)
      std::memcpy(static_cast<char*>(memory) + first * static_cast<std::int64_t>(sizeof(Stored)), buffer,
                  static_cast<std::size_t>(count) * sizeof(Stored));
    else
      scatter(walk, sizeof(Stored), memory, first, count, buffer);
  }
}

void zero_memory(void* memory, std::size_t bytes) {
  constexpr std::size_t piece = 1 << 16;
#pragma omp parallel for schedule(static) if (bytes > 4 * piece)
  for (std::size_t first = 0; first < bytes; first += piece)
    std::memset(static_cast<char*>(memory) + first, 0, std::min(piece, bytes - first));
}

}  // namespace

std::string_view to_text(InputFill fill) {
  for (const auto& [f, text] : fill_names)
    if (f == fill) return text;
  return "exact";
}

std::optional<InputFill> parse_input_fill(std::string_view text) {
  for (const auto& [fill, name] : fill_names)
    if (name == text) return fill;
  return std::nullopt;
}

Result<FillPlan> plan_fill(DataType type, const FillSpec& spec) {
  using Kind = FillSpec::Kind;
  const bool integer = is_integer(type);
  if (!std::isfinite(spec.scale)) return out_of_range("scale", std::to_string(spec.scale), "the finite numbers", type);
  if (integer && spec.kind == Kind::constant && (spec.scale != std::floor(spec.scale) || std::abs(spec.scale) > 0x1p53))
    return out_of_range("scale", std::to_string(spec.scale), "the integers up to 2^53", type);
  if (type == DataType::i32 && spec.kind == Kind::constant && (spec.scale < -0x1p31 || spec.scale >= 0x1p31))
    return out_of_range("scale", std::to_string(spec.scale), "[-2^31, 2^31)", type);
  if (type == DataType::u8 && spec.kind == Kind::constant && (spec.scale < 0 || spec.scale > 255))
    return out_of_range("scale", std::to_string(spec.scale), "[0, 255]", type);
  if (integer && (spec.kind == Kind::uniform || spec.kind == Kind::normal || spec.kind == Kind::wide || spec.kind == Kind::truncated_normal ||
                  spec.kind == Kind::positive || spec.kind == Kind::cancelling))
    return invalid_input("fills 'uniform', 'normal', 'truncated_normal', 'positive', 'cancelling' and 'wide' need a floating-point type, not " +
                         std::string(to_text(type)));
  if (!integer && spec.kind == Kind::index)
    return invalid_input("fill 'index' needs i32, i64 or u8, not " + std::string(to_text(type)));
  if (spec.kind == Kind::integers) {
    if (type == DataType::u8)
      return invalid_input("fill 'integers' has negative values; u8 takes 'index' or 'constant'");
    if (!(spec.density >= 0 && spec.density <= 1))
      return out_of_range("density", std::to_string(spec.density), "[0, 1]", type);
    const std::int64_t largest = std::min(largest_integer(type), std::int64_t{1} << 30);
    if (spec.limit < 1 || spec.limit > largest)
      return out_of_range("limit", std::to_string(spec.limit), "[1, " + std::to_string(largest) + "]", type);
  }
  if (spec.kind == Kind::index) {
    const std::int64_t largest = type == DataType::u8 ? 256 : type == DataType::i32 ? std::int64_t{1} << 31 : INT64_MAX;
    if (spec.limit < 1 || spec.limit > largest)
      return out_of_range("limit", std::to_string(spec.limit), "[1, " + std::to_string(largest) + "]", type);
  }
  if (spec.kind == Kind::wide && (spec.limit < 0 || spec.limit > largest_exponent(type)))
    return out_of_range("limit", std::to_string(spec.limit), "[0, " + std::to_string(largest_exponent(type)) + "]",
                        type);
  if (spec.kind == Kind::cancelling && (spec.limit < 0 || spec.limit % 2 != 0 || spec.limit > std::int64_t{1} << 40))
    return out_of_range("limit", std::to_string(spec.limit), "the even numbers up to 2^40", type);
  return FillPlan{spec.kind, stream_key(spec.seed, spec.stream), spec.scale, spec.limit,
                  static_cast<std::uint64_t>(spec.density * 4294967296.0), last_places(type)};
}

Status fill_on_host(const Tensor& tensor, const FillSpec& spec) {
  const auto plan = plan_fill(tensor.spec.type, spec);
  if (!plan) return tl::unexpected(plan.error());
  if (tensor.region.bytes < tensor.spec.bytes())
    return invalid_input("tensor '" + tensor.spec.role + "' needs " + std::to_string(tensor.spec.bytes()) +
                         " bytes, its memory has " + std::to_string(tensor.region.bytes));
  const LayoutWalk walk(tensor.spec);
  if (tensor.spec.layout.elements != walk.elements()) zero_memory(tensor.region.data, tensor.spec.bytes());
  with_data_type(tensor.spec.type, [&]<DataType type>() { fill_typed<type>(walk, tensor.region.data, *plan); });
  return {};
}

}  // namespace detbench
