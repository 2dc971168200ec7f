// An operation whose algorithms misbehave on purpose, for the tests of parent and workers.
#pragma once

#include "kernels/op.hpp"

namespace detbench::test {

/// op "fake", problem "fake/n64/f32_f32_strict/vector": y = 2x, answered by provider "fake" with
///   steady, other_steady        right and repeatable
///   crashes_when_run            SIGSEGV in enqueue()
///   crashes_when_timed          SIGSEGV in the 1000th enqueue() of a process
///   hangs                       never returns
///   exhausts_memory             the plan reports out of memory
///   wrong                       y = 2x + 1 in one element
///   differs_by_process          one element depends on the process id
///   absent                      unsupported, with a reason
/// and, known by name only and never listed, unlisted: right and repeatable, with a claim
std::unique_ptr<Operation> make_fake_operation();

}  // namespace detbench::test
