// Chains in registers, written once over a vector type. The including file defines, in an anonymous namespace and compiled
// for its instruction set: V, lanes, vectors, broadcast(x), load(p), store(p, v), fma(a, b, c).

void run(const float* source, float* target, std::int64_t steps) {
  const V c = broadcast(addend);
  V x[vectors];
#pragma GCC unroll 16
  for (int v = 0; v < vectors; ++v) x[v] = load(source + v * lanes);
  for (std::int64_t step = 0; step < steps; ++step)
#pragma GCC unroll 16
    for (int v = 0; v < vectors; ++v) x[v] = fma(x[v], x[v], c);
#pragma GCC unroll 16
  for (int v = 0; v < vectors; ++v) store(target + v * lanes, x[v]);
}
