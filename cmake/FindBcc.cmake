# Finds bcc; target Bcc::Bcc.
find_path(Bcc_INCLUDE_DIR bcc/BPF.h)
find_library(Bcc_LIBRARY bcc)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Bcc REQUIRED_VARS Bcc_LIBRARY Bcc_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "install the development package (Debian, Ubuntu: apt-get install libbpfcc-dev)")
if(Bcc_FOUND AND NOT TARGET Bcc::Bcc)
  add_library(Bcc::Bcc UNKNOWN IMPORTED)
  set_target_properties(Bcc::Bcc PROPERTIES IMPORTED_LOCATION ${Bcc_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${Bcc_INCLUDE_DIR})
endif()
