/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* TLS: the protocol that both sides agree on, and the name that the client asks for. */
#include "tls_world.h"
#include <stdio.h>

/* ---- listeners, native clients ---- */

/* The protocol that the peer's side knows of. */
static char chosen[256];

/* Notes it, and waits for the end. */
static void hear(struct test_peer *p)
{
    const unsigned char *name;
    unsigned size;
    char byte;

    if (!p->ssl)
        return;
    SSL_get0_alpn_selected(p->ssl, &name, &size);
    snprintf(chosen, sizeof(chosen), "%.*s", (int)size, (const char *)name);
    SSL_read(p->ssl, &byte, 1);
    SSL_shutdown(p->ssl); /* else its session is not resumed */
}

static SSL_CTX *client_that_speaks(const char *list, int version)
{
    SSL_CTX *c = SSL_CTX_new(TLS_client_method());

    SSL_CTX_set_alpn_protos(c, (const unsigned char *)list, (unsigned)strlen(list));
    SSL_CTX_set_max_proto_version(c, version);
    return c;
}

/* A client that speaks `list` has an agreement with a listener that speaks `listened`. False: the
 * handshake has failed, and `err` says why. */
static bool agree(const char *listened, const char *list, int version, const char *expected,
                  struct error *err)
{
    struct test_peer p = {.name = "some.test"};
    struct tls_world w;
    struct tls_listener *l;
    struct stream *s = NULL;
    enum net_result r;

    if (!tls_world_begin(&w))
        return false;
    l = world_listen_alpn(&w, slice_text(listened));
    p.context = client_that_speaks(list, version);
    EXPECT(test_peer_client(&p, &w, tls_listener_local(l)->port, false, hear));
    r = world_accept(&w, l, &s, err, TLS_PATIENCE_MS);
    if (r == NET_DONE) {
        EXPECT(slice_equal(tls_protocol(s), slice_text(expected)));
        EXPECT(slice_equal(tls_server_name(s), slice_text("some.test")));
        stream_free(s);
    }
    test_peer_join(&p);
    EXPECT(r == NET_FAILED || strcmp(chosen, expected) == 0);
    tls_listener_free(l);
    tls_world_end(&w);
    return r == NET_DONE;
}

TEST(tls_listeners_choose_the_protocol_they_like_best)
{
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    char longest[257] = {(char)255};
    struct error err = {0};

    memset(longest + 1, 'x', 255);
    for (size_t i = 0; i < ARRAY_COUNT(versions); i++) {
        int v = versions[i];

        CHECK(agree("\4best\10http/1.1\6spdy/9", "\6spdy/9\10http/1.1", v, "http/1.1", &err));
        CHECK(agree("\2h2", "", v, "", &err)); /* a client without any is served */
        CHECK(agree("", "\2h2", v, "", &err)); /* and so is one that speaks to a listener without */
        CHECK(agree(longest, longest, v, longest + 1, &err));
        CHECK(!agree("\2h2\10http/1.1", "\5other\3h2c", v, "", &err));
        CHECK_TEXT(err.text, "TLS handshake: no application protocol");
    }
}

static SSL_SESSION *kept;

static int keep(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(kept);
    kept = session;
    return 1;
}

