#include "bench/workers/serve.hpp"

#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "bench/core/plans_ahead.hpp"
#include "bench/core/recompute.hpp"
#include "bench/records/manifest.hpp"
#include "bench/workers/timing_worker.hpp"

namespace detbench {
namespace {

Json error_reply(const Reason& reason) { return {{"error", to_json(reason)}}; }

class Server {
 public:
  Server(LineChannel& channel, const Registry& registry, const ServeHooks& hooks)
      : channel_(channel), registry_(registry), hooks_(hooks) {}

  Status answer(const Json& request) {
    const auto what = request.value("do", "");
    if (what == "list") return send(list(request));
    if (what == "probe") return send(probe(request));
    if (what == "once") return send(once(request));
    if (what == "recompute") return send(recompute_case(request));
    if (what == "build") return send(build(request));
    if (what == "gpu") {
      const auto gpu = describe_gpu();
      return send(gpu ? Json{{"gpu", *gpu}} : error_reply(gpu.error()));
    }
    if (what == "diverge") {
      auto parted = hooks_.diverge ? hooks_.diverge(request) : Result<Json>(unsupported("this worker knows no train steps"));
      return send(parted ? Json{{"divergence", *parted}} : error_reply(parted.error()));
    }
    if (what == "ablate") {
      auto row = hooks_.ablate ? hooks_.ablate(request) : Result<Json>(unsupported("this worker trains nothing"));
      return send(row ? Json{{"ablation", *row}} : error_reply(row.error()));
    }
    if (what == "time") {
      auto plan = read_timing_plan(request);
      if (!plan) return channel_.send(error_reply(plan.error()));
      return run_timing_plan(*plan, registry_, hooks_.make_device, channel_);
    }
    return channel_.send(error_reply({"unknown request '" + what + "'", Reason::Kind::failed}));
  }

 private:
  /// After a sticky CUDA error nothing that this process computes can be trusted: the parent starts a fresh worker.
  Status send(Json reply) {
    if (device_ && !device_->usable()) reply["poisoned"] = true;
    return channel_.send(reply);
  }

  struct Case {
    const Operation* operation;
    Problem problem;
    Algorithm algorithm;
    ProbeSettings settings;
  };

  Result<const Operation*> operation_of(const Problem& problem) const {
    const auto* operation = registry_.find(problem.op);
    if (!operation) return invalid_input("'" + problem.op + "' is no op of this program");
    if (auto good = operation->check(problem); !good) return tl::unexpected(good.error());
    return operation;
  }

  Result<Case> read_case(const Json& request) const {
    auto problem = parse_problem_id(request.value("problem", ""));
    if (!problem) return tl::unexpected(problem.error());
    auto operation = operation_of(*problem);
    if (!operation) return tl::unexpected(operation.error());
    auto algorithm = read_algorithm(request.value("algorithm", Json::object()));
    if (!algorithm) return tl::unexpected(algorithm.error());
    auto settings = read_probe_settings(request.value("settings", Json::object()));
    if (!settings) return tl::unexpected(settings.error());
    return Case{*operation, *problem, *algorithm, *settings};
  }

  /// One device per configuration is enough for listing and single runs; a probe makes its own.
  Result<Device*> device(const DeviceConfiguration& configuration) {
    if (!device_) {
      auto made = hooks_.make_device(configuration);
      if (!made) return tl::unexpected(made.error());
      device_ = std::move(*made);
    }
    if (auto active = device_->activate(); !active) return tl::unexpected(active.error());
    return device_.get();
  }

  Json list(const Json& request) {
    auto problem = parse_problem_id(request.value("problem", ""));
    if (!problem) return error_reply(problem.error());
    auto operation = operation_of(*problem);
    if (!operation) return error_reply(operation.error());
    auto where = device({});
    if (!where) return error_reply(where.error());
    std::optional<Algorithm> named;
    if (request.contains("named")) {
      auto algorithm = read_algorithm(request["named"]);
      if (!algorithm) return error_reply(algorithm.error());
      named = std::move(*algorithm);
    }
    Json offers = Json::array();
    for (const auto& provider : (*operation)->providers()) {
      auto offered = provider->offers(*problem, **where);
      if (!offered) {
        Offer none{{std::string(provider->name()), "any", {}, {}}, offered.error()};
        offers.push_back(to_json(none));
        continue;
      }
      for (const auto& offer : *offered) offers.push_back(to_json(offer));
      if (!named || named->provider != provider->name()) continue;
      const auto listed = [&](const Offer& offer) { return algorithm_id(offer.algorithm) == algorithm_id(*named); };
      if (std::any_of(offered->begin(), offered->end(), listed)) continue;
      if (const auto offer = provider->offer_by_name(*problem, *named, **where)) offers.push_back(to_json(*offer));
    }
    const auto cost = (*operation)->cost(*problem);
    return {{"offers", offers}, {"flops", cost.flops}, {"bytes", cost.bytes}};
  }

