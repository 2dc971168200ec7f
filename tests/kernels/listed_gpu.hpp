// A device that says it is a GPU, for what providers can list without one: the host's memory behind it, nothing ever runs.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "kernels/op.hpp"

namespace detbench::testing {

class ListedGpu final : public Device {
 public:
  ListedGpu() : host_(std::move(make_cpu_device().value())) {}
  DeviceKind kind() const override { return DeviceKind::cuda; }
  std::string name() const override { return "a GPU that is not there"; }
  const DeviceConfiguration& configuration() const override { return configuration_; }
  Status activate() override { return {}; }
  Result<std::unique_ptr<Buffer>> allocate(std::size_t bytes, std::size_t element_bytes) override { return host_->allocate(bytes, element_bytes); }
  Result<std::unique_ptr<Stream>> make_stream(int) override { return absent(); }
  Result<std::unique_ptr<Event>> make_event() override { return absent(); }
  Result<Digest> digest(std::span<const Tensor>, Stream&) override { return absent(); }
  Status fill(const Tensor&, const FillSpec&, Stream&) override { return absent(); }
  Status poison(Region, Poison, std::uint64_t, Stream&) override { return absent(); }
  Status copy_to_host(void*, Region, Stream&) override { return absent(); }
  Status copy_from_host(Region, const void*, Stream&) override { return absent(); }
  Status copy(Region, Region, Stream&) override { return absent(); }
  Status evict_caches(Stream&) override { return absent(); }

 private:
  static tl::unexpected<Reason> absent() { return unsupported("there is no GPU"); }
  DeviceConfiguration configuration_;
  std::unique_ptr<Device> host_;
};

/// What a provider offers on such a device: "name" where it can run, "name: reason" where not, joined by "; ".
inline std::string listed(const Operation& operation, const Problem& problem, const char* provider) {
  ListedGpu device;
  const auto offers = operation.find_provider(provider)->offers(problem, device);
  if (!offers) return "error: " + offers.error().text;
  std::string text;
  for (const Offer& offer : *offers)
    text += (text.empty() ? "" : "; ") + offer.algorithm.name + (offer.unsupported ? ": " + offer.unsupported->text : "");
  return text;
}

}  // namespace detbench::testing
