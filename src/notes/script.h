/* Finds the program that a script starts, for the message that a script cannot be used. */
#ifndef TPCHECK_NOTES_SCRIPT_H
#define TPCHECK_NOTES_SCRIPT_H

#include <stddef.h>

enum { SCRIPT_PROGRAM_BYTES = 512 };

/* Text to continue "the program that it runs": ": /usr/bin/bitcoind" if the script names a bitcoind by an absolute path
 * that exists, else " (its line: exec ...)" with the last line that starts one, else "". Reads a bounded part. */
void script_find_program(int fd, char *text, size_t text_sz);

#endif
