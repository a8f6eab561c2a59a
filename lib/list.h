/* A doubly linked list whose nodes are members of what is listed.  Whoever
 * owns the list locks it. */
#ifndef SKS__LIST_H
#define SKS__LIST_H

#include <stddef.h>

struct sks__list {
    struct sks__list *prev, *next;
};

/* The struct of that type whose member of that name the node is. */
#define SKS__LIST_ENTRY(node, type, member)                                    \
    ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void sks__list_init(struct sks__list *list)
{
    list->prev = list->next = list;
}

static inline int sks__list_is_empty(const struct sks__list *list)
{
    return list->next == list;
}

static inline void sks__list_append(struct sks__list *list,
                                    struct sks__list *node)
{
    node->prev = list->prev;
    node->next = list;
    list->prev->next = node;
    list->prev = node;
}

/* A removed node may be removed again. */
static inline void sks__list_remove(struct sks__list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    sks__list_init(node);
}

#endif /* SKS__LIST_H */
