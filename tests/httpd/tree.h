/* A directory with a few files, for the tests of what opens them. */
#ifndef TREE_H
#define TREE_H

#include "check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char tree_path[32];
static int tree = -1;

static inline void tree_write(const char *name, const char *content)
{
    int fd = openat(tree, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    close(fd);
}

static inline int tree_make(void **state)
{
    (void)state;
    strcpy(tree_path, "/tmp/httpdXXXXXX");
    if (mkdtemp(tree_path) == NULL)
        return -1;
    tree = open(tree_path, O_RDONLY | O_DIRECTORY);
    mkdirat(tree, "sub", 0755);
    tree_write("a.txt", "aaa");
    tree_write("sub/b.txt", "bb");
    tree_write(".dot", "d");
    symlinkat("/etc/passwd", tree, "out");
    symlinkat("..", tree, "up");
    symlinkat("../a.txt", tree, "sub/in");
    symlinkat("nowhere", tree, "dangling");
    mkfifoat(tree, "fifo", 0644);
    return 0;
}

static inline int tree_remove(void **state)
{
    static const char *const names[] = {"a.txt",    "sub/b.txt", ".dot",
                                        "out",      "up",        "sub/in",
                                        "dangling", "fifo",      "new.txt",
                                        "a.txt.gz"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlinkat(tree, names[i], 0);
    unlinkat(tree, "sub", AT_REMOVEDIR);
    close(tree);
    return rmdir(tree_path);
}

#endif /* TREE_H */
