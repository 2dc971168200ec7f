#include "bench/suites/divergence.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstring>
#include <map>

#include "bench/core/stressors.hpp"
#include "bench/workers/messages.hpp"
#include "kernels/tensor/compare.hpp"
#include "models/training.hpp"

namespace detbench {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point begun) { return std::chrono::duration<double>(Clock::now() - begun).count(); }

/// One op of the last step, as a side did it.
struct SeenOp {
  OpInfo info;
  std::vector<std::string> roles;
  std::vector<Digest> digests;  ///< by output
};

/// Digests the ops of a step while it is asked to, and keeps the logits: the last matrix that a forward pass makes.
class Watcher final : public StepObserver {
 public:
  Watcher(Device& device, Stream& stream) : device_(device), stream_(stream) {}
  void after(const StepEvent& event) override {
    if (!failure_.empty()) return;
    if (digesting_) {
      SeenOp seen{event.info, {}, {}};
      for (const auto& output : event.outputs) {
        auto digest = device_.digest({&output, 1}, stream_);
        if (!digest) return fail(digest.error());
        seen.roles.push_back(output.spec.role);
        seen.digests.push_back(*digest);
      }
      ops_.push_back(std::move(seen));
    }
    if (event.info.phase != "forward" || event.outputs.empty()) return;
    const auto& output = event.outputs.front();
    if (output.spec.shape.size() != 2 || output.spec.type != DataType::f32 || !output.spec.is_canonical()) return;
    logits_.resize(element_count(output.spec.shape));
    classes_ = static_cast<std::size_t>(output.spec.shape[1]);
    if (auto copied = device_.copy_to_host(logits_.data(), {output.region.data, output.spec.bytes()}, stream_); !copied) return fail(copied.error());
  }
  void begin_step(bool digesting) {
    digesting_ = digesting;
    ops_.clear();
    logits_.clear();
  }
  const std::vector<SeenOp>& ops() const { return ops_; }
  const std::string& failure() const { return failure_; }
  /// The first of the largest logits, per image.
  std::vector<std::size_t> predictions() const {
    std::vector<std::size_t> classes;
    for (std::size_t at = 0; classes_ > 0 && at + classes_ <= logits_.size(); at += classes_) {
      const auto row = logits_.begin() + static_cast<std::ptrdiff_t>(at);
      classes.push_back(static_cast<std::size_t>(std::max_element(row, row + static_cast<std::ptrdiff_t>(classes_)) - row));
    }
    return classes;
  }

 private:
  void fail(const Reason& reason) { failure_ = reason.text; }
  Device& device_;
  Stream& stream_;
  bool digesting_ = false;
  std::vector<SeenOp> ops_;
  std::vector<float> logits_;
  std::size_t classes_ = 0;
  std::string failure_;
};

/// One of the two, prepared. Kept together, because a prepared op points into the rest.
struct Side {
  std::unique_ptr<Device> device;
  std::unique_ptr<Stream> stream;
  std::unique_ptr<TensorStore> store;
  std::unique_ptr<PreparedOp> prepared;
  std::unique_ptr<Watcher> watcher;
  std::vector<float> parameters;  ///< canonical, one behind the other
  float loss = 0;

  static Result<std::unique_ptr<Side>> make(const Operation& operation, const Problem& problem, Algorithm algorithm, const Inputs& inputs,
                                            const DeviceConfiguration& configuration, const MakeDevice& make_device) {
    algorithm.options["steps"] = "1";
    const auto in_side = [&](const Reason& reason) { return tl::unexpected(Reason{algorithm_id(algorithm) + ": " + reason.text, reason.kind}); };
    auto side = std::make_unique<Side>();
    auto device = make_device(configuration);
    if (!device) return in_side(device.error());
    side->device = std::move(*device);
    if (auto active = side->device->activate(); !active) return in_side(active.error());
    auto stream = side->device->make_stream();
    if (!stream) return in_side(stream.error());
    side->stream = std::move(*stream);
    side->store = std::make_unique<TensorStore>(*side->device, *side->stream);
    auto prepared = PreparedOp::make(operation, problem, algorithm, inputs, *side->device, *side->stream, *side->store);
    if (!prepared) return in_side(prepared.error());
    side->prepared = std::move(*prepared);
    auto* step = dynamic_cast<TrainStepOp*>(&side->prepared->op());
    if (step == nullptr) return invalid_input(problem.op + " is no train step, and nothing else grows from step to step");
    side->watcher = std::make_unique<Watcher>(*side->device, *side->stream);
    step->observe(side->watcher.get());
    if (auto reset = side->prepared->reset(); !reset) return in_side(reset.error());
    return side;
  }

