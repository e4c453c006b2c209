// The product kernel of a decode step for weights of layout f32.
#include "engine/cuda/product.cuh"

namespace facet::engine::cuda {

Status launch_product_f32(const ProductArgs& args, const LaunchOrder& order) {
  return launch_product_of<Layout::f32>(args, order);
}

}  // namespace facet::engine::cuda
