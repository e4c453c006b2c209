// Every kernel under the emulation, with the threads of a block in several orders.
#include "tests/engine/cuda/checks.h"
#include "tests/support/catch.h"
#include "tests/support/cuda_on_cpu/block.h"
#include "tests/support/cuda_on_cpu/control.h"

#include <string>

namespace {

using facet::test::CheckOutcome;
using facet::test::KernelCheck;

void run_all(const std::vector<KernelCheck>& checks, std::uint64_t orders = 2) {
  for (const KernelCheck& check : checks) {
    DYNAMIC_SECTION(check.name) {
      for (std::uint64_t order = 0; order < orders; ++order) {
        cuda_on_cpu::reset();
        cuda_on_cpu::set_order(order);
        const CheckOutcome outcome = check.run();
        INFO("order of threads " << order << ", " << cuda_on_cpu::kernel_failure());
        CHECK(outcome.failure == "");
      }
      cuda_on_cpu::set_order(0);
    }
  }
}

TEST_CASE("what lies between the products agrees with the reference", "[cuda]") {
  run_all(facet::test::elementwise_checks());
}

TEST_CASE("products of a decode step agree with the reference", "[cuda]") {
  run_all(facet::test::product_checks());
}

TEST_CASE("attention of a decode step agrees with the reference", "[cuda]") {
  run_all(facet::test::attend_checks());
}

TEST_CASE("products and attention of many rows agree with the reference", "[cuda]") {
  run_all(facet::test::prefill_checks());
}

TEST_CASE("the device finds the candidates that sorting finds", "[cuda]") {
  run_all(facet::test::sampling_checks());
}

TEST_CASE("the vision tower on a device agrees with the reference", "[cuda]") {
  run_all(facet::test::vision_checks());
}

TEST_CASE("whole steps agree with the CPU engine", "[cuda]") {
  run_all(facet::test::backend_checks(), 1);
}

TEST_CASE("steps of many sequences agree with the CPU engine", "[cuda]") {
  run_all(facet::test::batch_checks(), 1);
}

TEST_CASE("steps that a device begins by itself are those of one that waits", "[cuda]") {
  run_all(facet::test::ahead_checks(), 1);
}

}  // namespace