/* A session that goes on from an earlier one agrees anew, and tells the name too. */
static void goes_on(int version)
{
    const char *lists[] = {"\1a", "\1b", ""}, *names[] = {"one.test", "one.test", "two.test"};
    struct tls_world w;
    struct tls_listener *l;

    CHECK(tls_world_begin(&w));
    l = world_listen_alpn(&w, slice_text("\1a\1b"));
    for (int i = 0; i < 3; i++) {
        struct test_peer p = {.name = names[i], .session = kept};
        struct socket_piece piece = {"x", 1};
        struct stream *s = NULL;
        size_t count;

        if (kept && version == TLS1_2_VERSION) /* the same one each time */
            SSL_SESSION_up_ref(kept);
        else
            kept = NULL;
        p.context = client_that_speaks(lists[i], version);
        SSL_CTX_set_session_cache_mode(p.context,
                                       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(p.context, keep);
        CHECK(test_peer_client(&p, &w, tls_listener_local(l)->port, false, hear));
        CHECK(world_accept(&w, l, &s, NULL, TLS_PATIENCE_MS) == NET_DONE);
        CHECK(tls_is_resumed(s) == (i > 0));
        CHECK(slice_equal(tls_protocol(s), slice_text(i == 0 ? "a" : i == 1 ? "b" : "")));
        CHECK(slice_equal(
            tls_server_name(s),
            slice_text(version == TLS1_2_VERSION ? "one.test" : names[i]))); /* see tls.h */
        CHECK(world_write(&w, s, &piece, 1, &count, NULL, TLS_PATIENCE_MS) == NET_DONE);
        test_peer_join(&p);
        stream_free(s);
    }
    SSL_SESSION_free(kept);
    kept = NULL;
    tls_listener_free(l);
    tls_world_end(&w);
}

TEST(tls_resumed_sessions_of_version_1_3_agree_anew)
{
    goes_on(TLS1_3_VERSION);
}

TEST(tls_resumed_sessions_of_version_1_2_agree_anew)
{
    goes_on(TLS1_2_VERSION);
}

/* ---- clients, native servers ---- */

/* What the servers of these tests choose, NULL: nothing; and what was offered, and under which
 * name.
 */
static const char *choice;
static char offered_list[300], offered_name[300];

static int choose(SSL *ssl, const unsigned char **out, unsigned char *size,
                  const unsigned char *offered, unsigned offered_size, void *context)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)context;
    memset(offered_list, 0, sizeof(offered_list));
    memcpy(offered_list, offered, offered_size);
    offered_name[0] = 0;
    strncat(offered_name, name ? name : "", sizeof(offered_name) - 1);
    if (!choice)
        return SSL_TLSEXT_ERR_NOACK;
    *out = (const unsigned char *)choice;
    *size = (unsigned char)strlen(choice);
    return SSL_TLSEXT_ERR_OK;
}

static void wait_for_end(struct test_peer *p)
{
    char byte;

    if (p->ssl)
        p->number = SSL_read(p->ssl, &byte, 1);
}

/* What our client gets that speaks "a" and "bc", of a server that chooses `what`. */
static bool connects(struct tls_world *w, int version, const char *name, const char *what,
                     struct error *err)
{
    struct test_peer p = {.version = version, .context = SSL_CTX_new(TLS_server_method())};
    struct tls_context *c = world_client_context(w);
    struct stream *s = NULL;
    bool ok;

    choice = what;
    SSL_CTX_set_alpn_select_cb(p.context, choose, NULL);
    EXPECT(test_peer_server(&p, w, w->server, false, wait_for_end));
    ok = world_client_alpn(w, c, name, p.port, slice_text("\1a\2bc"), &s, err) == NET_DONE;
    EXPECT(!ok || slice_equal(tls_protocol(s), slice_text(what ? what : "")));
    EXPECT(!ok || slice_equal(tls_server_name(s), slice_text(offered_name)));
    stream_free(s);
    test_peer_join(&p);
    tls_context_unref(c);
    return ok;
}

TEST(tls_clients_learn_what_the_server_has_chosen)
{
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct tls_world w;
    struct error err = {0};

    CHECK(tls_world_begin(&w));
    for (size_t i = 0; i < ARRAY_COUNT(versions); i++) {
        CHECK(connects(&w, versions[i], "localhost", "bc", &err));
        CHECK_TEXT(offered_list, "\1a\2bc");
        CHECK_TEXT(offered_name, "localhost");
        CHECK(connects(&w, versions[i], "127.0.0.1", "a", &err));
        CHECK_TEXT(offered_name, ""); /* addresses are not sent */
        CHECK(connects(&w, versions[i], "localhost", NULL, &err));
        /* What was not offered cannot be chosen. */
        CHECK(!connects(&w, versions[i], "localhost", "b", &err));
        CHECK_TEXT(err.text, "TLS handshake: bad extension");
    }
    tls_world_end(&w);
}
