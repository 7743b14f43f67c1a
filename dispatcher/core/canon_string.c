/*
 * canon_string.c - strings: checked, and written as JSON.stringify writes them.
 *
 * Most of an event is plain text inside strings. It is copied in steps of 8 bytes, or 16 where the
 * processor has SSE2, until a byte turns up that needs a decision: the closing quote, a backslash,
 * a control character, or the start of a UTF-8 sequence. Escapes are decoded and written again in
 * their canonical form, so two spellings of a character come out the same; no form is longer than
 * what came in.
 *
 * Refused: raw control characters, unknown escapes, bytes that are not UTF-8 (overlong forms,
 * encoded surrogates, above U+10FFFF, cut sequences), and half of a surrogate pair.
 */
#include "core/canon.h"
#include "core/canon_run.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/*
 * STEP bytes are looked at together. special_bytes() is 0 if all are plain; otherwise
 * first_special() tells which is the first that is below 0x20, a quote, a backslash or not ASCII.
 */
#if defined(__SSE2__)

enum { STEP = 16 };

static inline unsigned special_bytes(const unsigned char *at)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));

    return (unsigned)_mm_movemask_epi8(
        _mm_or_si128(_mm_or_si128(control, quote), _mm_or_si128(backslash, bytes)));
}

static inline size_t first_special(unsigned special)
{
    return (size_t)__builtin_ctz(special);
}

#else

enum { STEP = 8 };

/* Only the lowest bit that is set means something: the top bit of the first special byte. */
static inline uint64_t special_bytes(const unsigned char *at)
{
    uint64_t word = canon_load8(at);
    uint64_t control = word - CANON_REPEAT8(0x20);
    uint64_t quote = (word ^ CANON_REPEAT8('"')) - CANON_REPEAT8(1);
    uint64_t backslash = (word ^ CANON_REPEAT8('\\')) - CANON_REPEAT8(1);

    return (control | quote | backslash | word) & CANON_REPEAT8(0x80);
}

static inline size_t first_special(uint64_t special)
{
    return (size_t)__builtin_ctzll(special) / 8;
}

#endif

