#include "unit_line.h"
#include "unit.h"

#include "fd.h"

#include <string.h>

int line_blocking;

int line_both(void)
{
    line_blocking = sks__fd_has_time_limits;
    return line_blocking;
}

void line_open(struct line *l, size_t rbufsize, size_t wbufsize)
{
    struct sks__waiter none = {.wait = NULL};
    int fds[2];

    unit_pair(SOCK_STREAM, fds);
    l->peer = fds[1];
    if (!line_blocking)
        sks__fd_set_mode(fds[0], SKS__FD_NONBLOCKING);
    sks__stream_init(&l->stream, &sks__socket_layer, fds[0], none,
                     line_blocking, -1);
    l->stream.timeout_ms = DEADLINE_MS;
    sks__rfile_open(&l->rfile, &l->stream, &l->wfile, rbufsize);
    sks__wfile_open(&l->wfile, &l->stream, wbufsize);
}

void line_close(struct line *l)
{
    sks__rfile_close(&l->rfile);
    sks__wfile_close(&l->wfile);
    close(l->stream.fd);
    if (l->peer >= 0)
        close(l->peer);
}

void line_say(struct line *l, const char *text)
{
    assert_int_equal(__real_send(l->peer, text, strlen(text), MSG_NOSIGNAL),
                     strlen(text));
}

void line_hang_up(struct line *l)
{
    close(l->peer);
    l->peer = -1;
}

void line_say_and_hang_up(struct line *l, const char *text)
{
    line_say(l, text);
    line_hang_up(l);
}
