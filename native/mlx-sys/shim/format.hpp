// mlx-c uses `std::format` and leaves <format> to others. For compilers that lack it (gcc 12): plain `{}`, all that is used.
#pragma once
#if __has_include(<format>)
#include <format>
#else
#include <sstream>
#include <string>
#include <string_view>
namespace std {
template <class... Args>
string format(string_view pattern, const Args&... args) {
  ostringstream out;
  [[maybe_unused]] auto up_to_next = [&](const auto& value) {
    size_t hole = pattern.find("{}");
    out << pattern.substr(0, hole) << value;
    pattern.remove_prefix(hole + 2);
  };
  (up_to_next(args), ...);
  out << pattern;
  return out.str();
}
} // namespace std
#endif
