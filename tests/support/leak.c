/* Reads /proc; where there is none it finds nothing, and no test fails. */
#include "leak.h"
#include "deadline.h"
#include "fault.h"
#include "real.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 4096 };

/* Numbers of one kind of thing: descriptors, threads, children. */
struct numbers {
    size_t n;
    long number[MOST];
};

struct belongings {
    struct numbers descriptors, threads, children;
    long blocks;
};

static struct belongings before, now;

static void add(struct numbers *list, long number)
{
    if (list->n < MOST)
        list->number[list->n++] = number;
}

static int contains(const struct numbers *list, long number)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->number[i] == number)
            return 1;
    return 0;
}

/* The numeric names in a directory, but for the directory's own descriptor. */
static void list_directory(const char *path, struct numbers *list)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    char *end;

    list->n = 0;
    while (directory && (entry = readdir(directory)) != NULL) {
        long number = strtol(entry->d_name, &end, 10);

        if (end != entry->d_name && number != dirfd(directory))
            add(list, number);
    }
    if (directory)
        closedir(directory);
}

static void list_descriptors(struct numbers *list)
{
    list_directory("/proc/self/fd", list);
}

/* The children of one thread. */
static void list_children_of(long thread, struct numbers *list)
{
    char path[64];
    long child;
    FILE *file;

    snprintf(path, sizeof path, "/proc/self/task/%ld/children", thread);
    file = fopen(path, "re");
    while (file && fscanf(file, "%ld", &child) == 1)
        add(list, child);
    if (file)
        fclose(file);
}

static void list_everything(struct belongings *all)
{
    list_descriptors(&all->descriptors);
    list_directory("/proc/self/task", &all->threads);
    all->children.n = 0;
    for (size_t i = 0; i < all->threads.n; i++)
        list_children_of(all->threads.number[i], &all->children);
    all->blocks = fault_blocks();
}

/* Tells of a thing by the text of a file about it, or what it links to. */
static void name_one(const char *kind, const char *form, long number)
{
    char path[64], text[256] = "?";
    ssize_t n;
    FILE *file;

    snprintf(path, sizeof path, form, number);
    n = readlink(path, text, sizeof text - 1);
    if (n >= 0) {
        text[n] = '\0';
    } else if ((file = fopen(path, "re")) != NULL) {
        if (!fgets(text, sizeof text, file))
            text[0] = '\0';
        fclose(file);
    }
    text[strcspn(text, "\n")] = '\0';
    fprintf(stderr, "%s %ld outlived the test: %s\n", kind, number, text);
}

/* True if nothing is in is that was not in was; names what is, if asked. */
static int settled(const struct numbers *was, const struct numbers *is,
                   const char *kind, const char *form)
{
    int result = 1;

    for (size_t i = 0; i < is->n; i++) {
        if (contains(was, is->number[i]))
            continue;
        result = 0;
        if (kind)
            name_one(kind, form, is->number[i]);
    }
    return result;
}

static int all_settled(int tell)
{
    int fds = settled(&before.descriptors, &now.descriptors,
                      tell ? "descriptor" : NULL, "/proc/self/fd/%ld");
    int threads = settled(&before.threads, &now.threads, tell ? "thread" : NULL,
                          "/proc/self/task/%ld/comm");
    int children = settled(&before.children, &now.children,
                           tell ? "child" : NULL, "/proc/%ld/stat");
    int memory = now.blocks == before.blocks;

    if (tell && !memory)
        fprintf(stderr, "%ld memory blocks outlived the test\n",
                now.blocks - before.blocks);
    return fds && threads && children && memory;
}

static void *do_nothing(void *arg)
{
    return arg;
}

void leak_start_first_thread(void)
{
    pthread_t thread;

    if (__real_pthread_create(&thread, NULL, do_nothing, NULL) == 0)
        pthread_join(thread, NULL);
}

void leak_begin(void)
{
    list_everything(&before);
}

int leak_end(void)
{
    long long start = deadline_now_ms();

    do {
        list_everything(&now);
        if (all_settled(0))
            return 0;
    } while (deadline_nap(start));
    all_settled(1);
    return -1;
}
