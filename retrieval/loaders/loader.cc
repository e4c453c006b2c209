#include "retrieval/loaders/loader.h"

#include "base/ascii.h"

#include <algorithm>
#include <array>
#include <string>

namespace facet::retrieval {
namespace {

struct Extension {
  std::string_view name;
  Format format;
};

constexpr std::array kExtensions = std::to_array<Extension>({
    {".txt", Format::text},
    {".text", Format::text},
    {".log", Format::text},
    {".rst", Format::text},
    {".md", Format::markdown},
    {".markdown", Format::markdown},
    {".html", Format::html},
    {".htm", Format::html},
    {".xhtml", Format::html},
    {".csv", Format::csv},
    {".tsv", Format::csv},
    {".pdf", Format::pdf},
    {".docx", Format::docx},
    {".png", Format::picture},
    {".jpg", Format::picture},
    {".jpeg", Format::picture},
    {".c", Format::source_code},
    {".cc", Format::source_code},
    {".cpp", Format::source_code},
    {".cxx", Format::source_code},
    {".cu", Format::source_code},
    {".cuh", Format::source_code},
    {".h", Format::source_code},
    {".hpp", Format::source_code},
    {".hh", Format::source_code},
    {".py", Format::source_code},
    {".js", Format::source_code},
    {".mjs", Format::source_code},
    {".ts", Format::source_code},
    {".tsx", Format::source_code},
    {".jsx", Format::source_code},
    {".java", Format::source_code},
    {".kt", Format::source_code},
    {".go", Format::source_code},
    {".rs", Format::source_code},
    {".rb", Format::source_code},
    {".php", Format::source_code},
    {".cs", Format::source_code},
    {".swift", Format::source_code},
    {".scala", Format::source_code},
    {".lua", Format::source_code},
    {".sh", Format::source_code},
    {".bash", Format::source_code},
    {".sql", Format::source_code},
    {".r", Format::source_code},
    {".pl", Format::source_code},
    {".css", Format::source_code},
    {".cmake", Format::source_code},
    {".proto", Format::source_code},
    {".yaml", Format::source_code},
    {".yml", Format::source_code},
    {".toml", Format::source_code},
    {".ini", Format::source_code},
    {".cfg", Format::source_code},
    {".json", Format::source_code},
    {".jsonl", Format::source_code},
    {".ndjson", Format::source_code},
    {".xml", Format::source_code},
});

constexpr std::array kNames = std::to_array<Extension>({
    {"readme", Format::text},
    {"license", Format::text},
    {"copying", Format::text},
    {"authors", Format::text},
    {"changelog", Format::text},
    {"makefile", Format::source_code},
    {"dockerfile", Format::source_code},
});

Result<LoadedDocument> load_as(Format format,
                               const std::filesystem::path& name,
                               std::string_view bytes,
                               const LoadLimits& limits) {
  switch (format) {
    case Format::text:
      return load_text(name, bytes, limits);
    case Format::markdown:
      return load_markdown(name, bytes, limits);
    case Format::html:
      return load_html(name, bytes, limits);
    case Format::csv:
      return load_csv(name, bytes, limits);
    case Format::source_code:
      return load_source_code(name, bytes, limits);
    case Format::pdf:
      return load_pdf(name, bytes, limits);
    case Format::docx:
      return load_docx(name, bytes, limits);
    case Format::picture:
      return load_picture(name, bytes, limits);
  }
  return Error{Code::internal, "format " + std::to_string(static_cast<int>(format))};
}

}  // namespace

Result<Format> format_of(const std::filesystem::path& name) {
  const std::string extension = ascii_lower(name.extension().string());
  for (const Extension& known : kExtensions) {
    if (known.name == extension) return known.format;
  }
  const std::string whole = ascii_lower(name.filename().string());
  for (const Extension& known : kNames) {
    if (known.name == whole) return known.format;
  }
  if (extension.empty()) {
    return Error{Code::unsupported, "no loader for a file without an extension"};
  }
  return Error{Code::unsupported, "no loader for the extension '" + extension + "'"};
}

Result<LoadedDocument> load_document(const std::filesystem::path& name,
                                     std::string_view bytes,
                                     const LoadLimits& limits) {
  const auto format = format_of(name);
  if (!format) return format.error().with_context(name.string());
  if (bytes.size() > limits.document_bytes_max) {
    return Error{Code::limit_exceeded,
                 name.string() + ": " + std::to_string(bytes.size()) +
                     " bytes exceed the limit of " + std::to_string(limits.document_bytes_max)};
  }
  auto document = load_as(*format, name, bytes, limits);
  if (!document) return document.error().with_context(name.string());
  return document;
}

}  // namespace facet::retrieval
