// Functions that run on the host and on a GPU carry DETBENCH_HOST_DEVICE; a C++ compiler sees nothing.
#pragma once

#ifdef __CUDACC__
#define DETBENCH_HOST_DEVICE __host__ __device__
#else
#define DETBENCH_HOST_DEVICE
#endif
