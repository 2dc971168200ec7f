// OpenBLAS, loaded when the program runs: its dot product, and its matrix-vector product with ones, which is how a program
// that has a BLAS and nothing else adds numbers up. Its threads share a vector by their number and its kernels follow the
// core type, so it claims nothing.
#include <omp.h>

#include <algorithm>
#include <cstdlib>

#include "kernels/device/dynamic_library.hpp"
#include "kernels/reduction/sum_problem.hpp"

namespace detbench::reduction {
namespace {

// The C interface that all BLAS share (32-bit indices), and OpenBLAS's own.
enum { column_major = 102, transposed = 112 };
template <class T>
using Dot = T (*)(int n, const T* x, int step_x, const T* y, int step_y);
template <class T>
using Gemv = void (*)(int order, int transpose, int rows, int columns, T alpha, const T* matrix, int leading, const T* x,
                      int step_x, T beta, T* y, int step_y);

struct Library {
  std::tuple<Dot<float>, Dot<double>> dot;
  std::tuple<Gemv<float>, Gemv<double>> gemv;
  void (*set_threads)(int);
  int (*threads)();
  std::string core, config;
};

template <class Function>
bool find(const DynamicLibrary& library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(library.symbol(name));
  return function != nullptr;
}

Result<Library> load() {
  // Its threads would spin for 2^26 cycles after every call and disturb whatever is measured next. Heard when it is loaded.
  setenv("OPENBLAS_THREAD_TIMEOUT", "4", 0);
  const LibrarySearch search{
      "OpenBLAS", {"libopenblas.so.0", "libopenblas.so"}, "DETBENCH_OPENBLAS_DIR", {}, "apt-get install libopenblas0"};
  const auto loaded = DynamicLibrary::load(search);
  if (!loaded) return tl::unexpected(loaded.error());
  Library library;
  const char* (*core)() = nullptr;
  const char* (*config)() = nullptr;
  if (!find(*loaded, "cblas_sdot", std::get<0>(library.dot)) || !find(*loaded, "cblas_ddot", std::get<1>(library.dot)) ||
      !find(*loaded, "cblas_sgemv", std::get<0>(library.gemv)) || !find(*loaded, "cblas_dgemv", std::get<1>(library.gemv)) ||
      !find(*loaded, "openblas_set_num_threads", library.set_threads) ||
      !find(*loaded, "openblas_get_num_threads", library.threads) || !find(*loaded, "openblas_get_corename", core) ||
      !find(*loaded, "openblas_get_config", config))
    return unsupported(loaded->path().string() + " lacks functions of OpenBLAS's C interface");
  library.core = core();
  library.config = config();
  return library;
}
const Result<Library>& openblas() {
  static const Result<Library> library = load();
  return library;
}

/// OpenBLAS's number of threads is one for the process. A build on OpenMP sets OpenMP's own, which is put back.
void use_threads(int threads) {
  if (openblas()->threads() == threads) return;
  const int of_openmp = omp_get_max_threads();
  openblas()->set_threads(threads);
  omp_set_num_threads(of_openmp);
}

/// Ones that a sum is multiplied with: so many elements at a time, 4 or 8 MiB, which stay in a cache.
constexpr std::int64_t ones_elements = std::int64_t{1} << 20;

template <class T>
T* ones_in(const SumCall<Elements<T>>& call, std::int64_t count) {
  T* ones = static_cast<T*>(call.workspace);
  std::fill(ones, ones + count, T(1));
  return ones;
}

/// Order: the library's inside a dot product; for a sum, blocks of 2^20 elements from left to right.
struct DotProduct {
  template <class T>
    requires std::is_floating_point_v<T>
  static Status run(const SumCall<Products<T>>& call) {
    use_threads(call.threads);
    *call.sum = std::get<Dot<T>>(openblas()->dot)(static_cast<int>(call.n), call.source.x, 1, call.source.y, 1);
    return {};
  }
  template <class T>
    requires std::is_floating_point_v<T>
  static Status run(const SumCall<Elements<T>>& call) {
    use_threads(call.threads);
    const T* ones = ones_in(call, std::min(call.n, ones_elements));
    T sum = 0;
    for (std::int64_t first = 0; first < call.n; first += ones_elements)
      sum += std::get<Dot<T>>(openblas()->dot)(static_cast<int>(std::min(ones_elements, call.n - first)),
                                               call.source.x + first, 1, ones, 1);
    *call.sum = sum;
    return {};
  }
};

/// The vector as a matrix of columns of 2^12 elements, transposed, times ones: a sum per column; then those, and what is
/// left of the last column, in the same way.
struct MatrixVector {
  static constexpr std::int64_t rows = 4096;

