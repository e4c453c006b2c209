// Whether any text can come to the end of a part of a grammar: what a front end asks before it
// offers something that nobody could write.
#pragma once

#include "base/grammar.h"

namespace facet::grammar {

/// True when some text matches `node`. Takes time in proportion to what `node` reaches; bounds on
/// how deep rules nest are not looked at.
bool is_completable(const Grammar& grammar, Grammar::Node node);

}  // namespace facet::grammar
