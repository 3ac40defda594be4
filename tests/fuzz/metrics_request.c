/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* libFuzzer target: requests to the server of metrics. What is answered with a page is a whole
 * request with GET or HEAD and a path. */
#include "runtime/metrics_request.h"
#include "base/assert.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *request =
        calloc(size ? size : 1, 1); /* of its own, so that each byte beyond it is noticed */
    bool is_head = false;

    ASSERT(request);
    if (size > 0)
        memcpy(request, data, size);
    switch (metrics_request_parse(request, size, &is_head)) {
    case METRICS_OK:
    case METRICS_INDEX:
    case METRICS_NOT_FOUND:
        ASSERT(memcmp(request, is_head ? "HEAD /" : "GET /", is_head ? 6 : 5) == 0);
        ASSERT(metrics_request_is_complete(request, size));
        break;
    case METRICS_BAD_METHOD:
        ASSERT(!is_head && metrics_request_is_complete(request, size));
        break;
    case METRICS_BAD_REQUEST:
        ASSERT(!is_head);
        break;
    }
    free(request);
    return 0;
}
