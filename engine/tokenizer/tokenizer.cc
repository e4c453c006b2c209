#include "engine/tokenizer/tokenizer.h"

#include "base/mapped_file.h"
#include "base/utf8.h"
#include "engine/tokenizer/model_proto.h"
#include "engine/tokenizer/sentencepiece_tokenizer.h"
#include "engine/tokenizer/vocabulary.h"

#include <utility>

namespace facet::engine {

Result<std::shared_ptr<const Tokenizer>> Tokenizer::load_sentencepiece(
    const std::filesystem::path& path) {
  FACET_TRY(const MappedFile file, MappedFile::open(path));
  auto vocabulary = parse_model_proto(file.bytes());
  if (!vocabulary) return vocabulary.error().with_context(path.string());
  auto tokenizer = create(*std::move(vocabulary));
  if (!tokenizer) return tokenizer.error().with_context(path.string());
  return tokenizer;
}

Result<std::shared_ptr<const Tokenizer>> Tokenizer::create(Vocabulary vocabulary) {
  FACET_TRY_STATUS(check_vocabulary(vocabulary));
  return SentencepieceTokenizer::create(std::move(vocabulary));
}

std::string StreamDecoder::push(TokenId id) {
  const bool spelled = with_control_ && tokenizer_->is_control(id);
  pending_ += spelled ? tokenizer_->token_text(id) : tokenizer_->token_bytes(id);
  const std::size_t held = incomplete_utf8_suffix(pending_);
  std::string out = to_valid_utf8(std::string_view(pending_).substr(0, pending_.size() - held));
  pending_.erase(0, pending_.size() - held);
  return out;
}

std::string StreamDecoder::finish() {
  std::string out = to_valid_utf8(pending_);
  pending_.clear();
  return out;
}

}  // namespace facet::engine
