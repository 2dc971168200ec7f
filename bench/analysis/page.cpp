#include "bench/analysis/page.hpp"

#include <algorithm>

namespace detbench::analysis {
namespace {

constexpr const char* style = R"css(
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, "DejaVu Sans", Verdana, sans-serif; color: #1a1a1a; background: #fff; margin: 0 auto; max-width: 1360px; box-sizing: border-box; padding: 24px; }
h1 { font-size: 26px; margin: 0 0 4px; } h3 { font-size: 16px; margin: 18px 0 4px; } h2 { font-size: 20px; margin: 40px 0 8px; border-bottom: 1px solid #ddd; padding-bottom: 4px; }
p, li { max-width: 920px; } .provenance { color: #555; font-size: 13px; } nav a { margin-right: 16px; display: inline-block; }
li { overflow-wrap: anywhere; } .alarm { background: #fff3e6; box-shadow: -26px 0 0 #fff3e6, -30px 0 0 #d55e00; }
.chart { overflow-x: auto; margin: 8px 0 4px; } .chart svg { max-width: 100%; height: auto; } .caption { color: #444; font-size: 14px; } .missing { color: #8a4a00; }
.scroll { overflow: auto; max-height: 640px; border: 1px solid #ddd; }
table { border-collapse: collapse; font-size: 12.5px; } th { position: sticky; top: 0; background: #f4f4f4; text-align: left; }
th, td { border: 1px solid #e2e2e2; padding: 3px 7px; vertical-align: top; white-space: nowrap; }
td.number { text-align: right; font-variant-numeric: tabular-nums; } td.long { white-space: normal; min-width: 260px; }
td code { user-select: all; white-space: nowrap; } pre { font-size: 12px; background: #f7f7f7; padding: 8px; overflow-x: auto; }
summary { cursor: pointer; font-weight: 600; margin: 10px 0; }
)css";

constexpr const char* how_to_read = R"html(
<ul>
<li>Three things are kept apart: what was <b>requested</b>, what the vendor <b>claims</b>, and what was <b>observed</b> here.</li>
<li><i>No difference in n runs</i> is an observation with a limit: at 95 % the share of runs with other bits is below 1 - 0.05<sup>1/n</sup>
(3/n from n = 30 on), under what was varied, in this run. It is no promise.</li>
<li><i>Scopes</i> say what was varied: <b>repeat</b> nothing, <b>process</b> a fresh process, <b>load</b> disturbance on purpose,
<b>placement</b> alignment and allocation, <b>partition</b> the number of threads or SMs, <b>capture</b> graph replay,
<b>batch</b> the same sample in another batch.</li>
<li>Times and ratios come from one half of the timing blocks; the other half picked which arm is called the fastest. Ratios are paired by
block with a 95 % interval. Where the interval meets the A/A band (one arm measured twice) the verdict is <i>ambiguous</i>.</li>
<li>Every row of the tables carries the command that measures it again.</li>
</ul>)html";

constexpr const char* limits = R"html(
<ul>
<li>Absence of a difference is not proof: a rare schedule may still give other bits. Another size, library version, driver or machine may too.</li>
<li>A caught control shows that the stress works, not that it would catch any op. <i>Untested</i> means that its control was not caught.</li>
<li>Figures hold for the machine and versions named under each chart. Across machines compare ratios, digests and statuses, never absolute times.</li>
<li>Prices of single ops do not add up to the price of a network: that one is measured, in the train step.</li>
</ul>)html";

/// JSON inside a script element: no "<" may open a tag there.
std::string script_json(const Json& json) {
  std::string text;
  for (const char c : json.dump(-1, ' ', false, Json::error_handler_t::replace)) {
    if (c == '<')
      text += "\\u003c";
    else
      text += c;
  }
  return text;
}

bool is_long(const std::string& column) {
  for (const char* name : {"reason", "note", "status", "claim", "evidence"})
    if (column == name) return true;
  return false;
}

std::string html_table(const Table& table) {
  if (table.rows.empty()) return "<p class=\"missing\">No data.</p>\n";
  std::string text = "<div class=\"scroll\"><table>\n<tr>";
  for (const auto& column : table.columns) text += "<th>" + escape_html(column) + "</th>";
  text += "</tr>\n";
  for (const auto& row : table.rows) {
    text += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) {
      const auto cell = escape_html(cell_text(row[i]));
      if (table.columns[i] == "replay")
        text += "<td><code>" + cell + "</code></td>";
      else if (row[i].is_number())
        text += "<td class=\"number\">" + cell + "</td>";
      else
        text += is_long(table.columns[i]) && cell.size() > 60 ? "<td class=\"long\">" + cell + "</td>"
                                                              : "<td>" + cell + "</td>";
    }
    text += "</tr>\n";
  }
  return text + "</table></div>\n";
}

std::string title_of(const Chart& chart) {
  return chart.spec.contains("title") && chart.spec["title"].contains("text")
             ? chart.spec["title"]["text"].get<std::string>()
             : chart.name;
}

std::string chart_section(const Chart& chart, bool drawn) {
  std::string text = "<h2 id=\"" + chart.name + "\">" + escape_html(title_of(chart)) + "</h2>\n<p class=\"caption\">" +
                     escape_html(chart.caption) + "</p>\n";
  if (!drawn) return text + "<p class=\"missing\">Not drawn here; the table below has its figures.</p>\n";
  return text + "<div class=\"chart\" id=\"chart-" + chart.name +
         "\"></div>\n<script type=\"application/json\" id=\"spec-" + chart.name + "\">" + script_json(chart.spec) +
         "</script>\n";
}

/// The three questions that an audit answers, each with its evidence; the whole of it is a table below.
std::string audit_section(const std::vector<AuditRow>& audit) {
  std::string text = "<h2 id=\"claim_audit\">Claim audit</h2>\n<p class=\"caption\">What vendors and authors claim about bits, on what grounds, "
                     "and what was observed. A difference breaks a claim only inside what the claim covers.</p>\n";
  struct Question {
    AuditVerdict verdict;
    const char *heading, *nothing;
  };
  const Question questions[] = {
      {AuditVerdict::broken, "Broken claims", "None: no difference was seen inside what a claim covers."},
      {AuditVerdict::differs_not_claimed, "Differences that nobody claimed against", "None was seen."},
      {AuditVerdict::declared_unseen, "Called nondeterministic, but never seen to differ", "None."},
  };
  for (const auto& question : questions) {
    std::string items;
    std::size_t count = 0;
    for (const auto& row : audit) {
      if (row.verdict != question.verdict) continue;
      ++count;
      items += std::string(question.verdict == AuditVerdict::broken ? "<li class=\"alarm\">" : "<li>") + "<b>" + escape_html(row.algorithm) + "</b> in " +
               escape_html(row.op) + (row.tag.empty() ? "" : " (" + escape_html(row.tag) + ")") + ", " + std::to_string(row.cases) +
               (row.cases == 1 ? " case" : " cases") + ". Claim: " + escape_html(claim_sentence(row.claim)) + ". Observed: " +
               escape_html(evidence_sentence(row)) + ".";
      if (row.evidence != nullptr) items += "<br><code>" + escape_html(row.evidence->replay) + "</code>";
      items += "</li>\n";
    }
    text += "<h3>" + std::string(question.heading) + " (" + std::to_string(count) + ")</h3>\n";
    // A long list folds, so that the page stays a page.
    constexpr std::size_t most_open = 12;
    if (count == 0) text += "<p>" + std::string(question.nothing) + "</p>\n";
    else if (count <= most_open) text += "<ul>\n" + items + "</ul>\n";
    else text += "<details><summary>" + std::to_string(count) + " algorithms</summary><ul>\n" + items + "</ul></details>\n";
  }
  std::string counts;
  for (const auto verdict : all_audit_verdicts) {
    const auto n = std::count_if(audit.begin(), audit.end(), [&](const AuditRow& row) { return row.verdict == verdict; });
    if (n > 0) counts += (counts.empty() ? "" : "; ") + std::string(to_text(verdict)) + ": " + std::to_string(n);
  }
  return text + "<p>Algorithms by verdict: " + escape_html(counts.empty() ? "none ran" : counts) + ". The table below has every one.</p>\n";
}

}  // namespace

std::string escape_html(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&': safe += "&amp;"; break;
      case '<': safe += "&lt;"; break;
      case '>': safe += "&gt;"; break;
      case '"': safe += "&quot;"; break;
      case '\'': safe += "&#39;"; break;
      default: safe += c;
    }
  }
  return safe;
}

std::string to_html(const Page& page) {
  const bool drawn = !page.vega_bundle.empty();
  std::string html =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>detbench report</title>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<style>";
  html += style;
  html += "</style>\n</head>\n<body>\n<h1>What do reproducible bits cost?</h1>\n<p class=\"provenance\">";
  for (const auto& line : page.provenance) html += escape_html(line) + "<br>";
  html += "</p>\n<nav>";
  for (const auto& chart : page.charts)
    html += "<a href=\"#" + chart.name + "\">" + escape_html(title_of(chart)) + "</a> ";
  html += "<a href=\"#claim_audit\">Claim audit</a> <a href=\"#tables\">tables</a></nav>\n<h2>What was found</h2>\n<ul>\n";
  for (const auto& finding : page.findings)
    html += std::string(finding.alarm ? "<li class=\"alarm\">" : "<li>") + escape_html(finding.text) + "</li>\n";
  html += "</ul>\n<h2>How to read this</h2>\n";
  html += how_to_read;
  html += "<h2>Limits</h2>\n";
  html += limits;
  if (!drawn)
    html +=
        "<p class=\"missing\">Charts are missing: run scripts/setup.sh, which gets the Vega scripts, and make this "
        "report again.</p>\n";
  html += audit_section(page.audit);
  for (const auto& chart : page.charts) html += chart_section(chart, drawn);
  html += "<h2 id=\"tables\">Tables</h2>\n";
  for (const auto& table : page.tables)
    html += "<details" + std::string(drawn ? "" : " open") + "><summary>" + escape_html(table.title) + " (" +
            std::to_string(table.rows.size()) + (table.rows.size() == 1 ? " row" : " rows") + ")</summary>\n" +
            html_table(table) + "</details>\n";
  html += "<details><summary>Manifest: machine, libraries, compilers, environment</summary><pre>" +
          escape_html(page.manifests.dump(2, ' ', false, Json::error_handler_t::replace)) + "</pre></details>\n";
  if (drawn) {
    html += "<script>\n" + page.vega_bundle + "\n</script>\n";
    html += R"js(<script>
for (const element of document.querySelectorAll("script[type='application/json']")) {
  const place = document.getElementById(element.id.replace("spec-", "chart-"));
  vegaEmbed(place, JSON.parse(element.textContent), {renderer: "svg", actions: {export: true, source: true, compiled: false, editor: false}})
    .catch(error => { place.textContent = "This chart could not be drawn: " + error; });
}
</script>
)js";
  }
  return html + "</body>\n</html>\n";
}

}  // namespace detbench::analysis
