# Turns text files into one C++ file, so that the program needs none of them at run time: a function
# for each, named after the file (look.css: look_css). Run as:
# cmake -DOUTPUT=texts.cpp -DFILES="look.css;look_page.js" -DNAMESPACE=limulus::report -P embed_texts.cmake
set(functions "")
foreach(path IN LISTS FILES)
  get_filename_component(file ${path} NAME)
  string(REPLACE "." "_" name ${file})
  file(READ ${path} text)
  string(APPEND functions "const char* ${name}() {\n  return R\"text(${text})text\";\n}\n\n")
endforeach()
file(WRITE ${OUTPUT} "// Made by embed_texts.cmake.
namespace ${NAMESPACE} {

${functions}}  // namespace ${NAMESPACE}
")
