/* The sender: dispatcher/loop*.c around dispatcher/core. Each option of `sender` is one core_step
 * with its effects carried out; what it wants committed goes to the writer as one mail.
 *
 * Steps of one round that the program takes together are taken one by one here: more orders, more
 * places for a crash, and all of those of the program among them. */

/* ---- mails: loop.c add_operation, flush_operations ---- */

inline flush()
{
    if
    :: mail_parts != 0 ->
        MUST(CODE, nfull(to_writer));
        to_writer ! mail_parts, mail_d, mail_to, mail_due, mail_note;
        mail_parts = 0;
        mail_d = 0;
        mail_to = NOBODY;
        mail_due = 0;
        mail_note = 0
    :: else
    fi
}

inline want_note()
{
    mail_parts = mail_parts | NOTE;
    mail_note = PACK(known)
}

/* ---- dispatcher/core/backlog.c ---- */

#define BEHIND(d) (spilled && PLACE(memory[d].due, d) > frontier)

/* Takes memory[d] into the queue, or lets it go if it belongs behind the frontier. */
inline backlog_insert(d)
{
    if
    :: BEHIND(d) ->
#ifndef MUTANT_STALE_REFILL
        stale = stale | (refilling && memory[d].attempts > 0);
#endif
        forget(d)
    :: else
    fi
}

inline forget_known()
{
    known.state = NOBODY;
    known.generation = 0;
    known.verified = 0;
    known.failures = 0;
    known.window = 0;
    known.verifies = 0
}

inline forget(d)
{
    memory[d].state = ABSENT;
    memory[d].attempts = 0;
    memory[d].due = 0;
    memory[d].generation = 0
}

/* A refill reads half a window, and is wanted when the queue is down to a quarter of one: with half
 * a window of one delivery, when it is empty. */
#if REFILL_LIMIT == 1
#define RUNS_LOW (!QUEUED(0) && !QUEUED(1))
#else
#define RUNS_LOW 1
#endif
#define FLIES_BEHIND (IN_FLIGHT(0) && BEHIND(0) || IN_FLIGHT(1) && BEHIND(1))

inline backlog_want()
{
    if
    :: spilled && !refilling && !changing && known.state == WEBHOOK_ACTIVE && RUNS_LOW &&
            !FLIES_BEHIND ->
        refilling = 1;
        stale = 0;
#ifdef MUTANT_REFILL_AT_ONCE
        read_behind();
        to_sender ! REFILLED, keys, more;
#else
        mail_parts = mail_parts | REFILL;
#endif
    :: else
    fi
}

inline refilled(which, others)
{
    MUST(CODE, refilling);
    refilling = 0;
    if
    :: stale
    :: else ->
        spilled = others;
        frontier = (spilled -> frontier : 0); /* means nothing any more */
        i = 0;
        do
        :: i < DELIVERIES && (which >> i & 1) ->
            MUST(S3, memory[i].state == ABSENT); /* in memory twice: POSTed twice */
            memory[i].attempts = rows[i].attempts;
            memory[i].due = rows[i].due;
            memory[i].state = DELIVERY_PENDING;
            if
            :: known.state != WEBHOOK_ACTIVE -> apply(i, DELIVERY_HOLD)
            :: else
            fi;
            if
            :: spilled && PLACE(rows[i].due, i) > frontier -> frontier = PLACE(rows[i].due, i)
            :: else
            fi;
            i++
        :: i < DELIVERIES && !(which >> i & 1) -> i++
        :: i == DELIVERIES -> break
        od
    fi;
    stale = 0
}

/* ---- dispatcher/core/delivery.c ---- */

inline apply(d, event)
{
    next = delivery_next[memory[d].state * NAMES + event];
    MUST(CODE, next != DELIVERY_BUG);
    if
    :: next != DELIVERY_IGNORE -> memory[d].state = next
    :: else
    fi
}

#ifdef MUTANT_LATE_COUNTS
#define IS_ACKNOWLEDGED(d) (wire[d] == ANSWERED_2XX || wire[d] == ANSWERED_LATE)
#else
#define IS_ACKNOWLEDGED(d) (wire[d] == ANSWERED_2XX)
#endif
#ifdef MUTANT_ONE_MORE
#define ATTEMPTS_MAX (ATTEMPTS + 1)
#else
#define ATTEMPTS_MAX ATTEMPTS
#endif

