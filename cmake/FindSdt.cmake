# Finds sys/sdt.h (headers only); target Sdt::Sdt.
find_path(Sdt_INCLUDE_DIR sys/sdt.h)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Sdt REQUIRED_VARS Sdt_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "install the development package (Debian, Ubuntu: apt-get install systemtap-sdt-dev)")
if(Sdt_FOUND AND NOT TARGET Sdt::Sdt)
  add_library(Sdt::Sdt INTERFACE IMPORTED)
  set_target_properties(Sdt::Sdt PROPERTIES INTERFACE_INCLUDE_DIRECTORIES ${Sdt_INCLUDE_DIR})
endif()
