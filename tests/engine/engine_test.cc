#include "engine/engine.h"

#include "tests/support/catch.h"
#include "tests/support/model_files.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"

#include <cmath>
#include <cstdlib>
#include <numeric>

namespace facet::engine {
namespace {

struct Loaded {
  std::unique_ptr<test::TempDir> folder;
  std::shared_ptr<Engine> engine;
};

Loaded load_tiny(const test::TinyModel& model = {}, std::int64_t context = 0) {
  Loaded out{.folder = std::make_unique<test::TempDir>()};
  const auto path = out.folder->path() / "tiny.gguf";
  test::write_tiny_gguf(path, model);
  auto engine = Engine::load(
      {.model = path, .threads = 1, .context_tokens_max = context, .prefill_chunk_tokens = 16});
  if (!engine) FAIL(engine.error().message);
  out.engine = *engine;
  return out;
}

GenerateRequest greedy(std::int64_t tokens) {
  GenerateRequest request;
  request.tokens_max = tokens;
  request.sampling.temperature = 0.0F;
  return request;
}

std::vector<TokenId> prompt_ids(std::size_t count) {
  std::vector<TokenId> out(count, 2);
  for (std::size_t i = 1; i < count; ++i) out[i] = static_cast<TokenId>(200 + i * 37 % 150);
  return out;
}

Sequence started(const Engine& engine, std::size_t tokens = 10) {
  Sequence sequence = engine.new_sequence();
  REQUIRE(sequence.append(prompt_ids(tokens)).has_value());
  return sequence;
}

/// Allows only ids that are multiples of three; open until three tokens have come.
class FakeConstraint final : public Constraint {
 public:
  [[nodiscard]] bool allows(TokenId token) const override { return token % 3 == 0; }
  Status accept(TokenId token) override {
    if (!allows(token)) return Error{Code::invalid_argument, "not a multiple of three"};
    ++accepted_;
    return ok();
  }
  [[nodiscard]] bool is_open() const override { return accepted_ < 3; }
  [[nodiscard]] std::unique_ptr<Constraint> clone() const override {
    auto copy = std::make_unique<FakeConstraint>();
    copy->accepted_ = accepted_;
    return copy;
  }
  [[nodiscard]] std::vector<std::uint64_t> mask() const override { return {}; }
  [[nodiscard]] int accepted() const { return accepted_; }

