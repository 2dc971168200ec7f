// One object of cuDNN's graph API. A descriptor holds its children: whatever was set as an attribute lives as long as
// the descriptor it was set on.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/cudnn/library.hpp"

namespace detbench::cudnn {

/// A shared handle: copies name the same object of the library. Setters remember the first failure, and finalize() tells
/// it, so that a descriptor is written down as one chain:
///   Descriptor t = Descriptor::make(library, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
///   t.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, std::int64_t{1}).set(...);
///   if (auto s = t.finalize(); !s) return tl::unexpected(s.error());
/// One descriptor must not be changed by two threads at once; finalized ones may be read by several.
class Descriptor {
 public:
  Descriptor() = default;  ///< names nothing
  static Descriptor make(const Library& library, cudnnBackendDescriptorType_t type);

  explicit operator bool() const { return state_ != nullptr; }
  cudnnBackendDescriptor_t native() const { return state_ ? state_->native : nullptr; }

  Descriptor& set(cudnnBackendAttributeName_t name, std::int64_t value);
  Descriptor& set(cudnnBackendAttributeName_t name, std::int32_t value);
  Descriptor& set(cudnnBackendAttributeName_t name, double value);
  Descriptor& set(cudnnBackendAttributeName_t name, float value);
  Descriptor& set(cudnnBackendAttributeName_t name, bool value);
  Descriptor& set(cudnnBackendAttributeName_t name, cudnnDataType_t value);
  Descriptor& set(cudnnBackendAttributeName_t name, std::span<const std::int64_t> values);
  Descriptor& set(cudnnBackendAttributeName_t name, std::string_view text);  ///< without its terminating NUL
  Descriptor& set(cudnnBackendAttributeName_t name, const Descriptor& child);
  Descriptor& set(cudnnBackendAttributeName_t name, std::span<const Descriptor> children);
  /// An enumerator of the header with the attribute type that names its enum.
  template <class Enum>
  Descriptor& set_enum(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, Enum value) {
    return set_raw(name, type, 1, &value);
  }
  Descriptor& set_raw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t count, const void* values);

  /// The first failure of a setter, else what finalizing gives.
  Status finalize();
  /// The same as a status code alone: asks for no message, for loops over many candidates.
  cudnnStatus_t try_finalize();
  /// Of the last setter that failed, finalize() or try_finalize().
  cudnnStatus_t status() const { return state_ ? state_->status : CUDNN_STATUS_NOT_INITIALIZED; }

  Result<std::int64_t> get_int64(cudnnBackendAttributeName_t name) const;
  Result<std::string> get_text(cudnnBackendAttributeName_t name) const;
  /// Up to `most` values of an attribute whose C type is T; `count` values are returned.
  template <class T>
  Result<std::vector<T>> get_many(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t most) const {
    std::vector<T> values(static_cast<std::size_t>(most));
    auto count = get_raw(name, type, most, values.data());
    if (!count) return tl::unexpected(count.error());
    values.resize(static_cast<std::size_t>(std::min(*count, most)));
    return values;
  }
  /// The library copies into descriptors that the caller has made; returns how many there were.
  Result<std::int64_t> get_descriptors(cudnnBackendAttributeName_t name, std::span<const Descriptor> made) const;
  Result<std::int64_t> get_raw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t most, void* values) const;

  const Library& library() const { return *state_->library; }

 private:
  struct State {
    const Library* library = nullptr;
    cudnnBackendDescriptor_t native = nullptr;
    cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
    std::string failed;  ///< of the first setter that failed
    std::vector<std::shared_ptr<State>> children;
    State() = default;
    State(const State&) = delete;
    ~State();
  };
  std::shared_ptr<State> state_;
};

}  // namespace detbench::cudnn
