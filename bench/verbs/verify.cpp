#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "bench/records/manifest.hpp"
#include "bench/suites/registry.hpp"
#include "bench/verbs/run_session.hpp"
#include "bench/verbs/verbs.hpp"
#include "bench/verification/verification.hpp"

namespace detbench {
namespace {

struct VerifyArguments {
  std::vector<std::string> words;
  std::string threads, isa, json;
  double limit_s = 0;
  bool force = false;
};

/// RESULT... [FILTER]: words that are there on disk are results; others that have a ':' or the five parts of a case
/// name are the filter; what is left is a result that cannot be read, and is refused as such.
bool is_filter(const std::string& word) {
  std::error_code ignored;
  if (std::filesystem::exists(word, ignored)) return false;
  const auto first = word.substr(0, word.find(' '));
  return (first.find(':') != std::string::npos && first.find('/') == std::string::npos) || parse_problem_id(word) || parse_case_id(word);
}

/// A line goes out whole, or progress would stand inside it where both streams end in one place.
void print(const VerifiedRow& row) {
  switch (row.outcome) {
    case RowOutcome::match: fmt::print("match    {}\n", row.id); break;
    case RowOutcome::differs: fmt::print("DIFFERS  {}: {}\n", row.id, row.reason); break;
    case RowOutcome::not_recomputed: fmt::print("no       {}: {}\n", row.id, row.reason); break;
    case RowOutcome::not_reached: break;  // counted in the summary
  }
  std::fflush(stdout);
}

int verify(const VerifyArguments& arguments) {
  std::vector<std::string> paths, terms;
  for (const auto& word : arguments.words) (is_filter(word) ? terms : paths).push_back(word);
  if (paths.empty()) return fail({"there is no result to verify, only a filter; see 'verify --help'", Reason::Kind::invalid_input});
  auto filter = Filter::parse(terms);
  if (!filter) return fail(filter.error());
  auto configurations = parse_configurations(arguments.threads, arguments.isa);
  if (!configurations) return fail(configurations.error());
  std::error_code ignored;
  if (!arguments.json.empty() && !arguments.force && std::filesystem::exists(arguments.json, ignored))
    return fail({arguments.json + " exists already; give another name or --force", Reason::Kind::invalid_input});
  std::vector<ResultFile> files;
  for (const auto& path : paths) {
    auto file = read_result_file(path);
    if (!file) return fail(file.error());
    files.push_back(std::move(*file));
  }

  const auto registry = make_registry({});
  ProgressLine line;
  VerificationSettings settings;
  settings.configurations = std::move(*configurations);
  settings.limit_s = arguments.limit_s;
  settings.interrupted = watch_interrupts();
  settings.progress = [&](const Progress& progress) { line.show(progress); };
  settings.done = [&](const VerifiedRow& row) {
    line.end();
    print(row);
  };
  const auto report = verify_results(files, paths, *filter, registry, settings);
  line.end();
  if (!report) return fail(report.error());
  for (const auto& file : report->files) {
    if (file.claiming > 0) continue;
    fmt::print("{}: none of its {} rows {}claims the same bits on every machine\n", file.path, file.rows, terms.empty() ? "" : "that match the filter ");
  }
  if (report->rows.empty()) return fail({"there is no row to verify" + (terms.empty() ? std::string() : " with the filter '" + filter->text() + "'"), Reason::Kind::invalid_input});
  if (!arguments.json.empty())
    if (auto written = write_whole_file(arguments.json, to_json(*report).dump(1) + "\n", arguments.force); !written) return fail(written.error());
  const auto match = report->count(RowOutcome::match), differ = report->count(RowOutcome::differs);
  const auto left = report->count(RowOutcome::not_reached);
  fmt::print("{} match, {} differ, {} could not be recomputed", match, differ, report->count(RowOutcome::not_recomputed));
  if (left > 0) fmt::print(", {} not reached {}", left, report->interrupted ? "before the interrupt" : "within the limit");
  std::string under;
  for (const auto& configuration : settings.configurations) under += (under.empty() ? "" : "; ") + describe(configuration);
  fmt::print(" ({}; {:.1f} s)\n", under, report->elapsed_s);
  for (const auto& file : report->files)
    if (differ > 0 && file.detbench_version != program_version())
      fmt::print("note: {} was made by detbench {}, this is {}: an algorithm may have other bits under the same name\n", file.path, file.detbench_version, program_version());
  if (differ > 0) return exit_wrong;
  if (report->interrupted) return exit_interrupted;
  return match > 0 ? exit_ok : exit_skipped;
}

}  // namespace

Verb add_verify_verb(CLI::App& program) {
  auto* app = program.add_subcommand("verify", "recompute on this CPU the digests that claim to be the same everywhere");
  app->footer(
      "Rows that claim gpu_to_gpu bits by construction are run once more here, wherever the file was made, and their digests compared.\n"
      "Exit code: 0 all that was recomputed matches, 1 a digest differs, 77 nothing could be recomputed.\n"
      "Example: detbench verify results/local/first 'op:sum' --threads 1,2,3 --isa baseline,avx2");
  auto arguments = std::make_shared<VerifyArguments>();
  app->add_option("RESULT", arguments->words, "result files, plain or gzip-compressed, or folders that hold result.json; then key:glob terms, or a case or problem id")->required();
  app->add_option("--threads", arguments->threads, "numbers of CPU threads to run each row with, like 1,2,3; 0: every core");
  app->add_option("--isa", arguments->isa, "instruction sets to run each row with, of baseline, avx2 and avx512");
  app->add_option("--limit-s", arguments->limit_s, "stop after this many seconds; what is left is said")->check(CLI::NonNegativeNumber);
  app->add_option("--json,--out", arguments->json, "write what was found to this file");
  app->add_flag("--force", arguments->force, "replace that file");
  return [arguments]() -> int { return verify(*arguments); };
}

}  // namespace detbench
