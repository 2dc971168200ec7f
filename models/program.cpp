#include "models/program.hpp"

#include <algorithm>
#include <map>
#include <numeric>

namespace detbench {
namespace {

/// One cache line: no two values share one, and vector loads are aligned.
constexpr std::size_t alignment = 64;
constexpr std::size_t align_up(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

}  // namespace

int Program::add_value(TensorSpec spec) {
  const std::size_t bytes = spec.bytes();
  values_.push_back({std::move(spec), -1, -1, -1, bytes, 0, -1});
  return static_cast<int>(values_.size()) - 1;
}

int Program::add_external(TensorSpec spec) {
  const int value = add_value(spec);
  values_[value].external = static_cast<int>(externals_.size());
  externals_.push_back(std::move(spec));
  return value;
}

int Program::add_view(int value, TensorSpec spec) {
  const int base = base_of(value);
  const int view = add_value(std::move(spec));
  values_[view].base = base;
  return view;
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
    values_.push_back({{}, -1, now, now, bytes, 0, -1});
    node.workspace = static_cast<int>(values_.size()) - 1;
  }
  for (int v : node.outputs) {
    auto& value = values_[base_of(v)];
    if (value.first < 0) value.first = now;
    value.last = now;  // an output nobody reads still needs its memory while it is written
  }
  for (int v : node.inputs) values_[base_of(v)].last = now;
  nodes_.push_back(std::move(node));
  return {};
}

void Program::place(int streams) {
  std::vector<int> order;
  for (int v = 0; v < static_cast<int>(values_.size()); ++v)
    if (values_[v].external < 0 && values_[v].base < 0 && values_[v].first >= 0) order.push_back(v);
  if (streams > 1)
    // A side op may still run when the main stream is far ahead, so nothing it touches may be given to a later op.
    for (const auto& node : nodes_)
      if (node.info.side) {
        const auto hold = [&](int v) { values_[base_of(v)].last = static_cast<int>(nodes_.size()); };
        for (int v : node.inputs) hold(v);
        for (int v : node.outputs) hold(v);
        if (node.workspace >= 0) hold(node.workspace);
      }
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
  return std::accumulate(values_.begin(), values_.end(), std::size_t{0},
                         [](std::size_t sum, const Value& v) { return sum + (v.external < 0 && v.base < 0 ? align_up(v.bytes) : 0); });
}

std::vector<OpInfo> Program::infos() const {
  std::vector<OpInfo> all;
  for (const auto& n : nodes_) all.push_back(n.info);
  return all;
}

Region Program::region_of(int value, std::span<const Tensor> externals, Region arena) const {
  const auto& v = values_[base_of(value)];
  if (v.external >= 0) return externals[v.external].region;
  return {static_cast<std::byte*>(arena.data) + v.offset, v.bytes};
}

Result<std::vector<BoundOp>> Program::bind(std::span<const Tensor> externals, Region arena, std::span<Stream* const> streams) const {
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
    const int stream = node.info.side ? static_cast<int>(streams.size()) - 1 : 0;
    auto op = node.plan->bind(inputs, outputs, workspace, *streams[stream]);
    if (!op) return tl::unexpected(Reason{node.info.layer + " " + node.info.op + ": " + op.error().text, op.error().kind});
    bound.push_back({&node.info, std::move(*op), std::move(outputs), stream, {}});
  }
  if (streams.size() > 1) find_waits(bound, externals, arena);
  return bound;
}

void Program::find_waits(std::vector<BoundOp>& bound, std::span<const Tensor> externals, Region arena) const {
  struct Touch {
    const std::byte *begin, *end;
    bool writes;
  };
  std::vector<std::vector<Touch>> touches(nodes_.size());
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const auto add = [&](int v, bool writes) {
      const Region r = region_of(v, externals, arena);
      const auto* begin = static_cast<const std::byte*>(r.data);
      touches[i].push_back({begin, begin + r.bytes, writes});
    };
    for (int v : nodes_[i].inputs) add(v, false);
    for (int v : nodes_[i].outputs) add(v, true);
    if (nodes_[i].workspace >= 0) add(nodes_[i].workspace, true);
  }
  const auto conflict = [&](std::size_t i, std::size_t j) {
    for (const auto& a : touches[i])
      for (const auto& b : touches[j])
        if ((a.writes || b.writes) && a.begin < b.end && b.begin < a.end) return true;
    return false;
  };
  // The latest op of another stream that meets this one's memory; what a stream already waited for need not be named again.
  std::map<std::pair<int, int>, int> done;  // (waiting stream, other stream) -> op of the other
  for (std::size_t j = 0; j < bound.size(); ++j) {
    std::map<int, int> latest;
    for (std::size_t i = j; i-- > 0;)
      if (bound[i].stream != bound[j].stream && !latest.contains(bound[i].stream) && conflict(i, j)) latest[bound[i].stream] = static_cast<int>(i);
    for (const auto& [stream, op] : latest) {
      const auto key = std::pair{bound[j].stream, stream};
      if (const auto known = done.find(key); known != done.end() && known->second >= op) continue;
      done[key] = op;
      bound[j].waits_for.push_back(op);
    }
  }
}

}  // namespace detbench
