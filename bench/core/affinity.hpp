// Threads of the instrument that are not OpenMP's.
#pragma once

namespace detbench {

/// Lets the calling thread run on every core this process may use. A thread inherits its creator's mask, and OpenMP binds
/// the main thread to one place when a binding is asked for: threads started there would all crowd that core.
void release_from_binding();

}  // namespace detbench
