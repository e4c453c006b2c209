// The name of a model's contents, by which caches and saved sequences know that it is the same.
#pragma once

#include "engine/model/model_source.h"

#include <string>

namespace facet::engine {

/// 16 hexadecimal digits: FNV-1a, 64 bits, over the config, every tensor's name, type and shape,
/// all bytes of vectors and 256 bytes from the middle of each matrix, and the vocabulary. Equal
/// files give equal text on every machine; it guards against mistakes, not against forgery.
std::string model_identity(const ModelSource& source);

}  // namespace facet::engine
