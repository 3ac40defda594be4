/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Records of WASI in guest memory: iovec arrays, paths, filestat. */
#include "host/wasi/internal.h"

enum file_error wasi_pieces(struct guest *g, uint32_t iovs, uint32_t count,
                            struct file_piece *pieces, size_t *piece_count, size_t *total)
{
    return wasi_pieces_after(g, iovs, count, 0, pieces, piece_count, total);
}

enum file_error wasi_pieces_after(struct guest *g, uint32_t iovs, uint32_t count, uint64_t skip,
                                  struct file_piece *pieces, size_t *piece_count, size_t *total)
{
    const uint8_t *at = wasi_bytes(g, iovs, (uint64_t)count * 8);

    *piece_count = 0;
    *total = 0;
    if (!at)
        return FERR_FAULT;
    for (uint32_t i = 0; i < count; i++, at += 8) {
        uint8_t *data;
        uint32_t size;

        if (i == WASI_IOVS_MAX || *piece_count == FILE_PIECES_MAX || *total == WASI_TRANSFER_MAX) {
            if (*piece_count == 0) /* nothing but empty ones */
                return FERR_INVAL;
            break; /* the rest is for another call */
        }
        size = wasi_get32(at + 4);
        data = wasi_bytes(g, wasi_get32(at), size);
        if (!data)
            return FERR_FAULT;
        if (skip >= size) {
            skip -= size;
            continue;
        }
        data += skip;
        size -= (uint32_t)skip;
        skip = 0;
        if (size > WASI_TRANSFER_MAX - *total)
            size = (uint32_t)(WASI_TRANSFER_MAX - *total);
        pieces[(*piece_count)++] = (struct file_piece){data, size};
        *total += size;
    }
    return FERR_OK;
}

enum file_error wasi_path(struct guest *g, uint32_t at, uint32_t size, char **out)
{
    const uint8_t *text = wasi_bytes(g, at, size);
    char *copy;

    *out = NULL;
    if (!text)
        return FERR_FAULT;
    if (size >= WASI_PATH_MAX)
        return FERR_NAMETOOLONG;
    if (!slice_is_utf8(slice_make(text, size)))
        return FERR_ILSEQ;
    if (size && memchr(text, 0, size))
        return FERR_INVAL;
    copy = mem_try_array(char, size + 1u);
    if (!copy)
        return FERR_NOMEM;
    memcpy(copy, text, size);
    *out = copy;
    return FERR_OK;
}

void wasi_put_filestat(uint8_t *at, const struct file_info *info)
{
    memset(at, 0, 64);
    wasi_put64(at, info->device);
    wasi_put64(at + 8, info->inode);
    at[16] = (uint8_t)info->kind;
    wasi_put64(at + 24, info->links);
    wasi_put64(at + 32, info->size);
    wasi_put64(at + 40, info->access_ns);
    wasi_put64(at + 48, info->modify_ns);
    wasi_put64(at + 56, info->change_ns);
}

enum file_error wasi_times(uint64_t access_ns, uint64_t modify_ns, uint32_t flags,
                           struct file_times *out)
{
    enum { ATIM = 1, ATIM_NOW = 2, MTIM = 4, MTIM_NOW = 8 };

    if (flags & ~15u || (flags & (ATIM | ATIM_NOW)) == (ATIM | ATIM_NOW) ||
        (flags & (MTIM | MTIM_NOW)) == (MTIM | MTIM_NOW))
        return FERR_INVAL;
    *out = (struct file_times){
        .access = flags & ATIM       ? FILE_TIME_SET
                  : flags & ATIM_NOW ? FILE_TIME_NOW
                                     : FILE_TIME_KEEP,
        .modify = flags & MTIM       ? FILE_TIME_SET
                  : flags & MTIM_NOW ? FILE_TIME_NOW
                                     : FILE_TIME_KEEP,
        .access_ns = access_ns,
        .modify_ns = modify_ns,
    };
    return FERR_OK;
}
