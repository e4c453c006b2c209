#include "base/grammar/number_automaton.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

namespace facet::grammar {
namespace {

constexpr std::size_t kStatesMax = 40'000;
constexpr std::size_t kDecimalDigitsMax = 40;

/// How the digits read so far compare with the same number of digits of a bound.
enum class Order : std::uint8_t { less, equal, greater };

Order compare_digit(Order so_far, char digit, std::string_view bound, std::size_t at) {
  if (so_far != Order::equal || at >= bound.size()) return so_far;
  if (digit == bound[at]) return Order::equal;
  return digit < bound[at] ? Order::less : Order::greater;
}

/// Magnitudes between `low` and `high` ("" where unbounded), multiples of `divisor`.
struct Magnitudes {
  std::string low;
  std::string high;
  std::uint64_t divisor = 1;
  int digits_max = 17;
};

struct DigitState {
  int count = 0;
  Order low = Order::equal;
  Order high = Order::equal;
  std::uint64_t rest = 0;
  bool is_zero = false;  ///< A single 0: no digit may follow.
  auto operator<=>(const DigitState&) const = default;
};

/// Adds states for `magnitudes` behind `start`. False when there are too many.
class DigitWriter {
 public:
  DigitWriter(ByteAutomaton& out, const Magnitudes& magnitudes)
      : out_(out), magnitudes_(magnitudes) {}

  bool write(std::int32_t start) {
    open_.emplace_back(DigitState{}, start);
    while (!open_.empty()) {
      const auto [state, name] = open_.back();
      open_.pop_back();
      if (state.count == digits_max() || state.is_zero) continue;
      for (char digit = '0'; digit <= '9'; ++digit) {
        const std::int32_t to = target(after(state, digit));
        const auto byte = static_cast<std::uint8_t>(digit);
        out_.states[static_cast<std::size_t>(name)].edges.push_back({byte, byte, to});
      }
      if (out_.states.size() > kStatesMax) return false;
    }
    return true;
  }

 private:
  [[nodiscard]] int digits_max() const {
    if (magnitudes_.high.empty()) return magnitudes_.digits_max;
    return std::min(magnitudes_.digits_max, static_cast<int>(magnitudes_.high.size()));
  }

  [[nodiscard]] DigitState after(DigitState state, char digit) const {
    const auto at = static_cast<std::size_t>(state.count);
    state.low = compare_digit(state.low, digit, magnitudes_.low, at);
    state.high = compare_digit(state.high, digit, magnitudes_.high, at);
    state.rest = (state.rest * 10 + static_cast<std::uint64_t>(digit - '0')) % magnitudes_.divisor;
    state.is_zero = state.count == 0 && digit == '0';
    ++state.count;
    // Longer than the bound is above it, whatever the digits were.
    if (at >= magnitudes_.low.size()) state.low = Order::greater;
    return state;
  }

  [[nodiscard]] bool accepts(const DigitState& state) const {
    if (state.rest != 0) return false;
    const auto count = static_cast<std::size_t>(state.count);
    const std::string& low = magnitudes_.low;
    const std::string& high = magnitudes_.high;
    const bool above = count != low.size() ? count > low.size() : state.low != Order::less;
    const bool below =
        high.empty() || (count != high.size() ? count < high.size() : state.high != Order::greater);
    return above && below;
  }

  std::int32_t target(const DigitState& state) {
    const auto [found, is_new] =
        names_.try_emplace(state, static_cast<std::int32_t>(out_.states.size()));
    if (is_new) {
      out_.states.push_back({.accepts = accepts(state)});
      open_.emplace_back(state, found->second);
    }
    return found->second;
  }

