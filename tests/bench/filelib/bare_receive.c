/* The least that a server of uploads with digests does: for each client it
 * receives, digests and writes, in one loop, then makes the file last. */
#include "bare.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUF = 256 * 1024 };

static void receive(int fd, int file, char *buf)
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    unsigned char out[EVP_MAX_MD_SIZE];
    ssize_t n;

    EVP_DigestInit_ex(digest, EVP_sha256(), NULL);
    while ((n = recv(fd, buf, BUF, 0)) > 0) {
        EVP_DigestUpdate(digest, buf, (size_t)n);
        if (write(file, buf, (size_t)n) != n)
            bare_fail("write");
    }
    EVP_DigestFinal_ex(digest, out, NULL);
    EVP_MD_CTX_free(digest);
    if (fsync(file) < 0)
        bare_fail("fsync");
}

int main(int argc, char **argv)
{
    int listener = bare_listen();
    char *buf = malloc(BUF);

    for (;;) {
        int fd = accept(listener, NULL, NULL);
        int file = open(argv[argc - 1], O_WRONLY | O_CREAT | O_TRUNC, 0644);

        if (fd < 0 || file < 0 || !buf)
            bare_fail("client");
        receive(fd, file, buf);
        if (write(fd, "done\n", 5) != 5)
            bare_fail("reply");
        close(file);
        close(fd);
    }
}
