// Which pieces of a vocabulary are control tokens, and what text each piece stands for.
#pragma once

#include "base/result.h"
#include "engine/tokenizer/tokenizer.h"

#include <string>
#include <string_view>

namespace facet::engine {

/// True for pieces that steer the model: control and unknown pieces, the turn, image and text
/// markers whatever type a file gives them, and user-defined pieces in angle or square brackets
/// such as <start_of_turn>, <escape>, <unused7>, [multimodal]. The HTML tags of Gemma's vocabulary
/// (<h1>, </table>, ...) are text; so are runs of newlines, tabs and spaces. A bracketed name that
/// is not known to be HTML counts as control.
bool is_control_piece(const Piece& piece);

/// The bytes that a piece adds to the text: U+2581 becomes a space, "<0x41>" of type byte is one
/// byte, control pieces add nothing.
std::string piece_bytes(const Piece& piece);

/// The value of a byte piece's text ("<0x41>" is 65), -1 when it is not of that form.
int byte_piece_value(std::string_view text);

/// Sizes, ids in range, no empty or repeated text, valid UTF-8, finite scores, exactly one unknown
/// piece, each of the 256 byte pieces once. invalid_data naming the piece, limit_exceeded.
Status check_vocabulary(const Vocabulary& vocabulary);

}  // namespace facet::engine
