// Other words for the same: whoever wants to shift a container means move_container, and a picture
// is what take_photo takes. A small model knows few of them, a dictionary most. The model's file
// lists pairs of words that mean nearly the same in one of their senses, or of which one is a kind
// of the other (models/pocket/train/thesaurus.py), as 63 bits of a hash each.
#pragma once

#include "engine/model/thesaurus.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace facet::agent {

/// What `word`, in small letters, is in a dictionary: itself, and what it may be a form of by the
/// endings of English ("copies": copy; "planned": plan, plann, planne).
std::vector<std::string> base_forms(std::string_view word);

/// The number of a pair of words, each a word of a dictionary or two with a space between them; of
/// both orders the same. The upper 63 bits of FNV-1a of the lesser one, a tab, and the greater one.
std::uint64_t word_pair(std::string_view one, std::string_view other);

/// Whether the pair of any of `some` with any of `others` is in `thesaurus`.
bool has_pair(const engine::Thesaurus& thesaurus,
              const std::vector<std::string>& some,
              const std::vector<std::string>& others);

}  // namespace facet::agent
