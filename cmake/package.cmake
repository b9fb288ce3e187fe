# The Debian package: 'cmake --build build --target package', on the release that it is for, since dpkg-shlibdeps finds its
# dependencies there. tools/package.sh builds it in clean chroots and tries it.
set(TPCHECK_MAINTAINER "The tpcheck developers <maintainers@tpcheck.invalid>" CACHE STRING "Maintainer of the package")
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "${TPCHECK_MAINTAINER}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "check of the USDT tracepoints of a Bitcoin Core binary")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "tpcheck checks that the tracepoints of a bitcoind still do what Bitcoin
Core documents. It starts the bitcoind on regtest, makes it do things, reads
the tracepoints with BPF, and compares every argument of every event with
what the node itself reports.

Two of its commands read binaries without running them, of any common
architecture and without privileges: one compares the tracepoints of a file
with what its release documents, the other reports what changed between two
files.")
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_CURRENT_SOURCE_DIR}/cmake/debian/postrm)
set(CPACK_DEBIAN_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS jq)

# Packages of one version for two releases differ in their revision, and that of the newer release sorts later.
cmake_host_system_information(RESULT distribution QUERY DISTRIB_INFO)
if(distribution_ID STREQUAL debian)
  set(CPACK_DEBIAN_PACKAGE_RELEASE "1~deb${distribution_VERSION_ID}")
else()
  set(CPACK_DEBIAN_PACKAGE_RELEASE "1~${distribution_ID}${distribution_VERSION_ID}")
endif()

# For dpkg-shlibdeps, too: see package_files.cmake.
if(CMAKE_CROSSCOMPILING AND CMAKE_SYSTEM_PROCESSOR STREQUAL aarch64)
  set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE arm64)
endif()

# Where Debian differs from 'cmake --install', and what the package depends on and recommends.
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_SOURCE_DIR}/cmake/package_files.cmake)
include(CPack)
