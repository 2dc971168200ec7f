#include "bench/workers/timing_worker.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <utility>

#include "bench/core/plans_ahead.hpp"
#include "bench/core/schedule.hpp"
#include "bench/core/timing.hpp"
#include "bench/gbench/runner.hpp"

namespace detbench {
namespace {

/// Where the worker is, written into the page cache: unlike a message it wakes nobody beside the sample being timed.
class InFlight {
 public:
  explicit InFlight(const std::string& path) : fd_(path.empty() ? -1 : open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644)) {}
  ~InFlight() {
    if (fd_ >= 0) close(fd_);
  }
  InFlight(const InFlight&) = delete;
  void at(std::size_t comparison, std::size_t arm) {
    if (fd_ < 0) return;
    char text[48];
    const int n = snprintf(text, sizeof text, "%20zu %20zu\n", comparison, arm);
    if (pwrite(fd_, text, static_cast<std::size_t>(n), 0) != n) close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

/// The arms of one comparison while it is being timed: shared inputs, one workspace, one output per layout. The twin
/// has a store of its own, so that the A/A band holds what placement does to time.
class LiveComparison {
 public:
  /// `alive` is called between steps of preparing: hundreds of arms take longer than the parent waits for one.
  static Result<std::unique_ptr<LiveComparison>> make(const TimedComparison& comparison, const TimingPlan& plan,
                                                      const Registry& registry, const MakeDevice& make_device,
                                                      InFlight& in_flight, std::size_t index,
                                                      const std::function<void()>& alive) {
    in_flight.at(index, comparison.arms.size());
    auto live = std::unique_ptr<LiveComparison>(new LiveComparison);
    auto device = make_device(plan.base);
    if (!device) return tl::unexpected(device.error());
    live->device_ = std::move(*device);
    if (auto active = live->device_->activate(); !active) return tl::unexpected(active.error());
    auto stream = live->device_->make_stream();
    if (!stream) return tl::unexpected(stream.error());
    live->stream_ = std::move(*stream);
    auto aids = make_timing_aids(*live->device_);
    if (!aids) return tl::unexpected(aids.error());
    live->aids_ = std::move(*aids);
    live->store_ = std::make_unique<TensorStore>(*live->device_, *live->stream_);
    live->twin_store_ = std::make_unique<TensorStore>(*live->device_, *live->stream_);
    const auto* operation = registry.find(comparison.problem.op);
    if (!operation) return invalid_input("'" + comparison.problem.op + "' is no op of this program");
    // Compiled side by side: one by one they would keep the GPU waiting for most of a sweep.
    if (live->device_->kind() == DeviceKind::cuda && plan.builds_ahead) {
      in_flight.at(index, comparison.arms.size() + 1);
      const auto threads = static_cast<unsigned>(available_cores());
      for (std::size_t first = 0, next; first < comparison.arms.size(); first = next) {
        next = std::min<std::size_t>(first + 8 * threads, comparison.arms.size());
        const std::vector<Algorithm> some(&comparison.arms[first], comparison.arms.data() + next);
        live->plans_.build(*operation, comparison.problem, some, make_device, plan.base, threads);
        alive();
      }
    }
    live->operation_ = with_plans_ahead(*operation, live->plans_);
    // The largest workspace first: every arm then shares it, instead of leaving a smaller one behind.
    if (comparison.workspace_bytes > 0)
      if (auto reserved = live->store_->workspace(comparison.workspace_bytes); !reserved) return tl::unexpected(reserved.error());
    for (std::size_t i = 0; i <= comparison.arms.size(); ++i) {
      in_flight.at(index, i);
      alive();
      const bool twin = i == comparison.arms.size();
      const auto& algorithm = comparison.arms[twin ? comparison.twin_of : i];
      auto op = PreparedOp::make(*live->operation_, comparison.problem, algorithm, plan.inputs, *live->device_, *live->stream_,
                                 twin ? *live->twin_store_ : *live->store_);
      live->arms_.push_back({});
      auto& arm = live->arms_.back();
      if (!op) {
        live->end_when_unusable(op.error());
        arm.failed = op.error();
        continue;
      }
      arm.op = std::move(*op);
      arm.iterations = 1;
      // On a GPU a slow arm too has to run once before its sample, which would hold the loading of its kernels otherwise.
      if (!twin && comparison.slow[i] && live->device_->kind() == DeviceKind::cpu) continue;
      if (auto iterations = calibrate(*arm.op, TimingSettings{})) {
        arm.iterations = *iterations;
      } else {
        live->end_when_unusable(iterations.error());
        arm.failed = iterations.error();
      }
    }
    return live;
  }

  Result<Sample> run(const Slot& slot) {
    auto& arm = arms_[slot.arm];
    if (arm.failed) return tl::unexpected(*arm.failed);
    auto sample = time_sample(*arm.op, *stream_, arm.iterations, TimingSettings{}, aids_);
    if (!sample) {
      end_when_unusable(sample.error());
      arm.failed = sample.error();
      return sample;
    }
    sample->block = slot.block;
    sample->position = slot.position;
    // Arms share outputs, so the bits are read before the next arm runs; outside the timed region.
    if (auto digest = arm.op->digest()) arm.digest = *digest;
    return sample;
  }

  Json finished(std::size_t index) const {
    Json digests = Json::array(), failed = Json::object();
    for (std::size_t i = 0; i < arms_.size(); ++i) {
      digests.push_back(arms_[i].digest ? Json(to_hex(*arms_[i].digest)) : Json());
      if (arms_[i].failed) failed[std::to_string(i)] = to_json(*arms_[i].failed);
    }
    return {{"comparison", index}, {"finished", true}, {"digests", digests}, {"failed", failed}};
  }

 private:
  LiveComparison() = default;
  /// After a sticky CUDA error no other arm could be timed here either: the parent marks this one and goes on elsewhere.
  void end_when_unusable(const Reason& reason) {
    if (device_->usable()) return;
    std::fprintf(stderr, "ending after: %s\n", reason.text.c_str());
    _exit(EXIT_FAILURE);
  }
  struct Arm {
    std::unique_ptr<PreparedOp> op;
    std::uint32_t iterations = 1;
    std::optional<Digest> digest;
    std::optional<Reason> failed;
  };
  PlansAhead plans_;
  std::unique_ptr<Operation> operation_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<Stream> stream_;
  TimingAids aids_;
  std::unique_ptr<TensorStore> store_, twin_store_;
  std::vector<Arm> arms_;
};

/// The slots of a comparison: a slow arm keeps only its slot in the first block that reports.
std::vector<Slot> slots_of(const TimedComparison& comparison) {
  const auto arms = static_cast<std::uint32_t>(comparison.arms.size());
  const auto choosing = choosing_blocks(comparison.blocks, comparison.schedule_seed);
  std::uint32_t reporting = 0;
  while (reporting + 1 < choosing.size() && choosing[reporting]) ++reporting;
  std::vector<Slot> slots;
  for (const auto& slot : make_schedule(arms + 1, comparison.blocks, comparison.schedule_seed))
    if (slot.arm == arms || !comparison.slow[slot.arm] || slot.block == reporting) slots.push_back(slot);
  return slots;
}

}  // namespace

Status run_timing_plan(const TimingPlan& plan, const Registry& registry, const MakeDevice& make_device, LineChannel& channel) {
  InFlight in_flight(plan.in_flight_file);
  std::unique_ptr<LiveComparison> live;
  Json samples = Json::array();
  Status sent;
  auto told = std::chrono::steady_clock::now();
  std::vector<TimedSlot> timed;
  for (std::size_t c = 0; c < plan.comparisons.size(); ++c) {
    const auto& comparison = plan.comparisons[c];
    const auto slots = slots_of(comparison);
    for (std::size_t s = 0; s < slots.size(); ++s) {
      const auto slot = slots[s];
      const bool first = s == 0, last = s + 1 == slots.size(), block_ends = last || slots[s + 1].block != slot.block;
      const bool twin = slot.arm == comparison.arms.size();
      const auto& algorithm = comparison.arms[twin ? comparison.twin_of : slot.arm];
      auto run = [&, c, slot, first, last, block_ends]() -> Result<double> {
        if (!sent) return tl::unexpected(sent.error());
        std::optional<Reason> unprepared;
        if (first) {
          const auto alive = [&sent, &told, &channel, c] {
            const auto now = std::chrono::steady_clock::now();
            if (!sent || now - told < std::chrono::seconds(1)) return;
            told = now;
            sent = channel.send({{"comparison", c}, {"preparing", true}});
          };
          auto made = LiveComparison::make(plan.comparisons[c], plan, registry, make_device, in_flight, c, alive);
          if (made) {
            live = std::move(*made);
          } else {
            live.reset();
            unprepared = made.error();
            sent = channel.send({{"comparison", c}, {"unprepared", to_json(*unprepared)}});
          }
        }
        if (!live) return failure(unprepared ? unprepared->text : "the comparison could not be prepared");
        in_flight.at(c, slot.arm);
        auto sample = live->run(slot);
        if (sample) {
          Json json = to_json(*sample);
          json["arm"] = slot.arm;
          samples.push_back(std::move(json));
        }
        // The parent is woken between blocks only, never beside a sample.
        if (block_ends && !samples.empty()) {
          sent = channel.send({{"comparison", c}, {"samples", std::exchange(samples, Json::array())}});
        }
        if (last) {
          if (sent) sent = channel.send(live->finished(c));
          live.reset();
        }
        return sample ? Result<double>(sample->elapsed_s) : tl::unexpected(sample.error());
      };
      timed.push_back({problem_id(comparison.problem), algorithm_id(algorithm) + (twin ? " twin" : "") + " block " + std::to_string(slot.block),
                       std::move(run)});
    }
  }
  if (auto ran = run_slots(timed, plan.benchmark_arguments); !ran) return channel.send({{"error", to_json(ran.error())}});
  if (!sent) return sent;
  return channel.send({{"done", true}});
}

}  // namespace detbench
