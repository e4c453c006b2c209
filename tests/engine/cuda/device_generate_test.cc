// Generation on a device: the best candidates come to the host in place of logits, and nobody can
// tell by the text.
#include "engine/cuda/sampling.h"
#include "engine/generate.h"
#include "tests/engine/cuda/device_runtime.h"
#include "tests/support/cuda_on_cpu/control.h"
#include "tests/support/small_constraints.h"

#include <optional>

namespace facet::engine {
namespace {

using test::letters;
using test::on_cpu;
using test::on_device;
using test::random_ids;

struct Output {
  GenerateResult result;
  std::vector<TokenId> tokens;
  std::vector<float> logits;  ///< After it.
  std::int64_t computed = 0;
  std::size_t bytes_to_host = 0;
};

/// `request` behind `prompt`; its constraint is cloned.
Output output_of(const std::shared_ptr<const Runtime>& runtime,
                 std::span<const TokenId> prompt,
                 GenerateRequest request) {
  const test::FakeTokenizer tokenizer = letters();
  Sequence sequence = test::make_sequence(runtime);
  REQUIRE(sequence.append(prompt).has_value());
  std::unique_ptr<Constraint> constraint;
  if (request.constraint != nullptr) constraint = request.constraint->clone();
  request.constraint = constraint.get();
  const auto before = cuda_on_cpu::counts().bytes_to_host;
  auto result = generate(sequence.state(), tokenizer, request, {});
  const auto after = cuda_on_cpu::counts().bytes_to_host;
  INFO((result ? "" : result.error().message));
  REQUIRE(result.has_value());
  Output out{.result = *std::move(result),
             .computed = sequence.computed_tokens(),
             .bytes_to_host = after - before};
  out.tokens.assign(sequence.tokens().begin(), sequence.tokens().end());
  out.logits = test::logits_of(sequence);
  return out;
}

/// A text of few words that repeats, so that guesses are made.
std::vector<TokenId> repeating_prompt(unsigned seed) {
  std::mt19937 random(seed);
  std::vector<TokenId> out{64};
  while (out.size() < 30) out.push_back(10 + static_cast<TokenId>(random() % 3U));
  return out;
}

void check_same(const Output& found, const Output& expected) {
  CHECK(found.result.ids == expected.result.ids);
  CHECK(found.result.text == expected.result.text);
  CHECK(found.result.finish_reason == expected.result.finish_reason);
  CHECK(found.result.forced_tokens == expected.result.forced_tokens);
  CHECK(found.tokens == expected.tokens);
  CHECK(found.logits == expected.logits);
}

}  // namespace

TEST_CASE("candidates give the text that logits give", "[cuda]") {
  cuda_on_cpu::reset();
  const auto runtime = on_device({.type = DType::bf16, .layers = 2, .window = 20, .seed = 61});
  struct Case {
    const char* name;
    SamplingOptions sampling;
  };
  const Case cases[] = {
      {"greedy", {.temperature = 0.0F}},
      {"greedy with penalty", {.temperature = 0.0F, .repetition_penalty = 1.4F}},
      {"sampled", {.temperature = 1.0F, .top_k = 20, .top_p = 0.9F, .seed = 5}},
      {"sampled with penalty",
       {.temperature = 2.0F, .top_k = 64, .min_p = 0.01F, .repetition_penalty = 1.2F, .seed = 6}},
      {"sampled from all", {.temperature = 1.0F, .top_k = 0, .seed = 7}}};
  for (const Case& given : cases) {
    for (const int drafts : {0, 6}) {
      GenerateRequest request{.tokens_max = 16, .sampling = given.sampling};
      request.stop_ids = {65};
      request.draft_tokens_max = drafts;
      const auto prompt = repeating_prompt(61);
      const Output found = output_of(runtime, prompt, request);
      request.candidates = false;
      const Output expected = output_of(runtime, prompt, request);
      INFO(given.name << ", " << drafts << " drafts");
      check_same(found, expected);
      if (drafts == 0) CHECK(found.computed == expected.computed);
    }
  }
}

TEST_CASE("candidates keep to a constraint as logits do", "[cuda]") {
  cuda_on_cpu::reset();
  const auto runtime = on_device({.type = DType::bf16, .layers = 2, .window = 20, .seed = 62});
  const test::FakeTokenizer tokenizer = letters();
  Grammar grammar;
  const auto digit = grammar.bytes("0123456789");
  const auto number = grammar.repeat(digit, 2, 6);
  grammar.set_root(grammar.sequence({grammar.literal("(A="), number, grammar.literal(")")}));
  const auto plain =
      test::constraint_of(grammar, tokenizer, {.free_control = {"<end>"}, .free_after = false});
  const auto triggered = test::constraint_of(
      grammar, tokenizer, {.trigger = "<go>", .free_control = {"<go>", "<end>"}});
  int with_forced = 0;
  for (Constraint* const constraint : {plain.get(), triggered.get()}) {
    for (const float temperature : {0.0F, 1.5F}) {
      for (const int drafts : {0, 4}) {
        // With few tokens the constraint must come to its end.
        for (const std::int64_t tokens : {8, 20}) {
          GenerateRequest request{.tokens_max = tokens,
                                  .sampling = {.temperature = temperature, .top_k = 30, .seed = 9}};
          request.stop_ids = {65};
          request.constraint = constraint;
          request.draft_tokens_max = drafts;
          const auto prompt = repeating_prompt(63);
          const Output found = output_of(runtime, prompt, request);
          request.candidates = false;
          const Output expected = output_of(runtime, prompt, request);
          INFO(temperature << ", drafts " << drafts << ", tokens " << tokens);
          check_same(found, expected);
          if (found.result.forced_tokens > 0) ++with_forced;
        }
      }
    }
  }
  CHECK(with_forced > 0);
}

TEST_CASE("a step brings candidates to the host and no logits", "[cuda]") {
  cuda_on_cpu::reset();
  const auto runtime = on_device({.layers = 2, .window = 20, .seed = 64});
  GenerateRequest request{.tokens_max = 9, .sampling = {.temperature = 0.0F}};
  request.draft_tokens_max = 0;
  const auto prompt = repeating_prompt(64);
  const Output found = output_of(runtime, prompt, request);
  CHECK(found.result.ids.size() == 9);
  // The logits behind the last token stay for whoever goes on.
  CHECK(found.bytes_to_host == 8 * sizeof(cuda::RowFound) + 70 * sizeof(float));
  request.candidates = false;
  CHECK(output_of(runtime, prompt, request).bytes_to_host == 9 * 70 * sizeof(float));
}

TEST_CASE("greedy text is the CPU's where the logits are as good as equal", "[cuda]") {
  cuda_on_cpu::reset();
  const test::DeviceOptions options{.kv_type = KvType::f32, .float_activations = true};
  for (const unsigned seed : {71U, 72U, 73U}) {
    const test::MemoryModelOptions model{.type = DType::f32, .layers = 2, .seed = seed};
    GenerateRequest request{.tokens_max = 24, .sampling = {.temperature = 0.0F}};
    const auto prompt = repeating_prompt(seed);
    const Output device = output_of(on_device(model, options), prompt, request);
    const Output cpu = output_of(on_cpu(model, options), prompt, request);
    INFO("seed " << seed);
    CHECK(device.result.ids == cpu.result.ids);
    CHECK(device.result.ids.size() == 24);
  }
}

TEST_CASE("logits are there again after a generation that was cut short", "[cuda]") {
  cuda_on_cpu::reset();
  const auto runtime = on_device({.layers = 2, .window = 20, .seed = 65});
  const test::FakeTokenizer tokenizer = letters();
  Sequence sequence = test::make_sequence(runtime);
  REQUIRE(sequence.append(repeating_prompt(65)).has_value());
  int heard = 0;
  const auto result = generate(sequence.state(),
                               tokenizer,
                               {.tokens_max = 50, .sampling = {.temperature = 0.0F}},
                               [&](std::string_view, TokenId) { return ++heard < 5; });
  REQUIRE(result.has_value());
  CHECK(result->finish_reason == FinishReason::cancelled);
  const std::vector<TokenId> tokens(sequence.tokens().begin(), sequence.tokens().end());
  CHECK(test::logits_of(sequence) == test::fresh_logits(runtime, tokens));
  const TokenId next = 7;
  REQUIRE(sequence.append(std::span(&next, 1)).has_value());
}

namespace {

/// Lets nothing through from the third token on.
class DeadEnd final : public Constraint {
 public:
  [[nodiscard]] bool allows(TokenId /*token*/) const override { return taken_ < 2; }
  Status accept(TokenId /*token*/) override {
    ++taken_;
    return ok();
  }
  [[nodiscard]] bool is_open() const override { return false; }
  [[nodiscard]] std::unique_ptr<Constraint> clone() const override {
    return std::make_unique<DeadEnd>(*this);
  }
  [[nodiscard]] std::vector<std::uint64_t> mask() const override {
    return {taken_ < 2 ? ~std::uint64_t{0} : 0, 0};
  }
  DeadEnd() = default;
  DeadEnd(const DeadEnd& other) : Constraint(), taken_(other.taken_) {}

 private:
  int taken_ = 0;
};

}  // namespace

TEST_CASE("a choice that the device cannot make is the error that logits give", "[cuda]") {
  cuda_on_cpu::reset();
  const auto runtime = on_device({.layers = 2, .seed = 66});
  const test::FakeTokenizer tokenizer = letters();
  std::string messages[2];
  for (const bool candidates : {true, false}) {
    Sequence sequence = test::make_sequence(runtime);
    REQUIRE(sequence.append(repeating_prompt(66)).has_value());
    DeadEnd constraint;
    GenerateRequest request{.tokens_max = 9, .constraint = &constraint};
    request.candidates = candidates;
    const auto result = generate(sequence.state(), tokenizer, request, {});
    REQUIRE(!result.has_value());
    CHECK(result.error().code == Code::invalid_data);
    messages[candidates ? 1 : 0] = result.error().message;
    CHECK(sequence.tokens().size() == 32);
  }
  CHECK(messages[0] == messages[1]);
  CHECK(messages[0].find("none of 66 tokens") != std::string::npos);
}

}  // namespace facet::engine
