#include "prompts/image_prompts.h"

#include "prompts/segment_writer.h"

#include <string>
#include <utility>

namespace facet::prompts {
namespace {

/// Collects parts; every image ends one.
class PartWriter {
 public:
  void segment(Segment::Kind kind, std::string_view text) {
    if (kind == Segment::Kind::control) {
      out_.control(text);
    } else {
      out_.data(text);
    }
  }
  /// The whole image and its crops, in the words of the reference processor.
  void image(int crops) {
    if (crops == 0) return one();
    out_.control("Here is the original image ");
    one();
    out_.control(" and here are some crops to help you see better ");
    for (int i = 0; i < crops; ++i) {
      if (i > 0) out_.control(" ");
      one();
    }
  }
  std::vector<std::vector<Segment>> take() {
    parts_.push_back(out_.take());
    return std::move(parts_);
  }

 private:
  void one() {
    out_.control("\n\n");
    out_.control(kStartOfImage);
    parts_.push_back(out_.take());
    out_.control(kEndOfImage);
    out_.control("\n\n");
  }

  SegmentWriter out_;
  std::vector<std::vector<Segment>> parts_;
};

}  // namespace

Result<std::vector<std::vector<Segment>>> split_at_images(const std::vector<Segment>& segments,
                                                          const std::vector<int>& crops) {
  PartWriter out;
  std::size_t markers = 0;
  for (const Segment& segment : segments) {
    std::string_view text = segment.text;
    while (segment.kind == Segment::Kind::control) {
      const std::size_t at = text.find(kStartOfImage);
      if (at == std::string_view::npos) break;
      out.segment(segment.kind, text.substr(0, at));
      text.remove_prefix(at + kStartOfImage.size());
      const int count = markers < crops.size() ? crops[markers] : 0;
      if (count < 0) {
        return Error{
            Code::invalid_argument,
            "image " + std::to_string(markers + 1) + " has " + std::to_string(count) + " crops"};
      }
      out.image(count);
      ++markers;
    }
    out.segment(segment.kind, text);
  }
  if (markers != crops.size()) {
    return Error{Code::invalid_argument,
                 "the prompt has " + std::to_string(markers) + " places for images, " +
                     std::to_string(crops.size()) + " images are given"};
  }
  return out.take();
}

}  // namespace facet::prompts
