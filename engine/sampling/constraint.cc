#include "engine/sampling/constraint.h"

#include "engine/sampling/grammar_program.h"

#include <algorithm>
#include <bitset>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace facet::engine {
namespace {

using Op = GrammarInstruction::Op;

constexpr std::int32_t kEmptyStack = -1;

std::uint64_t pair_key(std::int32_t a, std::int32_t b) {
  return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(a)) << 32U) |
         static_cast<std::uint32_t>(b);
}

/// Return stacks that share their tails. Equal stacks have equal indices, so that parser states can
/// be compared as two integers.
class Stacks {
 public:
  std::int32_t push(std::int32_t return_to, std::int32_t below) {
    const auto [found, is_new] =
        known_.try_emplace(pair_key(return_to, below), static_cast<std::int32_t>(frames_.size()));
    if (is_new) frames_.push_back({return_to, below});
    return found->second;
  }

  [[nodiscard]] std::int32_t return_to(std::int32_t stack) const {
    return frames_[static_cast<std::size_t>(stack)].return_to;
  }
  [[nodiscard]] std::int32_t below(std::int32_t stack) const {
    return frames_[static_cast<std::size_t>(stack)].below;
  }

  [[nodiscard]] std::size_t size() const { return frames_.size(); }

  /// Forgets what was pushed since size() was `size`.
  void shrink(std::size_t size) {
    while (frames_.size() > size) {
      known_.erase(pair_key(frames_.back().return_to, frames_.back().below));
      frames_.pop_back();
    }
  }

 private:
  struct Frame {
    std::int32_t return_to = 0;
    std::int32_t below = kEmptyStack;
  };
  std::vector<Frame> frames_;
  std::unordered_map<std::uint64_t, std::int32_t> known_;
};

struct State {
  std::int32_t at = 0;
  std::int32_t stack = kEmptyStack;
};

/// The states of the machine, each in front of an instruction that consumes a symbol, or accepted.
class Machine {
 public:
  Machine(std::shared_ptr<const GrammarProgram> program, std::size_t states_max)
      : program_(std::move(program)), states_max_(states_max) {}

  /// Before the first symbol.
  void start() {
    states_.clear();
    stacks_.shrink(0);
    overflow_ = false;
    settle({{State{}}});
  }

  [[nodiscard]] bool empty() const { return states_.empty(); }
  [[nodiscard]] bool overflow() const { return overflow_; }

  [[nodiscard]] bool is_complete() const {
    return std::any_of(states_.begin(), states_.end(), [&](State state) {
      return instruction(state).op == Op::accept;
    });
  }

  /// Is the only way on to leave the grammar?
  [[nodiscard]] bool is_finished() const {
    return std::all_of(states_.begin(), states_.end(), [&](State state) {
      return instruction(state).op == Op::accept;
    });
  }

  /// Could `byte` come next?
  [[nodiscard]] bool accepts_byte(char byte) const {
    return first_bytes_[static_cast<unsigned char>(byte)];
  }

  void consume_byte(char byte) {
    advance([&](const GrammarInstruction& next) {
      return next.op == Op::byte &&
             program_
                 ->byte_sets[static_cast<std::size_t>(next.a)][static_cast<unsigned char>(byte)];
    });
  }

  void consume_control(TokenId token) {
    advance(
        [&](const GrammarInstruction& next) { return next.op == Op::control && next.a == token; });
  }

  /// What undo() needs to go back to this moment.
  struct Mark {
    std::vector<State> states;
    std::bitset<256> first_bytes;
    std::size_t stacks = 0;
  };
  [[nodiscard]] Mark mark() const { return {states_, first_bytes_, stacks_.size()}; }
  void undo(Mark mark) {
    states_ = std::move(mark.states);
    first_bytes_ = mark.first_bytes;
    stacks_.shrink(mark.stacks);
    overflow_ = false;
  }

 private:
  [[nodiscard]] const GrammarInstruction& instruction(State state) const {
    return program_->code[static_cast<std::size_t>(state.at)];
  }

