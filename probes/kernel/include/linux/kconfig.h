/* Stands in for a kernel's headers, of which the probes need next to nothing. libbcc insists on a kernel
 * tree; these few files, given as one, are what its own headers and ours include. So tpcheck runs without
 * the headers of the running kernel, and no change in a kernel's headers can break its probes. */
#define CONFIG_BPF_SYSCALL 1
