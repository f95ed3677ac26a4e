#!/bin/sh
# The guest's only program. It takes commands on the first serial line, one a line, and answers each with
# one line: "ok", with what was asked for, or "error" and why. The commands are the functions called do_*.
#
# It runs in busybox alone, and forks as little as it can: the balloon may have left next to no memory. Nor does it
# read more than it needs: the shell takes each letter by a system call, which is slow in user mode.

PATH=/bin
DRIVER=/sys/bus/platform/drivers/virtio-uml
# What is left alone when memory is allocated, in KiB: a guest without any panics.
RESERVE=4096

main() {
    mount -t proc proc /proc
    mount -t sysfs sysfs /sys
    # No limit: allocate has its own.
    mount -t tmpfs -o size=0,nr_inodes=0 mem /mem
    mkfifo /mem/.verdict
    # Who asks for more than there is gets it, until memory runs out.
    echo 1 > /proc/sys/vm/overcommit_memory
    stty raw -echo < /dev/ttyS0
    exec < /dev/ttyS0 > /dev/ttyS0 2> /dev/console
    # The device that the kernel's command line made.
    for DEVICE in /sys/bus/platform/devices/virtio-uml.*; do :; done
    DEVICE=${DEVICE##*/}
    set -f
    if [ ! -e $DRIVER/bind ] || [ "$DEVICE" = "virtio-uml.*" ]; then
        echo "error the kernel has no virtio_uml; build it with CONFIG_VIRTIO_UML=y"
    else
        echo ready
    fi
    while read -r command words; do
        ANSWER=
        case $command in
            relies | bind | unbind | load | unload | reload | \
                allocate | verify | hold | fill | fragment | release | clear | \
                drop-caches | compact | oom | memory)
                # The words are split on purpose.
                if "do_${command%-caches}" $words; then
                    echo "ok${ANSWER:+ $ANSWER}"
                else
                    echo "error ${ANSWER:-$command failed}"
                fi
                ;;
            *) echo "error there is no command $command" ;;
        esac
    done
    # The other end of the line is gone, and with it whoever started this guest. A kernel whose first program
    # ends panics and is gone too, even where there is no memory left to start another program.
    exit
}

# Say what went wrong, and fail.
fail() {
    # On one line, whatever it was.
    ANSWER=$(echo $*)
    return 1
}

try() { ANSWER=$("$@" 2>&1) || fail "$ANSWER"; }

store() { { echo "$1" > "$2"; } 2> /dev/null || fail "cannot write $1 to $2"; }

