/* Everything outside of the service: its client, the receiver, the end of the process and the next
 * start (dispatcher/recover.c, store_recover). */

/* ---- the client: any call, at any time, answered or not ---- */

/* What a call asks: 1 another url or secret, + 2 activate, 4 deactivate, 6 delete. */
inline call(asks)
{
    calls_left--;
    calls_open++;
    if
    :: asks & 1 -> printf("client: updates the url, in one call with what follows\n")
    :: else
    fi;
    if
    :: asks >> 1 == 1 -> printf("client: activates\n")
    :: asks >> 1 == 2 -> printf("client: deactivates\n")
    :: asks >> 1 == 3 -> printf("client: deletes\n")
    :: else
    fi;
    MUST(CODE, nfull(to_sender));
    to_sender ! CALL, asks, 0
}

proctype client()
{
    byte asks;
end:
    do
    :: d_step {
           published < EVENTS ->
           printf("client: publishes event %d\n", published);
           calls_open++;
           MUST(CODE, nfull(to_writer));
           to_writer ! PUBLISH, published, NOBODY, 0, 0;
           published++
       }
    :: atomic {
           calls_left > 0 ->
           if
           :: asks = 1
           :: asks = 2
           :: asks = 3
           :: asks = 4
           :: asks = 5
           :: asks = 6
           fi;
           d_step { call(asks); asks = 0 }
       }
    od
}

/* ---- the receiver: answers in time, or not ----
 *
 * Every miss looks the same to the core, so the model keeps the nastiest: a 2xx after 3 seconds. */

inline answer(d, how)
{
    printf("receiver: POST of delivery %d: %e\n", d, how);
    wire[d] = how;
    acknowledged[d] = acknowledged[d] | (how == ANSWERED_2XX)
}

inline answer_verify(n, how)
{
    verify_wire[n] = how;
    if
    :: how == ANSWERED_ECHO -> echoes = echoes | 1 << verify_generation[n]
    :: else
    fi
}

proctype receiver()
{
    byte d;
end:
    do
    :: atomic {
           wire[0] == ON_WIRE || wire[1] == ON_WIRE ->
           if
           :: wire[0] == ON_WIRE -> d = 0
           :: wire[1] == ON_WIRE -> d = 1
           fi;
           if
           :: answer(d, ANSWERED_2XX)
           :: answer(d, ANSWERED_LATE)
           fi;
           d = 0
       }
    :: atomic {
           verify_wire[0] == ON_WIRE || verify_wire[1] == ON_WIRE ->
           if
           :: verify_wire[0] == ON_WIRE -> d = 0
           :: verify_wire[1] == ON_WIRE -> d = 1
           fi;
           if
           :: answer_verify(d, ANSWERED_ECHO)
           :: answer_verify(d, ANSWERED_OTHER)
           fi;
           d = 0
       }
    od
}

/* ---- the end of the process, and the next start ---- */

inline forget_all()
{
    do
    :: nempty(to_sender) -> to_sender ? _, _, _
    :: empty(to_sender) -> break
    od;
    do
    :: nempty(to_writer) -> to_writer ? _, _, _, _, _
    :: empty(to_writer) -> break
    od;
    do
    :: nempty(line) -> line ? _
    :: empty(line) -> break
    od;
    calls_open = 0;
    blamed = 0;
    writer_stage = IDLE;
    changing = 0;
    command = 0;
    echoed = 0;
    fx = 0;
    settle = NOBODY;
    except = 0;
    refilling = 0;
    stale = 0;
    frontier = 0;
    proposed.state = NOBODY;
    proposed.generation = 0;
    proposed.verified = 0;
    proposed.failures = 0;
    proposed.window = 0;
    proposed.verifies = 0;
    i = 0;
    do
    :: i < DELIVERIES ->
        forget(i);
        wire[i] = NO_POST;
        acknowledged[i] = 0;
        verify_wire[i] = NO_POST;
        verify_generation[i] = 0;
        verify_current[i] = 0;
        i++
    :: else -> break
    od
}

/* Reads the store: recover.c, and store_recover, which ends what a deleted webhook left open. */
inline recover_read()
{
#ifndef MUTANT_FORGET_DELETED
    if
    :: stored.state == WEBHOOK_DELETED -> store_settle(DELIVERY_DROPPED, 0)
    :: else
    fi;
#endif
#ifdef MUTANT_RECOVERY_COUNTS
    if
    :: OPEN(0) -> rows[0].attempts++
    :: else
    fi;
#endif
    present = (stored.state != WEBHOOK_DELETED);
    if
    :: present ->
        copy_status(known, stored);
        spilled = (OPEN(0) || OPEN(1))
    :: else -> forget_known(); spilled = 0
    fi
}

/* EVENT_WEBHOOK: core.c add_webhook, webhook_settle_rest, backlog_want. */
inline recover_go()
{
    if
#ifndef MUTANT_NO_SETTLE_REST
    :: present && spilled && WEBHOOK_ENDS(known) != NOBODY ->
        begin_change(0);
        fx = FX_SETTLE;
        settle = WEBHOOK_ENDS(known);
        send_change()
#endif
    :: else -> backlog_want()
    fi;
    flush()
}

/* POSTs under way, or ended and not recorded, are lost: at most one a delivery. */
inline count_overlap(d)
{
    if
    :: posts[d] > rows[d].attempts + overlaps[d] -> overlaps[d]++
    :: else
    fi;
    MUST(S3, posts[d] == rows[d].attempts + overlaps[d])
}

#define SAME_AS_BEFORE \
    (was.state == known.state && was.generation == known.generation && \
     was.verified == known.verified && was.failures == known.failures && \
     was.window == known.window && was.verifies == known.verifies && was_spilled == spilled && \
     was_open == ROWS)
#define ROWS \
    (OPEN(0) + 2 * OPEN(1) + 4 * rows[0].attempts + 32 * rows[1].attempts)

inline crash_and_start()
{
    crashes_left--;
    printf("crash, and the next start\n");
    count_overlap(0);
    count_overlap(1);
    MUST(S14, (!told[0] || rows[0].state != ABSENT) && (!told[1] || rows[1].state != ABSENT));
#ifdef MUTANT_REDO_OUTCOME
    if
    :: writer_stage == DONE -> PEEK
    :: else -> what = 0
    fi;
    forget_all();
    if
    :: what & RECORD -> to_writer ! RECORD, mail_d, mail_to, mail_due, 0
    :: else
    fi;
    clear_mail();
#else
    forget_all();
#endif
    recover_read();
    copy_status(was, known); /* and once more, as if it had crashed before its first commit */
    was_spilled = spilled;
    was_open = ROWS;
    recover_read();
    MUST(S20, SAME_AS_BEFORE);
    recover_go()
}

proctype crash()
{
end:
    do
    :: d_step { crashes_left > 0 -> crash_and_start() }
    od
}
