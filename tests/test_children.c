/* Children here do what their test says and end; nothing is asserted in them:
 * what they find they tell through a pipe. */
#include "unit.h"
#include "support/shortage.h"

#include "children.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

/* Whether children are watched as soon as they are forked. */
static int watches;

/* A set, and a pipe that holds its children up: they end when it closes. */
struct nursery {
    struct sks__children set;
    int gate[2];
    int told[2];
};

static void open_nursery(struct nursery *n)
{
    assert_return_code(__real_pipe(n->gate), errno);
    assert_return_code(__real_pipe(n->told), errno);
    assert_int_equal(sks__children_open(&n->set), 0);
}

static void close_nursery(struct nursery *n)
{
    sks__children_close(&n->set);
    if (n->gate[1] >= 0)
        close(n->gate[1]);
    close(n->gate[0]);
    close(n->told[0]);
    close(n->told[1]);
}

static void open_gate(struct nursery *n)
{
    close(n->gate[1]);
    n->gate[1] = -1;
}

static void tell(const struct nursery *n, int what)
{
    char byte = (char)what;

    if (__real_write(n->told[1], &byte, 1) < 0)
        _exit(1);
}

static int hear(const struct nursery *n)
{
    char byte;

    assert_true(deadline_poll(n->told[0], POLLIN, DEADLINE_MS));
    assert_int_equal(__real_read(n->told[0], &byte, 1), 1);
    return byte;
}

static void wait_at_gate(struct nursery *n)
{
    char byte;

    close(n->gate[1]);
    alarm(DEADLINE_MS / 1000);
    tell(n, '.');
    while (__real_read(n->gate[0], &byte, 1) < 0)
        continue;
}

/* Forks a child that ends with a status: at once, or when the gate opens. */
static void fork_one(struct nursery *n, struct sks__child *child, int waits,
                     int status)
{
    int rc = sks__children_fork(&n->set, child);

    if (rc == 0) {
        if (waits)
            wait_at_gate(n);
        _exit(status);
    }
    assert_int_equal(rc, 1);
    if (watches)
        sks__children_watch(&n->set, 0);
    if (waits)
        hear(n);
}

/* Waits for the next that ends. */
static struct sks__child *await(struct nursery *n)
{
    long long start = deadline_now_ms();
    struct sks__child *child;

    do {
        sks__children_watch(&n->set, 10);
        child = sks__children_reap(&n->set);
    } while (child == NULL && deadline_nap(start));
    return child;
}

static int is_any_ready(struct nursery *n, int ms)
{
    int fd;

    if (sks__children_watch(&n->set, 0) == 0)
        return 1;
    for (size_t i = 0; (fd = sks__children_fileno(&n->set, i)) >= 0; i++)
        if (deadline_poll(fd, POLLIN, ms))
            return 1;
    return 0;
}

/* The child ends, which a descriptor tells, and is the last. */
static void expect_its_end(struct nursery *n, struct sks__child *child)
{
    open_gate(n);
    assert_true(is_any_ready(n, DEADLINE_MS));
    assert_ptr_equal(await(n), child);
}

static int is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* --- descriptors --- */

static void a_descriptor_of_a_child_can_be_borrowed(void **state)
{
    struct nursery n;
    struct sks__child child;
    int fds[2], fd;

    (void)state;
    open_nursery(&n);
    unit_pair(SOCK_STREAM, fds);
    fork_one(&n, &child, 1, 0);
    close(fds[0]);
    fd = sks__children_borrow(&child, fds[0]);
    if (fd == -ENOSYS)
        print_message("skipped: the system lends no descriptor\n");
    else
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    if (fd >= 0) {
        assert_int_equal(__real_write(fd, "x", 1), 1);
        assert_true(deadline_poll(fds[1], POLLIN, DEADLINE_MS));
        close(fd);
        assert_int_equal(sks__children_borrow(&child, 999), -EBADF);
    }
    open_gate(&n);
    assert_ptr_equal(await(&n), &child);
    close(fds[1]);
    close_nursery(&n);
}

/* --- ends --- */

static void a_child_that_ended_is_reaped_once(void **state)
{
    struct nursery n;
    struct sks__child child;

    (void)state;
    open_nursery(&n);
    fork_one(&n, &child, 0, 3);
    assert_ptr_equal(sks__children_first(&n.set), &child);
    assert_ptr_equal(await(&n), &child);
    assert_int_equal(child.signal, 0);
    assert_null(sks__children_first(&n.set));
    assert_null(sks__children_reap(&n.set));
    assert_int_equal(__real_waitpid(child.pid, NULL, WNOHANG), -1);
    close_nursery(&n);
}