inline judge(d)
{
    memory[d].attempts++;
    verdict = WEBHOOK_ENDS(known);
    if
    :: IS_ACKNOWLEDGED(d) -> apply(d, DELIVERY_ACKNOWLEDGED)
    :: else ->
        if
        :: verdict == DELIVERY_FAILED -> apply(d, DELIVERY_FAIL)
        :: verdict == DELIVERY_DROPPED -> apply(d, DELIVERY_DROP)
        :: else ->
            if
            :: memory[d].attempts >= ATTEMPTS_MAX -> apply(d, DELIVERY_EXHAUSTED)
            :: else ->
                if
                :: known.state == WEBHOOK_ACTIVE -> apply(d, DELIVERY_RETRY)
                :: else -> apply(d, DELIVERY_HOLD)
                fi
            fi
        fi
    fi
}

#ifdef MUTANT_OLD_HEALTH
#define OF_THIS_GENERATION(d) 1
#else
#define OF_THIS_GENERATION(d) (memory[d].generation == known.generation)
#endif

inline judge_health(d)
{
    if
    :: known.state == WEBHOOK_ACTIVE && OF_THIS_GENERATION(d) &&
            memory[d].state == DELIVERY_DELIVERED && known.failures > 0 ->
        known.failures = 0;
        want_note()
    :: known.state == WEBHOOK_ACTIVE && OF_THIS_GENERATION(d) &&
            memory[d].state == DELIVERY_FAILED ->
        known.failures++;
        if
        :: known.failures >= DEGRADE_AFTER ->
            blamed = memory[d].generation;
            propose(WEBHOOK_FAILING)
        :: else -> want_note()
        fi
    :: else
    fi
}

/* The outcome of POST d is worked off; `later` is the due time of a retry. An outcome that comes
 * while the webhook is changing waits: this step is not enabled. */
inline delivery_ended(d, later)
{
    printf("sender: outcome of delivery %d, attempt %d: %e\n", d, memory[d].attempts + 1, wire[d]);
    judge(d);
    wire[d] = NO_POST;
    mail_parts = mail_parts | RECORD;
    mail_d = d;
    mail_to = (QUEUED(d) -> DELIVERY_PENDING : memory[d].state);
    if
    :: QUEUED(d) -> mail_due = later; memory[d].due = later /* an ordinal */
    :: else
    fi;
    judge_health(d);
    memory[d].generation = 0; /* means something in flight only */
    if
    :: QUEUED(d) -> backlog_insert(d)
    :: else -> forget(d)
    fi;
    backlog_want();
    flush()
}

/* ---- dispatcher/core/webhook.c ---- */

inline begin_change(by_client)
{
    MUST(CODE, !changing);
    copy_status(proposed, known);
    fx = 0;
    settle = NOBODY;
    except = 0;
    command = by_client
}

inline apply_event(event)
{
    cell = proposed.state;
    next = webhook_next[cell * NAMES + event];
    what = webhook_fx[cell * NAMES + event];
    verdict = webhook_end[cell * NAMES + event];
    MUST(CODE, next != WEBHOOK_BUG);
    if
    :: next == WEBHOOK_IGNORE
    :: else ->
        if
        :: next != proposed.state && next == WEBHOOK_ACTIVE -> proposed.failures = 0
        :: else
        fi;
        proposed.state = next;
        if
        :: event == WEBHOOK_CHANGED ->
            proposed.generation++;
#ifdef MUTANT_KEEP_VERIFIED
            proposed.verified = proposed.verified && proposed.state == WEBHOOK_INACTIVE;
#else
            proposed.verified = 0;
#endif
            proposed.failures = 0
        :: event == WEBHOOK_ECHOED -> proposed.verified = 1
        :: else
        fi;
        if
        :: what & (FX_OPEN_WINDOW | FX_PROBE) -> proposed.window = 1; proposed.verifies = 0
        :: what & FX_STOP_VERIFY -> proposed.window = 0; proposed.verifies = 0
        :: else
        fi;
        if
        :: what & FX_VERIFY -> fx = (fx & FX_QUEUE) | (what & FX_VERIFY)
        :: else
        fi;
        if
        :: what & FX_QUEUE ->
            fx = (fx & FX_VERIFY) | (what & FX_QUEUE);
            settle = verdict
        :: else
        fi
    fi
}

/* send_change, and what carry_change adds to the operation. */
inline send_change()
{
    changing = 1;
#ifndef MUTANT_SETTLE_ALL
    if
    :: settle != NOBODY -> except = IN_FLIGHT(0) | IN_FLIGHT(1) << 1
    :: else
    fi;
#endif
    mail_parts = mail_parts | CHANGE;
    printf("sender: proposes %e -> %e, generation %d\n", known.state, proposed.state,
           proposed.generation);
#ifdef MUTANT_APPLIED_EARLY
    if
    :: proposed.state == WEBHOOK_ACTIVE -> become_true(); changing = 0
    :: else
    fi
#endif
}

inline propose(event)
{
    begin_change(0);
    apply_event(event);
    send_change()
}

inline void_verify()
{
    verify_current[0] = 0;
    verify_current[1] = 0;
    echoed = 0
}

