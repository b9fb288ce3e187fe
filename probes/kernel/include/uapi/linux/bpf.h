/* libbcc brings its own bpf.h and puts it in this file's place. */
#include <linux/types.h>
