#include "kernels/op.hpp"

namespace detbench {
namespace {

class AbsentProvider final : public Provider {
 public:
  AbsentProvider(std::string name, std::string reason) : name_(std::move(name)), reason_(std::move(reason)) {}
  std::string_view name() const override { return name_; }
  Result<std::vector<Offer>> offers(const Problem&, Device&) const override {
    Offer offer;
    offer.algorithm.provider = name_;
    offer.algorithm.name = "any";
    offer.unsupported = Reason{reason_, Reason::Kind::unsupported};
    return std::vector<Offer>{offer};
  }
  Result<std::unique_ptr<Plan>> plan(const Problem&, const Algorithm&, Device&) const override { return unsupported(reason_); }

 private:
  std::string name_, reason_;
};

}  // namespace

std::unique_ptr<Provider> make_absent_provider(std::string name, std::string reason) {
  return std::make_unique<AbsentProvider>(std::move(name), std::move(reason));
}

}  // namespace detbench
