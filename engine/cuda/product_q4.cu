// The product kernel of a decode step for weights of layout q4.
#include "engine/cuda/product.cuh"

namespace facet::engine::cuda {

Status launch_product_q4(const ProductArgs& args, const LaunchOrder& order) {
  return launch_product_of<Layout::q4>(args, order);
}

}  // namespace facet::engine::cuda
