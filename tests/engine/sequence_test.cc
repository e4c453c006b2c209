#include "engine/cpu/instruction_sets.h"
#include "engine/engine.h"
#include "engine/sequence_state.h"
#include "tests/support/catch.h"
#include "tests/support/memory_model.h"
#include "tests/support/temp_dir.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <thread>

namespace facet::engine {
namespace {

using test::make_memory_model;
using test::random_ids;

std::shared_ptr<const Runtime> make_runtime(const test::MemoryModelOptions& options = {},
                                            std::int64_t context = 2000,
                                            std::int64_t chunk = 32) {
  const RuntimeOptions runtime{
      .threads = 2, .context_tokens_max = context, .prefill_chunk_tokens = chunk};
  return std::make_shared<const Runtime>(
      make_memory_model(options), *usable_ops().front(), runtime);
}

Sequence make_sequence(const std::shared_ptr<const Runtime>& runtime) {
  return Sequence(std::make_unique<SequenceState>(runtime));
}

/// The logits of `ids` in a new sequence: what every other way must equal bit for bit.
std::vector<float> fresh_logits(const std::shared_ptr<const Runtime>& runtime,
                                std::span<const TokenId> ids) {
  Sequence sequence = make_sequence(runtime);
  REQUIRE(sequence.append(ids).has_value());
  return {sequence.logits().value().begin(), sequence.logits().value().end()};
}

bool equal(std::span<const float> a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace

TEST_CASE("a sequence appended in pieces equals one appended at once", "[engine][unit]") {
  const auto runtime = make_runtime();
  std::mt19937 random(31);
  const std::vector<TokenId> ids = random_ids(200, random);
  const auto expected = fresh_logits(runtime, ids);
  Sequence sequence = make_sequence(runtime);
  for (std::size_t at = 0; at < ids.size(); at += 40) {
    REQUIRE(sequence.append(std::span(ids).subspan(at, 40)).has_value());
  }
  CHECK(equal(sequence.logits().value(), expected));
  CHECK(sequence.computed_tokens() == 200);
  CHECK(sequence.tokens().size() == 200);
  REQUIRE(sequence.append({}).has_value());
  CHECK(equal(sequence.logits().value(), expected));
}

TEST_CASE("a fork goes its own way and leaves the original alone", "[engine][unit]") {
  const auto runtime = make_runtime();
  std::mt19937 random(32);
  for (const std::size_t shared : {1U, 63U, 64U, 65U, 130U}) {
    const std::vector<TokenId> prefix = random_ids(shared, random);
    std::vector<TokenId> left = prefix;
    std::vector<TokenId> right = prefix;
    left.push_back(3);
    right.push_back(4);
    for (int i = 0; i < 70; ++i) right.push_back(i % 60);
    Sequence original = make_sequence(runtime);
    REQUIRE(original.append(prefix).has_value());
    Sequence fork = original.fork();
    CHECK(fork.computed_tokens() == 0);
    CHECK(equal(fork.logits().value(), fresh_logits(runtime, prefix)));
    REQUIRE(fork.append(std::span(right).subspan(shared)).has_value());
    REQUIRE(original.append(std::span(left).subspan(shared)).has_value());
    CHECK(equal(original.logits().value(), fresh_logits(runtime, left)));
    CHECK(equal(fork.logits().value(), fresh_logits(runtime, right)));
    CHECK(fork.computed_tokens() == 71);
  }
}

TEST_CASE("rewinding is as if the rest had never been there", "[engine][unit]") {
  const auto runtime = make_runtime();
  std::mt19937 random(33);
  const std::vector<TokenId> ids = random_ids(300, random);
  for (const std::size_t keep : {299U, 290U, 256U, 250U, 237U, 236U, 150U, 64U, 1U}) {
    INFO("rewind to " << keep);
    Sequence sequence = make_sequence(runtime);
    REQUIRE(sequence.append(ids).has_value());
    REQUIRE(sequence.rewind(keep).has_value());
    CHECK(sequence.tokens().size() == keep);
    CHECK(equal(sequence.logits().value(), fresh_logits(runtime, std::span(ids).first(keep))));
    std::vector<TokenId> other(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(keep));
    for (int i = 0; i < 9; ++i) other.push_back(i);
    REQUIRE(sequence.append(std::span(other).subspan(keep)).has_value());
    CHECK(equal(sequence.logits().value(), fresh_logits(runtime, other)));
  }
}

TEST_CASE("append_scored gives the logits of every position", "[engine][unit]") {
  const auto runtime = make_runtime();
  std::mt19937 random(36);
  const std::vector<TokenId> ids = random_ids(37, random);  // Two chunks of 16 and a part.
  Sequence sequence = make_sequence(runtime);
  REQUIRE(sequence.append(std::span(ids).first(3)).has_value());
  std::size_t seen = 3;
  const auto status = sequence.append_scored(
      std::span(ids).subspan(3), [&](std::span<const float> logits) -> Status {
        ++seen;
        INFO("after " << seen);
        CHECK(equal(logits, fresh_logits(runtime, std::span(ids).first(seen))));
        return ok();
      });
  REQUIRE(status.has_value());
  CHECK(seen == ids.size());
  CHECK(sequence.computed_tokens() == 37);
  CHECK(equal(sequence.logits().value(), fresh_logits(runtime, ids)));
  CHECK(sequence.computed_tokens() == 37);

  // An error of the sink ends it behind the chunk it was in.
  int rows = 0;
  const auto refused = sequence.append_scored(random_ids(40, random), [&](auto) -> Status {
    if (++rows == 18) return Error{Code::unavailable, "full"};
    return ok();
  });
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message == "full");
  CHECK(sequence.tokens().size() == 37 + 32);
  CHECK_FALSE(
      sequence.append_scored(std::vector<TokenId>{70}, [](auto) { return ok(); }).has_value());
  // Ids below 0 stand for images, which this call cannot take.
  CHECK_FALSE(
      sequence.append_scored(std::vector<TokenId>{-1}, [](auto) { return ok(); }).has_value());
}

TEST_CASE("small rewinds compute nothing again", "[engine][unit]") {
  const auto runtime = make_runtime();
  std::mt19937 random(34);
  Sequence sequence = make_sequence(runtime);
  REQUIRE(sequence.append(random_ids(300, random)).has_value());
  REQUIRE(sequence.rewind(300 - kRewindFreeTokens + 1).has_value());
  CHECK(sequence.computed_tokens() == 300);
  REQUIRE(sequence.append(std::vector<TokenId>{1, 2}).has_value());
  CHECK(sequence.computed_tokens() == 302);
}

TEST_CASE("a fork survives the rewind of its original", "[engine][unit]") {
  const auto runtime = make_runtime();
  std::mt19937 random(35);
  const std::vector<TokenId> ids = random_ids(130, random);
  Sequence original = make_sequence(runtime);
  REQUIRE(original.append(ids).has_value());
  Sequence fork = original.fork();
  // Back into a page that both share, then over it with other tokens.
  REQUIRE(original.rewind(100).has_value());
  REQUIRE(original.append(random_ids(60, random)).has_value());
  REQUIRE(fork.append(std::vector<TokenId>{7}).has_value());
  std::vector<TokenId> expected = ids;
  expected.push_back(7);
  CHECK(equal(fork.logits().value(), fresh_logits(runtime, expected)));
}

TEST_CASE("rewinding to nothing and beyond the end", "[engine][unit]") {
  const auto runtime = make_runtime();
  Sequence sequence = make_sequence(runtime);
  REQUIRE(sequence.append(std::vector<TokenId>{5, 6, 7}).has_value());
  const Status beyond = sequence.rewind(4);
  REQUIRE(!beyond.has_value());
  CHECK(beyond.error().code == Code::invalid_argument);
  REQUIRE(sequence.rewind(0).has_value());
  CHECK(sequence.tokens().empty());
  REQUIRE(sequence.append(std::vector<TokenId>{9}).has_value());
  CHECK(equal(sequence.logits().value(), fresh_logits(runtime, std::vector<TokenId>{9})));
}

TEST_CASE("more than the context is refused and changes nothing", "[engine][unit]") {
  const auto runtime = make_runtime({}, 100);
  std::mt19937 random(36);
  Sequence sequence = make_sequence(runtime);
  REQUIRE(sequence.append(random_ids(90, random)).has_value());
  const Status status = sequence.append(random_ids(11, random));
  REQUIRE(!status.has_value());
  CHECK(status.error().code == Code::limit_exceeded);
  CHECK(status.error().message.find("90") != std::string::npos);
  CHECK(status.error().message.find("11") != std::string::npos);
  CHECK(sequence.tokens().size() == 90);
  CHECK(sequence.append(random_ids(10, random)).has_value());
}

TEST_CASE("ids outside the vocabulary are refused", "[engine][unit]") {
  Sequence sequence = make_sequence(make_runtime());
  for (const TokenId id : {-1, 70, 1 << 30}) {
    const Status status = sequence.append(std::vector<TokenId>{1, id});
    REQUIRE(!status.has_value());
    CHECK(status.error().code == Code::invalid_argument);
    CHECK(sequence.tokens().empty());
  }
}

TEST_CASE("a stop between chunks keeps what is done", "[engine][unit]") {
  const auto runtime = make_runtime();
  std::mt19937 random(37);
  const std::vector<TokenId> ids = random_ids(50, random);
  Sequence sequence = make_sequence(runtime);
  REQUIRE(sequence.append(std::span(ids).first(20)).has_value());
  std::stop_source source;
  source.request_stop();
  const Status status = sequence.append(std::span(ids).subspan(20), source.get_token());
  REQUIRE(!status.has_value());
  CHECK(status.error().code == Code::cancelled);
  CHECK(sequence.tokens().size() == 20);
  REQUIRE(sequence.append(std::span(ids).subspan(20)).has_value());
  CHECK(equal(sequence.logits().value(), fresh_logits(runtime, ids)));
}

TEST_CASE("save and restore bring back every bit", "[engine][unit]") {
  const test::TempDir folder;
  const auto runtime = make_runtime({.type = DType::q8_0});
  std::mt19937 random(38);
  for (const std::size_t count : {0U, 1U, 64U, 200U}) {
    const auto path = folder.path() / "sequence.kv";
    std::vector<TokenId> ids = random_ids(count, random);
    Sequence saved = make_sequence(runtime);
    REQUIRE(saved.append(ids).has_value());
    REQUIRE(saved.save(path).has_value());
    auto state = SequenceState::restore(runtime, path, {});
    REQUIRE(state.has_value());
    Sequence restored(*std::move(state));
    CHECK(restored.computed_tokens() == static_cast<std::int64_t>(count));
    CHECK(std::vector<TokenId>(restored.tokens().begin(), restored.tokens().end()) == ids);
    if (count > 0) CHECK(equal(restored.logits().value(), fresh_logits(runtime, ids)));
    REQUIRE(restored.append(std::vector<TokenId>{8, 9}).has_value());
    ids.insert(ids.end(), {8, 9});
    CHECK(equal(restored.logits().value(), fresh_logits(runtime, ids)));
  }
  // Nothing but the file itself is left behind.
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("a broken save is refused at every cut and every flipped byte", "[engine][unit]") {
  const test::TempDir folder;
  const auto runtime = make_runtime({.layers = 1});
  const auto path = folder.path() / "sequence.kv";
  Sequence sequence = make_sequence(runtime);
  REQUIRE(sequence.append(std::vector<TokenId>{1, 2, 3}).has_value());
  REQUIRE(sequence.save(path).has_value());
  const std::string good = read_file(path);
  for (std::size_t size = 0; size < good.size(); size += 7) {
    write_file(path, good.substr(0, size));
    const auto state = SequenceState::restore(runtime, path, {});
    REQUIRE(!state.has_value());
    REQUIRE(state.error().code == Code::invalid_data);
  }
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x40);
    write_file(path, bad);
    const auto state = SequenceState::restore(runtime, path, {});
    REQUIRE(!state.has_value());
    REQUIRE((state.error().code == Code::invalid_data || state.error().code == Code::unsupported));
    REQUIRE(state.error().message.find("sequence.kv") != std::string::npos);
  }
  write_file(path, good + "x");
  CHECK(!SequenceState::restore(runtime, path, {}).has_value());
  write_file(path, good);
  CHECK(SequenceState::restore(runtime, path, {}).has_value());
}

TEST_CASE("a save of another model or a longer context is refused", "[engine][unit]") {
  const test::TempDir folder;
  const auto path = folder.path() / "sequence.kv";
  const auto runtime = make_runtime({.seed = 1});
  Sequence sequence = make_sequence(runtime);
  std::mt19937 random(39);
  REQUIRE(sequence.append(random_ids(80, random)).has_value());
  REQUIRE(sequence.save(path).has_value());
  const auto other = SequenceState::restore(make_runtime({.seed = 2}), path, {});
  REQUIRE(!other.has_value());
  CHECK(other.error().code == Code::unsupported);
  const RuntimeOptions rounded{
      .threads = 1, .context_tokens_max = 2000, .float_activations = false};
  const auto other_values = std::make_shared<const Runtime>(
      make_memory_model({.seed = 1}), *usable_ops().front(), rounded);
  CHECK(!SequenceState::restore(other_values, path, {}).has_value());
  const auto small = SequenceState::restore(make_runtime({.seed = 1}, 79), path, {});
  REQUIRE(!small.has_value());
  CHECK(small.error().code == Code::limit_exceeded);
  const auto missing = SequenceState::restore(runtime, folder.path() / "none.kv", {});
  REQUIRE(!missing.has_value());
  CHECK(missing.error().code == Code::not_found);
}

TEST_CASE("a save is read back by those who write tokens alike", "[engine][unit]") {
  const test::TempDir folder;
  const auto path = folder.path() / "sequence.kv";
  const auto runtime = make_runtime();
  Sequence sequence = make_sequence(runtime);
  REQUIRE(sequence.append(std::vector<TokenId>{1, 2, 3}).has_value());
  REQUIRE(sequence.save(path, "functiongemma/1").has_value());
  CHECK(SequenceState::restore(runtime, path, "functiongemma/1").has_value());
  for (const char* format : {"", "functiongemma/2"}) {
    const auto other = SequenceState::restore(runtime, path, format);
    REQUIRE(!other.has_value());
    CHECK(other.error().code == Code::unsupported);
    CHECK(other.error().message.find("functiongemma/1") != std::string::npos);
  }
  const Status long_name = sequence.save(path, std::string(257, 'x'));
  REQUIRE(!long_name.has_value());
  CHECK(long_name.error().code == Code::invalid_argument);
}

TEST_CASE("a save that cannot be written says so and leaves no file", "[engine][unit]") {
  const test::TempDir folder;
  Sequence sequence = make_sequence(make_runtime());
  REQUIRE(sequence.append(std::vector<TokenId>{1}).has_value());
  const Status status = sequence.save(folder.path() / "missing" / "sequence.kv");
  REQUIRE(!status.has_value());
  CHECK(status.error().code == Code::unavailable);
  CHECK(status.error().message.find("missing") != std::string::npos);
}

TEST_CASE("a rounded cache is exact among its own, close to f32 and smaller",
          "[engine][kv][unit]") {
  const KvType kept = GENERATE(KvType::bf16, KvType::int8, KvType::fp8);
  const test::TempDir folder;
  const auto path = folder.path() / "sequence.kv";
  const auto make = [](KvType type, std::int64_t chunk, int threads) {
    const RuntimeOptions options{.threads = threads,
                                 .context_tokens_max = 2000,
                                 .prefill_chunk_tokens = chunk,
                                 .prefix_bytes_max = std::int64_t{1} << 24,
                                 .kv_type = type};
    return std::make_shared<const Runtime>(
        make_memory_model({.window = 70}), *usable_ops().front(), options);
  };
  std::mt19937 random(47);
  const std::vector<TokenId> ids = random_ids(300, random);
  const auto runtime = make(kept, 32, 2);
  const auto expected = fresh_logits(runtime, ids);
  CHECK(fresh_logits(make(kept, 1, 1), ids) == expected);
  CHECK(fresh_logits(make(kept, 300, 2), ids) == expected);

  Sequence sequence = make_sequence(runtime);
  REQUIRE(sequence.append(std::span(ids).first(190)).has_value());
  sequence.remember();
  Sequence fork = sequence.fork();
  REQUIRE(fork.append(random_ids(90, random)).has_value());
  REQUIRE(fork.rewind(190).has_value());
  REQUIRE(sequence.save(path).has_value());
  Sequence restored(*SequenceState::restore(runtime, path, {}));
  Sequence recalled = make_sequence(runtime);
  REQUIRE(recalled.recall(ids) == 190);
  for (Sequence* one : {&sequence, &fork, &restored, &recalled}) {
    REQUIRE(one->append(std::span(ids).subspan(190)).has_value());
    CHECK(equal(one->logits().value(), expected));
  }
  const auto floats = make(KvType::f32, 32, 2);
  CHECK(!SequenceState::restore(floats, path, {}).has_value());
  Sequence exact = make_sequence(floats);
  REQUIRE(exact.append(ids).has_value());
  const std::int64_t row = kv_row_bytes(kept, 2, 16);
  CHECK(exact.state().cache().bytes() * row == sequence.state().cache().bytes() * 2 * 16 * 4);
  double wrong = 0.0;
  double all = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double value = exact.logits().value()[i];
    wrong += (expected[i] - value) * (expected[i] - value);
    all += value * value;
  }
  INFO(std::sqrt(wrong / all));
  CHECK(wrong > 0.0);
  const double allowed = kept == KvType::bf16 ? 0.002 : kept == KvType::int8 ? 0.006 : 0.03;
  CHECK(std::sqrt(wrong / all) < allowed);
}

TEST_CASE("forks run in different threads", "[engine][unit]") {
  const auto runtime = make_runtime({.type = DType::q8_0});
  std::mt19937 random(40);
  const std::vector<TokenId> prefix = random_ids(100, random);
  const std::vector<TokenId> tail = random_ids(80, random);
  std::vector<TokenId> all = prefix;
  all.insert(all.end(), tail.begin(), tail.end());
  const auto expected = fresh_logits(runtime, all);
  Sequence original = make_sequence(runtime);
  REQUIRE(original.append(prefix).has_value());
  std::vector<Sequence> forks;
  for (int i = 0; i < 3; ++i) forks.push_back(original.fork());
  std::vector<std::thread> threads;
  std::vector<int> ok_runs(forks.size(), 0);
  for (std::size_t i = 0; i < forks.size(); ++i) {
    threads.emplace_back([&, i] {
      for (const TokenId id : tail) ok_runs[i] += forks[i].append(std::span(&id, 1)) ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < forks.size(); ++i) {
    CHECK(ok_runs[i] == 80);
    CHECK(equal(forks[i].logits().value(), expected));
  }
}

}  // namespace facet::engine
