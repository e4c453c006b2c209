// Awkward real files that other people made; see the README beside them for their licence.
#include "base/utf8.h"
#include "retrieval/loaders/loader.h"
#include "tests/retrieval/conformance.h"
#include "tests/retrieval/fakes.h"
#include "tests/support/catch.h"

#include <algorithm>
#include <map>

namespace facet::retrieval {
namespace {

namespace fs = std::filesystem;

TEST_CASE("every awkward file loads as valid text or fails with a type", "[retrieval][unit]") {
  const fs::path folder = test::conformance_folder("loaders");
  if (folder.empty()) return;
  int loaded = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    INFO(name);
    const auto document = load_document(name, test::read_file(entry.path()));
    if (!document) {
      if (document.error().code == Code::unavailable) continue;  // No pdftotext.
      CHECK(document.error().code == Code::unsupported);
      continue;
    }
    ++loaded;
    CHECK(is_utf8(document->text));
    CHECK(document->text.find('\r') == std::string::npos);
  }
  CHECK(loaded >= 25);
}

TEST_CASE("awkward files hold the words that a reader sees in them", "[retrieval][unit]") {
  const fs::path folder = test::conformance_folder("loaders");
  if (folder.empty()) return;
  const auto [name, words] = GENERATE(table<std::string, std::string>({
      {"fake-text-utf-16-le.txt", "Doylestown, PA 18901"},
      {"fake-text-utf-32.txt", "Hamburgers are delicious"},
      {"umlauts-non-utf8.md", "äöüß"},
      {"umlauts-utf8.md", "äöüß"},
      {"stanley-cups.csv", "Team: Maple Leafs; Location: TOR; Stanley Cups: 13"},
      {"stanley-cups-utf-16.csv", "Team: Maple Leafs; Location: TOR; Stanley Cups: 13"},
      {"fake-html-cp1252.html", "köstlich"},
      {"fake-html-with-base64-image.html", "Unstructured Logo"},
      {"ideas-page.html", "The way to get new ideas is to notice anomalies"},
      {"eng_spa_mult.html", "Todos los seres humanos nacen libres"},
      {"eng_spa_mult.docx", "Todos los seres humanos nacen libres"},
      {"docx-tables.docx", "Header Col 1: Lorem ipsum; Header Col 2: A link example"},
      {"hlink-meta.docx", "Five with link to foo.com introduction section."},
      {"page-breaks.docx", "Text on second page."},
      {"fake-memo.pdf", "10,000 blankets, and 200 laptops delivered on January 23, 2023."},
      {"embedded-cmap-cidfont.pdf", "This text uses an embedded CMap"},
      {"rotated-page-90.pdf", "Hello World Test Text"},
      {"logger.py", "logging.addLevelName(DETAIL, \"DETAIL\")"},
      {"codeblock.md", "<h1>Hello, World!</h1>"},
  }));
  INFO(name);
  const auto document = load_document(name, test::read_file(folder / name));
  if (!document && document.error().code == Code::unavailable) return;  // No pdftotext.
  REQUIRE(document.has_value());
  CHECK(document->text.find(words) != std::string::npos);
}

TEST_CASE("a PDF with a repeated page keeps both pages apart", "[retrieval][unit]") {
  const fs::path folder = test::conformance_folder("loaders");
  if (folder.empty()) return;
  const auto document =
      load_document("memo.pdf", test::read_file(folder / "fake-memo-with-duplicate-page.pdf"));
  if (!document && document.error().code == Code::unavailable) return;  // No pdftotext.
  REQUIRE(document.has_value());
  CHECK(document->pages.size() == 2);
}

}  // namespace
}  // namespace facet::retrieval