static void a_child_that_runs_is_left_alone(void **state)
{
    struct nursery n;
    struct sks__child child;

    (void)state;
    open_nursery(&n);
    fork_one(&n, &child, 1, 0);
    assert_null(sks__children_reap(&n.set));
    assert_false(is_any_ready(&n, 0));
    assert_ptr_equal(sks__children_first(&n.set), &child);
    open_gate(&n);
    assert_ptr_equal(await(&n), &child);
    close_nursery(&n);
}

static void a_descriptor_tells_when_one_has_ended(void **state)
{
    struct nursery n;
    struct sks__child child;

    (void)state;
    open_nursery(&n);
    fork_one(&n, &child, 1, 0);
    expect_its_end(&n, &child);
    assert_false(is_any_ready(&n, 0));
    close_nursery(&n);
}

static void the_signal_that_ended_a_child_is_told(void **state)
{
    struct nursery n;
    struct sks__child child;

    (void)state;
    open_nursery(&n);
    fork_one(&n, &child, 1, 0);
    kill(child.pid, SIGKILL);
    assert_ptr_equal(await(&n), &child);
    assert_int_equal(child.signal, SIGKILL);
    close_nursery(&n);
}

static void all_are_sent_a_signal(void **state)
{
    struct nursery n;
    struct sks__child children[3], *child;
    int seen = 0;

    (void)state;
    open_nursery(&n);
    for (int i = 0; i < 3; i++)
        fork_one(&n, &children[i], 1, 0);
    sks__children_kill(&n.set, SIGUSR1);
    while (seen != 7 && (child = await(&n)) != NULL) {
        assert_int_equal(child->signal, SIGUSR1);
        seen |= 1 << (child - children);
    }
    assert_int_equal(seen, 7);
    close_nursery(&n);
}

/* The second of three ends first. */
static void children_are_reaped_in_any_order(void **state)
{
    struct nursery n;
    struct sks__child a, b, c;

    (void)state;
    open_nursery(&n);
    fork_one(&n, &a, 1, 0);
    fork_one(&n, &b, 1, 0);
    fork_one(&n, &c, 1, 0);
    kill(b.pid, SIGTERM);
    assert_ptr_equal(await(&n), &b);
    kill(c.pid, SIGTERM);
    assert_ptr_equal(await(&n), &c);
    assert_ptr_equal(sks__children_first(&n.set), &a);
    open_gate(&n);
    assert_ptr_equal(await(&n), &a);
    close_nursery(&n);
}

static void a_wait_that_is_interrupted_is_made_again(void **state)
{
    struct nursery n;
    struct sks__child child;

    (void)state;
    open_nursery(&n);
    fork_one(&n, &child, 1, 0);
    kill(child.pid, SIGTERM);
    fault_set(FAULT_WAIT, 0, 3, EINTR);
    assert_ptr_equal(await(&n), &child);
    assert_int_equal(fault_hits(FAULT_WAIT), 3);
    assert_int_equal(child.signal, SIGTERM);
    close_nursery(&n);
}

/* A child is forked while another one's descriptor is open, and is slow to
 * close its copy: dup(2) stands for that. */
static void a_copy_of_its_descriptor_does_not_bring_a_child_back(void **state)
{
    struct nursery n;
    struct sks__child a, b;
    int copy;

    (void)state;
    open_nursery(&n);
    fork_one(&n, &a, 1, 0);
    fork_one(&n, &b, 1, 0);
    copy = dup(a.fd);
    kill(a.pid, SIGTERM);
    assert_ptr_equal(await(&n), &a);
    assert_false(is_any_ready(&n, 0));
    assert_null(sks__children_reap(&n.set));
    close(copy);
    open_gate(&n);
    assert_ptr_equal(await(&n), &b);
    close_nursery(&n);
}

/* --- those of others --- */

static void a_child_of_somebody_else_is_not_reaped(void **state)
{
    struct nursery n;
    struct sks__child child;
    siginfo_t info;
    pid_t other;

    (void)state;
    open_nursery(&n);
    other = __real_fork();
    if (other == 0)
        _exit(7);
    fork_one(&n, &child, 1, 0);
    waitid(P_PID, (id_t)other, &info, WEXITED | WNOWAIT);
    assert_null(sks__children_reap(&n.set));
    open_gate(&n);
    assert_ptr_equal(await(&n), &child);
    assert_int_equal(__real_waitpid(other, NULL, WNOHANG), other);
    close_nursery(&n);
}

static void a_child_that_somebody_else_reaped_has_ended(void **state)
{
    struct nursery n;
    struct sks__child child;

    (void)state;
    open_nursery(&n);
    fork_one(&n, &child, 0, 0);
    assert_int_equal(__real_waitpid(child.pid, NULL, 0), child.pid);
    assert_ptr_equal(await(&n), &child);
    assert_int_equal(child.signal, 0);
    assert_null(sks__children_first(&n.set));
    close_nursery(&n);
}

