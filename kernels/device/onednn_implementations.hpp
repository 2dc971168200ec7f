// A provider whose algorithms are all implementations that oneDNN has of one primitive, on given layouts. Only files named
// *onednn.cpp include this.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/device/onednn_api.hpp"

namespace detbench::onednn {

/// Told an implementation's name and how to make its plan; false ends the walk.
using Visit = std::function<bool(const std::string& name, const std::function<Result<std::unique_ptr<Plan>>()>& make)>;
/// Walks a problem's implementations in the library's order. Errors of kind `unsupported` become the row's reason.
using VisitProblem = std::function<Status(const Problem&, const Visit&)>;

class ImplementationsProvider final : public Provider {
 public:
  ImplementationsProvider(bool sum_of_products, VisitProblem visit, double bound_constant = 1.0)
      : sum_of_products_(sum_of_products), visit_(std::move(visit)), bound_constant_(bound_constant) {}
  std::string_view name() const override { return "onednn"; }

  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    std::vector<Offer> offers;
    const auto status = walk(problem, device, [&](const std::string& name, const auto&) {
      const bool known = std::any_of(offers.begin(), offers.end(), [&](const Offer& o) { return o.algorithm.name == name; });
      if (known) return true;
      Offer offer;
      offer.algorithm = {"onednn", name, {}, {}, sum_of_products_, bound_constant_};
      offers.push_back(std::move(offer));
      return true;
    });
    if (!status && status.error().kind != Reason::Kind::unsupported) return tl::unexpected(status.error());
    if (!status && offers.empty()) {
      Offer none;
      none.algorithm.provider = "onednn";
      none.algorithm.name = "any";
      none.unsupported = status.error();
      offers.push_back(std::move(none));
    }
    return offers;
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    Result<std::unique_ptr<Plan>> plan = unsupported("oneDNN offers no implementation '" + algorithm.name.substr(0, 60) + "' for " + problem_id(problem));
    bool found = false;
    const auto status = walk(problem, device, [&](const std::string& name, const auto& make) {
      found = name == algorithm.name && algorithm.options.empty();
      if (found) plan = make();
      return !found;
    });
    if (!status && !found) return tl::unexpected(status.error());
    return plan;
  }

 private:
  Status walk(const Problem& problem, Device& device, const Visit& visit) const {
    if (device.kind() != DeviceKind::cpu) return unsupported("oneDNN's " + problem.op + " runs on the CPU here");
    return visit_(problem, visit);
  }
  bool sum_of_products_;
  VisitProblem visit_;
  double bound_constant_;
};

}  // namespace detbench::onednn