/* Length of the UTF-8 sequence at `at` that starts with a byte of 0x80 or more; 0 if invalid. */
static size_t utf8_length(const unsigned char *at, const unsigned char *end)
{
    size_t left = (size_t)(end - at);
    unsigned char low = 0x80;  /* bounds of the second byte: no overlong form, no surrogate, */
    unsigned char high = 0xbf; /* nothing above U+10FFFF */
    size_t length;

    if (at[0] >= 0xc2 && at[0] <= 0xdf) {
        length = 2;
    } else if ((at[0] & 0xf0) == 0xe0) {
        length = 3;
        low = at[0] == 0xe0 ? 0xa0 : 0x80;
        high = at[0] == 0xed ? 0x9f : 0xbf;
    } else if (at[0] >= 0xf0 && at[0] <= 0xf4) {
        length = 4;
        low = at[0] == 0xf0 ? 0x90 : 0x80;
        high = at[0] == 0xf4 ? 0x8f : 0xbf;
    } else {
        return 0;
    }
    if (left < length || at[1] < low || at[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

bool canon_is_utf8(const char *at, size_t bytes)
{
    const unsigned char *next = (const unsigned char *)at, *end = next + bytes;
    while (next < end) {
        size_t length = *next < 0x80 ? 1 : utf8_length(next, end);
        if (length == 0)
            return false;
        next += length;
    }
    return true;
}

/* Four hexadecimal digits, or -1. */
static int read_hex4(const unsigned char *at, const unsigned char *end)
{
    int value = 0;

    if (end - at < 4) {
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        unsigned char c = at[i];

        if (c >= '0' && c <= '9') {
            value = value * 16 + (c - '0');
        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            value = value * 16 + ((c | 0x20) - 'a' + 10);
        } else {
            return -1;
        }
    }
    return value;
}

/* Writes one character that came as an escape, in its canonical form. */
static bool put_character(struct canon_run *r, uint32_t code)
{
    static const char hex[] = "0123456789abcdef";
    char text[6];

    switch (code) {
    case '\b': return canon_put_bytes(r, "\\b", 2);
    case '\t': return canon_put_bytes(r, "\\t", 2);
    case '\n': return canon_put_bytes(r, "\\n", 2);
    case '\f': return canon_put_bytes(r, "\\f", 2);
    case '\r': return canon_put_bytes(r, "\\r", 2);
    case '"': return canon_put_bytes(r, "\\\"", 2);
    case '\\': return canon_put_bytes(r, "\\\\", 2);
    default: break;
    }
    if (code < 0x20) {
        memcpy(text, "\\u00", 4);
        text[4] = hex[code >> 4];
        text[5] = hex[code & 15];
        return canon_put_bytes(r, text, 6);
    }
    if (code < 0x80) {
        return canon_put_byte(r, (char)code);
    }
    if (code < 0x800) {
        text[0] = (char)(0xc0 | code >> 6);
        text[1] = (char)(0x80 | (code & 0x3f));
        return canon_put_bytes(r, text, 2);
    }
    if (code < 0x10000) {
        text[0] = (char)(0xe0 | code >> 12);
        text[1] = (char)(0x80 | (code >> 6 & 0x3f));
        text[2] = (char)(0x80 | (code & 0x3f));
        return canon_put_bytes(r, text, 3);
    }
    text[0] = (char)(0xf0 | code >> 18);
    text[1] = (char)(0x80 | (code >> 12 & 0x3f));
    text[2] = (char)(0x80 | (code >> 6 & 0x3f));
    text[3] = (char)(0x80 | (code & 0x3f));
    return canon_put_bytes(r, text, 4);
}

/* An escape; r->in stands on the backslash. */
static enum canon_error copy_escape(struct canon_run *r)
{
    uint32_t code;
    int hex;

    if (r->in_end - r->in < 2) {
        return CANON_SYNTAX;
    }
    switch (r->in[1]) {
    case '"':
    case '\\':
    case '/': code = r->in[1]; break;
    case 'b': code = '\b'; break;
    case 'f': code = '\f'; break;
    case 'n': code = '\n'; break;
    case 'r': code = '\r'; break;
    case 't': code = '\t'; break;
    case 'u':
        hex = read_hex4(r->in + 2, r->in_end);
        if (hex < 0) {
            return CANON_SYNTAX;
        }
        code = (uint32_t)hex;
        if (code >= 0xd800 && code <= 0xdfff) {
            if (code >= 0xdc00 || r->in_end - r->in < 12 || r->in[6] != '\\' || r->in[7] != 'u') {
                return CANON_SURROGATE;
            }
            hex = read_hex4(r->in + 8, r->in_end);
            if (hex < 0xdc00 || hex > 0xdfff) {
                return hex < 0 ? CANON_SYNTAX : CANON_SURROGATE;
            }
            code = 0x10000 + ((code - 0xd800) << 10) + ((uint32_t)hex - 0xdc00);
            r->in += 6;
        }
        r->in += 4;
        break;
    default: return CANON_SYNTAX;
    }
    r->in += 2;
    return put_character(r, code) ? CANON_OK : CANON_TOO_LARGE;
}

/*
 * Copies a run of valid UTF-8 up to the next byte that needs more than copying: a quote, a
 * backslash, a control character, an invalid sequence, or the end of the input or of the room.
 */
static void copy_plain(struct canon_run *r)
{
    const unsigned char *in = r->in; /* copies, because writes through `out` could alias r */
    const unsigned char *in_end = r->in_end;
    char *out = r->out;
    char *out_end = r->out_end;
    size_t length;

    while (in_end - in >= STEP && out_end - out >= STEP) {
        typeof(special_bytes(in)) special = special_bytes(in);

        memcpy(out, in, STEP); /* what follows the plain ones is overwritten later */
        if (special == 0) {
            in += STEP;
            out += STEP;
            continue;
        }
        in += first_special(special);
        out += first_special(special);
        if (*in < 0x80) {
            break;
        }
        do { /* text that is not ASCII seldom comes alone */
            length = utf8_length(in, in_end);
            if (length == 0 || out_end - out < 4 || in_end - in < 4) {
                r->in = in;
                r->out = out;
                return;
            }
            memcpy(out, in, 4);
            in += length;
            out += length;
        } while (in < in_end && *in >= 0x80);
    }
    r->in = in;
    r->out = out;
}

enum canon_error canon_copy_string(struct canon_run *r)
{
    enum canon_error error;
    size_t length;

    r->in++;
    if (!canon_put_byte(r, '"')) {
        return CANON_TOO_LARGE;
    }
    for (;;) {
        copy_plain(r);
        if (r->in == r->in_end || *r->in < 0x20) {
            return CANON_SYNTAX;
        }
        if (*r->in == '"') {
            r->in++;
            return canon_put_byte(r, '"') ? CANON_OK : CANON_TOO_LARGE;
        }
        if (*r->in == '\\') {
            error = copy_escape(r);
            if (error != CANON_OK) {
                return error;
            }
            continue;
        }
        length = *r->in < 0x80 ? 1 : utf8_length(r->in, r->in_end);
        if (length == 0) {
            return CANON_UTF8;
        }
        if (!canon_put_bytes(r, r->in, length)) {
            return CANON_TOO_LARGE;
        }
        r->in += length;
    }
}
