/* Socket addresses and their text. */
#ifndef SKS__ADDRESS_H
#define SKS__ADDRESS_H

#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Room for the text of any address, with its NUL. */
enum { SKS__ADDRESS_TEXT = 128 };

struct sks__address {
    socklen_t len;
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } of;
};

/* Takes over a length as the system tells it: of a Unix address whose path
 * fills all the room, Linux counts a NUL that is not there. */
void sks__address_set_len(struct sks__address *a, socklen_t len);

/* Most addresses are far shorter than the longest, and to may have room for no
 * more than an IPv6 one if this is none of Unix. */
static inline void sks__address_copy(struct sks__address *to,
                                     const struct sks__address *from)
{
    to->len = from->len;
    if (from->len <= sizeof to->of.in6)
        to->of.in6 = from->of.in6;
    else
        to->of = from->of;
}

/* "127.0.0.1:80", "[::1]:80", "unix:/path", "unix:@abstract", "unix:".  An
 * IPv4 address inside IPv6 is told as IPv4.  Control bytes become '?', so that
 * no peer can forge a line of a log.  Any signal handler. */
void sks__address_text(const struct sks__address *a,
                       char text[SKS__ADDRESS_TEXT]);

/* The port, or 0 if there is none. */
int sks__address_port(const struct sks__address *a);

/* 0; -ENAMETOOLONG or -EINVAL if no Unix socket can have that path. */
int sks__address_set_path(struct sks__address *a, const char *path);

/* getsockname(2). */
int sks__address_of_socket(struct sks__address *a, int fd);

#endif /* SKS__ADDRESS_H */
