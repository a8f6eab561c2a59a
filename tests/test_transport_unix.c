#include "unit.h"

#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

/* A directory of this test, and a path in it. */
static char directory[40], path[60];

/* What happened to the lock of that directory, and what was at the path then;
 * and how often a wait for it is interrupted. */
static char events[200];
static int watching, interruptions;

int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);

static int begin(void **state)
{
    int rc = unit_begin(state);

    watching = interruptions = 0;
    strcpy(directory, "/tmp/sks-unit-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/socket", directory);
    return rc;
}

/* The test leaves the directory empty. */
static int end(void **state)
{
    int rc = rmdir(directory);

    if (rc < 0)
        fprintf(stderr, "%s: %s\n", directory, strerror(errno));
    return unit_end(state) | rc;
}

#define DIRECTORY_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

static sks_server *stream_server(const char *name)
{
    return sks_unix_stream_server_new(name, unit_handler());
}

static sks_server *datagram_server(const char *name)
{
    return sks_unix_datagram_server_new(name, unit_handler());
}

static int is_socket(const char *name)
{
    struct stat st;

    return lstat(name, &st) == 0 && S_ISSOCK(st.st_mode);
}

static int exists(const char *name)
{
    struct stat st;

    return lstat(name, &st) == 0;
}

/* A socket at the path, as another program would have it. */
static int other_socket(int type, const char *name)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = __real_socket(AF_UNIX, type, 0);

    strcpy(un.sun_path, name);
    assert_return_code(__real_bind(fd, (struct sockaddr *)&un, sizeof un),
                       errno);
    if (type == SOCK_STREAM)
        assert_return_code(__real_listen(fd, 0), errno);
    return fd;
}

static void leave_stale(int type, const char *name)
{
    close(other_socket(type, name));
    assert_true(is_socket(name));
}

static void expect_bound(sks_server *server)
{
    char text[100];

    assert_int_equal(sks_server_bind(server), 0);
    assert_true(is_socket(path));
    snprintf(text, sizeof text, "unix:%s", path);
    assert_string_equal(sks_server_address(server, 0), text);
    assert_int_equal(sks_server_port(server), 0);
    assert_int_equal(server->listeners[0].family, AF_UNIX);
}

/* Binding fails, and says so of the path. */
static void expect_refused(sks_server *server, int error, const char *why)
{
    char words[300];

    assert_int_equal(sks_server_bind(server), error);
    snprintf(words, sizeof words, "cannot listen on %s: %s", path, why);
    assert_string_equal(sks_server_error(server), words);
    assert_null(sks_server_address(server, 0));
    sks_server_free(server);
}

/* --- binding and closing --- */

static void a_path_is_bound_and_removed_on_close(void **state)
{
    sks_server *server = stream_server(path);

    (void)state;
    expect_bound(server);
    assert_int_equal(sks_server_close(server), 0);
    assert_false(exists(path));
    sks_server_free(server);
    server = datagram_server(path);
    expect_bound(server);
    sks_server_free(server);
    assert_false(exists(path));
}

static void several_paths_are_bound_or_none(void **state)
{
    sks_server *server = stream_server(path);
    char second[70], third[80];

    (void)state;
    snprintf(second, sizeof second, "%s2", path);
    snprintf(third, sizeof third, "%s/3", path);
    sks_server_add_path(server, second);
    assert_int_equal(sks_server_bind(server), 0);
    assert_true(is_socket(path) && is_socket(second));
    sks_server_free(server);
    server = stream_server(path);
    sks_server_add_path(server, second);
    sks_server_add_path(server, third);
    assert_int_equal(sks_server_bind(server), -ENOTDIR);
    assert_false(exists(path) || exists(second));
    sks_server_free(server);
}

static void a_failed_bind_may_be_tried_again(void **state)
{
    sks_server *server = stream_server(path);

    (void)state;
    fault_set(FAULT_LISTEN, 0, 1, ENOBUFS);
    assert_int_equal(sks_server_bind(server), -ENOBUFS);
    assert_false(exists(path));
    fault_set(FAULT_SOCKET, 0, 1, EMFILE);
    assert_int_equal(sks_server_bind(server), -EMFILE);
    fault_set(FAULT_MALLOC, 0, 1, ENOMEM);
    assert_int_equal(sks_server_bind(server), -ENOMEM);
    expect_bound(server);
    sks_server_free(server);
}

