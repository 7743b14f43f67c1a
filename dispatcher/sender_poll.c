/* The event loop around libcurl: epoll, curl_multi_socket_action, timers.
 *
 * Owns: which descriptors are watched for what, and when libcurl is called. Refuses: to know what
 * is sent.
 *
 * Two things make it cheap. libcurl looks through all connections of a multi for one to use again,
 * so webhooks are spread over several multis by key. And a connection that becomes idle stays
 * registered for reading: to take it out and put it in again around every request would cost two
 * system calls each; if an idle one does become readable (the receiver closes it), it is taken out
 * then, and libcurl notices when it looks at the connection next. Descriptors that libcurl opens
 * for itself (it learns through one that a name has been looked up) do not stay: nobody tells when
 * they are closed, and the next connection may get the same number.
 *
 * Failure modes: libcurl that is refused memory within a multi does not know its own state any more
 * (7.88 keeps a socket whose table of transfers is gone, and divides by its size, 0, at the next
 * event of it). So the program stops there, as it does when its own bookkeeping finds no memory
 * (hook.h). What is refused elsewhere libcurl reports, and it costs an attempt or a request. */
#include "dispatcher/sender_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_MAX            256
#define SERVE_MS_MAX          2
#define CONNECTIONS_PER_SHARD 2048L /* kept open for reuse */

/* ---- memory ---- */

static _Thread_local bool in_multi;

static void *given(void *memory)
{
    if (!memory && in_multi)
        hook_out_of_memory();
    return memory;
}

static void *give(size_t bytes)
{
    return given(malloc(bytes));
}

static void *give_zeroed(size_t count, size_t bytes)
{
    return given(calloc(count, bytes));
}

static void *give_more(void *memory, size_t bytes)
{
    return given(realloc(memory, bytes));
}

static char *give_copy(const char *text)
{
    return given(strdup(text));
}

void sender_set_up_libcurl(void)
{
    curl_global_init_mem(CURL_GLOBAL_DEFAULT, give, free, give_more, give_copy, give_zeroed);
}

static void act(struct shard *shard, curl_socket_t fd, int what)
{
    int running;
    in_multi = true;
    curl_multi_socket_action(shard->multi, fd, what, &running);
    in_multi = false;
}

static void add_handle(struct shard *shard, CURL *easy)
{
    in_multi = true;
    curl_multi_add_handle(shard->multi, easy);
    in_multi = false;
}

static void remove_handle(struct shard *shard, CURL *easy)
{
    in_multi = true;
    curl_multi_remove_handle(shard->multi, easy);
    in_multi = false;
}

/* ---- what is watched ---- */

static struct watched_fd *watched(struct sender *sender, int fd)
{
    if ((size_t)fd >= sender->fds_count) {
        size_t count = sender->fds_count ? sender->fds_count : 64;
        while ((size_t)fd >= count)
            count *= 2;
        sender->fds = hook_grow(sender->fds, count * sizeof(sender->fds[0]));
        memset(sender->fds + sender->fds_count, 0,
               (count - sender->fds_count) * sizeof(sender->fds[0]));
        sender->fds_count = count;
    }
    return &sender->fds[fd];
}

static void watch(struct sender *sender, int fd, uint32_t events)
{
    struct watched_fd *entry = watched(sender, fd);
    if (entry->registered == events)
        return;
    struct epoll_event event = {.events = events, .data.fd = fd};
    epoll_ctl(sender->epoll_fd, entry->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    entry->registered = events;
}

static void unwatch(struct sender *sender, int fd)
{
    struct watched_fd *entry = watched(sender, fd);
    if (entry->registered)
        epoll_ctl(sender->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    entry->registered = 0;
    entry->shard = NULL;
}

void sender_own_fd(struct sender *sender, int fd)
{
    watched(sender, fd)->own = true;
}

void sender_forget_fd(struct sender *sender, int fd)
{
    unwatch(sender, fd);
    watched(sender, fd)->own = false;
}

/* ---- what libcurl asks for ---- */

/* Watch this socket for that. */
static int socket_changed(CURL *easy, curl_socket_t fd, int what, void *context, void *per_socket)
{
    struct shard *shard = context;
    (void)easy;
    (void)per_socket;
    if (what == CURL_POLL_REMOVE) {
        if (watched(shard->sender, fd)->own)
            watched(shard->sender, fd)->shard = NULL; /* idle; stays registered */
        else
            unwatch(shard->sender, fd);
        return 0;
    }
    uint32_t events = 0;
    if (what & CURL_POLL_IN)
        events |= EPOLLIN;
    if (what & CURL_POLL_OUT)
        events |= EPOLLOUT;
    watched(shard->sender, fd)->shard = shard;
    watch(shard->sender, fd, events);
    return 0;
}

/* Call me then. */
static int timer_changed(CURLM *multi, long timeout_ms, void *context)
{
    struct shard *shard = context;
    (void)multi;
    shard->wake_at_ms = timeout_ms < 0 ? -1 : clock_span_ms() + timeout_ms;
    return 0;
}

/* ---- what is under way ---- */

static struct shard *shard_of(struct sender *sender, const struct post *post)
{
    return &sender->shards[((uint64_t)post->webhook * UINT64_C(0x9e3779b97f4a7c15) >> 40) % SHARDS];
}

void sender_add(struct sender *sender, struct post *post)
{
    post->prev_active = NULL;
    post->next_active = sender->active;
    if (sender->active)
        sender->active->prev_active = post;
    sender->active = post;
    add_handle(shard_of(sender, post), post->easy);
}

static void leave_active(struct sender *sender, struct post *post)
{
    if (post->prev_active)
        post->prev_active->next_active = post->next_active;
    else
        sender->active = post->next_active;
    if (post->next_active)
        post->next_active->prev_active = post->prev_active;
}

static void collect(struct sender *sender, struct shard *shard)
{
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(shard->multi, &left));) {
        if (message->msg != CURLMSG_DONE)
            continue;
        struct post *post;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &post);
        remove_handle(shard, post->easy);
        leave_active(sender, post);
        sender_ended(post, code);
        post->next = NULL;
        *sender->ended_tail = post;
        sender->ended_tail = &post->next;
    }
}

