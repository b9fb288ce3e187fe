# tpcheck_add_tests([BITCOIND <path or target>] [PATTERN <pattern>...] [TIMEOUT <seconds>] [ARGS <argument>...]
#                   [LAUNCHER <command>...] [TPCHECK <path>] [LOCK <name>])
#
# Makes each scenario of tpcheck a test of CTest, "tpcheck.<scenario>", with the labels "tpcheck" and the scenario's
# context. A test that cannot run here (no privileges, no tracepoints) is skipped. The tests of one LOCK (default "tpcheck")
# run one after the other, and beside others.
#
#   BITCOIND  what is checked: a file, or an executable target; default: $BITCOIND or the one in PATH when tests run
#   PATTERN   only scenarios that match, as in 'tpcheck run PATTERN'
#   TIMEOUT   for one scenario, default 60; tpcheck ends before CTest would end it, and keeps what explains a timeout
#   ARGS      more arguments for 'tpcheck run', such as --require, --artifacts=DIR
#   LAUNCHER  what runs tpcheck, such as sudo -n
#   TPCHECK   the program; default: the one that find_package(tpcheck) found, else the one in PATH
#
# The scenarios are listed when CMake runs, and again when the program has changed.
function(tpcheck_add_tests)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "BITCOIND;TIMEOUT;TPCHECK;LOCK" "PATTERN;ARGS;LAUNCHER")
  if(DEFINED arg_UNPARSED_ARGUMENTS OR DEFINED arg_KEYWORDS_MISSING_VALUES)
    message(FATAL_ERROR "tpcheck_add_tests: unknown arguments, or arguments without a value: "
      "${arg_UNPARSED_ARGUMENTS} ${arg_KEYWORDS_MISSING_VALUES}")
  endif()
  if(NOT DEFINED arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  elseif(NOT arg_TIMEOUT MATCHES "^[1-9][0-9]*$")
    message(FATAL_ERROR "tpcheck_add_tests: TIMEOUT '${arg_TIMEOUT}' is not a whole number of seconds")
  endif()
  if(NOT DEFINED arg_LOCK)
    set(arg_LOCK tpcheck)
  endif()
  if(NOT DEFINED arg_TPCHECK)
    set(arg_TPCHECK "${TPCHECK_EXECUTABLE}")
  endif()
  if(NOT arg_TPCHECK)
    find_program(TPCHECK_EXECUTABLE tpcheck)
    set(arg_TPCHECK "${TPCHECK_EXECUTABLE}")
  endif()
  if(NOT arg_TPCHECK)
    message(FATAL_ERROR "tpcheck_add_tests: there is no tpcheck; install it, or name it with TPCHECK")
  endif()

  set(bitcoind)
  if(DEFINED arg_BITCOIND)
    if(TARGET "${arg_BITCOIND}")
      set(bitcoind "--bitcoind=$<TARGET_FILE:${arg_BITCOIND}>")
    else()
      get_filename_component(path "${arg_BITCOIND}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_BINARY_DIR}")
      set(bitcoind "--bitcoind=${path}")
    endif()
  endif()

  execute_process(COMMAND "${arg_TPCHECK}" run --list ${arg_PATTERN}
    OUTPUT_VARIABLE names ERROR_VARIABLE error RESULT_VARIABLE code)
  if(NOT code STREQUAL 0)
    message(FATAL_ERROR "tpcheck_add_tests: '${arg_TPCHECK}' failed to list its scenarios: ${code}\n${error}")
  endif()
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${arg_TPCHECK}")
  math(EXPR limit "${arg_TIMEOUT} + 60")
  string(REGEX MATCHALL "[^\n]+" names "${names}")
  foreach(name IN LISTS names)
    string(REGEX REPLACE "\\..*" "" context "${name}")
    add_test(NAME "tpcheck.${name}"
      COMMAND ${arg_LAUNCHER} "${arg_TPCHECK}" run ${bitcoind} "--timeout=${arg_TIMEOUT}" ${arg_ARGS} "${name}")
    set_tests_properties("tpcheck.${name}" PROPERTIES SKIP_RETURN_CODE 77 RESOURCE_LOCK "${arg_LOCK}"
      TIMEOUT ${limit} LABELS "tpcheck;${context}")
  endforeach()
endfunction()