/* apply_queue_effects, backlog_clear */
inline apply_queue_effects()
{
    if
    :: fx & FX_SETTLE ->
        spilled = 0;
        frontier = 0;
        v = 0;
        do
        :: v < DELIVERIES && QUEUED(v) -> forget(v); v++
        :: v < DELIVERIES && !QUEUED(v) -> v++
        :: v == DELIVERIES -> break
        od
    :: fx & (FX_HOLD | FX_RELEASE) ->
        v = 0;
        do
        :: v < DELIVERIES && QUEUED(v) && (fx & FX_HOLD) -> apply(v, DELIVERY_HOLD); v++
#ifdef MUTANT_HELD_FOR_EVER
        :: v < DELIVERIES && QUEUED(v) && !(fx & FX_HOLD) -> v++
#else
        :: v < DELIVERIES && QUEUED(v) && !(fx & FX_HOLD) -> apply(v, DELIVERY_RELEASE); v++
#endif
        :: v < DELIVERIES && !QUEUED(v) -> v++
        :: v == DELIVERIES -> break
        od
    :: else
    fi
}

inline become_true()
{
    copy_status(known, proposed);
    if
    :: fx & FX_VERIFY -> void_verify()
    :: else
    fi;
    apply_queue_effects()
}

/* The change is over; nothing of it stays. */
inline end_change()
{
    changing = 0;
    command = 0;
    fx = 0;
    settle = NOBODY;
    except = 0;
    proposed.state = NOBODY;
    proposed.generation = 0;
    proposed.verified = 0;
    proposed.failures = 0;
    proposed.window = 0;
    proposed.verifies = 0;
    if
    :: echoed -> echoed = 0; propose(WEBHOOK_ECHOED)
    :: else -> backlog_want()
    fi
}

/* A verify request ended: loop.c verify_ended, webhook_verified. */
#ifdef MUTANT_ANY_ECHO
#define IS_CURRENT(n) (present)
#else
#define IS_CURRENT(n) (present && verify_current[n])
#endif

inline verify_ended(n)
{
    printf("sender: verify request of generation %d ended: %e\n", verify_generation[n],
           verify_wire[n]);
    if
    :: IS_CURRENT(n) && verify_wire[n] == ANSWERED_ECHO && known.window ->
        if
        :: changing -> echoed = 1
        :: else -> propose(WEBHOOK_ECHOED)
        fi
    :: IS_CURRENT(n) && !(verify_wire[n] == ANSWERED_ECHO && known.window) ->
#ifndef MUTANT_NOTE_WHILE_CHANGING
        if
        :: !changing -> want_note()
        :: else
        fi
#else
        want_note()
#endif
    :: else
    fi;
    verify_wire[n] = NO_POST;
    verify_generation[n] = 0;
    verify_current[n] = 0;
    flush()
}

/* ---- dispatcher/loop_mail.c ---- */

inline answer_call()
{
    calls_open--
}

/* begin_call: one call is being committed, the others wait. */
inline begin_call()
{
    line ? argument;
    if
    :: known.state == WEBHOOK_DELETED -> answer_call()
    :: else ->
        begin_change(1);
        if
        :: argument & 1 -> apply_event(WEBHOOK_CHANGED)
        :: else
        fi;
        if
        :: argument >> 1 == 1 ->
            asked = (proposed.verified -> WEBHOOK_RESUME : WEBHOOK_ACTIVATE)
        :: argument >> 1 == 2 -> asked = WEBHOOK_DEACTIVATE
        :: argument >> 1 == 3 -> asked = WEBHOOK_DELETE
        :: else -> asked = NOBODY
        fi;
        if
        :: asked != NOBODY -> apply_event(asked)
        :: else
        fi;
        send_change();
#ifdef MUTANT_DELETE_ANSWERED_EARLY
        deleted_told = deleted_told | (proposed.state == WEBHOOK_DELETED);
#endif
        flush()
    fi
}

inline change_over(committed)
{
    what = command; /* proposals that follow set it anew */
#ifdef MUTANT_REFUSED_APPLIES
    become_true();
#else
    if
    :: committed -> become_true()
    :: else
    fi;
#endif
    if
    :: what -> answer_call()
    :: else
    fi;
    if
    :: what && committed && known.state == WEBHOOK_DELETED ->
        printf("client: is told that the webhook is deleted\n");
        deleted_told = 1
    :: else
    fi;
    end_change();
    flush()
}

