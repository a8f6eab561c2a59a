#include "unit_serving.h"
#include "unit.h"
#include "support/client.h"

#include <arpa/inet.h>
#include <string.h>

struct unit_serving serving;

int serving_begin(void **state)
{
    int rc = unit_begin(state);

    memset(&serving, 0, sizeof serving);
    return rc != 0 ? rc : trace_open(&serving.trace);
}

/* More handlers than any test holds up may go on. */
int serving_end(void **state)
{
    fault_clear();
    if (serving.thread.running)
        sks_server_shutdown(serving.server);
    trace_let(&serving.trace, 64);
    client_close_all();
    if (serving.thread.running)
        server_thread_join(&serving.thread);
    sks_server_free(serving.server);
    trace_close(&serving.trace);
    return unit_end(state);
}

void serving_bind(sks_server *server)
{
    serving.server = server;
    assert_int_equal(sks_server_bind(server), 0);
    serving_set_port(sks_server_port(server));
}

void serving_set_port(int port)
{
    serving.address = (struct sockaddr_in){.sin_family = AF_INET};
    serving.address.sin_port = htons((uint16_t)port);
    serving.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}

void serving_start(void)
{
    assert_int_equal(server_thread_start(&serving.thread,
                                         sks_server_serve_forever,
                                         serving.server),
                     0);
}

int serving_join(void)
{
    assert_int_equal(server_thread_join(&serving.thread), 0);
    return serving.thread.result;
}

void serving_stop(void)
{
    sks_server_shutdown(serving.server);
    assert_int_equal(serving_join(), 0);
}

int serving_client(int type)
{
    return client_connect(type, (struct sockaddr *)&serving.address,
                          sizeof serving.address);
}
