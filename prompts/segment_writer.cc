#include "prompts/segment_writer.h"

#include <utility>

namespace facet::prompts {

std::vector<Segment> SegmentWriter::take() {
  return std::exchange(segments_, {});
}

void SegmentWriter::add(Segment::Kind kind, std::string_view text) {
  if (text.empty()) return;
  if (!segments_.empty() && segments_.back().kind == kind) {
    segments_.back().text += text;
  } else {
    segments_.push_back({.kind = kind, .text = std::string(text)});
  }
}

std::vector<Segment> joined(const std::vector<Segment>& segments) {
  SegmentWriter writer;
  for (const Segment& segment : segments) {
    if (segment.kind == Segment::Kind::control) {
      writer.control(segment.text);
    } else {
      writer.data(segment.text);
    }
  }
  return writer.take();
}

}  // namespace facet::prompts