static void ends_are_noticed_where_sigchld_is_ignored(void **state)
{
    struct nursery n;
    struct sks__child child;

    (void)state;
    open_nursery(&n);
    signal(SIGCHLD, SIG_IGN);
    fork_one(&n, &child, 1, 0);
    assert_null(sks__children_reap(&n.set));
    expect_its_end(&n, &child);
    signal(SIGCHLD, SIG_DFL);
    close_nursery(&n);
}

/* --- what a child has --- */

static void a_child_has_none_of_the_descriptors(void **state)
{
    struct nursery n;
    struct sks__child first, second;
    int ready, fd, rc;

    (void)state;
    open_nursery(&n);
    fork_one(&n, &first, 1, 0);
    ready = n.set.ready_fd;
    fd = first.fd;
    rc = sks__children_fork(&n.set, &second);
    if (rc == 0) {
        tell(&n, !is_open(fd) && !is_open(ready));
        _exit(0);
    }
    assert_int_equal(rc, 1);
    assert_int_equal(hear(&n), 1);
    assert_ptr_equal(await(&n), &second);
    open_gate(&n);
    assert_ptr_equal(await(&n), &first);
    close_nursery(&n);
}

/* --- letting go --- */

static void a_dropped_child_is_nobodys(void **state)
{
    struct nursery n;
    struct sks__child child;

    (void)state;
    open_nursery(&n);
    fork_one(&n, &child, 1, 0);
    sks__children_drop(&n.set, &child);
    assert_null(sks__children_first(&n.set));
    open_gate(&n);
    assert_int_equal(__real_waitpid(child.pid, NULL, 0), child.pid);
    assert_null(sks__children_reap(&n.set));
    assert_false(is_any_ready(&n, 0));
    close_nursery(&n);
}

static void closing_drops_all_and_ends_none(void **state)
{
    struct nursery n;
    struct sks__child a, b;

    (void)state;
    open_nursery(&n);
    fork_one(&n, &a, 1, 0);
    fork_one(&n, &b, 1, 0);
    sks__children_close(&n.set);
    assert_null(sks__children_first(&n.set));
    assert_int_equal(__real_waitpid(a.pid, NULL, WNOHANG), 0);
    assert_int_equal(__real_waitpid(b.pid, NULL, WNOHANG), 0);
    open_gate(&n);
    assert_int_equal(__real_waitpid(a.pid, NULL, 0), a.pid);
    assert_int_equal(__real_waitpid(b.pid, NULL, 0), b.pid);
    close_nursery(&n);
}

/* --- faults --- */

static void a_fork_that_fails_leaves_the_set_as_it_was(void **state)
{
    struct nursery n;
    struct sks__child child;

    (void)state;
    open_nursery(&n);
    fault_set(FAULT_FORK, 0, 1, EAGAIN);
    assert_int_equal(sks__children_fork(&n.set, &child), -EAGAIN);
    assert_null(sks__children_first(&n.set));
    fork_one(&n, &child, 0, 0);
    assert_ptr_equal(await(&n), &child);
    close_nursery(&n);
}

#ifdef SKS_PLAIN_POSIX

static void without_descriptors_no_child_is_forked(void **state)
{
    struct nursery n;
    struct sks__child child;
    int rc;

    (void)state;
    open_nursery(&n);
    shortage_begin(0);
    rc = sks__children_fork(&n.set, &child);
    shortage_end();
    assert_int_equal(rc, -EMFILE);
    assert_null(sks__children_first(&n.set));
    close_nursery(&n);
}

#else

static void without_descriptors_children_are_reaped_all_the_same(void **state)
{
    struct nursery n;
    struct sks__child first, second;
    int ms;

    (void)state;
    open_nursery(&n);
    shortage_begin(0);
    fork_one(&n, &first, 0, 3);
    fork_one(&n, &second, 1, 0);
    ms = sks__children_watch(&n.set, 0);
    assert_ptr_equal(await(&n), &first);
    shortage_end();
    assert_int_equal(first.status, 3);
    assert_true(ms > 0);
    assert_int_equal(sks__children_watch(&n.set, 0), -1);
    expect_its_end(&n, &second);
    close_nursery(&n);
}

static void without_epoll_a_child_is_watched_later(void **state)
{
    struct nursery n;
    struct sks__child child;

    (void)state;
    open_nursery(&n);
    fault_set(FAULT_EPOLL, 0, 1, ENOMEM);
    fork_one(&n, &child, 1, 0);
    if (!watches)
        assert_true(sks__children_watch(&n.set, 0) > 0);
    assert_int_equal(sks__children_watch(&n.set, 0), -1);
    expect_its_end(&n, &child);
    close_nursery(&n);
}

