# Run by CPack before it packs the files: moves them to where Debian has them, compresses them as its policy requires, and
# writes changelog and copyright in its formats.
set(share ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/usr/share)
set(doc ${share}/doc/tpcheck)
set(version ${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})

file(RENAME ${doc}/CHANGELOG.md ${doc}/changelog)
file(READ ${doc}/LICENSE license)
file(REMOVE ${doc}/LICENSE)
string(REGEX MATCH "Copyright [^\n]*" holders "${license}")
string(REPLACE "Copyright (c)" "Copyright:" holders "${holders}")
string(REGEX REPLACE "^.*Copyright [^\n]*\n+" "" terms "${license}")
string(STRIP "${terms}" terms)
string(REGEX REPLACE "\n\n" "\n.\n" terms "${terms}")
string(REGEX REPLACE "\n" "\n " terms "${terms}")
file(WRITE ${doc}/copyright "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: tpcheck

Files: *
${holders}
License: Expat

License: Expat
 ${terms}
")
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC) # SOURCE_DATE_EPOCH, if it is set
file(WRITE ${doc}/changelog.Debian "tpcheck (${version}) unstable; urgency=medium

  * See changelog.gz for the changes.

 -- ${CPACK_PACKAGE_CONTACT}  ${date}
")
file(GLOB compressed ${doc}/changelog* ${share}/man/*/*)
file(CHMOD ${doc}/copyright ${doc}/changelog.Debian PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
execute_process(COMMAND gzip -9n ${compressed} COMMAND_ERROR_IS_FATAL ANY)

# Where Debian's zsh looks.
file(RENAME ${share}/zsh/site-functions ${share}/zsh/vendor-completions)

# Of a cross build dpkg-shlibdeps finds the libraries and their packages by this.
if(CPACK_DEBIAN_PACKAGE_ARCHITECTURE)
  set(ENV{DEB_HOST_ARCH} ${CPACK_DEBIAN_PACKAGE_ARCHITECTURE})
endif()

# The libraries of the programs are required. Those of the module with libbcc are only recommended: without them, probes are
# observed by ptrace.
set(root ${CPACK_TEMPORARY_INSTALL_DIRECTORY})
file(GLOB_RECURSE module RELATIVE ${root} ${root}/usr/tpcheck-bcc.so)
file(GLOB_RECURSE programs RELATIVE ${root} ${root}/usr/tpcheck-full ${root}/usr/tpcheck-*.so)
list(REMOVE_ITEM programs ${module})
list(APPEND programs usr/bin/tpcheck)
file(MAKE_DIRECTORY ${root}/../shlibdeps/debian)
file(WRITE ${root}/../shlibdeps/debian/control "Source: tpcheck\n\nPackage: tpcheck\nArchitecture: any\n")

function(find_dependencies out)
  list(TRANSFORM ARGN PREPEND ${root}/)
  execute_process(COMMAND dpkg-shlibdeps -O --ignore-missing-info ${ARGN} WORKING_DIRECTORY ${root}/../shlibdeps
    OUTPUT_VARIABLE text ERROR_QUIET COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX REPLACE "^shlibs:Depends=" "" text "${text}")
  string(STRIP "${text}" text)
  set(${out} "${text}" PARENT_SCOPE)
endfunction()

find_dependencies(CPACK_DEBIAN_PACKAGE_DEPENDS ${programs})
find_dependencies(recommended ${module})
string(REPLACE ", " ";" recommended "${recommended}")
string(REPLACE ", " ";" required "${CPACK_DEBIAN_PACKAGE_DEPENDS}")
list(TRANSFORM required REPLACE " .*" "")
foreach(package IN LISTS recommended)
  string(REGEX REPLACE " .*" "" name "${package}")
  list(FIND required "${name}" at)
  if(at EQUAL -1)
    list(APPEND CPACK_DEBIAN_PACKAGE_RECOMMENDS "${package}")
  endif()
endforeach()
list(JOIN CPACK_DEBIAN_PACKAGE_RECOMMENDS ", " CPACK_DEBIAN_PACKAGE_RECOMMENDS)
