function(tpcheck_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wpointer-arith -Wvla
    -Wwrite-strings -Wformat=2 -Wundef
    $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wconversion
      -Wno-sign-conversion -Werror=implicit-function-declaration>)
  if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
    target_compile_options(${target} PRIVATE -Wno-unknown-warning-option -Wno-gnu)
  endif()
  if(WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()
