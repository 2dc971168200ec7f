// A shared library with one function, for dynamic_library_test.cpp.
extern "C" int detbench_test_library_answer() { return 42; }