/* ---- the loop ---- */

static int wait_ms(const struct sender *sender, int timeout_ms)
{
    int64_t now_ms = clock_span_ms();
    for (int i = 0; i < SHARDS; i++) {
        int64_t at_ms = sender->shards[i].wake_at_ms;
        if (at_ms < 0)
            continue;
        int64_t left_ms = at_ms > now_ms ? at_ms - now_ms : 0;
        if (timeout_ms < 0 || left_ms < timeout_ms)
            timeout_ms = (int)left_ms;
    }
    return timeout_ms;
}

static void handle(struct sender *sender, const struct epoll_event *event, bool touched[SHARDS])
{
    int fd = event->data.fd;
    struct shard *shard = (size_t)fd < sender->fds_count ? sender->fds[fd].shard : NULL;
    if (!shard) {
        if ((size_t)fd < sender->fds_count && sender->fds[fd].registered)
            unwatch(sender, fd); /* an idle connection: closed by the receiver, most likely */
        return;                  /* or the loop's own descriptor, which it looks at itself */
    }
    int what = (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR) ? CURL_CSELECT_IN : 0) |
               (event->events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
               (event->events & EPOLLERR ? CURL_CSELECT_ERR : 0);
    act(shard, fd, what);
    touched[shard - sender->shards] = true;
}

/* Tells libcurl of the shards whose time has come. Attempts that began together end together, and
 * hundreds of them take libcurl a while; after SERVE_MS_MAX the other shards wait for the next
 * round, so that what receivers have answered meanwhile does not wait for all of them. */
static void serve_timeouts(struct sender *sender, bool touched[SHARDS])
{
    int64_t began_ms = clock_span_ms(), now_ms = began_ms;
    unsigned first = sender->first_shard;
    for (unsigned n = 0; n < SHARDS && now_ms - began_ms < SERVE_MS_MAX; n++) {
        unsigned i = (first + n) % SHARDS;
        struct shard *shard = &sender->shards[i];
        if (shard->wake_at_ms < 0 || shard->wake_at_ms > now_ms)
            continue;
        shard->wake_at_ms = -1;
        act(shard, CURL_SOCKET_TIMEOUT, 0);
        touched[i] = true;
        sender->first_shard = i + 1;
        now_ms = clock_span_ms();
    }
}

struct post *sender_wait(struct sender *sender, int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];
    bool touched[SHARDS] = {false};
    sender->ended = NULL;
    sender->ended_tail = &sender->ended;
    int count = epoll_wait(sender->epoll_fd, events, EVENTS_MAX, wait_ms(sender, timeout_ms));
    for (int i = 0; i < count; i++)
        handle(sender, &events[i], touched);
    serve_timeouts(sender, touched);
    for (int i = 0; i < SHARDS; i++)
        if (touched[i])
            collect(sender, &sender->shards[i]);
    return sender->ended;
}

struct post *sender_cut_off(struct sender *sender)
{
    struct post *post = sender->active;
    if (!post)
        return NULL;
    remove_handle(shard_of(sender, post), post->easy);
    leave_active(sender, post);
    return post;
}

bool sender_watch(struct sender *sender, int fd)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = fd};
    return epoll_ctl(sender->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

bool sender_poll_init(struct sender *sender, char *error, size_t error_bytes)
{
    sender->ended_tail = &sender->ended;
    sender->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    bool ready = sender->epoll_fd >= 0;
    for (int i = 0; i < SHARDS; i++) {
        struct shard *shard = &sender->shards[i];
        shard->sender = sender;
        shard->wake_at_ms = -1;
        shard->multi = curl_multi_init();
        ready =
            ready && shard->multi &&
            curl_multi_setopt(shard->multi, CURLMOPT_SOCKETFUNCTION, socket_changed) == CURLM_OK &&
            curl_multi_setopt(shard->multi, CURLMOPT_SOCKETDATA, shard) == CURLM_OK &&
            curl_multi_setopt(shard->multi, CURLMOPT_TIMERFUNCTION, timer_changed) == CURLM_OK &&
            curl_multi_setopt(shard->multi, CURLMOPT_TIMERDATA, shard) == CURLM_OK &&
            curl_multi_setopt(shard->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_PER_SHARD) ==
                CURLM_OK;
    }
    if (!ready)
        snprintf(error, error_bytes, "cannot set up libcurl: %s", strerror(errno));
    return ready;
}

void sender_poll_close(struct sender *sender)
{
    for (int i = 0; i < SHARDS; i++)
        curl_multi_cleanup(sender->shards[i].multi);
    if (sender->epoll_fd >= 0)
        close(sender->epoll_fd);
}