  template <typename Matches>
  void advance(const Matches& matches) {
    std::vector<State> next;
    for (const State state : states_) {
      if (matches(instruction(state))) next.push_back({state.at + 1, state.stack});
    }
    settle(std::move(next));
  }

  /// Follows everything that consumes nothing. Terminates: left recursion was refused, so that no
  /// stack grows without a symbol, and a state is visited once.
  void settle(std::vector<State> open) {
    states_.clear();
    first_bytes_.reset();
    visited_.clear();
    const auto visit = [&](std::int32_t at, std::int32_t stack) {
      if (visited_.insert(pair_key(at, stack)).second) open.push_back({at, stack});
    };
    for (const State state : open) visited_.insert(pair_key(state.at, state.stack));
    while (!open.empty()) {
      const State state = open.back();
      open.pop_back();
      const GrammarInstruction& next = instruction(state);
      switch (next.op) {
        case Op::byte:
          first_bytes_ |= program_->byte_sets[static_cast<std::size_t>(next.a)];
          states_.push_back(state);
          break;
        case Op::control:
        case Op::accept:
          states_.push_back(state);
          break;
        case Op::split:
          visit(next.b, state.stack);
          visit(next.a, state.stack);
          break;
        case Op::jump:
          visit(next.a, state.stack);
          break;
        case Op::call:
          visit(next.a, pushed(state));
          break;
        case Op::ret:
          visit(stacks_.return_to(state.stack), stacks_.below(state.stack));
          break;
      }
      if (visited_.size() > states_max_) {
        overflow_ = true;
        states_.clear();
        return;
      }
    }
  }

  /// A call in front of a return leaves no frame, so right recursion keeps the stack flat.
  std::int32_t pushed(State state) {
    std::int32_t after = state.at + 1;
    const auto& code = program_->code;
    while (code[static_cast<std::size_t>(after)].op == Op::jump) {
      after = code[static_cast<std::size_t>(after)].a;
    }
    if (code[static_cast<std::size_t>(after)].op == Op::ret) return state.stack;
    return stacks_.push(after, state.stack);
  }

  std::shared_ptr<const GrammarProgram> program_;
  std::size_t states_max_;
  std::vector<State> states_;
  std::bitset<256> first_bytes_;
  Stacks stacks_;
  std::unordered_set<std::uint64_t> visited_;
  bool overflow_ = false;
};

/// What every clone shares.
struct Setup {
  const Tokenizer* tokenizer = nullptr;
  std::shared_ptr<const GrammarProgram> program;
  TokenId trigger = -1;
  std::vector<TokenId> free_control;  ///< Sorted.
};

bool contains(const std::vector<TokenId>& sorted, TokenId token) {
  return std::binary_search(sorted.begin(), sorted.end(), token);
}

class GrammarConstraint final : public Constraint {
 public:
  GrammarConstraint(std::shared_ptr<const Setup> setup, std::size_t states_max)
      : setup_(std::move(setup)), machine_(setup_->program, states_max) {
    if (setup_->trigger < 0) enter();
  }

  /// For clone().
  GrammarConstraint(std::shared_ptr<const Setup> setup, Machine machine, bool in_force)
      : setup_(std::move(setup)), machine_(std::move(machine)), in_force_(in_force) {}

  [[nodiscard]] bool allows(TokenId token) const override {
    if (token < 0 || static_cast<std::size_t>(token) >= setup_->tokenizer->size()) return false;
    if (!in_force_) return is_free(token);
    if (machine_.is_complete() && is_free(token)) return true;
    if (!may_begin(token)) return false;
    Machine::Mark mark = machine_.mark();
    const bool fits = consume(token);
    machine_.undo(std::move(mark));
    return fits;
  }

  Status accept(TokenId token) override {
    if (token < 0 || static_cast<std::size_t>(token) >= setup_->tokenizer->size()) {
      return Error{Code::invalid_argument, "there is no token " + std::to_string(token)};
    }
    if (in_force_) {
      Machine::Mark mark = machine_.mark();
      if (may_begin(token) && consume(token)) {
        if (machine_.is_finished()) in_force_ = false;
        return ok();
      }
      const bool overflow = machine_.overflow();
      machine_.undo(std::move(mark));
      if (overflow) {
        return Error{Code::limit_exceeded, "the grammar needs too many parallel parser states"};
      }
      if (!machine_.is_complete()) return refuse(token);
    }
    if (!is_free(token)) return refuse(token);
    in_force_ = false;
    if (token == setup_->trigger) enter();
    return ok();
  }

