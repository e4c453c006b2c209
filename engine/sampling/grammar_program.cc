#include "engine/sampling/grammar_program.h"

#include "engine/sampling/grammar_analysis.h"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>

namespace facet::engine {
namespace {

using Kind = Grammar::Kind;
using Node = Grammar::Node;
using Op = GrammarInstruction::Op;

constexpr std::size_t kInstructionsMax = 1U << 22U;
constexpr int kNestingMax = 512;
/// More than any output has; what is not reached yet stands here too.
constexpr std::int64_t kSymbolsMax = 1'000'000'000'000;
/// Empty turns make every count possible at once, so each is a state.
constexpr std::int32_t kEmptyTurnsMax = 256;

std::size_t index(Node node) {
  return static_cast<std::size_t>(node);
}

std::int32_t address(std::size_t at) {
  return static_cast<std::int32_t>(at);
}

/// Writes the code. A rule, and whatever is used more than once, becomes a subroutine.
class Compiler {
 public:
  Compiler(const Grammar& grammar, const Tokenizer& tokenizer, const GrammarAnalysis& analysis)
      : nodes_(grammar.nodes()),
        tokenizer_(tokenizer),
        analysis_(analysis),
        subroutines_(nodes_.size(), -1) {
    program_.rule_depth_max = grammar.rule_depth_max();
  }

  Result<GrammarProgram> compile(Node root) {
    FACET_TRY_STATUS(emit(root, 0, false));
    FACET_TRY_STATUS(add({Op::accept}));
    while (!pending_.empty()) {
      const Node node = pending_.front();
      pending_.pop_front();
      subroutines_[index(node)] = address(program_.code.size());
      const bool is_rule = nodes_[index(node)].kind == Kind::rule;
      FACET_TRY_STATUS(emit_body(node, 0, is_rule));
      FACET_TRY_STATUS(add({Op::ret}));
    }
    for (GrammarInstruction& instruction : program_.code) {
      if (instruction.op == Op::call) instruction.a = subroutines_[index(instruction.a)];
    }
    auto& tokens = program_.control_tokens;
    std::sort(tokens.begin(), tokens.end());
    tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
    classify_bytes();
    measure();
    return std::move(program_);
  }

 private:
  std::size_t here() const { return program_.code.size(); }

  Status add(GrammarInstruction instruction) {
    if (here() >= kInstructionsMax) {
      return Error{
          Code::limit_exceeded,
          "the grammar needs more than " + std::to_string(kInstructionsMax) + " instructions"};
    }
    program_.code.push_back(instruction);
    return ok();
  }

  Status add_byte_set(const std::bitset<256>& set) {
    const auto [found, is_new] = set_index_.try_emplace(set, address(program_.byte_sets.size()));
    if (is_new) program_.byte_sets.push_back(set);
    return add({Op::byte, found->second});
  }

  [[nodiscard]] bool is_possible(Node node) const {
    return analysis_.depth_at_end[index(node)] != GrammarAnalysis::kNever;
  }

  /// `at_end`: nothing but the end of a rule follows, so a rule that is called needs no way back.
  Status emit(Node node, int depth, bool at_end) {
    if (!analysis_.shared[index(node)]) return emit_body(node, depth, at_end);
    std::int32_t& state = subroutines_[index(node)];
    if (state == -1) {
      state = 0;  // Its address is known when its turn comes; calls are patched at the end.
      pending_.push_back(node);
    }
    std::int32_t flags = 0;
    if (analysis_.recursive[index(node)]) {
      flags = GrammarInstruction::counts_depth + (at_end ? 0 : GrammarInstruction::keeps_frame);
    }
    return add({Op::call, node, flags});
  }

