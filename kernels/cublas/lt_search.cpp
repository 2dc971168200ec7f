#include "kernels/cublas/lt_search.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "kernels/tensor/philox.hpp"

namespace detbench::cublas {
namespace {

using Split = std::pair<std::int32_t, ReductionScheme>;

/// No split with scheme none; more than one only with a scheme of the mask: the library refuses every other pairing.
std::vector<Split> splits_of(const LtCapabilities& can) {
  std::vector<Split> splits{{1, ReductionScheme::none}};
  if (!can.split_k) return splits;
  for (const auto parts : split_ladder)
    for (const auto scheme : split_schemes)
      if (parts > 1 && (can.scheme_mask & static_cast<std::uint32_t>(scheme)) != 0) splits.emplace_back(parts, scheme);
  return splits;
}

template <class T>
std::vector<T> or_undefined(const std::vector<T>& values) {
  return values.empty() ? std::vector<T>{0} : values;
}

/// A 0 ("the library's choice") beside what is listed.
std::vector<std::uint16_t> with_default(std::vector<std::uint16_t> values) {
  if (std::find(values.begin(), values.end(), 0) == values.end()) values.insert(values.begin(), 0);
  return values;
}

/// The knobs of one algorithm as lists of values.
struct Knobs {
  explicit Knobs(const LtCapabilities& can)
      : tiles(or_undefined(can.tiles)),
        stages(or_undefined(can.stages)),
        splits(splits_of(can)),
        inner_shapes(with_default(can.inner_shapes)),
        cluster_shapes(with_default(can.cluster_shapes)) {
    for (std::uint32_t s = 0; s <= std::min(can.most_swizzle, 1u); ++s) swizzles.push_back(s);
    for (std::uint32_t c = 0; c <= can.most_custom; ++c) customs.push_back(c);
  }
  std::vector<std::uint64_t> sizes() const {
    return {tiles.size(), stages.size(), splits.size(), swizzles.size(), customs.size(), inner_shapes.size(), cluster_shapes.size()};
  }
  LtConfiguration at(int id, const std::vector<std::uint64_t>& index) const {
    const auto& [parts, scheme] = splits[index[2]];
    return {id, tiles[index[0]], stages[index[1]], parts, scheme, swizzles[index[3]], customs[index[4]], inner_shapes[index[5]], cluster_shapes[index[6]]};
  }
  std::vector<std::uint32_t> tiles, stages;
  std::vector<Split> splits;
  std::vector<std::uint32_t> swizzles, customs;
  std::vector<std::uint16_t> inner_shapes, cluster_shapes;
};

class Search {
 public:
  Search(LtSource& source, const AlgorithmSearch& search) : source_(source), search_(search) {}

  Result<std::vector<LtCandidate>> run() {
    auto ids = source_.ids();
    if (!ids) return tl::unexpected(ids.error());
    std::sort(ids->begin(), ids->end());
    ids->erase(std::unique(ids->begin(), ids->end()), ids->end());
    std::vector<LtConfiguration> defaults, centres;
    // t0 comes first in finding, so that its candidates keep its name, and after t1 in the order of preference.
    std::vector<LtCandidate> plain;
    for (const int id : *ids) {
      auto candidate = plain_candidate(id);
      if (!candidate.unsupported) defaults.push_back(candidate.configuration);
      plain.push_back(std::move(candidate));
    }
    if (search_.has(Tier::t1) || search_.has(Tier::t2)) {
      // A heuristic that knows nothing for this product is no reason to leave the other tiers out.
      if (auto proposals = source_.heuristics(lt_proposals))
        for (const auto& proposal : *proposals) {
          centres.push_back(proposal.configuration);
          const bool is_plain = search_.has(Tier::t0) && proposal.bytes.empty() &&
                                std::find(defaults.begin(), defaults.end(), proposal.configuration) != defaults.end();
          if (search_.has(Tier::t1)) add(proposal.configuration, proposal.bytes, is_plain ? Tier::t0 : Tier::t1, proposal.verdict);
        }
    }
    if (search_.has(Tier::t0))
      for (auto& candidate : plain)
        if (remember(candidate.configuration, candidate.bytes)) found_.push_back(std::move(candidate));
    if (search_.has(Tier::t2))
      for (const auto& centre : centres.empty() ? defaults : centres) vary(centre);
    if (search_.has(Tier::t3))
      for (const int id : *ids) combine(id);
    return std::move(found_);
  }

 private:
  bool remember(const LtConfiguration& configuration, const std::string& bytes) {
    auto& seen = seen_[configuration];
    if (std::find(seen.begin(), seen.end(), bytes) != seen.end()) return false;
    seen.push_back(bytes);
    return true;
  }

  LtCandidate judged(const LtConfiguration& configuration, std::string bytes, Tier tier, const LtVerdict& verdict) const {
    LtCandidate candidate{configuration, std::move(bytes), tier, verdict.refused, verdict.workspace_bytes, verdict.waves};
    if (!verdict.refused && verdict.workspace_bytes > search_.workspace_cap_bytes)
      candidate.unsupported = Reason{"it wants " + std::to_string(verdict.workspace_bytes) + " bytes of workspace, the cap is " +
                                         std::to_string(search_.workspace_cap_bytes),
                                     Reason::Kind::unsupported};
    return candidate;
  }

