/* The protocol of the file library, for both of its sides: what a line may
 * look like, and what it means.  docs/file-protocol.md tells the rest.
 *
 * Nothing here reads or writes, allocates, or believes a peer: whatever is
 * malformed is an error, and every length has its limit. */
#ifndef FILELIB_PROTOCOL_H
#define FILELIB_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

enum {
    PROTOCOL_VERSION = 1,
    PROTOCOL_PORT = 8888,
    PROTOCOL_LINE = 2048,              /**< bytes of a line with its LF */
    PROTOCOL_NAME = 255,               /**< bytes of a name */
    PROTOCOL_ENCODED = 3 * 255,        /**< the most that a name becomes */
    PROTOCOL_ID = 64,                  /**< bytes of a user or an upload's ID */
    PROTOCOL_DIGEST = 32,              /**< bytes of a digest */
    PROTOCOL_HEX = 2 * PROTOCOL_DIGEST /**< its digits */
};

/** What a command asks for. */
enum verb {
    VERB_NONE,
    VERB_LIST,
    VERB_STAT,
    VERB_DIGEST,
    VERB_GET,
    VERB_PUT,
    VERB_DATA,
    VERB_COMMIT,
    VERB_ABORT,
    VERB_DELETE,
    VERB_RENAME,
    VERB_AUTH,
    VERB_QUIT
};

/** The codes of replies. */
enum code {
    CODE_WORKING = 100,
    CODE_GO_AHEAD = 150,
    CODE_DONE = 200,
    CODE_STORED = 201,
    CODE_MALFORMED = 400,
    CODE_WHO = 401,
    CODE_REFUSED = 403,
    CODE_NOT_FOUND = 404,
    CODE_IDLE = 408,
    CODE_EXISTS = 409,
    CODE_TOO_LARGE = 413,
    CODE_STOPPING = 421,
    CODE_CORRUPTED = 422,
    CODE_FAULT = 500,
    CODE_NO_ROOM = 507
};

/** A command; what its verb does not use is zero. */
struct command {
    enum verb verb;                /**< known even if the rest is wrong */
    char name[PROTOCOL_NAME + 1];  /**< decoded: DELETE, RENAME's old */
    char other[PROTOCOL_NAME + 1]; /**< decoded: RENAME's new */
    char id[PROTOCOL_ID + 1];      /**< PUT's resume=, AUTH's user */
    int64_t offset;                /**< GET's */
    int64_t length;                /**< GET's, -1 if not given; DATA's; PUT's
                                        size */
    int replace;                   /**< PUT's flag */
    unsigned char digest[PROTOCOL_DIGEST]; /**< COMMIT's; AUTH's proof */
};

/** Reads a command from a line, of n bytes, with or without its end.
 * @return NULL, or a sentence about what is wrong; static */
const char *command_parse(struct command *command, const char *line, size_t n);

/** The word for a verb; "?" for none. */
const char *verb_word(enum verb verb);

/** A reply's first line. */
struct reply {
    int code;
    int64_t length; /**< of the body */
    char text[PROTOCOL_LINE + 1];
    const char *sentence; /**< points into text */
};

/** Reads a reply from a line.  @return 0, or -1 if it is malformed */
int reply_parse(struct reply *reply, const char *line, size_t n);

/** Copies the value of a key.
 * @return its length; -1 if there is none or it does not fit */
int reply_value(const struct reply *reply, const char *key, char *value,
                size_t size);

/** The value of a key that is a number; -1 if it is missing or is none. */
int64_t reply_number(const struct reply *reply, const char *key);

/** Reads a number of n digits.  @return -1 if it is none, or too large */
int64_t number_parse(const char *text, size_t n);

/** Writes a name of n bytes as it travels, with a NUL.
 * @param out of at least 3 * n + 1 bytes
 * @return the length of what was written */
size_t name_encode(char *out, const char *name, size_t n);

/** Reads a name that travelled as n bytes, and adds a NUL.  Any bytes but NUL
 * and '/' pass; whether such a file may be reached is for others to say.
 * @param out of at least PROTOCOL_NAME + 1 bytes
 * @return NULL, or a sentence about what is wrong; static */
const char *name_decode(char *out, const char *text, size_t n);

/** Writes n bytes as 2 * n digits and a NUL. */
void hex_encode(char *out, const unsigned char *bytes, size_t n);

/** Reads 2 * n digits.  @return 0, or -1 if there are others */
int hex_decode(unsigned char *bytes, const char *text, size_t n);

#endif
