/* libbcc insists on a kernel tree, of which the probes need next to nothing. These few files stand in for it: they
 * are what libbcc's headers and ours include. So tpcheck runs without the headers of the running kernel, and no
 * change in a kernel's headers can break its probes. */
#define CONFIG_BPF_SYSCALL 1
