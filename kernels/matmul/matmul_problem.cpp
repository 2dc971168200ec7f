#include "kernels/matmul/matmul_problem.hpp"

namespace detbench {

MatmulTensors tensors_of(const MatmulProblem& p) {
  const auto spec = [&](const char* role, std::int64_t rows, std::int64_t columns, bool transposed) {
    const Shape shape{rows, columns};
    return TensorSpec{role, p.types.storage, shape, transposed ? permuted_layout(shape, {1, 0}) : canonical_layout(shape)};
  };
  return {{spec("a", p.mb, p.k, p.a_transposed), spec("b", p.k, p.n, p.b_transposed)}, {spec("c", p.mb, p.n, false)}};
}

Problem to_problem(const MatmulProblem& p) {
  return {"matmul", format_shape({{"m", std::to_string(p.mb)}, {"n", std::to_string(p.n)}, {"k", std::to_string(p.k)}}), to_text(p.types),
          std::string(p.a_transposed ? "t" : "n") + (p.b_transposed ? "t" : "n")};
}

Result<MatmulProblem> parse_matmul(const Problem& problem) {
  MatmulProblem p;
  if (problem.op != "matmul") return invalid_input("'" + problem.op.substr(0, 60) + "' is no matrix product: matmul is");
  const auto types = parse_product_types(problem.types);
  if (!types) return tl::unexpected(types.error());
  p.types = *types;
  const auto& layout = problem.layout;
  const auto is_known = [](char c) { return c == 'n' || c == 't'; };
  if (layout.size() != 2 || !is_known(layout[0]) || !is_known(layout[1]))
    return invalid_input("'" + layout.substr(0, 60) + "' is no layout of a matrix product: nn, nt, tn and tt are");
  p.a_transposed = layout[0] == 't', p.b_transposed = layout[1] == 't';
  const auto v = read_shape(problem.shape, {{"m", 1, 1 << 24}, {"n", 1, 1 << 24}, {"k", 1, 1 << 24}});
  if (!v) return tl::unexpected(v.error());
  p.mb = (*v)[0], p.n = (*v)[1], p.k = (*v)[2];
  constexpr std::int64_t most = std::int64_t{1} << 34;  // sizes are below 2^25, so their products fit
  for (const auto& [name, elements] : {std::pair{"a", p.mb * p.k}, {"b", p.k * p.n}, {"c", p.mb * p.n}})
    if (elements > most)
      return invalid_input(std::string(name) + " has more than 2^34 elements in matrix product '" + problem_id(problem).substr(0, 300) + "'");
  return p;
}

}  // namespace detbench
