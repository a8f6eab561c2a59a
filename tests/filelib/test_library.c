/* The folder: what can be reached in it, and how uploads come into it.  Each
 * case of uploads runs with files without a name and with hidden ones, and each
 * of all with the newer system calls and where those are missing. */
#include "check.h"
#include "digest.h"
#include "leftovers.h"
#include "library.h"
#include "listing.h"
#include "resolve.h"
#include "stamp.h"
#include "upload.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct library library;
static char root[64];
static int named; /* whether uploads have hidden names */

/* What openat2 and renameat2 fail with: ENOSYS on an old system, EPERM behind
 * a filter that does not know them; 0: they work. */
static int lacking;
static int lacked; /* how often that happened */

long __real_syscall(long number, long a, long b, long c, long d, long e);
long __wrap_syscall(long number, long a, long b, long c, long d, long e);

/* On every system of Linux arguments that a call does not have may be passed
 * and are of no account. */
long __wrap_syscall(long number, long a, long b, long c, long d, long e)
{
    if (lacking && (number == SYS_openat2 || number == SYS_renameat2)) {
        lacked++;
        errno = lacking;
        return -1;
    }
    return __real_syscall(number, a, b, c, d, e);
}

static void reopen(struct library_options options)
{
    options.root = root;
    assert_int_equal(library_open(&library, &options), 0);
    if (named)
        library.has_unnamed = 0;
}

static int set_up(void **state)
{
    (void)state;
    strcpy(root, "/tmp/library-XXXXXX");
    assert_non_null(mkdtemp(root));
    reopen((struct library_options){0});
    return 0;
}

/* Removes the folder.  @return how many entries it had */
static int empty_root(void)
{
    DIR *entries = opendir(root);
    struct dirent *entry;
    int n = 0;

    while ((entry = readdir(entries)))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) {
            if (unlinkat(library.fd, entry->d_name, 0) < 0)
                unlinkat(library.fd, entry->d_name, AT_REMOVEDIR);
            n++;
        }
    closedir(entries);
    return n;
}

static int tear_down(void **state)
{
    (void)state;
    empty_root();
    library_close(&library);
    return rmdir(root);
}

