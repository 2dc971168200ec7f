#include "models/program.hpp"

#include <algorithm>
#include <numeric>

namespace detbench {
namespace {

/// One cache line: no two values share one, and vector loads are aligned.
constexpr std::size_t alignment = 64;
constexpr std::size_t align_up(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

}  // namespace

int Program::add_value(TensorSpec spec) {
  const std::size_t bytes = spec.bytes();
  values_.push_back({std::move(spec), -1, -1, -1, bytes, 0});
  return static_cast<int>(values_.size()) - 1;
}

int Program::add_external(TensorSpec spec) {
  const int value = add_value(spec);
  values_[value].external = static_cast<int>(externals_.size());
  externals_.push_back(std::move(spec));
  return value;
}

Status Program::add_op(OpInfo info, std::shared_ptr<Plan> plan, std::vector<int> inputs, std::vector<int> outputs) {
  const auto check = [&](const std::vector<int>& values, const std::vector<TensorSpec>& specs) -> Status {
    if (values.size() != specs.size()) return failure(info.layer + " " + info.op + ": the plan has other tensors than the network gives it");
    for (std::size_t i = 0; i < values.size(); ++i)
      if (values_[values[i]].bytes != specs[i].bytes())
        return failure(info.layer + " " + info.op + ": '" + specs[i].role + "' wants " + std::to_string(specs[i].bytes()) + " bytes, the network gives " +
                       std::to_string(values_[values[i]].bytes));
    return {};
  };
  if (auto s = check(inputs, plan->inputs()); !s) return s;
  if (auto s = check(outputs, plan->outputs()); !s) return s;
  Node node{std::move(info), std::move(plan), std::move(inputs), std::move(outputs), -1};
  const int now = static_cast<int>(nodes_.size());
  if (const std::size_t bytes = node.plan->workspace_bytes(); bytes > 0) {
    values_.push_back({{}, -1, now, now, bytes, 0});
    node.workspace = static_cast<int>(values_.size()) - 1;
  }
  for (int v : node.outputs) {
    if (values_[v].first < 0) values_[v].first = now;
    values_[v].last = now;  // an output nobody reads still needs its memory while it is written
  }
  for (int v : node.inputs) values_[v].last = now;
  nodes_.push_back(std::move(node));
  return {};
}

void Program::place() {
  std::vector<int> order;
  for (int v = 0; v < static_cast<int>(values_.size()); ++v)
    if (values_[v].external < 0 && values_[v].first >= 0) order.push_back(v);
  // Largest first, each at the lowest place where nothing alive at the same time lies.
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return values_[a].bytes > values_[b].bytes; });
  std::vector<int> placed;  // by offset
  arena_bytes_ = 0;
  for (int v : order) {
    auto& value = values_[v];
    std::size_t offset = 0;
    for (int other : placed) {
      const auto& o = values_[other];
      if (o.last < value.first || o.first > value.last) continue;
      if (offset + value.bytes <= o.offset) break;
      offset = std::max(offset, align_up(o.offset + o.bytes));
    }
    value.offset = offset;
    placed.insert(std::upper_bound(placed.begin(), placed.end(), v, [&](int a, int b) { return values_[a].offset < values_[b].offset; }), v);
    arena_bytes_ = std::max(arena_bytes_, align_up(offset + value.bytes));
  }
}

std::size_t Program::unshared_bytes() const {
  return std::accumulate(values_.begin(), values_.end(), std::size_t{0}, [](std::size_t sum, const Value& v) { return sum + (v.external < 0 ? align_up(v.bytes) : 0); });
}

std::vector<OpInfo> Program::infos() const {
  std::vector<OpInfo> all;
  for (const auto& n : nodes_) all.push_back(n.info);
  return all;
}

Region Program::region_of(int value, std::span<const Tensor> externals, Region arena) const {
  const auto& v = values_[value];
  if (v.external >= 0) return externals[v.external].region;
  return {static_cast<std::byte*>(arena.data) + v.offset, v.bytes};
}

Result<std::vector<BoundOp>> Program::bind(std::span<const Tensor> externals, Region arena, Stream& stream) const {
  if (externals.size() != externals_.size()) return invalid_input("the network wants " + std::to_string(externals_.size()) + " tensors, got " + std::to_string(externals.size()));
  if (arena.bytes < arena_bytes_) return invalid_input("the network wants a workspace of " + std::to_string(arena_bytes_) + " bytes, got " + std::to_string(arena.bytes));
  std::vector<BoundOp> bound;
  for (const auto& node : nodes_) {
    const auto tensors = [&](const std::vector<int>& values, const std::vector<TensorSpec>& specs) {
      std::vector<Tensor> list;
      for (std::size_t i = 0; i < values.size(); ++i) list.push_back({specs[i], region_of(values[i], externals, arena)});
      return list;
    };
    const auto inputs = tensors(node.inputs, node.plan->inputs());
    auto outputs = tensors(node.outputs, node.plan->outputs());
    const Region workspace = node.workspace < 0 ? Region{} : region_of(node.workspace, externals, arena);
    auto op = node.plan->bind(inputs, outputs, workspace, stream);
    if (!op) return tl::unexpected(Reason{node.info.layer + " " + node.info.op + ": " + op.error().text, op.error().kind});
    bound.push_back({&node.info, std::move(*op), std::move(outputs)});
  }
  return bound;
}

}  // namespace detbench
