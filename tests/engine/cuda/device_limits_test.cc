// What a device does at most, on the emulated one: that it is measured, and what is said where it
// cannot be.
#include "engine/cuda/device_limits.h"

#include "tests/support/catch.h"
#include "tests/support/cuda_on_cpu/control.h"

#include <string>

namespace facet::engine::cuda {

TEST_CASE("a device's copy is measured, and its memory given back", "[cuda]") {
  cuda_on_cpu::reset();
  const auto limits = measure_device_limits(0, 1 << 20);
  REQUIRE(limits.has_value());
  CHECK(limits->copy_gb_per_s > 0.0);
  CHECK(cuda_on_cpu::counts().allocated_bytes == 0);
}

TEST_CASE("a device that cannot be measured is an error that says why", "[cuda]") {
  cuda_on_cpu::reset({.memory_bytes = std::size_t{3} << 20});
  const auto small = measure_device_limits(0, std::size_t{2} << 20);
  REQUIRE(!small.has_value());
  CHECK(small.error().code == Code::unavailable);
  CHECK(small.error().message.find("2097152 bytes") != std::string::npos);
  CHECK(cuda_on_cpu::counts().allocated_bytes == 0);
  const auto missing = measure_device_limits(9, 1 << 20);
  REQUIRE(!missing.has_value());
  CHECK(missing.error().message.find("cuda:9") != std::string::npos);
  cuda_on_cpu::reset();
  cuda_on_cpu::fail_call("cudaMemcpyAsync", cudaErrorIllegalAddress, 3);
  CHECK(measure_device_limits(0, 1 << 20).error().code == Code::unavailable);
  cuda_on_cpu::reset();
}

}  // namespace facet::engine::cuda
