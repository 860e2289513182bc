# fish completion for jitconnect. Written by: jitconnect --complete script fish

function __jitconnect_complete
    set -l words (commandline -opc)
    for line in (jitconnect --complete fish $words[2..-1] (commandline -ct) 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path (commandline -ct)
        else
            string replace -r '^([^\t]*) (\t|$)' '$1$2' -- $line
        end
    end
end

complete -c jitconnect -f -a '(__jitconnect_complete)'
