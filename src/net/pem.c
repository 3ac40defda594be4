/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "net/pem.h"
#include <openssl/crypto.h>

#define BEGIN  "-----BEGIN "
#define END    "-----END "
#define DASHES "-----"

static bool starts_with(struct slice s, const char *text)
{
    size_t size = strlen(text);

    return s.size >= size && memcmp(s.data, text, size) == 0;
}

/* The next line without its end and the blanks before it. */
static struct slice take_line(struct slice *rest)
{
    const uint8_t *end = memchr(rest->data, '\n', rest->size);
    size_t size = end ? (size_t)(end - rest->data) : rest->size;
    struct slice line = slice_make(rest->data, size);

    rest->data += end ? size + 1 : size;
    rest->size -= end ? size + 1 : size;
    while (line.size > 0 && memchr("\r \t", line.data[line.size - 1], 3))
        line.size--;
    return line;
}

/* "-----BEGIN label-----", with exactly five dashes at the end. */
static bool begin_label(struct slice line, struct slice *label)
{
    size_t prefix = strlen(BEGIN), suffix = strlen(DASHES);

    if (line.size < prefix + suffix || memcmp(line.data + line.size - suffix, DASHES, suffix) != 0)
        return false;
    *label = slice_make(line.data + prefix, line.size - prefix - suffix);
    return label->size > 0 && label->data[label->size - 1] != '-';
}

static bool ends_section(struct slice line, struct slice label)
{
    struct slice inner = slice_make(line.data + strlen(END), label.size);

    return starts_with(line, END) && line.size == strlen(END) + label.size + strlen(DASHES) &&
           slice_equal(inner, label) &&
           memcmp(inner.data + inner.size, DASHES, strlen(DASHES)) == 0;
}

static int digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* The state of a decoder: digits of the group that has begun, and the padding seen. */
struct decoder {
    uint32_t bits;
    unsigned digits, padding;
};

static bool decode_line(struct decoder *d, struct slice line, struct bytes *out)
{
    for (size_t i = 0; i < line.size; i++) {
        int value = digit(line.data[i]);

        if (line.data[i] == '=') {
            if (++d->padding > 2)
                return false;
            continue;
        }
        if (value < 0 || d->padding > 0)
            return false;
        d->bits = d->bits << 6 | (uint32_t)value;
        if (++d->digits == 4) {
            out->data[out->size++] = (uint8_t)(d->bits >> 16);
            out->data[out->size++] = (uint8_t)(d->bits >> 8);
            out->data[out->size++] = (uint8_t)d->bits;
            d->bits = d->digits = 0;
        }
    }
    return true;
}

/* The last group: 2 digits are a byte, 3 are two; padding, if there is any, completes it to 4. */
static bool decode_end(struct decoder *d, struct bytes *out)
{
    if (d->digits == 1 || (d->padding > 0 && d->digits + d->padding != 4))
        return false;
    if (d->digits >= 2)
        out->data[out->size++] = (uint8_t)(d->digits == 2 ? d->bits >> 4 : d->bits >> 10);
    if (d->digits == 3)
        out->data[out->size++] = (uint8_t)(d->bits >> 2);
    return true;
}

static enum pem_result bad(struct error *err, const char *words)
{
    fail(err, ERR_MALFORMED, "%s", words);
    return PEM_FAILED;
}

static enum pem_result read_section(struct pem_reader *p, struct error *err)
{
    struct decoder d = {0};

    OPENSSL_cleanse(p->data.data, p->data.size);
    p->data.size = 0;
    /* Four digits are three bytes, so this is more than enough, and nothing has to grow. */
    if (!bytes_reserve(&p->data, p->rest.size)) {
        fail(err, ERR_NO_MEMORY, "no memory for a section of PEM text");
        return PEM_FAILED;
    }
    while (p->rest.size > 0) {
        struct slice line = take_line(&p->rest);

        if (ends_section(line, p->label))
            return decode_end(&d, &p->data)
                       ? PEM_SECTION
                       : bad(err, "a section of the PEM text ends within its base64");
        if (starts_with(line, "Proc-Type:") || starts_with(line, "DEK-Info:"))
            return bad(err, "the key is encrypted; give it without a passphrase");
        if (!decode_line(&d, line, &p->data))
            return bad(err, "a section of the PEM text has a line that is not base64");
    }
    return bad(err, "a section of the PEM text has no end line");
}

enum pem_result pem_next(struct pem_reader *p, struct error *err)
{
    while (p->rest.size > 0) {
        struct slice line = take_line(&p->rest);

        if (!starts_with(line, BEGIN))
            continue;
        if (!begin_label(line, &p->label))
            return bad(err, "a BEGIN line of the PEM text does not end with five dashes");
        return read_section(p, err);
    }
    return PEM_END;
}

bool pem_begins(struct slice text)
{
    while (text.size > 0 && memchr(" \t\r\n", text.data[0], 4)) {
        text.data++;
        text.size--;
    }
    return starts_with(text, BEGIN);
}

void pem_deinit(struct pem_reader *p)
{
    OPENSSL_cleanse(p->data.data, p->data.size);
    bytes_deinit(&p->data);
}
