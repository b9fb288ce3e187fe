# Finds libcap-ng; target CapNg::CapNg.
find_path(CapNg_INCLUDE_DIR cap-ng.h)
find_library(CapNg_LIBRARY cap-ng)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CapNg REQUIRED_VARS CapNg_LIBRARY CapNg_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "install the development package (Debian, Ubuntu: apt-get install libcap-ng-dev)")
if(CapNg_FOUND AND NOT TARGET CapNg::CapNg)
  add_library(CapNg::CapNg UNKNOWN IMPORTED)
  set_target_properties(CapNg::CapNg PROPERTIES IMPORTED_LOCATION ${CapNg_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${CapNg_INCLUDE_DIR})
endif()