  Result<Digest> step(bool digesting) {
    if (auto active = device->activate(); !active) return tl::unexpected(active.error());
    watcher->begin_step(digesting);
    if (auto done = prepared->enqueue(); !done) return tl::unexpected(done.error());
    if (auto done = prepared->wait(); !done) return tl::unexpected(done.error());
    if (!watcher->failure().empty()) return failure(watcher->failure());
    const auto& outputs = prepared->outputs();
    if (auto copied = device->copy_to_host(&loss, {outputs[0].region.data, sizeof loss}, *stream); !copied) return tl::unexpected(copied.error());
    return prepared->digest();
  }

  /// Outputs are the loss, the parameters, and what else a step keeps; inputs are images, labels and the parameters.
  std::size_t parameter_tensors() const { return prepared->inputs().size() - 2; }
  std::uint64_t parameter_bytes() const {
    std::uint64_t bytes = 0;
    for (std::size_t i = 1; i <= parameter_tensors(); ++i) bytes += prepared->outputs()[i].spec.bytes();
    return bytes;
  }
  Status read_parameters() {
    auto outputs = prepared->host_outputs();
    if (!outputs) return tl::unexpected(outputs.error());
    parameters.clear();
    std::vector<std::byte> bytes;
    for (std::size_t i = 1; i <= parameter_tensors(); ++i) {
      const auto& tensor = (*outputs)[i];
      if (tensor.spec.type != DataType::f32) return failure("parameter " + tensor.spec.role + " is not f32");
      gather_canonical(tensor, bytes);
      const std::size_t begin = parameters.size();
      parameters.resize(begin + bytes.size() / sizeof(float));
      std::memcpy(parameters.data() + begin, bytes.data(), bytes.size());
    }
    return {};
  }
};

DivergencePoint compare(std::uint32_t step, const Side& a, const Side& b) {
  DivergencePoint point;
  point.step = step;
  point.elements = a.parameters.size();
  double squared = 0, norm = 0;
  for (std::size_t i = 0; i < a.parameters.size(); ++i) {
    const auto x = std::bit_cast<std::uint32_t>(a.parameters[i]), y = std::bit_cast<std::uint32_t>(b.parameters[i]);
    const auto value = static_cast<double>(a.parameters[i]);
    norm += value * value;
    if (x == y) continue;
    ++point.differing;
    point.max_ulp = std::max(point.max_ulp, ulp_distance(DataType::f32, x, y));
    const double difference = value - static_cast<double>(b.parameters[i]);
    squared += difference * difference;
  }
  point.l2 = std::sqrt(squared);
  point.relative_l2 = norm > 0 ? std::sqrt(squared / norm) : 0;
  point.loss_a = static_cast<double>(a.loss), point.loss_b = static_cast<double>(b.loss);
  const auto first = a.watcher->predictions(), second = b.watcher->predictions();
  if (!first.empty() && first.size() == second.size()) {
    std::size_t changed = 0;
    for (std::size_t i = 0; i < first.size(); ++i) changed += first[i] != second[i];
    point.churn = static_cast<double>(changed) / static_cast<double>(first.size());
  }
  return point;
}

/// Reorders differ between selections of different layouts, so ops are paired by what they are, in their order.
std::vector<std::size_t> comparable_ops(const std::vector<SeenOp>& ops) {
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < ops.size(); ++i)
    if (ops[i].info.op != "reorder") indices.push_back(i);
  return indices;
}

std::optional<DivergenceOp> first_difference(std::uint32_t step, const std::vector<SeenOp>& a, const std::vector<SeenOp>& b) {
  const auto in_a = comparable_ops(a), in_b = comparable_ops(b);
  if (in_a.size() != in_b.size()) return std::nullopt;
  for (std::size_t i = 0; i < in_a.size(); ++i) {
    const auto &x = a[in_a[i]], &y = b[in_b[i]];
    if (x.info.op != y.info.op || x.info.layer != y.info.layer || x.digests.size() != y.digests.size()) return std::nullopt;
    for (std::size_t o = 0; o < x.digests.size(); ++o)
      if (x.digests[o] != y.digests[o])
        return DivergenceOp{step, static_cast<std::uint32_t>(in_a[i]), x.info.phase, x.info.layer, x.info.op, x.info.algorithm, y.info.algorithm, x.roles[o]};
  }
  return std::nullopt;
}

void add_note(Divergence& divergence, const std::string& text) { divergence.note += (divergence.note.empty() ? "" : "; ") + text; }

}  // namespace

