/* A mailbox: what threads hand to each other, whole lists at a time.
 *
 * Owns: a list of mails, its lock, and the descriptor that wakes its one reader. Refuses: to bound
 * itself; what goes in is bounded where it is made (requests by connections, outcomes by what may
 * be in flight). A wake costs a system call, so it happens only when the mailbox was empty. */
#ifndef REVHOOK_DISPATCHER_MAILBOX_H
#define REVHOOK_DISPATCHER_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* The head of everything that is sent; first member of its struct. */
struct mail {
    struct mail *next;
    uint8_t kind; /* enum mail_kind, dispatcher/mail.h */
};

struct mailbox {
    pthread_mutex_t lock;
    struct mail *head, *tail;
    int wake_fd; /* written whenever mails come into an empty mailbox */
};

/* Makes a mailbox; false for want of descriptors. */
bool mailbox_init(struct mailbox *mailbox);
void mailbox_destroy(struct mailbox *mailbox);

/* Sends `mail`, which is the reader's from now on. Any thread. */
void mailbox_send(struct mailbox *mailbox, struct mail *mail);

/* Takes all that wait, oldest first, linked by `next`; NULL if none. No system call. The reader's
 * thread. */
struct mail *mailbox_take(struct mailbox *mailbox);

/* Waits until mails came since the last wait, at most timeout_ms (-1: for ever). The reader's
 * thread; a reader that watches wake_fd by other means needs the edge alone, and never reads it. */
void mailbox_wait(struct mailbox *mailbox, int timeout_ms);

#endif
