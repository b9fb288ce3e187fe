# Finds curl; target Curl::Curl.
find_path(Curl_INCLUDE_DIR curl/curl.h)
find_library(Curl_LIBRARY curl)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Curl REQUIRED_VARS Curl_LIBRARY Curl_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "install the development package (Debian, Ubuntu: apt-get install libcurl4-openssl-dev)")
if(Curl_FOUND AND NOT TARGET Curl::Curl)
  add_library(Curl::Curl UNKNOWN IMPORTED)
  set_target_properties(Curl::Curl PROPERTIES IMPORTED_LOCATION ${Curl_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${Curl_INCLUDE_DIR})
endif()
