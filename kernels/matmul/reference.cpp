#include "kernels/matmul/reference.hpp"

namespace detbench {
namespace {

constexpr double most_flops = 2e8;

class DirectOp final : public Op {
 public:
  DirectOp(const DenseProblem& problem, std::span<const Tensor> inputs, std::span<const Tensor> outputs)
      : problem_(problem), outputs_(outputs.begin(), outputs.end()) {
    for (const auto& tensor : inputs) inputs_.push_back(static_cast<const float*>(tensor.region.data));
  }
  Status enqueue() override {
    for (std::size_t o = 0; o < outputs_.size(); ++o) {
      auto* out = static_cast<float*>(outputs_[o].region.data);
      const auto elements = element_count(outputs_[o].spec.shape);
      // Every output is one serial sum, so the schedule cannot change bits.
#pragma omp parallel for schedule(static)
      for (std::int64_t i = 0; i < elements; ++i) out[i] = static_cast<float>(dense_output(problem_, inputs_, o, i).value);
    }
    return {};
  }

 private:
  DenseProblem problem_;
  std::vector<const float*> inputs_;
  std::vector<Tensor> outputs_;
};

class DirectPlan final : public Plan {
 public:
  explicit DirectPlan(const DenseProblem& problem) : problem_(problem), tensors_(tensors_of(problem)) {}
  const std::vector<TensorSpec>& inputs() const override { return tensors_.inputs; }
  const std::vector<TensorSpec>& outputs() const override { return tensors_.outputs; }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region,
                                   Stream&) override {
    if (inputs.size() != tensors_.inputs.size() || outputs.size() != tensors_.outputs.size())
      return failure("a dense layer was bound to the wrong number of tensors");
    return std::make_unique<DirectOp>(problem_, inputs, outputs);
  }

 private:
  DenseProblem problem_;
  DenseTensors tensors_;
};

class ReferenceDense final : public Provider {
 public:
  std::string_view name() const override { return "reference"; }

  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    const auto p = parse_dense(problem);
    if (!p) return tl::unexpected(p.error());
    Offer offer;
    offer.algorithm.provider = "reference";
    offer.algorithm.name = "direct_f64";
    offer.algorithm.claim = {Guarantee::run_to_run, "by construction: one serial sum per output",
                             {Scope::repeat, Scope::process, Scope::load, Scope::placement, Scope::partition, Scope::batch}};
    if (p->pass == DensePass::wgrad) offer.algorithm.claim.coverage.pop_back();  // it sums over the batch
    if (auto status = supported(*p, device); !status) offer.unsupported = status.error();
    return std::vector{offer};
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    const auto p = parse_dense(problem);
    if (!p) return tl::unexpected(p.error());
    if (algorithm.name != "direct_f64" || !algorithm.options.empty())
      return invalid_input("provider reference knows direct_f64 without options, not '" + algorithm_id(algorithm) + "'");
    if (auto status = supported(*p, device); !status) return tl::unexpected(status.error());
    return std::make_unique<DirectPlan>(*p);
  }

 private:
  static Status supported(const DenseProblem& p, Device& device) {
    if (device.kind() != DeviceKind::cpu) return unsupported("the fp64 reference runs on the CPU");
    if (p.types != ProductTypes{}) return unsupported("the fp64 reference takes f32_f32_strict only");
    if (p.flops() > most_flops) return unsupported("over 2e8 operations: the fp64 reference is slow");
    return {};
  }
};

}  // namespace

ProductSum dense_output(const DenseProblem& p, const std::vector<const float*>& in, std::size_t output, std::int64_t index) {
  ProductSum sum;
  switch (p.pass) {
    case DensePass::forward: {
      const std::int64_t n = index / p.oc, k = index % p.oc;
      for (std::int64_t c = 0; c < p.ic; ++c) sum.add(in[0][n * p.ic + c], in[1][k * p.ic + c]);
      sum.add(in[2][k], 1.0);
      return sum;
    }
    case DensePass::dgrad: {
      const std::int64_t n = index / p.ic, c = index % p.ic;
      for (std::int64_t k = 0; k < p.oc; ++k) sum.add(in[0][n * p.oc + k], in[1][k * p.ic + c]);
      return sum;
    }
    case DensePass::wgrad: break;
  }
  const std::int64_t k = output == 0 ? index / p.ic : index, c = index % p.ic;
  for (std::int64_t n = 0; n < p.mb; ++n) sum.add(in[1][n * p.oc + k], output == 0 ? in[0][n * p.ic + c] : 1.0f);
  return sum;
}

Result<FillSpec> dense_fill(const DenseProblem& p, const TensorSpec& input, const Inputs& inputs) {
  const auto tensors = tensors_of(p);
  for (const auto& spec : tensors.inputs)
    if (spec.role == input.role)
      return product_fill(inputs, std::string(op_name(p.pass)) + "/" + spec.role, p.reduction_length(), spec.type,
                          narrowest_type(p.types, tensors.outputs[0].type));
  return invalid_input("'" + input.role + "' is no input of " + std::string(op_name(p.pass)));
}

Result<std::unique_ptr<Reference>> make_dense_reference(const DenseProblem& p, const Inputs& inputs) {
  const auto tensors = tensors_of(p);
  std::vector<std::vector<float>> values;
  std::vector<const float*> in;
  for (const auto& spec : tensors.inputs) {
    const auto fill = dense_fill(p, spec, inputs);
    if (!fill) return tl::unexpected(fill.error());
    auto filled = filled_values(spec.type, spec.shape, *fill);
    if (!filled) return tl::unexpected(filled.error());
    values.push_back(std::move(*filled));
    in.push_back(values.back().data());
  }
  std::vector<CheckedOutput> checked;
  for (std::size_t o = 0; o < tensors.outputs.size(); ++o) {
    const auto& spec = tensors.outputs[o];
    CheckedOutput output{spec.role, spec.type, spec.shape, {}, {}};
    output.indices = sample_outputs(spec.shape, checked_output_limit(element_count(spec.shape), p.reduction_length()), inputs.seed);
    output.sums.resize(output.indices.size());
#pragma omp parallel for schedule(static)
    for (std::size_t i = 0; i < output.indices.size(); ++i) output.sums[i] = dense_output(p, in, o, output.indices[i]);
    checked.push_back(std::move(output));
  }
  return make_product_sum_reference(inputs, path_precision(p.types), std::move(checked));
}

std::unique_ptr<Provider> make_reference_dense() { return std::make_unique<ReferenceDense>(); }

}  // namespace detbench
