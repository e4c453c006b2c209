// The one place that names the test framework: Catch2 v2 (Debian 12). Moving to v3 changes this
// file only.
#pragma once

#include <catch2/catch.hpp>
