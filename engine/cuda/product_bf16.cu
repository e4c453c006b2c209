// The product kernel of a decode step for weights of layout bf16.
#include "engine/cuda/product.cuh"

namespace facet::engine::cuda {

Status launch_product_bf16(const ProductArgs& args, const LaunchOrder& order) {
  return launch_product_of<Layout::bf16>(args, order);
}

}  // namespace facet::engine::cuda
