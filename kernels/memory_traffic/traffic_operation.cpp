#include <algorithm>
#include <cstring>
#include <new>

#include "kernels/memory_traffic/memory_traffic.hpp"
#include "kernels/memory_traffic/traffic_kernels.hpp"

namespace detbench {
namespace {

using namespace memory_traffic;

constexpr std::int64_t smallest_bytes = 16, largest_bytes = std::int64_t{1} << 40;

enum class Traffic { read, write, copy };

std::optional<Traffic> traffic_of(std::string_view op) {
  if (op == "memory_read") return Traffic::read;
  if (op == "memory_write") return Traffic::write;
  if (op == "memory_copy") return Traffic::copy;
  return std::nullopt;
}
const char* types_of(Traffic traffic) { return traffic == Traffic::read ? "f32_i64_strict" : "f32_f32_strict"; }

TensorSpec vector(std::string role, DataType type, std::int64_t elements) {
  return {std::move(role), type, {elements}, canonical_layout({elements})};
}

struct Tensors {
  std::vector<TensorSpec> inputs, outputs;
};
Tensors tensors_of(Traffic traffic, const MemoryTrafficProblem& problem) {
  Tensors tensors;
  if (traffic != Traffic::write) tensors.inputs.push_back(vector("src", DataType::f32, problem.floats()));
  tensors.outputs.push_back(traffic == Traffic::read ? vector("sum", DataType::i64, 1) : vector("dst", DataType::f32, problem.floats()));
  return tensors;
}

/// Any bits do, so the floats that are drawn fastest: what is moved does not depend on the fill that was asked for.
FillSpec source_fill(const Inputs& inputs) {
  FillSpec fill;
  fill.kind = FillSpec::Kind::uniform;
  fill.seed = inputs.seed;
  fill.stream = "memory_traffic/src";
  return fill;
}

/// Bytes moved or words added are right or wrong; there is no error to bound.
class TrafficReference final : public Reference {
 public:
  TrafficReference(Traffic traffic, MemoryTrafficProblem problem, std::vector<float> source)
      : traffic_(traffic), problem_(problem), source_(std::move(source)) {
    // Word by word in one thread: no code in common with what is verified.
    if (traffic_ == Traffic::read)
      for (std::size_t i = 0; i + 1 < source_.size(); i += 2) {
        std::uint64_t word;
        std::memcpy(&word, &source_[i], sizeof word);
        sum_ += word;
      }
    if (traffic_ == Traffic::read) source_ = {};
  }

  Result<Verification> check(const Algorithm&, std::span<const Tensor> outputs) const override {
    const auto expected = tensors_of(traffic_, problem_).outputs;
    if (auto same = matches_specs(outputs, expected, "outputs"); !same) return tl::unexpected(same.error());
    Verification found;
    found.checked = found.outputs = static_cast<std::uint64_t>(element_count(expected[0].shape));
    if (traffic_ == Traffic::read) {
      std::uint64_t sum;
      std::memcpy(&sum, outputs[0].region.data, sizeof sum);
      if (sum != sum_) found.reason = "sum[0] is " + std::to_string(sum) + ", should be " + std::to_string(sum_) + " mod 2^64";
    } else if (const auto wrong = first_wrong_byte(static_cast<const unsigned char*>(outputs[0].region.data)); wrong >= 0) {
      found.reason = "byte " + std::to_string(wrong) + " of dst is wrong";
    }
    found.passed = found.reason.empty();
    return found;
  }

 private:
  /// Block by block, because a GPU waits while a gigabyte is looked at byte by byte.
  std::int64_t first_wrong_byte(const unsigned char* bytes) const {
    constexpr std::int64_t block = 65536;
    const std::vector<unsigned char> written(traffic_ == Traffic::copy ? 0 : block, written_byte);
    const auto* source = reinterpret_cast<const unsigned char*>(source_.data());
    for (std::int64_t first = 0; first < problem_.bytes; first += block) {
      const auto size = std::min(block, problem_.bytes - first);
      const auto* expected = traffic_ == Traffic::copy ? source + first : written.data();
      if (std::memcmp(bytes + first, expected, static_cast<std::size_t>(size)) == 0) continue;
      for (std::int64_t i = 0; i < size; ++i)
        if (bytes[first + i] != expected[i]) return first + i;
    }
    return -1;
  }

