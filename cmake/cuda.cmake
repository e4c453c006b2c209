# For which GPUs the kernels are compiled: -DFACET_CUDA_ARCHITECTURES=all for every one that is
# supported in one fat binary, or a list as CMAKE_CUDA_ARCHITECTURES takes it. By default the machine's
# own, and 90a (Hopper) where there is none.
set(FACET_CUDA_ARCHITECTURES "" CACHE STRING "all, or a list like 80;90a; empty: this machine's")
set(facet_cuda_all 80-real 89-real 90a-real 100-real 120)
if(FACET_CUDA_ARCHITECTURES STREQUAL "all")
  set(CMAKE_CUDA_ARCHITECTURES ${facet_cuda_all})
elseif(FACET_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES ${FACET_CUDA_ARCHITECTURES})
else()
  execute_process(COMMAND nvidia-smi --query-gpu=compute_cap --format=csv,noheader
    OUTPUT_VARIABLE facet_capabilities ERROR_QUIET RESULT_VARIABLE facet_no_gpu)
  set(CMAKE_CUDA_ARCHITECTURES 90a)
  if(facet_no_gpu EQUAL 0 AND facet_capabilities MATCHES "^([0-9]+)\\.([0-9])")
    set(CMAKE_CUDA_ARCHITECTURES "${CMAKE_MATCH_1}${CMAKE_MATCH_2}")
    if(CMAKE_CUDA_ARCHITECTURES STREQUAL "90")
      set(CMAKE_CUDA_ARCHITECTURES 90a)
    endif()
  endif()
endif()
message(STATUS "CUDA architectures: ${CMAKE_CUDA_ARCHITECTURES}")
