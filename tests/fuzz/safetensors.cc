#include "engine/model/safetensors.h"

#include "base/check.h"
#include "tests/fuzz/targets.h"

namespace facet::fuzz {

bool safetensors(std::span<const std::byte> bytes) {
  engine::TensorTable table;
  const auto status = engine::read_safetensors(bytes, "p/", table);
  if (!status) {
    check_message(status.error());
    FACET_CHECK(table.all().empty());
    return false;
  }
  std::int64_t covered = 0;
  for (const auto& [name, tensor] : table.all()) {
    FACET_CHECK(name.starts_with("p/"));
    FACET_CHECK(tensor.bytes >= 0);
    FACET_CHECK(tensor.data >= bytes.data());
    FACET_CHECK(tensor.bytes <= bytes.data() + bytes.size() - tensor.data);
    covered += tensor.bytes;
    if (tensor.shape.size() != 1 || tensor.bytes == 0) continue;
    const auto values = table.vector(name, tensor.shape[0], 1.0F);
    FACET_CHECK(!values || values->size() == static_cast<std::size_t>(tensor.shape[0]));
  }
  // Header and tensors are the whole file.
  FACET_CHECK(covered <= static_cast<std::int64_t>(bytes.size()) - 10);
  return true;
}

}  // namespace facet::fuzz
