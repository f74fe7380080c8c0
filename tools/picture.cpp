#include "tools/picture.h"

#include <fmt/format.h>

#include <new>

#include "core/error.h"
#include "tools/commands.h"
#include "tools/terminal.h"

namespace limulus::tools {

std::string try_picture(const std::string& path, const std::function<void()>& use) {
  std::string what;
  try {
    use();
    return "";
  } catch (const std::bad_alloc&) {
    what = "there is not enough memory for this picture";
  } catch (const FileError& error) {
    what = error.what();
  } catch (const ShapeError& error) {
    what = error.what();
  }
  if (!what.starts_with(path)) what = fmt::format("{}: {}", path, what);
  say_error(what);
  set_exit_status(1);
  return what;
}

}  // namespace limulus::tools
