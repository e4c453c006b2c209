#include "retrieval/loaders/entities.h"
#include "retrieval/loaders/html_tokenizer.h"
#include "retrieval/loaders/loader.h"
#include "tests/support/catch.h"

namespace facet::retrieval {
namespace {

LoadedDocument must_load(std::string_view html) {
  auto document = load_document("a.html", html);
  if (!document) FAIL(document.error().message);
  return *std::move(document);
}

std::string repeated(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST_CASE("a Markdown comment hides its words over blank lines too", "[retrieval][unit]") {
  const auto [source, shown] = GENERATE(table<std::string, std::string>({
      {"Before.\n<!-- one\n\nhidden\n\n# hidden\n-->\nAfter.\n", "Before.\n\nAfter."},
      {"> <!-- one\n>\n> hidden -->\n\nAfter.\n", "After."},
      {"<!-- one -->\n\nAfter.\n", "After."},
      {"Before.\n\n<!-- never closed\n\nhidden\n", "Before."},
      {"    <!-- shown -->\n", "    <!-- shown -->"},
      {"```\n<!-- shown\n\ncode\n```\n", "<!-- shown\n\ncode"},
  }));
  const auto document = load_document("a.md", source);
  REQUIRE(document.has_value());
  CHECK(document->text == shown);
}

TEST_CASE("HTML gives what a reader sees", "[retrieval][unit]") {
  const auto [html, expected] = GENERATE(table<std::string, std::string>({
      {"<p>One <b>bold</b>\n word.</p><p>Two", "One bold word.\n\nTwo"},
      {"<h1>Head</h1>text<div>more</div>", "Head\n\ntext\n\nmore"},
      {"<ul><li>one<li>two</ul>after", "- one\n- two\n\nafter"},
      {"<ul><li></ul><h2></h2>after", "after"},
      {"a<script>if (a < b) '</p>'</script>b", "ab"},
      {"a<SCRIPT>x</Script >b<style>p{}</style>c", "abc"},
      {"a<!-- hidden <p> -->b", "ab"},
      {"a<!DOCTYPE html><?php x ?>b", "ab"},
      {"<p hidden>no</p><p>yes</p>", "yes"},
      {"<p hidden>no<p>yes", "yes"},
      {"<div style='color:red; display : none'><p>no</p></div>yes", "yes"},
      {"<div aria-hidden=true>no<div>no</div></div>yes", "yes"},
      {"<p>a<br>b&nbsp;c &eacute;&#233;&#xE9; &amp;amp;</p>", "a b c ééé &amp;"},
      {"<img alt='a desk' src=x>", "a desk"},
      {"<a href='x>y'>link</a>", "link"},
      {"1 < 2 and <3", "1 < 2 and <3"},
      {"<pre>a\n  b</pre>", "a\n  b"},
      {"<title>T</title>", ""},
      {"<textarea>no</textarea>yes", "yes"},
      {"unclosed <p", "unclosed"},
      {"", ""},
  }));
  CHECK(must_load(html).text == expected);
}

TEST_CASE("HTML tables become rows with header names", "[retrieval][unit]") {
  const auto document = must_load(
      "<title>Price &amp; list</title><table><caption>Prices</caption><tr><th>Item<th>Price<tr><td>"
      "Desk<td>300<tr><td><p>Big</p><p>chair</p><td><table><tr><td>1<td>20</table></table>end");
  CHECK(document.title == "Price & list");
  CHECK(document.text == "Prices\n\nItem: Desk; Price: 300\nItem: Big chair; Price: 1 20\n\nend");
}

TEST_CASE("the charset that HTML declares is used", "[retrieval][unit]") {
  CHECK(must_load("<meta charset=windows-1252><p>5 \x80").text == "5 €");
  CHECK(must_load("<meta http-equiv=Content-Type content='text/html; charset=koi8-r'><p>\xC4\xC1")
            .text == "да");
}

TEST_CASE("a hundred thousand nested elements cost no stack", "[retrieval][unit]") {
  CHECK(must_load(repeated("<div>", 100'000) + "deep" + repeated("</div>", 100'000) + "<p>end")
            .text == "deep\n\nend");
  CHECK(must_load(repeated("<div>", 300) + "<i hidden>no</i>yes").text == "yes");
  CHECK(must_load(repeated("<table><tr><td>", 20'000) + "x").text == "x");
}

TEST_CASE("megabytes of unclosed markup take linear time", "[retrieval][unit]") {
  const auto opener =
      GENERATE("<", "</", "<!--", "<a href=\"", "<script>", "&", "<p hidden ", "<![");
  const auto document = load_document("a.html", repeated(opener, 200'000));
  CHECK(document.has_value());
}

TEST_CASE("character references decode as in browsers", "[retrieval][unit]") {
  const auto [source, expected] = GENERATE(table<std::string, std::string>({
      {"&lt;&gt;&quot;&apos;&amp;", "<>\"'&"},
      {"&#128;", "€"},
      {"&#x1F600;", "\xF0\x9F\x98\x80"},
      {"&#0;&#xD800;&#99999999;", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
      {"&#65", "A"},
      {"&#;&;&x;&", "&#;&;&x;&"},
      {"&euro;&hellip;&Aacute;", "€…Á"},
  }));
  CHECK(decode_entities(source) == expected);
}

TEST_CASE("attributes are found in every spelling", "[retrieval][unit]") {
  const auto [attributes, expected] = GENERATE(table<std::string, std::string>({
      {" alt=\"a b\"", "a b"},
      {" ALT = 'a'", "a"},
      {" x=1 alt=a", "a"},
      {" x='alt=no' alt=yes", "yes"},
      {" alt", ""},
      {" alt=\"&amp;\"/", "&"},
      {"", ""},
  }));
  CHECK(html_attribute(attributes, "alt") == expected);
}

}  // namespace
}  // namespace facet::retrieval
