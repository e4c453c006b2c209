#include "retrieval/loaders/child_process.h"
#include "retrieval/loaders/loader.h"
#include "retrieval/loaders/zip.h"
#include "tests/support/catch.h"

#include <archive.h>
#include <archive_entry.h>
#include <map>

namespace facet::retrieval {
namespace {

using namespace std::string_literals;

std::string make_zip(const std::map<std::string, std::string>& entries) {
  std::string out(64U << 20U, '\0');
  std::size_t used = 0;
  archive* writer = archive_write_new();
  archive_write_set_format_zip(writer);
  archive_write_open_memory(writer, out.data(), out.size(), &used);
  for (const auto& [name, content] : entries) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    REQUIRE(archive_write_header(writer, entry) == ARCHIVE_OK);
    REQUIRE(archive_write_data(writer, content.data(), content.size()) ==
            static_cast<la_ssize_t>(content.size()));
    archive_entry_free(entry);
  }
  REQUIRE(archive_write_close(writer) == ARCHIVE_OK);
  archive_write_free(writer);
  out.resize(used);
  return out;
}

std::string body(const std::string& inside) {
  return "<?xml version=\"1.0\"?><w:document xmlns:w=\"x\"><w:body>" + inside +
         "</w:body></w:document>";
}

std::string paragraph(const std::string& words, const std::string& style = "") {
  const std::string properties =
      style.empty() ? "" : "<w:pPr><w:pStyle w:val=\"" + style + "\"/></w:pPr>";
  return "<w:p>" + properties + "<w:r><w:t>" + words + "</w:t></w:r></w:p>";
}

std::string make_docx(const std::string& inside) {
  return make_zip(
      {{"word/document.xml", body(inside)},
       {"word/styles.xml",
        "<w:styles xmlns:w=\"x\"><w:style w:styleId=\"H1\"><w:name w:val=\"heading 1\"/></w:style>"
        "<w:style w:styleId=\"Sub\"><w:pPr><w:outlineLvl "
        "w:val=\"1\"/></w:pPr></w:style></w:styles>"}});
}

TEST_CASE("DOCX paragraphs, headings, lists and tables are read", "[retrieval][unit]") {
  const auto cell = [](const std::string& words) {
    return "<w:tc>" + paragraph(words) + "</w:tc>";
  };
  const auto document = load_document(
      "a.docx",
      make_docx(
          paragraph("Travel", "H1") + paragraph("Approval", "Sub") +
          "<w:p><w:r><w:t>One </w:t></w:r><w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r>"
          "<w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:r><w:t>two</w:t><w:tab/>"
          "<w:t>&lt;3&gt;</w:t></w:r></w:p>"
          "<w:p><w:pPr><w:numPr/></w:pPr><w:r><w:t>item</w:t></w:r></w:p>"
          "<w:tbl><w:tr>" +
          cell("City") + cell("Rate") + "</w:tr><w:tr>" + cell("Rome") + cell("45") +
          "</w:tr></w:tbl>"));
  REQUIRE(document.has_value());
  CHECK(document->title == "Travel");
  CHECK(document->text == "Travel\n\nApproval\n\nOne two <3>\n\n- item\n\nCity: Rome; Rate: 45");
  CHECK(document->blocks[0].level == 1);
  CHECK(document->blocks[1].level == 2);
}

TEST_CASE("a DOCX that nests deeply costs no stack", "[retrieval][unit]") {
  std::string open;
  std::string close;
  for (int i = 0; i < 50'000; ++i) {
    open += "<w:x>";
    close += "</w:x>";
  }
  const auto document = load_document("a.docx", make_docx(open + paragraph("deep") + close));
  REQUIRE(document.has_value());
  CHECK(document->text == "deep");
}

TEST_CASE("entities that a DOCX declares do not expand", "[retrieval][unit]") {
  const std::string xml =
      "<?xml version=\"1.0\"?><!DOCTYPE d [<!ENTITY a SYSTEM \"file:///etc/passwd\"><!ENTITY b "
      "\"&a;&a;\">]><w:document xmlns:w=\"x\"><w:body>" +
      paragraph("x&a;&b;y") + "</w:body></w:document>";
  const auto document = load_document("a.docx", make_zip({{"word/document.xml", xml}}));
  REQUIRE(document.has_value());
  CHECK(document->text == "x&a;&b;y");
}

TEST_CASE("broken DOCX files give typed errors", "[retrieval][unit]") {
  const std::string good = make_docx(paragraph("words"));
  for (std::size_t size = 0; size < good.size(); size += 7) {
    const auto cut = load_document("a.docx", good.substr(0, size));
    REQUIRE_FALSE(cut.has_value());
    CHECK(cut.error().code == Code::invalid_data);
  }
  CHECK(load_document("a.docx", make_zip({{"other.xml", "<x/>"}})).error().code ==
        Code::invalid_data);
  CHECK(load_document("a.docx", make_zip({{"word/document.xml", "<w:document"}})).error().code ==
        Code::invalid_data);
  CHECK(load_document("a.docx", "not a zip").error().code == Code::invalid_data);
}

TEST_CASE("a zip bomb is stopped by what it unpacks to", "[retrieval][unit]") {
  const std::string bomb = make_zip({{"word/document.xml", std::string(8U << 20U, ' ')}});
  REQUIRE(bomb.size() < 20'000);
  const auto by_ratio = load_document("a.docx", bomb);
  REQUIRE_FALSE(by_ratio.has_value());
  CHECK(by_ratio.error().code == Code::limit_exceeded);
  LoadLimits limits;
  limits.zip_ratio_max = 1'000'000;
  limits.zip_entry_bytes_max = 1U << 20U;
  CHECK(load_document("a.docx", bomb, limits).error().code == Code::limit_exceeded);

  std::map<std::string, std::string> many;
  for (int i = 0; i < 50; ++i) many["e" + std::to_string(i)] = "x";
  limits = {};
  limits.zip_entries_max = 10;
  CHECK(read_zip_entries(make_zip(many), {"none"}, limits).error().code == Code::limit_exceeded);
}

/// A PDF with one line of text a page. Its cross references are left out: readers rebuild them.
std::string make_pdf(const std::vector<std::string>& pages) {
  std::string out =
      "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[";
  for (std::size_t i = 0; i < pages.size(); ++i) out += std::to_string(4 + 2 * i) + " 0 R ";
  out += "]/Count " + std::to_string(pages.size()) +
         ">>endobj\n3 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\n";
  for (std::size_t i = 0; i < pages.size(); ++i) {
    const std::string stream = "BT /F1 12 Tf 72 700 Td (" + pages[i] + ") Tj ET";
    out += std::to_string(4 + 2 * i) +
           " 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F1 3 0 R>>>>"
           "/Contents " +
           std::to_string(5 + 2 * i) + " 0 R>>endobj\n" + std::to_string(5 + 2 * i) +
           " 0 obj<</Length " + std::to_string(stream.size()) + ">>stream\n" + stream +
           "\nendstream endobj\n";
  }
  return out + "trailer<</Root 1 0 R>>\n%%EOF\n";
}

bool lacks_pdftotext(const Result<LoadedDocument>& document) {
  if (document || document.error().code != Code::unavailable) return false;
  WARN("skipped: pdftotext is not installed");
  return true;
}

TEST_CASE("PDF pages keep their numbers", "[retrieval][unit]") {
  const auto document =
      load_document("a.pdf", make_pdf({"The first page speaks.", "", "The third page ends."}));
  if (lacks_pdftotext(document)) return;
  REQUIRE(document.has_value());
  CHECK(document->text == "The first page speaks.\n\nThe third page ends.");
  REQUIRE(document->pages.size() == 3);
  const PageSpan& third = document->pages[2];
  CHECK(third.page == 3);
  CHECK(document->text.substr(third.begin, third.end - third.begin) == "\n\nThe third page ends.");
}

TEST_CASE("a broken PDF is invalid_data, a missing pdftotext is unavailable", "[retrieval][unit]") {
  const auto broken = load_document("a.pdf", "%PDF-1.4 and nothing else");
  if (!lacks_pdftotext(broken)) {
    REQUIRE_FALSE(broken.has_value());
    CHECK(broken.error().code == Code::invalid_data);
  }
  LoadLimits limits;
  limits.pdftotext = "/nonexistent/pdftotext";
  const auto missing = load_document("a.pdf", make_pdf({"x"}), limits);
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error().code == Code::unavailable);
  CHECK(missing.error().message.find("poppler-utils") != std::string::npos);
}

TEST_CASE("a child process is held to its limits", "[retrieval][unit]") {
  const ChildLimits limits = {
      .seconds_max = 1, .memory_bytes_max = 1U << 28U, .output_bytes_max = 1000};
  const auto echo = run_child("/bin/cat", {}, "words", limits);
  REQUIRE(echo.has_value());
  CHECK(echo->output == "words");
  CHECK(echo->exit_code == 0);
  CHECK(run_child("/bin/cat", {"/dev/zero"}, "", limits).error().code == Code::limit_exceeded);
  CHECK(run_child("/bin/sleep", {"60"}, "", limits).error().code == Code::timeout);
  CHECK(run_child("/nonexistent", {}, "", limits).error().code == Code::unavailable);
  const auto environment = run_child("/usr/bin/env", {}, "", limits);
  REQUIRE(environment.has_value());
  CHECK(environment->output.empty());
  const auto failing = run_child("/bin/sh", {"-c", "echo bad >&2; exit 3"}, "", limits);
  REQUIRE(failing.has_value());
  CHECK(failing->exit_code == 3);
  CHECK(failing->errors == "bad\n");
  // Between the end of its output and its exit a child still has work to do.
  const auto slow = run_child("/bin/sh", {"-c", "exec >&- 2>&-; sleep 0.1; exit 4"}, "", limits);
  REQUIRE(slow.has_value());
  CHECK(slow->exit_code == 4);
  const auto lingering = run_child("/bin/sh", {"-c", "exec >&- 2>&-; sleep 60"}, "", limits);
  REQUIRE_FALSE(lingering.has_value());
  CHECK(lingering.error().code == Code::timeout);
  const auto files = run_child("/bin/sh", {"-c", "echo x > /tmp/facet-child; echo $?"}, "", limits);
  REQUIRE(files.has_value());
  CHECK(files->output != "0\n");
}

std::string png_chunk(const std::string& type, const std::string& data) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) {
    out += static_cast<char>((data.size() >> static_cast<unsigned>(shift)) & 0xFFU);
  }
  return out + type + data + "\0\0\0\0"s;
}

