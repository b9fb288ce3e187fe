# What 'cmake --install' puts where. tpcheck finds tpcheck-full by a path relative to its own folder, so that everything can
# be moved to another prefix; it looks for nothing else at run time.
install(TARGETS tpcheck RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS tpcheck-full RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/tpcheck)
install(TARGETS tpcheck-bcc LIBRARY DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/tpcheck)
if(TARGET tpcheck-http)
  install(TARGETS tpcheck-http LIBRARY DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/tpcheck)
endif()
install(FILES doc/tpcheck.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES completions/tpcheck.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME tpcheck)
install(FILES completions/_tpcheck DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
# What runs in the kernel, to be read; the program contains a copy.
install(DIRECTORY probes DESTINATION ${CMAKE_INSTALL_DATADIR}/tpcheck)
install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY doc DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN *.md)