static void a_set_that_cannot_be_opened_says_so(void **state)
{
    struct sks__children set;

    (void)state;
    fault_set(FAULT_EPOLL, 0, 1, EMFILE);
    assert_int_equal(sks__children_open(&set), -EMFILE);
    sks__children_close(&set);
}

static void a_child_is_watched_from_its_age_on(void **state)
{
    struct nursery n;
    struct sks__child child;
    long long start = deadline_now_ms();
    int ms;

    (void)state;
    open_nursery(&n);
    fork_one(&n, &child, 1, 0);
    ms = sks__children_watch(&n.set, 3600 * 1000);
    if (!watches)
        assert_true(ms > 0 && ms <= 3600 * 1000);
    while (sks__children_watch(&n.set, 3) > 0 && deadline_nap(start))
        continue;
    assert_int_equal(sks__children_watch(&n.set, 3600 * 1000), -1);
    expect_its_end(&n, &child);
    close_nursery(&n);
}

static void one_that_is_not_watched_waits_for_its_elder(void **state)
{
    struct nursery n;
    struct sks__child elder, younger;
    siginfo_t info;

    (void)state;
    open_nursery(&n);
    fork_one(&n, &elder, 1, 0);
    fork_one(&n, &younger, 0, 3);
    waitid(P_PID, (id_t)younger.pid, &info, WEXITED | WNOWAIT);
    assert_ptr_equal(sks__children_reap(&n.set), watches ? &younger : NULL);
    kill(elder.pid, SIGTERM);
    waitid(P_PID, (id_t)elder.pid, &info, WEXITED | WNOWAIT);
    assert_ptr_equal(sks__children_reap(&n.set), &elder);
    assert_ptr_equal(sks__children_reap(&n.set), watches ? NULL : &younger);
    assert_int_equal(younger.status, 3);
    close_nursery(&n);
}

/* Its number may be another process's by then. */
static void one_that_somebody_else_reaped_is_not_watched(void **state)
{
    struct nursery n;
    struct sks__child lost, other;

    (void)state;
    open_nursery(&n);
    fork_one(&n, &other, 1, 0);
    fork_one(&n, &lost, 0, 0);
    assert_int_equal(__real_waitpid(lost.pid, NULL, 0), lost.pid);
    assert_int_equal(sks__children_borrow(&lost, 0), -ESRCH);
    assert_int_equal(sks__children_watch(&n.set, 0), watches ? -1 : 0);
    assert_ptr_equal(await(&n), &lost);
    sks__children_kill(&n.set, SIGTERM);
    assert_ptr_equal(await(&n), &other);
    assert_int_equal(other.signal, SIGTERM);
    close_nursery(&n);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(a_descriptor_of_a_child_can_be_borrowed),
        UNIT_TEST(a_child_that_ended_is_reaped_once),
        UNIT_TEST(a_child_that_runs_is_left_alone),
        UNIT_TEST(a_descriptor_tells_when_one_has_ended),
        UNIT_TEST(the_signal_that_ended_a_child_is_told),
        UNIT_TEST(all_are_sent_a_signal),
        UNIT_TEST(children_are_reaped_in_any_order),
        UNIT_TEST(a_wait_that_is_interrupted_is_made_again),
        UNIT_TEST(a_copy_of_its_descriptor_does_not_bring_a_child_back),
        UNIT_TEST(a_child_of_somebody_else_is_not_reaped),
        UNIT_TEST(a_child_that_somebody_else_reaped_has_ended),
        UNIT_TEST(ends_are_noticed_where_sigchld_is_ignored),
        UNIT_TEST(a_child_has_none_of_the_descriptors),
        UNIT_TEST(a_dropped_child_is_nobodys),
        UNIT_TEST(closing_drops_all_and_ends_none),
        UNIT_TEST(a_fork_that_fails_leaves_the_set_as_it_was),
#ifdef SKS_PLAIN_POSIX
        UNIT_TEST(without_descriptors_no_child_is_forked),
#else
        UNIT_TEST(without_descriptors_children_are_reaped_all_the_same),
        UNIT_TEST(a_child_is_watched_from_its_age_on),
        UNIT_TEST(one_that_is_not_watched_waits_for_its_elder),
        UNIT_TEST(one_that_somebody_else_reaped_is_not_watched),
        UNIT_TEST(without_epoll_a_child_is_watched_later),
        UNIT_TEST(a_set_that_cannot_be_opened_says_so),
#endif
    };

    for (watches = 0; watches < 2; watches++)
        if (cmocka_run_group_tests_name(watches ? "children, watched"
                                                : "children, young",
                                        tests, NULL, NULL) != 0)
            return 1;
    return 0;
}