 private:
  int accepted_ = 0;
};

/// Forbids everything.
class ClosedConstraint final : public Constraint {
 public:
  [[nodiscard]] bool allows(TokenId) const override { return false; }
  Status accept(TokenId) override { return ok(); }
  [[nodiscard]] bool is_open() const override { return true; }
  [[nodiscard]] std::unique_ptr<Constraint> clone() const override {
    return std::make_unique<ClosedConstraint>();
  }
  [[nodiscard]] std::vector<std::uint64_t> mask() const override { return {}; }
};

/// Sets FACET_CPU for the life of the object.
class ForcedCpu {
 public:
  explicit ForcedCpu(const char* name) { ::setenv("FACET_CPU", name, 1); }
  ForcedCpu(const ForcedCpu&) = delete;
  ForcedCpu& operator=(const ForcedCpu&) = delete;
  ~ForcedCpu() { ::unsetenv("FACET_CPU"); }
};

}  // namespace

TEST_CASE("generation appends what it samples and is the same with a prefix at hand",
          "[engine][unit]") {
  const Loaded loaded = load_tiny();
  Sequence first = started(*loaded.engine, 30);
  const auto once = loaded.engine->generate(first, greedy(12));
  REQUIRE(once.has_value());
  CHECK(once->ids.size() == 12);
  CHECK(once->finish_reason == FinishReason::length);
  CHECK(first.tokens().size() == 42);
  CHECK(first.computed_tokens() == 42);

  // The same prompt, with 20 of its tokens coming from another sequence's cache.
  Sequence base = started(*loaded.engine, 20);
  Sequence second = base.fork();
  const std::vector<TokenId> whole = prompt_ids(30);
  REQUIRE(second.append(std::span(whole).subspan(20)).has_value());
  const auto again = loaded.engine->generate(second, greedy(12));
  REQUIRE(again.has_value());
  CHECK(again->ids == once->ids);
  CHECK(again->text == once->text);
  CHECK(second.computed_tokens() == 22);
}

TEST_CASE("the stop token ends the text and stays in the sequence", "[engine][unit]") {
  const Loaded loaded = load_tiny();
  Sequence probe = started(*loaded.engine);
  const auto free = loaded.engine->generate(probe, greedy(6));
  REQUIRE(free.has_value());
  GenerateRequest request = greedy(6);
  request.stop_ids = {free->ids[3]};
  const auto first = std::find(free->ids.begin(), free->ids.end(), free->ids[3]);
  const auto count = static_cast<std::size_t>(first - free->ids.begin()) + 1;
  Sequence sequence = started(*loaded.engine);
  const auto stopped = loaded.engine->generate(sequence, request);
  REQUIRE(stopped.has_value());
  CHECK(stopped->finish_reason == FinishReason::stop);
  CHECK(stopped->ids.size() == count);
  CHECK(sequence.tokens().back() == free->ids[3]);
  CHECK(free->text.substr(0, stopped->text.size()) == stopped->text);
}

TEST_CASE("streamed pieces add up to the text", "[engine][unit]") {
  const Loaded loaded = load_tiny();
  GenerateRequest request;
  request.tokens_max = 60;
  request.sampling = {.temperature = 2.0F, .top_k = 0, .top_p = 1.0F, .seed = 5};
  Sequence sequence = started(*loaded.engine);
  std::string streamed;
  const auto result =
      loaded.engine->generate(sequence, request, [&](std::string_view text, TokenId) {
        CHECK(!text.empty());
        streamed += text;
        return true;
      });
  REQUIRE(result.has_value());
  CHECK(streamed == result->text);
  CHECK(!streamed.empty());

  Sequence repeat = started(*loaded.engine);
  const auto again = loaded.engine->generate(repeat, request);
  REQUIRE(again.has_value());
  CHECK(again->ids == result->ids);
}

TEST_CASE("a sink that has enough is not called again", "[engine][unit]") {
  const Loaded loaded = load_tiny();
  Sequence sequence = started(*loaded.engine);
  int calls = 0;
  const auto result =
      loaded.engine->generate(sequence, greedy(100), [&](std::string_view, TokenId) {
        ++calls;
        return calls < 3;
      });
  REQUIRE(result.has_value());
  CHECK(result->finish_reason == FinishReason::cancelled);
  CHECK(calls == 3);
  CHECK(sequence.tokens().size() == 10 + result->ids.size());
}

TEST_CASE("stop requests, deadlines and the context's end are finish reasons", "[engine][unit]") {
  const Loaded loaded = load_tiny({}, 16);
  Sequence sequence = started(*loaded.engine);
  GenerateRequest request = greedy(100);
  std::stop_source source;
  source.request_stop();
  request.stop = source.get_token();
  CHECK(loaded.engine->generate(sequence, request)->finish_reason == FinishReason::cancelled);

  const auto full = loaded.engine->generate(sequence, greedy(100));
  REQUIRE(full.has_value());
  CHECK(full->finish_reason == FinishReason::length);
  CHECK(full->ids.size() == 6);
  CHECK(sequence.tokens().size() == 16);

  const Loaded wide = load_tiny({.context_tokens_max = 100000});
  Sequence slow = started(*wide.engine);
  GenerateRequest timed = greedy(99990);
  timed.time_max = std::chrono::milliseconds(1);
  CHECK(wide.engine->generate(slow, timed)->finish_reason == FinishReason::timeout);
}

TEST_CASE("a constraint rules every token and holds back stop tokens while open",
          "[engine][unit]") {
  const Loaded loaded = load_tiny();
  Sequence sequence = started(*loaded.engine);
  FakeConstraint constraint;
  GenerateRequest request = greedy(20);
  request.constraint = &constraint;
  // All allowed ids are stop ids: refused while open, so three others would be needed first.
  for (TokenId id = 0; id < loaded.engine->info().vocabulary; id += 3) {
    request.stop_ids.push_back(id);
  }
  request.stop_ids.erase(request.stop_ids.begin() + 70);  // 210 stays free.
  const auto result = loaded.engine->generate(sequence, request);
  REQUIRE(result.has_value());
  CHECK(result->finish_reason == FinishReason::stop);
  REQUIRE(result->ids.size() >= 4);
  for (std::size_t i = 0; i < 3; ++i) CHECK(result->ids[i] == 210);
  CHECK(constraint.accepted() == static_cast<int>(result->ids.size()));

  ClosedConstraint closed;
  request.constraint = &closed;
  const auto stuck = loaded.engine->generate(sequence, request);
  REQUIRE(!stuck.has_value());
  CHECK(stuck.error().code == Code::invalid_data);
}

TEST_CASE("an output that its grammar ends has stopped by itself", "[engine][unit]") {
  const Loaded loaded = load_tiny();
  Grammar grammar;
  grammar.set_root(grammar.choice({grammar.literal("yes"), grammar.literal("no")}));
  const ConstraintFactory factory(loaded.engine->tokenizer());
  const auto constraint =
      *factory.make(grammar, {.free_control = {"<end_of_turn>"}, .free_after = false});
  Sequence sequence = started(*loaded.engine);
  GenerateRequest request = greedy(50);
  request.stop_ids = {*loaded.engine->tokenizer().find_token("<end_of_turn>")};
  request.constraint = constraint.get();
  const auto result = loaded.engine->generate(sequence, request);
  REQUIRE(result.has_value());
  CHECK(result->finish_reason == FinishReason::stop);
  CHECK((result->text == "yes" || result->text == "no"));
}

TEST_CASE("an output with room for its grammar is never cut off in the middle", "[engine][unit]") {
  const Loaded loaded = load_tiny();
  const Tokenizer& tokenizer = loaded.engine->tokenizer();
  Grammar grammar;
  const Grammar::Node word = grammar.repeat(grammar.bytes("abcdefgh \"<{"), 2, 400);
  grammar.set_root(
      grammar.sequence({grammar.literal("{name: "),
                        word,
                        grammar.literal(", done: "),
                        grammar.choice({grammar.literal("yes"), grammar.literal("no")}),
                        grammar.literal("}")}));
  const TokenId stop = *tokenizer.find_token("<end_of_turn>");
  const ConstraintFactory factory(tokenizer);
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    auto made = factory.make(grammar, {.free_control = {"<end_of_turn>"}, .free_after = false});
    REQUIRE(made);
    const auto constraint = *std::move(made);
    const std::int64_t least = constraint->shortest();
    CHECK(least == 20);
    Sequence sequence = started(*loaded.engine);
    GenerateRequest request = greedy(least + 1 + static_cast<std::int64_t>(seed) * 9);
    request.sampling = {.temperature = 1.5F, .top_k = 0, .top_p = 1.0F, .seed = seed};
    request.stop_ids = {stop};
    request.constraint = constraint.get();
    request.jump_forward = seed % 2 == 0;
    const auto result = loaded.engine->generate(sequence, request);
    INFO("seed " << seed << (result ? "" : ": " + result.error().message));
    REQUIRE(result.has_value());
    INFO(result->text);
    // Without a token to spare the end comes for want of room, and that is said.
    if (seed == 0) CHECK(result->finish_reason == FinishReason::length);
    CHECK(result->ids.back() == stop);
    CHECK_FALSE(constraint->is_open());
    CHECK(result->text.starts_with("{name: "));
    CHECK(result->text.ends_with("}"));
    CHECK((result->forced_tokens > 0) == request.jump_forward);
    CHECK(sequence.tokens().size() == 10 + result->ids.size());
  }
}

