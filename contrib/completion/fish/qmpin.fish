# SPDX-License-Identifier: MIT
# fish completion for qmpin: what there is to complete is asked of qmpin's own help, VMs
# of qmpind.

# The options that a command takes, each with the kind of its value, if it has one.
function __qmpin_options
    begin
        qmpin help
        test -z "$argv[1]"; or qmpin help $argv[1]
    end 2>/dev/null | sed -nE \
        -e 's/^ +(-[a-zA-Z], )?(--[a-z-]+) ([A-Z=|]+).*/\2 \3/p;t' \
        -e 's/^ +(-[a-zA-Z], )?(--[a-z-]+).*/\2/p;t' \
        -e 's/^  (-[a-zA-Z]) .*/\1/p'
end

# The commands, each with what it is for after a tab.
function __qmpin_commands
    qmpin help 2>/dev/null | sed -nE '/^Commands:/,/^$/s/^  ([a-z][a-z-]*) +(([][A-Z.|]|--all|[a-z]+[|][a-z]+)+ +)*(.*)/\1\t\4/p'
end

# The kind of operand N (from 1) of a command: ID, CPU, COMMAND, MODE...
function __qmpin_operand
    set -l kinds (qmpin help $argv[1] 2>/dev/null |
        sed -n '1s/^Usage: qmpin [a-z-]* \[OPTION\]\.\.\. *//p' | string split -n ' ')
    set -l n $argv[2]
    if test $n -gt (count $kinds)
        string match -q '*...*' -- $kinds[-1]; or return
        set n (count $kinds)
    end
    string replace -ra '[][.]' '' -- $kinds[$n]
end

# Words of one kind; the second argument is the command.
function __qmpin_words
    switch "$argv[1]"
        case 'ID*'
            qmpin ps --no-heading --columns vm,name 2>/dev/null |
                string replace -r '^(\S+) +(.*)' '$1\t$2'
        case MODE
            string split ' ' 'off auto observe float core pin dedicated'
        case FORMAT
            string split ' ' 'text json json-pretty'
        case COMMAND
            __qmpin_commands
        case LIST
            qmpin help $argv[2] 2>/dev/null |
                sed -n '/^Columns:/,/^$/{s/^Columns://;s/with ID://;s/[,;.]/ /g;p}' |
                string split -n ' '
        case FILE SCENARIO 'DIR*'
            __fish_complete_path (commandline -ct)
        case '*|*'
            string split '|' -- $argv[1]
    end
end

function __qmpin_complete
    set -l command
    set -l kind
    set -l n 0
    for word in (commandline -opc)[2..]
        if test -n "$kind"
            set kind
        else if string match -q -- '--*=*' $word
            continue
        else if string match -q -- '-*' $word
            set kind (__qmpin_options $command | string match -rg -- "^$word (.*)")
            test $word = -o; and set kind FILE
        else if test -z "$command"
            set command $word
        else
            set n (math $n + 1)
        end
    end
    if test -z "$kind"; and string match -q -- '-*' (commandline -ct)
        __qmpin_options "$command" | string replace -r ' .*' ''
    else if test -z "$kind" -a -z "$command"
        __qmpin_commands
    else
        test -n "$kind"; or set kind (__qmpin_operand $command (math $n + 1))
        __qmpin_words "$kind" $command
    end
end

complete -c qmpin -f -a '(__qmpin_complete)'
