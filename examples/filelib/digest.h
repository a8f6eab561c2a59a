/* SHA-256 of bytes and of files, and proofs of knowing a token. */
#ifndef FILELIB_DIGEST_H
#define FILELIB_DIGEST_H

#include "protocol.h"

#include <sys/types.h>

struct digest; /**< of what was added so far */

/** @return a digest of nothing to digest_free(); NULL when out of memory */
struct digest *digest_new(void);

/** Accepts NULL. */
void digest_free(struct digest *digest);

/** Begins anew. */
void digest_restart(struct digest *digest);

void digest_add(struct digest *digest, const void *bytes, size_t n);

/** Adds n bytes of the file fd from offset on, calling busy, unless it is
 * NULL, after each few megabytes; busy ends it with a result below 0.
 * @return 0, an errno negated, -EIO if the file ends early, or busy's result */
int digest_add_file(struct digest *digest, int fd, off_t offset, off_t n,
                    int (*busy)(void *arg), void *arg);

/** Ends the digest, until digest_restart(). */
void digest_end(struct digest *digest, unsigned char out[PROTOCOL_DIGEST]);

/** Whether two digests are the same, in a time that does not tell where they
 * differ. */
int digest_equal(const unsigned char *a, const unsigned char *b);

/** The proof that AUTH carries.
 * @param nonce as it came in the greeting
 * @return 0, or -1 when out of memory */
int digest_proof(unsigned char out[PROTOCOL_DIGEST], const char *token,
                 const char *nonce, const char *user);

/** Fills n bytes with what nobody can guess.  @return 0, or -1 */
int digest_random(unsigned char *out, size_t n);

#endif