  [[nodiscard]] bool is_open() const override { return in_force_ && !machine_.is_complete(); }

  [[nodiscard]] std::unique_ptr<Constraint> clone() const override {
    return std::make_unique<GrammarConstraint>(setup_, machine_, in_force_);
  }

  [[nodiscard]] bool overflow() const { return machine_.overflow(); }

 private:
  void enter() {
    machine_.start();
    in_force_ = !machine_.is_finished();
  }

  /// A token that the grammar names is a symbol even when the vocabulary calls it user-defined.
  [[nodiscard]] bool is_symbol(TokenId token) const {
    return token == setup_->trigger || setup_->tokenizer->is_control(token) ||
           contains(setup_->program->control_tokens, token) ||
           contains(setup_->free_control, token);
  }

  [[nodiscard]] bool is_free(TokenId token) const {
    return contains(setup_->free_control, token) || !is_symbol(token);
  }

  /// The cheap first look that refuses most of a vocabulary.
  [[nodiscard]] bool may_begin(TokenId token) const {
    if (is_symbol(token)) return contains(setup_->program->control_tokens, token);
    const std::string_view bytes = setup_->tokenizer->token_bytes(token);
    return !bytes.empty() && machine_.accepts_byte(bytes.front());
  }

  /// Runs the whole token; false when the grammar stops somewhere inside it.
  bool consume(TokenId token) const {
    if (is_symbol(token)) {
      machine_.consume_control(token);
      return !machine_.empty();
    }
    for (const char byte : setup_->tokenizer->token_bytes(token)) {
      machine_.consume_byte(byte);
      if (machine_.empty()) return false;
    }
    return true;
  }

  [[nodiscard]] Error refuse(TokenId token) const {
    return Error{Code::invalid_argument,
                 "token " + std::to_string(token) + " (\"" +
                     std::string(setup_->tokenizer->token_text(token)) +
                     "\") is not what the grammar allows here"};
  }

  std::shared_ptr<const Setup> setup_;
  mutable Machine machine_;  ///< allows() tries a token and takes it back.
  bool in_force_ = false;
};

Result<TokenId> known_token(const Tokenizer& tokenizer, const std::string& name) {
  const auto token = tokenizer.find_token(name);
  if (token) return *token;
  return Error{Code::invalid_argument, "the tokenizer has no control token \"" + name + "\""};
}

}  // namespace

Result<std::unique_ptr<Constraint>> make_constraint(const Grammar& grammar,
                                                    const Tokenizer& tokenizer,
                                                    const ConstraintOptions& options) {
  if (options.stack_states_max == 0) {
    return Error{Code::invalid_argument, "stack_states_max is 0"};
  }
  auto setup = std::make_shared<Setup>();
  setup->tokenizer = &tokenizer;
  FACET_TRY(GrammarProgram program, compile_grammar(grammar, tokenizer));
  setup->program = std::make_shared<const GrammarProgram>(std::move(program));
  for (const std::string& name : options.free_control) {
    FACET_TRY(const TokenId token, known_token(tokenizer, name));
    setup->free_control.push_back(token);
  }
  if (!options.trigger.empty()) {
    FACET_TRY(setup->trigger, known_token(tokenizer, options.trigger));
  }
  std::sort(setup->free_control.begin(), setup->free_control.end());

  // One entry of the grammar now tells whether its start fits the limit.
  Machine probe(setup->program, options.stack_states_max);
  probe.start();
  if (probe.overflow()) {
    return Error{Code::limit_exceeded,
                 "the start of the grammar needs more than " +
                     std::to_string(options.stack_states_max) + " parser states"};
  }
  return std::unique_ptr<Constraint>(
      std::make_unique<GrammarConstraint>(std::move(setup), options.stack_states_max));
}

}  // namespace facet::engine
