#include "base/grammar/regex_nfa.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

namespace facet::grammar {
namespace {

std::size_t index(std::int32_t number) {
  return static_cast<std::size_t>(number);
}

}  // namespace

/// The subset construction: sets of states that are reached together.
class Subsets {
 public:
  Subsets(const RegexNfa& nfa, RegexNfa::Part part) : nfa_(nfa), part_(part), seen_(nfa.size()) {}

  Result<TextAutomaton> run() {
    cut_alphabet();
    TextAutomaton out;
    // The start is a state of its own: `^` holds in no other.
    initial_ = closure({part_.from}, true, false);
    subsets_.push_back(&initial_);
    accepts_.push_back(contains(closure({part_.from}, true, true), part_.to));
    for (std::size_t i = 0; i < subsets_.size(); ++i) {
      if (subsets_.size() > kTextStatesMax || work_ > kWorkMax) {
        return Error{Code::limit_exceeded,
                     "the pattern needs more than " + std::to_string(kTextStatesMax) +
                         " states, or too long to be compiled"};
      }
      const std::vector<std::int32_t> subset = *subsets_[i];
      TextAutomaton::State state{.accepts = accepts_[i]};
      for (std::size_t cut = 0; cut + 1 < cuts_.size(); ++cut) step(subset, cut, state);
      out.states.push_back(std::move(state));
    }
    return trimmed(out);
  }

 private:
  using Subset = std::vector<std::int32_t>;
  /// States looked at in all: some tens of milliseconds.
  static constexpr std::size_t kWorkMax = 1'000'000;

  /// Between two neighbours of `cuts_` no set of the pattern tells code points apart.
  void cut_alphabet() {
    for (const CodePointSet& set : nfa_.sets_) {
      for (const CodePointRange& range : set.ranges()) {
        cuts_.push_back(range.first);
        cuts_.push_back(range.last + 1);
      }
    }
    std::sort(cuts_.begin(), cuts_.end());
    cuts_.erase(std::unique(cuts_.begin(), cuts_.end()), cuts_.end());
    for (const CodePointSet& set : nfa_.sets_) {
      std::vector<bool> members;
      for (const std::uint32_t cut : cuts_) members.push_back(set.contains(cut));
      members_.push_back(std::move(members));
    }
  }

  void step(const Subset& subset, std::size_t cut, TextAutomaton::State& state) {
    Subset next;
    for (const std::int32_t from : subset) {
      for (const RegexNfa::Edge& edge : nfa_.edges_[index(from)]) {
        if (edge.kind == RegexNfa::Kind::text && members_[index(edge.set)][cut]) {
          next.push_back(edge.to);
        }
      }
    }
    if (next.empty()) return;
    const std::size_t known = subsets_.size();
    const std::int32_t to = name(closure(next, false, false));
    if (subsets_.size() > known) {
      accepts_.push_back(contains(closure(next, false, true), part_.to));
    }
    const std::uint32_t first = cuts_[cut];
    const std::uint32_t last = cuts_[cut + 1] - 1;
    if (!state.edges.empty() && state.edges.back().to == to &&
        state.edges.back().last + 1 == first) {
      state.edges.back().last = last;
    } else {
      state.edges.push_back({first, last, to});
    }
  }

  /// What is reached without a character; `^` holds only at the start, `$` only at the end.
  Subset closure(const Subset& from, bool at_start, bool at_end) {
    Subset out;
    Subset open = from;
    while (!open.empty()) {
      const std::int32_t state = open.back();
      open.pop_back();
      if (seen_[index(state)]) continue;
      seen_[index(state)] = true;
      ++work_;
      out.push_back(state);
      for (const RegexNfa::Edge& edge : nfa_.edges_[index(state)]) {
        const bool passes = edge.kind == RegexNfa::Kind::epsilon ||
                            (edge.kind == RegexNfa::Kind::at_start && at_start) ||
                            (edge.kind == RegexNfa::Kind::at_end && at_end);
        if (passes) open.push_back(edge.to);
      }
    }
    for (const std::int32_t state : out) seen_[index(state)] = false;
    std::sort(out.begin(), out.end());
    return out;
  }

