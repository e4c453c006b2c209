// GrammarStates: a GrammarProgram run deterministically. A state stands for everything the machine
// may be doing after the same symbols: places in the code, each with its return stack. Stacks share
// their tails, equal states have equal numbers, and each step is computed once and remembered, so
// that a known step is one look into a table.
#pragma once

#include "engine/sampling/grammar_program.h"

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

namespace facet::engine {

/// Grows as it is asked; not thread-safe. A state's number stays valid as long as the object.
class GrammarStates {
 public:
  using Id = std::int32_t;
  static constexpr Id kDead = 0;      ///< No text of the grammar begins like this.
  static constexpr Id kOverflow = 1;  ///< More than `parallel_max` ways at once; goes nowhere.
  static constexpr int kEndless = 255;

  /// `token_bytes_max`: the longest token; see capped().
  GrammarStates(std::shared_ptr<const GrammarProgram> program,
                std::size_t parallel_max,
                std::size_t token_bytes_max);

  [[nodiscard]] Id start();
  [[nodiscard]] Id after_byte(Id state, std::uint8_t byte) {
    const std::uint8_t byte_class = program_->byte_class[byte];
    const Id known = rows_[row_of(state) + byte_class];
    return known != kUnknown ? known : compute(state, byte_class);
  }
  [[nodiscard]] Id after_control(Id state, TokenId token);

  /// The grammar may end here; it must end here.
  [[nodiscard]] bool accepts(Id state) const { return info(state).accepts; }
  [[nodiscard]] bool is_finished(Id state) const;
  /// The control tokens that may come next; sorted.
  [[nodiscard]] std::vector<TokenId> controls(Id state) const;

  /// The one byte that may come next, -1 when there is a choice or none.
  [[nodiscard]] int only_byte(Id state) const;
  /// The bytes that may come next.
  [[nodiscard]] std::bitset<256> next_bytes(Id state) const;

  /// The fewest symbols (bytes and control tokens) that complete the grammar from here; 0 where it
  /// accepts.
  [[nodiscard]] std::int64_t shortest(Id state) const;

  /// How many plain characters (from U+0020 on, no quotation mark, backslash or U+007F) may come
  /// next whatever they are: 0 to 254, or kEndless. May be too small, never too large.
  [[nodiscard]] int plain_characters(Id state);

  /// A state with the same answers for every text of up to `token_bytes_max` bytes, in which bounds
  /// that such a text cannot reach are no bounds: repetitions far from their bounds look alike.
  [[nodiscard]] Id capped(Id state);

  /// What `state` of another object over the same program is called here.
  [[nodiscard]] Id import(const GrammarStates& other, Id state);

  /// Bytes in use, about.
  [[nodiscard]] std::size_t bytes() const;

 private:
  static constexpr Id kUnknown = -1;
  static constexpr std::int32_t kEmptyStack = -1;
  static constexpr std::int32_t kNoBound = INT32_MAX;

  /// Where to return to: an instruction, or a loop that has still `least` to `most` turns to go.
  struct Frame {
    std::int32_t below = kEmptyStack;
    std::int32_t return_to = 0;  ///< An instruction, or -1 - the number of a loop.
    std::int32_t least = 0;
    std::int32_t most = 0;
    std::int32_t depth = 0;  ///< Recursive rules in this frame and below.
    bool operator==(const Frame&) const = default;
  };
  struct Place {
    std::int32_t at = 0;
    std::int32_t stack = kEmptyStack;
    auto operator<=>(const Place&) const = default;
  };
  struct Info {
    std::uint32_t first = 0;  ///< In places_.
    std::uint32_t count = 0;
    bool accepts = false;
    std::int16_t plain = -1;  ///< -1: not computed.
    Id capped = kUnknown;
  };
  struct FrameHash {
    std::size_t operator()(const Frame& frame) const;
  };

  [[nodiscard]] const Info& info(Id state) const { return infos_[static_cast<std::size_t>(state)]; }
  [[nodiscard]] std::size_t row_of(Id state) const {
    return static_cast<std::size_t>(state) * program_->class_byte.size();
  }
  [[nodiscard]] const Place* places(Id state) const { return places_.data() + info(state).first; }
  std::int32_t push(const Frame& frame);
  [[nodiscard]] std::int32_t depth_of(std::int32_t stack) const;
  [[nodiscard]] std::int64_t symbols_of(std::int32_t stack) const;
  [[nodiscard]] std::int64_t symbols_behind(const Frame& frame) const;
  Id compute(Id state, std::uint8_t byte_class);
  Id settle(const std::vector<Place>& from);
  void visit(std::int32_t at, std::int32_t stack);
  void turn(std::int32_t loop, std::int32_t least, std::int32_t most, std::int32_t stack);
  void follow(Place place);
  void call(Place place, const GrammarInstruction& instruction);
  void pop(std::int32_t stack);
  Id intern(std::vector<Place> places);
  [[nodiscard]] bool leads_to(Id state, Id target);
  int plain_step(Id state, Id& next);
  std::int32_t capped_stack(std::int32_t stack);
  std::int32_t import_stack(const GrammarStates& other,
                            std::int32_t stack,
                            std::unordered_map<std::int32_t, std::int32_t>& known);

  std::shared_ptr<const GrammarProgram> program_;
  std::size_t parallel_max_;
  std::int32_t token_bytes_max_;
  std::vector<std::uint8_t> plain_classes_;  ///< Classes of the plain ASCII characters.

  std::vector<Frame> frames_;
  std::vector<std::int64_t> frame_symbols_;  ///< By frame: the fewest from its return to the end.
  std::unordered_map<Frame, std::int32_t, FrameHash> known_frames_;
  std::unordered_map<std::int32_t, std::int32_t> capped_frames_;
  std::vector<Place> places_;
  std::vector<Info> infos_;
  std::unordered_multimap<std::uint64_t, Id> known_states_;
  std::vector<Id> rows_;  ///< (states, byte classes)

  // Working space of settle().
  std::vector<Place> open_;
  std::vector<Place> settled_;
  std::vector<std::uint64_t> visited_;  ///< Open addressing; emptied by settle().
  std::size_t visited_count_ = 0;
};

}  // namespace facet::engine
