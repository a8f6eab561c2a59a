/* Sending a file, or what preconditions and ranges leave of it. */
#ifndef HTTP_SEND_H
#define HTTP_SEND_H

#include "exchange.h"
#include "file.h"

/** Answers with a file whose status is 0. */
int http_send_file(struct http_exchange *x, const struct http_file *file);

#endif /* HTTP_SEND_H */
