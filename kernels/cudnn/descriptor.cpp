#include "kernels/cudnn/descriptor.hpp"

namespace detbench::cudnn {

Descriptor::State::~State() {
  if (native != nullptr) library->cudnnBackendDestroyDescriptor(native);
}

Descriptor Descriptor::make(const Library& library, cudnnBackendDescriptorType_t type) {
  Descriptor made;
  made.state_ = std::make_shared<State>();
  made.state_->library = &library;
  made.state_->status = library.cudnnBackendCreateDescriptor(type, &made.state_->native);
  if (made.state_->status != CUDNN_STATUS_SUCCESS) {
    made.state_->native = nullptr;
    made.state_->failed = cudnn_reason(library, made.state_->status, "cudnnBackendCreateDescriptor").text;
  }
  return made;
}

Descriptor& Descriptor::set_raw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t count,
                                const void* values) {
  if (!state_->failed.empty()) return *this;
  const auto status = state_->library->cudnnBackendSetAttribute(state_->native, name, type, count, values);
  if (status == CUDNN_STATUS_SUCCESS) return *this;
  state_->status = status;
  state_->failed = cudnn_reason(*state_->library, status, "cudnnBackendSetAttribute").text + " (attribute " + std::to_string(static_cast<int>(name)) + ")";
  return *this;
}

Descriptor& Descriptor::set(cudnnBackendAttributeName_t name, std::int64_t value) { return set_raw(name, CUDNN_TYPE_INT64, 1, &value); }
Descriptor& Descriptor::set(cudnnBackendAttributeName_t name, std::int32_t value) { return set_raw(name, CUDNN_TYPE_INT32, 1, &value); }
Descriptor& Descriptor::set(cudnnBackendAttributeName_t name, double value) { return set_raw(name, CUDNN_TYPE_DOUBLE, 1, &value); }
Descriptor& Descriptor::set(cudnnBackendAttributeName_t name, float value) { return set_raw(name, CUDNN_TYPE_FLOAT, 1, &value); }
Descriptor& Descriptor::set(cudnnBackendAttributeName_t name, bool value) { return set_raw(name, CUDNN_TYPE_BOOLEAN, 1, &value); }
Descriptor& Descriptor::set(cudnnBackendAttributeName_t name, cudnnDataType_t value) { return set_raw(name, CUDNN_TYPE_DATA_TYPE, 1, &value); }

Descriptor& Descriptor::set(cudnnBackendAttributeName_t name, std::span<const std::int64_t> values) {
  return set_raw(name, CUDNN_TYPE_INT64, static_cast<std::int64_t>(values.size()), values.data());
}

Descriptor& Descriptor::set(cudnnBackendAttributeName_t name, std::string_view text) {
  return set_raw(name, CUDNN_TYPE_CHAR, static_cast<std::int64_t>(text.size()), text.data());
}

Descriptor& Descriptor::set(cudnnBackendAttributeName_t name, const Descriptor& child) { return set(name, std::span(&child, 1)); }

Descriptor& Descriptor::set(cudnnBackendAttributeName_t name, std::span<const Descriptor> children) {
  std::vector<cudnnBackendDescriptor_t> natives;
  for (const auto& child : children) {
    natives.push_back(child.native());
    if (child.state_) state_->children.push_back(child.state_);
  }
  return set_raw(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, static_cast<std::int64_t>(natives.size()), natives.data());
}

cudnnStatus_t Descriptor::try_finalize() {
  if (state_->failed.empty()) state_->status = state_->library->cudnnBackendFinalize(state_->native);
  return state_->status;
}

Status Descriptor::finalize() {
  // The library keeps the message of an earlier failure until somebody reads it: it must not pass for this one's.
  char earlier[8];
  if (state_->failed.empty()) state_->library->cudnnGetLastErrorString(earlier, sizeof earlier);
  if (try_finalize() == CUDNN_STATUS_SUCCESS) return {};
  auto reason = cudnn_reason(*state_->library, state_->status, "cudnnBackendFinalize");
  if (!state_->failed.empty()) reason.text = state_->failed;
  return tl::unexpected(std::move(reason));
}

Result<std::int64_t> Descriptor::get_raw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t most, void* values) const {
  std::int64_t count = 0;
  DETBENCH_CUDNN_TRY(*state_->library, cudnnBackendGetAttribute(state_->native, name, type, most, &count, values));
  return count;
}

Result<std::int64_t> Descriptor::get_int64(cudnnBackendAttributeName_t name) const {
  std::int64_t value = 0;
  if (auto got = get_raw(name, CUDNN_TYPE_INT64, 1, &value); !got) return tl::unexpected(got.error());
  return value;
}

Result<std::string> Descriptor::get_text(cudnnBackendAttributeName_t name) const {
  const auto size = get_raw(name, CUDNN_TYPE_CHAR, 0, nullptr);
  if (!size) return tl::unexpected(size.error());
  std::string text(static_cast<std::size_t>(*size), '\0');
  if (auto got = get_raw(name, CUDNN_TYPE_CHAR, *size, text.data()); !got) return tl::unexpected(got.error());
  while (!text.empty() && text.back() == '\0') text.pop_back();  // the count includes a terminating NUL
  return text;
}

Result<std::int64_t> Descriptor::get_descriptors(cudnnBackendAttributeName_t name, std::span<const Descriptor> made) const {
  std::vector<cudnnBackendDescriptor_t> natives;
  for (const auto& descriptor : made) natives.push_back(descriptor.native());
  return get_raw(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, static_cast<std::int64_t>(natives.size()), natives.data());
}

}  // namespace detbench::cudnn
