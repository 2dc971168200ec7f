// Who measured what with which versions, in the words that stand under every chart.
#pragma once

#include <string>
#include <vector>

#include "bench/records/record.hpp"

namespace detbench::analysis {

/// "AMD EPYC 7B13, 2 cores", or the GPU and its driver: what the manifest says, "unknown machine" where it is silent.
std::string machine_label(const ResultFile& file);
/// "onednn 2.6.3, tbb 2021.8"; empty when the manifest lists none.
std::string library_label(const ResultFile& file);
/// "profile quick: n = 10 repeat, 2 process, 10 load per stressor; 2 configurations; 10 blocks".
std::string profile_label(const ResultFile& file);
/// Machine, libraries, date, profile and n of every file, one or two lines each, for subtitles. With several files each
/// starts with its tag. Never more than `most` files; the last line then says how many were left out.
std::vector<std::string> provenance_lines(const std::vector<ResultFile>& files, std::size_t most = 4);
/// "A", "B", ... for several files, "" for a single one.
std::string file_tag(std::size_t index, std::size_t files);
/// Breaks a text at blanks into lines of at most `width` bytes where it can.
std::vector<std::string> wrap(const std::string& text, std::size_t width);

}  // namespace detbench::analysis
