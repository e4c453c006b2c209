#include "engine/kv/prefix_tree.h"

#include "base/check.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

namespace facet::engine {
namespace {

/// Keeps the search for a victim short; far more than conversations have messages.
constexpr std::int64_t kPointsMax = 1024;

/// The last place at or before `tokens` that is not inside an image.
std::int64_t outside_images(std::span<const ImageSpan> images, std::int64_t tokens) {
  for (const ImageSpan& span : images) {
    if (tokens > span.first && tokens < span.end()) return span.first;
  }
  return tokens;
}

/// Where the last token or image before `tokens` begins: what is run again for the logits.
std::int64_t unit_begin(std::span<const ImageSpan> images, std::int64_t tokens) {
  for (const ImageSpan& span : images) {
    if (span.end() == tokens) return span.first;
  }
  return std::max<std::int64_t>(0, tokens - 1);
}

struct Held {
  explicit Held(PrefixPoint held)
      : point(std::move(held)), truncatable_from(point.cache.truncatable_from()) {}

  PrefixPoint point;
  std::int64_t truncatable_from = 0;
  std::int64_t used = 0;  ///< When, by the tree's clock.

  /// True when the sequence of `tokens` can be had from here, its logits included.
  [[nodiscard]] bool reaches(std::int64_t tokens) const {
    return truncatable_from <= unit_begin(point.images, tokens);
  }
  [[nodiscard]] std::vector<KvCache::PageRef> parts() const {
    std::vector<KvCache::PageRef> out = point.cache.page_refs();
    for (const ImageSpan& span : point.images) {
      const auto bytes = span.image->values.size() * sizeof(float);
      out.push_back({.address = span.image.get(), .bytes = static_cast<std::int64_t>(bytes)});
    }
    return out;
  }
  /// The sequence of the first `tokens`. REQUIRES: reaches(tokens), or all of it.
  [[nodiscard]] PrefixPoint cut(std::int64_t tokens) const {
    PrefixPoint out{.tokens = tokens, .cache = point.cache.fork()};
    for (const ImageSpan& span : point.images) {
      if (span.end() <= tokens) out.images.push_back(span);
    }
    if (tokens == point.tokens) {
      out.logits = point.logits;
    } else {
      out.cache.truncate(tokens);
    }
    return out;
  }
  [[nodiscard]] std::int64_t own_bytes() const {
    return static_cast<std::int64_t>(point.logits.size() * sizeof(float));
  }
};

struct Node {
  int parent = -1;
  std::int64_t depth = 0;        ///< Tokens from the root to here.
  std::vector<TokenId> edge;     ///< The last of them, behind the parent.
  std::map<TokenId, int> below;  ///< By the first token of their edge.
  std::unique_ptr<Held> held;    ///< Null: only a place, which may be resumed from another.
};

/// How far a text follows the tree.
struct Walk {
  int node = 0;             ///< The last node that is passed.
  int below = -1;           ///< The node whose edge is left half way, or -1.
  std::int64_t shared = 0;  ///< Tokens that match.
};

}  // namespace

/// What the lock guards.
struct PrefixTree::State {
  const std::int64_t bytes_max;
  const std::int64_t window;
  std::map<int, Node> nodes = {};  ///< By number; 0 is the root.
  int next_node = 1;
  std::int64_t uses = 0;                                 ///< The clock of "least recently used".
  std::unordered_map<const void*, int> part_users = {};  ///< Points that share a page or an image.
  PrefixStats stats = {};