  template <class T>
    requires std::is_floating_point_v<T>
  static Status run(const SumCall<Products<T>>& call) {
    use_threads(call.threads);
    column_sums<T>(call.source.x, call.n, 1, call.source.y, call.sum);
    return {};
  }
  template <class T>
    requires std::is_floating_point_v<T>
  static Status run(const SumCall<Elements<T>>& call) {
    use_threads(call.threads);
    const std::int64_t columns = call.n / rows, left = call.n % rows, partials = columns + (left > 0);
    const T* ones = ones_in(call, std::max(rows, partials));
    T* sums = static_cast<T*>(call.workspace) + std::max(rows, partials);
    if (columns > 0) column_sums(call.source.x, rows, columns, ones, sums);
    if (left > 0) column_sums(call.source.x + columns * rows, left, 1, ones, sums + columns);
    column_sums<T>(sums, partials, 1, ones, call.sum);
    return {};
  }

  template <class T>
  static void column_sums(const T* matrix, std::int64_t height, std::int64_t columns, const T* x, T* sums) {
    std::get<Gemv<T>>(openblas()->gemv)(column_major, transposed, static_cast<int>(height), static_cast<int>(columns), T(1),
                                        matrix, static_cast<int>(height), x, 1, T(0), sums, 1);
  }
};

Result<std::size_t> dot_bytes(const SumProblem& problem, int) {
  if (problem.is_dot) return 0;
  return static_cast<std::size_t>(std::min(problem.n, ones_elements)) * size_of(problem.accumulator);
}
Result<std::size_t> gemv_bytes(const SumProblem& problem, int) {
  if (problem.is_dot) return 0;
  const std::int64_t partials = problem.n / MatrixVector::rows + 1;
  return static_cast<std::size_t>(std::max(MatrixVector::rows, partials) + partials) * size_of(problem.accumulator);
}

template <class Kernel>
TableRow row(const char* name, Result<std::size_t> (*workspace)(const SumProblem&, int)) {
  SumAlgorithm algorithm = sum_algorithm<Kernel>(name);
  algorithm.workspace_bytes = workspace;
  algorithm.largest_n = INT32_MAX;
  algorithm.too_large = "the library counts elements in 32 bits";
  algorithm.missing = "the C interface of BLAS has f32 and f64 only";
  TableRow row = sum_row(std::move(algorithm));
  // Loaded when someone asks, not when the program starts: it brings threads of its own.
  row.prepare = [prepare = std::move(row.prepare)](const Problem& problem, const Options& options,
                                                   Device& device) -> Result<Prepared> {
    if (!openblas()) return unsupported(openblas().error().text);
    auto prepared = prepare(problem, options, device);
    if (!prepared) return prepared;
    prepared->notes["openblas_core"] = openblas()->core;
    prepared->notes["openblas_config"] = openblas()->config;
    return prepared;
  };
  return row;
}

}  // namespace

std::unique_ptr<Provider> make_openblas_sums() {
  std::vector<TableRow> rows;
  rows.push_back(row<DotProduct>("dot", dot_bytes));
  rows.push_back(row<MatrixVector>("gemv", gemv_bytes));
  return make_table_provider("openblas", std::move(rows));
}

}  // namespace detbench::reduction
