#include "kernels/reduction/sum_problem.hpp"

#include "kernels/reduction/binned_sum.hpp"
#include "kernels/reduction/superaccumulator.hpp"

namespace detbench::reduction {
namespace {

constexpr std::int64_t largest_n = std::int64_t{1} << 34;

TensorSpec vector_spec(std::string role, DataType type, std::int64_t n) {
  return TensorSpec{std::move(role), type, {n}, canonical_layout({n})};
}

template <class S>
Elements<S> bound(Elements<S>*, std::span<const Tensor> inputs) {
  return {static_cast<const S*>(inputs[0].region.data)};
}
template <class S>
Products<S> bound(Products<S>*, std::span<const Tensor> inputs) {
  return {static_cast<const S*>(inputs[0].region.data), static_cast<const S*>(inputs[1].region.data)};
}

Result<Prepared> prepare(const SumAlgorithm& algorithm, const Problem& text, const Options& options, Device& device) {
  const auto problem = parse_sum(text);
  if (!problem) return tl::unexpected(problem.error());
  const bool exists = with_source(*problem, [&]<class Source>(Source*) {
    return std::get<SumFunction<Source>>(algorithm.run) != nullptr;
  });
  if (!exists) return unsupported(algorithm.missing);
  if (problem->n > algorithm.largest_n)
    return unsupported("offered up to n" + std::to_string(algorithm.largest_n) + ": " + algorithm.too_large);

  Prepared prepared;
  if (problem->is_dot)
    prepared.inputs = {vector_spec("x", problem->stored, problem->n), vector_spec("y", problem->stored, problem->n)};
  else
    prepared.inputs = {vector_spec("src", problem->stored, problem->n)};
  prepared.outputs = {vector_spec("dst", problem->accumulator, 1)};
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
  with_source(*problem, [&]<class Source>(Source* type) {
    prepared.run = [=, run = std::get<SumFunction<Source>>(algorithm.run), n = problem->n](const RunArguments& a) {
      return run({bound(type, a.inputs), n, static_cast<typename Source::Accumulator*>(a.outputs[0].region.data), threads, isa,
                  a.workspace.data, a.native_stream});
    };
  });
  return prepared;
}

}  // namespace

Result<SumProblem> parse_sum(const Problem& problem) {
  SumProblem sum;
  sum.is_dot = problem.op == "dot";
  if (!sum.is_dot && problem.op != "sum")
    return invalid_input("'" + problem.op.substr(0, 60) + "' is neither of the operations sum and dot");
  const std::string of = sum.is_dot ? "a dot" : "a sum";
  if (problem.types == "f64_f64_strict")
    sum.stored = sum.accumulator = DataType::f64;
  else if (problem.types == "f16_f32_strict")
    sum.stored = DataType::f16;
  else if (problem.types == "bf16_f32_strict")
    sum.stored = DataType::bf16;
  else if (problem.types != "f32_f32_strict")
    return invalid_input("types '" + problem.types.substr(0, 60) + "' of " + of +
                         " should be f32_f32_strict, f64_f64_strict, f16_f32_strict or bf16_f32_strict");
  if (problem.layout != "vector")
    return invalid_input("layout '" + problem.layout.substr(0, 60) + "' of " + of + " should be vector");
  const auto shape = split_distribution(problem.shape);
  if (!shape) return tl::unexpected(shape.error());
  const auto fields = read_shape(shape->fields, {{"n", 1, largest_n}});
  if (!fields) return tl::unexpected(fields.error());
  sum.n = (*fields)[0];
  sum.distribution = shape->distribution;
  return sum;
}

Result<FillSpec> sum_fill(const SumProblem& problem, std::string_view role, const Inputs& inputs) {
  const auto fill = [&](const char* stream, std::int64_t terms) {
    return summand_fill(inputs, stream, problem.stored, problem.accumulator, problem.n, terms, problem.distribution);
  };
  if (!problem.is_dot) {
    if (role == "src") return fill("sum/src", problem.n);
    return invalid_input("a sum has no input '" + std::string(role) + "'; it has src");
  }
  const bool exact = inputs.fill == InputFill::exact;
  // Exact fill: integers of magnitude 4.5 on average everywhere in y, so that x has to be that much sparser.
  if (role == "x") return fill("dot/x", exact ? 5 * problem.n : problem.n);
  if (role != "y") return invalid_input("a dot has no input '" + std::string(role) + "'; it has x and y");
  if (exact) return fill("dot/y", 1);
  if (problem.distribution == Distribution::cancelling && inputs.fill != InputFill::wide) {
    // Opposite products need equal factors: x cancels, and y is a third, so that every product is rounded.
    FillSpec third;
    third.kind = FillSpec::Kind::constant;
    third.scale = 1.0 / 3;
    return third;
  }
  return fill("dot/y", problem.n);
}

Result<std::size_t> superaccumulator_bytes(const SumProblem& problem, int) {
  return with_source(problem, []<class Source>(Source*) {
    return sizeof(std::int64_t) * static_cast<std::size_t>(Superaccumulator<register_of<Source>>::slots);
  });
}
Result<std::size_t> binned_bytes(const SumProblem& problem, int) {
  return with_source(problem, []<class Source>(Source*) {
    return sizeof(std::int64_t) * static_cast<std::size_t>(BinnedSlots<binned_type<Source>>::slots);
  });
}

TableRow sum_row(SumAlgorithm algorithm, DeviceKind kind) {
  TableRow row;
  row.name = algorithm.name;
  row.claim = algorithm.claim;
  row.kind = kind;
  if (algorithm.has_isa) row.options = {"isa"};
  row.prepare = [algorithm = std::move(algorithm)](const Problem& problem, const Options& options, Device& device) {
    return prepare(algorithm, problem, options, device);
  };
  return row;
}

}  // namespace detbench::reduction
