/* The writer: dispatcher/writer*.c with the store. One mail, one transaction.
 *
 * The program puts all mails that wait into one transaction, and if it fails all of them fail. Here
 * each mail commits, or fails, by itself, in the same order: that allows everything that the batch
 * allows, and crashes in between.
 *
 * Two steps a mail: the commit (or its failure), then reports and answers. A crash may come before,
 * between and after. */

/* store_pending_after: open rows behind the frontier, at most REFILL_LIMIT, and whether others
 * follow. */
inline read_behind()
{
    keys = 0;
    more = 0;
    last = (PLACE(rows[1].due, 1) < PLACE(rows[0].due, 0)); /* is 0 the later of the two? */
    i = 0;
    do
    :: i < DELIVERIES ->
        v = (last -> 1 - i : i);
        if
        :: OPEN(v) && PLACE(rows[v].due, v) > frontier && (REFILL_LIMIT > 1 || keys == 0) ->
            keys = keys | 1 << v
        :: OPEN(v) && PLACE(rows[v].due, v) > frontier && !(REFILL_LIMIT > 1 || keys == 0) ->
            more = 1
        :: else
        fi;
        i++
    :: else -> break
    od
}

/* writer_calls.c accept_event, fan_out; `later` is when the first attempt is due. */
inline store_accept(d, later)
{
#ifdef MUTANT_FANOUT_BY_SENDER
    cell = known.state;
#else
    cell = stored.state;
#endif
    if
    :: cell == WEBHOOK_ACTIVE -> rows[d].state = DELIVERY_PENDING; rows[d].due = later
    :: cell == WEBHOOK_DEGRADED -> rows[d].state = DELIVERY_FAILED
    :: else
    fi
}

/* store_record: one terminal record, attempts within the limit, delivered only what was. */
inline store_record()
{
    MUST(S12, OPEN(mail_d));
    MUST(S3, rows[mail_d].attempts < ATTEMPTS);
    MUST(S8, mail_to != DELIVERY_DELIVERED || acknowledged[mail_d]);
    acknowledged[mail_d] = acknowledged[mail_d] && mail_to != DELIVERY_DELIVERED;
    rows[mail_d].attempts++;
    rows[mail_d].state = mail_to;
    rows[mail_d].due = mail_due
}

inline store_settle(how, but)
{
    i = 0;
    do
    :: i < DELIVERIES && OPEN(i) && !(but >> i & 1) ->
        rows[i].state = how;
        rows[i].due = 0;
        i++
    :: i < DELIVERIES && !(OPEN(i) && !(but >> i & 1)) -> i++
    :: i == DELIVERIES -> break
    od;
    i = 0
}

#define ENDS_RIGHT(d) (!OPEN(d) || wire[d] != NO_POST)

/* writer_operations.c change */
inline store_change()
{
    MUST(S15, stored.state != WEBHOOK_DELETED);
    MUST(S16, !proposed.verified || stored.verified || (echoes >> proposed.generation & 1));
    MUST(S16, proposed.state != WEBHOOK_DEGRADED || stored.state != WEBHOOK_ACTIVE ||
                  blamed == proposed.generation);
    blamed = 0;
    copy_status(stored, proposed);
    printf("writer: commits %e, generation %d\n", stored.state, stored.generation);
#ifdef MUTANT_SETTLE_APART
    settle_left = settle;
    except_left = except;
#else
    if
    :: settle != NOBODY -> store_settle(settle, except)
    :: else
    fi;
#endif
    MUST(S13, WEBHOOK_ENDS(stored) == NOBODY || ENDS_RIGHT(0) && ENDS_RIGHT(1))
}

inline store_note()
{
    stored.state = note % NAMES;
    note = note / NAMES;
    stored.generation = note % 8;
    note = note / 8;
    stored.verified = note % 2;
    note = note / 2;
    stored.window = note % 2;
    note = note / 2;
    stored.verifies = note % 4;
    stored.failures = note / 4
}

