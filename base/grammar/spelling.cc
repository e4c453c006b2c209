// From code points to the bytes a dialect writes them with.
#include "base/grammar/text_automaton.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace facet::grammar {
namespace {

using ByteRange = std::pair<std::uint8_t, std::uint8_t>;

/// Byte ranges one after the other that lead to a state.
struct Way {
  std::vector<ByteRange> bytes;
  std::int32_t to = 0;
  auto operator<=>(const Way&) const = default;
};

constexpr std::string_view kEscaped = "\"\\\b\f\n\r\t";
constexpr std::string_view kEscapeLetters = "\"\\bfnrt";

void add_text(std::vector<ByteRange>& bytes, std::string_view text) {
  for (const char c : text) {
    bytes.emplace_back(static_cast<std::uint8_t>(c), static_cast<std::uint8_t>(c));
  }
}

void add_utf8(const CodePointSet& set, std::int32_t to, std::vector<Way>& out) {
  for (const Utf8Block& block : utf8_blocks(set)) {
    Way way{.to = to};
    for (std::size_t i = 0; i < static_cast<std::size_t>(block.length); ++i) {
      way.bytes.emplace_back(block.first[i], block.last[i]);
    }
    out.push_back(std::move(way));
  }
}

/// Characters that stand for themselves between quotes.
const CodePointSet& unescaped() {
  static const CodePointSet set({{0x20, 0x21}, {0x23, 0x5B}, {0x5D, 0x7E}, {0x80, 0x10FFFF}});
  return set;
}

/// Each code point of `set` in its usual spelling.
void add_ways(const CodePointSet& set, Spelling spelling, std::int32_t to, std::vector<Way>& out) {
  if (spelling == Spelling::raw) {
    add_utf8(set, to, out);
    return;
  }
  add_utf8(set.intersection(unescaped()), to, out);
  const CodePointSet others = set.intersection(unescaped().complement());
  for (const CodePointRange& range : others.ranges()) {
    for (std::uint32_t code = range.first; code <= range.last; ++code) {
      Way way{.to = to};
      const std::size_t letter =
          code < 0x80 ? kEscaped.find(static_cast<char>(code)) : std::string_view::npos;
      if (letter != std::string_view::npos) {
        add_text(way.bytes, std::string("\\") + kEscapeLetters[letter]);
      } else if (code == 0x7F) {
        add_text(way.bytes, "\x7F");
      } else {
        constexpr std::string_view kHex = "0123456789abcdef";
        add_text(way.bytes, std::string("\\u00") + kHex[code >> 4U] + kHex[code & 15U]);
      }
      out.push_back(std::move(way));
    }
  }
}

/// Turns ways into edges: at each byte the ways that are still possible are told apart; equal sets
/// of remaining ways share a state.
class Weaver {
 public:
  explicit Weaver(ByteAutomaton& out) : out_(out) {}

  void weave(std::size_t state, const std::vector<Way>& ways) {
    std::vector<int> cuts;
    for (const Way& way : ways) {
      cuts.push_back(way.bytes.front().first);
      cuts.push_back(way.bytes.front().second + 1);
    }
    std::sort(cuts.begin(), cuts.end());
    cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
    for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
      std::vector<Way> rest;
      for (const Way& way : ways) {
        const auto [first, last] = way.bytes.front();
        if (first > cuts[i] || last < cuts[i]) continue;
        rest.push_back({{way.bytes.begin() + 1, way.bytes.end()}, way.to});
      }
      if (rest.empty()) continue;
      const std::int32_t to = target(std::move(rest));
      out_.states[state].edges.push_back(
          {static_cast<std::uint8_t>(cuts[i]), static_cast<std::uint8_t>(cuts[i + 1] - 1), to});
    }
  }

 private:
  /// Ways are at most twelve bytes long, so this goes no deeper.
  std::int32_t target(std::vector<Way> rest) {
    if (rest.front().bytes.empty()) return rest.front().to;
    std::sort(rest.begin(), rest.end());
    rest.erase(std::unique(rest.begin(), rest.end()), rest.end());
    if (const auto known = known_.find(rest); known != known_.end()) return known->second;
    const auto state = static_cast<std::int32_t>(out_.states.size());
    out_.states.emplace_back();
    known_.emplace(rest, state);
    weave(static_cast<std::size_t>(state), rest);
    return state;
  }

  ByteAutomaton& out_;
  std::map<std::vector<Way>, std::int32_t> known_;
};

}  // namespace

ByteAutomaton spelled(const TextAutomaton& automaton, Spelling spelling) {
  ByteAutomaton out{.states = std::vector<ByteAutomaton::State>(automaton.states.size())};
  Weaver weaver(out);
  for (std::size_t i = 0; i < automaton.states.size(); ++i) {
    out.states[i].accepts = automaton.states[i].accepts;
    std::map<std::int32_t, std::vector<CodePointRange>> targets;
    for (const auto& edge : automaton.states[i].edges) {
      targets[edge.to].push_back({edge.first, edge.last});
    }
    std::vector<Way> ways;
    for (auto& [to, ranges] : targets) {
      add_ways(CodePointSet(std::move(ranges)), spelling, to, ways);
    }
    weaver.weave(i, ways);
  }
  return out;
}

ByteAutomaton spelled_code_point(Spelling spelling) {
  ByteAutomaton out{.states = std::vector<ByteAutomaton::State>(2)};
  out.states[1].accepts = true;
  std::vector<Way> ways;
  add_ways(CodePointSet::all(), spelling, 1, ways);
  if (spelling != Spelling::raw) {
    Way slash{.to = 1};
    add_text(slash.bytes, spelling == Spelling::json ? "\\/" : "\\'");
    ways.push_back(slash);
    // Four hex digits for what is no surrogate; beyond U+FFFF two of them.
    const std::array<ByteRange, 3> hex{{{'0', '9'}, {'A', 'F'}, {'a', 'f'}}};
    const auto add_hex = [&](const std::vector<std::vector<ByteRange>>& digits) {
      std::vector<Way> open{{.to = 1}};
      for (const auto& choices : digits) {
        std::vector<Way> next;
        for (const Way& way : open) {
          for (const ByteRange& choice : choices) {
            next.push_back(way);
            next.back().bytes.push_back(choice);
          }
        }
        open = std::move(next);
      }
      ways.insert(ways.end(), open.begin(), open.end());
    };
    const std::vector<ByteRange> any(hex.begin(), hex.end());
    const std::vector<ByteRange> backslash{{'\\', '\\'}};
    const std::vector<ByteRange> u{{'u', 'u'}};
    const std::vector<ByteRange> d{{'D', 'D'}, {'d', 'd'}};
    const std::vector<ByteRange> no_d{{'0', '9'}, {'A', 'C'}, {'E', 'F'}, {'a', 'c'}, {'e', 'f'}};
    add_hex({backslash, u, no_d, any, any, any});
    add_hex({backslash, u, d, {{'0', '7'}}, any, any});
    if (spelling == Spelling::json) {
      const std::vector<ByteRange> high{{'8', '9'}, {'A', 'B'}, {'a', 'b'}};
      const std::vector<ByteRange> low{{'C', 'F'}, {'c', 'f'}};
      add_hex({backslash, u, d, high, any, any, backslash, u, d, low, any, any});
    }
  }
  // The two spellings of one character agree on where they lead, so ways never contradict.
  Weaver(out).weave(0, ways);
  return minimized(out);
}

}  // namespace facet::grammar
