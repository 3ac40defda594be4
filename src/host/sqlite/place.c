/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* From the paths of a guest to directories of the host.
 *
 * A path means what it means to the guest's other files: the preopened directory whose name in the
 * guest is the longest that it begins with. Where none fits, it is taken as a path of the host, as
 * the original does, and must be below a preopened directory's own path. All names are then
 * resolved by the kernel inside of that directory, whatever links and renames there are. */
#include "base/mem.h"
#include "host/sqlite/internal.h"
#include "plat/file_path.h"
#include "proc/path.h"
#include "proc/rules.h"
#include <limits.h>
#include <stdio.h>

/* `path` without empty, "." and (as text) ".." names; "." if nothing is left. Those ".." that lead
 * out stay in front, or are dropped from an absolute path. False: it does not fit. */
static bool normal(const char *path, char *out, size_t out_size)
{
    bool is_absolute = path[0] == '/';
    size_t size = 0, least; /* names before `least` cannot be taken back */

    if (is_absolute)
        out[size++] = '/';
    least = size;
    while (*path) {
        size_t length = strcspn(path, "/");
        bool is_up = length == 2 && path[0] == '.' && path[1] == '.';

        if (is_up && size > least) {
            while (size > least && out[size - 1] != '/')
                size--;
            if (size > least)
                size--;
        } else if (length > 0 && !(length == 1 && path[0] == '.') && !(is_up && is_absolute)) {
            if (size + length + 2 > out_size)
                return false;
            if (size > 0 && out[size - 1] != '/')
                out[size++] = '/';
            memcpy(out + size, path, length);
            size += length;
            if (is_up)
                least = size;
        }
        path += length;
        path += strspn(path, "/");
    }
    if (size == 0)
        out[size++] = '.';
    out[size] = '\0';
    return true;
}

static bool leads_out(const char *text)
{
    return text[0] == '.' && text[1] == '.' && (text[2] == '/' || text[2] == '\0');
}

/* The text with the working directory in front, normal. */
static bool absolute(const char *text, char *out, size_t out_size)
{
    char whole[PATH_MAX + SQLITE_PATH_SIZE_MAX];
    size_t size;

    if (text[0] == '/')
        return normal(text, out, out_size);
    if (file_current_directory(whole, PATH_MAX) != FERR_OK)
        return false;
    size = strlen(whole);
    return (size_t)snprintf(whole + size, sizeof(whole) - size, "/%s", text) <
               sizeof(whole) - size &&
           normal(whole, out, out_size);
}

/* The absolute path of a preopened directory. */
static bool host_path(const struct config_dir *d, char *out, size_t out_size)
{
    size_t size;

    if (!absolute(d->host_path, out, out_size))
        return false;
    size = strlen(out);
    for (const char *name = d->below; name && *name; name += strlen(name) + 1) {
        int put = snprintf(out + size, out_size - size, "%s%s", size > 1 ? "/" : "", name);

        if (put < 0 || (size_t)put >= out_size - size)
            return false;
        size += (size_t)put;
    }
    return true;
}

/* The preopened directory that the normal path `text` is below, and what follows its name. */
static const struct config_dir *find(const struct config *c, const char *text, char *rest,
                                     size_t rest_size)
{
    const struct config_dir *best = NULL;
    size_t longest = 0;
    char name[PATH_MAX], whole[PATH_MAX];

    for (size_t i = 0; i < c->dirs.count && !leads_out(text); i++) {
        const struct config_dir *d = &c->dirs.items[i];
        const char *below;

        if (!d->is_granted || !normal(d->guest_path, name, sizeof(name)))
            continue;
        below = path_below(name, text);
        if (!below || (best && strlen(name) < longest))
            continue;
        best = d;
        longest = strlen(name);
        snprintf(rest, rest_size, "%s", below);
    }
    if (best || !absolute(text, whole, sizeof(whole)))
        return best;
    for (size_t i = 0; i < c->dirs.count; i++) {
        const struct config_dir *d = &c->dirs.items[i];
        const char *below;

        if (!d->is_granted || !host_path(d, name, sizeof(name)))
            continue;
        below = path_below(name, whole);
        if (!below || strlen(below) >= rest_size || (best && strlen(name) < longest))
            continue;
        best = d;
        longest = strlen(name);
        snprintf(rest, rest_size, "%s", below);
    }
    return best;
}