  Status emit_body(Node node, int depth, bool at_end) {
    if (depth > kNestingMax) {
      return Error{Code::limit_exceeded,
                   "the grammar nests deeper than " + std::to_string(kNestingMax) + " nodes"};
    }
    const auto& data = nodes_[index(node)];
    switch (data.kind) {
      case Kind::literal:
        for (const char c : data.text) {
          FACET_TRY_STATUS(add_byte_set(std::bitset<256>().set(static_cast<unsigned char>(c))));
        }
        return ok();
      case Kind::bytes: {
        std::bitset<256> set;
        for (std::size_t i = 0; i < set.size(); ++i) set[i] = data.byte_set[i] == '1';
        return add_byte_set(set);
      }
      case Kind::control: {
        const auto token = tokenizer_.find_token(data.text);
        if (!token) {
          return Error{Code::invalid_argument,
                       "the tokenizer has no control token \"" + data.text + "\""};
        }
        program_.control_tokens.push_back(*token);
        return add({Op::control, *token});
      }
      case Kind::sequence:
      case Kind::rule:
        for (std::size_t i = 0; i < data.children.size(); ++i) {
          const bool last = i + 1 == data.children.size();
          FACET_TRY_STATUS(emit(data.children[i], depth + 1, at_end && last));
        }
        return ok();
      case Kind::choice:
        return emit_choice(data, depth, at_end);
      case Kind::repeat:
        return emit_repeat(data, depth, at_end);
      case Kind::automaton:
        return emit_automaton(*data.automaton);
    }
    return ok();
  }

  /// What may be left out is only entered when it can be completed within the depth.
  Status emit_guarded(Node node, int depth, bool at_end) {
    const auto& depths = at_end ? analysis_.depth_at_end : analysis_.depth;
    const std::int32_t needed = depths[index(node)];
    if (program_.rule_depth_max > 0 && needed > 0) FACET_TRY_STATUS(add({Op::guard, needed}));
    return emit(node, depth + 1, at_end);
  }

  Status emit_choice(const Grammar::NodeData& data, int depth, bool at_end) {
    std::vector<Node> possible;
    std::copy_if(
        data.children.begin(), data.children.end(), std::back_inserter(possible), [&](Node node) {
          return is_possible(node);
        });
    if (possible.size() == 1) return emit(possible.front(), depth + 1, at_end);
    std::vector<std::size_t> jumps;
    for (std::size_t i = 0; i < possible.size(); ++i) {
      const bool last = i + 1 == possible.size();
      const std::size_t split = here();
      if (!last) FACET_TRY_STATUS(add({Op::split, address(split + 1)}));
      FACET_TRY_STATUS(emit_guarded(possible[i], depth, at_end));
      if (last) break;
      jumps.push_back(here());
      FACET_TRY_STATUS(add({Op::jump}));
      program_.code[split].b = address(here());
    }
    for (const std::size_t jump : jumps) program_.code[jump].a = address(here());
    return ok();
  }

  Status emit_repeat(const Grammar::NodeData& data, int depth, bool at_end) {
    const Node part = data.children.front();
    if (data.max == 0 || !is_possible(part)) return ok();
    const bool part_nullable = analysis_.nullable[index(part)];
    const std::int32_t min = part_nullable ? 0 : data.min;
    if (data.max == 1) {
      return min == 1 ? emit(part, depth + 1, at_end) : emit_optional(part, depth, at_end);
    }
    if (data.max == -1 && min <= 1) {
      if (min == 1) FACET_TRY_STATUS(emit(part, depth + 1, false));
      const std::size_t split = here();
      FACET_TRY_STATUS(add({Op::split, address(split + 1)}));
      FACET_TRY_STATUS(emit_guarded(part, depth, false));
      FACET_TRY_STATUS(add({Op::jump, address(split)}));
      program_.code[split].b = address(here());
      return ok();
    }
    if (part_nullable && data.max > kEmptyTurnsMax) {
      return Error{Code::limit_exceeded,
                   "the grammar repeats something that may be empty up to " +
                       std::to_string(data.max) + " times, at most " +
                       std::to_string(kEmptyTurnsMax) + " are possible"};
    }
    return emit_loop(part, min, data.max, depth);
  }

  Status emit_optional(Node part, int depth, bool at_end) {
    const std::size_t split = here();
    FACET_TRY_STATUS(add({Op::split, address(split + 1)}));
    FACET_TRY_STATUS(emit_guarded(part, depth, at_end));
    program_.code[split].b = address(here());
    return ok();
  }

  Status emit_loop(Node part, std::int32_t min, std::int32_t max, int depth) {
    const std::size_t number = program_.loops.size();
    program_.loops.push_back({.min = min, .max = max});
    FACET_TRY_STATUS(add({Op::loop, address(number)}));
    const std::size_t body = here();
    FACET_TRY_STATUS(min > 0 ? emit(part, depth + 1, false) : emit_guarded(part, depth, false));
    FACET_TRY_STATUS(add({Op::ret}));
    program_.loops[number].body = address(body);
    program_.loops[number].after = address(here());
    return ok();
  }

