#include "engine/sampling/constraint.h"

#include "engine/sampling/compiled_grammar.h"
#include "engine/sampling/forced_run.h"

#include <algorithm>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <utility>

namespace facet::engine {
namespace {

using State = GrammarStates::Id;

/// So many questions about one state are answered by trying the token; then all are tried at once.
constexpr int kTriesMax = 4;
constexpr std::size_t kForcedSymbolsMax = 4096;
/// Text tokens that are remembered, so that a forced run can be written as their continuation.
constexpr std::size_t kTailTokensMax = 32;

bool contains(const std::vector<TokenId>& sorted, TokenId token) {
  return std::binary_search(sorted.begin(), sorted.end(), token);
}

/// What every clone shares.
struct Setup {
  std::shared_ptr<const CompiledGrammar> grammar;
  TokenId trigger = -1;
  std::vector<TokenId> free_control;  ///< Sorted.
  /// Tokens that the vocabulary calls text and the grammar or the options call symbols.
  std::vector<TokenId> named;
  std::size_t entries_max = 0;
  bool free_after = true;

  [[nodiscard]] const Tokenizer& tokenizer() const { return grammar->texts().tokenizer(); }
};

class GrammarConstraint final : public Constraint {
 public:
  explicit GrammarConstraint(std::shared_ptr<const Setup> setup)
      : setup_(std::move(setup)), learnt_(setup_->grammar->states()) {
    if (setup_->trigger < 0) enter();
  }

  [[nodiscard]] bool allows(TokenId token) const override {
    if (!is_token(token)) return false;
    if (!in_force_) return is_free(token);
    const std::lock_guard lock(learnt_->mutex);
    if (learnt_->states.accepts(state_) && is_free(token)) return true;
    if (is_symbol(token)) return after(token) > GrammarStates::kOverflow;
    if (tries_ >= kTriesMax || learnt_->known_mask(state_) != nullptr) {
      return is_in(learnt_->mask(state_, setup_->grammar->texts().trie()), token);
    }
    ++tries_;
    return after(token) > GrammarStates::kOverflow;
  }

  [[nodiscard]] std::int64_t shortest() const override {
    if (!in_force_) return 0;
    const std::lock_guard lock(learnt_->mutex);
    return learnt_->states.shortest(state_);
  }

  [[nodiscard]] bool fits(TokenId token, std::int64_t tokens) const override {
    if (!is_token(token)) return false;
    const std::lock_guard lock(learnt_->mutex);
    State next = in_force_ ? after(token) : GrammarStates::kDead;
    // A free token leaves the grammar, or begins it.
    if (next <= GrammarStates::kOverflow) {
      if (token != setup_->trigger) return true;
      next = learnt_->states.start();
    }
    return learnt_->states.shortest(next) <= tokens;
  }

  Status accept(TokenId token) override {
    if (!is_token(token)) {
      return Error{Code::invalid_argument, "there is no token " + std::to_string(token)};
    }
    if (in_force_) {
      const std::lock_guard lock(learnt_->mutex);
      const State next = after(token);
      if (next > GrammarStates::kOverflow) {
        state_ = next;
        remember(token);
        in_force_ = !learnt_->states.is_finished(next);
        move_on();
        return ok();
      }
      if (next == GrammarStates::kOverflow) {
        return Error{Code::limit_exceeded, "the grammar needs too many parallel parser states"};
      }
      if (!learnt_->states.accepts(state_)) return refuse(token);
    }
    if (!is_free(token)) return refuse(token);
    in_force_ = false;
    if (token == setup_->trigger) enter();
    return ok();
  }

  [[nodiscard]] bool is_open() const override {
    if (!in_force_) return false;
    const std::lock_guard lock(learnt_->mutex);
    return !learnt_->states.accepts(state_);
  }

  [[nodiscard]] std::unique_ptr<Constraint> clone() const override {
    return std::unique_ptr<Constraint>(new GrammarConstraint(*this));
  }

