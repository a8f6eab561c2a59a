#include "stamp.h"

#include <stdio.h>
#include <string.h>

#ifdef __linux__
#include <sys/xattr.h>

static const char attribute[] = "user.sockserver.sha256";

enum { STAMP = 192 };

/* The change time is no part of it: storing the attribute moves that.  The
 * inode is: a copy that brought its attributes along may be any copy. */
static int print_state(char *text, const struct stat *status)
{
    return snprintf(text, STAMP, " %jd %jd.%09ld %ju",
                    (intmax_t)status->st_size, (intmax_t)status->st_mtim.tv_sec,
                    status->st_mtim.tv_nsec, (uintmax_t)status->st_ino);
}

int stamp_read(int fd, const struct stat *status,
               unsigned char digest[PROTOCOL_DIGEST])
{
    char text[PROTOCOL_HEX + STAMP], state[STAMP];
    ssize_t n = fgetxattr(fd, attribute, text, sizeof text);
    int len = print_state(state, status);

    return n == PROTOCOL_HEX + len &&
           memcmp(text + PROTOCOL_HEX, state, (size_t)len) == 0 &&
           hex_decode(digest, text, PROTOCOL_DIGEST) == 0;
}

void stamp_write(int fd, const struct stat *status,
                 const unsigned char digest[PROTOCOL_DIGEST])
{
    char text[PROTOCOL_HEX + STAMP];
    int len;

    hex_encode(text, digest, PROTOCOL_DIGEST);
    len = print_state(text + PROTOCOL_HEX, status);
    (void)!fsetxattr(fd, attribute, text, PROTOCOL_HEX + (size_t)len, 0);
}
#else
int stamp_read(int fd, const struct stat *status,
               unsigned char digest[PROTOCOL_DIGEST])
{
    (void)fd;
    (void)status;
    (void)digest;
    return 0;
}

void stamp_write(int fd, const struct stat *status,
                 const unsigned char digest[PROTOCOL_DIGEST])
{
    (void)fd;
    (void)status;
    (void)digest;
}
#endif