TEST_CASE("pictures are described by name, size and their own words", "[retrieval][unit]") {
  const std::string png = "\x89PNG\r\n\x1a\n" +
                          png_chunk("IHDR", "\0\0\2\x80\0\0\1\xE0\x08\2\0\0\0"s) +
                          png_chunk("tEXt", "Description\0Map of the caf\xE9"s) +
                          png_chunk("iTXt", "Title\0\0\0de\0Titel\0Büro"s) +
                          png_chunk("tEXt", "Software\0ignored"s) + png_chunk("IEND", "");
  const auto document = load_document("floor-plan_2.png", png);
  REQUIRE(document.has_value());
  CHECK(document->title == "floor plan 2");
  CHECK(document->text ==
        "Picture: floor plan 2 (640 x 480 pixels).\n\nDescription: Map of the café\n\nTitle: Büro");
  for (std::size_t size = 0; size + 12 < png.size(); ++size) {
    const auto cut = load_document("a.png", png.substr(0, size));
    if (!cut) CHECK((cut.error().code == Code::invalid_data || size < 8));
  }

  const std::string jpeg =
      "\xFF\xD8\xFF\xFE\0\7words\xFF\xC0\0\x0B\x08\0\x10\0\x20\1\1\x11\0\xFF\xDA"s;
  const auto photo = load_document("desk.jpg", jpeg);
  REQUIRE(photo.has_value());
  CHECK(photo->text == "Picture: desk (32 x 16 pixels).\n\nComment: words");
  CHECK(load_document("desk.jpg", jpeg.substr(0, 8)).error().code == Code::invalid_data);
  CHECK(load_document("desk.png", "GIF89a").error().code == Code::unsupported);
}

}  // namespace
}  // namespace facet::retrieval
