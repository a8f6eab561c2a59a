/* Where the bytes of a transfer pass through on their way to a digest.  Of a
 * large one the digest is made by a thread of its own, while those who brought
 * the bytes write them and receive the next: that pays where a processor has
 * nothing else to do. */
#ifndef FILELIB_DIGEST_RING_H
#define FILELIB_DIGEST_RING_H

#include "digest.h"

#include <stdint.h>

struct digest_ring;

/** Makes a ring for so many bytes in all.
 * @param digest the ring's until digest_ring_free()
 * @return NULL when out of memory */
struct digest_ring *digest_ring_new(struct digest *digest, int64_t bytes);

/** Where the next bytes are to be put.  Waits for room.
 * @param n receives how many fit, at least 1 */
char *digest_ring_room(struct digest_ring *ring, size_t *n);

/** Adds n bytes that were put there.  They stay as they are until the next
 * digest_ring_room(). */
void digest_ring_add(struct digest_ring *ring, size_t n);

/** Waits until all are digested, and frees the ring.  Accepts NULL. */
void digest_ring_free(struct digest_ring *ring);

#endif
