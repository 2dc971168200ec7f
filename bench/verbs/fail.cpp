#include <algorithm>
#include <iostream>

#include "bench/verbs/verbs.hpp"

namespace detbench {

int fail(const Reason& reason) {
  std::string text = reason.text;
  std::replace(text.begin(), text.end(), '\n', ' ');
  std::cerr << "detbench: " << text << "\n";
  return reason.kind == Reason::Kind::invalid_input ? exit_usage : exit_cannot_run;
}

}  // namespace detbench