  void add(const LtConfiguration& configuration, const std::string& bytes, Tier tier, const LtVerdict& verdict) {
    if (!verdict.refused && remember(configuration, bytes)) found_.push_back(judged(configuration, bytes, tier, verdict));
  }

  const Result<LtCapabilities>& capabilities(int id) {
    const auto at = known_.find(id);
    return at != known_.end() ? at->second : known_.emplace(id, source_.capabilities(id)).first->second;
  }

  LtCandidate plain_candidate(int id) {
    LtConfiguration configuration;
    configuration.id = id;
    const auto first = source_.check(configuration);
    if (!first.refused) return judged(configuration, {}, Tier::t0, first);
    const auto& can = capabilities(id);
    if (!can) return judged(configuration, {}, Tier::t0, {can.error()});
    // Many algorithms refuse UNDEFINED tiles and stages.
    std::size_t tried = 1;
    for (const auto tile : or_undefined(can->tiles))
      for (const auto stages : or_undefined(can->stages)) {
        auto with = configuration;
        with.tile = tile, with.stages = stages;
        if (const auto verdict = source_.check(with); !verdict.refused) return judged(with, {}, Tier::t0, verdict);
        ++tried;
      }
    return judged(configuration, {}, Tier::t0,
                  {Reason{"none of its " + std::to_string(tried) + " tiles and stages is accepted for this product: " + first.refused->text,
                          Reason::Kind::unsupported}});
  }

  void vary(const LtConfiguration& centre) {
    const auto& can = capabilities(centre.id);
    if (!can) return;
    const Knobs knobs(*can);
    const auto attempt = [&](auto change) {
      auto configuration = centre;
      change(configuration);
      if (configuration != centre && !knows(configuration)) add(configuration, {}, Tier::t2, source_.check(configuration));
    };
    for (const auto tile : knobs.tiles) attempt([&](auto& c) { c.tile = tile; });
    for (const auto stages : knobs.stages) attempt([&](auto& c) { c.stages = stages; });
    for (const auto& [parts, scheme] : knobs.splits) attempt([&](auto& c) { c.split_k = parts, c.scheme = scheme; });
    for (const auto swizzle : knobs.swizzles) attempt([&](auto& c) { c.swizzle = swizzle; });
    for (const auto custom : knobs.customs) attempt([&](auto& c) { c.custom = custom; });
    for (const auto shape : knobs.inner_shapes) attempt([&](auto& c) { c.inner_shape = shape; });
    for (const auto shape : knobs.cluster_shapes) attempt([&](auto& c) { c.cluster_shape = shape; });
  }

  bool knows(const LtConfiguration& configuration) const {
    const auto at = seen_.find(configuration);
    return at != seen_.end() && std::find(at->second.begin(), at->second.end(), std::string()) != at->second.end();
  }

  void combine(int id) {
    const auto& can = capabilities(id);
    if (!can) return;
    const auto total = count_combinations(*can);
    if (total <= search_.exhaustive_limit) {
      for (std::uint64_t i = 0; i < total; ++i) {
        const auto configuration = combination(id, *can, i);
        if (!knows(configuration)) add(configuration, {}, Tier::t3, source_.check(configuration));
      }
      return;
    }
    // Every value of every knob is equally likely, but inner and cluster shapes stay the library's choice in half of the
    // draws each: most algorithms refuse most of those, and nothing else would be found.
    const Knobs knobs(*can);
    const auto sizes = knobs.sizes();
    const auto key = stream_key(search_.seed, "cublaslt/algo" + std::to_string(id));
    std::uint32_t accepted = 0;
    for (std::uint64_t draw = 0; accepted < search_.sample && draw < search_.exhaustive_limit; ++draw) {
      std::vector<std::uint64_t> index;
      for (std::size_t knob = 0; knob < sizes.size(); ++knob) {
        const auto words = philox4x32(draw, static_cast<std::uint32_t>(knob), 0, key);
        const std::uint64_t value = (std::uint64_t{words.w[0]} * sizes[knob]) >> 32;
        index.push_back(knob >= 5 && (words.w[1] & 1) != 0 ? 0 : value);
      }
      const auto configuration = knobs.at(id, index);
      if (knows(configuration)) continue;
      const auto before = found_.size();
      add(configuration, {}, Tier::t3, source_.check(configuration));
      accepted += static_cast<std::uint32_t>(found_.size() - before);
    }
  }

  LtSource& source_;
  const AlgorithmSearch& search_;
  std::vector<LtCandidate> found_;
  std::map<LtConfiguration, std::vector<std::string>> seen_;
  std::map<int, Result<LtCapabilities>> known_;
};

}  // namespace

Result<std::vector<LtCandidate>> find_candidates(LtSource& source, const AlgorithmSearch& search) { return Search(source, search).run(); }

std::uint64_t count_combinations(const LtCapabilities& can) {
  constexpr std::uint64_t most = std::uint64_t{1} << 62;
  std::uint64_t total = 1;
  for (const auto size : Knobs(can).sizes()) {
    if (total > most / size) return most;
    total *= size;
  }
  return total;
}

LtConfiguration combination(int id, const LtCapabilities& can, std::uint64_t index) {
  const Knobs knobs(can);
  std::vector<std::uint64_t> digits;
  for (const auto size : knobs.sizes()) digits.push_back(index % size), index /= size;
  return knobs.at(id, digits);
}

}  // namespace detbench::cublas
