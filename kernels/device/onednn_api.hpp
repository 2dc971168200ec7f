// oneDNN 2.6 and 3.x behind one set of functions. Only files named *onednn.cpp may include this header; together with
// onednn.cpp it is the only place that knows the library's version.
//
// The two versions differ in three things: 2.x has operation descriptors, which must outlive the walk over
// implementations (the iterator keeps a pointer; from a temporary the walk silently ends after one); a memory
// descriptor is an open struct in 2.x and opaque in 3.x; and in 3.x next_impl() changes the descriptor in place, so
// nothing may be kept from an implementation but what was copied out while it was the current one.
#pragma once

#include <functional>
#include <new>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <unordered_map>

#include "kernels/device/onednn.hpp"

namespace detbench::onednn {

/// The CPU engine. The first call turns the primitive cache off: on a hit, the walk over implementations returns the
/// same one again and then lists everything twice (2.6 and 3.7 alike).
dnnl::engine& cpu_engine();

/// Attributes of every primitive: the caller provides the scratchpad.
dnnl::primitive_attr user_scratchpad();

/// The same, and behind the primitive an element-wise clip of its result to [lower, upper].
dnnl::primitive_attr user_scratchpad_and_clip(float lower, float upper);

Reason reason_of(const dnnl::error& error, const std::string& what);

/// Runs f and turns oneDNN's and the allocator's exceptions into reasons that begin with `what`.
template <class F>
auto guarded(const std::string& what, F&& f) -> Result<decltype(f())> {
  try {
    if constexpr (std::is_void_v<decltype(f())>) {
      f();
      return {};
    } else {
      return f();
    }
  } catch (const dnnl::error& error) {
    return tl::unexpected(reason_of(error, what));
  } catch (const std::bad_alloc&) {
    return failure(what + ": out of memory", Reason::Kind::out_of_memory);
  }
}

/// nullopt for the types that oneDNN has not (i64, f64 in 2.x).
std::optional<dnnl::memory::data_type> data_type_of(DataType type);

/// oneDNN's logical dimensions of a tensor: activations N,C,H,W; filters G,O,I,H,W, or O,I,H,W when there is one group;
/// tensors of other ranks as they are.
dnnl::memory::dims dims_of(const Shape& shape);

/// Descriptor of a tensor in the layout of its spec, or in whatever layout the implementation likes (format "any").
Result<dnnl::memory::desc> describe(const TensorSpec& spec);
Result<dnnl::memory::desc> describe_any(const TensorSpec& spec);

/// The spec of a tensor of canonical shape `like.shape` whose memory oneDNN wants as `desc`; role and type are kept.
/// Unsupported when the format is opaque (transformed Winograd weights) or carries compensation.
Result<TensorSpec> spec_of(const dnnl::memory::desc& desc, const TensorSpec& like);

struct NoHint {};

/// Calls visit(primitive_desc) for every implementation, in the library's order, until visit returns false. The
/// arguments are those of the 2.x operation descriptor, which in 3.x stand between engine and attributes.
/// An operation without any implementation gives an unsupported reason. `attributes` include the caller's scratchpad.
template <class Primitive, class Hint, class Visit, class... Arguments>
Status visit_implementations_with(const dnnl::primitive_attr& attributes, const std::string& what, const Hint& hint, Visit&& visit,
                                  const Arguments&... arguments) {
  using Descriptor = typename Primitive::primitive_desc;
  return guarded(what, [&] {
#if DNNL_VERSION_MAJOR >= 3
    const auto make = [&]() -> Descriptor {
      if constexpr (std::is_same_v<Hint, NoHint>)
        return Descriptor(cpu_engine(), arguments..., attributes);
      else
        return Descriptor(cpu_engine(), arguments..., hint, attributes);
    };
#else
    cpu_engine();  // before the first descriptor: it turns the cache off
    const typename Primitive::desc operation(arguments...);
    const auto make = [&]() -> Descriptor {
      if constexpr (std::is_same_v<Hint, NoHint>)
        return Descriptor(operation, attributes, cpu_engine());
      else
        return Descriptor(operation, attributes, cpu_engine(), hint);
    };
#endif
    (void)hint;
    auto descriptor = make();
    do {
      if (!visit(descriptor)) break;
    } while (descriptor.next_impl());
  });
}

/// The same with no attributes but the scratchpad's.
template <class Primitive, class Hint, class Visit, class... Arguments>
Status visit_implementations(const std::string& what, const Hint& hint, Visit&& visit, const Arguments&... arguments) {
  return visit_implementations_with<Primitive>(user_scratchpad(), what, hint, std::forward<Visit>(visit), arguments...);
}

/// A primitive bound to a fixed list of arguments: DNNL_ARG_* and the descriptor of each, inputs first.
struct Argument {
  int id;
  dnnl::memory::desc desc;
};

/// A plan of one primitive. The primitive is created before, so that its partition is that of the thread count then in
/// force: oneDNN binds it at creation, and execution under another count changes nothing.
class PrimitivePlan final : public Plan {
 public:
  PrimitivePlan(dnnl::primitive primitive, std::vector<TensorSpec> inputs, std::vector<TensorSpec> outputs,
                std::vector<Argument> arguments, dnnl::memory::desc scratchpad, std::map<std::string, std::string> notes);
  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }
  std::size_t workspace_bytes() const override;
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace,
                                   Stream& stream) override;
  std::map<std::string, std::string> notes() const override { return notes_; }

 private:
  dnnl::primitive primitive_;
  std::vector<TensorSpec> inputs_, outputs_;
  std::vector<Argument> arguments_;
  dnnl::memory::desc scratchpad_;
  std::map<std::string, std::string> notes_;
};

}  // namespace detbench::onednn