  [[nodiscard]] std::vector<std::uint64_t> mask() const override {
    const TokenTrie& trie = setup_->grammar->texts().trie();
    TokenMask out(trie.all_text().size(), 0);
    const std::lock_guard lock(learnt_->mutex);
    const bool is_complete = !in_force_ || learnt_->states.accepts(state_);
    if (is_complete && text_is_free()) {
      out = trie.all_text();
    } else if (in_force_) {
      out = learnt_->mask(state_, trie);
    }
    for (const TokenId token : setup_->named) set_in(out, token, false);
    if (in_force_) {
      for (const TokenId token : learnt_->states.controls(state_)) set_in(out, token, true);
    }
    if (!is_complete) return out;
    for (const TokenId token : setup_->free_control) {
      if (is_free(token)) set_in(out, token, true);
    }
    return out;
  }

  [[nodiscard]] std::vector<TokenId> forced_tokens() const override {
    if (!in_force_) return {};
    ForcedRun run;
    {
      const std::lock_guard lock(learnt_->mutex);
      run = forced_run(learnt_->states, state_, kForcedSymbolsMax);
    }
    auto tokens = tokens_of(run, tail_, setup_->tokenizer(), !setup_->free_after);
    // A piece of text that is a symbol here would be read as that.
    const auto misread = std::find_if(tokens.begin(), tokens.end(), [&](TokenId token) {
      return contains(setup_->named, token) &&
             !contains(setup_->grammar->program().control_tokens, token);
    });
    tokens.erase(misread, tokens.end());
    return tokens;
  }

 private:
  GrammarConstraint(const GrammarConstraint& other)
      : setup_(other.setup_),
        learnt_(other.learnt_),
        state_(other.state_),
        in_force_(other.in_force_),
        entries_(other.entries_),
        tail_(other.tail_) {}

  void enter() {
    ++entries_;
    tail_.clear();
    const std::lock_guard lock(learnt_->mutex);
    state_ = learnt_->states.start();
    in_force_ = !learnt_->states.is_finished(state_);
    tries_ = 0;
  }

  void remember(TokenId token) {
    tries_ = 0;
    if (is_symbol(token)) {
      tail_.clear();
      return;
    }
    if (tail_.size() == kTailTokensMax) tail_.erase(tail_.begin());
    tail_.push_back(token);
  }

  /// Leaves states that have grown too many; the caller holds their lock, and the reference to them
  /// lives until it is given back.
  void move_on() {
    if (!learnt_->is_full()) return;
    const auto fresh = setup_->grammar->states_after(learnt_);
    if (fresh == learnt_) return;
    const std::lock_guard lock(fresh->mutex);
    state_ = fresh->states.import(learnt_->states, state_);
    retired_ = std::exchange(learnt_, fresh);
  }

  [[nodiscard]] bool is_token(TokenId token) const {
    return token >= 0 && static_cast<std::size_t>(token) < setup_->tokenizer().size();
  }

  /// A token that the grammar names is a symbol even when the vocabulary calls it user-defined.
  [[nodiscard]] bool is_symbol(TokenId token) const {
    return setup_->tokenizer().is_control(token) || contains(setup_->named, token);
  }

  /// Before the grammar, and behind it where the options say so.
  [[nodiscard]] bool text_is_free() const { return setup_->free_after || entries_ == 0; }

  [[nodiscard]] bool is_free(TokenId token) const {
    if (!is_symbol(token)) return text_is_free();
    if (!contains(setup_->free_control, token)) return false;
    const bool may_enter = setup_->entries_max == 0 || entries_ < setup_->entries_max;
    return token != setup_->trigger || may_enter;
  }

  /// The state behind the whole token; the caller holds the lock.
  [[nodiscard]] State after(TokenId token) const {
    if (is_symbol(token)) return learnt_->states.after_control(state_, token);
    const std::string_view bytes = setup_->tokenizer().token_bytes(token);
    if (bytes.empty()) return GrammarStates::kDead;
    State state = state_;
    for (const char byte : bytes) {
      state = learnt_->states.after_byte(state, static_cast<std::uint8_t>(byte));
      if (state <= GrammarStates::kOverflow) return state;
    }
    return state;
  }

  [[nodiscard]] Error refuse(TokenId token) const {
    return Error{Code::invalid_argument,
                 "token " + std::to_string(token) + " (\"" +
                     std::string(setup_->tokenizer().token_text(token)) +
                     "\") is not what the grammar allows here"};
  }

