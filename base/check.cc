#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace facet {

void check_failed(const char* file, int line, const char* expression) noexcept {
  // The process is about to die of a bug: this line is the only place outside cli/ that prints.
  std::fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, expression);
  std::abort();
}

}  // namespace facet