std::vector<std::uint32_t> compared_steps(std::uint32_t steps) {
  std::vector<std::uint32_t> all;
  for (std::uint64_t step = 1, next = 2; step <= steps; std::swap(step, next), next += step) all.push_back(static_cast<std::uint32_t>(step));
  if (steps > 0 && all.back() != steps) all.push_back(steps);
  return all;
}

Result<Divergence> measure_divergence(const Registry& registry, const DivergenceRequest& request, const MakeDevice& make_device) {
  const auto* operation = registry.find(request.problem.op);
  if (operation == nullptr) return invalid_input("'" + request.problem.op + "' is no op of this program");
  if (auto good = operation->check(request.problem); !good) return tl::unexpected(good.error());
  auto a = Side::make(*operation, request.problem, request.a, request.inputs, request.configuration_a, make_device);
  if (!a) return tl::unexpected(a.error());
  auto b = Side::make(*operation, request.problem, request.b, request.inputs, request.configuration_b, make_device);
  if (!b) return tl::unexpected(b.error());
  std::unique_ptr<Stressor> stressor;
  if (!request.load.empty()) {
    auto all = make_stressors(*(*b)->device);
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& s) { return s->name() == request.load; });
    if (found == all.end()) return invalid_input("there is no stressor '" + request.load.substr(0, 60) + "' here");
    stressor = std::move(*found);
  }
  const bool gpu = (*a)->device->kind() == DeviceKind::cuda;
  Divergence found;
  found.question = request.question;
  found.problem = problem_id(request.problem);
  found.a = {algorithm_id(request.a), gpu ? 0 : (*a)->device->configuration().threads, ""};
  found.b = {algorithm_id(request.b), gpu ? 0 : (*b)->device->configuration().threads, request.load};
  const auto wanted = compared_steps(request.steps);
  std::uint64_t compared_bytes = 0;
  std::uint32_t unloaded = 0;
  const auto begun = Clock::now();
  for (std::uint32_t step = 1; step <= request.steps; ++step) {
    if (step > 1 && seconds_since(begun) > request.limit_s) {
      add_note(found, "stopped after " + std::to_string(step - 1) + " of " + std::to_string(request.steps) + " steps: the time for it was over");
      break;
    }
    const bool digesting = !found.first_step;
    const auto digest_a = (*a)->step(digesting);
    if (!digest_a) return tl::unexpected(Reason{found.a.algorithm + ": " + digest_a.error().text, digest_a.error().kind});
    // On a busy machine a stressor may not get going in time; the step is then made without it, and the note counts it.
    if (stressor && !stressor->start(request.inputs.seed + step, 2.0)) ++unloaded;
    const auto digest_b = (*b)->step(digesting);
    if (stressor) stressor->stop();
    if (!digest_b) return tl::unexpected(Reason{found.b.algorithm + ": " + digest_b.error().text, digest_b.error().kind});
    found.steps = step;
    if (!found.first_step && *digest_a != *digest_b) {
      found.first_step = step;
      found.first_op = first_difference(step, (*a)->watcher->ops(), (*b)->watcher->ops());
      if (!found.first_op) add_note(found, "no single op could be named: the two steps are not made of the same ops");
    }
    // The step at which they part is a point of its own, whatever its number.
    const bool parts_here = found.first_step && *found.first_step == step;
    if (std::find(wanted.begin(), wanted.end(), step) == wanted.end() && !parts_here) continue;
    compared_bytes += (*a)->parameter_bytes() + (*b)->parameter_bytes();
    if (compared_bytes > request.byte_budget) {
      add_note(found, "steps from " + std::to_string(step) + " on are not compared: " + std::to_string(request.byte_budget) + " bytes were");
      break;
    }
    for (auto* side : {&*a, &*b})
      if (auto read = (*side)->read_parameters(); !read) return tl::unexpected(read.error());
    found.points.push_back(compare(step, **a, **b));
  }
  if (unloaded > 0) add_note(found, "the load did not get going beside " + std::to_string(unloaded) + " of " + std::to_string(found.steps) + " steps");
  return found;
}

Json to_json(const DivergenceRequest& r) {
  const auto side = [](const Algorithm& algorithm, const DeviceConfiguration& configuration) {
    return Json{{"algorithm", to_json(algorithm)}, {"threads", configuration.threads}, {"sm_count_target", configuration.sm_count_target}, {"multiprocessors", configuration.multiprocessors}};
  };
  return {{"question", r.question}, {"problem", problem_id(r.problem)}, {"a", side(r.a, r.configuration_a)}, {"b", side(r.b, r.configuration_b)}, {"load", r.load},
          {"steps", r.steps},       {"limit_s", r.limit_s},             {"byte_budget", r.byte_budget},      {"seed", r.inputs.seed}};
}

