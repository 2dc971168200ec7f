#include "kernels/device/onednn_api.hpp"

#include <algorithm>

#include "kernels/device/reorder.hpp"

namespace detbench {
namespace onednn {
namespace {

using Desc = dnnl::memory::desc;

/// oneDNN's dimension d is canonical dimension axes[d]. A filter of one group has no group dimension in oneDNN.
std::vector<int> axes_of(const Shape& shape) {
  switch (shape.size()) {
    case 4: return {0, 3, 1, 2};
    case 5: return shape[0] == 1 ? std::vector<int>{1, 4, 2, 3} : std::vector<int>{0, 1, 4, 2, 3};
    default: {
      std::vector<int> axes(shape.size());
      for (std::size_t d = 0; d < axes.size(); ++d) axes[d] = static_cast<int>(d);
      return axes;
    }
  }
}

/// What both versions can tell about a blocked format, in oneDNN's dimension order.
struct Blocked {
  bool plain_kind = false;  ///< an ordinary blocked format without compensation or offset
  std::vector<std::int64_t> strides, inner_sizes, inner_dimensions;
  std::size_t bytes = 0;
};

#if DNNL_VERSION_MAJOR >= 3
Blocked blocked_of(const Desc& desc) {
  Blocked b;
  b.plain_kind = desc.get_format_kind() == dnnl::memory::format_kind::blocked && desc.get_submemory_offset() == 0;
  if (!b.plain_kind) return b;
  b.strides = desc.get_strides();
  if (desc.get_inner_nblks() > 0) {
    b.inner_sizes = desc.get_inner_blks();
    b.inner_dimensions = desc.get_inner_idxs();
  }
  b.bytes = desc.get_size();
  return b;
}
bool is_empty(const Desc& desc) { return desc.get(true) == nullptr || desc.get_ndims() == 0; }
#else
Blocked blocked_of(const Desc& desc) {
  Blocked b;
  const auto& d = desc.data;
  b.plain_kind = d.format_kind == dnnl_blocked && d.offset0 == 0 && d.extra.flags == dnnl_memory_extra_flag_none;
  if (!b.plain_kind) return b;
  const auto& blocking = d.format_desc.blocking;
  b.strides.assign(blocking.strides, blocking.strides + d.ndims);
  b.inner_sizes.assign(blocking.inner_blks, blocking.inner_blks + blocking.inner_nblks);
  b.inner_dimensions.assign(blocking.inner_idxs, blocking.inner_idxs + blocking.inner_nblks);
  b.bytes = desc.get_size();
  return b;
}
bool is_empty(const Desc& desc) { return desc.data.ndims == 0; }
#endif

/// Strides of dimensions of size 1 say nothing and differ between libraries; where a layout has a name, its own strides
/// are taken, so that equal memory has equal specs.
MemoryLayout normalized(const Shape& shape, MemoryLayout layout) {
  std::vector<MemoryLayout> named{canonical_layout(shape)};
  if (shape.size() == 4)
    for (const char* name : {"nchw", "nchw16c", "nchw8c"}) named.push_back(*activation_layout(shape, name));
  if (shape.size() == 5)
    for (const auto& order : {std::vector<int>{0, 1, 4, 2, 3}, {2, 3, 4, 0, 1}, {0, 2, 3, 4, 1}})
      named.push_back(permuted_layout(shape, order));
  for (const auto& candidate : named) {
    bool same = candidate.blocks == layout.blocks && candidate.elements == layout.elements;
    for (std::size_t d = 0; d < shape.size(); ++d)
      same = same && (shape[d] == 1 || candidate.strides[d] == layout.strides[d]);
    if (same) return candidate;
  }
  for (std::size_t d = 0; d < shape.size(); ++d)
    if (shape[d] == 1 && std::none_of(layout.blocks.begin(), layout.blocks.end(),
                                      [&](const auto& b) { return b.dimension == static_cast<int>(d); }))
      layout.strides[d] = layout.elements;
  return layout;
}

Result<MemoryLayout> layout_of(const Desc& desc, const Shape& shape, DataType type) {
  const auto blocked = blocked_of(desc);
  const auto axes = axes_of(shape);
  if (!blocked.plain_kind || blocked.strides.size() != axes.size())
    return unsupported("the implementation keeps a tensor in an opaque format of its own");
  MemoryLayout layout;
  layout.elements = static_cast<std::int64_t>(blocked.bytes / size_of(type));
  layout.strides.assign(shape.size(), layout.elements);
  for (std::size_t d = 0; d < axes.size(); ++d) layout.strides[axes[d]] = blocked.strides[d];
  for (std::size_t b = 0; b < blocked.inner_sizes.size(); ++b)
    layout.blocks.push_back({axes[blocked.inner_dimensions[b]], blocked.inner_sizes[b]});
  return normalized(shape, std::move(layout));
}

}  // namespace

dnnl::engine& cpu_engine() {
  static dnnl::engine engine = [] {
    dnnl::set_primitive_cache_capacity(0);
    return dnnl::engine(dnnl::engine::kind::cpu, 0);
  }();
  return engine;
}

dnnl::primitive_attr user_scratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

dnnl::primitive_attr user_scratchpad_and_clip(float lower, float upper) {
  dnnl::post_ops behind;
#if DNNL_VERSION_MAJOR >= 3
  behind.append_eltwise(dnnl::algorithm::eltwise_clip, lower, upper);
#else
  behind.append_eltwise(1.0f, dnnl::algorithm::eltwise_clip, lower, upper);
#endif
  auto attributes = user_scratchpad();
  attributes.set_post_ops(behind);
  return attributes;
}

Reason reason_of(const dnnl::error& error, const std::string& what) {
  const std::string text = what + ": oneDNN says \"" + error.what() + "\"";
  switch (error.status) {
    case dnnl_out_of_memory: return {text, Reason::Kind::out_of_memory};
    // 2.x reports "nothing offered" as unimplemented; for combinations it never heard of, as invalid arguments.
    case dnnl_unimplemented:
    case dnnl_invalid_arguments: return {text, Reason::Kind::unsupported};
    default: return {text, Reason::Kind::failed};
  }
}

std::optional<dnnl::memory::data_type> data_type_of(DataType type) {
  switch (type) {
    case DataType::f32: return dnnl::memory::data_type::f32;
    case DataType::f16: return dnnl::memory::data_type::f16;
    case DataType::bf16: return dnnl::memory::data_type::bf16;
    case DataType::i32: return dnnl::memory::data_type::s32;
    case DataType::u8: return dnnl::memory::data_type::u8;
    default: return std::nullopt;
  }
}

dnnl::memory::dims dims_of(const Shape& shape) {
  dnnl::memory::dims dims;
  for (int axis : axes_of(shape)) dims.push_back(shape[axis]);
  return dims;
}

Result<Desc> describe_any(const TensorSpec& spec) {
  const auto type = data_type_of(spec.type);
  if (!type) return unsupported("oneDNN has no type " + std::string(to_text(spec.type)));
  return guarded(spec.role, [&] { return Desc(dims_of(spec.shape), *type, dnnl::memory::format_tag::any); });
}

Result<Desc> describe(const TensorSpec& spec) {
  const auto type = data_type_of(spec.type);
  if (!type) return unsupported("oneDNN has no type " + std::string(to_text(spec.type)));
  return guarded(spec.role, [&]() -> Desc {
           const auto dims = dims_of(spec.shape);
           if (spec.layout.blocks.empty()) {
             dnnl::memory::dims strides;
             for (int axis : axes_of(spec.shape)) strides.push_back(spec.layout.strides[axis]);
             return Desc(dims, *type, strides);
           }
           // 3.x offers no way to state inner blocks, so the layout's format tag is searched for, in 2.x too.
           const auto wanted = normalized(spec.shape, spec.layout);
           for (int tag = dnnl_format_tag_any + 1; tag < dnnl_format_tag_last; ++tag) {
             const Desc desc(dims, *type, static_cast<dnnl::memory::format_tag>(tag), true);
             if (is_empty(desc)) continue;
             const auto layout = layout_of(desc, spec.shape, spec.type);
             if (layout && *layout == wanted) return desc;
           }
           return Desc();
         })
      .and_then([&](Desc desc) -> Result<Desc> {
        if (is_empty(desc)) return unsupported("oneDNN has no format for " + spec.role + " as " + describe_layout(spec));
        return desc;
      });
}

Result<TensorSpec> spec_of(const Desc& desc, const TensorSpec& like) {
  auto layout = layout_of(desc, like.shape, like.type);
  if (!layout) return unsupported(like.role + ": " + layout.error().text);
  return TensorSpec{like.role, like.type, like.shape, std::move(*layout)};
}

namespace {

class PrimitiveOp final : public Op {
 public:
  PrimitiveOp(dnnl::primitive primitive, std::unordered_map<int, dnnl::memory> arguments)
      : primitive_(std::move(primitive)), arguments_(std::move(arguments)), stream_(cpu_engine()) {}
  Status enqueue() override {
    try {
      primitive_.execute(stream_, arguments_);
      stream_.wait();
      return {};
    } catch (const dnnl::error& error) {
      return tl::unexpected(reason_of(error, "executing a primitive"));
    } catch (const std::bad_alloc&) {
      return failure("executing a primitive: out of memory", Reason::Kind::out_of_memory);
    }
  }

