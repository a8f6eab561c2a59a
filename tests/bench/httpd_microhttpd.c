/* A peer of the benchmark: libmicrohttpd with epoll in a thread of its own,
 * which answers with replies made beforehand.  Its arguments are files, each
 * served under its last name. */
#include <microhttpd.h>

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { REPLIES = 8 };

static struct reply {
    const char *name;
    struct MHD_Response *response;
} replies[REPLIES];
static int reply_count;

static int load(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat st;
    char *bytes;

    if (file == NULL || fstat(fileno(file), &st) < 0)
        return 0;
    bytes = malloc((size_t)st.st_size);
    if (bytes == NULL ||
        fread(bytes, 1, (size_t)st.st_size, file) != (size_t)st.st_size)
        return 0;
    fclose(file);
    replies[reply_count].name = strrchr(path, '/');
    replies[reply_count].response =
        MHD_create_response_from_buffer((size_t)st.st_size, bytes,
                                        MHD_RESPMEM_PERSISTENT);
    return replies[reply_count++].response != NULL;
}

static enum MHD_Result answer(void *cls, struct MHD_Connection *connection,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *size, void **state)
{
    (void)cls, (void)method, (void)version, (void)data, (void)size;
    /* An answer to the first of two calls would end the connection. */
    if (*state == NULL) {
        *state = replies;
        return MHD_YES;
    }
    for (int i = 0; i < reply_count; i++)
        if (strcmp(url, replies[i].name) == 0)
            return MHD_queue_response(connection, MHD_HTTP_OK,
                                      replies[i].response);
    return MHD_NO;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct MHD_Daemon *daemon;
    sigset_t ends;
    int number;

    for (int i = 1; i < argc && i <= REPLIES; i++)
        if (!load(argv[i]))
            return 1;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    daemon =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TURBO, 0, NULL,
                         NULL, answer, NULL, MHD_OPTION_SOCK_ADDR,
                         (struct sockaddr *)&address,
                         MHD_OPTION_CONNECTION_LIMIT, 15000U, MHD_OPTION_END);
    if (daemon == NULL)
        return 1;
    printf("microhttpd: on http://127.0.0.1:%d/\n",
           MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    sigwait(&ends, &number);
    MHD_stop_daemon(daemon);
    return 0;
}
