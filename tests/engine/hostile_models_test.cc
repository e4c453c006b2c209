// Every group of hostile model files, loaded whole from disk: a typed error that names the matter,
// and soon. The files are in tests/support/hostile_models.cc. By group, with the tests that go
// further into the same format:
//
//   1, 2      empty file, 7 bytes                     gguf_test, safetensors_test, config_test
//   3 - 6     header length 0, size + 1, 2^64 - 1, over the limit in a sparse file
//   7 - 9     header not UTF-8, with a byte order mark, not an object     safetensors_test
//   10, 11    a tensor twice, a key twice             safetensors_test, gguf_test
//   12 - 16   overlap, hole, tail, begin > end, end beyond the file       safetensors_test
//   17        shape product that wraps                safetensors_test, gguf_test
//   18 - 20   zero-size tensor, impossible dimensions, unknown type       safetensors_test
//   21 - 24   a million tensors, a name of 10 MB, nested metadata, nesting of 100,000
//   25        shard index that leaves the folder, links, repeats          safetensors_test
//   26        file cut short or grown while mapped    tests/e2e/changed_file_test.cc
//   27        GGUF headers and tensors                gguf_test
//   28        impossible configs                      config_test, gguf_model_test
#include "tests/support/hostile_models.h"

#include "engine/model/model.h"
#include "tests/support/build_kind.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

#include <algorithm>
#include <ctime>
#include <set>

using facet::engine::Model;
using facet::test::HostileModel;
using facet::test::TempDir;

namespace {

constexpr double kMillisecondsMax = 50.0;

/// Processor time of this thread: what other programs do meanwhile does not count.
double thread_ms() {
  timespec now{};
  REQUIRE(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0);
  return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
}

/// Loads the model and checks its refusal. Returns how many milliseconds that took.
double refuse(const HostileModel& hostile, const std::filesystem::path& path) {
  const double begin = thread_ms();
  const auto model = Model::load(path);
  const double took = thread_ms() - begin;
  REQUIRE_FALSE(model.has_value());
  INFO(model.error().message.substr(0, 300));
  CHECK(facet::code_name(model.error().code) == facet::code_name(hostile.code));
  CHECK(model.error().message.find(hostile.mentions) != std::string::npos);
  CHECK(model.error().message.find(path.filename().string()) != std::string::npos);
  CHECK(model.error().message.size() < 1000);
  return took;
}

}  // namespace

TEST_CASE("every group of hostile model files has an example", "[engine][model]") {
  std::set<int> groups{26};  // See the table above.
  for (const HostileModel& hostile : facet::test::hostile_models()) groups.insert(hostile.group);
  CHECK(groups.size() == 28);
  CHECK(*groups.begin() == 1);
  CHECK(*groups.rbegin() == 28);
}

TEST_CASE("every hostile model file is refused with its reason within 50 ms", "[engine][model]") {
  const double bound_ms = kMillisecondsMax * facet::test::slowdown();
  for (const HostileModel& hostile : facet::test::hostile_models()) {
    INFO("group " << hostile.group << ": " << hostile.what);
    const TempDir dir;
    const std::filesystem::path path = hostile.write(dir.path());
    double best = refuse(hostile, path);
    // The first reading may wait for a cold cache, or for the other half of a shared core.
    for (int i = 0; i < 2 && best > kMillisecondsMax / 2; ++i) {
      best = std::min(best, refuse(hostile, path));
    }
    CHECK(best < bound_ms);
  }
}