 private:
  dnnl::primitive primitive_;
  std::unordered_map<int, dnnl::memory> arguments_;
  dnnl::stream stream_;
};

}  // namespace

PrimitivePlan::PrimitivePlan(dnnl::primitive primitive, std::vector<TensorSpec> inputs, std::vector<TensorSpec> outputs,
                             std::vector<Argument> arguments, Desc scratchpad, std::map<std::string, std::string> notes)
    : primitive_(std::move(primitive)), inputs_(std::move(inputs)), outputs_(std::move(outputs)),
      arguments_(std::move(arguments)), scratchpad_(std::move(scratchpad)), notes_(std::move(notes)) {}

std::size_t PrimitivePlan::workspace_bytes() const { return is_empty(scratchpad_) ? 0 : scratchpad_.get_size(); }

Result<std::unique_ptr<Op>> PrimitivePlan::bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs,
                                                Region workspace, Stream&) {
  if (inputs.size() + outputs.size() != arguments_.size())
    return failure("a primitive of " + std::to_string(arguments_.size()) + " tensors was bound to " +
                   std::to_string(inputs.size() + outputs.size()));
  if (workspace.bytes < workspace_bytes())
    return failure("the workspace holds " + std::to_string(workspace.bytes) + " bytes, the primitive needs " +
                   std::to_string(workspace_bytes()));
  return guarded("binding a primitive", [&]() -> std::unique_ptr<Op> {
    std::unordered_map<int, dnnl::memory> map;
    for (std::size_t i = 0; i < arguments_.size(); ++i) {
      const auto& tensor = i < inputs.size() ? inputs[i] : outputs[i - inputs.size()];
      map.emplace(arguments_[i].id, dnnl::memory(arguments_[i].desc, cpu_engine(), tensor.region.data));
    }
    if (workspace_bytes() > 0)
      map.emplace(DNNL_ARG_SCRATCHPAD, dnnl::memory(scratchpad_, cpu_engine(), workspace.data));
    return std::make_unique<PrimitiveOp>(primitive_, std::move(map));
  });
}

}  // namespace onednn

