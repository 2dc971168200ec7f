#include "kernels/reduction/sum_problem.hpp"

#include "kernels/reduction/superaccumulator.hpp"

namespace detbench::reduction {
namespace {

constexpr std::int64_t largest_n = std::int64_t{1} << 34;

TensorSpec vector_spec(std::string role, DataType type, std::int64_t n) {
  return TensorSpec{std::move(role), type, {n}, canonical_layout({n})};
}

template <class T>
std::function<Status(const RunArguments&)> runner(Status (*run)(const SumCall<T>&), std::int64_t n, int threads,
                                                  Isa isa) {
  return [=](const RunArguments& a) {
    return run(SumCall<T>{static_cast<const T*>(a.inputs[0].region.data), n, static_cast<T*>(a.outputs[0].region.data),
                          threads, isa, a.workspace.data, a.native_stream});
  };
}

Result<Prepared> prepare(const SumAlgorithm& algorithm, const Problem& text, const Options& options, Device& device) {
  const auto problem = parse_sum(text);
  if (!problem) return tl::unexpected(problem.error());
  const bool f64 = problem->type == DataType::f64;
  if (f64 ? algorithm.run_f64 == nullptr : algorithm.run_f32 == nullptr) return unsupported(algorithm.missing_type);
  if (problem->n > algorithm.largest_n)
    return unsupported("offered up to n" + std::to_string(algorithm.largest_n) + ": " + algorithm.too_large);

  Prepared prepared;
  prepared.inputs = {vector_spec("src", problem->type, problem->n)};
  prepared.outputs = {vector_spec("dst", problem->type, 1)};
  prepared.alignment_bytes = 1;
  const int threads = device.kind() == DeviceKind::cpu ? thread_count(device) : 1;
  if (device.kind() == DeviceKind::cpu) prepared.notes["threads"] = std::to_string(threads);
  Isa isa = best_isa();
  if (algorithm.has_isa) {
    if (const auto wanted = options.find("isa"); wanted != options.end()) {
      const auto parsed = parse_isa(wanted->second);
      if (!parsed) return tl::unexpected(parsed.error());
      isa = *parsed;
    }
    prepared.notes["isa"] = std::string(to_text(isa));
  }
  if (algorithm.workspace_bytes != nullptr) {
    const auto bytes = algorithm.workspace_bytes(*problem, threads);
    if (!bytes) return tl::unexpected(bytes.error());
    prepared.workspace_bytes = *bytes;
  }
  prepared.run =
      f64 ? runner(algorithm.run_f64, problem->n, threads, isa) : runner(algorithm.run_f32, problem->n, threads, isa);
  return prepared;
}

}  // namespace

Result<SumProblem> parse_sum(const Problem& problem) {
  if (problem.op != "sum") return invalid_input("'" + problem.op.substr(0, 60) + "' is not the operation sum");
  SumProblem sum;
  if (problem.types == "f64_f64_strict")
    sum.type = DataType::f64;
  else if (problem.types != "f32_f32_strict")
    return invalid_input("types '" + problem.types.substr(0, 60) +
                         "' of a sum should be f32_f32_strict or f64_f64_strict");
  if (problem.layout != "vector")
    return invalid_input("layout '" + problem.layout.substr(0, 60) + "' of a sum should be vector");
  const auto fields = read_shape(problem.shape, {{"n", 1, largest_n}});
  if (!fields) return tl::unexpected(fields.error());
  sum.n = (*fields)[0];
  return sum;
}

Result<std::size_t> superaccumulator_bytes(const SumProblem& problem, int) {
  return sizeof(std::int64_t) *
         (problem.type == DataType::f64 ? Superaccumulator<double>::slots : Superaccumulator<float>::slots);
}

TableRow sum_row(SumAlgorithm algorithm) {
  TableRow row;
  row.name = algorithm.name;
  row.claim = algorithm.claim;
  if (algorithm.has_isa) row.options = {"isa"};
  row.prepare = [algorithm = std::move(algorithm)](const Problem& problem, const Options& options, Device& device) {
    return prepare(algorithm, problem, options, device);
  };
  return row;
}

}  // namespace detbench::reduction