static void write_file(const char *name, const char *text)
{
    int fd = openat(library.fd, name, O_CREAT | O_TRUNC | O_WRONLY, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void assert_content(const char *name, const char *text)
{
    char found[64] = "";
    struct stat status;
    int fd = library_open_file(&library, name, &status);

    assert_true(fd >= 0);
    assert_int_equal(read(fd, found, sizeof found - 1), strlen(text));
    assert_string_equal(found, text);
    close(fd);
}

static struct upload_order order(const char *name, const char *text)
{
    return (struct upload_order){.user = "",
                                 .name = name,
                                 .id = "ab",
                                 .size = (int64_t)strlen(text)};
}

static void digest_of(const char *text, unsigned char *out)
{
    struct digest *digest = digest_new();

    digest_add(digest, text, strlen(text));
    digest_end(digest, out);
    digest_free(digest);
}

static int write_text(struct upload *upload, const char *text)
{
    size_t n;
    char *room = upload_room(upload, &n);

    assert_true(n >= strlen(text));
    memcpy(room, text, strlen(text));
    return upload_write(upload, strlen(text));
}

/* Begins an upload and writes part of it. */
static int begin(struct upload **upload, const struct upload_order *wanted,
                 const char *part)
{
    int rc = upload_begin(upload, &library, wanted, NULL, NULL);

    return rc < 0 ? rc : write_text(*upload, part);
}

static int store(const char *name, const char *text, int replace)
{
    struct upload_order wanted = order(name, text);
    unsigned char digest[PROTOCOL_DIGEST];
    struct upload *upload;
    int rc;

    wanted.replace = replace;
    rc = begin(&upload, &wanted, text);
    digest_of(text, digest);
    return rc < 0 ? rc : upload_commit(upload, digest);
}

static void only_regular_visible_files_are_reached(void **state)
{
    struct stat status;

    (void)state;
    write_file("file", "x");
    write_file(".hidden", "x");
    assert_int_equal(mkdirat(library.fd, "folder", 0755), 0);
    assert_int_equal(mkfifoat(library.fd, "fifo", 0644), 0);
    assert_int_equal(symlinkat("/etc/passwd", library.fd, "absolute"), 0);
    assert_int_equal(symlinkat("file", library.fd, "relative"), 0);
    assert_content("file", "x");
    assert_int_equal(library_open_file(&library, ".hidden", &status), -EPERM);
    assert_int_equal(library_open_file(&library, "folder", &status), -EPERM);
    assert_int_equal(library_open_file(&library, "fifo", &status), -EPERM);
    assert_int_equal(library_open_file(&library, "absolute", &status), -EPERM);
    assert_int_equal(library_open_file(&library, "relative", &status), -EPERM);
    assert_int_equal(library_open_file(&library, "..", &status), -EPERM);
    assert_int_equal(library_open_file(&library, ".", &status), -EPERM);
    assert_int_equal(library_open_file(&library, "", &status), -EPERM);
    assert_int_equal(library_open_file(&library, "none", &status), -ENOENT);
}

static void opening_follows_no_link_even_unchecked(void **state)
{
    (void)state;
    assert_int_equal(symlinkat("/etc/passwd", library.fd, "link"), 0);
    assert_int_equal(resolve_open(library.fd, "link", O_RDONLY), -ELOOP);
    assert_true(resolve_open(library.fd, "../../etc/passwd", O_RDONLY) < 0);
    assert_true(resolve_open(library.fd, "/etc/passwd", O_RDONLY) < 0);
    assert_true(resolve_open(library.fd, "..", O_RDONLY) < 0);
}

static void an_upload_appears_when_it_is_complete(void **state)
{
    struct upload_order wanted = order("file", "hello");
    unsigned char digest[PROTOCOL_DIGEST];
    struct stat status;
    struct upload *upload;
    int fd;

    (void)state;
    assert_int_equal(begin(&upload, &wanted, "hello"), 0);
    assert_int_equal(library_open_file(&library, "file", &status), -ENOENT);
    digest_of("hello", digest);
    assert_int_equal(upload_commit(upload, digest), 0);
    assert_content("file", "hello");
    memset(digest, 0, sizeof digest);
    fd = library_open_file(&library, "file", &status);
    assert_int_equal(status.st_mode & 07777, library.mode);
    stamp_read(fd, &status, digest);
    close(fd);
    assert_int_equal(empty_root(), 1);
}

static void an_upload_never_replaces(void **state)
{
    struct upload_order wanted = order("file", "one");
    unsigned char digest[PROTOCOL_DIGEST];
    struct upload *upload;

    (void)state;
    /* Both begin, one wins. */
    assert_int_equal(begin(&upload, &wanted, "one"), 0);
    assert_int_equal(store("file", "two", 0), 0);
    digest_of("one", digest);
    assert_int_equal(upload_commit(upload, digest), -EEXIST);
    assert_content("file", "two");
    assert_int_equal(store("file", "three", 0), -EEXIST);
    assert_int_equal(store("file", "three", 1), -EACCES);
    library.options.allow_replace = 1;
    assert_int_equal(store("file", "three", 1), 0);
    assert_content("file", "three");
    assert_int_equal(empty_root(), 1);
}

static void links_and_folders_are_never_replaced(void **state)
{
    (void)state;
    library.options.allow_replace = 1;
    assert_int_equal(symlinkat("/tmp/nowhere", library.fd, "link"), 0);
    assert_int_equal(mkdirat(library.fd, "folder", 0755), 0);
    assert_int_equal(store("link", "x", 0), -EEXIST);
    assert_int_equal(store("link", "x", 1), -EPERM);
    assert_int_equal(store("folder", "x", 1), -EPERM);
    assert_int_equal(store(".hidden", "x", 1), -EPERM);
    assert_int_equal(empty_root(), 2);
}

static void what_is_wrong_leaves_nothing(void **state)
{
    struct upload_order wanted = order("file", "hello");
    unsigned char digest[PROTOCOL_DIGEST] = {0};
    struct upload *upload;

    (void)state;
    assert_int_equal(begin(&upload, &wanted, "hello"), 0);
    assert_int_equal(upload_commit(upload, digest), -EBADMSG);
    assert_int_equal(begin(&upload, &wanted, "hell"), 0);
    assert_int_equal(upload_commit(upload, digest), -ENODATA);
    assert_int_equal(begin(&upload, &wanted, "hell"), 0);
    assert_int_equal(write_text(upload, "no"), -EMSGSIZE);
    upload_abandon(upload);
    assert_int_equal(empty_root(), 0);
}

static void limits_are_kept(void **state)
{
    (void)state;
    library.options.max_file_size = 5;
    assert_int_equal(store("a", "123456", 0), -EFBIG);
    assert_int_equal(store("a", "12345", 0), 0);
    library.options.quota = 8;
    assert_int_equal(store("b", "1234", 0), -EDQUOT);
    assert_int_equal(store("b", "123", 0), 0);
    assert_int_equal(store("c", "", 0), 0);
    library.options.allow_replace = 1;
    assert_int_equal(store("a", "54321", 1), 0);
    library.options.quota = 0;
    library.options.min_free = INT64_MAX / 2;
    assert_int_equal(store("d", "1", 0), -ENOSPC);
    library.options.read_only = 1;
    assert_int_equal(store("e", "1", 0), -EROFS);
    assert_int_equal(empty_root(), 3);
}

static void the_quota_counts_at_the_end_too(void **state)
{
    struct upload_order wanted = order("one", "12345");
    unsigned char digest[PROTOCOL_DIGEST];
    struct upload *upload;

    (void)state;
    library.options.quota = 8;
    assert_int_equal(begin(&upload, &wanted, "12345"), 0);
    write_file("two", "12345");
    digest_of("12345", digest);
    assert_int_equal(upload_commit(upload, digest), -EDQUOT);
    assert_int_equal(empty_root(), 1);
}

static void an_upload_that_broke_goes_on(void **state)
{
    struct upload_order wanted = order("file", "hello");
    unsigned char digest[PROTOCOL_DIGEST];
    struct upload *upload, *other;

    (void)state;
    assert_int_equal(begin(&upload, &wanted, "hel"), 0);
    upload_keep(upload);
    assert_int_equal(leftovers_count(library.fd), 1);
    assert_int_equal(begin(&upload, &wanted, ""), 0);
    assert_int_equal(upload_received(upload), 3);
    assert_int_equal(begin(&other, &wanted, ""), -EBUSY);
    upload_keep(upload);
    wanted.id = "ac";
    assert_int_equal(begin(&other, &wanted, ""), 0);
    assert_int_equal(upload_received(other), 0);
    upload_abandon(other);
    wanted.id = "ab";
    assert_int_equal(begin(&upload, &wanted, "lo"), 0);
    digest_of("hello", digest);
    assert_int_equal(upload_commit(upload, digest), 0);
    assert_content("file", "hello");
    assert_int_equal(empty_root(), 1);
}

static void an_upload_without_an_id_is_not_kept(void **state)
{
    struct upload_order wanted = order("file", "hello");
    struct upload *upload;

    (void)state;
    wanted.id = "";
    assert_int_equal(begin(&upload, &wanted, "hel"), 0);
    upload_keep(upload);
    assert_int_equal(empty_root(), 0);
}

static void beginnings_have_a_limit(void **state)
{
    struct upload_order wanted = order("file", "hello");
    char id[16];

    (void)state;
    for (int i = 0; i < 80; i++) {
        struct upload *upload;

        snprintf(id, sizeof id, "%x", i);
        wanted.id = id;
        assert_int_equal(begin(&upload, &wanted, "h"), 0);
        upload_keep(upload);
    }
    assert_int_equal(leftovers_count(library.fd), 64);
}

static void only_what_nobody_uses_is_cleaned_up(void **state)
{
    static const char used[] =
        ".sockserver-upload-00000000000000000000000000000001";
    struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    int fd;

    (void)state;
    write_file(".sockserver-upload-00000000000000000000000000000000", "x");
    write_file(".sockserver-partial-0000000000000000000000000000000a", "x");
    write_file(".sockserver-partial-0000000000000000000000000000000b", "x");
    write_file(".other", "x");
    write_file(used, "x");
    fd = openat(library.fd, used, O_RDONLY);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(
        utimensat(library.fd,
                  ".sockserver-partial-0000000000000000000000000000000b", times,
                  0),
        0);
    leftovers_remove(library.fd);
    close(fd);
    assert_int_equal(faccessat(library.fd, used, F_OK, 0), 0);
    assert_int_equal(empty_root(), 3);
}

static void a_stamp_is_of_one_state_of_the_file(void **state)
{
    unsigned char digest[PROTOCOL_DIGEST];
    struct timespec later[2] = {{.tv_sec = 1234567890}, {.tv_sec = 1234567890}};
    struct stat status;
    int fd;

    (void)state;
    assert_int_equal(store("file", "hello", 0), 0);
    fd = library_open_file(&library, "file", &status);
    if (!stamp_read(fd, &status, digest)) {
        close(fd);
        skip();
    }
    futimens(fd, later);
    assert_false(library_is_unchanged(fd, &status));
    fstat(fd, &status);
    assert_false(stamp_read(fd, &status, digest));
    close(fd);
}

static void files_are_renamed_and_deleted_where_that_is_allowed(void **state)
{
    (void)state;
    write_file("a", "1");
    write_file("b", "2");
    assert_int_equal(library_delete(&library, "a"), -EROFS);
    assert_int_equal(library_rename(&library, "a", "c"), -EROFS);
    library.options.allow_delete = library.options.allow_rename = 1;
    assert_int_equal(library_rename(&library, "a", "b"), -EEXIST);
    assert_int_equal(library_rename(&library, "a", ".c"), -EPERM);
    assert_int_equal(library_rename(&library, "x", "c"), -ENOENT);
    assert_int_equal(library_rename(&library, "a", "c"), 0);
    assert_content("c", "1");
    assert_int_equal(library_delete(&library, "x"), -ENOENT);
    assert_int_equal(library_delete(&library, "c"), 0);
    assert_int_equal(empty_root(), 1);
}

static void assert_listing(struct listing_cache *cache, const char *expected)
{
    struct listing *listing;

    assert_int_equal(listing_cache_get(cache, &listing), 0);
    assert_non_null(strstr(listing->text, expected));
    assert_int_equal(strlen(listing->text), listing->n);
    listing_cache_release(cache, listing);
}

static void a_listing_is_that_of_now(void **state)
{
    struct listing_cache *cache = listing_cache_new(&library);

    (void)state;
    assert_listing(cache, "200 0 files=0 : the library is empty\n");
    write_file("b", "1");
    write_file("a b", "");
    write_file(".c", "1");
    assert_listing(cache, "files=2 : 2 files\n0 ");
    assert_listing(cache, " a%20b\n1 ");
    write_file("b", "12");
    assert_listing(cache, " a%20b\n2 ");
    unlinkat(library.fd, "a b", 0);
    assert_listing(cache, "files=1 : 1 file\n2 ");
    listing_cache_free(cache);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static void the_calls_were_missing(void **state)
{
    (void)state;
    assert_true(lacked > 0);
}

static int run_all(void)
{
    const struct CMUnitTest folder[] = {
        CASE(only_regular_visible_files_are_reached),
        CASE(opening_follows_no_link_even_unchecked),
        CASE(only_what_nobody_uses_is_cleaned_up),
        CASE(a_stamp_is_of_one_state_of_the_file),
        CASE(files_are_renamed_and_deleted_where_that_is_allowed),
        CASE(a_listing_is_that_of_now)};
    const struct CMUnitTest uploads[] = {
        CASE(an_upload_appears_when_it_is_complete),
        CASE(an_upload_never_replaces),
        CASE(links_and_folders_are_never_replaced),
        CASE(what_is_wrong_leaves_nothing),
        CASE(limits_are_kept),
        CASE(the_quota_counts_at_the_end_too),
        CASE(an_upload_that_broke_goes_on),
        CASE(an_upload_without_an_id_is_not_kept),
        CASE(beginnings_have_a_limit)};
    int failed = cmocka_run_group_tests(folder, NULL, NULL);

    named = 0;
    failed += cmocka_run_group_tests_name("without names", uploads, NULL, NULL);
    named = 1;
    failed += cmocka_run_group_tests_name("hidden names", uploads, NULL, NULL);
    return failed;
}

int main(void)
{
    static const int errors[] = {ENOSYS, EPERM};
    const struct CMUnitTest old_system[] = {
        cmocka_unit_test(the_calls_were_missing)};
    int failed = run_all();

    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        lacking = errors[i];
        lacked = 0;
        print_message("openat2 and renameat2: %s\n", strerror(lacking));
        failed += run_all();
        failed += cmocka_run_group_tests(old_system, NULL, NULL);
    }
    return failed;
}
