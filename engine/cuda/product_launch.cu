// Which kernel a product is, and whether the device has room for it.
#include "engine/cuda/product.cuh"

namespace facet::engine::cuda {

Result<DeviceLimits> device_limits() {
  DeviceLimits out;
  int device = 0;
  FACET_TRY_STATUS(to_status(cudaGetDevice(&device), "current device"));
  FACET_TRY_STATUS(
      to_status(cudaDeviceGetAttribute(
                    &out.shared_bytes_max, cudaDevAttrMaxSharedMemoryPerBlockOptin, device),
                "shared memory of the device"));
  FACET_TRY_STATUS(to_status(
      cudaDeviceGetAttribute(&out.multiprocessors, cudaDevAttrMultiProcessorCount, device),
      "multiprocessors of the device"));
  out.shared_bytes_max -= static_cast<int>(kSharedBytesStatic);
  return out;
}

std::int64_t product_shared_bytes(Layout layout, const ProductArgs& args) {
  switch (layout) {
    case Layout::f32:
      return product_bytes<Layout::f32>(args);
    case Layout::f16:
      return product_bytes<Layout::f16>(args);
    case Layout::bf16:
      return product_bytes<Layout::bf16>(args);
    case Layout::fp8:
      return product_bytes<Layout::fp8>(args);
    case Layout::q8:
      return product_bytes<Layout::q8>(args);
    case Layout::q8_min:
      return product_bytes<Layout::q8_min>(args);
    case Layout::q4:
      return product_bytes<Layout::q4>(args);
    case Layout::q2_k:
      return product_bytes<Layout::q2_k>(args);
    case Layout::q3_k:
      return product_bytes<Layout::q3_k>(args);
    case Layout::q4_k:
      return product_bytes<Layout::q4_k>(args);
    case Layout::q5_k:
      return product_bytes<Layout::q5_k>(args);
    case Layout::q6_k:
      return product_bytes<Layout::q6_k>(args);
  }
  return 0;
}

Status launch_product(Layout layout, const ProductArgs& args, const LaunchOrder& order) {
  using Launch = Status (*)(const ProductArgs&, const LaunchOrder&);
  // In the order of Layout.
  constexpr Launch kLaunches[] = {launch_product_f32,
                                  launch_product_f16,
                                  launch_product_bf16,
                                  launch_product_fp8,
                                  launch_product_q8,
                                  launch_product_q8_min,
                                  launch_product_q4,
                                  launch_product_q2_k,
                                  launch_product_q3_k,
                                  launch_product_q4_k,
                                  launch_product_q5_k,
                                  launch_product_q6_k};
  return kLaunches[static_cast<int>(layout)](args, order);
}

}  // namespace facet::engine::cuda