named() {
    case $1 in
        "" | .* | */*) fail "the name $1 is none" ;;
    esac
}

number() {
    case $1 in
        "" | *[!0-9]*) fail "$1 is no number of pages" ;;
    esac
}

# Make this process the first to be killed when memory runs out.
expendable() { echo 1000 > /proc/self/oom_score_adj; }

# Refuse what would leave the guest without memory: nothing that is in files can be taken back from them.
affordable() {
    available=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
    [ $(($1 * 4 + RESERVE)) -le "${available:-0}" ] || fail "out of memory: $available KiB are available"
}

# relies: tell whether the kernel fills pages as they are freed, which it said at boot, and finds them so later.
do_relies() { ANSWER=$(dmesg | awk '/ heap free:on/ { print "yes" }'); }

# bind, unbind: connect the device to its socket, and a driver that is loaded to the device; and the reverse.
do_bind() { store "$DEVICE" $DRIVER/bind; }
do_unbind() { store "$DEVICE" $DRIVER/unbind; }

# load, unload, reload: the driver alone, if it is a module; the device stays connected.
do_load() {
    [ -e /balloon.ko ] || return 0
    try insmod /balloon.ko || return 1
    # It is the only module there is.
    [ "$MODULE" ] || read -r MODULE _ < /proc/modules
    LOADED=yes
}
do_unload() {
    [ -e /balloon.ko ] || return 0
    [ "$LOADED" ] || fail "the driver is not loaded" || return 1
    try rmmod "$MODULE" && LOADED=
}
do_reload() {
    [ ! "$LOADED" ] || do_unload || return 1
    do_load
}

# allocate NAME PAGES: fill pages with a pattern, each with another.
do_allocate() {
    named "$1" && number "$2" && affordable "$2" || return 1
    (expendable && pattern "$1" "$2" > "/mem/$1") 2> /dev/null && return 0
    rm -f "/mem/$1"
    fail "out of memory"
}

pattern() { awk -v name="$1" -v pages="$2" 'BEGIN { for (i = 0; i < pages; i++) printf "%-4087s %08d", name, i }'; }

# verify NAME PAGES: compare the pages with what was written.
do_verify() {
    named "$1" && number "$2" || return 1
    ANSWER=$(pattern "$1" "$2" | cmp - "/mem/$1" 2>&1) || fail "$ANSWER"
}

# hold NAME PAGES: take memory that comes back when its holder is killed for want of more.
do_hold() {
    named "$1" && number "$2" || return 1
    [ ! -e "/mem/$1" ] || fail "$1 is there already" || return 1
    {
        (expendable && myself > /mem/.memory && exec dd if=/dev/zero bs=$(($2 * 4))k count=1) | {
            dd bs=1 count=1 of="/mem/$1"
            if [ -s "/mem/$1" ]; then
                myself > /mem/.reader
                echo held > /mem/.verdict
                # The rest of what was read stays where it is, as long as nobody takes it.
                exec sleep 1000000
            fi
            echo killed > /mem/.verdict
        }
    } 2> /dev/null &
    holder=$!
    read -r verdict < /mem/.verdict
    if [ "$verdict" = held ]; then
        read -r memory < /mem/.memory
        read -r reader < /mem/.reader
        echo $holder > "/mem/$1"
        echo $reader $memory > "/mem/.of.$1"
        # Empty files take no page.
        : > /mem/.memory
        : > /mem/.reader
        return 0
    fi
    wait $holder
    rm -f "/mem/$1"
    fail "out of memory"
}

# The number of the process that this is called in.
myself() { read -r -n 9 self _ < /proc/self/stat && echo "$self"; }

# fill NAME: take all the pages but those that keep the guest going. Free pages are away while they are reported to the
# device, so what was available a moment ago may not be there; they come back, and there is another try.
do_fill() {
    for try in 1 2 3; do
        available=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
        pages=$(((${available:-0} - 3 * RESERVE) / 4))
        [ "$pages" -gt 0 ] || fail "out of memory: ${available:-0} KiB are available" || return 1
        do_hold "$1" "$pages" && ANSWER= && return 0
        # What is there already cannot be taken again.
        [ ! -e "/mem/$1" ] || return 1
    done
    return 1
}

# fragment NAME PAGES: take twice the pages, in turn for two files, and free one of them.
do_fragment() {
    named "$1" && number "$2" && affordable $((2 * $2)) || return 1
    (expendable && alternate "$1" "$2") 2> /dev/null && try rm "/mem/$1.gaps" && return 0
    rm -f "/mem/$1" "/mem/$1.gaps"
    fail "out of memory"
}

alternate() {
    awk -v kept="/mem/$1" -v freed="/mem/$1.gaps" -v pages="$2" 'BEGIN {
        page = sprintf("%4096s", "")
        for (i = 0; i < pages; i++) {
            printf "%s", page > kept; fflush(kept)
            printf "%s", page > freed; fflush(freed)
        }
    }'
}

# release NAME: free what allocate, hold or fragment took.
do_release() {
    named "$1" || return 1
    [ -e "/mem/$1" ] || fail "nothing is called $1" || return 1
    # A file that holds the number of a process stands for that process.
    read -r -n 9 holder < "/mem/$1"
    case $holder in
        "" | *[!0-9]*) ;;
        *)
            # The one that has the memory, the one that it waits for, and the shell around them.
            read -r reader memory < "/mem/.of.$1"
            kill "$holder" "$reader" "$memory"
            wait "$holder"
            # Its memory comes back before it is a zombie.
            while read -r -n 24 _ _ state _ < "/proc/$memory/stat" && [ "$state" != Z ]; do :; done
            rm "/mem/.of.$1"
            ;;
    esac 2> /dev/null
    try rm "/mem/$1"
}

# clear: free everything that was taken.
do_clear() {
    set +f
    for taken in /mem/*; do
        [ ! -e "$taken" ] || do_release "${taken##*/}"
    done
    set -f
    ANSWER=
}

do_drop() { sync && store 3 /proc/sys/vm/drop_caches; }
do_compact() { store 1 /proc/sys/vm/compact_memory; }

# oom: have the kernel act as when it is out of memory, with a program at hand that it may kill.
do_oom() {
    # It ends by itself where the kernel finds nothing to kill for.
    (expendable && exec sleep 2) &
    victim=$!
    until [ "$score" = 1000 ]; do read -r score < /proc/$victim/oom_score_adj; done
    score=
    store f /proc/sysrq-trigger || return 1
    wait $victim
    return 0
}

# memory: what there is, in KiB, and the kernel's count of pages that went into the balloon and came back.
do_memory() {
    ANSWER=$(awk '
        /^(MemTotal|MemFree|MemAvailable|Cached|Shmem):/ { sub(":", "", $1); printf "%s=%s ", $1, $2 }
        /^(balloon_|oom_kill|compact_success)/ { printf "%s=%s ", $1, $2 }
    ' /proc/meminfo /proc/vmstat)
    ANSWER=${ANSWER% }
}

main