TEST_CASE("requests that can never be right are refused", "[engine][unit]") {
  const Loaded loaded = load_tiny();
  Sequence empty = loaded.engine->new_sequence();
  CHECK(loaded.engine->generate(empty, greedy(5)).error().code == Code::invalid_argument);
  Sequence sequence = started(*loaded.engine);
  CHECK(loaded.engine->generate(sequence, greedy(-1)).error().code == Code::invalid_argument);
  GenerateRequest request = greedy(5);
  request.sampling.top_p = 7.0F;
  CHECK(loaded.engine->generate(sequence, request).error().code == Code::invalid_argument);
  const auto none = loaded.engine->generate(sequence, greedy(0));
  REQUIRE(none.has_value());
  CHECK(none->ids.empty());
}

TEST_CASE("weights that are not numbers are an error, not an answer", "[engine][unit]") {
  const test::TempDir folder;
  const auto path = folder.path() / "nan.gguf";
  auto writer = test::tiny_gguf({});
  std::string& norm = writer.tensor("output_norm.weight").bytes;
  const std::vector<float> nans(norm.size() / sizeof(float), std::nanf(""));
  norm = test::encode_values(DType::f32, nans);
  test::write_bytes(path, writer.bytes());
  const auto engine = Engine::load({.model = path, .threads = 1});
  if (!engine) {
    CHECK(engine.error().code == Code::invalid_data);
    return;
  }
  Sequence sequence = started(**engine);
  const auto result = (*engine)->generate(sequence, greedy(5));
  REQUIRE(!result.has_value());
  CHECK(result.error().code == Code::invalid_data);
  CHECK(sequence.tokens().size() == 10);
}