/* --- what is there already --- */

static void a_stale_socket_of_either_kind_is_replaced(void **state)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};

    (void)state;
    for (int i = 0; i < 4; i++) {
        sks_server *server =
            i < 2 ? stream_server(path) : datagram_server(path);

        leave_stale(types[i % 2], path);
        expect_bound(server);
        sks_server_free(server);
        assert_false(exists(path));
    }
}

static void a_live_socket_of_either_kind_is_left_alone(void **state)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};

    (void)state;
    for (int i = 0; i < 4; i++) {
        int other = other_socket(types[i % 2], path);

        expect_refused(i < 2 ? stream_server(path) : datagram_server(path),
                       -EADDRINUSE, "address already in use");
        assert_true(is_socket(path));
        close(other);
        unlink(path);
    }
}

/* It answers nobody just now, but it is not stale. */
static void a_live_socket_with_a_full_queue_is_left_alone(void **state)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int other = other_socket(SOCK_STREAM, path), clients[10], n = 0;

    (void)state;
    strcpy(un.sun_path, path);
    do {
        assert_true(n < 10);
        clients[n] = __real_socket(AF_UNIX, SOCK_STREAM, 0);
        fcntl(clients[n], F_SETFL, O_NONBLOCK);
    } while (connect(clients[n++], (struct sockaddr *)&un, sizeof un) == 0);
    expect_refused(stream_server(path), -EADDRINUSE, "address already in use");
    assert_true(is_socket(path));
    while (n > 0)
        close(clients[--n]);
    close(other);
    unlink(path);
}

static void what_is_no_socket_is_left_alone(void **state)
{
    int file = open(path, O_CREAT | O_WRONLY, 0600);

    (void)state;
    expect_refused(stream_server(path), -EADDRINUSE,
                   "there is something else than a socket");
    assert_true(exists(path));
    close(file);
    unlink(path);
}

static void a_link_to_a_stale_socket_is_left_alone(void **state)
{
    char stale[70];

    (void)state;
    snprintf(stale, sizeof stale, "%s2", path);
    leave_stale(SOCK_STREAM, stale);
    assert_return_code(symlink(stale, path), errno);
    expect_refused(stream_server(path), -EADDRINUSE,
                   "there is something else than a socket");
    assert_true(exists(path) && is_socket(stale));
    unlink(path);
    unlink(stale);
}

/* Whether a socket is stale is not known then. */
static void without_descriptors_a_stale_socket_stays(void **state)
{
    (void)state;
    leave_stale(SOCK_STREAM, path);
    fault_set(FAULT_SOCKET, 1, 1, EMFILE);
    expect_refused(stream_server(path), -EADDRINUSE, "address already in use");
    assert_true(is_socket(path));
    unlink(path);
}

/* A word for what is at the path. */
static const char *found(void)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = __real_socket(AF_UNIX, SOCK_STREAM, 0), rc;

    strcpy(un.sun_path, path);
    rc = connect(fd, (struct sockaddr *)&un, sizeof un);
    close(fd);
    return !exists(path) ? "nothing" : rc == 0 ? "live" : "stale";
}

int __wrap_flock(int fd, int operation)
{
    size_t n = strlen(events);
    struct stat locked, ours;

    if (operation != LOCK_UN && interruptions > 0) {
        interruptions--;
        errno = EINTR;
        return -1;
    }
    if (watching && fstat(fd, &locked) == 0 && stat(directory, &ours) == 0 &&
        locked.st_ino == ours.st_ino)
        snprintf(events + n, sizeof events - n, "%s:%s ",
                 operation == LOCK_EX   ? "lock"
                 : operation == LOCK_UN ? "unlock"
                                        : "?",
                 found());
    return __real_flock(fd, operation);
}

/* Who looks meanwhile sees neither a socket that does not listen yet, nor none
 * where one is about to be. */
