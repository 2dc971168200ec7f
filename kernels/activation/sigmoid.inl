// The sigmoid in f32 arithmetic alone, for a float or for a vector of floats: the same operations in the same order, so a lane
// gives the float's bits. Included inside a namespace (sigmoid.hpp for one float on host and device; the kernels that are
// compiled per instruction set, inside their own anonymous one), so no header may be included here.
// Always inlined: a loop that calls one of them does not vectorize, and the flattening of the caller has missed them.
//
// t = e^-|x| lies in [0, 1]; then sigmoid(|x|) = 1/(1 + t) and sigmoid(-|x|) = t/(1 + t): one exponential and one division
// give the sigmoid of x and of -x, and neither loses its small values to a subtraction. F is the number, U its bits as
// unsigned integers. No fused multiply-add: a CPU without one would have to emulate it.

template <class F>
struct SigmoidPair {
  F value, rest;  ///< sigmoid(x) and 1 - sigmoid(x) = sigmoid(-x)
};

template <class To, class From>
[[gnu::always_inline]] DETBENCH_HOST_DEVICE inline To same_bits(From from) {
  To to;
  __builtin_memcpy(&to, &from, sizeof to);
  return to;
}

/// e^-a for a >= 0; a NaN stays one. -a = n ln 2 + r with |r| <= 0.347, e^r by its Taylor series up to r^7 (remainder below
/// 6e-9), in Horner's order: smallest terms first.
template <class F, class U>
[[gnu::always_inline]] DETBENCH_HOST_DEVICE inline F exp_of_minus(F a) {
  const F most = F{} + 104.0f;  // beyond: zero when rounded
  a = a > 104.0f ? most : a;
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits: the unit in the last place is then 1.
  const F shifted = a * -0x1.715476p+0f + 0x1.8p+23f;
  const F n = shifted - 0x1.8p+23f;
  // ln 2 in two parts; the first has 9 bits, so n times it is exact, and so is the first difference.
  const F r = (n * -0x1.63p-1f - a) + n * 0x1.bd0106p-13f;
  F q = r * (1.0f / 5040.0f) + 1.0f / 720.0f;
  q = q * r + 1.0f / 120.0f;
  q = q * r + 1.0f / 24.0f;
  q = q * r + 1.0f / 6.0f;
  q = q * r + 0.5f;
  const F p = 1.0f + (r + (r * r) * q);
  // 2^n as two factors, so that results below 2^-126 are right; only the last multiplication can round. 256 + n is
  // positive: 0x4B400000 is what 1.5 * 2^23 is in bits.
  const U m = same_bits<U>(shifted) - (0x4B400000u - 256u);
  const U half = m >> 1;
  return (p * same_bits<F>((half - 1u) << 23)) * same_bits<F>((m - half - 1u) << 23);
}

template <class F, class U>
[[gnu::always_inline]] DETBENCH_HOST_DEVICE inline SigmoidPair<F> sigmoid_pair(F x) {
  // Which of the two has t for a factor is the sign bit's to say: the other factor is 1, which changes no bit.
  const U bits = same_bits<U>(x), negative = 0u - (bits >> 31), one = U{} + 0x3F800000u;
  const F t = exp_of_minus<F, U>(same_bits<F>(bits & 0x7FFFFFFFu));
  const F large = 1.0f / (1.0f + t);
  const U t_bits = same_bits<U>(t);
  return {same_bits<F>((t_bits & negative) | (one & ~negative)) * large, same_bits<F>((one & negative) | (t_bits & ~negative)) * large};
}

/// x sigmoid(x).
template <class F, class U>
[[gnu::always_inline]] DETBENCH_HOST_DEVICE inline F swish(F x) {
  return x * sigmoid_pair<F, U>(x).value;
}

/// d(x s)/dx = s + x s (1 - s) = s (1 + x (1 - s)).
template <class F, class U>
[[gnu::always_inline]] DETBENCH_HOST_DEVICE inline F swish_slope(F x) {
  const SigmoidPair<F> s = sigmoid_pair<F, U>(x);
  return s.value * (1.0f + x * s.rest);
}