  /// Builds the plans of a comparison's arms ahead of their turns; plans of the comparison before are dropped.
  Json build(const Json& request) {
    auto problem = parse_problem_id(request.value("problem", ""));
    if (!problem) return error_reply(problem.error());
    auto operation = operation_of(*problem);
    if (!operation) return error_reply(operation.error());
    auto settings = read_probe_settings(request.value("settings", Json::object()));
    if (!settings) return error_reply(settings.error());
    std::vector<Algorithm> algorithms;
    for (const auto& json : request.value("algorithms", Json::array())) {
      auto algorithm = read_algorithm(json);
      if (!algorithm) return error_reply(algorithm.error());
      algorithms.push_back(std::move(*algorithm));
    }
    plans_.clear();
    const auto threads = static_cast<unsigned>(available_cores());
    return {{"built", plans_.build(**operation, *problem, algorithms, hooks_.make_device, settings->base, threads)}};
  }

  Json probe(const Json& request) {
    auto asked = read_case(request);
    if (!asked) return error_reply(asked.error());
    ProbeReply reply;
    const auto operation = with_plans_ahead(*asked->operation, plans_);
    // Made ahead of the probe: after a sticky CUDA error none can be made any more, and send() would have nobody to ask.
    static_cast<void>(device(asked->settings.base));
    reply.report = probe_arm(*operation, asked->problem, asked->algorithm, asked->settings, hooks_.make_device, references_);
    const auto where = device(asked->settings.base);
    if (reply.report.status == RunStatus::ok && hooks_.train_step_facts) {
      if (where) reply.train_step = hooks_.train_step_facts(asked->problem, asked->algorithm, asked->settings.inputs, **where);
    }
    return {{"report", to_json(reply)}};
  }

  Json once(const Json& request) {
    auto asked = read_case(request);
    if (!asked) return error_reply(asked.error());
    auto where = device(asked->settings.base);
    if (!where) return error_reply(where.error());
    const auto keep = request.value("keep", "");
    auto run = run_once(*asked->operation, asked->problem, asked->algorithm, asked->settings.inputs, **where, !keep.empty());
    if (!run) return error_reply(run.error());
    if (!keep.empty()) {
      std::ofstream file(keep, std::ios::binary);
      for (const auto& output : run->outputs) file.write(reinterpret_cast<const char*>(output.data()), static_cast<std::streamsize>(output.size()));
      if (!file) return error_reply({"the scratch file for a witness cannot be written", Reason::Kind::failed});
    }
    return {{"digest", to_hex(run->digest)}, {"notes", run->notes}};
  }

  /// On a device of its own: each request may name another number of threads.
  Json recompute_case(const Json& request) {
    auto asked = read_case(request);
    if (!asked) return error_reply(asked.error());
    auto where = hooks_.make_device(asked->settings.base);
    if (!where) return error_reply(where.error());
    const auto found = recompute(*asked->operation, asked->problem, asked->algorithm, asked->settings.inputs, **where);
    if (!found) return error_reply(found.error());
    return {{"inputs", to_hex(found->inputs)}, {"digest", to_hex(found->outputs)}, {"elapsed_s", found->elapsed_s}};
  }

  LineChannel& channel_;
  const Registry& registry_;
  const ServeHooks& hooks_;
  ReferenceCache references_;
  PlansAhead plans_;
  std::unique_ptr<Device> device_;
};

}  // namespace

int serve(LineChannel& channel, const Registry& registry, const ServeHooks& hooks) {
  Server server(channel, registry, hooks);
  for (;;) {
    Json request;
    if (channel.receive(request, -1) != LineChannel::Wait::message) return 0;
    if (!server.answer(request)) return 0;  // the parent is gone
  }
}

}  // namespace detbench
