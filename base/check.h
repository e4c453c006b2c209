// CHECK: states an invariant whose failure is a bug in Facet, never a property of the input.
#pragma once

namespace facet {

/// Writes `file:line: CHECK failed: expression` to stderr and aborts.
[[noreturn]] void check_failed(const char* file, int line, const char* expression) noexcept;

}  // namespace facet

/// Aborts when `condition` is false. Stays on in release builds; keep it out of inner loops.
#define CHECK_INVARIANT_(condition) \
  ((condition) ? static_cast<void>(0) : ::facet::check_failed(__FILE__, __LINE__, #condition))
#define FACET_CHECK(condition) CHECK_INVARIANT_(condition)
