# What 'cmake --install' puts where. The front finds tpcheck-full by a path from its own folder, so that the whole may be
# moved to another prefix; nothing else is looked for at run time.
install(TARGETS tpcheck RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS tpcheck-full RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/tpcheck)
install(FILES doc/tpcheck.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES completions/tpcheck.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME tpcheck)
install(FILES completions/_tpcheck DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
# To be read: what runs in the kernel. The program has its own copy inside.
install(DIRECTORY probes DESTINATION ${CMAKE_INSTALL_DATADIR}/tpcheck)
install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY doc DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN *.md)