  Traffic traffic_;
  MemoryTrafficProblem problem_;
  std::vector<float> source_;
  std::uint64_t sum_ = 0;
};

/// One algorithm: what runs on a CPU, and what is enqueued on CUDA; an empty one does not exist there.
struct Arm {
  std::string provider, name;
  std::function<void(const Tensor& target, const Tensor* source, std::int64_t bytes)> on_cpu;
  std::function<Status(const Tensor& target, const Tensor* source, std::int64_t bytes, void* stream)> on_cuda;
  Status (*possible)() = nullptr;  ///< on a CPU
};

SimpleAlgorithm algorithm_for(const Arm& arm, Traffic traffic) {
  // Ours give the same bits on both kinds of device, and `detbench verify` may hold one against the other. The
  // libraries' are vendors' functions, about whose bits no vendor says anything.
  const auto claim = arm.provider == "memory_traffic" ? claim_by_construction() : Claim{};
  const auto make = [arm, traffic](const Problem& problem, Device& device) -> Result<SimplePlanParts> {
    const auto parsed = parse_memory_traffic(problem);
    if (!parsed) return tl::unexpected(parsed.error());
    const bool cpu = device.kind() == DeviceKind::cpu;
    if (cpu ? !arm.on_cpu : !arm.on_cuda)
      return unsupported(arm.provider + ":" + arm.name + " exists for " + (cpu ? "CUDA devices" : "the CPU") + " only");
    if (const auto possible = cpu ? (arm.possible ? arm.possible() : Status{}) : cuda_present(); !possible)
      return tl::unexpected(possible.error());
    const auto tensors = tensors_of(traffic, *parsed);
    SimplePlanParts parts;
    parts.inputs = tensors.inputs;
    parts.outputs = tensors.outputs;
    const auto bytes = parsed->bytes;
    if (cpu)
      parts.run = [arm, bytes](std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region) {
        arm.on_cpu(outputs[0], inputs.empty() ? nullptr : &inputs[0], bytes);
      };
    else
      parts.launch = [arm, bytes](std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region, void* stream) {
        return arm.on_cuda(outputs[0], inputs.empty() ? nullptr : &inputs[0], bytes, stream);
      };
    return parts;
  };
  return {arm.name, claim, true, make};
}

std::vector<Arm> read_arms() {
  const auto reading = [](ReadOrder order) {
    return [order](const Tensor& target, const Tensor* source, std::int64_t bytes) {
      const auto sum = word_sum(source->region.data, bytes, order);
      std::memcpy(target.region.data, &sum, sizeof sum);
    };
  };
  return {{"memory_traffic", "word_sum", reading(ReadOrder::one_stream),
           [](const Tensor& target, const Tensor* source, std::int64_t bytes, void* stream) {
             return cuda_word_sum(source->region.data, bytes, target.region.data, stream);
           }},
          {"memory_traffic", "word_sum_four_streams", reading(ReadOrder::four_streams), {}}};
}

std::vector<Arm> write_arms() {
  const auto writing = [](void (*write)(void*, std::int64_t)) {
    return [write](const Tensor& target, const Tensor*, std::int64_t bytes) { write(target.region.data, bytes); };
  };
  const auto enqueueing = [](Status (*write)(void*, std::int64_t, void*)) {
    return [write](const Tensor& target, const Tensor*, std::int64_t bytes, void* stream) { return write(target.region.data, bytes, stream); };
  };
  return {{"memory_traffic", "fill_words", writing(fill_words), enqueueing(cuda_fill_words)},
          {"memory_traffic", "fill_words_streaming", writing(fill_words_streaming), {}, has_streaming_stores},
          {"libc", "memset", writing(libc_memset), {}},
          {"cuda_runtime", "memset_async", {}, enqueueing(cuda_runtime_memset)}};
}

std::vector<Arm> copy_arms() {
  const auto copying = [](void (*copy)(void*, const void*, std::int64_t)) {
    return [copy](const Tensor& target, const Tensor* source, std::int64_t bytes) { copy(target.region.data, source->region.data, bytes); };
  };
  const auto enqueueing = [](Status (*copy)(void*, const void*, std::int64_t, void*)) {
    return [copy](const Tensor& target, const Tensor* source, std::int64_t bytes, void* stream) {
      return copy(target.region.data, source->region.data, bytes, stream);
    };
  };
  return {{"memory_traffic", "copy_words", copying(copy_words), enqueueing(cuda_copy_words)},
          {"memory_traffic", "copy_words_streaming", copying(copy_words_streaming), {}, has_streaming_stores},
          {"libc", "memcpy", copying(libc_memcpy), {}},
          {"cuda_runtime", "memcpy_async", {}, enqueueing(cuda_runtime_memcpy)}};
}

class TrafficOperation final : public Operation {
 public:
  TrafficOperation(std::string op, Traffic traffic, const std::vector<Arm>& arms) : op_(std::move(op)), traffic_(traffic) {
    for (const auto& [provider, kind] : {std::pair<const char*, std::optional<DeviceKind>>{"memory_traffic", std::nullopt},
                                         {"libc", DeviceKind::cpu},
                                         {"cuda_runtime", DeviceKind::cuda}}) {
      std::vector<SimpleAlgorithm> algorithms;
      for (const auto& arm : arms)
        if (arm.provider == provider) algorithms.push_back(algorithm_for(arm, traffic_));
      if (!algorithms.empty()) providers_.push_back(std::make_unique<SimpleProvider>(provider, kind, std::move(algorithms)));
    }
  }
  std::string_view op() const override { return op_; }
  Status check(const Problem& problem) const override {
    if (problem.op != op_) return invalid_input("'" + problem.op.substr(0, 60) + "' is not '" + op_ + "'");
    if (const auto parsed = parse_memory_traffic(problem); !parsed) return tl::unexpected(parsed.error());
    return {};
  }
  Cost cost(const Problem& problem) const override {
    const auto parsed = parse_memory_traffic(problem);
    return parsed ? Cost{0, static_cast<double>(parsed->bytes) * (traffic_ == Traffic::copy ? 2 : 1)} : Cost{};
  }
  const std::vector<std::unique_ptr<Provider>>& providers() const override { return providers_; }
  Result<FillSpec> fill(const Problem&, const TensorSpec& input, const Inputs& inputs) const override {
    if (input.role != "src") return invalid_input(op_ + " has no input '" + input.role + "'");
    return source_fill(inputs);
  }
  Result<std::unique_ptr<Reference>> reference(const Problem& problem, const Inputs& inputs) const override {
    const auto parsed = parse_memory_traffic(problem);
    if (!parsed) return tl::unexpected(parsed.error());
    std::vector<float> source;
    if (traffic_ != Traffic::write) {
      try {
        source.resize(static_cast<std::size_t>(parsed->floats()));
      } catch (const std::bad_alloc&) {
        return failure("the reference needs " + std::to_string(parsed->bytes) + " bytes of host memory", Reason::Kind::out_of_memory);
      }
      const Tensor tensor{vector("src", DataType::f32, parsed->floats()), {source.data(), static_cast<std::size_t>(parsed->bytes)}};
      if (auto filled = fill_on_host(tensor, source_fill(inputs)); !filled) return tl::unexpected(filled.error());
    }
    return std::make_unique<TrafficReference>(traffic_, *parsed, std::move(source));
  }
  /// Every fill moves the same bytes and is verified exactly.
  bool has_exact_fill() const override { return false; }

