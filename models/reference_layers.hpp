// The arithmetic of single layers in fp64, for the reference network. Activations are canonical (N,H,W,C).
#pragma once

#include <cstdint>
#include <vector>

#include "models/network.hpp"

namespace detbench::reference {

using Values = std::vector<double>;

/// Weights (G,K,R,S,C).
void convolve(const Layer& l, std::int64_t batch, const Values& x, const Values& weights, Values& y);
/// Sets dweights and adds to *dx; nullptr where nobody asks for it.
void convolve_backward(const Layer& l, std::int64_t batch, const Values& x, const Values& weights, const Values& dy, Values& dweights, Values* dx);

double activate(Activation activation, double x);
/// d activate / dx; at ReLU's and ReLU6's kinks 0, as Keras's backends have it.
double activation_slope(Activation activation, double x);

/// Per output the index of the input that is the largest of its window; windows without padding.
std::vector<std::size_t> max_pool_winners(const Layer& l, std::int64_t batch, const Values& x);

}  // namespace detbench::reference
