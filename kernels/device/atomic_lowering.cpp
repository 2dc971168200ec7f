#include "kernels/device/atomic_lowering.hpp"

#include <algorithm>
#include <cstdlib>
#include <set>

namespace detbench {
namespace {

constexpr std::string_view probe_prefix = "detbench_atomic_add_";

std::optional<AtomicType> probed_type(std::string_view function) {
  if (function.substr(0, probe_prefix.size()) != probe_prefix) return std::nullopt;
  function.remove_prefix(probe_prefix.size());
  for (const auto type : all_atomic_types)
    if (function == to_text(type)) return type;
  return std::nullopt;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r{");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r;}") - first + 1);
}

template <class F>
void each_line(std::string_view text, const F& f) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    f(trimmed(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }
bool begins(std::string_view text, std::string_view part) { return text.substr(0, part.size()) == part; }
std::string_view first_word(std::string_view text) { return text.substr(0, text.find_first_of(" \t")); }

/// One probe function while it is read. A loop is a branch back to, or before, the compare-and-swap.
struct Probe {
  std::optional<AtomicType> type;
  std::string native, swap;
  bool loops = false;

  AtomicLowering result(std::string target, std::string source) const {
    AtomicLowering found{*type, std::move(target), Lowering::unknown, std::move(source), {}};
    if (!swap.empty() && loops) {
      found.lowering = Lowering::cas_loop;
      found.instruction = swap;
    } else if (swap.empty() && !native.empty()) {
      found.lowering = Lowering::native;
      found.instruction = native;
    } else {
      found.instruction = swap.empty() ? native : swap;
    }
    return found;
  }
};

}  // namespace

std::string_view to_text(AtomicType type) {
  constexpr std::string_view names[] = {"f32", "f64", "f16", "f16x2", "bf16", "bf16x2", "i32", "u32", "u64"};
  return names[static_cast<int>(type)];
}

std::string_view to_text(Lowering lowering) {
  constexpr std::string_view names[] = {"native", "compare-and-swap loop", "unknown"};
  return names[static_cast<int>(lowering)];
}

std::vector<AtomicLowering> read_ptx(std::string_view ptx) {
  std::vector<AtomicLowering> all;
  std::string target;
  Probe probe;
  std::set<std::string, std::less<>> labels;  // those passed before the compare-and-swap
  const auto finish = [&] {
    if (probe.type) {
      auto found = probe.result(target, "ptx");
      if (found.lowering == Lowering::native && (found.type == AtomicType::f16 || found.type == AtomicType::bf16)) found.lowering = Lowering::unknown;
      all.push_back(std::move(found));
    }
    probe = {};
    labels.clear();
  };
  each_line(ptx, [&](std::string_view line) {
    if (begins(line, ".target")) {
      target = std::string(trimmed(line.substr(7)));
      target = target.substr(0, target.find(','));
    } else if (const auto entry = line.find(".entry "); entry != std::string_view::npos) {
      finish();
      auto name = trimmed(line.substr(entry + 7));
      probe.type = probed_type(name.substr(0, name.find('(')));
    } else if (!line.empty() && line.back() == ':') {
      if (probe.swap.empty()) labels.emplace(line.substr(0, line.size() - 1));
    } else if (begins(line, "atom.") || begins(line, "red.")) {
      const auto instruction = first_word(line);
      (contains(instruction, ".cas") ? probe.swap : probe.native) = std::string(instruction);
    } else if (const auto branch = line.find("bra"); branch != std::string_view::npos && !probe.swap.empty()) {
      const auto to = line.find_last_of(" \t");
      if (to != std::string_view::npos && labels.contains(line.substr(to + 1))) probe.loops = true;
    }
  });
  finish();
  return all;
}

std::vector<AtomicLowering> read_sass(std::string_view sass) {
  std::vector<AtomicLowering> all;
  std::string target;
  Probe probe;
  unsigned long swapped_at = 0;
  const auto finish = [&] {
    if (probe.type) {
      // A generic addition is a native one to global memory and a loop to shared memory, side by side.
      if (!probe.native.empty()) probe.swap.clear();
      all.push_back(probe.result(target, "sass"));
    }
    probe = {};
    swapped_at = 0;
  };
  each_line(sass, [&](std::string_view line) {
    if (begins(line, "code for ")) {
      finish();
      target = std::string(line.substr(9));
    } else if (begins(line, "Function : ")) {
      finish();
      probe.type = probed_type(line.substr(11));
    } else if (begins(line, "/*") && contains(line, "*/") && line.size() > 4 && line[2] != ' ') {
      const auto end = line.find("*/");
      const auto address = std::strtoul(std::string(line.substr(2, end - 2)).c_str(), nullptr, 16);
      auto rest = trimmed(line.substr(end + 2));
      if (begins(rest, "@")) rest = trimmed(rest.substr(std::min(rest.find(' '), rest.size())));
      const auto opcode = first_word(rest);
      if (begins(opcode, "ATOMS")) return;  // shared memory
      if (begins(opcode, "RED") || (begins(opcode, "ATOM") && contains(opcode, ".ADD"))) {
        probe.native = std::string(opcode);
      } else if (begins(opcode, "ATOM") && contains(opcode, ".CAS")) {
        probe.swap = std::string(opcode);
        swapped_at = address;
      } else if (begins(opcode, "BRA") && !probe.swap.empty()) {
        const auto to = rest.find("0x");
        if (to != std::string_view::npos && std::strtoul(std::string(rest.substr(to)).c_str(), nullptr, 16) <= swapped_at) probe.loops = true;
      }
    }
  });
  finish();
  return all;
}

std::vector<AtomicLowering> read_host_assembly(std::string_view assembly) {
  std::vector<AtomicLowering> all;
  Probe probe;
  std::set<std::string, std::less<>> labels;
  const std::string target = contains(assembly, "%rdi") || contains(assembly, "%rsp") ? "x86-64" : contains(assembly, "x0") ? "aarch64" : "host";
  const auto finish = [&] {
    if (probe.type) all.push_back(probe.result(target, "object"));
    probe = {};
    labels.clear();
  };
  each_line(assembly, [&](std::string_view line) {
    line = trimmed(line.substr(0, line.find("//")));
    if (!line.empty() && line.back() == ':') {
      const auto label = line.substr(0, line.size() - 1);
      if (const auto type = probed_type(label)) {
        finish();
        probe.type = type;
      } else if (probe.swap.empty()) {
        labels.emplace(label);
      }
      return;
    }
    if (begins(line, ".size")) return finish();
    const auto opcode = first_word(line);
    const auto operands = trimmed(line.substr(opcode.size()));
    const auto named = [&](std::string_view word) { return begins(opcode, word); };
    if (opcode == "lock" || opcode == "lock;") {
      const auto locked = first_word(operands);
      (begins(locked, "cmpxchg") ? probe.swap : probe.native) = "lock " + std::string(locked);
    } else if (named("stxr") || named("stlxr") || named("cas") || contains(operands, "__aarch64_cas")) {
      // A store that fails when somebody came between (stxr) is tried again like a swap.
      probe.swap = std::string(contains(operands, "__aarch64_cas") ? operands : opcode);
    } else if (named("ldadd") || named("stadd") || contains(operands, "__aarch64_ldadd")) {
      probe.native = std::string(contains(operands, "__aarch64_ldadd") ? operands : opcode);
    } else if (!probe.swap.empty() && (named("j") || named("b.") || named("cb") || named("tb") || opcode == "b")) {
      const auto to = operands.find_last_of(" \t,");
      if (labels.contains(to == std::string_view::npos ? operands : operands.substr(to + 1))) probe.loops = true;
    }
  });
  finish();
  return all;
}

const std::vector<AtomicLowering>& build_atomic_lowerings() {
  static const std::vector<AtomicLowering> all = [] {
    std::vector<AtomicLowering> found;
    for (const auto& listing : atomic_listings::listings()) {
      const auto read = listing.name.substr(listing.name.size() - 2) == ".s" ? read_host_assembly(listing.text) : read_ptx(listing.text);
      found.insert(found.end(), read.begin(), read.end());
    }
    return found;
  }();
  return all;
}

std::string atomic_target(const Device& device) {
  if (device.kind() == DeviceKind::cuda) {
    const auto version = atomic_listings::loaded_ptx_version();
    return version ? "sm_" + std::to_string(*version) : "";
  }
  for (const auto& lowering : build_atomic_lowerings())
    if (lowering.source == "object") return lowering.target;
  return "";
}

const AtomicLowering* find_lowering(const std::vector<AtomicLowering>& all, AtomicType type, std::string_view target) {
  for (const auto& lowering : all)
    if (lowering.type == type && lowering.target == target) return &lowering;
  return nullptr;
}

std::string in_words(const AtomicLowering& lowering) {
  return std::string(to_text(lowering.type)) + " on " + lowering.target + ": " + std::string(to_text(lowering.lowering)) + " (" + lowering.source +
         (lowering.instruction.empty() ? "" : ": " + lowering.instruction) + ")";
}

std::optional<std::string> atomic_lowering_note(const Problem& problem, const Algorithm& algorithm, const Device& device) {
  if (!contains(algorithm.provider, "atomic") && !contains(algorithm.name, "atomic")) return std::nullopt;
  const auto first = problem.types.find('_');
  if (first == std::string::npos) return std::nullopt;
  const auto word = problem.types.substr(first + 1, problem.types.find('_', first + 1) - first - 1);
  for (const auto type : all_atomic_types) {
    if (word != to_text(type)) continue;
    const auto target = atomic_target(device);
    if (const auto* found = find_lowering(build_atomic_lowerings(), type, target)) return in_words(*found);
    return word + " on " + (target.empty() ? "this device" : target) + ": unknown, this build has no listing of it";
  }
  return std::nullopt;
}

}  // namespace detbench
