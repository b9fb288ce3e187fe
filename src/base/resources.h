/* What of the machine's memory and CPUs is there for this process: less than the machine has if its control groups
 * limit it, as those of containers do. Version 2 of control groups and version 1. */
#ifndef TPCHECK_BASE_RESOURCES_H
#define TPCHECK_BASE_RESOURCES_H

/* Memory that can still be taken without swapping, in MB and at least 1; 0: it is not known. root is put before the
 * paths of /proc and /sys: "", except in tests. */
unsigned long resources_memory_mb(const char *root);
/* At least 1. */
unsigned resources_cpus(const char *root);

#endif
