// What loading a model costs, with a vocabulary of real size: the rest of a file is mapped, and
// comes into memory page by page when it is used.
#include "tests/e2e/run_facet.h"
#include "tests/support/build_kind.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"

#include <sys/resource.h>

#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

using namespace facet::test;
using facet::engine::Piece;

namespace {

constexpr std::size_t kPieces = 262144;

/// Gemma's first ids and made-up words, as many as Gemma 3 has.
facet::engine::Vocabulary real_size_vocabulary() {
  facet::engine::Vocabulary out = tiny_vocabulary();
  for (std::size_t i = 0; out.pieces.size() < kPieces; ++i) {
    std::string text = i % 2 == 0 ? "\xE2\x96\x81" : "";
    std::size_t rest = i;
    for (int letter = 0; letter < 6; ++letter) {
      text += static_cast<char>('a' + rest % 26);
      rest = rest / 26 + i % 7;
    }
    text += std::to_string(i);
    out.pieces.push_back({text, -1000.0F - static_cast<float>(i), Piece::Type::normal});
  }
  return out;
}

/// A small model with that vocabulary; 35 MB of the file are its embedding.
void write_model(const std::filesystem::path& path) {
  GgufWriter writer = tiny_gguf(TinyModel{});
  for (const char* key : {"model",
                          "tokens",
                          "scores",
                          "token_type",
                          "bos_token_id",
                          "eos_token_id",
                          "padding_token_id",
                          "add_space_prefix"}) {
    writer.remove(std::string("tokenizer.ggml.") + key);
  }
  writer.add_vocabulary(real_size_vocabulary());
  FileTensor& rows = writer.tensor("token_embd.weight");
  rows.type = facet::engine::DType::f16;
  rows.shape[0] = static_cast<std::int64_t>(kPieces);
  rows.bytes.assign(kPieces * 64 * 2, '\x1C');
  write_bytes(path, writer.bytes());
}

struct Usage {
  int exit_code = -1;
  double cpu_seconds = 0.0;
  std::int64_t peak_bytes = 0;
};

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

/// Runs the program and asks the system what it took.
Usage run(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), FACET_PROGRAM);
  std::vector<char*> words;
  for (std::string& argument : arguments) words.push_back(argument.data());
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const int rc = ::posix_spawn(&child, FACET_PROGRAM, &actions, nullptr, words.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  REQUIRE(rc == 0);
  int status = 0;
  rusage used{};
  REQUIRE(::wait4(child, &status, 0, &used) == child);
  return {.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
          .cpu_seconds = seconds(used.ru_utime) + seconds(used.ru_stime),
          .peak_bytes = std::int64_t{used.ru_maxrss} * 1024};
}

}  // namespace

TEST_CASE("loading takes at most the file and 300 MB of memory, and two seconds", "[e2e]") {
  if (kIsSanitized) {
    WARN("skipped: a sanitizer's own memory is not the program's");
    return;
  }
  const TempDir home;
  const auto path = home.path() / "m.gguf";
  write_model(path);
  const auto file_bytes = static_cast<std::int64_t>(std::filesystem::file_size(path));
  const Usage generated =
      run({"generate", "--model", path.string(), "--prompt", "hello", "--max-tokens", "1"});
  CHECK(generated.exit_code == 0);
  CHECK(generated.peak_bytes < file_bytes + (std::int64_t{300} << 20));
  CHECK(generated.cpu_seconds < 2.0 * slowdown());
}
