# SPDX-License-Identifier: MIT
# Runs on the board for as long as the bench uses it, and puts back what the bench changes: when its input ends, when
# another login of the same run asks for it (SIGTERM), or when no line came for a while, because the connection is cut.
# POSIX sh, for busybox.
#
# Each run makes a folder hil-board.PROCESS.TOKEN, and looks for those of others only then, so that of two at least the
# later one sees the other. One that is ready has the board; of those that are not yet, the lowest process id gets it.
#
# Arguments: owner, seconds without a line, settings (patterns of files), groups of trace events, places (folders, in one
# of which it works). The run's token is HIL_BOARD in the environment: /proc shows all of that, but only the first page of
# the arguments before Linux 4.2.
# Output, a line each: "left FOLDER OWNER", then "ready FOLDER TRACING" or "busy OWNER", "noexec FOLDERS"; "beat" for
# each line of input; at the end "removed EVENT", "restored FILE OLD NEW", "failed WHAT", and "end".

owner=$1 silence=$2 settings=$3 groups=$4 places=$5
boot=$(cat /proc/sys/kernel/random/boot_id)
trap '' HUP INT PIPE

say() {
    printf '%s\n' "$*"
}

end_processes() { # of programs that are there, or that work there; one ls for all, since a process of our own takes longest
    ls -l -d /proc/[0-9]*/exe /proc/[0-9]*/cwd | while read -r line; do
        case "$line" in *" -> $1" | *" -> $1/"* | *" -> $1 (deleted)") ;; *) continue ;; esac
        link=${line%% -> *}
        process=${link##*/proc/}
        kill -9 "${process%%/*}"
    done
} 2>/dev/null

remove_events() {
    events=$1/kprobe_events
    [ -e "$events" ] || return 0
    for _ in 1 2 3 4 5 6 7 8 9 10; do # what is still attached to one goes with its process
        kept=
        for event in $(sed -n 's/^[pr][0-9]*:\([^ ]*\) .*/\1/p' "$events"); do
            case " $groups " in *" ${event%/*} "*) ;; *) continue ;; esac
            echo 0 >"$1/events/$event/enable"
            if echo "-:$event" >>"$events"; then say "removed $event"; else kept="$kept $event"; fi
        done 2>/dev/null
        [ "$kept" ] || return 0
        sleep 1
    done
    for event in $kept; do say "failed to remove the probe $event"; done
}

put_back() {
    folder=$1
    end_processes "$folder"
    if [ "$(cat "$folder/boot" 2>/dev/null)" = "$boot" ]; then # a reboot puts back everything else
        remove_events "$(cat "$folder/tracing")"
        while read -r file value; do
            now=$(cat "$file")
            [ "$now" = "$value" ] && continue
            echo "$value" >"$file"
            if [ "$(cat "$file")" = "$value" ]; then
                say "restored $file $now $value"
            else
                say "failed to put back $file: it is $now and was $value"
            fi
        done 2>/dev/null <"$folder/settings"
        if [ -d "$folder/tracefs" ]; then umount "$folder/tracefs" || say "failed to unmount $folder/tracefs"; fi
    fi
    rm -rf "$folder" || say "failed to remove $folder"
}

is_ours() { # what somebody else made says nothing about what to put back
    [ -d "$1" ] && [ ! -L "$1" ] && [ -O "$1" ]
}

process() {
    of=${1##*/hil-board.}
    echo "${of%%.*}"
}

is_kept() { # a process id is used again, but not with the token of the folder
    [ "$(process "$1")" != $$ ] && tr '\0' '\n' <"/proc/$(process "$1")/environ" | grep -qx "HIL_BOARD=${1##*.}"
} 2>/dev/null

has_board() {
    [ -e "$1/ready" ] || [ "$(process "$1")" -lt $$ ]
}

others() {
    for place in $places; do
        for folder in "$place"/hil-board.*; do
            if [ "$folder" != "$mine" ] && is_ours "$folder"; then echo "$folder"; fi
        done
    done
}

mine=
for place in $places; do
    folder=$place/hil-board.$$.$HIL_BOARD
    if is_ours "$folder"; then put_back "$folder"; fi # from before a reboot, when this run had the same process id
    mkdir -m 700 "$folder" 2>/dev/null || continue
    echo "$owner" >"$folder/owner"
    printf '#!/bin/sh\nexit 0\n' >"$folder/agent"
    chmod 700 "$folder/agent"
    if "$folder/agent" 2>/dev/null; then
        mine=$folder
        break
    fi
    rm -rf "$folder"
done
if [ -z "$mine" ]; then
    say "noexec $places"
    exit 1
fi

for folder in $(others); do
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        is_kept "$folder" || break
        if [ "${folder##*.}" = "$HIL_BOARD" ]; then
            kill "$(process "$folder")" # an earlier login of this run
        elif has_board "$folder"; then
            break
        fi
        sleep 1
    done
    if is_kept "$folder"; then
        say "busy $(cat "$folder/owner")"
        rm -rf "$mine"
        exit 1
    fi
done
for folder in $(others); do
    if is_kept "$folder" || [ ! -d "$folder" ]; then continue; fi # it came later, and gives way
    # What this run itself made before the board rebooted is no news.
    [ "${folder##*.}" = "$HIL_BOARD" ] || say "left $folder $(cat "$folder/owner" 2>/dev/null)"
    put_back "$folder"
done

echo "$boot" >"$mine/boot"
for file in $settings; do
    [ -f "$file" ] && echo "$file $(cat "$file")"
done >"$mine/settings" 2>/dev/null

tracing=$(sed -n 's/^[^ ]* \([^ ]*\) tracefs .*/\1/p' /proc/mounts | head -n 1)
if [ -z "$tracing" ]; then
    mkdir "$mine/tracefs"
    if mount -t tracefs hil "$mine/tracefs" 2>/dev/null; then tracing=$mine/tracefs; else rmdir "$mine/tracefs"; fi
fi
echo "${tracing:-$mine/none}" >"$mine/tracing"
: >"$mine/beat"

exec 3<&0
(while read -r _ <&3; do
    : >"$mine/beat"
    say beat
done) &
reader=$!
# Nothing of it holds the channel open.
(
    quiet=0
    while [ "$quiet" -lt "$silence" ] && sleep 1; do
        quiet=$((quiet + 1))
        if [ -e "$mine/beat" ]; then
            rm -f "$mine/beat"
            quiet=0
        fi
    done
    kill "$reader"
) </dev/null >/dev/null 2>&1 3<&- &
watch=$!
trap : TERM # ends the wait
: >"$mine/ready"
say "ready $mine ${tracing:-$mine/none}"
wait "$reader"
kill "$reader" "$watch" 2>/dev/null
put_back "$mine"
say end
