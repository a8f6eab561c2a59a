/* Names that start with a dot are out of every client's reach. */
#include "leftovers.h"

#include "digest.h"
#include "folder.h"
#include "resolve.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char temporary[] = ".sockserver-upload-";
static const char partial[] = ".sockserver-partial-";

enum { KEPT_S = 24 * 60 * 60, KEY = 16 };

static int starts_with(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

static int is_old(int fd)
{
    struct stat status;

    return fstat(fd, &status) == 0 && time(NULL) - status.st_mtime > KEPT_S;
}

/* The lock tells whether a process, perhaps of another server of the same
 * folder, is at work on it. */
static void remove_unused(int folder, const char *name, int only_old)
{
    int fd = resolve_open(folder, name, O_RDONLY);

    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && (!only_old || is_old(fd)))
        unlinkat(folder, name, 0);
    close(fd);
}

void leftovers_remove(int folder)
{
    DIR *entries = folder_read(folder);
    struct dirent *entry;

    while (entries && (entry = readdir(entries))) {
        if (starts_with(entry->d_name, temporary))
            remove_unused(folder, entry->d_name, 0);
        else if (starts_with(entry->d_name, partial))
            remove_unused(folder, entry->d_name, 1);
    }
    if (entries)
        closedir(entries);
}

size_t leftovers_count(int folder)
{
    DIR *entries = folder_read(folder);
    struct dirent *entry;
    size_t count = 0;

    while (entries && (entry = readdir(entries)))
        count += (size_t)starts_with(entry->d_name, partial);
    if (entries)
        closedir(entries);
    return count;
}

int leftovers_unnamed_work(int folder)
{
#ifdef O_TMPFILE
    char name[LEFTOVER_NAME];
    int fd = openat(folder, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    int works = fd >= 0 && leftovers_temporary_name(name) == 0 &&
                resolve_link(folder, fd, name) == 0;

    if (works)
        unlinkat(folder, name, 0);
    if (fd >= 0)
        close(fd);
    return works;
#else
    (void)folder;
    return 0;
#endif
}

static void name_of(char name[LEFTOVER_NAME], const char *prefix,
                    const unsigned char key[KEY])
{
    char hex[2 * KEY + 1];

    hex_encode(hex, key, KEY);
    snprintf(name, LEFTOVER_NAME, "%s%s", prefix, hex);
}

int leftovers_temporary_name(char name[LEFTOVER_NAME])
{
    unsigned char key[KEY];

    if (digest_random(key, sizeof key) < 0)
        return -EIO;
    name_of(name, temporary, key);
    return 0;
}

void leftovers_partial_name(char name[LEFTOVER_NAME],
                            const unsigned char key[KEY])
{
    name_of(name, partial, key);
}
