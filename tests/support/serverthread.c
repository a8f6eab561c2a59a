#include "serverthread.h"
#include "deadline.h"
#include "fault.h"
#include "real.h"

#include <fcntl.h>
#include <poll.h>

static void *run(void *arg)
{
    struct server_thread *thread = arg;

    fault_watch();
    thread->result = thread->call(thread->server);
    while (__real_write(thread->done[1], "", 1) < 0)
        continue;
    return NULL;
}

static void close_pipe(struct server_thread *thread)
{
    close(thread->done[0]);
    close(thread->done[1]);
}

int server_thread_start(struct server_thread *thread, int (*call)(sks_server *),
                        sks_server *server)
{
    thread->call = call;
    thread->server = server;
    if (__real_pipe(thread->done) != 0)
        return -1;
    fcntl(thread->done[0], F_SETFD, FD_CLOEXEC);
    fcntl(thread->done[1], F_SETFD, FD_CLOEXEC);
    thread->running =
        __real_pthread_create(&thread->thread, NULL, run, thread) == 0;
    if (!thread->running)
        close_pipe(thread);
    return thread->running ? 0 : -1;
}

int server_thread_ended(const struct server_thread *thread)
{
    return deadline_poll(thread->done[0], POLLIN, 0) != 0;
}

int server_thread_join(struct server_thread *thread)
{
    if (!deadline_poll(thread->done[0], POLLIN, DEADLINE_MS))
        return -1;
    pthread_join(thread->thread, NULL);
    close_pipe(thread);
    thread->running = 0;
    return 0;
}