static void a_socket_is_replaced_and_removed_under_a_lock(void **state)
{
    sks_server *server = stream_server(path);

    (void)state;
    leave_stale(SOCK_STREAM, path);
    events[0] = '\0';
    watching = 1;
    interruptions = 3;
    expect_bound(server);
    assert_int_equal(interruptions, 0);
    assert_string_equal(events, "lock:stale unlock:live ");
    events[0] = '\0';
    interruptions = 3;
    sks_server_free(server);
    assert_int_equal(interruptions, 0);
    assert_string_equal(events, "lock:live unlock:nothing ");
}

/* Several processes find the same stale socket: one of them gets it, and keeps
 * it. */
static int bind_it(void *arg)
{
    const int *ends = arg;
    sks_server *server = stream_server(path);
    char byte;
    int rc;

    while (__real_read(ends[0], &byte, 1) < 0)
        continue;
    rc = sks_server_bind(server);
    byte = rc == 0 ? 'y' : rc == -EADDRINUSE ? 'n' : '?';
    return __real_write(ends[1], &byte, 1) == 1 ? 0 : 1;
}

/* How many of them got it: while all are there. */
static int compete(int n)
{
    int start[2], told[2], won = 0;
    pid_t pids[8];
    char bytes[9] = "";

    assert_return_code(__real_pipe(start), errno);
    assert_return_code(__real_pipe(told), errno);
    for (int i = 0; i < n; i++) {
        int ends[2] = {start[0], told[1]};

        pids[i] = __real_fork();
        if (pids[i] == 0) {
            close(start[1]);
            alarm(DEADLINE_MS / 1000);
            bind_it(ends);
            pause();
        }
    }
    close(start[1]);
    for (int i = 0; i < n; i++) {
        assert_true(deadline_poll(told[0], POLLIN, DEADLINE_MS));
        assert_int_equal(__real_read(told[0], &bytes[i], 1), 1);
        won += bytes[i] == 'y';
    }
    for (int i = 0; i < n; i++) {
        kill(pids[i], SIGKILL);
        __real_waitpid(pids[i], NULL, 0);
    }
    assert_null(strchr(bytes, '?'));
    close(start[0]);
    close(told[0]);
    close(told[1]);
    return won;
}

static void of_several_that_find_it_stale_one_gets_it(void **state)
{
    (void)state;
    leave_stale(SOCK_STREAM, path);
    for (int i = 0; i < 20; i++)
        assert_int_equal(compete(8), 1);
    unlink(path);
}

/* --- what is removed --- */

static void what_took_our_place_is_not_removed(void **state)
{
    sks_server *server = stream_server(path);
    int other;

    (void)state;
    expect_bound(server);
    unlink(path);
    other = other_socket(SOCK_STREAM, path);
    sks_server_free(server);
    assert_true(is_socket(path));
    close(other);
    unlink(path);
}

static void what_is_gone_need_not_be_removed(void **state)
{
    sks_server *server = stream_server(path);

    (void)state;
    expect_bound(server);
    unlink(path);
    assert_int_equal(sks_server_close(server), 0);
    sks_server_free(server);
}

static void the_path_is_removed_from_where_it_was_bound(void **state)
{
    char here[4096], other[60];
    sks_server *server = stream_server("socket");

    (void)state;
    snprintf(other, sizeof other, "%s/other", directory);
    assert_non_null(getcwd(here, sizeof here));
    assert_return_code(chdir(directory), errno);
    assert_int_equal(sks_server_bind(server), 0);
    assert_return_code(mkdir(other, 0700), errno);
    assert_return_code(chdir(other), errno);
    leave_stale(SOCK_STREAM, "socket");
    sks_server_free(server);
    assert_false(exists(path));
    assert_true(is_socket("socket"));
    unlink("socket");
    assert_return_code(chdir(here), errno);
    rmdir(other);
}

static int free_it(void *server)
{
    sks_server_free(server);
    return 0;
}

