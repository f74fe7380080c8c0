#pragma once
// The templates of `limulus new`, which are files in tools/templates and become part of the program
// (cmake/embed_templates.cmake).
#include <string>
#include <vector>

namespace limulus::tools {

struct TemplateFile {
  std::string kind;  // "layer", or "common": in every project
  std::string name;  // "name_test.cpp": "name" stands for the project's
  std::string text;  // @name@, @Name@, @prefix@ and @version@ are replaced
};
const std::vector<TemplateFile>& template_files();

}  // namespace limulus::tools