 private:
  std::string op_;
  Traffic traffic_;
  std::vector<std::unique_ptr<Provider>> providers_;
};

}  // namespace

Result<MemoryTrafficProblem> parse_memory_traffic(const Problem& problem) {
  const auto traffic = traffic_of(problem.op);
  if (!traffic) return invalid_input("'" + problem.op.substr(0, 60) + "' is none of memory_read, memory_write, memory_copy");
  if (problem.types != types_of(*traffic))
    return invalid_input("types of " + problem.op + " are " + types_of(*traffic) + ", not '" + problem.types.substr(0, 60) + "'");
  if (problem.layout != "vector") return invalid_input("layout of " + problem.op + " is vector, not '" + problem.layout.substr(0, 60) + "'");
  const auto fields = read_shape(problem.shape, {{"n", smallest_bytes, largest_bytes}});
  if (!fields) return tl::unexpected(fields.error());
  if (fields->front() % 16 != 0)
    return invalid_input("a buffer of " + std::to_string(fields->front()) + " bytes is not a multiple of 16: try n" +
                         std::to_string((fields->front() + 15) / 16 * 16));
  return MemoryTrafficProblem{fields->front()};
}

Problem memory_traffic_problem(std::string_view op, std::int64_t bytes) {
  const auto traffic = traffic_of(op);
  return {std::string(op), "n" + std::to_string((bytes + 15) / 16 * 16), types_of(traffic.value_or(Traffic::read)), "vector"};
}

std::vector<std::unique_ptr<Operation>> make_memory_traffic_operations() {
  std::vector<std::unique_ptr<Operation>> all;
  all.push_back(std::make_unique<TrafficOperation>("memory_read", Traffic::read, read_arms()));
  all.push_back(std::make_unique<TrafficOperation>("memory_write", Traffic::write, write_arms()));
  all.push_back(std::make_unique<TrafficOperation>("memory_copy", Traffic::copy, copy_arms()));
  return all;
}

}  // namespace detbench
