#include "engine/sampling/grammar_states.h"

#include "base/check.h"
#include "base/code_points.h"

#include <algorithm>
#include <limits>

namespace facet::engine {
namespace {

using Op = GrammarInstruction::Op;

constexpr std::uint64_t kFree = ~std::uint64_t{0};
constexpr std::size_t kVisitedSlots = 64;  ///< At first; a power of two.

std::uint64_t mix(std::uint64_t value) {
  value ^= value >> 33U;
  value *= 0xFF51AFD7ED558CCDU;
  return value ^ (value >> 33U);
}

std::uint64_t pair_key(std::int32_t a, std::int32_t b) {
  return (std::uint64_t{static_cast<std::uint32_t>(a)} << 32U) | static_cast<std::uint32_t>(b);
}

bool is_plain(std::size_t byte) {
  return byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\';
}

/// All characters beyond ASCII.
const std::vector<Utf8Block>& long_characters() {
  static const std::vector<Utf8Block> blocks = utf8_blocks(CodePointSet({{0x80, 0x10FFFF}}));
  return blocks;
}

}  // namespace

std::size_t GrammarStates::FrameHash::operator()(const Frame& frame) const {
  std::uint64_t hash = mix(pair_key(frame.below, frame.return_to));
  hash = mix(hash ^ pair_key(frame.least, frame.most));
  return static_cast<std::size_t>(hash ^ static_cast<std::uint32_t>(frame.depth));
}

GrammarStates::GrammarStates(std::shared_ptr<const GrammarProgram> program,
                             std::size_t parallel_max,
                             std::size_t token_bytes_max)
    : program_(std::move(program)),
      parallel_max_(parallel_max),
      token_bytes_max_(
          static_cast<std::int32_t>(std::min<std::size_t>(token_bytes_max, 1U << 20U))),
      visited_(kVisitedSlots, kFree) {
  for (std::size_t byte = 0; byte < 256; ++byte) {
    if (is_plain(byte)) plain_classes_.push_back(program_->byte_class[byte]);
  }
  std::sort(plain_classes_.begin(), plain_classes_.end());
  plain_classes_.erase(std::unique(plain_classes_.begin(), plain_classes_.end()),
                       plain_classes_.end());
  // The two states that go nowhere.
  infos_.resize(2);
  rows_.assign(2 * program_->class_byte.size(), kDead);
}

GrammarStates::Id GrammarStates::start() {
  return settle({{0, kEmptyStack}});
}

GrammarStates::Id GrammarStates::compute(Id state, std::uint8_t byte_class) {
  const Place* const from = places(state);
  const std::size_t count = info(state).count;
  const auto reads = [&](std::size_t place, std::uint8_t candidate) {
    const GrammarInstruction& next = program_->code[static_cast<std::size_t>(from[place].at)];
    return next.op == Op::byte &&
           program_->byte_sets[static_cast<std::size_t>(next.a)][program_->class_byte[candidate]];
  };
  std::vector<Place> next;
  for (std::size_t i = 0; i < count; ++i) {
    if (reads(i, byte_class)) next.push_back({from[i].at + 1, from[i].stack});
  }
  if (next.empty()) return rows_[row_of(state) + byte_class] = kDead;
  // Most classes are read by the same places: they have the same answer.
  std::vector<std::uint8_t> alike;
  for (std::size_t other = 0; other < program_->class_byte.size(); ++other) {
    const auto candidate = static_cast<std::uint8_t>(other);
    if (rows_[row_of(state) + other] != kUnknown) continue;
    bool same = true;
    for (std::size_t i = 0; i < count && same; ++i) {
      same = reads(i, candidate) == reads(i, byte_class);
    }
    if (same) alike.push_back(candidate);
  }
  const Id target = settle(next);
  for (const std::uint8_t candidate : alike) rows_[row_of(state) + candidate] = target;
  return target;
}

GrammarStates::Id GrammarStates::after_control(Id state, TokenId token) {
  std::vector<Place> next;
  for (std::size_t i = 0; i < info(state).count; ++i) {
    const Place place = places(state)[i];
    const GrammarInstruction& reads = program_->code[static_cast<std::size_t>(place.at)];
    if (reads.op == Op::control && reads.a == token) next.push_back({place.at + 1, place.stack});
  }
  return next.empty() ? kDead : settle(next);
}

bool GrammarStates::is_finished(Id state) const {
  return accepts(state) && info(state).count == 1;
}

std::vector<TokenId> GrammarStates::controls(Id state) const {
  std::vector<TokenId> out;
  for (std::size_t i = 0; i < info(state).count; ++i) {
    const auto& reads = program_->code[static_cast<std::size_t>(places(state)[i].at)];
    if (reads.op == Op::control) out.push_back(reads.a);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::bitset<256> GrammarStates::next_bytes(Id state) const {
  std::bitset<256> out;
  for (std::size_t i = 0; i < info(state).count; ++i) {
    const auto& reads = program_->code[static_cast<std::size_t>(places(state)[i].at)];
    if (reads.op == Op::byte) out |= program_->byte_sets[static_cast<std::size_t>(reads.a)];
  }
  return out;
}

int GrammarStates::only_byte(Id state) const {
  const std::bitset<256> next = next_bytes(state);
  if (next.count() != 1) return -1;
  int byte = 0;
  while (!next[static_cast<std::size_t>(byte)]) ++byte;
  return byte;
}

std::int32_t GrammarStates::push(const Frame& frame) {
  const auto [found, is_new] =
      known_frames_.try_emplace(frame, static_cast<std::int32_t>(frames_.size()));
  if (is_new) {
    frames_.push_back(frame);
    frame_symbols_.push_back(symbols_behind(frame));
  }
  return found->second;
}

std::int64_t GrammarStates::symbols_behind(const Frame& frame) const {
  const std::int64_t below = symbols_of(frame.below);
  if (frame.return_to >= 0) {
    return below + program_->shortest[static_cast<std::size_t>(frame.return_to)];
  }
  const GrammarLoop& loop = program_->loops[static_cast<std::size_t>(-1 - frame.return_to)];
  constexpr std::int64_t kSymbolsMax = 1'000'000'000'000;
  const std::int64_t body = std::min(program_->shortest[static_cast<std::size_t>(loop.body)],
                                     kSymbolsMax / (frame.least + 1));
  return below + frame.least * body + program_->shortest[static_cast<std::size_t>(loop.after)];
}

std::int64_t GrammarStates::symbols_of(std::int32_t stack) const {
  return stack == kEmptyStack ? 0 : frame_symbols_[static_cast<std::size_t>(stack)];
}

std::int64_t GrammarStates::shortest(Id state) const {
  std::int64_t fewest = std::numeric_limits<std::int64_t>::max();
  for (std::size_t i = 0; i < info(state).count; ++i) {
    const Place place = places(state)[i];
    const std::int64_t symbols =
        program_->shortest[static_cast<std::size_t>(place.at)] + symbols_of(place.stack);
    fewest = std::min(fewest, symbols);
  }
  return fewest;
}

std::int32_t GrammarStates::depth_of(std::int32_t stack) const {
  return stack == kEmptyStack ? 0 : frames_[static_cast<std::size_t>(stack)].depth;
}

/// Follows everything that consumes nothing. Terminates: left recursion was refused, so that no
/// stack grows without a symbol, and a place is visited once.
GrammarStates::Id GrammarStates::settle(const std::vector<Place>& from) {
  open_.clear();
  settled_.clear();
  std::fill(visited_.begin(), visited_.end(), kFree);
  visited_count_ = 0;
  for (const Place& place : from) visit(place.at, place.stack);
  while (!open_.empty()) {
    const Place place = open_.back();
    open_.pop_back();
    follow(place);
    if (visited_count_ > parallel_max_) return kOverflow;
  }
  return intern(settled_);
}

void GrammarStates::visit(std::int32_t at, std::int32_t stack) {
  if (2 * visited_count_ >= visited_.size()) {
    const std::vector<std::uint64_t> old =
        std::exchange(visited_, std::vector<std::uint64_t>(visited_.size() * 2, kFree));
    for (const std::uint64_t key : old) {
      if (key == kFree) continue;
      std::size_t slot = mix(key) & (visited_.size() - 1);
      while (visited_[slot] != kFree) slot = (slot + 1) & (visited_.size() - 1);
      visited_[slot] = key;
    }
  }
  const std::uint64_t key = pair_key(at, stack);
  std::size_t slot = mix(key) & (visited_.size() - 1);
  while (visited_[slot] != kFree && visited_[slot] != key)
    slot = (slot + 1) & (visited_.size() - 1);
  if (visited_[slot] == key) return;
  visited_[slot] = key;
  ++visited_count_;
  open_.push_back({at, stack});
}

void GrammarStates::follow(Place place) {
  const GrammarInstruction& next = program_->code[static_cast<std::size_t>(place.at)];
  switch (next.op) {
    case Op::byte:
    case Op::control:
    case Op::accept:
      settled_.push_back(place);
      return;
    case Op::split:
      visit(next.b, place.stack);
      visit(next.a, place.stack);
      return;
    case Op::jump:
      visit(next.a, place.stack);
      return;
    case Op::call:
      call(place, next);
      return;
    case Op::ret:
      pop(place.stack);
      return;
    case Op::loop: {
      const GrammarLoop& loop = program_->loops[static_cast<std::size_t>(next.a)];
      turn(next.a, loop.min, loop.max == -1 ? kNoBound : loop.max, place.stack);
      return;
    }
    case Op::guard:
      if (depth_of(place.stack) + next.a <= program_->rule_depth_max) {
        visit(place.at + 1, place.stack);
      }
      return;
  }
}

/// A call in front of a return leaves no frame, so right recursion keeps the stack flat.
void GrammarStates::call(Place place, const GrammarInstruction& instruction) {
  const auto& code = program_->code;
  std::int32_t after = place.at + 1;
  while (code[static_cast<std::size_t>(after)].op == Op::jump) {
    after = code[static_cast<std::size_t>(after)].a;
  }
  const bool keeps_frame = (instruction.b & GrammarInstruction::keeps_frame) != 0;
  if (code[static_cast<std::size_t>(after)].op == Op::ret && !keeps_frame) {
    visit(instruction.a, place.stack);
    return;
  }
  const std::int32_t more = (instruction.b & GrammarInstruction::counts_depth) != 0 ? 1 : 0;
  const std::int32_t depth = depth_of(place.stack) + more;
  visit(instruction.a, push({.below = place.stack, .return_to = after, .depth = depth}));
}

void GrammarStates::pop(std::int32_t stack) {
  const Frame frame = frames_[static_cast<std::size_t>(stack)];
  if (frame.return_to >= 0) {
    visit(frame.return_to, frame.below);
  } else {
    turn(-1 - frame.return_to, frame.least, frame.most, frame.below);
  }
}

/// One more turn of a loop, or none.
void GrammarStates::turn(std::int32_t loop,
                         std::int32_t least,
                         std::int32_t most,
                         std::int32_t stack) {
  const GrammarLoop& code = program_->loops[static_cast<std::size_t>(loop)];
  if (least == 0) visit(code.after, stack);
  if (most == 0) return;
  visit(code.body,
        push({.below = stack,
              .return_to = -1 - loop,
              .least = std::max(least - 1, 0),
              .most = most == kNoBound ? kNoBound : most - 1,
              .depth = depth_of(stack)}));
}

GrammarStates::Id GrammarStates::intern(std::vector<Place> places) {
  if (places.empty()) return kDead;
  std::sort(places.begin(), places.end());
  std::uint64_t hash = places.size();
  for (const Place& place : places) hash = mix(hash ^ pair_key(place.at, place.stack));
  const auto [begin, end] = known_states_.equal_range(hash);
  for (auto at = begin; at != end; ++at) {
    const Info& known = info(at->second);
    if (std::equal(places.begin(),
                   places.end(),
                   places_.begin() + known.first,
                   places_.begin() + known.first + known.count)) {
      return at->second;
    }
  }
  const auto id = static_cast<Id>(infos_.size());
  Info fresh{.first = static_cast<std::uint32_t>(places_.size()),
             .count = static_cast<std::uint32_t>(places.size())};
  fresh.accepts = std::any_of(places.begin(), places.end(), [&](const Place& place) {
    return program_->code[static_cast<std::size_t>(place.at)].op == Op::accept;
  });
  places_.insert(places_.end(), places.begin(), places.end());
  infos_.push_back(fresh);
  rows_.resize(rows_.size() + program_->class_byte.size(), kUnknown);
  known_states_.emplace(hash, id);
  return id;
}

/// Does every character beyond ASCII lead from `state` to `target`?
bool GrammarStates::leads_to(Id state, Id target) {
  for (const Utf8Block& block : long_characters()) {
    // Few states stand between the bytes of a character, so each byte is tried for all of them.
    std::vector<Id> now{state};
    for (int i = 0; i < block.length; ++i) {
      std::vector<Id> next;
      const auto at = static_cast<std::size_t>(i);
      int before = -1;
      for (int byte = block.first[at]; byte <= block.last[at]; ++byte) {
        const int byte_class = program_->byte_class[static_cast<std::size_t>(byte)];
        if (std::exchange(before, byte_class) == byte_class) continue;
        for (const Id from : now) {
          const Id to = after_byte(from, static_cast<std::uint8_t>(byte));
          if (to == kDead || to == kOverflow) return false;
          if (std::find(next.begin(), next.end(), to) == next.end()) next.push_back(to);
        }
      }
      now = std::move(next);
    }
    if (now.size() != 1 || now.front() != target) return false;
  }
  return true;
}

/// True when all plain characters lead to one state.
int GrammarStates::plain_step(Id state, Id& next) {
  if (state == kDead || state == kOverflow || plain_classes_.empty()) return 0;
  next = kUnknown;
  for (const std::uint8_t byte_class : plain_classes_) {
    const Id to = after_byte(state, program_->class_byte[byte_class]);
    if (to == kDead || to == kOverflow || (next != kUnknown && to != next)) return 0;
    next = to;
  }
  return leads_to(state, next) ? 1 : 0;
}

int GrammarStates::plain_characters(Id state) {
  std::vector<Id> chain;
  int tail = 0;
  for (Id at = state; chain.size() < kEndless;) {
    if (info(at).plain >= 0) {
      tail = info(at).plain;
      break;
    }
    chain.push_back(at);
    Id next = kUnknown;
    if (plain_step(at, next) == 0) {
      infos_[static_cast<std::size_t>(at)].plain = 0;
      chain.pop_back();
      break;
    }
    if (next == at) {
      infos_[static_cast<std::size_t>(at)].plain = kEndless;
      tail = kEndless;
      chain.pop_back();
      break;
    }
    at = next;
    // Farther than the longest token nothing needs to be known.
    if (chain.size() > static_cast<std::size_t>(token_bytes_max_)) break;
  }
  for (auto at = chain.rbegin(); at != chain.rend(); ++at) {
    tail = tail == kEndless ? kEndless : std::min(tail + 1, kEndless - 1);
    infos_[static_cast<std::size_t>(*at)].plain = static_cast<std::int16_t>(tail);
  }
  return info(state).plain < 0 ? 0 : info(state).plain;
}

GrammarStates::Id GrammarStates::capped(Id state) {
  if (info(state).capped != kUnknown) return info(state).capped;
  std::vector<Place> places(this->places(state), this->places(state) + info(state).count);
  for (Place& place : places) place.stack = capped_stack(place.stack);
  std::sort(places.begin(), places.end());
  places.erase(std::unique(places.begin(), places.end()), places.end());
  const Id out = state == kDead || state == kOverflow ? state : intern(std::move(places));
  infos_[static_cast<std::size_t>(state)].capped = out;
  return out;
}

std::int32_t GrammarStates::capped_stack(std::int32_t stack) {
  // From the top down to what is known, then back up.
  std::vector<std::int32_t> path;
  std::int32_t out = kEmptyStack;
  for (std::int32_t at = stack; at != kEmptyStack;
       at = frames_[static_cast<std::size_t>(at)].below) {
    if (const auto known = capped_frames_.find(at); known != capped_frames_.end()) {
      out = known->second;
      break;
    }
    path.push_back(at);
  }
  for (auto at = path.rbegin(); at != path.rend(); ++at) {
    Frame frame = frames_[static_cast<std::size_t>(*at)];
    frame.below = out;
    if (frame.return_to < 0) {
      frame.least = std::min(frame.least, token_bytes_max_ + 1);
      if (frame.most > token_bytes_max_ + 1) frame.most = kNoBound;
    }
    out = push(frame);
    capped_frames_.emplace(*at, out);
  }
  return out;
}

std::int32_t GrammarStates::import_stack(const GrammarStates& other,
                                         std::int32_t stack,
                                         std::unordered_map<std::int32_t, std::int32_t>& known) {
  std::vector<std::int32_t> path;
  std::int32_t out = kEmptyStack;
  for (std::int32_t at = stack; at != kEmptyStack;
       at = other.frames_[static_cast<std::size_t>(at)].below) {
    if (const auto found = known.find(at); found != known.end()) {
      out = found->second;
      break;
    }
    path.push_back(at);
  }
  for (auto at = path.rbegin(); at != path.rend(); ++at) {
    Frame frame = other.frames_[static_cast<std::size_t>(*at)];
    frame.below = out;
    out = push(frame);
    known.emplace(*at, out);
  }
  return out;
}

GrammarStates::Id GrammarStates::import(const GrammarStates& other, Id state) {
  if (state == kDead || state == kOverflow) return state;
  std::unordered_map<std::int32_t, std::int32_t> known;
  std::vector<Place> places;
  for (std::size_t i = 0; i < other.info(state).count; ++i) {
    const Place place = other.places(state)[i];
    places.push_back({place.at, import_stack(other, place.stack, known)});
  }
  return intern(std::move(places));
}

std::size_t GrammarStates::bytes() const {
  constexpr std::size_t kMapNode = 32;  // What a hash map adds to an entry, about.
  return frames_.size() * (2 * sizeof(Frame) + kMapNode) + capped_frames_.size() * (8 + kMapNode) +
         places_.size() * sizeof(Place) + infos_.size() * (sizeof(Info) + 16 + kMapNode) +
         rows_.size() * sizeof(Id);
}

}  // namespace facet::engine
