#include "kernels/segmented_sum/segmented_problem.hpp"

#include <algorithm>

namespace detbench::segmented_sum {
namespace {

TensorSpec vector_spec(std::string role, DataType type, std::int64_t n) { return {std::move(role), type, {n}, canonical_layout({n})}; }

constexpr struct {
  const char* text;
  DataType stored, accumulator;
} all_types[] = {{"f32_f32_strict", DataType::f32, DataType::f32},
                 {"f64_f64_strict", DataType::f64, DataType::f64},
                 {"f16_f32_strict", DataType::f16, DataType::f32},
                 {"bf16_f32_strict", DataType::bf16, DataType::f32}};

}  // namespace

TensorSpec SegmentedProblem::src() const { return vector_spec("src", stored, n); }
TensorSpec SegmentedProblem::cuts() const { return vector_spec("cuts", DataType::i64, segments + 1); }
TensorSpec SegmentedProblem::dst() const { return vector_spec("dst", accumulator, segments); }

Result<SegmentedProblem> parse_segmented(const Problem& problem) {
  if (problem.op != "segmented_sum") return invalid_input("'" + problem.op.substr(0, 60) + "' is not the operation segmented_sum");
  const auto* types = std::find_if(std::begin(all_types), std::end(all_types), [&](const auto& t) { return problem.types == t.text; });
  if (types == std::end(all_types))
    return invalid_input("types '" + problem.types.substr(0, 60) + "' do not exist for segmented_sum; f32_f32_strict, f64_f64_strict, f16_f32_strict and bf16_f32_strict do");
  if (problem.layout != "vector") return invalid_input("layout '" + problem.layout.substr(0, 60) + "' of a segmented_sum should be vector");
  const auto shape = reduction::split_distribution(problem.shape, {"equal", "skewed"});
  if (!shape) return tl::unexpected(shape.error());
  const auto fields = read_shape(shape->fields, {{"n", 1, std::int64_t{1} << 34}, {"seg", 1, std::int64_t{1} << 24}});
  if (!fields) return tl::unexpected(fields.error());
  const bool skewed = !shape->words.empty() && shape->words[0] == "skewed";
  return SegmentedProblem{(*fields)[0], (*fields)[1], skewed, types->stored, types->accumulator, shape->distribution};
}

SimplePlanParts parts_of(const SegmentedProblem& problem) {
  SimplePlanParts parts;
  parts.inputs = {problem.src(), problem.cuts()}, parts.outputs = {problem.dst()};
  parts.alignment_bytes = 1;  // every kernel takes any element's address
  return parts;
}

SimpleAlgorithm by_construction(std::string name, std::string why, MakeSegmented on_cpu, Result<SimplePlanParts> (*on_gpu)(const SegmentedProblem&)) {
  Claim claim = claim_by_construction();
  claim.source += ": " + why;
  const std::string missing = name + " exists for the CPU only";
  return {std::move(name), std::move(claim), true, [on_cpu, on_gpu, missing](const Problem& text, Device& device) -> Result<SimplePlanParts> {
            const auto problem = parse_segmented(text);
            if (!problem) return tl::unexpected(problem.error());
            if (device.kind() == DeviceKind::cpu) return on_cpu(*problem, reduction::best_isa());
            if (on_gpu == nullptr) return unsupported(missing);
            return on_gpu(*problem);
          }};
}

}  // namespace detbench::segmented_sum
