#include "base/utf8.h"
#include "retrieval/loaders/loader.h"
#include "tests/support/catch.h"

#include <random>

namespace facet::retrieval {
namespace {

using namespace std::string_literals;

LoadedDocument must_load(const std::string& name, std::string_view bytes) {
  auto document = load_document(name, bytes);
  if (!document) FAIL(document.error().message);
  return *std::move(document);
}

Code load_error(const std::string& name, std::string_view bytes, const LoadLimits& limits = {}) {
  const auto document = load_document(name, bytes, limits);
  REQUIRE_FALSE(document.has_value());
  CHECK(document.error().message.find(name) != std::string::npos);
  return document.error().code;
}

/// One line a block: a letter for its kind, the heading level, the text.
std::string outline(const LoadedDocument& document) {
  std::string out;
  for (const Block& block : document.blocks) {
    out += std::string("HPLTC").substr(static_cast<std::size_t>(block.kind), 1);
    if (block.level > 0) out += std::to_string(block.level);
    out += ' ' + document.text.substr(block.begin, block.end - block.begin) + '\n';
  }
  return out;
}

TEST_CASE("plain text becomes paragraphs and headings", "[retrieval][unit]") {
  const auto document = must_load("notes.txt",
                                  "Title\n=====\n\nA paragraph that was wrapped at some margin by "
                                  "its\nauthor.\n\nOPENING HOURS\n\n- Monday\n- Tuesday\n");
  CHECK(document.title == "Title");
  CHECK(outline(document) ==
        "H1 Title\nP A paragraph that was wrapped at some margin by its author.\n"
        "H2 OPENING HOURS\nP - Monday\n- Tuesday\n");
}

TEST_CASE("text is read in the encoding it was written in", "[retrieval][unit]") {
  const auto bytes = GENERATE("Grüße, 5 €"s,              // UTF-8
                              "\xEF\xBB\xBFGrüße, 5 €"s,  // with a mark
                              "\xFF\xFEG\0r\0\xFC\0\xDF\0e\0,\0 \0"
                              "5\0 \0\xAC\x20"s,  // UTF-16LE, mark
                              "\xFE\xFF\0G\0r\0\xFC\0\xDF\0e\0,\0 \0"
                              "5\0 \x20\xAC"s,  // UTF-16BE, mark
                              "G\0r\0\xFC\0\xDF\0e\0,\0 \0"
                              "5\0 \0\xAC\x20"s,  // UTF-16LE, no mark
                              "G\0\0\0r\0\0\0\xFC\0\0\0\xDF\0\0\0e\0\0\0,\0\0\0 \0\0\0"
                              "5\0\0\0 \0\0\0\xAC\x20\0\0"s);  // UTF-32LE, no mark
  CHECK(must_load("a.txt", bytes).text == "Grüße, 5 €");
}

TEST_CASE("a legacy encoding is detected from its letters", "[retrieval][unit]") {
  CHECK(must_load("a.txt",
                  "Die sch\xF6ne Stra\xDF"
                  "e ist \xFC"
                  "ber die Br\xFC"
                  "cke zu erreichen.")
            .text == "Die schöne Straße ist über die Brücke zu erreichen.");
}

TEST_CASE("binary bytes under a text name are refused", "[retrieval][unit]") {
  CHECK(load_error("a.txt",
                   "\x7F"
                   "ELF\2\1\1\0\0\0\0"s) == Code::invalid_data);
  CHECK(load_error("a.md", std::string(300, '\x01')) == Code::invalid_data);
}

TEST_CASE("control characters and odd line ends do not survive", "[retrieval][unit]") {
  CHECK(must_load("a.txt", "one\r\ntwo\rthree \x1b[31mred\x07").text == "one\ntwo\nthree [31mred");
}

TEST_CASE("unknown names are refused by their extension", "[retrieval][unit]") {
  CHECK(load_error("a.xyz", "words") == Code::unsupported);
  CHECK(load_error("words", "words") == Code::unsupported);
  CHECK(must_load("README", "words").text == "words");
  CHECK(must_load("A.TXT", "words").title == "A");
}

TEST_CASE("Markdown blocks are told apart", "[retrieval][unit]") {
  const auto document =
      must_load("a.md",
                "---\ntitle: \"From the front\"\n---\n"
                "# First #\nwords\nof one paragraph\n\nSecond\n------\n"
                "- item one\n  goes on\n- item two\n\n> quoted\n> words\n\n"
                "```cpp\nint x = 1;  # not a heading\n\n// still code\n```\n***\n"
                "| Name | Age |\n|:-----|----:|\n| Ann | 41 |\n| Bob \\| Rob | |\n\n"
                "    indented();\n\nEnd\n");
  CHECK(document.title == "From the front");
  CHECK(outline(document) ==
        "H1 First\nP words of one paragraph\nH2 Second\nL - item one goes on\nL - item two\n"
        "P quoted words\nC int x = 1;  # not a heading\n\n// still code\n"
        "T Name: Ann; Age: 41\nT Name: Bob | Rob\nC     indented();\nP End\n");
}

TEST_CASE("Markdown's inline markup is removed, words stay", "[retrieval][unit]") {
  const auto [source, expected] = GENERATE(table<std::string, std::string>({
      {"a **bold** and *thin* and ***both*** word", "a bold and thin and both word"},
      {"snake_case_name and 2 * 3 * 4", "snake_case_name and 2 * 3 * 4"},
      {"_thin_ and __bold__", "thin and bold"},
      {"see [the page](https://example.org/a_b) now", "see the page now"},
      {"see [the *page*][ref] now", "see the page now"},
      {"![a desk](desk.png)", "a desk"},
      {"`code *stays*` here", "code *stays* here"},
      {"``a ` b``", "a ` b"},
      {"1 &lt; 2 &amp; 3 &#8364; &unknown;", "1 < 2 & 3 € &unknown;"},
      {"\\*not thin\\*", "*not thin*"},
      {"a <b>tag</b> and <!-- a comment --> and 1 < 2", "a tag and and 1 < 2"},
      {"<https://example.org>", "https://example.org"},
      {"unclosed **bold and [link", "unclosed **bold and [link"},
  }));
  CHECK(must_load("a.md", source).text == expected);
}

TEST_CASE("CSV rows carry their header names", "[retrieval][unit]") {
  const auto [source, expected] = GENERATE(table<std::string, std::string>({
      {"Item,Price\nDesk,300\nChair,120\n",
       "T Item: Desk; Price: 300\nT Item: Chair; Price: 120\n"},
      {"Item;Price\nDesk;1,5\n", "T Item: Desk; Price: 1,5\n"},
      {"Item\tPrice\nDesk\t3\n", "T Item: Desk; Price: 3\n"},
      {"Name,Note\n\"Smith, J.\",\"said \"\"hi\"\"\nand left\"\n",
       "T Name: Smith, J.; Note: said \"hi\" and left\n"},
      {"1,2\n3,4\n", "T 1; 2\nT 3; 4\n"},
      {"Cups,,\nTeam,City,Won\nBlues,STL,1\n", "P Cups\nT Team: Blues; City: STL; Won: 1\n"},
      {"Item,Price\nDesk,\n,\n", "T Item: Desk\n"},
      {"only\nwords\n", "P only\nP words\n"},
      {"a,b\r\nc,d,e", "T a: c; b: d; e\n"},
      {"", ""},
  }));
  CHECK(outline(must_load("a.csv", source)) == expected);
}

TEST_CASE("a CSV quote that never closes is an error with its place", "[retrieval][unit]") {
  const auto document = load_document("a.csv", "a,b\n1,\"2\n3,4\n");
  REQUIRE_FALSE(document.has_value());
  CHECK(document.error().code == Code::invalid_data);
  CHECK(document.error().message == "a.csv: the quote at byte 6 never closes");
}

TEST_CASE("source code is cut at top-level blank lines", "[retrieval][unit]") {
  const auto document =
      must_load("a.py", "import os\n\ndef f():\n    x = 1\n\n    return x\n\nclass C:\n    pass\n");
  CHECK(document.title == "a.py");
  CHECK(outline(document) ==
        "C import os\nC def f():\n    x = 1\n\n    return x\nC class C:\n    pass\n");
}

TEST_CASE("limits end a load with a typed error", "[retrieval][unit]") {
  LoadLimits limits;
  limits.text_bytes_max = 100;
  CHECK(load_error("a.txt", std::string(200, 'x'), limits) == Code::limit_exceeded);
  limits = {};
  limits.document_bytes_max = 3;
  CHECK(load_error("a.txt", "four", limits) == Code::limit_exceeded);
  limits = {};
  limits.blocks_max = 2;
  CHECK(load_error("a.md", "a\n\nb\n\nc\n", limits) == Code::limit_exceeded);
}

TEST_CASE("random bytes load as valid text or fail, in every text format", "[retrieval][unit]") {
  std::mt19937 random(5);
  const std::string letters = "<>/!-&;#=\"'|*_`[]()\\,;\t\n\r ab1\xC3\xA9\x80\xFF";
  for (const char* name : {"a.txt", "a.md", "a.html", "a.csv", "a.py"}) {
    for (int round = 0; round < 150; ++round) {
      std::string bytes;
      for (auto i = random() % 200; i > 0; --i) bytes += letters[random() % letters.size()];
      const auto document = load_document(name, bytes);
      if (!document) {
        CHECK(document.error().code == Code::invalid_data);
        continue;
      }
      CHECK(is_utf8(document->text));
      std::uint64_t last = 0;
      for (const Block& block : document->blocks) {
        CHECK(block.begin >= last);
        CHECK(block.end > block.begin);
        last = block.end;
      }
      CHECK(last == document->text.size());
    }
  }
}

}  // namespace
}  // namespace facet::retrieval
