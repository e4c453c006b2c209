// The product kernel of a decode step for weights of layout q8_min.
#include "engine/cuda/product.cuh"

namespace facet::engine::cuda {

Status launch_product_q8_min(const ProductArgs& args, const LaunchOrder& order) {
  return launch_product_of<Layout::q8_min>(args, order);
}

}  // namespace facet::engine::cuda
