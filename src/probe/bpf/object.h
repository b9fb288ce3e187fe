/* Compiled programs and the maps they use, as plain data: what libbcc made of a text, without libbcc. */
#ifndef TPCHECK_PROBE_BPF_OBJECT_H
#define TPCHECK_PROBE_BPF_OBJECT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OBJECT_MAPS_MAX = 8 };

struct bpf_object;

/* As for BPF_MAP_CREATE; sizes in bytes. */
struct bpf_object_map {
	uint32_t type, key_bytes, value_bytes, entries, flags;
};

struct bpf_object *bpf_object_new(void);
/* NULL is fine. */
void bpf_object_free(struct bpf_object *object);

/* fd is what stands for the map in the instructions that are added later. */
void bpf_object_add_map(struct bpf_object *object, const char *name, const struct bpf_object_map *map,
			int fd);
/* Instructions as the kernel takes them. BPF_RING_NUMBER stands for the ring; see bpf.h. */
void bpf_object_add_function(struct bpf_object *object, const char *name, const void *insns, size_t bytes);
/* Whether it has functions, and these use no map that was not added. */
bool bpf_object_is_complete(const struct bpf_object *object);

/* For a file of this machine: byte order and layout are the machine's. */
void bpf_object_write(const struct bpf_object *object, struct buf *out);
/* NULL: that is no such text. */
struct bpf_object *bpf_object_read(const void *data, size_t len);

/* Maps of its own for one set of programs. Descriptors belong to the caller; -1 is none. */
struct bpf_object_maps {
	int fds[OBJECT_MAPS_MAX];
	int ring_fd;
};
#define BPF_OBJECT_NO_MAPS ((struct bpf_object_maps){{-1, -1, -1, -1, -1, -1, -1, -1}, -1})
_Static_assert(OBJECT_MAPS_MAX == 8, "one number for each in BPF_OBJECT_NO_MAPS");

/* Makes empty maps; all or none. Errors of BPF_MAP_CREATE. */
int bpf_object_make_maps(const struct bpf_object *object, struct bpf_object_maps *maps);
void bpf_object_close_maps(struct bpf_object_maps *maps);
/* -ENOENT: the object has no such map. */
int bpf_object_map_fd(const struct bpf_object *object, const struct bpf_object_maps *maps, const char *name);

/* Loads a function as a uprobe program with these maps; attach_type 0, or the kernel's number of an expected attach
 * type. Returns a descriptor, the caller's, or a negative errno value: -EINVAL if the verifier refuses it; error says
 * why. */
int bpf_object_load(const struct bpf_object *object, const struct bpf_object_maps *maps, const char *function,
		    int attach_type, char *error, size_t error_sz);

#endif
