/* Over OpenSSL's libcrypto.  An algorithm that it lacks shows at digest_new():
 * afterwards nothing can fail but files. */
#include "digest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

enum { FILE_CHUNK = 128 * 1024, BUSY_CHUNKS = 64 };

struct digest {
    EVP_MD_CTX *context;
};

struct digest *digest_new(void)
{
    struct digest *digest = malloc(sizeof *digest);

    if (!digest)
        return NULL;
    digest->context = EVP_MD_CTX_new();
    if (digest->context &&
        EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL))
        return digest;
    digest_free(digest);
    return NULL;
}

void digest_free(struct digest *digest)
{
    if (digest)
        EVP_MD_CTX_free(digest->context);
    free(digest);
}

void digest_restart(struct digest *digest)
{
    /* Without a type it keeps the one that it has, and cannot fail. */
    EVP_DigestInit_ex(digest->context, NULL, NULL);
}

void digest_add(struct digest *digest, const void *bytes, size_t n)
{
    EVP_DigestUpdate(digest->context, bytes, n);
}

static ssize_t read_chunk(int fd, char *buf, off_t offset, off_t left)
{
    ssize_t n;

    do
        n = pread(fd, buf, left < FILE_CHUNK ? (size_t)left : FILE_CHUNK,
                  offset);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n == 0 ? -EIO : n;
}

int digest_add_file(struct digest *digest, int fd, off_t offset, off_t n,
                    int (*busy)(void *arg), void *arg)
{
    char *buf = malloc(FILE_CHUNK);
    off_t end = offset + n;
    unsigned chunks = 0;
    ssize_t rc = buf ? 0 : -ENOMEM;

    while (rc >= 0 && offset < end) {
        rc = read_chunk(fd, buf, offset, end - offset);
        if (rc > 0) {
            digest_add(digest, buf, (size_t)rc);
            offset += rc;
        }
        if (rc > 0 && busy && ++chunks % BUSY_CHUNKS == 0)
            rc = busy(arg);
    }
    free(buf);
    return rc < 0 ? (int)rc : 0;
}

void digest_end(struct digest *digest, unsigned char out[PROTOCOL_DIGEST])
{
    EVP_DigestFinal_ex(digest->context, out, NULL);
}

int digest_equal(const unsigned char *a, const unsigned char *b)
{
    return CRYPTO_memcmp(a, b, PROTOCOL_DIGEST) == 0;
}

int digest_proof(unsigned char out[PROTOCOL_DIGEST], const char *token,
                 const char *nonce, const char *user)
{
    char text[PROTOCOL_LINE];
    int n = snprintf(text, sizeof text, "sockserver-file %d %s %s",
                     PROTOCOL_VERSION, nonce, user);

    if (n < 0 || (size_t)n >= sizeof text)
        return -1;
    return HMAC(EVP_sha256(), token, (int)strlen(token),
                (const unsigned char *)text, (size_t)n, out, NULL)
               ? 0
               : -1;
}

int digest_random(unsigned char *out, size_t n)
{
    return RAND_bytes(out, (int)n) == 1 ? 0 : -1;
}
