# What tools/run and tools/test share: packages and builds. Sourced, not run.
#
# Each step first looks whether there is anything to do, so that a second run costs nothing. The
# output of a step that succeeds is kept out of the way; of one that fails, all of it is shown.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

say() {
    printf '== %s\n' "$*"
}

fail() {
    printf 'tools/%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# Runs a command with its output in a log; shows the log only when it fails. What it prints to descriptor 3 is shown.
quietly() {
    local log
    log="$(mktemp)"
    if "$@" 3>&1 >"$log" 2>&1; then
        rm -f "$log"
        return 0
    fi
    cat "$log" >&2
    rm -f "$log"
    return 1
}

# Prints those of the given packages that are not installed.
missing_packages() {
    local package have
    have="$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || true)"
    for package in "$@"; do
        grep -qx "$package installed" <<<"$have" || printf '%s\n' "$package"
    done
}

# Passes on what apt-get says, and tells on a terminal how far it is: it names every package when it is fetched,
# unpacked and set up.
apt_progress() {
    local line steps=0 n=0
    while IFS= read -r line; do
        printf '%s\n' "$line"
        case "$line" in
            *" newly installed"*) [[ "$line" =~ ([0-9]+)\ newly ]] && steps=$((3 * BASH_REMATCH[1])) ;;
            Get:* | "Unpacking "* | "Setting up "*)
                [ -t 3 ] && ((steps > 0)) && printf '\r   %3d %%' $((100 * (++n < steps ? n : steps) / steps)) >&3
                ;;
        esac
    done
    ((n == 0)) || printf '\r        \r' >&3
}

apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" | apt_progress
}

# Installs what is missing of the given Debian packages, or says how to.
ensure_packages() {
    local missing
    if ! command -v dpkg-query >/dev/null; then
        say "no dpkg here: expecting the counterparts of $*"
        return 0
    fi
    mapfile -t missing < <(missing_packages "$@")
    ((${#missing[@]} > 0)) || return 0
    if [ "$(id -u)" != 0 ]; then
        printf 'Packages are missing. Install them with\n\n    sudo apt-get install --no-install-recommends %s\n\nand start again.\n' \
            "${missing[*]}" >&2
        exit 1
    fi
    say "installing ${missing[*]}"
    if compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null && quietly apt_install "${missing[@]}" 2>/dev/null; then
        return 0
    fi
    quietly apt-get update || fail "apt-get update failed"
    quietly apt_install "${missing[@]}" || fail "could not install ${missing[*]}"
}

# Builds into a folder: build FOLDER "TARGETS" [cmake options; other ones configure it anew]
build() {
    local folder="$1" targets="$2"
    shift 2
    local options="$*" name="${folder#"$root"/}"
    if [ ! -f "$folder/build.ninja" ] || [ "$(cat "$folder/options" 2>/dev/null)" != "$options" ]; then
        say "configuring $name"
        mkdir -p "$folder"
        quietly cmake -G Ninja -S "$root" -B "$folder" "$@" || fail "cmake failed"
        printf '%s' "$options" >"$folder/options"
    fi
    say "building $name"
    # shellcheck disable=SC2086 # targets is a list of words
    if [ -t 1 ]; then
        ninja -C "$folder" -j "$(nproc)" $targets || fail "the build failed"
    else
        quietly ninja -C "$folder" -j "$(nproc)" $targets || fail "the build failed"
    fi
}
