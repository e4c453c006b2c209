// Loaders: bytes of a file in, LoadedDocument out. All are pure functions of their arguments (pdf
// starts a child process), thread-safe, iterative, and bounded by LoadLimits. `name` is the file's
// name: it goes into messages, and its stem is the title of last resort.
#pragma once

#include "base/result.h"
#include "retrieval/loaders/document.h"

#include <filesystem>
#include <string_view>

namespace facet::retrieval {

enum class Format { text, markdown, html, csv, source_code, pdf, docx, picture };

/// By the extension (letter case ignored), or the whole name of files like README and Makefile.
/// unsupported for anything else.
Result<Format> format_of(const std::filesystem::path& name);

/// Loads with the loader of format_of(name); errors start with the name.
Result<LoadedDocument> load_document(const std::filesystem::path& name,
                                     std::string_view bytes,
                                     const LoadLimits& limits = {});

/// Paragraphs at blank lines. Headings: a line underlined with === or ---, or a lone short line in
/// capitals.
Result<LoadedDocument> load_text(const std::filesystem::path& name,
                                 std::string_view bytes,
                                 const LoadLimits& limits);

/// The CommonMark blocks that documents use (headings, paragraphs, lists, quotes, fenced code),
/// pipe tables as rows, front matter's title. Inline markup is removed, words stay.
Result<LoadedDocument> load_markdown(const std::filesystem::path& name,
                                     std::string_view bytes,
                                     const LoadLimits& limits);

/// What a browser would show: no scripts, styles, comments or hidden elements. Tables as rows.
Result<LoadedDocument> load_html(const std::filesystem::path& name,
                                 std::string_view bytes,
                                 const LoadLimits& limits);

/// RFC 4180 with the separator (comma, semicolon, tab) that splits the first lines most evenly.
/// Rows become "header: value; header: value". invalid_data for a quote that never closes.
Result<LoadedDocument> load_csv(const std::filesystem::path& name,
                                std::string_view bytes,
                                const LoadLimits& limits);

/// Code blocks cut at blank lines in front of lines that are not indented.
Result<LoadedDocument> load_source_code(const std::filesystem::path& name,
                                        std::string_view bytes,
                                        const LoadLimits& limits);

/// Through `pdftotext` in a child process with limits on time, memory and output. unavailable when
/// the program is missing, unsupported for a password, timeout, invalid_data when it fails.
Result<LoadedDocument> load_pdf(const std::filesystem::path& name,
                                std::string_view bytes,
                                const LoadLimits& limits);

/// Paragraphs, headings by style, lists and tables of word/document.xml.
Result<LoadedDocument> load_docx(const std::filesystem::path& name,
                                 std::string_view bytes,
                                 const LoadLimits& limits);

/// PNG and JPEG: the words of the file name, the picture's size, and the descriptions that the file
/// itself carries (PNG tEXt and iTXt, JPEG comments). The pixels are not looked at.
Result<LoadedDocument> load_picture(const std::filesystem::path& name,
                                    std::string_view bytes,
                                    const LoadLimits& limits);

}  // namespace facet::retrieval
