/* Parts of the program that are loaded only where they are used, because they need large or rare libraries. */
#ifndef TPCHECK_BASE_MODULE_H
#define TPCHECK_BASE_MODULE_H

#include <stddef.h>

/* The path of a module: beside this program, and absolute, so that nothing that a user sets leads elsewhere. After an
 * error its text is in path. */
int module_find(const char *name, char *path, size_t path_sz);

#endif