inline take_mail()
{
    if
    :: to_sender ? [CALL, argument, _] ->
        to_sender ? CALL, argument, _;
        if
        :: present -> line ! argument
        :: else -> answer_call()
        fi
    :: to_sender ? [ACCEPTED, v, _] ->
        to_sender ? ACCEPTED, v, _;
        MUST(CODE, present && known.state == WEBHOOK_ACTIVE);
        MUST(S3, memory[v].state == ABSENT);
        memory[v].state = DELIVERY_PENDING;
        memory[v].due = rows[v].due;
        backlog_insert(v)
    :: to_sender ? [CHANGE_OVER, _, _] ->
        to_sender ? CHANGE_OVER, argument, _;
        change_over(argument)
    :: to_sender ? [REFILLED, _, _] ->
        to_sender ? REFILLED, keys, more;
        refilled(keys, more);
        backlog_want();
        flush()
    fi
}

/* ---- starts: webhook_due, select.c start ---- */

#ifdef MUTANT_JUDGE_WHILE_CHANGING
#define HAS_OUTCOME(d) (IN_FLIGHT(d) && wire[d] != ON_WIRE)
#else
#define HAS_OUTCOME(d) (IN_FLIGHT(d) && wire[d] != ON_WIRE && !changing)
#endif

#ifdef MUTANT_START_WHILE_CHANGING
#define MAY_START present
#else
#define MAY_START (present && !changing)
#endif

/* A retry is due half a minute after the outcome before it was told to the writer; by then it is
 * durable, or commits fail and nothing starts. That is all that the model keeps of the schedule. */
#ifdef MUTANT_START_UNRECORDED
#define IS_DUE(d) 1
#else
#define IS_DUE(d) (memory[d].attempts == rows[d].attempts)
#endif

inline start(d)
{
    apply(d, DELIVERY_START);
    memory[d].generation = known.generation;
    wire[d] = ON_WIRE;
    posts[d]++;
    printf("sender: POST of delivery %d starts, generation %d\n", d, known.generation);
    MUST(S15, !deleted_told);
    MUST(S2, stored.state == WEBHOOK_ACTIVE);
    MUST(S1, known.generation == stored.generation && (echoes >> known.generation & 1));
    MUST(S3, posts[d] <= ATTEMPTS + overlaps[d]);
    backlog_want();
    flush()
}

inline start_verify(n)
{
    printf("sender: verify request, generation %d\n", known.generation);
    known.verifies++;
    verify_wire[n] = ON_WIRE;
    verify_generation[n] = known.generation;
    verify_current[n] = 1
}

#define VERIFY_IS_DUE \
    (MAY_START && known.window && !verify_current[0] && !verify_current[1] && \
     known.verifies < VERIFIES && (verify_wire[0] == NO_POST || verify_wire[1] == NO_POST))
#define VERIFY_HAS_ENDED(n) (verify_wire[n] != NO_POST && verify_wire[n] != ON_WIRE)
#define CAN_START(d) (memory[d].state == DELIVERY_PENDING && IS_DUE(d))
#define IS_OVER \
    (present && known.state == WEBHOOK_DELETED && !IN_FLIGHT(0) && !IN_FLIGHT(1) && !refilling && \
     !changing && empty(line))

/* The choice of a delivery or of a verify request is a step of its own inside of `atomic`. */
proctype sender()
{
    byte d, later;
end:
    do
    :: d_step { nempty(to_sender) -> take_mail() }
    :: d_step { present && !changing && nempty(line) -> begin_call() }
    :: atomic {
           HAS_OUTCOME(0) || HAS_OUTCOME(1) ->
           if
           :: HAS_OUTCOME(0) -> d = 0
           :: HAS_OUTCOME(1) -> d = 1
           fi;
           if
           :: later = 1
#if REFILL_LIMIT == 1 /* only where the order of open deliveries matters */
           :: later = 2
#endif
           fi;
           d_step { delivery_ended(d, later); d = 0; later = 0 }
       }
    :: atomic {
           MAY_START && known.state == WEBHOOK_ACTIVE && (CAN_START(0) || CAN_START(1)) ->
           if
           :: CAN_START(0) -> d = 0
           :: CAN_START(1) -> d = 1
           fi;
           d_step { start(d); d = 0 }
       }
    :: atomic {
           VERIFY_HAS_ENDED(0) || VERIFY_HAS_ENDED(1) ->
           if
           :: VERIFY_HAS_ENDED(0) -> d = 0
           :: VERIFY_HAS_ENDED(1) -> d = 1
           fi;
           d_step { verify_ended(d); d = 0 }
       }
    :: d_step {
           VERIFY_IS_DUE ->
           d = (verify_wire[0] == NO_POST -> 0 : 1);
           start_verify(d);
           d = 0
       }
    :: d_step {
           MAY_START && known.window && !changing ->
           propose((known.state == WEBHOOK_DEGRADED -> WEBHOOK_GAVE_UP : WEBHOOK_WINDOW_OVER));
           flush()
       }
    :: d_step { IS_OVER -> present = 0; forget_known() }
    od
}
