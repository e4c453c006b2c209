# The two functions that every room's CMakeLists.txt uses, and the flags they share.

add_library(facet_flags INTERFACE)
target_include_directories(facet_flags INTERFACE ${CMAKE_SOURCE_DIR})
# missing-field-initializers is off: GCC 12 reports it for designated initialisers of members that
# have defaults, which is exactly how options structs are meant to be written here.
target_compile_options(facet_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
  -Woverloaded-virtual -Wold-style-cast -Wcast-qual -Wundef -Wformat=2 -Wsuggest-override -Wno-missing-field-initializers
  $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond -Wlogical-op>
  # GCC 12 sees overlaps in "literal" + std::string that are not there (GCC bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  $<$<BOOL:${FACET_WERROR}>:-Werror>)
if(FACET_SANITIZE)
  target_compile_options(facet_flags INTERFACE -fsanitize=${FACET_SANITIZE} -fno-omit-frame-pointer -O1)
  target_link_options(facet_flags INTERFACE -fsanitize=${FACET_SANITIZE})
endif()
if(FACET_FUZZ)
  # Coverage for the fuzzer in every object, and no undefined behaviour that is only reported.
  target_compile_options(facet_flags INTERFACE -fsanitize=fuzzer-no-link -fno-sanitize-recover=all)
endif()
target_link_libraries(facet_flags INTERFACE Threads::Threads)

# facet_library(NAME SOURCES a.cc b.cc [PUBLIC facet::base ...] [PRIVATE lib ...])
# makes the static library facet_NAME with the alias facet::NAME.
function(facet_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(facet_${name} STATIC ${ARG_SOURCES})
  add_library(facet::${name} ALIAS facet_${name})
  target_link_libraries(facet_${name} PUBLIC ${ARG_PUBLIC} PRIVATE facet_flags ${ARG_PRIVATE})
  target_include_directories(facet_${name} PUBLIC ${CMAKE_SOURCE_DIR})
endfunction()

# facet_tests(NAME SOURCES a_test.cc ... [LINK facet::engine ...] [TIMEOUT seconds])
# makes the executable NAME_tests. Cases tagged [gpu] and hidden ones ([.]: long measurements
# to be run by hand) are not registered.
function(facet_tests name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LINK" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_executable(${name}_tests ${ARG_SOURCES})
  target_link_libraries(${name}_tests PRIVATE facet_flags Catch2::Catch2WithMain ${ARG_LINK})
  target_compile_definitions(${name}_tests PRIVATE FACET_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  catch_discover_tests(${name}_tests TEST_SPEC "~[gpu]~[.]" TEST_PREFIX "${name}: "
    PROPERTIES LABELS ${name} TIMEOUT ${ARG_TIMEOUT})
endfunction()
