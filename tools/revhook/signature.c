/*
 * signature.c - the form of a signature, from the command line to a request or to a check.
 *
 * Happy path: the words of --signature are split at commas; one with "=" names a part, "hex" and
 * "base64" are encodings, anything else is a preset. For a request they become the members that the
 * service knows, unjudged. For the local receiver they become a form, and the expected value is
 * computed from the raw body.
 *
 * Failure modes: an empty word, or for the receiver one that is not known. A secret that is not
 * base64 counts as it stands where the decoded key is asked for, as with the service. Refuses:
 * other digests than SHA-256.
 */
#include "signature.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#define PART_BYTES_MAX   16
#define SECRET_BYTES_MAX 1024 /* far above what the service allows */
#define WORDS_HELP       "hex, base64, devrev-live, default, key=string, key=base64, prefix=sha256="

/* One word of the list: the part that it sets, and to what. */
struct choice {
    char part[PART_BYTES_MAX];
    char word[PART_BYTES_MAX];
};

/* Splits the next word off *text. False, with what is wrong printed, if there is none. */
static bool next_choice(const struct cli *cli, const char **text, struct choice *choice)
{
    size_t bytes = strcspn(*text, ","), part_bytes = strcspn(*text, "=");
    const char *word = *text, *part = "preset";
    size_t word_bytes = bytes;
    if (part_bytes < bytes) {
        part = *text;
        word += part_bytes + 1;
        word_bytes -= part_bytes + 1;
    } else if ((bytes == 3 && memcmp(word, "hex", 3) == 0) ||
               (bytes == 6 && memcmp(word, "base64", 6) == 0)) {
        part = "encoding";
        part_bytes = strlen(part);
    } else {
        part_bytes = strlen(part);
    }
    if (bytes == 0 || part_bytes >= sizeof choice->part || word_bytes >= sizeof choice->word) {
        usage_error(cli, "--signature is a list of: " WORDS_HELP);
        return false;
    }
    snprintf(choice->part, sizeof choice->part, "%.*s", (int)part_bytes, part);
    snprintf(choice->word, sizeof choice->word, "%.*s", (int)word_bytes, word);
    *text += bytes;
    *text += **text == ',' && (*text)[1] != '\0';
    return true;
}

bool signature_set(const struct cli *cli, json_t *body)
{
    const char *text = args_value(cli, "signature");
    if (text == NULL)
        return true;
    json_t *signature = json_object();
    if (signature == NULL || json_object_set_new(body, "signature", signature) != 0)
        out_of_memory();
    do {
        struct choice choice;
        if (!next_choice(cli, &text, &choice))
            return false;
        if (json_object_set_new(signature, choice.part, json_string(choice.word)) != 0) {
            usage_error(cli, "--signature is not valid UTF-8");
            return false;
        }
    } while (*text != '\0');
    return true;
}

/* ---- the local receiver ---- */

static int find(const char *const *words, const char *word)
{
    for (int i = 0; words[i] != NULL; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    return -1;
}

static bool apply(const struct choice *choice, struct sign_form *form)
{
    int index = -1;
    if (strcmp(choice->part, "encoding") == 0) {
        index = find(sign_encodings, choice->word);
        form->encoding = index == SIGN_BASE64 ? SIGN_BASE64 : SIGN_HEX;
    } else if (strcmp(choice->part, "key") == 0) {
        index = find(sign_keys, choice->word);
        form->key = index == SIGN_KEY_BASE64 ? SIGN_KEY_BASE64 : SIGN_KEY_STRING;
    } else if (strcmp(choice->part, "prefix") == 0) {
        index = find(sign_prefixes, choice->word);
        form->prefix = index == 1;
    } else if (strcmp(choice->part, "preset") == 0) {
        index = find(sign_presets, choice->word);
        *form = sign_own_of(index < 0 ? SIGN_PRESET_DEFAULT : (enum sign_preset)index).form;
    }
    return index >= 0;
}

bool signature_read(const struct cli *cli, struct sign_form *form)
{
    const char *text = args_value(cli, "signature");
    if (text == NULL)
        return true;
    do {
        struct choice choice;
        if (!next_choice(cli, &text, &choice))
            return false;
        if (!apply(&choice, form)) {
            usage_error(cli, "--signature has an unknown word, '%s'; it is a list of: " WORDS_HELP,
                        choice.word);
            return false;
        }
    } while (*text != '\0');
    return true;
}

/* What standard base64 with its padding decodes to; 0 if the text is none. */
static size_t decode(const char *text, unsigned char out[SECRET_BYTES_MAX])
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t bytes = strlen(text), data = strspn(text, alphabet), pad = strspn(text + data, "=");
    if (bytes == 0 || bytes % 4 != 0 || bytes > SECRET_BYTES_MAX || data + pad != bytes ||
        pad > 2 || EVP_DecodeBlock(out, (const unsigned char *)text, (int)bytes) < 0)
        return 0;
    return bytes / 4 * 3 - pad;
}

void signature_expected(const struct sign_form *form, const char *secret, const void *body,
                        size_t body_bytes, char text[SIGNATURE_TEXT_BYTES])
{
    unsigned char mac[EVP_MAX_MD_SIZE], decoded[SECRET_BYTES_MAX];
    unsigned int mac_bytes = 0;
    size_t decoded_bytes = form->key == SIGN_KEY_BASE64 ? decode(secret, decoded) : 0;
    const void *key = decoded_bytes > 0 ? (const void *)decoded : secret;
    size_t key_bytes = decoded_bytes > 0 ? decoded_bytes : strlen(secret);
    if (HMAC(EVP_sha256(), key, (int)key_bytes, body, body_bytes, mac, &mac_bytes) == NULL)
        out_of_memory();
    text += snprintf(text, SIGNATURE_TEXT_BYTES, "%s", form->prefix ? "sha256=" : "");
    if (form->encoding == SIGN_BASE64) {
        EVP_EncodeBlock((unsigned char *)text, mac, (int)mac_bytes);
        return;
    }
    for (unsigned int i = 0; i < mac_bytes; i++)
        text += snprintf(text, 3, "%02x", mac[i]);
}
