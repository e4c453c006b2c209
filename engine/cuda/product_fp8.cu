// The product kernel of a decode step for weights of layout fp8.
#include "engine/cuda/product.cuh"

namespace facet::engine::cuda {

Status launch_product_fp8(const ProductArgs& args, const LaunchOrder& order) {
  return launch_product_of<Layout::fp8>(args, order);
}

}  // namespace facet::engine::cuda
