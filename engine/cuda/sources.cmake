# The sources of the CUDA engine, for both builds of it: with nvcc (engine/cuda/CMakeLists.txt) and as
# plain C++ for tests (tests/engine/cuda/CMakeLists.txt). plan.cc, workspace.cc and matrix.cc need no
# device: they belong to facet_engine.
set(facet_cuda_sources
  attention.cu
  backend.cc
  device.cu
  elementwise.cu
  forward.cc
  matmul.cu
  page_pool.cc
  pass.cc
  support.cc
  weights.cc)
