// A whole engine on the emulated device that reads pictures: its tower is there, or it says that it
// is not.
#include "engine/cuda/plan.h"
#include "engine/cuda/support.h"
#include "engine/engine.h"
#include "engine/vision/image.h"
#include "engine/vision/soft_tokens.h"
#include "tests/support/catch.h"
#include "tests/support/cuda_on_cpu/control.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_multimodal.h"

#include <cmath>

namespace facet::engine {
namespace {

using test::gradient;

/// A text model and its tower as two files.
struct Files {
  test::TempDir folder;
  test::TinyModel model;
  std::filesystem::path text = folder.path() / "text.gguf";
  std::filesystem::path tower = folder.path() / "mmproj.gguf";

  Files() {
    test::write_tiny_gguf(text, model);
    test::write_bytes(tower, test::vision_gguf(test::tiny_vision_config(model)).bytes());
  }

  [[nodiscard]] std::shared_ptr<Engine> load(const std::string& device) const {
    auto engine = Engine::load({.model = text,
                                .vision = tower,
                                .threads = 1,
                                .context_tokens_max = 256,
                                .prefill_chunk_tokens = 64,
                                .prefix_bytes_max = 0,
                                .device = device,
                                .cuda = &cuda::cuda_support()});
    if (!engine) FAIL(engine.error().message);
    return *engine;
  }
};

std::vector<float> tokens_of(const Engine& engine) {
  const auto image = engine.encode_image(gradient(50, 30));
  if (!image) FAIL(image.error().message);
  return (*image)->values;
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double wrong = 0.0;
  double all = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    wrong += (double{a[i]} - double{b[i]}) * (double{a[i]} - double{b[i]});
    all += double{b[i]} * double{b[i]};
  }
  return std::sqrt(wrong / all);
}

}  // namespace

TEST_CASE("pictures are read on the device, as on the CPU", "[cuda][vision]") {
  cuda_on_cpu::reset();
  const Files files;
  const auto device = files.load("cuda");
  CHECK(device->info().vision_note.empty());
  const auto kernels = cuda_on_cpu::counts().kernels;
  const std::vector<float> found = tokens_of(*device);
  CHECK(cuda_on_cpu::counts().kernels > kernels);
  CHECK(found == tokens_of(*device));
  CHECK(distance(found, tokens_of(*files.load("cpu"))) < 2e-2);
}

TEST_CASE("a device without room for the tower says so and leaves it to the CPU",
          "[cuda][vision]") {
  cuda_on_cpu::reset();
  const Files files;
  const auto cpu = files.load("cpu");
  const cuda::MemoryPlan plan = cpu->device_plan({.context_tokens_max = 256, .rows_max = 96});
  cuda_on_cpu::reset({.memory_bytes = static_cast<std::size_t>(plan.device_bytes_min()) + 4096});
  {
    const auto device = files.load("cuda");
    CHECK(device->info().device.starts_with("cuda:0"));
    CHECK(device->info().vision_note.find("no room") != std::string::npos);
    CHECK(tokens_of(*device) == tokens_of(*cpu));
  }
  cuda_on_cpu::reset();
}

TEST_CASE("a tower whose kernel fails ends the device's work", "[cuda][vision]") {
  cuda_on_cpu::reset();
  {
    const Files files;
    const auto device = files.load("cuda");
    cuda_on_cpu::break_kernel(cudaErrorIllegalAddress, 5);
    for (int i = 0; i < 2; ++i) {
      const auto image = device->encode_image(gradient(20, 20));
      REQUIRE(!image.has_value());
      CHECK(image.error().code == Code::unavailable);
    }
    Sequence sequence = device->new_sequence();
    const TokenId id = 3;
    CHECK(sequence.append(std::span(&id, 1)).error().code == Code::unavailable);
  }
  cuda_on_cpu::reset();
}

}  // namespace facet::engine