  ByteAutomaton& out_;
  const Magnitudes& magnitudes_;
  std::map<DigitState, std::int32_t> names_;
  std::vector<std::pair<DigitState, std::int32_t>> open_;
};

std::uint64_t magnitude(std::int64_t value) {
  return value < 0 ? ~static_cast<std::uint64_t>(value) + 1 : static_cast<std::uint64_t>(value);
}

/// Where the digits of a decimal number stand to those of a bound, and in which part they are.
struct DecimalState {
  int digits = 0;
  int whole = 0;      ///< Digits before the point.
  int fraction = -1;  ///< Digits behind it; -1: no point yet.
  Order low = Order::equal;
  Order high = Order::equal;
  bool is_zero = false;  ///< The whole part is a single 0.
  bool is_nonzero = false;
  auto operator<=>(const DecimalState&) const = default;
};

/// The same for decimal magnitudes.
class DecimalWriter {
 public:
  struct Bounds {
    std::optional<Decimal> low;
    std::optional<Decimal> high;
    bool low_exclusive = false;
    bool high_exclusive = false;
    bool needs_nonzero = false;  ///< "-0" is no negative number.
    int digits_max = 15;
  };

  DecimalWriter(ByteAutomaton& out, const Bounds& bounds) : out_(out), bounds_(bounds) {}

  void write(std::int32_t start) {
    open_.emplace_back(DecimalState{}, start);
    while (!open_.empty()) {
      const auto [state, name] = open_.back();
      open_.pop_back();
      if (state.digits < bounds_.digits_max && !(state.is_zero && state.fraction < 0)) {
        for (char digit = '0'; digit <= '9'; ++digit) link(name, digit, after(state, digit));
      }
      if (state.fraction < 0 && state.whole > 0 && state.digits < bounds_.digits_max) {
        link(name, '.', behind_point(state));
      }
    }
  }

 private:
  static Order order_of_lengths(Order digits, int count, std::size_t bound) {
    const auto length = static_cast<std::size_t>(count);
    if (length == bound) return digits;
    return length < bound ? Order::less : Order::greater;
  }

  static Order whole_order(const std::optional<Decimal>& bound, Order digits, int count) {
    return bound ? order_of_lengths(digits, count, bound->whole.size()) : Order::equal;
  }

  [[nodiscard]] DecimalState behind_point(DecimalState state) const {
    state.low = whole_order(bounds_.low, state.low, state.whole);
    state.high = whole_order(bounds_.high, state.high, state.whole);
    state.fraction = 0;
    return state;
  }

  static Order digit_order(const std::optional<Decimal>& bound,
                           Order so_far,
                           char digit,
                           const DecimalState& state) {
    if (!bound) return Order::equal;
    const bool in_fraction = state.fraction >= 0;
    const std::string& digits = in_fraction ? bound->fraction : bound->whole;
    const auto at = static_cast<std::size_t>(in_fraction ? state.fraction : state.whole);
    if (in_fraction && at >= digits.size()) {
      return so_far == Order::equal && digit != '0' ? Order::greater : so_far;
    }
    return compare_digit(so_far, digit, digits, at);
  }

  [[nodiscard]] DecimalState after(DecimalState state, char digit) const {
    state.low = digit_order(bounds_.low, state.low, digit, state);
    state.high = digit_order(bounds_.high, state.high, digit, state);
    state.is_zero = state.is_zero || (state.digits == 0 && digit == '0');
    state.is_nonzero = state.is_nonzero || digit != '0';
    ++state.digits;
    ++(state.fraction >= 0 ? state.fraction : state.whole);
    return state;
  }

  /// The order of the whole number to `bound`: what is left of the bound's fraction counts too.
  static Order final_order(const Decimal& bound, Order order, const DecimalState& state) {
    if (state.fraction < 0) order = order_of_lengths(order, state.whole, bound.whole.size());
    const auto read = static_cast<std::size_t>(std::max(state.fraction, 0));
    return order == Order::equal && read < bound.fraction.size() ? Order::less : order;
  }

  [[nodiscard]] bool accepts(const DecimalState& state) const {
    if (state.whole == 0 || state.fraction == 0) return false;
    if (bounds_.needs_nonzero && !state.is_nonzero) return false;
    if (bounds_.low) {
      const Order order = final_order(*bounds_.low, state.low, state);
      if (order == Order::less || (order == Order::equal && bounds_.low_exclusive)) return false;
    }
    if (bounds_.high) {
      const Order order = final_order(*bounds_.high, state.high, state);
      if (order == Order::greater || (order == Order::equal && bounds_.high_exclusive))
        return false;
    }
    return true;
  }

