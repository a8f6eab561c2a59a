/* The clients and the handlers that many cases share. */
#include "contract.h"
#include "support/real.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

/* --- addresses --- */

static socklen_t unix_address(const char *path, struct sockaddr_storage *to)
{
    struct sockaddr_un *address = (struct sockaddr_un *)to;

    address->sun_family = AF_UNIX;
    assert_true(strlen(path) < sizeof address->sun_path);
    snprintf(address->sun_path, sizeof address->sun_path, "%s", path);
    return sizeof *address;
}

static socklen_t ip_address(int family, const char *host, int port,
                            struct sockaddr_storage *to)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)to;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;
    void *bytes =
        family == AF_INET ? (void *)&v4->sin_addr : (void *)&v6->sin6_addr;

    to->ss_family = (sa_family_t)family;
    if (family == AF_INET)
        v4->sin_port = htons((uint16_t)port);
    else
        v6->sin6_port = htons((uint16_t)port);
    assert_int_equal(inet_pton(family, host, bytes), 1);
    return family == AF_INET ? sizeof *v4 : sizeof *v6;
}

socklen_t contract_address_of(const struct contract *c, int port,
                              const char *path,
                              struct sockaddr_storage *address)
{
    memset(address, 0, sizeof *address);
    if (c->transport->family == AF_UNIX)
        return unix_address(path, address);
    return ip_address(c->transport->family, c->transport->host, port, address);
}

socklen_t contract_address(const struct contract *c,
                           struct sockaddr_storage *address)
{
    return contract_address_of(c, c->port, c->path, address);
}

/* --- clients --- */

/* Gives a client of Unix datagrams a name, which an answer needs. */
static void name_client(struct contract *c, int fd)
{
    struct sockaddr_storage name;
    char path[128];
    socklen_t len;

    snprintf(path, sizeof path, "%s/client%d", c->directory, c->clients++);
    memset(&name, 0, sizeof name);
    len = unix_address(path, &name);
    assert_return_code(__real_bind(fd, (struct sockaddr *)&name, len), errno);
}

int contract_connect_to(struct contract *c, const struct sockaddr_storage *to,
                        socklen_t len)
{
    const struct sockaddr *address = (const struct sockaddr *)to;
    int fd;

    if (c->transport->type == SOCK_STREAM || address->sa_family != AF_UNIX)
        return client_connect(c->transport->type, address, len);
    fd = client_open(AF_UNIX, SOCK_DGRAM);
    name_client(c, fd);
    assert_return_code(connect(fd, address, len), errno);
    return fd;
}

int contract_connect(struct contract *c)
{
    struct sockaddr_storage address;
    socklen_t len = contract_address(c, &address);

    return contract_connect_to(c, &address, len);
}

void contract_echo(struct contract *c)
{
    int fd = contract_connect(c);

    client_say(fd, "hello\n");
    if (c->traits & CONTRACT_STREAM)
        client_finish(fd);
    client_expect(fd, "hello\n");
    if (c->traits & CONTRACT_STREAM)
        client_expect_eof(fd);
    client_close(fd);
}

/* Sends a packet again and again, until an answer comes. */
static int insist(int fd)
{
    long long start = deadline_now_ms();

    do {
        client_say(fd, "hello\n");
        if (deadline_poll(fd, POLLIN, 20))
            return 1;
    } while (deadline_left_ms(start) > 0);
    return 0;
}

int contract_try_echo(struct contract *c)
{
    int fd = contract_connect(c), result;
    char came[16];

    if (c->traits & CONTRACT_STREAM) {
        if (client_try_send(fd, "hello\n", 6))
            shutdown(fd, SHUT_WR);
        result = client_receive_some(fd, came, sizeof came) > 0;
        client_expect_gone(fd);
    } else {
        result = insist(fd);
        assert_true(result);
    }
    client_close(fd);
    return result;
}

/* --- handlers --- */

struct contract *contract_of(const sks_request *request)
{
    return sks_server_data(sks_request_server(request));
}

int contract_echo_handle(sks_request *request)
{
    sks_rfile *rfile = sks_request_rfile(request);
    sks_wfile *wfile = sks_request_wfile(request);
    char buf[4096];
    ssize_t n;
    int rc = 0;

    while (rc == 0 && (n = sks_rfile_read1(rfile, buf, sizeof buf)) != 0)
        rc = n < 0 ? (int)n : sks_wfile_write(wfile, buf, (size_t)n);
    return rc;
}

int contract_lines_handle(sks_request *request)
{
    sks_rfile *rfile = sks_request_rfile(request);
    sks_wfile *wfile = sks_request_wfile(request);
    char line[256];
    ssize_t n;
    int rc = 0;

    while (rc == 0 && (n = sks_rfile_readline(rfile, line, sizeof line)) != 0)
        rc = n < 0 ? (int)n : sks_wfile_write(wfile, line, (size_t)n);
    return rc;
}

int contract_wait(sks_request *request)
{
    int gate = fcntl(contract_of(request)->trace.gate[0], F_DUPFD_CLOEXEC, 0);
    long long start = deadline_now_ms();
    int ready;
    char byte;

    do {
        ready =
            sks_request_wait(request, gate, POLLIN, deadline_left_ms(start));
    } while (ready == 1 && __real_read(gate, &byte, 1) != 1);
    close(gate);
    return ready == 1 ? 0 : -EIO;
}

int contract_gate_handle(sks_request *request)
{
    struct contract *c = contract_of(request);
    int rc;

    trace_put(&c->trace, "enter");
    if (contract_wait(request) != 0)
        return -EIO;
    rc = sks_wfile_puts(sks_request_wfile(request), "done\n");
    trace_put(&c->trace, "leave");
    return rc;
}

void contract_tell_error(void *arg, const sks_request *request, int error)
{
    struct contract *c = arg;

    (void)request;
    trace_put(&c->trace, "error:%d", error);
}

/* --- small things --- */

void contract_fill(void *buf, size_t n)
{
    unsigned char *bytes = buf;
    uint32_t x = 2463534242u;

    for (size_t i = 0; i < n; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        bytes[i] = (unsigned char)x;
    }
}

int contract_file(struct contract *c, size_t n)
{
    char path[128], *bytes = __real_malloc(n + 1);
    int fd;

    snprintf(path, sizeof path, "%s/file-XXXXXX", c->directory);
    fd = mkostemp(path, O_CLOEXEC);
    assert_return_code(fd, errno);
    unlink(path);
    assert_non_null(bytes);
    contract_fill(bytes, n);
    assert_int_equal(pwrite(fd, bytes, n, 0), n);
    __real_free(bytes);
    return fd;
}

int contract_descriptors_open(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int n = 0;

    assert_non_null(directory);
    while (readdir(directory))
        n++;
    closedir(directory);
    return n;
}
