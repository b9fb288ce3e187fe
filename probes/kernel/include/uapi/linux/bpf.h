/* libbcc replaces this file with its own bpf.h. */
#include <linux/types.h>