/* What a mail says, into mail_*: it stays in the mailbox until its transaction is over. */
#define PEEK to_writer ? <what, mail_d, mail_to, mail_due, note>

inline clear_mail()
{
    mail_d = 0;
    mail_to = NOBODY;
    mail_due = 0
}

/* writer.c commit_all, apply */
inline commit(later)
{
    PEEK;
    if
    :: what & PUBLISH ->
        store_accept(mail_d, later);
        MUST(S14, !refused[mail_d]);
        printf("writer: commits event %d, its delivery is %e\n", mail_d, rows[mail_d].state)
    :: else
    fi;
    if
    :: what & RECORD ->
        printf("writer: commits an attempt of delivery %d, which is %e\n", mail_d, mail_to);
        store_record()
    :: else
    fi;
    if
    :: what & CHANGE -> store_change()
    :: else
    fi;
    if
    :: what & NOTE -> store_note()
    :: else
    fi;
    clear_mail();
    writer_stage = DONE
}

/* writer.c committed: reports, then answers. */
inline report()
{
    to_writer ? what, mail_d, mail_to, mail_due, note;
    MUST(CODE, len(to_sender) <= 6);
    if
    :: what & PUBLISH && OPEN(mail_d) -> to_sender ! ACCEPTED, mail_d, 0
    :: else
    fi;
    if
    :: what & CHANGE -> to_sender ! CHANGE_OVER, 1, 0
    :: else
    fi;
    if
    :: what & REFILL -> read_behind(); to_sender ! REFILLED, keys, more
    :: else
    fi;
    if
    :: what & PUBLISH -> answer_publish(mail_d, rows[mail_d].state != ABSENT)
    :: else
    fi;
    clear_mail();
    writer_stage = IDLE
}

inline answer_publish(d, has_delivery)
{
    calls_open--;
    told[d] = has_delivery;
    MUST(S14, !told[d] || rows[d].state != ABSENT)
}

/* writer.c failed, refuse_commands: what a client asked is refused, what a sender tells stays at
 * the head of the line and is tried again. */
inline failed()
{
    failures_left--;
    PEEK;
    printf("writer: a commit fails\n");
    if
    :: what & PUBLISH ->
#ifndef MUTANT_REFUSE_AND_RETRY
        to_writer ? what, mail_d, mail_to, mail_due, note;
#endif
        answer_publish(mail_d, 0);
        refused[mail_d] = 1
    :: (what & CHANGE) && command ->
        to_writer ? what, mail_d, mail_to, mail_due, note;
        to_sender ! CHANGE_OVER, 0, 0
#ifdef MUTANT_DROP_FAILED
    :: else -> to_writer ? what, mail_d, mail_to, mail_due, note
#else
    :: else
#endif
    fi;
    clear_mail()
}

proctype writer()
{
    byte later;
end:
    do
    :: atomic {
           writer_stage == IDLE && nempty(to_writer) ->
           if
           :: later = 0
#if REFILL_LIMIT == 1 /* only where the order of open deliveries matters */
           :: later = 1
#endif
           fi;
           d_step { commit(later); later = 0 }
       }
    :: d_step { writer_stage == IDLE && nempty(to_writer) && failures_left > 0 -> failed() }
    :: d_step { writer_stage == DONE -> report() }
#ifdef MUTANT_PUBLISH_ANSWERED_EARLY
    :: d_step {
           writer_stage == IDLE && to_writer ? [PUBLISH, _, _, _, _] &&
                   stored.state == WEBHOOK_ACTIVE ->
           PEEK;
           told[mail_d] = 1;
           MUST(S14, rows[mail_d].state != ABSENT);
           clear_mail()
       }
#endif
#ifdef MUTANT_SETTLE_APART
    :: d_step {
           settle_left != NOBODY ->
           store_settle(settle_left, except_left);
           settle_left = NOBODY
       }
#endif
    od
}
