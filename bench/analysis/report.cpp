#include "bench/analysis/report.hpp"

#include <unistd.h>

#include "bench/analysis/page.hpp"
#include "bench/analysis/provenance.hpp"
#include "bench/analysis/render.hpp"

namespace detbench {
namespace {

namespace fs = std::filesystem;
using namespace analysis;

/// What a report folder holds and nothing else: only such a folder may be replaced.
bool is_report(const fs::path& folder) {
  std::error_code error;
  bool has_page = false;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const auto name = entry.path().filename();
    has_page = has_page || name == "report.html";
    if (name != "report.html" && name != "tables" && name != "charts") return false;
  }
  return has_page;
}

/// Absolute and without a slash at its end, so that a draft can lie beside it.
fs::path plain_path(const fs::path& path) {
  std::error_code error;
  auto plain = fs::absolute(path, error).lexically_normal();
  return plain.has_filename() ? plain : plain.parent_path();
}

Status check_place(const fs::path& out, bool force) {
  std::error_code error;
  const auto type = fs::symlink_status(out, error).type();
  if (type == fs::file_type::not_found) return {};
  if (type != fs::file_type::directory)
    return invalid_input(out.string() + ": is there and is no folder; choose another name");
  if (fs::is_empty(out, error)) return {};
  if (!is_report(out))
    return invalid_input(out.string() +
                         ": holds files that are not a report, which would be lost; choose another folder");
  if (!force)
    return invalid_input(out.string() + ": holds a report already; --force replaces it, or choose another folder");
  return {};
}

/// A folder that is removed again unless it was moved to its place.
class Draft {
 public:
  explicit Draft(const fs::path& out) : path_(out.string() + ".partial." + std::to_string(::getpid())) {}
  ~Draft() {
    std::error_code error;
    if (!path_.empty()) fs::remove_all(path_, error);
  }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;
  const fs::path& path() const { return path_; }

  Status make() {
    std::error_code error;
    fs::remove_all(path_, error);
    for (const char* folder : {"tables", "charts"}) {
      fs::create_directories(path_ / folder, error);
      if (error) return failure(path_.string() + ": cannot be made: " + error.message());
    }
    return {};
  }

  /// An earlier report steps aside first and comes back if the new one cannot take its place.
  Status move_to(const fs::path& out) {
    std::error_code error;
    const fs::path aside = out.string() + ".replaced." + std::to_string(::getpid());
    const bool had = fs::exists(out, error);
    if (had) fs::rename(out, aside, error);
    if (!error) fs::rename(path_, out, error);
    if (error) {
      const auto message = error.message();
      std::error_code ignored;
      if (had && !fs::exists(out, ignored)) fs::rename(aside, out, ignored);
      return failure(out.string() + ": cannot be written: " + message);
    }
    path_.clear();
    if (had) fs::remove_all(aside, error);
    return {};
  }

 private:
  fs::path path_;
};

/// The text of vega.bundle.js, checked: it goes into the page verbatim.
Result<std::string> read_bundle(const fs::path& venv) {
  constexpr const char* remedy = "; run scripts/setup.sh and make the report again";
  if (venv.empty()) return failure(std::string("the page has no charts: there is no .venv") + remedy);
  auto bundle = read_whole_file(venv / "share" / "detbench" / "vega.bundle.js", std::size_t{64} << 20);
  if (!bundle) return failure("the page has no charts: " + bundle.error().text + remedy);
  if (bundle->empty() || bundle->find("</script") != std::string::npos)
    return failure(std::string("the page has no charts: vega.bundle.js is damaged") + remedy);
  return bundle;
}

Status write_parts(const Page& page, const fs::path& folder) {
  for (const auto& table : page.tables) {
    if (auto written = write_whole_file(folder / "tables" / (table.name + ".md"), to_markdown(table), true); !written)
      return written;
    if (auto written = write_whole_file(folder / "tables" / (table.name + ".csv"), to_csv(table), true); !written)
      return written;
  }
  for (const auto& chart : page.charts) {
    const auto text = chart.spec.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
    if (auto written = write_whole_file(folder / "charts" / (chart.name + ".vl.json"), text, true); !written)
      return written;
  }
  if (auto written = write_whole_file(folder / "tables" / "headlines.md", headlines_markdown(page.headlines), true); !written) return written;
  return write_whole_file(folder / "report.html", to_html(page), true);
}

}  // namespace

Result<ReportOutcome> write_report(const std::vector<ResultFile>& files, const ReportOptions& options) {
  if (files.empty()) return invalid_input("no result file was given; name one written by `detbench run`");
  if (options.out.empty()) return invalid_input("no folder for the report was given; --out DIR names one");
  const auto out = plain_path(options.out);
  if (auto place = check_place(out, options.force); !place) return tl::unexpected(place.error());
  ReportOutcome outcome{options.out / "report.html", {}};
  const auto views = view_comparisons(files);
  const auto venv = find_venv(options.venv.value_or(fs::path()));

  Page page;
  auto charts = make_charts(files, views);
  if (!charts) return tl::unexpected(charts.error());
  page.charts = std::move(*charts);
  page.audit = audit_claims(files);
  page.tables = make_tables(files, views);
  page.tables.insert(page.tables.begin(), audit_table(page.audit));
  page.headlines = make_headlines(views);
  page.findings = find_findings(files, views);
  page.provenance = provenance_lines(files, files.size());
  page.manifests = Json::object();
  for (std::size_t i = 0; i < files.size(); ++i)
    page.manifests[files.size() == 1 ? "manifest" : file_tag(i, files.size())] = files[i].manifest;
  if (auto bundle = read_bundle(venv))
    page.vega_bundle = std::move(*bundle);
  else
    outcome.notes.push_back(bundle.error().text);

  Draft draft(out);
  if (auto made = draft.make(); !made) return tl::unexpected(made.error());
  if (auto written = write_parts(page, draft.path()); !written) return tl::unexpected(written.error());
  if (options.images)
    if (auto rendered = render_charts(venv, draft.path() / "charts"); !rendered)
      outcome.notes.push_back(rendered.error().text);
  if (auto moved = draft.move_to(out); !moved) return tl::unexpected(moved.error());
  return outcome;
}

}  // namespace detbench
