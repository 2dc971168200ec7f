#include "bench/core/verify.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>

namespace detbench {
namespace {

/// Rounds under every poison before reading is said. An op that flips between two results by itself keeps to one per
/// poison, yet not to the same one, with probability below 3 * 2^-15 under three poisons.
constexpr int confirming_rounds = 6;

using Bytes = std::vector<std::vector<std::byte>>;  ///< canonical bytes per output

/// Digests of plain runs under one poison after another.
Result<Digest> poisoned_run(PreparedOp& op, Poison poison, std::uint64_t seed) {
  if (auto done = op.poison(poison, seed); !done) return tl::unexpected(done.error());
  return op.run();
}

struct Unwritten {
  std::string output;
  std::uint64_t first = 0, count = 0, elements = 0;
};

/// Elements that hold exactly what the poison put there, after every poison. An element that is written keeps at most
/// one of the three by accident.
Result<std::optional<Unwritten>> find_unwritten(PreparedOp& op, const std::vector<Poison>& poisons, std::uint64_t seed) {
  std::vector<std::vector<bool>> untouched;
  for (const auto poison : poisons) {
    if (auto done = op.poison(poison, seed); !done) return tl::unexpected(done.error());
    if (auto done = op.wait(); !done) return tl::unexpected(done.error());
    auto before = op.snapshot();
    if (!before) return tl::unexpected(before.error());
    if (auto ran = op.run(); !ran) return tl::unexpected(ran.error());
    auto after = op.snapshot();
    if (!after) return tl::unexpected(after.error());
    untouched.resize(after->size());
    for (std::size_t o = 0; o < after->size(); ++o) {
      const auto size = size_of(op.outputs()[o].spec.type);
      const auto elements = (*after)[o].size() / size;
      if (untouched[o].empty()) untouched[o].assign(elements, true);
      for (std::size_t i = 0; i < elements; ++i)
        if (std::memcmp((*before)[o].data() + i * size, (*after)[o].data() + i * size, size) != 0) untouched[o][i] = false;
    }
  }
  for (std::size_t o = 0; o < untouched.size(); ++o) {
    const auto first = std::find(untouched[o].begin(), untouched[o].end(), true);
    if (first == untouched[o].end()) continue;
    return Unwritten{op.outputs()[o].spec.role, static_cast<std::uint64_t>(first - untouched[o].begin()),
                     static_cast<std::uint64_t>(std::count(first, untouched[o].end(), true)), untouched[o].size()};
  }
  return std::nullopt;
}

/// True when the bits are the same in all rounds under one poison and not the same under all poisons.
Result<bool> depends_on_poison(PreparedOp& op, const std::vector<Poison>& poisons, std::uint64_t seed) {
  std::map<Poison, Digest> of;
  for (int round = 0; round < confirming_rounds; ++round)
    for (const auto poison : poisons) {
      auto digest = poisoned_run(op, poison, seed);
      if (!digest) return tl::unexpected(digest.error());
      const auto [known, fresh] = of.emplace(poison, *digest);
      if (!fresh && known->second != *digest) return false;
    }
  return std::any_of(of.begin(), of.end(), [&](const auto& entry) { return entry.second != of.begin()->second; });
}

std::string describe(const Unwritten& unwritten) {
  return "output " + unwritten.output + ": " + std::to_string(unwritten.count) + " of " +
         std::to_string(unwritten.elements) + " elements never written, the first is element " +
         std::to_string(unwritten.first);
}

}  // namespace

Result<VerifyOutcome> verify(PreparedOp& op, const TensorStore& store, const Algorithm& algorithm,
                             const Reference* reference, const VerifySettings& settings) {
  VerifyOutcome outcome;
  // On a GPU the very first run loads kernels, which takes many times as long as running them: by it every arm whose
  // kernels no arm before had loaded would pass for slow.
  if (op.device().kind() == DeviceKind::cuda) {
    if (auto done = op.reset(); !done) return tl::unexpected(done.error());
    if (auto done = op.enqueue(); !done) return tl::unexpected(done.error());
    if (auto done = op.wait(); !done) return tl::unexpected(done.error());
  }
  auto poisons = settings.poisons;
  std::vector<Digest> checked;  // digests that the reference accepted: equal bits need no second check
  bool differ = false, failed = false;
  for (std::size_t i = 0; i < poisons.size(); ++i) {
    if (auto done = op.poison(poisons[i], settings.seed); !done) return tl::unexpected(done.error());
    if (auto done = op.wait(); !done) return tl::unexpected(done.error());
    const auto start = std::chrono::steady_clock::now();
    if (auto done = op.reset(); !done) return tl::unexpected(done.error());
    if (auto done = op.enqueue(); !done) return tl::unexpected(done.error());
    if (auto done = op.wait(); !done) return tl::unexpected(done.error());
    if (i == 0) {
      outcome.first_run_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      if (outcome.first_run_s > settings.slow_limit_s && poisons.size() > 2) poisons = {poisons.front(), poisons.back()};
    }
    // A write outside an output may have hit anything, so it is looked for before anything else is believed.
    if (auto damage = store.damaged_guard()) {
      outcome.incorrect = "writes outside its memory: " + *damage;
      return outcome;
    }
    auto digest = op.digest();
    if (!digest) return tl::unexpected(digest.error());
    if (std::find(checked.begin(), checked.end(), *digest) != checked.end()) continue;
    differ = differ || !checked.empty();
    checked.push_back(*digest);
    if (!reference || failed) continue;
    auto outputs = op.host_outputs();
    if (!outputs) return tl::unexpected(outputs.error());
    auto verification = reference->check(algorithm, *outputs);
    if (!verification) return tl::unexpected(verification.error());
    outcome.verification = *verification;
    failed = !verification->passed;
  }
  if (!differ && !failed) return outcome;

  // Something is wrong, or the op varies by itself. The most telling finding first: an unwritten element also fails the
  // check, and so does whatever was read out of the poison.
  if (poisons.size() > 1) {
    auto unwritten = find_unwritten(op, poisons, settings.seed);
    if (!unwritten) return tl::unexpected(unwritten.error());
    if (*unwritten) {
      outcome.incorrect = describe(**unwritten);
      return outcome;
    }
  }
  if (differ) {
    auto reads = depends_on_poison(op, poisons, settings.seed);
    if (!reads) return tl::unexpected(reads.error());
    if (*reads) {
      outcome.incorrect = "reads memory it did not write: its bits depend on what outputs and workspace held before";
      return outcome;
    }
    outcome.varies = true;
  }
  if (failed) outcome.incorrect = outcome.verification->reason;
  return outcome;
}

}  // namespace detbench
