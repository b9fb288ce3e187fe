# tpcheck_embed(target name dir): turns every file below dir into a constant of the target, in one generated C
# file with the table that src/probe/bpf/embedded.h declares.
function(tpcheck_embed target name dir)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE ${dir} ${dir}/*)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${name}.c)
  set(depends)
  foreach(file IN LISTS files)
    list(APPEND depends ${dir}/${file})
  endforeach()
  string(REPLACE ";" "|" joined "${files}")
  add_custom_command(OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DOUT=${out} -DDIR=${dir} "-DFILES=${joined}"
            -P ${CMAKE_CURRENT_SOURCE_DIR}/cmake/embed_files.cmake
    DEPENDS ${depends} ${CMAKE_CURRENT_SOURCE_DIR}/cmake/embed_files.cmake VERBATIM)
  target_sources(${target} PRIVATE ${out})
endfunction()