  std::shared_ptr<const Setup> setup_;
  std::shared_ptr<LearntStates> learnt_;
  std::shared_ptr<LearntStates> retired_;
  State state_ = GrammarStates::kDead;
  bool in_force_ = false;
  std::size_t entries_ = 0;
  std::vector<TokenId> tail_;  ///< Text tokens since the last symbol.
  mutable int tries_ = 0;      ///< Questions about this state so far.
};

Result<TokenId> known_token(const Tokenizer& tokenizer, const std::string& name) {
  const auto token = tokenizer.find_token(name);
  if (token) return *token;
  return Error{Code::invalid_argument, "the tokenizer has no control token \"" + name + "\""};
}

Result<std::shared_ptr<const Setup>> make_setup(const Grammar& grammar,
                                                const std::shared_ptr<const TokenTexts>& texts,
                                                const ConstraintOptions& options) {
  if (options.stack_states_max == 0) {
    return Error{Code::invalid_argument, "stack_states_max is 0"};
  }
  const Tokenizer& tokenizer = texts->tokenizer();
  auto setup = std::make_shared<Setup>();
  setup->entries_max = options.entries_max;
  setup->free_after = options.free_after;
  for (const std::string& name : options.free_control) {
    FACET_TRY(const TokenId token, known_token(tokenizer, name));
    setup->free_control.push_back(token);
  }
  if (!options.trigger.empty()) {
    FACET_TRY(setup->trigger, known_token(tokenizer, options.trigger));
  }
  FACET_TRY(setup->grammar, CompiledGrammar::compile(grammar, texts, options.stack_states_max));
  std::sort(setup->free_control.begin(), setup->free_control.end());
  setup->named = setup->grammar->program().control_tokens;
  setup->named.insert(setup->named.end(), setup->free_control.begin(), setup->free_control.end());
  if (setup->trigger >= 0) setup->named.push_back(setup->trigger);
  std::sort(setup->named.begin(), setup->named.end());
  return std::shared_ptr<const Setup>(std::move(setup));
}

/// What distinguishes one setup from another.
struct Key {
  Grammar::Hash grammar;
  std::string options;
  bool operator==(const Key&) const = default;
};

Key key_of(const Grammar& grammar, const ConstraintOptions& options) {
  std::string text = options.trigger + '\n' + std::to_string(options.stack_states_max) + ' ' +
                     std::to_string(options.entries_max) + (options.free_after ? " +" : " -");
  for (const std::string& name : options.free_control) text += '\n' + name;
  return {grammar.hash(), std::move(text)};
}

}  // namespace

struct ConstraintFactory::Parts {
  std::shared_ptr<const TokenTexts> texts;
  std::size_t cached_max = 0;
  std::mutex mutex;
  /// Last used first.
  std::list<std::pair<Key, std::shared_ptr<const Setup>>> cached;

  std::shared_ptr<const Setup> find(const Key& key) {
    const std::lock_guard lock(mutex);
    const auto known = std::find_if(
        cached.begin(), cached.end(), [&](const auto& entry) { return entry.first == key; });
    if (known == cached.end()) return nullptr;
    cached.splice(cached.begin(), cached, known);
    return known->second;
  }

  void keep(Key key, std::shared_ptr<const Setup> setup) {
    const std::lock_guard lock(mutex);
    cached.emplace_front(std::move(key), std::move(setup));
    if (cached.size() > cached_max) cached.pop_back();
  }
};

ConstraintFactory::ConstraintFactory(const Tokenizer& tokenizer, std::size_t cached_max)
    : parts_(std::make_unique<Parts>()) {
  parts_->texts = std::make_shared<const TokenTexts>(tokenizer);
  parts_->cached_max = cached_max;
}

ConstraintFactory::~ConstraintFactory() = default;

Result<std::unique_ptr<Constraint>> ConstraintFactory::make(
    const Grammar& grammar, const ConstraintOptions& options) const {
  Key key = key_of(grammar, options);
  std::shared_ptr<const Setup> setup = parts_->find(key);
  if (!setup) {
    FACET_TRY(setup, make_setup(grammar, parts_->texts, options));
    parts_->keep(std::move(key), setup);
  }
  return std::unique_ptr<Constraint>(std::make_unique<GrammarConstraint>(std::move(setup)));
}

Result<std::unique_ptr<Constraint>> make_constraint(const Grammar& grammar,
                                                    const Tokenizer& tokenizer,
                                                    const ConstraintOptions& options) {
  return ConstraintFactory(tokenizer, 1).make(grammar, options);
}

}  // namespace facet::engine
