# Finds elf; target Elf::Elf.
find_path(Elf_INCLUDE_DIR libelf.h)
find_library(Elf_LIBRARY elf)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Elf REQUIRED_VARS Elf_LIBRARY Elf_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "install the development package (Debian, Ubuntu: apt-get install libelf-dev)")
if(Elf_FOUND AND NOT TARGET Elf::Elf)
  add_library(Elf::Elf UNKNOWN IMPORTED)
  set_target_properties(Elf::Elf PROPERTIES IMPORTED_LOCATION ${Elf_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${Elf_INCLUDE_DIR})
endif()
