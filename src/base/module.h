/* Parts of the program that are loaded only where they are used, because they need large or rare libraries. */
#ifndef TPCHECK_BASE_MODULE_H
#define TPCHECK_BASE_MODULE_H

#include <stddef.h>

/* The path of a module: beside this program, and absolute, so that nothing that a user sets leads elsewhere. Returns 0, or
 * a negative errno value with its text in path, which should have room for a path. */
int module_find(const char *name, char *path, size_t path_sz);

#endif
