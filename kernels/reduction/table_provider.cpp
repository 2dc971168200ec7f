#include "kernels/reduction/table_provider.hpp"

#include <algorithm>

namespace detbench::reduction {
namespace {

class TableOp final : public Op {
 public:
  TableOp(std::shared_ptr<const Prepared> prepared, std::span<const Tensor> inputs, std::span<const Tensor> outputs,
          Region workspace, Stream& stream)
      : prepared_(std::move(prepared)),
        inputs_(inputs.begin(), inputs.end()),
        outputs_(outputs.begin(), outputs.end()),
        arguments_{inputs_, outputs_, workspace, stream.native()} {}
  Status enqueue() override { return prepared_->run(arguments_); }

 private:
  std::shared_ptr<const Prepared> prepared_;
  std::vector<Tensor> inputs_, outputs_;
  RunArguments arguments_;
};

Status check_tensors(std::span<const Tensor> tensors, const std::vector<TensorSpec>& specs) {
  if (tensors.size() != specs.size())
    return invalid_input("bind got " + std::to_string(tensors.size()) + " tensors where the plan lists " +
                         std::to_string(specs.size()));
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const TensorSpec &given = tensors[i].spec, &wanted = specs[i];
    if (given.type != wanted.type || given.shape != wanted.shape || !(given.layout == wanted.layout))
      return invalid_input("tensor " + wanted.role + " differs in type, shape or layout from the plan's");
    if (tensors[i].region.data == nullptr || tensors[i].region.bytes < wanted.bytes())
      return invalid_input("tensor " + wanted.role + " has " + std::to_string(tensors[i].region.bytes) +
                           " bytes; it needs " + std::to_string(wanted.bytes()));
  }
  return {};
}

class TablePlan final : public Plan {
 public:
  explicit TablePlan(Prepared prepared) : prepared_(std::make_shared<const Prepared>(std::move(prepared))) {}
  const std::vector<TensorSpec>& inputs() const override { return prepared_->inputs; }
  const std::vector<TensorSpec>& outputs() const override { return prepared_->outputs; }
  std::size_t workspace_bytes() const override { return prepared_->workspace_bytes; }
  std::size_t alignment_bytes() const override { return prepared_->alignment_bytes; }
  std::map<std::string, std::string> notes() const override { return prepared_->notes; }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace,
                                   Stream& stream) override {
    if (auto status = check_tensors(inputs, prepared_->inputs); !status) return tl::unexpected(status.error());
    if (auto status = check_tensors(outputs, prepared_->outputs); !status) return tl::unexpected(status.error());
    if (workspace.bytes < prepared_->workspace_bytes)
      return invalid_input("the workspace has " + std::to_string(workspace.bytes) + " bytes; the plan needs " +
                           std::to_string(prepared_->workspace_bytes));
    if (prepared_->workspace_bytes > 0 && reinterpret_cast<std::uintptr_t>(workspace.data) % 64 != 0)
      return invalid_input("the workspace does not start at a multiple of 64 bytes");
    return std::make_unique<TableOp>(prepared_, inputs, outputs, workspace, stream);
  }

 private:
  std::shared_ptr<const Prepared> prepared_;
};

class TableProvider final : public Provider {
 public:
  TableProvider(std::string name, std::vector<TableRow> rows) : name_(std::move(name)), rows_(std::move(rows)) {}
  std::string_view name() const override { return name_; }

  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    std::vector<Offer> offers;
    for (const TableRow& row : rows_) {
      if (row.kind != device.kind()) continue;
      Offer offer{Algorithm{name_, row.name, {}, row.claim, true, row.bound_constant}, std::nullopt};
      if (auto prepared = row.prepare(problem, {}, device); !prepared) {
        if (prepared.error().kind != Reason::Kind::unsupported) return tl::unexpected(prepared.error());
        offer.unsupported = prepared.error();
      }
      offers.push_back(std::move(offer));
    }
    return offers;
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm,
                                     Device& device) const override {
    std::vector<const TableRow*> here;
    bool elsewhere = false;
    for (const TableRow& row : rows_) {
      if (row.kind == device.kind()) here.push_back(&row);
      elsewhere |= row.name == algorithm.name && row.kind != device.kind();
    }
    const auto found = std::find_if(here.begin(), here.end(), [&](const TableRow* r) { return r->name == algorithm.name; });
    if (found == here.end() && (elsewhere || here.empty()))
      return unsupported(name_ + ":" + algorithm.name.substr(0, 60) + " runs on a " +
                         (device.kind() == DeviceKind::cpu ? "CUDA device" : "CPU") + ", not on " + device.name());
    if (found == here.end())
      return invalid_input("'" + algorithm.name.substr(0, 60) + "' is not an algorithm of " + name_ + "; it has " +
                           names([](const TableRow* r) { return r->name; }, here));
    const TableRow* row = *found;
    for (const auto& [key, value] : algorithm.options)
      if (std::find(row->options.begin(), row->options.end(), key) == row->options.end())
        return invalid_input("option '" + key.substr(0, 40) + "' does not exist for " + name_ + ":" + row->name +
                             (row->options.empty()
                                  ? "; it has none"
                                  : "; it has " + names([](const std::string& k) { return k; }, row->options)));
    auto prepared = row->prepare(problem, algorithm.options, device);
    if (!prepared) return tl::unexpected(prepared.error());
    return std::make_unique<TablePlan>(std::move(*prepared));
  }

 private:
  template <class Name, class List>
  static std::string names(Name&& name, const List& list) {
    std::string text;
    for (const auto& item : list) text += (text.empty() ? "" : ", ") + name(item);
    return text;
  }

  std::string name_;
  std::vector<TableRow> rows_;
};

}  // namespace

std::unique_ptr<Provider> make_table_provider(std::string name, std::vector<TableRow> rows) {
  return std::make_unique<TableProvider>(std::move(name), std::move(rows));
}
std::unique_ptr<Provider> make_table_provider(std::string name, DeviceKind kind, std::vector<TableRow> rows) {
  for (TableRow& row : rows) row.kind = kind;
  return make_table_provider(std::move(name), std::move(rows));
}

Claim claim_by_construction(std::string why) {
  return {Guarantee::gpu_to_gpu, "by construction: " + std::move(why), {all_scopes.begin(), all_scopes.end()}};
}

Claim claim_for_one_partition(std::string why) {
  return {Guarantee::run_to_run,
          "by construction: " + std::move(why),
          {Scope::repeat, Scope::process, Scope::load, Scope::placement, Scope::capture}};
}

int thread_count(const Device& device) {
  const int threads = device.configuration().threads;
  return threads > 0 ? threads : available_cores();
}

}  // namespace detbench::reduction
