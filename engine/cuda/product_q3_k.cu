// The product kernel of a decode step for weights of layout q3_k.
#include "engine/cuda/product.cuh"

namespace facet::engine::cuda {

Status launch_product_q3_k(const ProductArgs& args, const LaunchOrder& order) {
  return launch_product_of<Layout::q3_k>(args, order);
}

}  // namespace facet::engine::cuda