  [[nodiscard]] Walk walk(std::span<const TokenId> ids) const;
  /// A point that gives more than `tokens` of the path, which it raises; -1: there is none.
  [[nodiscard]] int find_beyond(const Walk& path, std::int64_t& tokens) const;
  int node_at(std::span<const TokenId> ids);
  void add(int parent, std::span<const TokenId> edge, int node);
  void hold(const Held& held);
  void release(int node);
  [[nodiscard]] bool is_covered(int place, int gone) const;
  [[nodiscard]] bool is_cheap(int node) const;
  [[nodiscard]] int next_victim(int keep) const;
};

Walk PrefixTree::State::walk(std::span<const TokenId> ids) const {
  Walk out;
  while (static_cast<std::size_t>(out.shared) < ids.size()) {
    const auto rest = ids.subspan(static_cast<std::size_t>(out.shared));
    const auto& below = nodes.at(out.node).below;
    const auto next = below.find(rest.front());
    if (next == below.end()) break;
    const std::vector<TokenId>& edge = nodes.at(next->second).edge;
    const auto end = std::mismatch(edge.begin(), edge.end(), rest.begin(), rest.end()).first;
    out.shared += end - edge.begin();
    if (end != edge.end()) {
      out.below = next->second;
      break;
    }
    out.node = next->second;
  }
  return out;
}

int PrefixTree::State::find_beyond(const Walk& path, std::int64_t& tokens) const {
  int best = -1;
  int searched = -1;
  int place = path.below >= 0 ? path.below : path.node;
  std::int64_t wanted = path.shared;
  // Further up, other texts part from this one earlier, and may hold what the nearer ones have
  // left.
  while (best < 0 && wanted > tokens) {
    std::vector<int> todo = {place};
    while (!todo.empty()) {
      const int number = todo.back();
      const Node& at = nodes.at(number);
      todo.pop_back();
      for (const auto& [id, child] : at.below) {
        if (child != searched) todo.push_back(child);
      }
      if (at.held == nullptr) continue;
      const std::int64_t cut = outside_images(at.held->point.images, wanted);
      if (cut <= tokens || !at.held->reaches(cut)) continue;
      best = number;
      tokens = cut;
    }
    searched = place;
    place = nodes.at(place).parent;
    if (place < 0) break;
    wanted = nodes.at(place).depth;
  }
  return best;
}

void PrefixTree::State::add(int parent, std::span<const TokenId> edge, int node) {
  Node& at = nodes[node];
  at.parent = parent;
  at.depth = nodes.at(parent).depth + static_cast<std::int64_t>(edge.size());
  at.edge.assign(edge.begin(), edge.end());
  nodes.at(parent).below[edge.front()] = node;
}

/// The node at the end of `ids`, made where it is not there.
int PrefixTree::State::node_at(std::span<const TokenId> ids) {
  const Walk path = walk(ids);
  int end = path.node;
  if (path.below >= 0) {  // Cuts the edge in two.
    const std::vector<TokenId> edge = nodes.at(path.below).edge;
    const auto split = static_cast<std::size_t>(path.shared - nodes.at(path.node).depth);
    end = next_node++;
    add(path.node, std::span(edge).first(split), end);
    add(end, std::span(edge).subspan(split), path.below);
  }
  const auto rest = ids.subspan(static_cast<std::size_t>(path.shared));
  if (rest.empty()) return end;
  const int leaf = next_node++;
  add(end, rest, leaf);
  return leaf;
}

void PrefixTree::State::hold(const Held& held) {
  for (const auto& part : held.parts()) {
    if (++part_users[part.address] == 1) stats.bytes += part.bytes;
  }
  stats.bytes += held.own_bytes();
  ++stats.points;
}

/// Gives up the point of `node`, and the nodes that lead nowhere without it.
void PrefixTree::State::release(int node) {
  const Held& held = *nodes.at(node).held;
  for (const auto& part : held.parts()) {
    const auto users = part_users.find(part.address);
    if (--users->second > 0) continue;
    part_users.erase(users);
    stats.bytes -= part.bytes;
  }
  stats.bytes -= held.own_bytes();
  --stats.points;
  nodes.at(node).held.reset();
  while (node != 0 && nodes.at(node).held == nullptr && nodes.at(node).below.empty()) {
    const int parent = nodes.at(node).parent;
    nodes.at(parent).below.erase(nodes.at(node).edge.front());
    nodes.erase(node);
    node = parent;
  }
}

/// True when a point below `place`, that of `gone` aside, can be cut back to it.
bool PrefixTree::State::is_covered(int place, int gone) const {
  std::vector<int> todo = {place};
  while (!todo.empty()) {
    const int number = todo.back();
    const Node& at = nodes.at(number);
    todo.pop_back();
    if (at.held != nullptr && number != gone && at.held->reaches(nodes.at(place).depth))
      return true;
    for (const auto& [id, child] : at.below) todo.push_back(child);
  }
  return false;
}

/// True when every place that relies on the point of `node` stays resumable without it, with a
/// window of recomputation at most: the places before it, which it can be cut back to, and those
/// behind it up to the next points.
bool PrefixTree::State::is_cheap(int node) const {
  std::vector<int> places;
  int before = nodes.at(node).parent;
  for (; before != 0 && nodes.at(before).held == nullptr; before = nodes.at(before).parent) {
    places.push_back(before);
  }
  std::vector<int> todo = {node};
  while (!todo.empty()) {
    const int number = todo.back();
    todo.pop_back();
    places.push_back(number);
    for (const auto& [id, child] : nodes.at(number).below) {
      if (nodes.at(child).held == nullptr) todo.push_back(child);
    }
  }
  return std::all_of(places.begin(), places.end(), [&](int place) {
    return nodes.at(place).depth - nodes.at(before).depth <= window || is_covered(place, node);
  });
}

/// The point to give up next, `keep` never; -1: there is none.
int PrefixTree::State::next_victim(int keep) const {
  std::vector<std::pair<std::int64_t, int>> by_use;
  for (const auto& [number, node] : nodes) {
    if (node.held != nullptr && number != keep) by_use.emplace_back(node.held->used, number);
  }
  std::sort(by_use.begin(), by_use.end());
  for (const auto& [used, number] : by_use) {
    if (is_cheap(number)) return number;
  }
  return by_use.empty() ? -1 : by_use.front().second;
}

PrefixTree::PrefixTree(std::int64_t bytes_max, std::int64_t window)
    : state_(new State{.bytes_max = bytes_max, .window = window}) {
  state_->nodes.emplace(0, Node{});
}

PrefixTree::~PrefixTree() = default;

PrefixTree::Found PrefixTree::find(std::span<const TokenId> ids) {
  const std::scoped_lock lock(mutex_);
  State& state = *state_;
  ++state.stats.lookups;
  const Walk path = state.walk(ids);
  Found out{.shared = path.shared};
  int from = path.node;
  while (from != 0 && state.nodes.at(from).held == nullptr) from = state.nodes.at(from).parent;
  std::int64_t tokens = state.nodes.at(from).depth;
  const int beyond = state.find_beyond(path, tokens);
  if (beyond >= 0) from = beyond;
  if (tokens == 0) return out;
  Held& held = *state.nodes.at(from).held;
  held.used = ++state.uses;
  ++state.stats.hits;
  state.stats.tokens_reused += tokens;
  out.point = held.cut(tokens);
  return out;
}

bool PrefixTree::touch(std::span<const TokenId> ids) {
  const std::scoped_lock lock(mutex_);
  const Walk path = state_->walk(ids);
  const Node& node = state_->nodes.at(path.node);
  if (node.held == nullptr || node.depth != static_cast<std::int64_t>(ids.size())) return false;
  node.held->used = ++state_->uses;
  return true;
}

void PrefixTree::insert(std::span<const TokenId> ids, PrefixPoint point) {
  FACET_CHECK(!ids.empty() && point.tokens == static_cast<std::int64_t>(ids.size()));
  FACET_CHECK(point.cache.size() == point.tokens);
  auto held = std::make_unique<Held>(std::move(point));
  std::int64_t bytes = held->own_bytes();
  for (const auto& part : held->parts()) bytes += part.bytes;

  const std::scoped_lock lock(mutex_);
  if (bytes > state_->bytes_max) return;
  // Without its logits its last token or image is run again, which needs the windows before that.
  if (held->point.logits.empty() && !held->reaches(held->point.tokens)) return;
  const int node = state_->node_at(ids);
  held->used = ++state_->uses;
  if (state_->nodes.at(node).held != nullptr) {
    state_->nodes.at(node).held->used = state_->uses;
    return;
  }
  state_->hold(*held);
  state_->nodes.at(node).held = std::move(held);
  while (state_->stats.bytes > state_->bytes_max || state_->stats.points > kPointsMax) {
    const int victim = state_->next_victim(node);
    if (victim < 0) break;
    state_->release(victim);
    ++state_->stats.evictions;
  }
}

void PrefixTree::clear() {
  const std::scoped_lock lock(mutex_);
  state_->nodes.clear();
  state_->nodes.emplace(0, Node{});
  state_->part_users.clear();
  state_->stats.points = 0;
  state_->stats.bytes = 0;
}

PrefixStats PrefixTree::stats() const {
  const std::scoped_lock lock(mutex_);
  return state_->stats;
}

}  // namespace facet::engine
