#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void text_in(const struct sockaddr_in *in, char *text)
{
    char host[INET_ADDRSTRLEN];

    inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
    snprintf(text, SKS__ADDRESS_TEXT, "%s:%u", host,
             (unsigned)ntohs(in->sin_port));
}

static void text_in6(const struct sockaddr_in6 *in6, char *text)
{
    char host[INET6_ADDRSTRLEN];

    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
        struct sockaddr_in in = {.sin_port = in6->sin6_port};

        memcpy(&in.sin_addr, &in6->sin6_addr.s6_addr[12], 4);
        text_in(&in, text);
        return;
    }
    inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
    if (in6->sin6_scope_id != 0)
        snprintf(text, SKS__ADDRESS_TEXT, "[%s%%%u]:%u", host,
                 (unsigned)in6->sin6_scope_id, (unsigned)ntohs(in6->sin6_port));
    else
        snprintf(text, SKS__ADDRESS_TEXT, "[%s]:%u", host,
                 (unsigned)ntohs(in6->sin6_port));
}

static void text_un(const struct sks__address *a, char *text)
{
    size_t start = offsetof(struct sockaddr_un, sun_path);
    size_t len = a->len > start ? a->len - start : 0;
    const char *path = a->of.un.sun_path;
    char *out = text + strlen(strcpy(text, "unix:"));

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
        strcpy(text, "unix:"); /* what recvmsg(2) tells of an unnamed peer */
        return;
    }
    switch (a->of.any.sa_family) {
    case AF_INET:
        text_in(&a->of.in, text);
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