  static bool contains(const Subset& sorted, std::int32_t state) {
    return std::binary_search(sorted.begin(), sorted.end(), state);
  }

  /// States without a character edge matter for acceptance only, which depends on them too.
  std::int32_t name(Subset subset) {
    const auto [found, is_new] =
        names_.try_emplace(std::move(subset), static_cast<std::int32_t>(subsets_.size()));
    if (is_new) subsets_.push_back(&found->first);
    return found->second;
  }

  const RegexNfa& nfa_;
  RegexNfa::Part part_;
  std::vector<bool> seen_;
  std::vector<std::uint32_t> cuts_;
  std::vector<std::vector<bool>> members_;  ///< (sets, cuts)
  Subset initial_;
  std::map<Subset, std::int32_t> names_;
  std::vector<const Subset*> subsets_;  ///< initial_, then those in names_, which never moves them.
  std::vector<bool> accepts_;
  std::size_t work_ = 0;
};

std::int32_t RegexNfa::add_state() {
  edges_.emplace_back();
  return static_cast<std::int32_t>(edges_.size() - 1);
}

std::int32_t RegexNfa::add_set(CodePointSet set) {
  const auto known = std::find(sets_.begin(), sets_.end(), set);
  if (known != sets_.end()) return static_cast<std::int32_t>(known - sets_.begin());
  sets_.push_back(std::move(set));
  return static_cast<std::int32_t>(sets_.size() - 1);
}

void RegexNfa::add_edge(std::int32_t from, Edge edge) {
  edges_[index(from)].push_back(edge);
}

RegexNfa::Part RegexNfa::text(const CodePointSet& set) {
  const Part part{add_state(), add_state()};
  add_edge(part.from, {Kind::text, add_set(set), part.to});
  return part;
}

RegexNfa::Part RegexNfa::condition(Kind kind) {
  const Part part{add_state(), add_state()};
  add_edge(part.from, {kind, -1, part.to});
  return part;
}

RegexNfa::Part RegexNfa::nothing() {
  return condition(Kind::epsilon);
}

RegexNfa::Part RegexNfa::then(Part first, Part second) {
  add_edge(first.to, {Kind::epsilon, -1, second.from});
  return {first.from, second.to};
}

RegexNfa::Part RegexNfa::either(const std::vector<Part>& parts) {
  const Part whole{add_state(), add_state()};
  for (const Part& part : parts) {
    add_edge(whole.from, {Kind::epsilon, -1, part.from});
    add_edge(part.to, {Kind::epsilon, -1, whole.to});
  }
  return whole;
}

RegexNfa::Part RegexNfa::copy(Part part, std::int32_t first, std::int32_t last) {
  const std::int32_t offset = static_cast<std::int32_t>(edges_.size()) - first;
  for (std::int32_t state = first; state < last; ++state) {
    std::vector<Edge> edges = edges_[index(state)];
    for (Edge& edge : edges) edge.to += offset;
    edges_.push_back(std::move(edges));
  }
  return {part.from + offset, part.to + offset};
}

RegexNfa::Part RegexNfa::star(Part part) {
  const Part whole = optional(part);
  add_edge(part.to, {Kind::epsilon, -1, part.from});
  return whole;
}

RegexNfa::Part RegexNfa::optional(Part part) {
  const Part whole{add_state(), add_state()};
  add_edge(whole.from, {Kind::epsilon, -1, part.from});
  add_edge(whole.from, {Kind::epsilon, -1, whole.to});
  add_edge(part.to, {Kind::epsilon, -1, whole.to});
  return whole;
}

Result<TextAutomaton> RegexNfa::automaton(Part part) const {
  return Subsets(*this, part).run();
}

}  // namespace facet::grammar
