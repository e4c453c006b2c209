// SegmentWriter: builds the segments of a prompt; neighbours of one kind become one segment.
#pragma once

#include "base/chat.h"

#include <string_view>
#include <vector>

namespace facet::prompts {

/// Not thread-safe.
class SegmentWriter {
 public:
  /// Text of the dialect itself: may become control tokens.
  void control(std::string_view text) { add(Segment::Kind::control, text); }
  /// Somebody's words: stay letters.
  void data(std::string_view text) { add(Segment::Kind::data, text); }

  /// The segments so far; the writer is empty afterwards.
  [[nodiscard]] std::vector<Segment> take();

 private:
  void add(Segment::Kind kind, std::string_view text);

  std::vector<Segment> segments_;
};

/// `segments` with neighbours of one kind joined and empty ones left out: two prompts are the same
/// when their joined segments are.
std::vector<Segment> joined(const std::vector<Segment>& segments);

}  // namespace facet::prompts