static enum file_error open_directory(const struct config_dir *d, const char *rest, int *out)
{
    const unsigned flags = FILE_OPEN_READ | FILE_OPEN_DIRECTORY | FILE_OPEN_FOLLOW;
    enum file_error e = file_root_open(d->host_path, out);
    int above;

    for (const char *name = d->below; !e && name && *name; name += strlen(name) + 1) {
        above = *out;
        e = file_path_open(above, name, FILE_OPEN_HANDLE | FILE_OPEN_DIRECTORY | FILE_OPEN_FOLLOW,
                           out);
        file_close(above);
    }
    if (e)
        return e;
    above = *out;
    e = file_path_open(above, rest[0] ? rest : ".", flags, out);
    file_close(above);
    return e;
}

/* Where the last name of a path begins. */
static size_t name_start(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? (size_t)(slash - path) + 1 : 0;
}

static enum file_error place_new(struct database *db, const char *path, size_t folder_size,
                                 const struct sqlite_place **out)
{
    char rest[SQLITE_PATH_SIZE_MAX];
    const struct config_dir *d = find(db->config, path, rest, sizeof(rest));
    struct sqlite_place *p;
    enum file_error e;

    if (!d || rest[0] == '\0' ||
        !rules_allow_database(db->config->rules, slice_make(path, strlen(path)))) {
        db->is_refused = true;
        return FERR_PERM;
    }
    p = mem_try(struct sqlite_place);
    if (!p)
        return FERR_NOMEM;
    p->folder = mem_try_array(char, folder_size + 1);
    if (!p->folder || !vec_reserve(&db->places, 1)) {
        e = FERR_NOMEM;
        goto failed;
    }
    memcpy(p->folder, path, folder_size);
    rest[name_start(rest)] = '\0';
    e = sqlite_descriptor_take(db->account);
    if (e)
        goto failed;
    e = open_directory(d, rest, &p->fd);
    if (e) {
        sqlite_descriptor_give(db->account);
        goto failed;
    }
    p->is_read_only = d->is_read_only;
    p->may_block = file_may_block(p->fd);
    db->places.items[db->places.count++] = p;
    *out = p;
    return FERR_OK;
failed:
    mem_free(p->folder);
    mem_free(p);
    return e;
}

enum file_error sqlite_place_get(struct database *db, const char *path,
                                 const struct sqlite_place **out, const char **name)
{
    size_t folder_size = name_start(path);

    *name = path + folder_size;
    for (size_t i = 0; i < db->places.count; i++) {
        const struct sqlite_place *p = db->places.items[i];

        if (strlen(p->folder) == folder_size && memcmp(p->folder, path, folder_size) == 0) {
            *out = p;
            return FERR_OK;
        }
    }
    call_leave_worker();
    return place_new(db, path, folder_size, out);
}

bool sqlite_place_resolve(struct database *db, const char *path, char *out, size_t out_size)
{
    db->is_refused = false;
    if (!normal(path, out, out_size))
        return false;
    for (int links = 0; links < SQLITE_LINKS_MAX; links++) {
        const struct sqlite_place *p;
        const char *name;
        char target[SQLITE_PATH_SIZE_MAX], joined[2 * SQLITE_PATH_SIZE_MAX];
        size_t size;

        if (!rules_allow_database(db->config->rules, slice_make(out, strlen(out)))) {
            db->is_refused = true;
            return false;
        }
        if (sqlite_place_get(db, out, &p, &name) != FERR_OK)
            return false;
        if (file_path_readlink(p->fd, name, target, sizeof(target) - 1, &size) != FERR_OK)
            return true; /* no link; what else is wrong with it, opening it will tell */
        if (size == 0 || size >= sizeof(target) - 1 || target[0] == '/')
            break;
        target[size] = '\0';
        /* As text: a ".." behind a folder that is a link itself may be refused needlessly, never
         * granted. */
        snprintf(joined, sizeof(joined), "%s%s", p->folder, target);
        if (!normal(joined, out, out_size))
            return false;
    }
    db->is_refused = true;
    return false;
}
