#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "bench/records/manifest.hpp"
#include "bench/records/record.hpp"
#include "bench/suites/registry.hpp"
#include "bench/verbs/verbs.hpp"
#include "bench/workers/channel.hpp"
#include "kernels/cublas/environment.hpp"
#include "kernels/cublas/version.hpp"
#include "kernels/cudnn/version.hpp"
#include "kernels/device/atomic_lowering.hpp"

namespace detbench {
namespace {

std::string plain(const Json& value) { return value.is_string() ? value.get<std::string>() : value.is_null() ? "unknown" : value.dump(); }

void print_object(const Json& object, const std::string& indent) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object() && !value.empty()) {
      fmt::print("{}{}\n", indent, key);
      print_object(value, indent + "  ");
    } else {
      fmt::print("{}{:<{}} {}\n", indent, key, 24 - static_cast<int>(indent.size()), value.is_object() ? "none" : plain(value));
    }
  }
}

/// A line per type, a column per target.
void print_lowerings(const std::vector<AtomicLowering>& all) {
  std::vector<std::string> targets;
  for (const auto& lowering : all)
    if (std::find(targets.begin(), targets.end(), lowering.target) == targets.end()) targets.push_back(lowering.target);
  if (targets.empty()) {
    fmt::print("  no probe of an atomic addition was found\n");
    return;
  }
  fmt::print("  {:<8}", "");
  for (const auto& target : targets) fmt::print("{:<10}", target);
  fmt::print("\n");
  for (const auto type : all_atomic_types) {
    fmt::print("  {:<8}", to_text(type));
    for (const auto& target : targets) {
      const auto* found = find_lowering(all, type, target);
      fmt::print("{:<10}", !found ? "-" : found->lowering == Lowering::cas_loop ? "cas loop" : to_text(found->lowering));
    }
    fmt::print("\n");
  }
}

/// The lines `atomic_additions` of env: of this build, or of a disassembly.
Status print_atomic_additions(const std::string& sass_file) {
  if (sass_file.empty()) {
    fmt::print("atomic_additions (host: its code; sm_NN: PTX, which leaves 16-bit scalars open; --sass FILE reads a disassembly)\n");
    print_lowerings(build_atomic_lowerings());
    return {};
  }
  auto text = read_whole_file(sass_file);
  if (!text) return tl::unexpected(text.error());
  const auto all = read_sass(*text);
  if (all.empty()) return invalid_input(sass_file + " holds no probe of an atomic addition; make it with: cuobjdump -sass PROGRAM > FILE");
  fmt::print("atomic_additions (SASS of {})\n", sass_file);
  print_lowerings(all);
  for (const auto& lowering : all) fmt::print("  {}\n", in_words(lowering));
  return {};
}

}  // namespace

Verb add_env_verb(CLI::App& program) {
  auto* app = program.add_subcommand("env", "machine, libraries and every knob that can change bits; warnings with their remedies");
  app->footer("Example: detbench env --json | python3 -m json.tool");
  auto json = std::make_shared<bool>(false);
  app->add_flag("--json", *json, "print the manifest as JSON, as it stands in result files");
  auto sass = std::make_shared<std::string>();
  app->add_option("--sass", *sass, "read what became of atomic additions from a disassembly (cuobjdump -sass PROGRAM > FILE), and print that alone");
  return [json, sass]() -> int {
    if (!sass->empty()) {
      const auto printed = print_atomic_additions(*sass);
      return printed ? exit_ok : fail(printed.error());
    }
    const auto gpu = describe_gpu();
    auto manifest = make_manifest(library_versions(), gpu ? "cuda" : "cpu", available_cores(), gpu.value_or(Json()));
    if (*json) {
      std::cout << manifest.dump(2) << "\n";
      return exit_ok;
    }
    fmt::print("detbench {}{}{}\n", program_version(), program_commit().empty() ? "" : " at " + program_commit().substr(0, 12),
               program_dirty() ? " (with uncommitted changes)" : "");
    print_object(manifest, "");
    fmt::print("worker_environment\n");
    for (const auto& [name, value] : worker_environment()) fmt::print("  {:<22} {}\n", name, value);
    fmt::print("{:<24} {}\n", "cuda", gpu ? gpu->value("name", "") : gpu.error().text);
    const auto cudnn = cudnn_version();
    fmt::print("{:<24} {}\n", "cudnn", cudnn ? *cudnn : cudnn.error().text);
    const auto cublas = cublas_version();
    fmt::print("{:<24} {}\n", "cublas", cublas ? *cublas : cublas.error().text);
    if (const auto printed = print_atomic_additions(""); !printed) return fail(printed.error());
    auto warnings = machine_warnings();
    if (const auto clean = check_cublas_environment(); !clean) warnings.push_back({clean.error().text, "unset it"});
    for (const auto& warning : warnings) fmt::print("warning: {}\n  remedy: {}\n", warning.text, warning.remedy);
    if (warnings.empty()) fmt::print("no warnings\n");
    return exit_ok;
  };
}

}  // namespace detbench
