# Run by embed.cmake at build time. Bytes are written as numbers: no escaping to get wrong, no length limit
# of string literals.
string(REPLACE "|" ";" FILES "${FILES}")
set(arrays "")
set(table "")
set(i 0)
foreach(file IN LISTS FILES)
  file(READ ${DIR}/${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" bytes "${bytes}")
  string(APPEND arrays "static const char file_${i}[] = {\n${bytes}0};\n")
  string(APPEND table "\t{\"${file}\", file_${i}},\n")
  math(EXPR i "${i} + 1")
endforeach()
file(WRITE ${OUT} "#include \"probe/bpf/embedded.h\"\n#include <stddef.h>\n${arrays}
const struct embedded_file embedded_files[] = {\n${table}\t{NULL, NULL},\n};\n")
