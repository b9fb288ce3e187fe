/* The files below probes/, as they were when tpcheck was built. */
#ifndef TPCHECK_PROBE_BPF_EMBEDDED_H
#define TPCHECK_PROBE_BPF_EMBEDDED_H

struct embedded_file {
	const char *path; /* relative to probes/ */
	const char *text; /* NUL-terminated */
};

/* Ends with an entry whose path is NULL. */
extern const struct embedded_file embedded_files[];

#endif
