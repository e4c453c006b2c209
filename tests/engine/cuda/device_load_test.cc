// Engine::load with a device: when `auto` falls back to the CPU, and what is said then.
#include "engine/cuda/support.h"
#include "engine/engine.h"
#include "tests/support/catch.h"
#include "tests/support/cuda_on_cpu/control.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"

#include <cstdlib>
#include <string>
#include <vector>

namespace facet::engine {
namespace {

/// A tiny model's file, loaded on a machine with one emulated device.
class Machine {
 public:
  Machine() { test::write_tiny_gguf(path(), {.layers = 2}); }
  ~Machine() { cuda_on_cpu::reset(); }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  /// `broken_call`: of the CUDA runtime, the first of which fails; empty: none.
  [[nodiscard]] Result<std::shared_ptr<Engine>> load(const cuda_on_cpu::Device& device,
                                                     const char* asked,
                                                     const std::string& broken_call = {}) const {
    cuda_on_cpu::reset(device);
    if (!broken_call.empty()) cuda_on_cpu::fail_call(broken_call, cudaErrorMemoryAllocation);
    return Engine::load({.model = path(),
                         .threads = 1,
                         .context_tokens_max = 128,
                         .device = asked,
                         .cuda = &cuda::cuda_support()});
  }

 private:
  [[nodiscard]] std::filesystem::path path() const { return dir_.path() / "tiny.gguf"; }
  test::TempDir dir_;
};

constexpr cuda_on_cpu::Device kTooSmall{.memory_bytes = std::size_t{600} << 20};

}  // namespace

TEST_CASE("auto takes a device that can serve", "[cuda]") {
  const Machine machine;
  for (const char* asked : {"auto", "cuda", "cuda:0"}) {
    const auto engine = machine.load({}, asked);
    INFO((engine ? "" : engine.error().message));
    REQUIRE(engine.has_value());
    CHECK_THAT((*engine)->info().device, Catch::StartsWith("cuda:0 ("));
    CHECK((*engine)->info().device_note.empty());
  }
}

TEST_CASE("auto computes on the CPU where the device cannot serve, and says why", "[cuda]") {
  const Machine machine;
  struct Case {
    cuda_on_cpu::Device device;
    const char* reason;
  };
  const Case cases[] = {{{.driver_version = 0}, "no CUDA driver is installed"},
                        {{.driver_version = 12020}, "update NVIDIA's driver"},
                        {{.count = 0}, "no CUDA device"},
                        {{.major = 7, .minor = 5}, "too old"},
                        {{.has_kernel_image = false}, "-DFACET_CUDA_ARCHITECTURES="},
                        {{.is_busy = true}, "is busy"},
                        {kTooSmall, "too little memory"}};
  for (const Case& given : cases) {
    INFO(given.reason);
    const auto engine = machine.load(given.device, "auto");
    REQUIRE(engine.has_value());
    CHECK((*engine)->info().device == "cpu");
    CHECK_THAT((*engine)->info().device_note, Catch::Contains(given.reason));
    Sequence sequence = (*engine)->new_sequence();
    CHECK(sequence.append(std::vector<TokenId>{110, 123}).has_value());
    const auto refused = machine.load(given.device, "cuda");
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Code::unavailable);
    CHECK_THAT(refused.error().message, Catch::Contains(given.reason));
  }
}

TEST_CASE("a device that fails on the way is none, and auto says what to look at", "[cuda]") {
  const Machine machine;
  const auto counting = machine.load({}, "auto", "cudaGetDeviceCount");
  REQUIRE(counting.has_value());
  CHECK_THAT((*counting)->info().device_note, Catch::Contains("nvidia-smi"));
  const auto taking = machine.load({}, "auto", "cudaMalloc");
  REQUIRE(taking.has_value());
  CHECK((*taking)->info().device == "cpu");
  CHECK_THAT((*taking)->info().device_note, Catch::Contains("another process"));
}

TEST_CASE("what nobody could have meant is refused, auto or not", "[cuda]") {
  const Machine machine;
  CHECK(machine.load({}, "cuda:9").error().message.find("cuda:0 only") != std::string::npos);
  CHECK(machine.load({}, "tpu").error().code == Code::invalid_argument);
  ::setenv("FACET_CUDA_PRODUCTS", "nonsense", 1);
  CHECK(machine.load({}, "auto").error().code == Code::invalid_argument);
  ::unsetenv("FACET_CUDA_PRODUCTS");
}

}  // namespace facet::engine
