# Toolchain file for aarch64: cmake --toolchain cmake/aarch64-linux-gnu.cmake [-DCMAKE_SYSROOT=DIR]
#
# The compiler is that of Debian's package g++-aarch64-linux-gnu. tools/sysroot.sh makes the folder with the libraries;
# without one they are the :arm64 packages that are installed. With qemu-user-static, CTest runs the unit tests.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES CMAKE_SYSROOT)
if(CMAKE_SYSROOT)
  set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
  set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
  set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
  set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
  find_program(QEMU_USER NAMES qemu-aarch64 qemu-aarch64-static)
  if(QEMU_USER)
    set(CMAKE_CROSSCOMPILING_EMULATOR ${QEMU_USER} -L ${CMAKE_SYSROOT})
  endif()
endif()
