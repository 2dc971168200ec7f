#include "tests/emulated_gpu/register_slots.hpp"

#include <algorithm>
#include <queue>
#include <utility>

namespace detbench::emulated {
namespace {

using Bits = std::vector<std::uint64_t>;

void set(Bits& bits, std::uint32_t i) { bits[i / 64] |= std::uint64_t{1} << (i % 64); }
bool test(const Bits& bits, std::uint32_t i) { return (bits[i / 64] >> (i % 64) & 1) != 0; }

/// Instructions [first, last) that run one after another.
struct Section {
  std::uint32_t first = 0, last = 0;
  std::vector<std::uint32_t> next;  ///< sections
  Bits used, defined;               ///< read before it is written here; written here whatever happens
  Bits live_in;
};

bool jumps(const Instruction& in) { return in.control == Control::branch || in.control == Control::branch_table; }

std::vector<Section> sections_of(const Code& code) {
  const auto count = static_cast<std::uint32_t>(code.instructions.size());
  std::vector<bool> starts(count + 1, false);
  starts[0] = starts[count] = true;
  for (std::uint32_t i = 0; i < count; ++i) {
    const Instruction& in = code.instructions[i];
    if (in.control == Control::branch) starts[in.target] = true;
    if (in.control == Control::branch_table) {
      for (const std::uint32_t target : code.branch_tables[static_cast<std::size_t>(in.immediate)]) starts[target] = true;
    }
    if (jumps(in) || in.control == Control::leave) starts[i + 1] = true;
  }
  std::vector<Section> sections;
  std::vector<std::uint32_t> section_at(count + 1, 0);
  for (std::uint32_t i = 0; i < count; ++i) {
    if (starts[i]) {
      sections.emplace_back();
      sections.back().first = i;
    }
    sections.back().last = i + 1;
    section_at[i] = static_cast<std::uint32_t>(sections.size() - 1);
  }
  for (Section& section : sections) {
    const Instruction& in = code.instructions[section.last - 1];
    const bool always = in.operand[Instruction::guard] == 0;
    if (in.control == Control::branch) section.next.push_back(section_at[in.target]);
    if (in.control == Control::branch_table) {
      for (const std::uint32_t target : code.branch_tables[static_cast<std::size_t>(in.immediate)]) section.next.push_back(section_at[target]);
    }
    const bool ends = (jumps(in) || in.control == Control::leave) && always;
    if (!ends && section.last < count) section.next.push_back(section_at[section.last]);
  }
  return sections;
}

/// Which registers are live where each section begins, by going through the sections until nothing changes.
void find_live(const Code& code, std::vector<Section>& sections, const std::vector<SlotUse>& uses, std::size_t registers) {
  std::size_t next_use = 0;
  for (Section& section : sections) {
    section.used.assign((registers + 63) / 64, 0);
    section.defined = section.used;
    for (std::uint32_t i = section.first; i < section.last; ++i) {
      const std::size_t begin = next_use;
      while (next_use < uses.size() && uses[next_use].instruction == i) ++next_use;
      for (std::size_t u = begin; u < next_use; ++u) {
        if (!uses[u].writes && !test(section.defined, uses[u].number)) set(section.used, uses[u].number);
      }
      // A guarded write may leave the register as it was.
      const bool always = code.instructions[i].operand[Instruction::guard] == 0;
      for (std::size_t u = begin; u < next_use; ++u) {
        if (uses[u].writes && always) set(section.defined, uses[u].number);
      }
    }
    section.live_in = section.used;
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t s = sections.size(); s-- > 0;) {
      Section& section = sections[s];
      for (std::size_t word = 0; word < section.live_in.size(); ++word) {
        std::uint64_t out = 0;
        for (const std::uint32_t next : section.next) out |= sections[next].live_in[word];
        const std::uint64_t in = section.used[word] | (out & ~section.defined[word]);
        if (in != section.live_in[word]) {
          section.live_in[word] = in;
          changed = true;
        }
      }
    }
  }
}

struct Life {
  std::uint32_t first = UINT32_MAX, last = 0;
  void cover(std::uint32_t i) {
    first = std::min(first, i);
    last = std::max(last, i);
  }
};

}  // namespace

SlotCounts place_registers(Code& code, const std::vector<SlotKind>& kinds, const std::vector<SlotUse>& uses) {
  std::vector<Section> sections = sections_of(code);
  find_live(code, sections, uses, kinds.size());
  std::vector<Life> lives(kinds.size());
  for (const SlotUse& use : uses) lives[use.number].cover(use.instruction);
  for (const Section& section : sections) {
    for (std::size_t word = 0; word < section.live_in.size(); ++word) {
      std::uint64_t out = 0;
      for (const std::uint32_t next : section.next) out |= sections[next].live_in[word];
      for (std::uint64_t in = section.live_in[word]; in != 0; in &= in - 1) {
        lives[word * 64 + static_cast<std::size_t>(std::countr_zero(in))].cover(section.first);
      }
      for (; out != 0; out &= out - 1) lives[word * 64 + static_cast<std::size_t>(std::countr_zero(out))].cover(section.last - 1);
    }
  }
  std::vector<std::uint32_t> order;
  for (std::uint32_t r = 0; r < lives.size(); ++r) {
    if (lives[r].first != UINT32_MAX) order.push_back(r);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return lives[a].first < lives[b].first; });
  std::vector<std::uint32_t> place(kinds.size(), 0);
  std::uint32_t counts[3] = {0, 0, 1};  // predicate 0 is always true
  using Free = std::priority_queue<std::uint32_t, std::vector<std::uint32_t>, std::greater<>>;
  using Ending = std::priority_queue<std::pair<std::uint32_t, std::uint32_t>, std::vector<std::pair<std::uint32_t, std::uint32_t>>, std::greater<>>;
  Free free[3];
  Ending ending[3];  // (last instruction, place)
  for (const std::uint32_t r : order) {
    const auto kind = static_cast<std::size_t>(kinds[r]);
    // What is read by an instruction keeps its place in it, so that a handler may write results before it has read everything.
    while (!ending[kind].empty() && ending[kind].top().first < lives[r].first) {
      free[kind].push(ending[kind].top().second);
      ending[kind].pop();
    }
    if (free[kind].empty()) free[kind].push(counts[kind]++);
    place[r] = free[kind].top();
    free[kind].pop();
    ending[kind].emplace(lives[r].last, place[r]);
  }
  const std::uint32_t wide_start = counts[0] * static_cast<std::uint32_t>(slot_bytes);
  for (const SlotUse& use : uses) {
    std::uint32_t& operand = code.instructions[use.instruction].operand[use.field];
    switch (kinds[use.number]) {
      case SlotKind::narrow: operand = place[use.number] * static_cast<std::uint32_t>(slot_bytes); break;
      case SlotKind::wide: operand = wide_start + place[use.number] * static_cast<std::uint32_t>(wide_slot_bytes); break;
      case SlotKind::predicate: operand = place[use.number] * 2 + (operand & 1); break;
    }
  }
  code.register_bytes = wide_start + counts[1] * wide_slot_bytes;
  code.predicates = counts[2];
  return {.narrow = counts[0], .wide = counts[1], .predicates = counts[2]};
}

}  // namespace detbench::emulated