  void link(std::int32_t from, char symbol, const DecimalState& state) {
    const auto [found, is_new] =
        names_.try_emplace(state, static_cast<std::int32_t>(out_.states.size()));
    if (is_new) {
      out_.states.push_back({.accepts = accepts(state)});
      open_.emplace_back(state, found->second);
    }
    const auto byte = static_cast<std::uint8_t>(symbol);
    out_.states[static_cast<std::size_t>(from)].edges.push_back({byte, byte, found->second});
  }

  ByteAutomaton& out_;
  const Bounds& bounds_;
  std::map<DecimalState, std::int32_t> names_;
  std::vector<std::pair<DecimalState, std::int32_t>> open_;
};

}  // namespace

Result<ByteAutomaton> integer_automaton(const IntegerRange& range) {
  ByteAutomaton out{.states = std::vector<ByteAutomaton::State>(2)};
  Magnitudes magnitudes{.divisor = range.multiple_of, .digits_max = range.digits_max};
  const Error too_many{Code::limit_exceeded,
                       "the multiples of " + std::to_string(range.multiple_of) +
                           " need more than " + std::to_string(kStatesMax) + " states"};
  if (range.multiple_of > kStatesMax) return too_many;
  const bool has_positive = !range.max || *range.max >= 0;
  if (has_positive) {
    magnitudes.low = std::to_string(std::max<std::int64_t>(range.min.value_or(0), 0));
    magnitudes.high = range.max ? std::to_string(*range.max) : std::string();
    if (!DigitWriter(out, magnitudes).write(0)) return too_many;
  }
  const bool has_negative = !range.min || *range.min < 0;
  if (has_negative) {
    out.states[0].edges.push_back({'-', '-', 1});
    const std::int64_t nearest = std::min<std::int64_t>(range.max.value_or(-1), -1);
    magnitudes.low = std::to_string(magnitude(nearest));
    magnitudes.high = range.min ? std::to_string(magnitude(*range.min)) : std::string();
    if (!DigitWriter(out, magnitudes).write(1)) return too_many;
  }
  return trimmed(out);
}

std::optional<Decimal> decimal_of(double value) {
  if (!std::isfinite(value)) return std::nullopt;
  std::array<char, 512> buffer{};
  const auto written =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed);
  std::string_view text(buffer.data(), static_cast<std::size_t>(written.ptr - buffer.data()));
  Decimal out;
  if (text.starts_with('-')) {
    out.negative = value != 0.0;
    text.remove_prefix(1);
  }
  const std::size_t point = text.find('.');
  out.whole = std::string(text.substr(0, point));
  if (point != std::string_view::npos) out.fraction = std::string(text.substr(point + 1));
  if (out.whole.size() + out.fraction.size() > kDecimalDigitsMax) return std::nullopt;
  return out;
}

ByteAutomaton number_automaton(const NumberRange& range) {
  ByteAutomaton out{.states = std::vector<ByteAutomaton::State>(2)};
  const bool max_is_negative =
      range.max && (range.max->negative || (range.max->is_zero() && range.max_exclusive));
  const bool min_is_positive = range.min && !range.min->negative;
  if (!max_is_negative) {
    DecimalWriter::Bounds bounds{
        .high = range.max, .high_exclusive = range.max_exclusive, .digits_max = range.digits_max};
    if (min_is_positive) {
      bounds.low = range.min;
      bounds.low_exclusive = range.min_exclusive;
    }
    DecimalWriter(out, bounds).write(0);
  }
  if (!min_is_positive) {
    out.states[0].edges.push_back({'-', '-', 1});
    DecimalWriter::Bounds bounds{.high = range.min,
                                 .high_exclusive = range.min_exclusive,
                                 .needs_nonzero = true,
                                 .digits_max = range.digits_max};
    if (range.max && range.max->negative) {
      bounds.low = range.max;
      bounds.low_exclusive = range.max_exclusive;
    }
    DecimalWriter(out, bounds).write(1);
  }
  return trimmed(out);
}

}  // namespace facet::grammar
