/* POSTs to a host that has a name. The system's resolver is replaced: it answers 127.0.0.1 for
 * every name, but only when a test lets it, so that libcurl always has to wait for it. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "dispatcher/sender.h"
#include "dispatcher/thread.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define TIMEOUT_MS 2000

static sem_t asked, may_answer;

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    (void)host;
    sem_post(&asked);
    thread_wait(&may_answer);
    return real("127.0.0.1", service, hints, found);
}

/* The other end of a connection, which libcurl asks for as soon as it is made: it may be gone by
 * then. */
static bool nobody_there;

int getpeername(int fd, struct sockaddr *restrict address, socklen_t *restrict bytes)
{
    int (*real)(int, struct sockaddr *, socklen_t *);
    *(void **)&real = dlsym(RTLD_NEXT, "getpeername");
    if (!nobody_there)
        return real(fd, address, bytes);
    errno = ENOTCONN;
    return -1;
}

/* ---- a receiver that says 200 to every request, on as many connections as come ---- */

static void *serve(void *argument)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    int fd = (int)(intptr_t)argument;
    char request[4096];
    size_t bytes = 0;
    for (ssize_t got; (got = recv(fd, request + bytes, sizeof(request) - bytes, 0)) > 0;) {
        bytes += (size_t)got;
        if (bytes < 4 || memcmp(request + bytes - 4, "{\"\"}", 4) != 0) /* the body's end */
            continue;
        (void)!write(fd, answer, sizeof(answer) - 1);
        bytes = 0;
    }
    close(fd);
    return NULL;
}

static void *receive(void *argument)
{
    int listener = *(int *)argument, fd;
    pthread_t threads[16];
    unsigned count = 0;
    while (count < 16 && (fd = accept(listener, NULL, NULL)) >= 0)
        assert_int_equal(pthread_create(&threads[count++], NULL, serve, (void *)(intptr_t)fd), 0);
    while (count > 0)
        pthread_join(threads[--count], NULL);
    return NULL;
}

struct world {
    int listener;
    unsigned port;
    pthread_t receiver;
    struct egress_policy egress;
    struct sender_options options;
    struct sender *sender;
};

static int set_up(void **state)
{
    static struct world world;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(address);
    char error[256];
    sem_init(&asked, 0, 0);
    sem_init(&may_answer, 0, 0);
    world.listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(world.listener, (struct sockaddr *)&address, bytes), 0);
    assert_int_equal(listen(world.listener, 16), 0);
    assert_int_equal(getsockname(world.listener, (struct sockaddr *)&address, &bytes), 0);
    world.port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&world.receiver, NULL, receive, &world.listener), 0);
    world.egress = (struct egress_policy){.allow_loopback = true, .allow_http = true};
    world.options = (struct sender_options){.timeout_ms = TIMEOUT_MS,
                                            .response_bytes_max = 4096,
                                            .egress = &world.egress,
                                            .user_agent = "test",
                                            .ca_file = ""};
    world.sender = sender_new(&world.options, error, sizeof(error));
    assert_non_null(world.sender);
    *state = &world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    sender_free(world->sender);
    shutdown(world->listener, SHUT_RDWR);
    pthread_join(world->receiver, NULL);
    close(world->listener);
    return 0;
}

static struct post *start(struct world *world, const char *host)
{
    char target[128];
    snprintf(target, sizeof(target), "http://%s:%u/", host, world->port);
    struct create_call call = {.url = target, .target = target, .secret = "secret"};
    struct post *post = sender_post_new(world->sender);
    post->config = webhook_config_new(&call, "webhook");
    assert_non_null(post->config);
    memcpy(post_body(post, 4), "{\"\"}", 4);
    post->body_bytes = 4;
    sender_start(world->sender, post);
    return post;
}

static struct post *wait_for_end(struct world *world)
{
    struct post *ended;
    while (!(ended = sender_wait(world->sender, -1)))
        continue;
    return ended;
}

