/* The sender, and every block of memory that it may not get, libcurl's and OpenSSL's among them.
 *
 * Method. A sender makes three POSTs to a receiver on 127.0.0.1, the last of which finds its
 * connection closed; in the n-th run the n-th block that anything in the process asks for meanwhile
 * is refused (everywhere.c), n = 1, 2, 3 ... until a run asks for fewer. Each run is a program of
 * its own. Every run must either end with an outcome of each POST, or stop because memory was
 * short, saying so; no other death, no hanging.
 *
 * Command: build/tests/fail_sender. Prints `N of N injected`, at last `N passed, N failed`. */
#include "dispatcher/sender.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMEOUT_MS 2000
#define POSTS      3
#define RUN_S      20
#define RUNS_MAX   5000

/* ---- one run: a program of its own ---- */

/* Answers on the first connection twice and closes it, on every other once. */
static void *receive(void *argument)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    int listener = *(int *)argument;
    for (int connection = 0;; connection++) {
        char request[4096];
        int fd = accept(listener, NULL, NULL), answers = connection == 0 ? 2 : 1;
        size_t bytes = 0;
        for (ssize_t got;
             answers > 0 && (got = recv(fd, request + bytes, sizeof(request) - bytes, 0)) > 0;) {
            bytes += (size_t)got;
            if (bytes < 4 || memcmp(request + bytes - 4, "{\"\"}", 4) != 0) /* the body's end */
                continue;
            (void)!write(fd, answer, sizeof(answer) - 1);
            bytes = 0;
            answers--;
        }
        close(fd);
    }
    return NULL;
}

static bool post_once(struct sender *sender, struct webhook_config *config)
{
    struct post *post = sender_post_new(sender), *ended;
    post->config = config;
    memcpy(post_body(post, 4), "{\"\"}", 4);
    post->body_bytes = 4;
    sender_start(sender, post);
    while (!(ended = sender_wait(sender, -1)))
        continue;
    bool good = ended == post && post->facts.outcome != OUTCOME_timeout;
    sender_post_free(sender, ended);
    return good;
}

static int run(void)
{
    static const struct egress_policy egress = {.allow_loopback = true, .allow_http = true};
    static const struct sender_options options = {.timeout_ms = TIMEOUT_MS,
                                                  .response_bytes_max = 4096,
                                                  .egress = &egress,
                                                  .user_agent = "test",
                                                  .ca_file = ""};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(address);
    char error[256], target[64];
    pthread_t receiver;
    struct webhook_config *configs[POSTS];
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&address, bytes) != 0 || listen(listener, 16) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &bytes) != 0 ||
        pthread_create(&receiver, NULL, receive, &listener) != 0)
        return 3;
    snprintf(target, sizeof(target), "http://127.0.0.1:%u/", ntohs(address.sin_port));
    struct create_call call = {.url = target, .target = target, .secret = "secret"};
    for (int i = 0; i < POSTS; i++)
        configs[i] = webhook_config_new(&call, "webhook");
    struct sender *sender = sender_new(&options, error, sizeof(error));
    if (sender == NULL)
        return 3;
    raise(SIGUSR2); /* from here on */
    for (int i = 0; i < POSTS; i++)
        if (!post_once(sender, configs[i]))
            return 4;
    return 0;
}

/* ---- the loop ---- */

/* What became of a run that was refused block `n`; what it said goes to `said`. */
static int try_without(const char *program, unsigned n, char *said, size_t room)
{
    char block[16];
    int ends[2], status;
    size_t bytes = 0;
    snprintf(block, sizeof(block), "%u", n);
    if (pipe(ends) != 0)
        abort();
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        setenv("FAIL_BLOCK", block, 1);
        setenv("FAIL_WHEN", "signal", 1);
        alarm(RUN_S); /* it must not hang */
        execl(program, program, "--run", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    for (ssize_t got;
         bytes < room - 1 && (got = read(ends[0], said + bytes, room - 1 - bytes)) > 0;)
        bytes += (size_t)got;
    said[bytes] = '\0';
    close(ends[0]);
    waitpid(pid, &status, 0);
    return status;
}

int main(int argc, char **argv)
{
    static char said[65536];
    unsigned injected = 0, stopped = 0, failed = 0;
    if (argc > 1)
        return run();
    for (unsigned n = 1; n < RUNS_MAX; n++) {
        int status = try_without(argv[0], n, said, sizeof(said));
        bool refused = strstr(said, "refused block") != NULL;
        bool aborted =
            WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && strstr(said, "memory") != NULL;
        injected += refused;
        stopped += aborted;
        if (!aborted && status != 0) {
            failed++;
            printf("block %u: status %#x\n%s\n", n, (unsigned)status, said);
        }
        if (!refused)
            break;
    }
    printf("%u of %u injected, %u stopped and said so\n", injected, injected, stopped);
    failed += injected < 10; /* nothing was tried */
    printf("%d passed, %u failed\n", failed == 0, failed);
    fflush(stdout);
    _exit(failed == 0 ? 0 : 1); /* without everywhere.c's last word */
}
