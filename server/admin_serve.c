/* A thread that answers `revhookd admin`, one client after the other.
 *
 * Owns: the admin socket. Happy path: a client that runs as our user sends a
 * request; a look reads the store; a change goes to the writer, is waited for, and then the API's
 * thread takes in what has changed, so that by the time of the answer it counts.
 *
 * Failure modes: somebody else is told so and let go; a client that is slow to ask, or to take its
 * answer, is let go after a time; a store that cannot commit is service_unavailable. Refuses: to
 * write the store itself, and to be quick. */
#define _GNU_SOURCE /* accept4 */
#include "server/admin_serve.h"

#include "dispatcher/hook.h"
#include "dispatcher/log.h"
#include "dispatcher/thread.h"
#include "server/admin.h"
#include "server/admin_socket.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct admin_server {
    struct admin_server_options options;
    pthread_t thread;
    int stop; /* an eventfd */
    sem_t done;
};

/* ---- changes ---- */

struct change {
    struct admin_call call; /* first */
    struct admin_server *server;
};

static void change_done(struct dispatch_call *call)
{
    sem_post(&((struct change *)call)->server->done);
}

struct refresh {
    struct http_job job; /* first */
    struct admin_server *server;
};

static void refresh(struct http_job *job)
{
    struct admin_server *server = ((struct refresh *)job)->server;
    struct api *api = server->options.api;
    if (!tenants_load(&api->tenants, api->reader))
        LOG(fault, LOG_TEXT("where", "organisations and tokens"),
            LOG_TEXT("error", store_reader_error(api->reader)));
    sem_post(&server->done);
}

static void run_change(struct admin_server *server, struct change *change)
{
    struct admin_call *call = &change->call;
    struct refresh job = {{refresh, NULL}, server};
    change->server = server;
    call->store.call.done = change_done;
    dispatch_store(server->options.dispatch, &call->store);
    thread_wait(&server->done);
    if (call->store.call.result != DISPATCH_OK) {
        error_plain(&call->refused, ERROR_service_unavailable,
                    "the store cannot take this now; nothing has changed");
        admin_call_refuse(call);
    }
    if (call->is_refused)
        return;
    http_post(server->options.http, &job.job);
    thread_wait(&server->done);
    LOG(admin, LOG_TEXT("group", call->operation->group), LOG_TEXT("verb", call->operation->verb),
        LOG_TEXT("id", call->changed));
}

/* ---- clients ---- */

/* The reader is opened for each look: they are rare, and a connection kept open costs memory. */
static void run_look(struct admin_server *server, struct admin_call *call)
{
    char error[512] = "";
    struct store_reader *reader = store_reader_open(server->options.store, error, sizeof(error));
    const char *why = reader == NULL ? error : NULL;
    if (reader != NULL &&
        call->operation->list(call, reader, clock_now(server->options.clock)) != STORE_OK)
        why = store_reader_error(reader);
    if (why != NULL) {
        LOG(fault, LOG_TEXT("where", "admin"), LOG_TEXT("error", why));
        error_plain(&call->refused, ERROR_service_unavailable, "the store cannot be read now");
        admin_call_refuse(call);
    }
    if (reader != NULL)
        store_reader_close(reader);
}

static void carry_out(struct admin_server *server, struct text request, struct json_out *answer)
{
    struct change change = {.server = server};
    struct admin_call *call = &change.call;
    admin_call_begin(call, request, server->options.config);
    call->keys = server->options.keys;
    if (!call->is_refused && call->operation->apply != NULL)
        run_change(server, &change);
    else if (!call->is_refused)
        run_look(server, call);
    admin_call_end(call);
    *answer = call->out;
}

static void refuse_stranger(struct json_out *answer)
{
    struct error error;
    error_plain(&error, ERROR_forbidden, "only the user that the service runs as, and root, may");
    json_out_object(answer);
    json_out_key(answer, "error");
    error_render(answer, &error);
    json_out_object_end(answer);
}

static void serve(struct admin_server *server, int connection)
{
    const struct admin_wait wait = {ADMIN_PATIENCE_MS, server->stop};
    struct json_out request = {0}, answer = {0};
    /* A stranger's request is read, too: he would see a reset instead of the answer. */
    if (admin_socket_read(connection, &request, ADMIN_REQUEST_BYTES_MAX, wait)) {
        if (admin_socket_is_ours(connection))
            carry_out(server, (struct text){request.at, request.bytes}, &answer);
        else
            refuse_stranger(&answer);
        admin_socket_write(connection, (struct text){answer.at, answer.bytes}, wait);
    }
    if (answer.bytes > 0)
        explicit_bzero(answer.at, answer.bytes); /* a token may stand in it */
    json_out_free(&answer);
    json_out_free(&request);
    close(connection);
}

static void *run(void *data)
{
    struct admin_server *server = data;
    struct pollfd wanted[] = {{.fd = server->options.listener, .events = POLLIN},
                              {.fd = server->stop, .events = POLLIN}};
    for (;;) {
        if (poll(wanted, 2, -1) < 0)
            continue; /* a signal */
        if (wanted[1].revents != 0)
            return NULL;
        int connection = accept4(server->options.listener, NULL, NULL, SOCK_CLOEXEC);
        if (connection >= 0)
            serve(server, connection);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            poll(&wanted[1], 1, 100); /* no descriptor is left; some will be */
    }
}

/* ---- life ---- */

static void free_server(struct admin_server *server)
{
    if (server->stop >= 0)
        close(server->stop);
    close(server->options.listener);
    admin_socket_remove(server->options.config->data);
    sem_destroy(&server->done);
    free(server);
}

struct admin_server *admin_server_start(const struct admin_server_options *options, char *error,
                                        size_t error_bytes)
{
    struct admin_server *server = hook_alloc(sizeof(*server));
    server->options = *options;
    sem_init(&server->done, 0, 0);
    server->stop = eventfd(0, EFD_CLOEXEC);
    if (server->stop < 0)
        snprintf(error, error_bytes, "cannot set up the admin socket: %s", strerror(errno));
    else if (thread_start(&server->thread, run, server, "the admin socket", error, error_bytes))
        return server;
    free_server(server);
    return NULL;
}

void admin_server_stop(struct admin_server *server)
{
    const uint64_t one = 1;
    while (write(server->stop, &one, sizeof(one)) < 0 && errno == EINTR)
        continue;
    pthread_join(server->thread, NULL);
    free_server(server);
}
