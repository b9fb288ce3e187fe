# Finds yajl; target Yajl::Yajl.
find_path(Yajl_INCLUDE_DIR yajl/yajl_tree.h)
find_library(Yajl_LIBRARY yajl)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Yajl REQUIRED_VARS Yajl_LIBRARY Yajl_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "install the development package (Debian, Ubuntu: apt-get install libyajl-dev)")
if(Yajl_FOUND AND NOT TARGET Yajl::Yajl)
  add_library(Yajl::Yajl UNKNOWN IMPORTED)
  set_target_properties(Yajl::Yajl PROPERTIES IMPORTED_LOCATION ${Yajl_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${Yajl_INCLUDE_DIR})
endif()