static void a_forked_child_removes_nothing(void **state)
{
    sks_server *server = stream_server(path);

    (void)state;
    expect_bound(server);
    assert_int_equal(unit_fork(free_it, server), 0);
    assert_true(is_socket(path));
    sks_server_free(server);
    assert_false(exists(path));
}

/* As somebody who may write into a directory and not read it. */
static int bind_unread(void *arg)
{
    sks_server *server = stream_server(path);

    (void)arg;
    if (setgid(65534) < 0 || setuid(65534) < 0)
        return 77;
    if (sks_server_bind(server) != 0 || !is_socket(path))
        return 1;
    sks_server_free(server);
    return exists(path) ? 2 : 0;
}

static void a_directory_need_not_be_readable(void **state)
{
    int status;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_return_code(chown(directory, 65534, 65534), errno);
    assert_return_code(chmod(directory, 0300), errno);
    status = unit_fork(bind_unread, NULL);
    assert_return_code(chmod(directory, 0700), errno);
    assert_int_equal(status, 0);
}

/* --- paths that cannot be --- */

static void a_path_may_be_as_long_as_a_socket_allows(void **state)
{
    enum { MOST = sizeof(((struct sockaddr_un *)0)->sun_path) - 1 };
    char longest[MOST + 2], words[200];
    sks_server *server;

    (void)state;
    memset(longest, 'p', sizeof longest);
    memcpy(longest, path, strlen(path));
    longest[MOST] = '\0';
    server = stream_server(longest);
    assert_int_equal(sks_server_bind(server), 0);
    assert_true(is_socket(longest));
    sks_server_free(server);
    assert_false(exists(longest));
    longest[MOST] = 'p';
    longest[MOST + 1] = '\0';
    server = stream_server(longest);
    assert_int_equal(sks_server_bind(server), -ENAMETOOLONG);
    snprintf(words, sizeof words,
             "the path '%.40s...' has %d bytes, and a socket's at most %d",
             longest, MOST + 1, MOST);
    assert_string_equal(sks_server_error(server), words);
    sks_server_free(server);
}

static void no_path_is_refused(void **state)
{
    static const char *const none[] = {"", NULL};

    (void)state;
    for (int i = 0; i < 2; i++) {
        sks_server *server = stream_server(none[i]);

        assert_int_equal(sks_server_bind(server), -EINVAL);
        assert_string_equal(sks_server_error(server),
                            "the path of a socket is empty");
        sks_server_free(server);
    }
}

static void a_path_in_no_directory_is_refused(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "%s/none/socket", directory);
    expect_refused(stream_server(path), -ENOENT, "no such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DIRECTORY_TEST(a_path_is_bound_and_removed_on_close),
        DIRECTORY_TEST(several_paths_are_bound_or_none),
        DIRECTORY_TEST(a_failed_bind_may_be_tried_again),
        DIRECTORY_TEST(a_stale_socket_of_either_kind_is_replaced),
        DIRECTORY_TEST(a_live_socket_of_either_kind_is_left_alone),
        DIRECTORY_TEST(a_live_socket_with_a_full_queue_is_left_alone),
        DIRECTORY_TEST(what_is_no_socket_is_left_alone),
        DIRECTORY_TEST(a_link_to_a_stale_socket_is_left_alone),
        DIRECTORY_TEST(without_descriptors_a_stale_socket_stays),
        DIRECTORY_TEST(a_socket_is_replaced_and_removed_under_a_lock),
        DIRECTORY_TEST(of_several_that_find_it_stale_one_gets_it),
        DIRECTORY_TEST(what_took_our_place_is_not_removed),
        DIRECTORY_TEST(what_is_gone_need_not_be_removed),
        DIRECTORY_TEST(the_path_is_removed_from_where_it_was_bound),
        DIRECTORY_TEST(a_forked_child_removes_nothing),
        DIRECTORY_TEST(a_directory_need_not_be_readable),
        DIRECTORY_TEST(a_path_may_be_as_long_as_a_socket_allows),
        DIRECTORY_TEST(no_path_is_refused),
        DIRECTORY_TEST(a_path_in_no_directory_is_refused),
    };

    return cmocka_run_group_tests_name("transport_unix", tests, NULL, NULL);
}
