/* Mailboxes, see mailbox.h. A mutex around a list: the lock is held for a few instructions, and
 * taking everything at once means that a busy reader takes it once for many mails. */
#include "dispatcher/mailbox.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <unistd.h>

bool mailbox_init(struct mailbox *mailbox)
{
    *mailbox = (struct mailbox){.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    return mailbox->wake_fd >= 0 && pthread_mutex_init(&mailbox->lock, NULL) == 0;
}

void mailbox_destroy(struct mailbox *mailbox)
{
    assert(!mailbox->head);
    close(mailbox->wake_fd);
    pthread_mutex_destroy(&mailbox->lock);
}

void mailbox_send(struct mailbox *mailbox, struct mail *mail)
{
    mail->next = NULL;
    pthread_mutex_lock(&mailbox->lock);
    bool was_empty = !mailbox->head;
    if (was_empty)
        mailbox->head = mail;
    else
        mailbox->tail->next = mail;
    mailbox->tail = mail;
    pthread_mutex_unlock(&mailbox->lock);
    if (was_empty) {
        /* Without this the reader would sleep on over the mail. Any other failure means that the
         * counter is full, and then the reader is awake. */
        while (write(mailbox->wake_fd, &(uint64_t){1}, sizeof(uint64_t)) < 0 && errno == EINTR)
            continue;
    }
}

struct mail *mailbox_take(struct mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    struct mail *mails = mailbox->head;
    mailbox->head = mailbox->tail = NULL;
    pthread_mutex_unlock(&mailbox->lock);
    return mails;
}

void mailbox_wait(struct mailbox *mailbox, int timeout_ms)
{
    struct pollfd waiting = {.fd = mailbox->wake_fd, .events = POLLIN};
    uint64_t wakes;
    if (poll(&waiting, 1, timeout_ms) <= 0)
        return;
    /* Before the mails are taken: who sends after that finds the mailbox empty, and writes again.
     */
    ssize_t got = read(mailbox->wake_fd, &wakes, sizeof(wakes));
    (void)got; /* it was readable, and nobody else reads it */
}
