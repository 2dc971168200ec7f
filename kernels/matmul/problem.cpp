#include "kernels/matmul/problem.hpp"

namespace detbench {

std::string_view op_name(DensePass pass) {
  switch (pass) {
    case DensePass::dgrad: return "dense_dgrad";
    case DensePass::wgrad: return "dense_wgrad";
    default: return "dense_fwd";
  }
}

std::int64_t DenseProblem::reduction_length() const {
  switch (pass) {
    case DensePass::forward: return ic + 1;
    case DensePass::dgrad: return oc;
    default: return mb;
  }
}

DenseTensors tensors_of(const DenseProblem& p) {
  const auto spec = [](const char* role, DataType type, const Shape& shape) {
    return TensorSpec{role, type, shape, canonical_layout(shape)};
  };
  const auto type = p.types.storage;
  const Shape src{p.mb, p.ic}, dst{p.mb, p.oc}, weights{p.oc, p.ic}, bias{p.oc};
  switch (p.pass) {
    case DensePass::dgrad:
      return {{spec("diff_dst", type, dst), spec("weights", type, weights)}, {spec("diff_src", type, src)}};
    case DensePass::wgrad:
      return {{spec("src", type, src), spec("diff_dst", type, dst)},
              {spec("diff_weights", DataType::f32, weights), spec("diff_bias", DataType::f32, bias)}};
    default:
      return {{spec("src", type, src), spec("weights", type, weights), spec("bias", DataType::f32, bias)},
              {spec("dst", type, dst)}};
  }
}

Problem to_problem(const DenseProblem& p) {
  return {std::string(op_name(p.pass)),
          format_shape({{"mb", std::to_string(p.mb)}, {"ic", std::to_string(p.ic)}, {"oc", std::to_string(p.oc)}}),
          to_text(p.types), p.layout};
}

Result<DenseProblem> parse_dense(const Problem& problem) {
  DenseProblem p;
  bool known = false;
  for (auto pass : all_dense_passes)
    if (op_name(pass) == problem.op) p.pass = pass, known = true;
  if (!known)
    return invalid_input("'" + problem.op.substr(0, 60) + "' is no dense layer: dense_fwd, dense_dgrad and dense_wgrad are");
  const auto types = parse_product_types(problem.types);
  if (!types) return tl::unexpected(types.error());
  p.types = *types;
  if (problem.layout != "rowmajor" && problem.layout != "blocked")
    return invalid_input("'" + problem.layout.substr(0, 60) + "' is no layout of a dense layer: rowmajor and blocked are");
  p.layout = problem.layout;
  const auto v = read_shape(problem.shape, {{"mb", 1, 1 << 24}, {"ic", 1, 1 << 24}, {"oc", 1, 1 << 24}});
  if (!v) return tl::unexpected(v.error());
  p.mb = (*v)[0], p.ic = (*v)[1], p.oc = (*v)[2];
  constexpr std::int64_t most = std::int64_t{1} << 34;  // sizes are below 2^25, so their products fit
  for (const auto& [name, elements] : {std::pair{"src", p.mb * p.ic}, {"weights", p.oc * p.ic}, {"dst", p.mb * p.oc}})
    if (elements > most)
      return invalid_input(std::string(name) + " has more than 2^34 elements in dense layer '" +
                           problem_id(problem).substr(0, 300) + "'");
  return p;
}

}  // namespace detbench
