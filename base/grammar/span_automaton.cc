#include "base/grammar/span_automaton.h"

#include "base/json.h"
#include "base/utf8.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace facet::grammar {
namespace {

/// Of the places behind a word that stands more often, only so many, the first ones, leave words
/// out: such a word says little.
constexpr std::size_t kSkippingPlacesMax = 8;

/// A place in the spelled texts, which stand one behind the other; each ends with a place without
/// a byte.
struct Place {
  char byte = '\0';
  bool is_first = false;  ///< Of the bytes of a character.
  bool ends = false;      ///< A span may end in front of it.
  bool skips = false;     ///< And go on behind words that are left out.
  std::int32_t left = 0;  ///< Bytes to the end of the text.
};

std::string spelled_character(std::string_view character, Spelling spelling) {
  const bool is_plain =
      character.size() > 1 || (character[0] >= ' ' && character[0] != '"' && character[0] != '\\');
  if (spelling == Spelling::raw || is_plain) return std::string(character);
  const std::string quoted = json_quote(character);
  return quoted.substr(1, quoted.size() - 2);
}

/// All texts of a source, spelled.
class Places {
 public:
  Places(const CopySource& source, Spelling spelling) {
    for (const CopyText& text : source.texts()) add(text, spelling);
  }

  [[nodiscard]] const Place& operator[](std::int32_t at) const {
    return places_[static_cast<std::size_t>(at)];
  }
  [[nodiscard]] const std::vector<std::int32_t>& begins() const { return begins_; }
  [[nodiscard]] std::int64_t characters_max() const { return characters_max_; }

 private:
  void add(const CopyText& text, Spelling spelling) {
    const std::size_t first = places_.size();
    const bool is_short = text.text.size() <= kSkippingBytesMax;
    std::int64_t characters = 0;
    for (std::size_t at = 0; at < text.text.size();) {
      const std::size_t length = utf8_length_at(text.text, at);
      if (text.begins[at]) begins_.push_back(static_cast<std::int32_t>(places_.size()));
      bool is_first = true;
      const std::string_view character = std::string_view(text.text).substr(at, length);
      for (const char byte : spelled_character(character, spelling)) {
        const bool ends = is_first && text.ends[at];
        places_.push_back({byte, std::exchange(is_first, false), ends, ends && is_short});
      }
      at += length;
      ++characters;
    }
    places_.push_back({.ends = true});
    characters_max_ = std::max(characters_max_, characters);
    std::int32_t left = 0;
    for (std::size_t at = places_.size(); at-- > first;) places_[at].left = left++;
  }

  std::vector<Place> places_;
  std::vector<std::int32_t> begins_;
  std::int64_t characters_max_ = 0;
};

/// Places in order, behind the number of characters so far where that counts.
using State = std::vector<std::int32_t>;

struct StateHash {
  std::size_t operator()(const State& state) const {
    std::size_t hash = state.size();
    for (const std::int32_t place : state) {
      hash = (hash ^ static_cast<std::size_t>(place)) * 0x9E3779B97F4A7C15U;
      hash ^= hash >> 29U;
    }
    return hash;
  }
};

class SpanBuilder {
 public:
  SpanBuilder(const Places& places, SpanForm form) : places_(places), form_(form) {
    if (form_.max >= places.characters_max()) form_.max = -1;
    if (form_.max < 0) form_.min = std::min(form_.min, places.characters_max() + 1);
    counts_ = form_.max >= 0 || form_.min > 1;  // No span is empty.
  }

  ByteAutomaton build() {
    State start{0};
    start.insert(start.end(), places_.begins().begin(), places_.begins().end());
    if (start.size() == 1) return {};
    add(std::move(start), 0);
    for (std::size_t at = 0; at < states_.size(); ++at) extend(at);
    ByteAutomaton out = in_order();
    return counts_ || is_cut_ ? trimmed(out) : out;
  }

 private:
  /// A byte and the place behind it.
  struct Step {
    std::uint8_t byte = 0;
    std::int32_t to = 0;
    bool is_first = false;  ///< Of the bytes of a character.
    // clang-tidy 14 takes what the compiler writes for a 0.
    auto operator<=>(const Step&) const = default;  // NOLINT(modernize-use-nullptr)
  };

  struct Known {
    const State* state = nullptr;  ///< A key of known_.
    std::size_t depth = 0;         ///< Bytes of the shortest way to it.
    std::int32_t left = 0;         ///< Of the place with the most.
  };

