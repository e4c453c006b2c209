// Single steps of a backend, for tests that need no sequence around them.
#pragma once

#include "engine/backend.h"
#include "tests/support/catch.h"

#include <span>

namespace facet::test {

inline void append(engine::Backend& backend,
                   std::span<const engine::TokenId> ids,
                   engine::KvCache& cache,
                   std::span<float> logits) {
  const engine::StepItem item{.cache = &cache, .ids = ids, .logits = logits};
  REQUIRE(backend.step(std::span(&item, 1)).has_value());
}

inline void append_image(engine::Backend& backend,
                         std::span<const float> rows,
                         engine::KvCache& cache,
                         std::span<float> logits) {
  const engine::StepItem item{.cache = &cache, .image_rows = rows, .logits = logits};
  REQUIRE(backend.step(std::span(&item, 1)).has_value());
}

}  // namespace facet::test
