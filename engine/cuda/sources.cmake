# The sources of the CUDA engine, for both builds of it: with nvcc (engine/cuda/CMakeLists.txt) and as
# plain C++ for tests (tests/engine/cuda/CMakeLists.txt). plan.cc, workspace.cc and matrix.cc need no
# device: they belong to facet_engine.
set(facet_cuda_sources
  attend.cu
  backend.cc
  blas.cc
  candidates.cc
  decode.cc
  device.cu
  device_limits.cc
  elementwise.cu
  expand.cu
  flash.cu
  forward.cc
  forward_batch.cc
  matmul.cu
  page_pool.cc
  pass.cc
  product_bf16.cu
  product_f16.cu
  product_f32.cu
  product_fp8.cu
  product_launch.cu
  product_q4.cu
  product_q4_k.cu
  product_q5_k.cu
  product_q6_k.cu
  product_q8.cu
  product_q8_min.cu
  sampling.cu
  support.cc
  tensor_map.cu
  uploader.cc
  vision.cc
  vision_kernels.cu
  weights.cc
  wgmma.cu)