  /// The number of `state`; -1 where there are too many.
  std::int32_t add(State state, std::size_t depth) {
    if (depth > kSpanRepeatsMax) {
      const auto less = [&](std::int32_t a, std::int32_t b) {
        return places_[a].left < places_[b].left;
      };
      state = {state.front(), *std::max_element(state.begin() + 1, state.end(), less)};
    }
    const auto known = known_.find(state);
    if (known != known_.end()) return known->second;
    if (states_.size() >= (counts_ ? kCountedSpanStatesMax : kSpanStatesMax)) {
      is_cut_ = true;
      return -1;
    }
    const auto number = static_cast<std::int32_t>(states_.size());
    Known fresh{.depth = depth};
    bool ends = false;
    for (std::size_t i = 1; i < state.size(); ++i) {
      fresh.left = std::max(fresh.left, places_[state[i]].left);
      ends = ends || places_[state[i]].ends;
    }
    const bool is_long_enough = !counts_ || state.front() >= form_.min;
    automaton_.states.push_back({.accepts = number > 0 && ends && is_long_enough});
    fresh.state = &known_.emplace(std::move(state), number).first->first;
    states_.push_back(fresh);
    return number;
  }

  /// Adds what may follow state `at`, byte by byte.
  void extend(std::size_t at) {
    const State& state = *states_[at].state;
    const bool is_begun = at > 0;
    std::vector<Step> next;
    for (std::size_t i = 1; i < state.size(); ++i) {
      const Place& place = places_[state[i]];
      if (place.left == 0) continue;
      next.push_back({static_cast<std::uint8_t>(place.byte), state[i] + 1, place.is_first});
      if (is_begun && place.skips && i <= kSkippingPlacesMax) add_skips(state[i], next);
    }
    std::sort(next.begin(), next.end());
    for (std::size_t i = 0; i < next.size();) {
      const std::uint8_t byte = next[i].byte;
      const std::int32_t count = counted(state.front(), next[i].is_first);
      State to{count};
      for (; i < next.size() && next[i].byte == byte; ++i) {
        if (to.size() == 1 || to.back() != next[i].to) to.push_back(next[i].to);
      }
      if (form_.max >= 0 && count > form_.max) continue;
      const std::int32_t number = add(std::move(to), states_[at].depth + 1);
      if (number >= 0) automaton_.states[at].edges.push_back({byte, byte, number});
    }
  }

  /// Behind a word, to the beginnings of the words after the next one; not to one at which a span
  /// ends too, as between two characters of Japanese: it would end with the space.
  void add_skips(std::int32_t place, std::vector<Step>& next) const {
    if (form_.skipped_max == 0) return;
    const auto& begins = places_.begins();
    const std::int32_t end = place + places_[place].left;
    auto begin = std::upper_bound(begins.begin(), begins.end(), place);
    for (int i = 0; i <= form_.skipped_max && begin != begins.end() && *begin < end; ++i, ++begin) {
      if (!places_[*begin].ends) next.push_back({' ', *begin, true});
    }
  }

  /// All places of a state are equally far in their character.
  [[nodiscard]] std::int32_t counted(std::int32_t before, bool is_first) const {
    if (!counts_) return 0;
    const std::int64_t most = form_.max >= 0 ? form_.max + 1 : form_.min;
    const std::int64_t count = std::int64_t{before} + (is_first ? 1 : 0);
    return static_cast<std::int32_t>(std::min(count, most));
  }

  /// Every edge leads to less text: sorted by it, code of the automaton goes forwards only.
  [[nodiscard]] ByteAutomaton in_order() const {
    std::vector<std::int32_t> order(states_.size());
    std::iota(order.begin(), order.end(), 0);
    const auto known = [&](std::int32_t state) { return states_[static_cast<std::size_t>(state)]; };
    std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
      return known(a).left > known(b).left;
    });
    std::vector<std::int32_t> names(order.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
      names[static_cast<std::size_t>(order[i])] = static_cast<std::int32_t>(i);
    }
    ByteAutomaton out;
    for (const std::int32_t state : order) {
      out.states.push_back(automaton_.states[static_cast<std::size_t>(state)]);
      for (auto& edge : out.states.back().edges) edge.to = names[static_cast<std::size_t>(edge.to)];
    }
    return out;
  }

  const Places& places_;
  SpanForm form_;
  bool counts_ = false;
  bool is_cut_ = false;
  std::unordered_map<State, std::int32_t, StateHash> known_;
  std::vector<Known> states_;
  ByteAutomaton automaton_;
};

}  // namespace

ByteAutomaton span_automaton(const CopySource& source, Spelling spelling, SpanForm form) {
  const Places places(source, spelling);
  return SpanBuilder(places, form).build();
}

}  // namespace facet::grammar
