#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* --- text, by what signal handlers may call --- */

static char *put(char *out, const char *text)
{
    while (*text != '\0')
        *out++ = *text++;
    *out = '\0';
    return out;
}

static char *put_number(char *out, unsigned n, unsigned base)
{
    char digits[16], *first = digits + sizeof digits - 1;

    *first = '\0';
    do {
        *--first = "0123456789abcdef"[n % base];
        n /= base;
    } while (n > 0);
    return put(out, first);
}

static char *put_port(char *out, in_port_t port)
{
    return put_number(put(out, ":"), ntohs(port), 10);
}

static void text_in(const unsigned char host[4], in_port_t port, char *out)
{
    for (int i = 0; i < 4; i++)
        out = put_number(put(out, i > 0 ? "." : ""), host[i], 10);
    put_port(out, port);
}

/* The longest run of zeros among the groups, the first of several; of one
 * alone, none. */
static int longest_zeros(const unsigned groups[8], int *first)
{
    int longest = 1;

    *first = 8;
    for (int i = 0; i < 8; i++) {
        int n = 0;

        while (i + n < 8 && groups[i + n] == 0)
            n++;
        if (n > longest) {
            longest = n;
            *first = i;
        }
    }
    return longest;
}

/* As RFC 5952 has it: "fe80::1". */
static char *put_in6(char *out, const unsigned char host[16])
{
    unsigned groups[8];
    int zeros, first;

    for (int i = 0; i < 8; i++)
        groups[i] = (unsigned)host[i + i] << 8 | host[i + i + 1];
    zeros = longest_zeros(groups, &first);
    for (int i = 0; i < 8; i++) {
        if (i == first) {
            out = put(out, "::");
            i += zeros - 1;
            continue;
        }
        if (i > 0 && i != first + zeros)
            out = put(out, ":");
        out = put_number(out, groups[i], 16);
    }
    return out;
}

static void text_in6(const struct sockaddr_in6 *in6, char *out)
{
    const unsigned char *host = in6->sin6_addr.s6_addr;

    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
        text_in(host + 12, in6->sin6_port, out);
        return;
    }
    out = put_in6(put(out, "["), host);
    if (in6->sin6_scope_id != 0)
        out = put_number(put(out, "%"), in6->sin6_scope_id, 10);
    put_port(put(out, "]"), in6->sin6_port);
}

static void text_un(const struct sks__address *a, char *text)
{
    size_t start = offsetof(struct sockaddr_un, sun_path);
    size_t len = a->len > start ? a->len - start : 0;
    const char *path = a->of.un.sun_path;
    char *out = put(text, "unix:");

    for (size_t i = 0; i < len && (path[i] != '\0' || i == 0); i++) {
        unsigned char c = (unsigned char)path[i];

        if (c == '\0')
            *out++ = len > 1 ? '@' : '\0';
        else
            *out++ = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    *out = '\0';
}

void sks__address_set_len(struct sks__address *a, socklen_t len)
{
    a->len = len < sizeof a->of.un ? len : (socklen_t)sizeof a->of.un;
}

void sks__address_text(const struct sks__address *a,
                       char text[SKS__ADDRESS_TEXT])
{
    if (a->len < (socklen_t)sizeof(sa_family_t)) {
        put(text, "unix:"); /* what recvmsg(2) tells of an unnamed peer */
        return;
    }
    switch (a->of.any.sa_family) {
    case AF_INET:
        text_in((const unsigned char *)&a->of.in.sin_addr, a->of.in.sin_port,
                text);
        break;
    case AF_INET6:
        text_in6(&a->of.in6, text);
        break;
    default:
        text_un(a, text);
    }
}

int sks__address_port(const struct sks__address *a)
{
    switch (a->of.any.sa_family) {
    case AF_INET:
        return ntohs(a->of.in.sin_port);
    case AF_INET6:
        return ntohs(a->of.in6.sin6_port);
    default:
        return 0;
    }
}

int sks__address_set_path(struct sks__address *a, const char *path)
{
    size_t n = strlen(path);

    if (n == 0)
        return -EINVAL;
    if (n >= sizeof a->of.un.sun_path)
        return -ENAMETOOLONG;
    memset(a, 0, sizeof *a);
    a->of.un.sun_family = AF_UNIX;
    memcpy(a->of.un.sun_path, path, n + 1);
    a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
    return 0;
}

int sks__address_of_socket(struct sks__address *a, int fd)
{
    socklen_t len = sizeof a->of;

    memset(a, 0, sizeof *a);
    if (getsockname(fd, &a->of.any, &len) < 0)
        return -errno;
    sks__address_set_len(a, len);
    return 0;
}