static void must_be_acknowledged(struct world *world, struct post *post)
{
    assert_ptr_equal(wait_for_end(world), post);
    assert_int_equal(post->facts.outcome, OUTCOME_acknowledged);
    sender_post_free(world->sender, post);
}

/* libcurl learns through a descriptor of its own that the name has been looked up, closes it, and
 * the connection gets its number: it must be watched all the same. The second POST, on the same
 * connection, has no timer but the time limit that would look at it anyway. */
static void a_name_that_took_a_while_to_look_up_costs_no_attempt(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 4; i++) {
        char host[32];
        snprintf(host, sizeof(host), "receiver-%d.test", i); /* looked up anew */
        struct post *post = start(world, host);
        while (sem_trywait(&asked) != 0)
            assert_null(sender_wait(world->sender, 1));
        assert_null(sender_wait(world->sender, 0)); /* libcurl waits for its descriptor now */
        sem_post(&may_answer);
        must_be_acknowledged(world, post);
        must_be_acknowledged(world, start(world, host));
    }
}

static void a_name_that_is_never_found_ends_in_time(void **state)
{
    struct world *world = *state;
    struct post *post = start(world, "silent.test");
    while (sem_trywait(&asked) != 0)
        assert_null(sender_wait(world->sender, 1));
    assert_ptr_equal(wait_for_end(world), post);
    assert_int_equal(post->facts.outcome, OUTCOME_timeout);
    assert_in_range(post->facts.duration_ms, TIMEOUT_MS, TIMEOUT_MS + 100);
    sender_post_free(world->sender, post);
    sem_post(&may_answer); /* the look-up that was left behind */
}

/* A listener whose queue is full does not answer: connections to it hang as those to a host that is
 * gone do. */
static void a_connection_that_is_never_made_ends_in_time(void **state)
{
    struct world *world = *state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(address);
    int queue[64], count = 0, listener = socket(AF_INET, SOCK_STREAM, 0);
    struct pollfd made = {.events = POLLOUT};
    assert_int_equal(bind(listener, (struct sockaddr *)&address, bytes), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &bytes), 0);
    do {
        assert_in_range(count, 0, 63);
        made.fd = queue[count++] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(made.fd, (struct sockaddr *)&address, bytes);
    } while (poll(&made, 1, 300) > 0);
    world->port = ntohs(address.sin_port);
    struct post *post = start(world, "127.0.0.1");
    assert_ptr_equal(wait_for_end(world), post);
    assert_int_equal(post->facts.outcome, OUTCOME_timeout);
    assert_true(post->facts.duration_ms >= TIMEOUT_MS);
    sender_post_free(world->sender, post);
    while (count > 0)
        close(queue[--count]);
    close(listener);
}

/* It was made, so its address was allowed. */
static void a_connection_that_is_gone_at_once_was_reset(void **state)
{
    struct world *world = *state;
    nobody_there = true;
    struct post *post = start(world, "127.0.0.1");
    assert_ptr_equal(wait_for_end(world), post);
    nobody_there = false;
    assert_int_equal(post->facts.outcome, OUTCOME_connection_reset);
    sender_post_free(world->sender, post);
}

/* It gives back what it has taken until then, and no descriptor of anybody else. */
static void without_its_authorities_there_is_no_sender(void **state)
{
    struct sender_options options = {.user_agent = "test", .ca_file = "/nonexistent/ca.pem"};
    char error[256] = "";
    (void)state;
    if (fcntl(0, F_GETFD) == -1)
        assert_int_equal(open("/dev/null", O_RDONLY), 0);
    assert_null(sender_new(&options, error, sizeof(error)));
    assert_non_null(strstr(error, "/nonexistent/ca.pem"));
    assert_int_not_equal(fcntl(0, F_GETFD), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_name_that_took_a_while_to_look_up_costs_no_attempt,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_name_that_is_never_found_ends_in_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_connection_that_is_never_made_ends_in_time, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_connection_that_is_gone_at_once_was_reset, set_up,
                                        tear_down),
        cmocka_unit_test(without_its_authorities_there_is_no_sender),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
