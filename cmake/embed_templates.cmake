# Turns the templates of `limulus new` into one C++ file that holds their texts (tools/new.h).
#   cmake -DOUTPUT=templates.cpp -DFOLDER=tools/templates "-DFILES=kernel/name.h.in;..." -P embed_templates.cmake
set(table "")
foreach(path IN LISTS FILES)
  get_filename_component(kind ${path} DIRECTORY)
  get_filename_component(name ${path} NAME)
  string(REGEX REPLACE "\\.in$" "" name ${name})
  file(READ ${FOLDER}/${path} text)
  string(APPEND table "    {\"${kind}\", \"${name}\", R\"template(${text})template\"},\n")
endforeach()
file(WRITE ${OUTPUT} "// Made by cmake/embed_templates.cmake from tools/templates.
#include \"tools/new.h\"

namespace limulus::tools {

const std::vector<TemplateFile>& template_files() {
  static const std::vector<TemplateFile> all = {
${table}  };
  return all;
}

}  // namespace limulus::tools
")
