/* Which callback answers which path. */
#ifndef HTTP_ROUTES_H
#define HTTP_ROUTES_H

#include "exchange.h"

/** A line of the table of routes. */
struct http_route {
    unsigned methods;    /**< of ::http_method; GET brings HEAD with it */
    const char *pattern; /**< "/time"; a segment ":name" stands for any one
                              and a last segment "*" for any rest: both are
                              parameters, HTTP_PARAMETERS_MAX at most */
    /** Answers.  0, or a negative error that ends the connection, or the
     * status of an error page for it to be sent. */
    int (*serve)(struct http_exchange *x, void *data);
    void *data; /**< for serve */
};

/** The method that a request line names; 0 if it is none that we know. */
enum http_method http_method_of(struct http_bytes name);

/** True if a pattern stands for paths that it does not spell out. */
int http_route_has_parameters(const char *pattern);

/** Matches a decoded path and fills in what stands for its parameters.
 * @return 1 if it fits */
int http_route_match(const char *pattern, const char *path, size_t len,
                     struct http_bytes *parameters);

/** Answers a request whose head is read: with the first route that fits path
 * and method, or with 404, 405 or what OPTIONS asks for.
 * @return 0, or a negative error of the connection */
int http_routes_serve(struct http_exchange *x);

#endif /* HTTP_ROUTES_H */