TEST_CASE("an embedder gives unit vectors that depend on the text", "[engine][unit]") {
  const Loaded loaded = load_tiny({.is_embedder = true, .dense_hidden = 128});
  CHECK(loaded.engine->info().is_embedder);
  const auto a = loaded.engine->embed(prompt_ids(20));
  const auto b = loaded.engine->embed(prompt_ids(21));
  REQUIRE(a.has_value());
  REQUIRE(b.has_value());
  CHECK(a->size() == static_cast<std::size_t>(loaded.engine->info().embedding_dim));
  CHECK(std::inner_product(a->begin(), a->end(), a->begin(), 0.0) == Approx(1.0));
  CHECK(*a != *b);
  CHECK(*a == *loaded.engine->embed(prompt_ids(20)));
  CHECK(loaded.engine->embed({}).error().code == Code::invalid_argument);
  CHECK(loaded.engine->embed(prompt_ids(257)).error().code == Code::limit_exceeded);
  CHECK(loaded.engine->embed(std::vector<TokenId>{-4}).error().code == Code::invalid_argument);
  CHECK(loaded.engine->restore("x").error().code == Code::unsupported);
}

TEST_CASE("load options and FACET_CPU are checked", "[engine][unit]") {
  const test::TempDir folder;
  const auto path = folder.path() / "tiny.gguf";
  test::write_tiny_gguf(path, {});
  const auto code = [&](const EngineOptions& options) {
    const auto engine = Engine::load(options);
    return engine ? "loaded" : code_name(engine.error().code);
  };
  CHECK(code({.model = path, .threads = -1}) == "invalid_argument");
  CHECK(code({.model = path, .context_tokens_max = 257}) == "invalid_argument");
  CHECK(code({.model = path, .prefill_chunk_tokens = 0}) == "invalid_argument");
  CHECK(code({.model = folder.path() / "none.gguf"}) == "not_found");
  {
    const ForcedCpu forced("mmx");
    CHECK(code({.model = path}) == "invalid_argument");
  }
  const ForcedCpu forced("portable");
  const auto engine = Engine::load({.model = path});
  REQUIRE(engine.has_value());
  CHECK((*engine)->info().cpu_path == "portable");
}

TEST_CASE("info tells what the cache costs", "[engine][unit]") {
  const Loaded loaded = load_tiny();
  const ModelInfo& info = loaded.engine->info();
  // One global layer: keys and values, 2 kv heads, head_dim 32, f32.
  CHECK(info.kv_bytes_per_token == 2 * 2 * 32 * 4);
  // Two sliding layers: 8 - 1 + 64 + 16 positions are 2 pages of 64, and one more.
  CHECK(info.kv_bytes_fixed == 2 * 3 * 64 * (2 * 2 * 32 * 4));
  CHECK(info.context_tokens_max == 256);
}

TEST_CASE("a saved sequence goes on in another engine of the same model", "[engine][unit]") {
  const Loaded one = load_tiny();
  const Loaded two = load_tiny();
  Sequence sequence = started(*one.engine, 40);
  const auto path = one.folder->path() / "saved.kv";
  REQUIRE(sequence.save(path).has_value());
  const auto expected = one.engine->generate(sequence, greedy(8));
  auto restored = two.engine->restore(path);
  REQUIRE(restored.has_value());
  const auto result = two.engine->generate(*restored, greedy(8));
  REQUIRE(expected.has_value());
  REQUIRE(result.has_value());
  CHECK(result->ids == expected->ids);
  const Loaded other = load_tiny({.seed = 9});
  CHECK(other.engine->restore(path).error().code == Code::unsupported);
}

}  // namespace facet::engine
