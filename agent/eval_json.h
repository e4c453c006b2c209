// Reading the files of `facet eval`: every field is checked, and an error names its place.
#pragma once

#include "base/result.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace facet::agent {

/// The field `key` of `object`, an array, an object or a text; invalid_argument that names `where`
/// when it is missing or of another type.
Result<const nlohmann::ordered_json*> json_array(const nlohmann::ordered_json& object,
                                                 const char* key,
                                                 const std::string& where);
Result<const nlohmann::ordered_json*> json_object(const nlohmann::ordered_json& object,
                                                  const char* key,
                                                  const std::string& where);
Result<std::string> json_text(const nlohmann::ordered_json& object,
                              const char* key,
                              const std::string& where);

/// invalid_argument for a value that is no object or has a field that is not in `known`.
Status json_only_fields(const nlohmann::ordered_json& object,
                        std::initializer_list<std::string_view> known,
                        const std::string& where);

/// 100 * `part` / `of`, null where there is nothing to divide by.
nlohmann::ordered_json json_percent(double part, double of);

/// `doing` (open, read) with a file has just failed: "cannot open 'F': " and why, from errno.
Error file_error(Code code, std::string_view doing, const std::filesystem::path& path);

/// Calls `read` with each line that is not empty and its place ("file:7") until it returns false.
/// not_found for a file that cannot be opened, limit_exceeded for a line of more than 1 MiB, and
/// the errors of `read`.
Status for_each_line(const std::filesystem::path& path,
                     const std::function<Result<bool>(std::string_view, const std::string&)>& read);

/// What `read_case` makes of each line, `cases_max` of them at most, 0: all. The errors of
/// for_each_line and of `read_case`; invalid_data for a file without one.
template <typename Case>
Result<std::vector<Case>> read_eval_cases(const std::filesystem::path& path,
                                          std::int64_t cases_max,
                                          Result<Case> (*read_case)(std::string_view line,
                                                                    std::string_view where)) {
  std::vector<Case> cases;
  FACET_TRY_STATUS(
      for_each_line(path, [&](std::string_view line, const std::string& where) -> Result<bool> {
        FACET_TRY(cases.emplace_back(), read_case(line, where));
        return cases_max == 0 || std::ssize(cases) < cases_max;
      }));
  if (cases.empty()) return Error{Code::invalid_data, "'" + path.string() + "' holds no case"};
  return cases;
}

}  // namespace facet::agent
