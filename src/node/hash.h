/* The hashes that identify transactions and blocks; out is in wire order. */
#ifndef TPCHECK_NODE_HASH_H
#define TPCHECK_NODE_HASH_H

#include <stddef.h>
#include <stdint.h>

void hash_sha256(const void *data, size_t len, uint8_t out[32]);
void hash_sha256d(const void *data, size_t len, uint8_t out[32]); /* SHA-256 of the SHA-256 */

#endif