  Status emit_automaton(const ByteAutomaton& automaton) {
    std::vector<std::size_t> exits;  // Splits that leave an accepting state.
    std::vector<std::pair<std::size_t, std::int32_t>> jumps;
    std::vector<std::int32_t> starts;
    for (const auto& state : automaton.states) {
      starts.push_back(address(here()));
      std::map<std::int32_t, std::bitset<256>> targets;
      for (const auto& edge : state.edges) {
        auto& set = targets[edge.to];
        for (int byte = edge.first; byte <= edge.last; ++byte) {
          set.set(static_cast<std::size_t>(byte));
        }
      }
      if (state.accepts) {
        exits.push_back(here());
        const bool goes_on = !targets.empty();
        const GrammarInstruction exit{goes_on ? Op::split : Op::jump, 0, address(here() + 1)};
        FACET_TRY_STATUS(add(exit));
      }
      std::size_t left = targets.size();
      for (const auto& [to, set] : targets) {
        if (--left > 0)
          FACET_TRY_STATUS(add({Op::split, address(here() + 1), address(here() + 3)}));
        FACET_TRY_STATUS(add_byte_set(set));
        jumps.emplace_back(here(), to);
        FACET_TRY_STATUS(add({Op::jump}));
      }
    }
    for (const auto& [jump, to] : jumps)
      program_.code[jump].a = starts[static_cast<std::size_t>(to)];
    for (const std::size_t split : exits) program_.code[split].a = address(here());
    return ok();
  }

  /// Splits the bytes by each set in turn.
  void classify_bytes() {
    std::array<std::uint8_t, 256> classes{};
    int count = 1;
    for (const auto& set : program_.byte_sets) {
      std::map<std::pair<std::uint8_t, bool>, std::uint8_t> next;
      std::array<std::uint8_t, 256> finer{};
      for (std::size_t byte = 0; byte < 256; ++byte) {
        const auto key = std::pair(classes[byte], set[byte]);
        finer[byte] = next.try_emplace(key, static_cast<std::uint8_t>(next.size())).first->second;
      }
      classes = finer;
      count = static_cast<int>(next.size());
      if (count == 256) break;
    }
    program_.byte_class = classes;
    program_.class_byte.assign(static_cast<std::size_t>(count), 0);
    for (std::size_t byte = 0; byte < 256; ++byte) {
      program_.class_byte[classes[byte]] = static_cast<std::uint8_t>(byte);
    }
  }

  /// The least fixed point of the shortest ways, backwards because code mostly goes on forwards.
  void measure() {
    program_.shortest.assign(here(), kSymbolsMax);
    for (bool changed = true; changed;) {
      changed = false;
      for (std::size_t i = here(); i-- > 0;) {
        const std::int64_t symbols = std::min(symbols_from(i), kSymbolsMax);
        changed = changed || symbols != program_.shortest[i];
        program_.shortest[i] = symbols;
      }
    }
  }

  [[nodiscard]] std::int64_t symbols_from(std::size_t at) const {
    const GrammarInstruction& next = program_.code[at];
    const auto known = [&](std::int32_t address) { return program_.shortest[index(address)]; };
    switch (next.op) {
      case Op::byte:
      case Op::control:
        return 1 + program_.shortest[at + 1];
      case Op::split:
        return std::min(known(next.a), known(next.b));
      case Op::jump:
        return known(next.a);
      case Op::call:
        return known(next.a) + program_.shortest[at + 1];
      case Op::loop: {
        const GrammarLoop& loop = program_.loops[index(next.a)];
        const std::int64_t body = std::min(known(loop.body), kSymbolsMax / (loop.min + 1));
        return loop.min * body + known(loop.after);
      }
      case Op::guard:
        return program_.shortest[at + 1];
      case Op::ret:
      case Op::accept:
        break;
    }
    return 0;
  }

  const std::vector<Grammar::NodeData>& nodes_;
  const Tokenizer& tokenizer_;
  const GrammarAnalysis& analysis_;
  std::vector<std::int32_t> subroutines_;  ///< Address by node; -1: not asked for.
  std::deque<Node> pending_;
  std::unordered_map<std::bitset<256>, std::int32_t> set_index_;
  GrammarProgram program_;
};

}  // namespace

Result<GrammarProgram> compile_grammar(const Grammar& grammar, const Tokenizer& tokenizer) {
  FACET_TRY(const GrammarAnalysis analysis, analyze(grammar));
  return Compiler(grammar, tokenizer, analysis).compile(grammar.root());
}

}  // namespace facet::engine
