#include "base/grammar.h"

#include "base/check.h"

#include <utility>

namespace facet {

Grammar::Node Grammar::add(NodeData data) {
  nodes_.push_back(std::move(data));
  return static_cast<Node>(nodes_.size() - 1);
}

Grammar::Node Grammar::literal(std::string_view text) {
  return add({.kind = Kind::literal, .text = std::string(text)});
}

Grammar::Node Grammar::bytes(std::string_view accepted, bool negate) {
  NodeData data{.kind = Kind::bytes, .byte_set = std::string(256, negate ? '1' : '0')};
  for (const char c : accepted) data.byte_set[static_cast<unsigned char>(c)] = negate ? '0' : '1';
  return add(std::move(data));
}

Grammar::Node Grammar::control(std::string_view name) {
  return add({.kind = Kind::control, .text = std::string(name)});
}

Grammar::Node Grammar::sequence(std::vector<Node> parts) {
  return add({.kind = Kind::sequence, .children = std::move(parts)});
}

Grammar::Node Grammar::choice(std::vector<Node> alternatives) {
  FACET_CHECK(!alternatives.empty());
  return add({.kind = Kind::choice, .children = std::move(alternatives)});
}

Grammar::Node Grammar::repeat(Node part, std::int32_t min, std::int32_t max) {
  FACET_CHECK(min >= 0 && (max == -1 || max >= min));
  return add({.kind = Kind::repeat, .children = {part}, .min = min, .max = max});
}

Grammar::Node Grammar::declare(std::string_view name) {
  return add({.kind = Kind::rule, .text = std::string(name)});
}

void Grammar::define(Node rule, Node body) {
  NodeData& data = nodes_.at(static_cast<std::size_t>(rule));
  FACET_CHECK(data.kind == Kind::rule && data.children.empty());
  data.children = {body};
}

}  // namespace facet