std::optional<std::string> onednn_version() {
  const auto* v = dnnl::version();
  return std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
}

Result<std::unique_ptr<Plan>> plan_onednn_reorder(const TensorSpec& from, const TensorSpec& to, Device& device) {
  if (device.kind() != DeviceKind::cpu) return unsupported("oneDNN's reorder runs on the CPU here");
  auto source = onednn::describe(from), target = onednn::describe(to);
  if (!source) return tl::unexpected(source.error());
  if (!target) return tl::unexpected(target.error());
  return onednn::guarded("a reorder of " + from.role + " from " + describe_layout(from) + " to " + describe_layout(to),
                         [&]() -> std::unique_ptr<Plan> {
                           const dnnl::reorder::primitive_desc descriptor(onednn::cpu_engine(), *source,
                                                                          onednn::cpu_engine(), *target,
                                                                          onednn::user_scratchpad());
                           return std::make_unique<onednn::PrimitivePlan>(
                               dnnl::reorder(descriptor), std::vector{from}, std::vector{to},
                               std::vector<onednn::Argument>{{DNNL_ARG_FROM, *source}, {DNNL_ARG_TO, *target}},
                               descriptor.scratchpad_desc(),
                               std::map<std::string, std::string>{{"implementation", descriptor.impl_info_str()}});
                         });
}

}  // namespace detbench
