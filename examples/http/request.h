/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What an HTTP/1.1 client sends, read as it arrives: the head of a request (RFC 9112, sections 2,
 * 3, 5 and 6) and a body in chunks (section 7.1). Nothing here allocates or waits, and what may be
 * malice is refused rather than mended: a lone CR or LF, folded lines, two lengths, a length
 * besides chunks. */
#ifndef REQUEST_H
#define REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAD_SIZE_MAX    8192 /* bytes of request line and headers, line ends included */
#define TARGET_SIZE_MAX  4096
#define HEADER_COUNT_MAX 64
#define CHUNK_LINE_MAX                                                                             \
    256 /* bytes of a chunk's size with its extensions, or of a trailer's line                     \
         */
#define TRAILER_SIZE_MAX 4096

/* Some bytes of the head; not terminated. */
struct text {
    const char *at;
    size_t size;
};

struct header {
    struct text name, value; /* the value without spaces around it */
};

enum progress {
    PROGRESS_MORE, /* everything was well so far; there must be more bytes */
    PROGRESS_DONE,
    PROGRESS_BAD, /* `status` says what to answer, and then the connection is of no use */
};

struct request {
    struct text method, target;
    int minor_version; /* of HTTP/1 */
    struct header headers[HEADER_COUNT_MAX];
    size_t header_count;
    uint64_t content_length; /* 0 if there is no such header */
    bool chunked;            /* the body comes in chunks, and not by its length */
    bool keep_alive;         /* the connection is to stay open */
    bool expects_continue;   /* the client waits for "100 Continue" before it sends the body */
    int status;              /* after PROGRESS_BAD */

    /* How far the reader has come; for nobody else. */
    size_t line;    /* where the line begins that is not complete */
    size_t scanned; /* bytes in which there is no further end of line */
    bool has_line, has_host, has_length, says_close;
};

/* Before the first byte of each request. */
void request_init(struct request *r);

/* Reads the head, of which the first `size` bytes are at `head`: those of the calls before, which
 * must not have moved, and more. After PROGRESS_DONE, *head_size bytes were the head, and the texts
 * point into them. Empty lines before the head are skipped and count as part of it. */
enum progress request_read(struct request *r, const char *head, size_t size, size_t *head_size);

/* The value of the first header of that name, which is compared without regard to case; NULL: there
 * is none. */
const struct text *request_header(const struct request *r, const char *name);

bool text_is(struct text t, const char *word);
bool text_is_any_case(struct text t, const char *word);

/* A body in chunks, as it arrives. All-zero is the beginning. */
struct chunks {
    uint64_t left; /* bytes of the current chunk that have not come */
    enum { CHUNK_SIZE, CHUNK_DATA, CHUNK_END, CHUNK_TRAILER, CHUNK_DONE } state;
    size_t trailer_size;
};

/* Looks at the next `size` bytes. PROGRESS_DONE: *used were the end of the body. PROGRESS_MORE:
 * *used are done with, and *data is what they had of the body, which may be empty; if *used is 0
 * more must come to go on. PROGRESS_BAD: answer 400. */
enum progress chunks_read(struct chunks *c, const char *bytes, size_t size, size_t *used,
                          struct text *data);

#endif
