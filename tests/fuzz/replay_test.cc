// Every file of every corpus, through the same functions that the fuzzer calls.
#include "tests/fuzz/targets.h"
#include "tests/support/catch.h"
#include "tests/support/reference.h"

#include <algorithm>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> corpus(const char* target) {
  std::vector<fs::path> out;
  const fs::path folder = fs::path(FACET_SOURCE_DIR) / "tests" / "fuzz" / target;
  for (const auto& entry : fs::directory_iterator(folder)) out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

TEST_CASE("every input of the fuzz corpora is handled", "[fuzz]") {
  for (const auto& target : facet::fuzz::kTargets) {
    int good = 0;
    int found = 0;
    for (const fs::path& path : corpus(target.name)) {
      INFO(path);
      const auto bytes = facet::test::read_text(path);
      REQUIRE(bytes.has_value());
      const bool accepted = target.run(std::as_bytes(std::span(bytes->data(), bytes->size())));
      ++found;
      if (!path.filename().string().starts_with("good")) continue;
      // A good seed that is refused leads the fuzzer nowhere: make the seeds anew.
      CHECK(accepted);
      ++good;
    }
    INFO(target.name);
    CHECK(good >= 1);
    CHECK(found >= 4);
  }
}