Result<DivergenceRequest> read_divergence_request(const Json& json) {
  try {
    DivergenceRequest r;
    r.question = json.at("question").get<std::string>();
    auto problem = parse_problem_id(json.at("problem").get<std::string>());
    if (!problem) return tl::unexpected(problem.error());
    r.problem = *problem;
    const auto side = [](const Json& from, Algorithm& algorithm, DeviceConfiguration& configuration) -> Status {
      auto read = read_algorithm(from.at("algorithm"));
      if (!read) return tl::unexpected(read.error());
      algorithm = std::move(*read);
      configuration.threads = from.at("threads").get<int>();
      configuration.sm_count_target = from.at("sm_count_target").get<int>();
      configuration.multiprocessors = from.at("multiprocessors").get<int>();
      return {};
    };
    if (auto s = side(json.at("a"), r.a, r.configuration_a); !s) return tl::unexpected(s.error());
    if (auto s = side(json.at("b"), r.b, r.configuration_b); !s) return tl::unexpected(s.error());
    r.load = json.at("load").get<std::string>();
    r.steps = json.at("steps").get<std::uint32_t>();
    r.limit_s = json.at("limit_s").get<double>();
    r.byte_budget = json.at("byte_budget").get<std::uint64_t>();
    r.inputs = {InputFill::rounding, json.at("seed").get<std::uint64_t>()};
    return r;
  } catch (const Json::exception& e) {
    return invalid_input(std::string("a request to compare two train steps is damaged: ") + e.what());
  }
}

std::vector<DivergenceRequest> divergence_questions(const std::vector<Record>& records, const std::string& backend, int threads,
                                                    const std::string& profile, std::uint64_t seed) {
  const bool small = profile == "smoke" || profile == "quick";
  const std::uint32_t steps = profile == "smoke" ? 3 : profile == "quick" ? 8 : profile == "standard" ? 34 : 89;
  const double limit_s = profile == "smoke" ? 0.5 : profile == "quick" ? 1 : profile == "standard" ? 60 : 300;
  // By problem, in the order of the run: the arms that are ok, by policy. Other options than steps make it another training.
  std::vector<std::pair<std::string, std::map<std::string, Algorithm>>> steps_of;
  for (const auto& record : records) {
    if (record.suite != "train_step" || record.status != RunStatus::ok) continue;
    auto name = parse_case_id(record.id);
    if (!name) continue;
    name->algorithm.options.erase("steps");
    if (!name->algorithm.options.empty()) continue;
    const auto id = problem_id(name->problem);
    auto at = std::find_if(steps_of.begin(), steps_of.end(), [&](const auto& s) { return s.first == id; });
    if (at == steps_of.end()) at = steps_of.insert(steps_of.end(), {id, {}});
    at->second.emplace(name->algorithm.name, name->algorithm);
  }
  if (small && steps_of.size() > 1) steps_of.resize(1);
  std::vector<DivergenceRequest> all;
  for (const auto& [problem, arms] : steps_of) {
    const auto ask = [&](std::string question, const char* a, const char* b, int threads_a, int threads_b, const char* load) {
      const auto x = arms.find(a), y = arms.find(b);
      if (x == arms.end() || y == arms.end()) return;
      DivergenceRequest request;
      request.question = std::move(question);
      request.problem = *parse_problem_id(problem);
      request.a = x->second, request.b = y->second;
      request.configuration_a.threads = threads_a, request.configuration_b.threads = threads_b;
      request.load = load;
      request.steps = steps, request.limit_s = limit_s;
      request.inputs = {InputFill::rounding, seed};
      all.push_back(std::move(request));
    };
    if (backend == "cpu") {
      const int others = threads == 1 ? 2 : 1;
      const std::string counts = std::to_string(threads) + (threads == 1 ? " thread against " : " threads against ") + std::to_string(others);
      ask("fastest, " + counts, "fastest", "fastest", threads, others, "");
      ask("fastest_observed:partition, " + counts, "fastest_observed:partition", "fastest_observed:partition", threads, others, "");
      ask("fixed_order, " + counts, "fixed_order", "fixed_order", threads, others, "");
    } else {
      ask("library_heuristic, idle against loaded", "library_heuristic", "library_heuristic", 0, 0, "atomic_traffic");
      ask("framework_default_deterministic, idle against loaded", "framework_default_deterministic", "framework_default_deterministic", 0, 0, "atomic_traffic");
    }
    ask("fastest, idle against loaded", "fastest", "fastest", threads, threads, backend == "cpu" ? "spinners" : "atomic_traffic");
    ask("fastest against fixed_order", "fastest", "fixed_order", threads, threads, "");
  }
  return all;
}

}  // namespace detbench
