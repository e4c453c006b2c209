// The program on processors that lack what the machine of the tests has, as far as QEMU's user mode
// (Debian: qemu-user-static) can show it; where that is not installed this is skipped.
#include "tests/e2e/run_facet.h"
#include "tests/support/build_kind.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"

using namespace facet::test;

TEST_CASE("an older processor runs what it has, never an illegal instruction", "[e2e]") {
  const TempDir home;
  // run_facet's command goes through a shell: what stands behind it is another command.
  const std::string find = "--version > /dev/null; command -v qemu-x86_64-static qemu-x86_64";
  std::string qemu = run_facet(home.path(), find).out;
  qemu = qemu.substr(0, qemu.find('\n'));
  if (qemu.empty() || kIsSanitized) {
    WARN("skipped: no qemu-x86_64, or a sanitizer that it cannot run");
    return;
  }
  write_tiny_gguf(home.path() / "m.gguf", TinyModel{});
  const auto run = [&](const std::string& before) {
    return run_facet(home.path(),
                     "--version > /dev/null; " + before + " " + quoted(FACET_PROGRAM) +
                         " generate --json -n 4 -p 'a b' -m " +
                         quoted((home.path() / "m.gguf").string()));
  };
  struct Processor {
    const char* name;
    const char* path;  ///< What it should take.
  };
  for (const Processor& old : {Processor{"Nehalem", "portable"}, Processor{"Haswell", "avx2"}}) {
    INFO(old.name);
    const Finished there = run(qemu + " -cpu " + old.name);
    INFO(there.err);
    REQUIRE(there.exit_code == 0);
    const Finished here = run("FACET_CPU=" + std::string(old.path));
    if (here.exit_code == 5) continue;  // This processor is older still.
    CHECK(there.json().at("ids") == here.json().at("ids"));
  }
}
