#include "engine/model/chat_template.h"
#include "engine/model/gguf.h"
#include "engine/model/gguf_config.h"
#include "engine/model/model_source.h"

#include <utility>

namespace facet::engine {
namespace {

/// Fills everything but the files.
Status read_parts(std::span<const std::byte> bytes, bool with_tokenizer, ModelSource& out) {
  FACET_TRY(const Gguf gguf, Gguf::parse(bytes));
  FACET_TRY(out.config, read_gguf_config(gguf, with_tokenizer));
  if (with_tokenizer) {
    FACET_TRY(out.vocabulary, read_gguf_vocabulary(gguf));
    FACET_TRY(out.chat_template, read_gguf_chat_template(gguf));
  }
  out.tensors = gguf.tensors();
  if (out.tensors.find("output.weight") == nullptr) return ok();
  return Error{Code::unsupported, "tensor 'output.weight': the head of the family is tied"};
}

}  // namespace

Result<ModelSource> read_gguf_model(const std::filesystem::path& path, bool with_tokenizer) {
  FACET_TRY(MappedFile file, MappedFile::open(path));
  ModelSource out;
  FACET_TRY_STATUS(read_parts(file.bytes(), with_tokenizer, out));
  if (out.config.name.empty()) out.config.name = path.stem().string();
  out.naming = gguf_naming();
  out.files.push_back(std::move(file));
  return out;
}

Result<Vocabulary> read_gguf_vocabulary_file(const std::filesystem::path& path) {
  FACET_TRY(const MappedFile file, MappedFile::open(path));
  FACET_TRY(const Gguf gguf, Gguf::parse(file.bytes()));
  return read_gguf_vocabulary(gguf);
}

}  // namespace facet::engine
