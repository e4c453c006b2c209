// A chat model with tiny random weights: what it says is noise, what holds it is real.
#pragma once

#include "agent/local_chat_model.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"

#include <memory>
#include <string_view>
#include <utility>

namespace facet::test {

inline std::unique_ptr<agent::LocalChatModel> tiny_chat_model(std::string_view dialect = {}) {
  const TempDir dir;
  write_tiny_gguf(dir.path() / "tiny.gguf", {.context_tokens_max = 2048});
  auto engine = engine::Engine::load({.model = dir.path() / "tiny.gguf", .threads = 1});
  REQUIRE(engine);
  auto model = agent::LocalChatModel::create(*engine, dialect);
  REQUIRE(model);
  return *std::move(model);
}

}  // namespace facet::test
